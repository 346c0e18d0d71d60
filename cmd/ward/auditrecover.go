package main

import (
	"context"
	"fmt"
	"io"

	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/telemetry"
)

// auditRecover ends what an instance that will not come back left open.
func auditRecover(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit recover", log)
	path := set.String("config", "", "configuration `FILE` of any of the instances")
	instance := set.String("instance", "", "`NAME` of the instance that is gone")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	settings, err := config.Load(*path)
	if err != nil {
		return wrong(*path, err)
	}
	switch {
	case settings.Store.Postgres == "":
		return usageError("the log is not shared by several instances: the next start of the provider closes what was left open")
	case !config.IsInstance(*instance):
		return usageError("name the instance: -instance NAME")
	}
	recovered, err := provider.Recover(ctx, settings, *instance, telemetry.NewLogger(log, settings.LogLevel, settings.Log.Format))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d question(s) of the instance %s were open and are now recorded as unknown. A process that still runs under this name can record nothing more.\n", recovered, *instance)
	return nil
}
