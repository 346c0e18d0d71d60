package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/telemetry"
)

// serve answers clients until ctx ends or serving fails.
func serve(ctx context.Context, args []string, log io.Writer) error {
	set := flags("serve", log)
	path := set.String("config", "", "configuration `FILE`")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	settings, err := config.Load(*path)
	if err != nil {
		return wrong(*path, err)
	}
	tuneMemory()
	logger := telemetry.NewLogger(log, settings.LogLevel, settings.Log.Format)
	running, err := provider.Start(ctx, settings, logger, build())
	if err != nil {
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-running.Failed():
		logger.Error("serving failed", "event", "provider.failed", "cause", failure.Error())
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), settings.Limits.DrainTime)
	defer cancel()
	return errors.Join(failure, running.Stop(drain))
}

// tuneMemory lets the collector of memory run less often, since what is alive at
// any time is little, and more often again when many connections are open. The
// environment variables GOGC and GOMEMLIMIT say otherwise.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(384 << 20)
	}
}

func checkConfig(args []string, out io.Writer) error {
	if len(args) != 1 {
		return usageError("name one configuration file: ward config check FILE")
	}
	settings, err := config.Load(args[0])
	if err != nil {
		return wrong(args[0], err)
	}
	fmt.Fprintf(out, "%s is in order: environment %s, %d client(s), pattern %s, Spine: %s\n",
		args[0], settings.Environment, len(settings.Clients), settings.Spine.Pattern, spineOf(settings))
	return nil
}

// spineOf says where the Spine is, or which directory says so.
func spineOf(s *config.Settings) string {
	if s.Route.Endpoint == nil {
		return "as the directory " + s.SDS.URL + " says"
	}
	return s.Route.Endpoint.Host
}

// budgetNotice writes the text by which NHS England is told of the limits in force
// (TOM-DE-03c).
func budgetNotice(args []string, out io.Writer) error {
	if len(args) != 1 {
		return usageError("name one configuration file: ward config budget-notice FILE")
	}
	settings, err := config.Load(args[0])
	if err != nil {
		return wrong(args[0], err)
	}
	if len(settings.Budgets) == 0 {
		return fmt.Errorf("%s has no [[budgets]], so that there is nothing to give notice of", args[0])
	}
	fmt.Fprintf(out, "Notice of transactions per second (TPS) limits\n\nProvider (ODS code): %s\nEnvironment: %s\nSpine service: %s\n",
		settings.ODSCode, settings.Environment, spineOf(settings))
	for _, b := range settings.Budgets {
		fmt.Fprintf(out, "\nASID: %s\nLimit: %g TPS, and %d above that for a moment\nRequested: %g TPS\nJustification: %s\nApproved by: %s\nApproved on: %s\n",
			b.ASID, b.PerSecond, *b.Burst, b.Requested, b.Justification, b.ApprovedBy, b.ApprovedOn)
	}
	fmt.Fprint(out, "\nThe limits hold for all instances of the service together. A request above a limit is answered HTTP 503 and does not reach the Spine.\n")
	return nil
}

// wrong lists what is wrong with a configuration.
func wrong(path string, err error) error {
	if path == "" {
		return usageError("name a configuration file: -config FILE")
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		return fmt.Errorf("%s has %d problem(s):\n%w", path, len(problems), problems)
	}
	return err
}
