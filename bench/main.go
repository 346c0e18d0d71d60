// Command bench measures Ward: its codecs, the whole service beside Go's
// httputil.ReverseProxy and nginx passing the same bytes through, its start and its
// memory. It prints one report in Markdown.
//
//	go run ./bench [-quick] [-out FILE]
//
// With -patterns it measures instead the two patterns in which the Spine is asked,
// beside each other.
//
// Everything runs on this machine, each party as a process of its own, with
// throw-away certificates and synthetic children.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// roleReverseProxy as the first argument makes this program the contender instead
// of the bench.
const roleReverseProxy = "reverse-proxy"

// options are what the command line decides.
type options struct {
	seconds     time.Duration // measured, of each contender in each round
	warm        time.Duration // before that
	rounds      int
	connections int
	idle        int // connections for the memory of idle ones
	starts      int
	tls         string // version on every leg
	dir         string // where the audit log is
	pin         bool
	packages    bool // the packages' own benchmarks
	codecs      bool // with the bytes of this run
	contenders  []string

	pattern string // of the Spine, where patterns are compared; "" elsewhere
	flight  int    // questions in flight while the Spine is slow
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == roleReverseProxy {
		return serveReverseProxy(ctx, args[1:])
	}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	o := options{starts: 9}
	contenders := set.String("contenders", strings.Join([]string{nameWard, nameReverseProxy, nameNginx}, ","), "`NAMES` of those to compare; the first is Ward")
	seconds := set.Float64("seconds", 8, "measured `SECONDS` of each contender in each round")
	set.IntVar(&o.rounds, "rounds", 3, "rounds, in each of which every contender runs once")
	set.IntVar(&o.connections, "connections", 32, "connections, each with one question at a time")
	set.IntVar(&o.idle, "idle", 1000, "idle connections for the measurement of memory")
	set.StringVar(&o.tls, "tls", "1.2", "TLS `VERSION` on every leg, 1.2 or 1.3")
	set.StringVar(&o.dir, "dir", "", "`FOLDER` for the audit log and everything else; a temporary one if left out")
	set.BoolVar(&o.pin, "pin", true, "give the contender one core to itself and everything else the others")
	set.BoolVar(&o.codecs, "codecs", true, "measure the codecs, and run the benchmarks of the codecs and of the log")
	patterns := set.Bool("patterns", false, "measure the asynchronous pattern beside the synchronous one, and nothing else")
	set.IntVar(&o.flight, "flight", 1000, "with -patterns: questions in flight while the Spine is slow")
	quick := set.Bool("quick", false, "everything ten times shorter: a smoke test, not a measurement")
	file := set.String("out", "", "write the report to `FILE` too")
	err := set.Parse(args)
	if err != nil {
		return err
	}
	o.packages = o.codecs
	o.contenders = strings.Split(*contenders, ",")
	if o.contenders[0] != nameWard {
		return fmt.Errorf("-contenders must begin with %s", nameWard)
	}
	o.seconds = time.Duration(*seconds * float64(time.Second))
	o.warm = 1500 * time.Millisecond
	if *quick {
		o.seconds, o.warm, o.idle, o.starts = o.seconds/10, o.warm/10, o.idle/10, 2
		o.flight = max(1, o.flight/10)
	}
	if o.flight < 1 || o.rounds < 1 || o.connections < 1 || o.idle < 1 || o.seconds <= 0 || o.tls != "1.2" && o.tls != "1.3" {
		return fmt.Errorf("-rounds, -connections, -flight, -idle and -seconds must be more than 0, and -tls 1.2 or 1.3")
	}
	take := measure
	if *patterns {
		take = measurePatterns
	}
	r, err := take(ctx, o, *quick)
	if err != nil {
		return err
	}
	text := r.markdown()
	_, err = io.WriteString(out, text)
	if err != nil || *file == "" {
		return err
	}
	return os.WriteFile(*file, []byte(text), 0o644)
}

// measure does everything in turn. The codecs come first, alone on the machine and
// on every core.
func measure(ctx context.Context, o options, quick bool) (*report, error) {
	r := &report{options: o, quick: quick, began: time.Now()}
	s, err := setScene(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.remove()
	r.machine, err = describeMachine(ctx, s)
	if err != nil {
		return nil, err
	}
	if o.packages {
		r.benchmarks, err = runBenchmarks(ctx, s, quick)
		if err != nil {
			return nil, err
		}
	}
	err = s.pin(ctx)
	if err != nil {
		return nil, err
	}
	r.pinning = s.cores
	err = compare(ctx, s, r)
	if err != nil {
		return nil, err
	}
	if o.codecs {
		r.codecs, err = measureCodecs(s)
		if err != nil {
			return nil, err
		}
		r.readings, err = measureReaders(ctx, s)
		if err != nil {
			return nil, err
		}
	}
	r.starts, err = measureStarts(ctx, s)
	if err != nil {
		return nil, err
	}
	r.idle, err = measureIdle(ctx, s)
	if err != nil {
		return nil, err
	}
	r.verified, err = s.verifyLog(ctx)
	if err != nil {
		return nil, err
	}
	r.ended, r.loadAfter = time.Now(), loadAverage()
	return r, nil
}
