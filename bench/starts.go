package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// starts are the times from starting the process to the first completed mutual-TLS
// handshake, sorted.
type starts struct {
	times []time.Duration
	log   int64 // bytes of the audit log's database at the time
}

// measureStarts starts Ward several times over the log that the load has left.
func measureStarts(ctx context.Context, s *scene) (starts, error) {
	var all starts
	info, err := os.Stat(s.path("audit.db"))
	if err != nil {
		return all, err
	}
	all.log = info.Size()
	for range s.options.starts {
		took, err := s.measureStart(ctx)
		if err != nil {
			return all, err
		}
		all.times = append(all.times, took)
	}
	slices.Sort(all.times)
	return all, nil
}

func (s *scene) measureStart(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	p, err := s.start(s.cores.contender, "ward", s.path("ward"), "serve", "-config", s.stage.WardConfig())
	if err != nil {
		return 0, err
	}
	defer p.stop()
	for time.Since(began) < patience {
		c, err := s.dial(ctx, s.stage.Address)
		if err == nil {
			took := time.Since(began)
			c.close()
			return took, nil
		}
		time.Sleep(500 * time.Microsecond)
	}
	return 0, fmt.Errorf("ward does not serve after its start:\n%s", p.lastWords())
}

// idle is the memory of a fresh Ward, and what it becomes with idle connections of
// which each has asked one question.
type idle struct {
	connections   int
	before, after memory
}

// measureIdle holds connections open. Each asks once, because a connection that
// asks nothing is closed after a few seconds.
func measureIdle(ctx context.Context, s *scene) (idle, error) {
	m := idle{connections: s.options.idle}
	simulator, err := s.startSimulator(ctx)
	if err != nil {
		return m, err
	}
	defer simulator.stop()
	ward, err := s.startWard(ctx, s.cores.contender)
	if err != nil {
		return m, err
	}
	defer ward.stop()
	lines := make([]*line, m.connections)
	defer func() {
		for _, l := range lines {
			if l != nil {
				l.close()
			}
		}
	}()
	err = s.open(ctx, lines[:1])
	if err != nil {
		return m, err
	}
	m.before = ward.memory()
	err = s.open(ctx, lines[1:])
	if err != nil {
		return m, err
	}
	time.Sleep(min(2*time.Second, s.options.seconds))
	m.after = ward.memory()
	return m, nil
}

// open fills lines with connections that have asked once, a few at a time.
func (s *scene) open(ctx context.Context, lines []*line) error {
	const atOnce = 8
	failures := make(chan error, atOnce)
	var opening sync.WaitGroup
	for worker := range atOnce {
		opening.Go(func() {
			request := s.question.copyFor()
			for i := worker; i < len(lines); i += atOnce {
				var err error
				lines[i], err = s.askOnce(ctx, request, i)
				if err != nil {
					failures <- fmt.Errorf("idle connection %d: %w", i, err)
					return
				}
			}
		})
	}
	opening.Wait()
	close(failures)
	return <-failures
}

func (s *scene) askOnce(ctx context.Context, request *form, i int) (*line, error) {
	l, err := s.dial(ctx, s.stage.Address)
	if err != nil {
		return nil, err
	}
	status, _, err := l.exchange(request.fill(s.count.Add(1), s.children[i%len(s.children)].number))
	if err != nil || status != 200 {
		l.close()
		return nil, fmt.Errorf("status %d: %w", status, err)
	}
	l.body = nil
	return l, nil
}
