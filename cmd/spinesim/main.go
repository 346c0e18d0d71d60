// Command spinesim runs the simulator of CP-IS on the Spine as a program of
// its own, so that no production binary contains it. docs/simulator.md
// describes it and its configuration.
//
//	spinesim -config FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// drain is how long replies in progress may take after the signal to stop.
const drain = 5 * time.Second

// gcPercent trades memory for speed: a simulator's queries leave much garbage
// and little else.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "spinesim:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("spinesim", flag.ContinueOnError)
	flags.SetOutput(out)
	path := flags.String("config", "", "the configuration `FILE`")
	err := flags.Parse(args)
	if err != nil {
		return err
	}
	if *path == "" || flags.NArg() > 0 {
		return fmt.Errorf("usage: spinesim -config FILE")
	}
	cfg, beside, err := load(*path)
	if err != nil {
		return err
	}
	cfg.Log = slog.New(slog.NewTextHandler(out, nil))
	simulator, err := spinesim.New(cfg)
	if err != nil {
		return err
	}
	err = simulator.Start()
	if err != nil {
		return err
	}
	cfg.Log.Info("queries are answered with invented children", "url", simulator.URL(), "management", simulator.ManagementAddr())
	stopPlatform, err := startPlatform(beside, simulator, cfg.Log)
	if err != nil {
		return errors.Join(err, simulator.Close(ctx))
	}
	<-ctx.Done()
	cfg.Log.Info("stopping")
	drained, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return errors.Join(stopPlatform(drained), simulator.Close(drained))
}
