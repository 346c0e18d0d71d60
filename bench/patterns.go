package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/stage"
)

// The patterns in which the Spine is asked.
const (
	patternSync  = "sync"
	patternAsync = "async"
)

// slowSpine is how long the slow Spine takes for an answer.
const slowSpine = 500 * time.Millisecond

// patterns is what was measured of both patterns. In each pair of results the
// synchronous one comes first.
type patterns struct {
	quick  []pair // the Spine answers at once, by the number of connections
	slow   pair   // it takes slowSpine, with as many questions in flight as there are connections
	peaks  [2][]peak
	checks [2]string // what Ward says of its audit logs afterwards
}

// pair is what both patterns did in the same rounds.
type pair struct {
	connections int
	results     [2]result
}

// peak is the most that was seen of a provider during one sample.
type peak struct {
	heap        int64 // bytes in use of Go's
	goroutines  int
	toSpine     int // connections
	fromClients int
	replies     int // connections on which replies came
}

// forPattern gives the provider the pattern of the scene, and room for the questions
// in flight. Over the asynchronous pattern connections and deliveries stay as they are
// without configuration.
func (s *scene) forPattern(set *stage.Options) error {
	var err error
	s.operations, err = stage.FreeAddress()
	if err != nil {
		return err
	}
	set.Pattern, set.Questions = s.options.pattern, s.options.flight
	set.Limits += fmt.Sprintf("\nquestions = %d", s.options.flight)
	if set.Pattern == patternSync {
		set.SpineSettings = fmt.Sprintf("connections = %d", s.options.flight)
	}
	set.Ward = fmt.Sprintf("[operations]\naddress = %q", s.operations)
	return nil
}

// measurePatterns measures the patterns in turn, each with a simulator and a provider
// of its own. Of those only the ones that are measured have anything to do.
func measurePatterns(ctx context.Context, o options, quick bool) (*report, error) {
	r := &report{options: o, quick: quick, began: time.Now(), patterns: &patterns{}}
	var scenes [2]*scene
	for i, pattern := range []string{patternSync, patternAsync} {
		o.pattern = pattern
		s, err := setScene(ctx, o)
		if err != nil {
			return nil, err
		}
		defer s.remove()
		scenes[i] = s
	}
	var err error
	r.machine, err = describeMachine(ctx, scenes[0])
	if err == nil {
		err = scenes[0].pin(ctx)
	}
	if err != nil {
		return nil, err
	}
	scenes[1].cores, r.pinning = scenes[0].cores, scenes[0].cores
	err = r.patterns.measureQuick(ctx, scenes)
	if err == nil {
		err = r.patterns.measureSlow(ctx, scenes)
	}
	if err != nil {
		return nil, err
	}
	for i, s := range scenes {
		r.patterns.checks[i], err = s.verifyLog(ctx)
		if err != nil {
			return nil, err
		}
	}
	r.ended, r.loadAfter = time.Now(), loadAverage()
	return r, nil
}

// measureQuick measures what the asynchronous pattern adds where the Spine answers at
// once.
func (p *patterns) measureQuick(ctx context.Context, scenes [2]*scene) error {
	sides, stop, err := startSides(ctx, scenes, "spinesim.toml")
	if err != nil {
		return err
	}
	defer stop()
	for _, connections := range []int{1, 16} {
		one := pair{connections: connections, results: newResults()}
		for range scenes[0].options.rounds {
			for i, side := range sides {
				l := side.load(connections)
				l.least = 100
				sample, err := l.run(ctx)
				if err != nil {
					return err
				}
				one.results[i].samples = append(one.results[i].samples, sample)
			}
		}
		p.quick = append(p.quick, one)
	}
	return nil
}

// measureSlow measures what a provider bears while the Spine is slow. Each is a new
// process, so that its highest memory is of this.
func (p *patterns) measureSlow(ctx context.Context, scenes [2]*scene) error {
	for _, s := range scenes {
		err := s.slowDown()
		if err != nil {
			return err
		}
	}
	sides, stop, err := startSides(ctx, scenes, "spinesim-slow.toml")
	if err != nil {
		return err
	}
	defer stop()
	o := scenes[0].options
	p.slow = pair{connections: o.flight, results: newResults()}
	for range o.rounds {
		for i, side := range sides {
			l := side.load(o.flight)
			l.least, l.tolerant = int64(2*o.flight), true
			seen := side.watchPeak(ctx)
			sample, err := l.run(ctx)
			highest := seen()
			if err != nil {
				return err
			}
			p.slow.results[i].samples = append(p.slow.results[i].samples, sample)
			p.peaks[i] = append(p.peaks[i], highest)
		}
	}
	return nil
}

func newResults() [2]result { return [2]result{{name: "synchronous"}, {name: "asynchronous"}} }

// slowDown writes the configuration of a simulator that is slow.
func (s *scene) slowDown() error {
	content, err := os.ReadFile(s.path("spinesim.toml"))
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("spinesim-slow.toml"), fmt.Appendf(nil, "delay = %q\n%s", slowSpine, content), 0o644)
}

// side is one pattern with everything that runs for it.
type side struct {
	scene     *scene
	simulator *process
	contender *contender
}

func (s *side) load(connections int) *load {
	return &load{scene: s.scene, contender: s.contender, simulator: s.simulator, connections: connections, seconds: s.scene.options.seconds}
}

// startSides starts both sides, and asks about every child.
func startSides(ctx context.Context, scenes [2]*scene, simulator string) (sides [2]*side, stop func(), err error) {
	var started []*process
	stop = func() {
		for i := len(started) - 1; i >= 0; i-- {
			started[i].stop()
		}
	}
	for i, s := range scenes {
		one := &side{scene: s}
		sides[i] = one
		one.simulator, err = s.startSimulatorBy(ctx, simulator)
		if err != nil {
			stop()
			return sides, nil, err
		}
		started = append(started, one.simulator)
		one.contender, err = s.startContender(ctx, nameWard)
		if err != nil {
			stop()
			return sides, nil, err
		}
		started = append(started, one.contender.process)
		err = one.askAboutAll(ctx)
		if err != nil {
			stop()
			return sides, nil, fmt.Errorf("%s: %w", s.options.pattern, err)
		}
	}
	return sides, stop, nil
}

// askAboutAll gives each history its length before anything is measured.
func (s *side) askAboutAll(ctx context.Context) error {
	lines := make([]*line, len(s.scene.children))
	err := s.scene.open(ctx, lines)
	for _, l := range lines {
		if l != nil {
			l.close()
		}
	}
	return err
}

// watchPeak looks at the provider several times a second until seen is called.
func (s *side) watchPeak(ctx context.Context) (seen func() peak) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan peak)
	go func() {
		var highest peak
		for ctx.Err() == nil {
			highest.raise(s.look(ctx))
			select {
			case <-ctx.Done():
			case <-time.After(300 * time.Millisecond):
			}
		}
		done <- highest
	}()
	return func() peak {
		stop()
		return <-done
	}
}

func (p *peak) raise(now peak) {
	p.heap = max(p.heap, now.heap)
	p.goroutines = max(p.goroutines, now.goroutines)
	p.toSpine = max(p.toSpine, now.toSpine)
	p.fromClients = max(p.fromClients, now.fromClients)
	p.replies = max(p.replies, now.replies)
}

// look reads the provider's metrics and the kernel's table of connections.
func (s *side) look(ctx context.Context) peak {
	metrics := fetch(ctx, "http://"+s.scene.operations+"/metrics")
	table, _ := os.ReadFile("/proc/net/tcp")
	return peak{
		heap:        int64(gauge(metrics, "go_memstats_heap_inuse_bytes")),
		goroutines:  int(gauge(metrics, "go_goroutines")),
		toSpine:     connectionsTo(table, s.scene.simulatorAddress),
		fromClients: connectionsTo(table, s.scene.stage.Address),
		replies:     connectionsTo(table, s.scene.settings.Replies.Address),
	}
}

// fetch is the body of a response, "" if none came.
func fetch(ctx context.Context, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

// gauge is the value of a metric without labels, 0 if it is not there.
func gauge(text, name string) float64 {
	value, _ := strconv.ParseFloat(strings.TrimSpace(after(text, name+" ")), 64)
	return value
}

// connectionsTo counts the established connections to an address on loopback, each
// once.
func connectionsTo(table []byte, address string) int {
	_, port, _ := strings.Cut(address, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return bytes.Count(table, fmt.Appendf(nil, " 0100007F:%04X 01 ", n))
}
