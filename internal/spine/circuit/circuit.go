// Package circuit keeps questions from a Spine that does not answer: after several
// failures in a row every further question is turned away at once, until the Spine can
// be reached again (WRD-OPS-17, H-50).
//
// What finds out whether it can is a TLS handshake and never a question, since a
// question is a notification (H-03). A handshake alone closes nothing: real questions
// are then let through one at a time, and the first that is answered closes the
// circuit.
package circuit

import (
	"context"
	"sync"
	"time"
)

// State is what a circuit does with questions.
type State uint8

const (
	// Closed lets every question through.
	Closed State = iota
	// Open turns every question away.
	Open
	// HalfOpen lets one question through at a time.
	HalfOpen
)

// String returns "closed", "open" or "half_open".
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	default:
		return "closed"
	}
}

// States are all there are.
func States() []State { return []State{Closed, Open, HalfOpen} }

// Result is what a question says about the Spine.
type Result uint8

const (
	// Neither says nothing: the question did not come so far as to try.
	Neither Result = iota
	// Answered means that the Spine answered, whatever it said.
	Answered
	// Failed means that the question could not be sent or brought no answer.
	Failed
)

// Config says when a circuit opens and how it finds out whether to close.
type Config struct {
	Failures int           // in a row, after which it opens; none ever opens it if 0
	Pause    time.Duration // from opening to the first probe, and between probes
	// Probe reports whether the Spine can be reached. It asks nothing and ends soon
	// after ctx does.
	Probe func(ctx context.Context) error
	// OnChange hears of every change, in order. It must not call the Breaker. May be nil.
	OnChange func(State)
}

// Breaker is the circuit to one endpoint. It is safe for concurrent use.
type Breaker struct {
	config Config
	ctx    context.Context // of probes
	cancel context.CancelFunc
	probes sync.WaitGroup

	mu       sync.Mutex
	state    State
	changes  int // how often the state changed: what began before the last change counts no more
	failures int // in a row
	trying   bool
	closed   bool
}

// New returns a closed circuit. Close must follow.
func New(config Config) *Breaker {
	ctx, cancel := context.WithCancel(context.Background())
	return &Breaker{config: config, ctx: ctx, cancel: cancel}
}

// Allow reports whether a question may be asked. If so, done must be called with what
// came of it.
func (b *Breaker) Allow() (done func(Result), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open || b.state == HalfOpen && b.trying {
		return nil, false
	}
	b.trying = b.state == HalfOpen
	began := b.changes
	return func(r Result) { b.end(began, r) }, true
}

// State is what the circuit does with questions now.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Close ends the probes. The circuit stays as it is.
func (b *Breaker) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.probes.Wait()
}

// end counts what came of a question that was let through.
func (b *Breaker) end(began int, r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if began != b.changes {
		return
	}
	b.trying = false
	switch {
	case r == Answered:
		b.failures = 0
		if b.state == HalfOpen {
			b.change(Closed)
		}
	case r == Failed:
		b.failures++
		if b.state == HalfOpen || b.failures == b.config.Failures {
			b.open()
		}
	}
}

// open turns questions away, and lets probes find out when to try again.
func (b *Breaker) open() {
	b.change(Open)
	if !b.closed {
		b.probes.Go(b.probe)
	}
}

// probe tries after each pause whether the Spine can be reached, until it can.
func (b *Breaker) probe() {
	pause := time.NewTicker(b.config.Pause)
	defer pause.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-pause.C:
		}
		err := b.config.Probe(b.ctx)
		if err == nil {
			b.mu.Lock()
			b.change(HalfOpen)
			b.mu.Unlock()
			return
		}
	}
}

func (b *Breaker) change(to State) {
	b.state, b.failures, b.trying = to, 0, false
	b.changes++
	if b.config.OnChange != nil {
		b.config.OnChange(to)
	}
}
