package platform

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Step is one behaviour for one or more requests.
type Step struct {
	Behaviour Behaviour

	// Times is the number of requests, 1 if zero. Every is for all requests
	// from here on.
	Times int
	Every bool

	// Delay is waited before the reply; for slow-drip it is the pause between
	// two pieces, and for the stalls their length. Zero has the behaviour's own.
	Delay time.Duration

	// RetryAfter is sent in the header of that name with a scripted status,
	// in whole seconds. Zero has the behaviour's own.
	RetryAfter time.Duration
}

// Script is a queue of steps for one service: each request takes the next. A
// request for which nothing is left is answered as held.
type Script struct {
	Service Service

	// Key restricts the script to one NHS number at PDS, or to one revocation
	// list, by name; such a script comes before one for all requests. Empty for
	// all requests of the service.
	Key string

	Steps  []Step
	Repeat bool // begin again when all steps were taken
}

// maxScripts is how many scripts wait at a time.
const maxScripts = 10_000

// Play replaces the script for the same service and key. A script without
// steps clears it. It returns an error for an unknown service or behaviour, a
// behaviour that the service does not have, a negative number, a key where the
// service has none, or more than 10,000 scripts.
func (p *Platform) Play(script Script) error {
	if !slices.Contains(Services(), script.Service) {
		return fmt.Errorf("there is no service %q", script.Service)
	}
	if script.Key != "" && script.Service != Patient && script.Service != CRL {
		return fmt.Errorf("the service %s has no keys: script it for all requests", script.Service)
	}
	for _, step := range script.Steps {
		b, known := catalogue()[step.Behaviour]
		switch {
		case !known:
			return fmt.Errorf("there is no behaviour %q", step.Behaviour)
		case !b.of(script.Service):
			return fmt.Errorf("the service %s has no behaviour %s", script.Service, step.Behaviour)
		case step.Times < 0 || step.Delay < 0 || step.RetryAfter < 0:
			return fmt.Errorf("the step %s has a negative number of requests or time", step.Behaviour)
		}
	}
	return p.scripts.play(script)
}

// scripts are the queues, by service and key. Safe for concurrent use.
type scripts struct {
	mu     sync.Mutex
	queues map[scriptKey]*queue
}

type scriptKey struct {
	service Service
	key     string // empty for all requests
}

type queue struct {
	script Script
	next   int // index of the step
	taken  int // requests that it had
}

func newScripts() *scripts {
	return &scripts{queues: map[scriptKey]*queue{}}
}

func (s *scripts) play(script Script) error {
	key := scriptKey{script.Service, script.Key}
	script.Steps = slices.Clone(script.Steps)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, key)
	if len(script.Steps) == 0 {
		return nil
	}
	if len(s.queues) == maxScripts {
		return fmt.Errorf("%d scripts are waiting; a platform holds no more", maxScripts)
	}
	s.queues[key] = &queue{script: script}
	return nil
}

// take gives the step for a request: the head of the key's queue, else of the
// service's.
func (s *scripts) take(service Service, key string) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range []scriptKey{{service, key}, {service, ""}} {
		q := s.queues[k]
		if q == nil {
			continue
		}
		step, over := q.advance()
		if over {
			delete(s.queues, k)
		}
		return step, true
	}
	return Step{}, false
}

// advance gives the present step and moves on; over when none is left.
func (q *queue) advance() (step Step, over bool) {
	step = q.script.Steps[q.next]
	if step.Every {
		return step, false
	}
	q.taken++
	if q.taken < max(1, step.Times) {
		return step, false
	}
	q.taken = 0
	q.next++
	if q.next < len(q.script.Steps) {
		return step, false
	}
	q.next = 0
	return step, !q.script.Repeat
}

// waiting is the number of scripts that still have steps.
func (s *scripts) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queues)
}

func (s *scripts) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.queues)
}
