package spine_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine"
)

func hex(n int) string { return strconv.FormatInt(int64(n), 16) }

// WRD-SPN-07, WRD-SPN-17: a connection that the Spine has closed, or on which it has
// said something unasked, carries no further question. The next one is asked once,
// on a new connection, and gets its own answer.
func TestSpoiltConnectionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	cases := map[string]func(v *visit, id string){
		"closed in order": func(v *visit, id string) { v.write(reply(notFound(id))); v.tls.Close() },
		"cut":             func(v *visit, id string) { v.write(reply(notFound(id))); v.raw.Close() },
		"reset":           func(v *visit, id string) { v.write(reply(notFound(id))); v.raw.SetLinger(0); v.raw.Close() },
		"one more byte":   func(v *visit, id string) { v.write(reply(notFound(id))); v.write("H") },
		"second answer in the same record": func(v *visit, id string) {
			v.write(reply(notFound(id)) + reply(notFound("")))
		},
		"second answer in the next record": func(v *visit, id string) {
			v.write(reply(notFound(id)), reply(notFound("")))
		},
		// Both records come in one piece, so that the TLS layer has read the second
		// one although nobody asked for it.
		"second answer in the same segment": func(v *visit, id string) {
			v.together(reply(notFound(id)), reply(notFound("")))
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spoilt := make(chan struct{})
			p := newPeer(t, func(v *visit) {
				if v.n > 1 {
					v.answers()
					return
				}
				spoil(v, v.read())
				close(spoilt)
				v.gone()
			})
			c := p.client(t, nil)
			want(t, ask(t, c), noRecord)
			<-spoilt
			want(t, ask(t, c), noRecord)
			accepted, _, ids := p.seen()
			if accepted != 2 || len(ids) != 2 {
				t.Errorf("%d connections and %d questions, want 2 and 2", accepted, len(ids))
			}
		})
	}
}

// WRD-OPS-19: no more connections than allowed, and each of them is used again.
func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, func(c *spine.Config) { c.MaxConnections = 3 })
	var all sync.WaitGroup
	for range 24 {
		all.Go(func() { want(t, ask(t, c), noRecord) })
	}
	all.Wait()
	accepted, most, ids := p.seen()
	if most > 3 || accepted > 3 || len(ids) != 24 {
		t.Errorf("%d connections, %d at a time, for %d questions; want at most 3 for 24", accepted, most, len(ids))
	}
}

// A question that finds no free connection in time was not sent.
func TestNoFreeConnectionIsNotSent(t *testing.T) {
	t.Parallel()
	read, finish := make(chan struct{}), make(chan struct{})
	p := newPeer(t, func(v *visit) {
		id := v.read()
		close(read)
		<-finish
		v.write(reply(notFound(id)))
		v.answers()
	})
	c := p.client(t, func(c *spine.Config) {
		c.MaxConnections, c.ConnectTimeout, c.FirstByteTimeout = 1, short, patience
	})
	var first sync.WaitGroup
	first.Go(func() { want(t, ask(t, c), noRecord) })
	<-read
	want(t, ask(t, c), asked{cpis.NotSent, cpis.NotifiedNo, "no connection to the Spine was free in time", 1})
	close(finish)
	first.Wait()
	want(t, ask(t, c), noRecord)
	accepted, _, ids := p.seen()
	if accepted != 1 || len(ids) != 2 {
		t.Errorf("%d connections and %d questions, want 1 and 2", accepted, len(ids))
	}
}

// An idle connection older than its limit is replaced before a question is sent.
func TestIdleLimit(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, func(c *spine.Config) { c.IdleTimeout = time.Nanosecond })
	want(t, ask(t, c), noRecord)
	want(t, ask(t, c), noRecord)
	accepted, most, _ := p.seen()
	if accepted != 2 || most > 2 {
		t.Errorf("%d connections, want 2", accepted)
	}
}

// An idle connection is closed at its limit although nobody asks any more.
func TestIdleConnectionEnds(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	p := newPeer(t, func(v *visit) { v.answers(); close(ended) })
	c := p.client(t, func(c *spine.Config) { c.IdleTimeout = 50 * time.Millisecond })
	want(t, ask(t, c), noRecord)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("an idle connection stays open beyond its limit")
	}
}

// routes are where a directory sends questions.
type routes func() spine.Route

func (r routes) Route(context.Context) (spine.Route, error) { return r(), nil }

// WRD-SPN-05: when the directory names another address, connections to the old one are
// closed with the next question, and none of them carries it.
func TestConnectionsToAnOldAddressEnd(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	before := newPeer(t, func(v *visit) { v.answers(); close(ended) })
	after := newPeer(t, (*visit).answers)
	route := before.route()
	c := before.client(t, func(c *spine.Config) { c.Routes = routes(func() spine.Route { return spine.Route(route) }) })
	want(t, ask(t, c), noRecord)
	route = after.route()
	want(t, ask(t, c), noRecord)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a connection to the old address stays open")
	}
	_, _, old := before.seen()
	_, _, present := after.seen()
	if len(old) != 1 || len(present) != 1 {
		t.Errorf("%d questions at the old address and %d at the present one, want 1 and 1", len(old), len(present))
	}
}

// A connection outlives the time that its last question had.
func TestConnectionOutlivesItsQuestion(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	answer, _ := c.Ask(ctx, correlation, question(t), []string{newID()})
	if answer.Outcome() != cpis.NoRecord {
		t.Fatal(answer.Outcome())
	}
	<-ctx.Done()
	want(t, ask(t, c), noRecord)
	accepted, _, _ := p.seen()
	if accepted != 1 {
		t.Errorf("%d connections, want 1", accepted)
	}
}

// Close lets the idle connections go; a question under way is not disturbed and
// its connection is not kept.
func TestCloseLetsGo(t *testing.T) {
	t.Parallel()
	read, finish := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	p := newPeer(t, func(v *visit) {
		defer close(ended)
		id := v.read()
		close(read)
		<-finish
		v.write(reply(notFound(id)))
		v.gone()
	})
	c := p.client(t, nil)
	var first sync.WaitGroup
	first.Go(func() { want(t, ask(t, c), noRecord) })
	<-read
	c.Close()
	close(finish)
	first.Wait()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection was kept although the client was closed")
	}
}

// WRD-OPS-08: reachability is a TLS handshake and nothing else.
func TestReachableAsksNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) {
		n, _ := v.tls.Read(make([]byte, 1))
		if n > 0 {
			t.Error("a byte was sent")
		}
	})
	c := p.client(t, nil)
	err := c.Reachable(t.Context())
	if err != nil {
		t.Error(err)
	}
	p.listener.Close()
	err = c.Reachable(t.Context())
	if err == nil {
		t.Error("reachable although nobody listens")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = c.Reachable(ctx)
	if err == nil {
		t.Error("reachable without time")
	}
}
