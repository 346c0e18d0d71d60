package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/conform/clients"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/telemetry"
)

// drainTime is longer than any time-out of a request that has begun.
const drainTime = 20 * time.Second

// conformClient plays the provider for a client under test until everything was asked
// or ctx ends, and reports. With confirmations it waits for ctx, so that a person can
// write them meanwhile.
func conformClient(ctx context.Context, args []string, out, log io.Writer) (int, error) {
	set := flags("conform client", log)
	path := set.String("config", "", "configuration `FILE`")
	confirm := set.String("confirm", "", "`FILE` in which a person says what the screens showed; read at the end")
	var files reportFiles
	files.flags(set)
	err := parseAlone(set, args)
	if err != nil {
		return exitUsage, err
	}
	settings, err := config.LoadConformClient(*path)
	if err != nil {
		return exitFailed, wrong(*path, err)
	}
	_, err = confirmations(*confirm) // a file that is wrong is told before the work is done
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return exitFailed, err
	}
	began := time.Now()
	run, err := clients.New(conformClientConfig(settings, telemetry.NewLogger(log, slog.LevelInfo, "text")))
	if err != nil {
		return exitFailed, err
	}
	listener, err := net.Listen("tcp", settings.Listen.Address)
	if err != nil {
		return exitFailed, fmt.Errorf("the address listen.address cannot be listened on: %w", err)
	}
	failed := playUntilOver(ctx, run, listener, *confirm != "", out)
	// Whatever failed, what was seen is reported: a tester's work is not thrown away.
	confirmed, unread := confirmationsSince(began, *confirm)
	report := run.Report(confirmed)
	err = errors.Join(failed, unread, report.Text(out, width()), files.write(report))
	return reportCode(report), err
}

// playUntilOver lets the run take messages until it is over.
func playUntilOver(ctx context.Context, run *clients.Run, listener net.Listener, untilStopped bool, out io.Writer) error {
	fmt.Fprintf(out, "Playing the provider at https://%s%s. There is no Spine: nobody is notified.\n", listener.Addr(), server.Path)
	fmt.Fprint(out, "Let the client ask about each number once, wait for each answer, and look at each screen.\n\n")
	unlisted := run.Checklist(out)
	fmt.Fprint(out, "\nStop with an interrupt for the report.\n\n")
	served := make(chan error, 1)
	go func() { served <- run.Serve(listener) }()
	failed := waitUntilOver(ctx, run, served, untilStopped, out)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(unlisted, failed, run.Stop(drain), <-served)
}

// waitUntilOver waits for the end of ctx, for the end of serving, or until everything
// was asked. A run that is to be stopped only says so then.
func waitUntilOver(ctx context.Context, run *clients.Run, served chan error, untilStopped bool, out io.Writer) error {
	complete := run.Complete()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			served <- nil
			return err
		case <-complete:
			if !untilStopped {
				return nil
			}
			fmt.Fprint(out, "Every number was asked about. Write down what the screens showed, then stop.\n\n")
			complete = nil
		}
	}
}

func conformClientConfig(s *config.ConformClientSettings, logger *slog.Logger) clients.Config {
	l := s.Limits
	return clients.Config{
		TLS:      s.ListenTLS,
		Register: s.Register,
		Subject:  s.Client.Name,
		Tool:     build(),
		Expect: itk.Expectations{
			Skew:         s.ITK.ClockSkew,
			MaxLifetime:  s.ITK.MaxTTL,
			To:           s.ITK.AcceptedTo,
			Profiles:     s.ITK.RequestProfiles,
			Interactions: s.ITK.RequestInteractions,
		},
		Limits: server.Limits{
			Connections: l.Connections, Questions: l.Questions, Body: l.Body, Header: l.Header, HeaderTimeout: l.HeaderTime,
			BodyTimeout: l.BodyTime, WriteTimeout: l.WriteTime, IdleTimeout: l.IdleTime,
		},
		Provider: s.ODSCode,
		Window:   s.Window,
		Slow:     s.SlowAnswer,
		GiveUp:   s.GiveUp,
		Logger:   logger,
		Now:      time.Now,
		NewID:    provider.NewID,
	}
}

// confirmations reads what a person confirmed; without a file that is nothing.
func confirmations(path string) (clients.Confirmations, error) {
	if path == "" {
		return clients.Confirmations{}, nil
	}
	file, err := config.LoadConfirmations(path, clients.Screens())
	if err != nil {
		return clients.Confirmations{}, wrong(path, err)
	}
	return clients.Confirmations(file), nil
}

// confirmationsSince are those of a file that was written in this run: what an earlier
// one showed says nothing of this one.
func confirmationsSince(began time.Time, path string) (clients.Confirmations, error) {
	confirmed, err := confirmations(path)
	if err != nil || path == "" {
		return confirmed, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return clients.Confirmations{}, err
	}
	// Some file systems keep whole seconds alone.
	if info.ModTime().Before(began.Truncate(time.Second)) {
		return clients.Confirmations{}, wrong(path, errors.New("the file is older than this run, and confirms nothing in it"))
	}
	return confirmed, nil
}
