package spine_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

var turnedAway = asked{cpis.NotSent, cpis.NotifiedNo, "the circuit to the Spine is open", 0}

// await waits until something holds that will hold soon.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// WRD-OPS-17, H-03, H-50: a Spine that does not answer is asked no more, is probed by
// handshakes alone, and is asked again one question at a time.
func TestCircuit(t *testing.T) {
	t.Parallel()
	const failures = 3
	var handshakes atomic.Int64
	well, release := make(chan struct{}), make(chan struct{})
	heal := sync.OnceFunc(func() { close(well) })
	defer heal()
	p := newPeer(t, func(v *visit) {
		if v.n > failures {
			<-well // no probe succeeds before
		}
		if v.tls.Handshake() != nil {
			return
		}
		handshakes.Add(1)
		id := v.read()
		if id == "" || v.n <= failures {
			return // closed without an answer
		}
		<-release
		v.write(reply(notFound(id)))
		v.answers()
	})
	var changes atomic.Int64
	c := p.client(t, func(c *spine.Config) {
		c.BreakerFailures, c.BreakerPause = failures, 20*time.Millisecond
		c.OnCircuit = func(circuit.State) { changes.Add(1) }
	})
	for range failures {
		if got := ask(t, c); got.Outcome != cpis.SentNoAnswer {
			t.Fatalf("%+v", got)
		}
	}
	began := time.Now()
	for range 100 {
		want(t, ask(t, c), turnedAway)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a hundred questions were turned away in %v", took)
	}
	heal()
	await(t, "the probe succeeds", func() bool { return c.Load().Circuit == circuit.HalfOpen })
	await(t, "the Spine has seen the probe", func() bool { return handshakes.Load() > failures })
	_, _, ids := p.seen()
	if len(ids) != failures || handshakes.Load() != failures+1 {
		t.Errorf("%d questions and %d handshakes reached the Spine, want 3 and 4", len(ids), handshakes.Load())
	}
	var first sync.WaitGroup
	first.Go(func() { want(t, ask(t, c), noRecord) })
	await(t, "the first question is under way", func() bool { _, _, ids := p.seen(); return len(ids) == 4 })
	want(t, ask(t, c), turnedAway)
	close(release)
	first.Wait()
	want(t, ask(t, c), noRecord)
	if c.Load().Circuit != circuit.Closed || changes.Load() != 3 {
		t.Errorf("the circuit is %s after %d changes, want closed after 3", c.Load().Circuit, changes.Load())
	}
}

// WRD-OPS-17: a Spine that cannot be reached opens the circuit too, and stays alone
// until a handshake succeeds.
func TestCircuitWithoutConnection(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) { v.raw.SetLinger(0) })
	c := p.client(t, func(c *spine.Config) { c.BreakerFailures, c.BreakerPause = 2, 20*time.Millisecond })
	for range 2 {
		want(t, ask(t, c), asked{cpis.NotSent, cpis.NotifiedNo, "the Spine could not be connected to", 2})
	}
	await(t, "five probes", func() bool { accepted, _, _ := p.seen(); return accepted >= 4+5 })
	want(t, ask(t, c), turnedAway)
}

// WRD-OPS-17: that Ward itself has no connection or no time left says nothing about the
// Spine.
func TestOwnLimitsDoNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, func(v *visit) {
		id := v.read()
		<-release
		v.write(reply(notFound(id)))
	})
	c := p.client(t, func(c *spine.Config) {
		c.MaxConnections, c.ConnectTimeout, c.BreakerFailures, c.BreakerPause = 1, short, 1, time.Hour
	})
	var first sync.WaitGroup
	first.Go(func() { want(t, ask(t, c), noRecord) })
	await(t, "the first question is under way", func() bool { _, _, ids := p.seen(); return len(ids) == 1 })
	want(t, ask(t, c), asked{cpis.NotSent, cpis.NotifiedNo, "no connection to the Spine was free in time", 1})
	want(t, askWithin(t, c, time.Nanosecond), asked{cpis.NotSent, cpis.NotifiedNo, "no time was left for a connection to the Spine", 1})
	if c.Load() != (spine.Load{Connections: 1}) {
		t.Errorf("%+v", c.Load())
	}
	close(release)
	first.Wait()
}

// WRD-OPS-19: there are as many places as connections and questions that may wait, and
// one that was left is free again, once.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, func(c *spine.Config) { c.MaxConnections, c.Waiting = 2, 3 })
	var leave []func()
	for range 5 {
		l, ok := c.Place()
		if !ok {
			t.Fatalf("no place after %d", len(leave))
		}
		leave = append(leave, l)
	}
	_, ok := c.Place()
	if ok || c.Load().Places != 5 {
		t.Errorf("a sixth place; %+v", c.Load())
	}
	leave[0]()
	leave[0]()
	_, ok = c.Place()
	if !ok {
		t.Error("a place that was left is not free")
	}
	_, ok = c.Place()
	if ok {
		t.Error("a place that was left twice is free twice")
	}
}
