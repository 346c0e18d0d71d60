package client_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
)

// A connection that fails before the request was written has asked nothing; one
// that fails later may have.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	hijack := func(then func(net.Conn)) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				then(c)
				c.Close()
			}
		}
	}
	cases := map[string]struct {
		answer   func(http.ResponseWriter, string)
		change   func(*client.Config)
		outcome  cpis.Outcome
		notified cpis.Notified
		requests int64
	}{
		"closed without a word":  {hijack(func(net.Conn) {}), nil, cpis.ProviderNoAnswer, cpis.NotifiedMaybe, 1},
		"closed within a header": {hijack(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") }), nil, cpis.ProviderNoAnswer, cpis.NotifiedMaybe, 1},
		"closed within a body": {hijack(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n<a>") }), nil,
			cpis.ProviderNoAnswer, cpis.NotifiedMaybe, 1},
		"refusal cut short": {hijack(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 400\r\n\r\n<a>") }), nil,
			cpis.ProviderNoAnswer, cpis.NotifiedMaybe, 1},
		"nobody there":      {nil, func(c *client.Config) { c.URL = "https://127.0.0.1:1/smsp/cpis" }, cpis.ProviderUnreachable, cpis.NotifiedNo, 0},
		"another authority": {nil, func(c *client.Config) { c.TLS = &tls.Config{} }, cpis.ProviderUnreachable, cpis.NotifiedNo, 0},
		"another name":      {nil, func(c *client.Config) { c.TLS.ServerName = "elsewhere.test" }, cpis.ProviderUnreachable, cpis.NotifiedNo, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, c.answer)
			r := p.client(t, c.change).Ask(t.Context(), question(t))
			check(t, r, c.outcome, c.notified)
			if n := p.requests.Load(); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

// A question that was given up once it was sent may have been asked.
func TestNoAnswerInTime(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	p := newProvider(t, func(w http.ResponseWriter, _ string) {
		giveUp() // when the question is there for certain; Timeout can end before that
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	})
	r := p.client(t, nil).Ask(ctx, question(t))
	check(t, r, cpis.ProviderNoAnswer, cpis.NotifiedMaybe)
	if n := p.requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	r = p.client(t, func(c *client.Config) { c.Timeout = 200 * time.Millisecond }).Ask(t.Context(), question(t))
	if o := r.Answer.Outcome(); o == cpis.ProviderUnreachable {
		check(t, r, o, cpis.NotifiedNo) // a slow machine needs that long to connect
	} else {
		check(t, r, cpis.ProviderNoAnswer, cpis.NotifiedMaybe)
	}
}

// A message is sent once, whoever tries again and however often (WRD-SAF-04).
func TestMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, id string) {
		io.WriteString(w, reply(t, id, cpis.CodeNoRecord, nil, cpis.Findings{}))
	})
	c := p.client(t, nil)
	m, err := c.Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := p.requests.Load(); n != 0 {
		t.Errorf("%d requests before anything was sent", n)
	}
	var answered, refused atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch r := c.Send(t.Context(), m); r.Answer.Outcome() {
			case cpis.NoRecord:
				answered.Add(1)
			case cpis.RefusedDuplicate:
				refused.Add(1)
				check(t, r, cpis.RefusedDuplicate, cpis.NotifiedMaybe)
			}
		})
	}
	all.Wait()
	if answered.Load() != 1 || refused.Load() != 7 || p.requests.Load() != 1 {
		t.Errorf("%d answered, %d refused, %d requests; want 1, 7, 1", answered.Load(), refused.Load(), p.requests.Load())
	}
}

// A provider that closes its connections between two questions costs neither.
func TestIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, id string) {
		io.WriteString(w, reply(t, id, cpis.CodeNoRecord, nil, cpis.Findings{}))
	})
	c := p.client(t, nil)
	for i := range 3 {
		r := c.Ask(t.Context(), question(t))
		// The end of the connection may overtake the next question: then the outcome
		// is not known, and the question is not repeated.
		if o := r.Answer.Outcome(); o != cpis.NoRecord && (i == 0 || o != cpis.ProviderNoAnswer) {
			t.Errorf("question %d: %s, %v", i, o, r.Cause)
		}
		p.CloseClientConnections()
	}
	if n := p.requests.Load(); n > 3 {
		t.Errorf("%d requests for 3 questions", n)
	}
}
