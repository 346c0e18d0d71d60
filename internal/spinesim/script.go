package spinesim

import (
	"cmp"
	"fmt"
	"sync"
	"time"
)

// Step is one behaviour for one or more calls.
type Step struct {
	Behaviour Behaviour

	// Times is the number of calls, 1 if zero. Every is for all calls from here
	// on.
	Times int
	Every bool

	// Delay is waited before the reply; for slow-drip it is the pause between
	// two pieces, and for the stalls their length. Zero has the behaviour's own.
	Delay time.Duration

	// Immediate is the answer on the connection of an ebXML request, if the behaviour
	// leaves one to be chosen; empty for the configured one.
	Immediate Immediate

	// Chaos is done to the posted reply instead of what Config.Chaos would do; empty for
	// that. A behaviour that posts in a way of its own is left alone.
	Chaos Disturbance
}

// Script is a queue of steps: each call takes the next. A call for which
// nothing is left meets the behaviour bound to its number, else [AsStored].
type Script struct {
	// NHSNumber restricts the script to calls about that number; such a script
	// comes before one for all calls. Empty for all calls.
	NHSNumber string

	Steps  []Step
	Repeat bool // begin again when all steps were taken
}

// maxScripts is how many scripts wait at a time, one for each number.
const maxScripts = 10_000

// Play replaces the script for the same number, or for all calls. A script
// without steps clears it. It returns an error for an unknown behaviour or
// immediate answer or chaos, a negative count, a behaviour that strikes before the number is known in a
// script for one number, or more than 10,000 scripts.
func (s *Simulator) Play(script Script) error {
	return s.scripts.play(script)
}

// scripts are the queues, by number; "" for all calls. Safe for concurrent use.
type scripts struct {
	known map[Behaviour]behaviour

	mu     sync.Mutex
	queues map[string]*queue
}

type queue struct {
	script Script
	next   int // index of the step
	taken  int // calls that it had
}

func newScripts(known map[Behaviour]behaviour) *scripts {
	return &scripts{known: known, queues: map[string]*queue{}}
}

func (s *scripts) play(script Script) error {
	for _, step := range script.Steps {
		b, known := s.known[step.Behaviour]
		switch {
		case !known:
			return fmt.Errorf("there is no behaviour %q", step.Behaviour)
		case step.Times < 0 || step.Delay < 0:
			return fmt.Errorf("the step %s has a negative number of calls or delay", step.Behaviour)
		case script.NHSNumber != "" && b.stage != stageReply:
			return fmt.Errorf("the behaviour %s strikes before the NHS number is known and cannot be scripted for one number", step.Behaviour)
		}
		err := cmp.Or(step.Immediate.validate(), step.Chaos.validate())
		if err != nil {
			return err
		}
	}
	script.Steps = append([]Step(nil), script.Steps...)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, script.NHSNumber)
	if len(script.Steps) == 0 {
		return nil
	}
	if len(s.queues) == maxScripts {
		return fmt.Errorf("%d scripts are waiting; a simulator holds no more", maxScripts)
	}
	s.queues[script.NHSNumber] = &queue{script: script}
	return nil
}

// take gives the step for a call that has reached the stage: the head of the
// number's queue, else of the general one, if it strikes at that stage.
func (s *scripts) take(stage, number string) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number != "" {
		step, found := s.takeFrom(number, stage)
		if found {
			return step, true
		}
	}
	return s.takeFrom("", stage)
}

func (s *scripts) takeFrom(key, stage string) (Step, bool) {
	q := s.queues[key]
	if q == nil {
		return Step{}, false
	}
	step := q.script.Steps[q.next]
	if s.known[step.Behaviour].stage != stage {
		return Step{}, false
	}
	if step.Every {
		return step, true
	}
	q.taken++
	if q.taken < max(1, step.Times) {
		return step, true
	}
	q.taken = 0
	q.next++
	if q.next == len(q.script.Steps) {
		q.next = 0
		if !q.script.Repeat {
			delete(s.queues, key)
		}
	}
	return step, true
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
