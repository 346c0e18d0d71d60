package endtoend_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// turnedAway reads a 503 and holds it against WRD-RC-16 and the audit log.
func (w *ward) turnedAway(t *testing.T, c *conn, reason string) {
	t.Helper()
	a := c.read(t)
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || !a.Close || !c.ends(t) {
		t.Errorf("status %d, Retry-After %q, closing %t", a.StatusCode, a.Header.Get("Retry-After"), a.Close)
	}
	if !strings.Contains(a.body, "Nothing was asked") || !strings.Contains(a.body, "new message id") {
		t.Errorf("the client is told %q", a.body)
	}
	entries := w.transaction(t, a.Header.Get("X-Correlation-Id"))
	if len(entries) != 1 || entries[0].Kind != audit.Refused || entries[0].Code != "HTTP 503" || entries[0].Reason != reason || entries[0].Notified != "no" {
		t.Errorf("audit entries %+v", entries)
	}
}

// WRD-RC-16, WRD-SAF-18: a request over the rate is turned away openly, before its
// body is read.
func TestOverTheRate(t *testing.T) {
	t.Parallel()
	const few = "per_second = 0.001\nburst = 2\n"
	cases := map[string]struct{ old, reason string }{
		"of the client":      {"asid = \"" + stage.ClientASID + "\"\nper_second = 100000\nburst = 100000\n", "over the client's rate"},
		"of all the clients": {"[limits]\nper_second = 100000\nburst = 100000\n", "over the rate of all clients"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := set(t, stage.Options{})
			w.configure(t, c.old, strings.Replace(c.old, "per_second = 100000\nburst = 100000\n", few, 1))
			w.start(t)
			asker := w.client(t)
			for range 2 {
				r := w.ask(t, asker, withPlan)
				if r.Answer.Outcome() != cpis.Found {
					t.Fatal(r.Cause)
				}
			}
			client := w.dial(t, w.tls)
			client.send(t, post(4000))
			w.turnedAway(t, client, c.reason)
			r := w.ask(t, asker, withPlan)
			if r.Answer.Outcome() != cpis.Overloaded || r.Answer.Notified() != cpis.NotifiedNo {
				t.Errorf("the SDK says %s", r.Answer.Outcome())
			}
			if n := w.Simulator.Counters().RequestsRead; n != 2 {
				t.Errorf("%d questions reached the Spine, want 2", n)
			}
		})
	}
}

func TestTooManyUnderWay(t *testing.T) {
	t.Parallel()
	w, letGo := startHeld(t, stage.Options{Limits: "questions = 1"})
	first := w.dial(t, w.tls)
	first.send(t, whole(w.message(t, withPlan)))
	await(t, "the first question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
	second := w.dial(t, w.tls)
	second.send(t, post(4000))
	w.turnedAway(t, second, "too many questions under way")
	letGo()
	if a := first.read(t); a.StatusCode != http.StatusOK {
		t.Errorf("the first question: status %d", a.StatusCode)
	}
	if n := w.Simulator.Counters().RequestsRead; n != 1 {
		t.Errorf("%d questions reached the Spine, want 1", n)
	}
}

// WRD-OPS-19: a connection too many waits until another one ends.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Limits: "connections = 2"})
	first, second := w.dial(t, w.tls), w.dial(t, w.tls)
	third := make(chan error, 1)
	go func() {
		c, err := w.tryDial(w.tls)
		if err == nil {
			defer c.Close()
		}
		third <- err
	}()
	// The two that are open are served meanwhile.
	for _, c := range []*conn{first, second} {
		c.send(t, whole(w.message(t, withPlan)))
		if a := c.read(t); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d", a.StatusCode)
		}
	}
	select {
	case err := <-third:
		t.Fatalf("a third connection was served: %v", err)
	default:
	}
	first.Close()
	err := <-third
	if err != nil {
		t.Errorf("no connection after one ended: %v", err)
	}
}

// WRD-SEC-06, WRD-SEC-01: bodies that are slow, too long or broken off.
func TestBodiesThatAreNotTaken(t *testing.T) {
	t.Parallel()
	// What is to come in time has all the time, and what is to be too slow soon is.
	patiently := start(t, stage.Options{Limits: "body_timeout = \"1m\"\nbody = 16384"})
	soon := start(t, stage.Options{Limits: "body_timeout = \"300ms\"\nbody = 16384"})
	chunked := head("POST /smsp/cpis HTTP/1.1", "Content-Type: text/xml", "Transfer-Encoding: chunked")
	chunk := "400\r\n" + strings.Repeat("<", 1024) + "\r\n"
	cases := map[string]struct {
		text   string
		status int
	}{
		"nothing of it":              {post(4000), 408},
		"a part of it":               {post(4000) + "<soap", 408},
		"a part of it in chunks":     {chunked + "4\r\n<soa\r\n", 408},
		"chunked and too long":       {chunked + strings.Repeat(chunk, 17), 413},
		"a chunk that is no chunk":   {chunked + "xyz\r\n", 400},
		"too long by one":            {post(16385), 413},
		"as long as allowed, no XML": {post(16384) + strings.Repeat("<", 16384), 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := patiently
			if c.status == http.StatusRequestTimeout {
				w = soon
			}
			client := w.dial(t, w.tls)
			client.send(t, c.text)
			a := client.read(t)
			if a.StatusCode != c.status {
				t.Errorf("status %d, want %d", a.StatusCode, c.status)
			}
			if c.status != 500 && (!a.Close || !client.ends(t)) {
				t.Error("the connection was not closed")
			}
			entries := w.transaction(t, a.Header.Get("X-Correlation-Id"))
			if len(entries) != 1 || entries[0].Kind != audit.Refused || entries[0].Notified != "no" {
				t.Errorf("audit entries %+v", entries)
			}
		})
	}
	patiently.nothingAsked(t)
	soon.nothingAsked(t)
}

// WRD-SEC-06: a connection that does not get as far as a request is cut off.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Limits: `header_timeout = "300ms"`})
	begun := map[string]string{
		"nothing":          "",
		"part of a line":   "POST /smsp/cpis HTTP/1.1\r\nHost: smsp.example.invalid\r\nContent-",
		"part of a header": "POST /smsp/cpis HTTP/1.1\r\nHost: smsp.example.invalid\r\n",
	}
	for name, text := range begun {
		t.Run(name, func(t *testing.T) {
			var c *conn
			await(t, "a handshake within that time", func() bool {
				var err error
				c, err = w.tryDial(w.tls)
				return err == nil
			})
			defer c.Close()
			io.WriteString(c, text)                 // it may be cut off by now
			_, err := io.Copy(io.Discard, c.reader) // perhaps a 400
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("a header that never ends was waited for")
			}
		})
	}
	w.nothingAsked(t)
}

// WRD-SEC-01, WRD-SEC-05: headers that are too long, or whose lengths contradict
// each other, are not taken and end the connection.
func TestBrokenHeaders(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	cases := map[string]struct {
		text   string
		status int
	}{
		"too long":            {head("POST /smsp/cpis HTTP/1.1", "X-Filler: "+strings.Repeat("x", 32<<10)), 431},
		"two lengths":         {head("POST /smsp/cpis HTTP/1.1", "Content-Type: text/xml", "Content-Length: 5", "Content-Length: 6"), 400},
		"a negative length":   {head("POST /smsp/cpis HTTP/1.1", "Content-Type: text/xml", "Content-Length: -1"), 400},
		"an unknown coding":   {head("POST /smsp/cpis HTTP/1.1", "Content-Type: text/xml", "Transfer-Encoding: gzip, chunked"), 501},
		"a space in a name":   {head("POST /smsp/cpis HTTP/1.1", "Content-Length : 5"), 400},
		"no Host":             {"POST /smsp/cpis HTTP/1.1\r\n\r\n", 400},
		"not HTTP":            {"<?xml version=\"1.0\"?>\r\n\r\n", 400},
		"another expectation": {post(9, "Expect: a-miracle") + "<miracle>", 417},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := w.dial(t, w.tls)
			client.send(t, c.text)
			a := client.read(t)
			if a.StatusCode != c.status || !client.ends(t) {
				t.Errorf("status %d, want %d, and the end of the connection", a.StatusCode, c.status)
			}
		})
	}
	w.nothingAsked(t)
}

// L16: HTTP as clients speak it.
func TestWaysOfAsking(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	inChunks := func(message []byte) string {
		return head("POST /smsp/cpis HTTP/1.1", "Content-Type: application/xml; charset=ISO-8859-1", "Transfer-Encoding: chunked", "Accept-Encoding: gzip") +
			"1\r\n" + string(message[:1]) + "\r\n" + strconv.FormatInt(int64(len(message)-1), 16) + "\r\n" + string(message[1:]) + "\r\n0\r\n\r\n"
	}
	cases := map[string]struct {
		write func(message []byte) string
		close bool
	}{
		"keep-alive": {write: whole},
		"chunked":    {close: true, write: inChunks}, // WRD-SEC-05
		"HTTP/1.1, to be closed": {close: true, write: func(m []byte) string {
			return post(len(m), "Connection: close") + string(m)
		}},
		"HTTP/1.0": {close: true, write: func(m []byte) string {
			return head("POST /smsp/cpis HTTP/1.0", "Content-Type: text/xml", "Content-Length: "+strconv.Itoa(len(m))) + string(m)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := w.dial(t, w.tls)
			for range 2 {
				client.send(t, c.write(w.message(t, withPlan)))
				a := client.read(t)
				if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `code="SMSP-0000"`) {
					t.Fatalf("status %d", a.StatusCode)
				}
				if a.Header.Get("Content-Encoding") != "" || a.Header.Get("Content-Type") != "text/xml; charset=utf-8" ||
					a.ContentLength != int64(len(a.body)) || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("header %v", a.Header)
				}
				if c.close {
					if !client.ends(t) {
						t.Error("the connection was kept")
					}
					return
				}
			}
		})
	}
	// A body that waits for leave is given it once.
	client := w.dial(t, w.tls)
	message := w.message(t, withPlan)
	client.send(t, post(len(message), "Expect: 100-continue"))
	if a := client.read(t); a.StatusCode != http.StatusContinue {
		t.Fatalf("status %d, want 100", a.StatusCode)
	}
	client.send(t, string(message))
	if a := client.read(t); a.StatusCode != http.StatusOK {
		t.Errorf("status %d", a.StatusCode)
	}
}

// WRD-RC-17: requests that come without waiting for answers are answered in their
// order, each with its own.
func TestPipelinedQuestions(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Generate: 8})
	var children []spinesim.ChildView
	var all strings.Builder
	for _, child := range w.Children(0) {
		if strings.HasPrefix(child.Situation, "generated") {
			children = append(children, child)
			all.WriteString(whole(w.message(t, child.NHSNumber)))
		}
	}
	c := w.dial(t, w.tls)
	c.send(t, all.String())
	for _, child := range children {
		a := c.read(t)
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, child.Records[0].AuthorityCode) || !strings.Contains(a.body, child.NHSNumber) {
			t.Errorf("the answer about %s is another's: status %d", child.NHSNumber, a.StatusCode)
		}
	}
	if n := w.Simulator.Counters().RequestsRead; n != int64(len(children)) {
		t.Errorf("%d questions reached the Spine, want %d", n, len(children))
	}
}
