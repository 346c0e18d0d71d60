// Command demo shows the whole of Ward on one machine: a simulated Spine, the
// provider, and a client that asks, with throw-away certificates and synthetic
// children.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	_ "time/tzdata" // United Kingdom time on machines without a zone database

	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// budget is shorter than a real one, so that the children on whom the simulator
// stalls do not keep the audience waiting.
const budget = 5 * time.Second

// options are what the command line decides.
type options struct {
	once                  bool
	dir, address, pattern string
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	folder, remove, err := prepare(o.dir)
	if err != nil {
		return err
	}
	defer remove()
	return perform(ctx, folder, o, out)
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.SetOutput(errs)
	set.BoolVar(&o.once, "once", false, "ask about every synthetic child, verify the audit log, and end")
	set.StringVar(&o.dir, "dir", "", "keep everything under this `FOLDER`; a temporary one if left out")
	set.StringVar(&o.address, "addr", "", "the provider's `HOST:PORT`; a free port on loopback if left out")
	set.StringVar(&o.pattern, "pattern", "sync", "how the Spine answers: sync, or async, in a message of its own")
	err := set.Parse(args)
	switch {
	case err != nil:
		return o, err
	case set.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag; the demonstration takes flags only", set.Arg(0))
	case o.pattern != "sync" && o.pattern != "async":
		return o, fmt.Errorf("-pattern %s is neither sync nor async", o.pattern)
	default:
		return o, nil
	}
}

// perform sets the stage, starts the provider on it, and shows what it does.
func perform(ctx context.Context, folder string, o options, out io.Writer) (err error) {
	scene, err := stage.Set(stage.Options{Dir: folder, Address: o.address, Budget: budget, Pattern: o.pattern})
	if err != nil {
		return err
	}
	defer scene.Close()
	log, err := os.Create(filepath.Join(folder, "ward.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	running, err := scene.StartProvider(ctx, telemetry.NewLogger(log, slog.LevelInfo, "json"))
	if err != nil {
		return err
	}
	defer func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget+time.Second)
		defer cancel()
		err = errors.Join(err, running.Stop(drain))
	}()
	err = writeEndpoints(scene)
	if err != nil {
		return err
	}
	show, err := newShow(scene, out)
	if err != nil {
		return err
	}
	defer show.close()
	if o.once {
		return show.everyone(ctx)
	}
	defer os.Remove(filepath.Join(folder, readyFile)) // nothing answers from here on
	return show.one(ctx)
}

// prepare returns the folder of the demonstration, and how to remove it if nobody
// asked for it.
func prepare(dir string) (string, func(), error) {
	if dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return "", nil, err
		}
		return absolute, func() {}, errors.Join(os.MkdirAll(absolute, 0o755), clearEarlier(absolute))
	}
	folder, err := os.MkdirTemp("", "ward-demo-")
	return folder, func() { os.RemoveAll(folder) }, err
}

// clearEarlier removes what an earlier demonstration left in its folder: the word
// that it is ready, and its audit log, whose key is about to be replaced. In any
// other folder it removes nothing.
func clearEarlier(folder string) error {
	_, err := os.Stat(filepath.Join(folder, "spinesim.toml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(folder, "audit.db*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(folder, "checkpoints"), filepath.Join(folder, readyFile)) {
		err := os.RemoveAll(name)
		if err != nil {
			return err
		}
	}
	return nil
}
