package spine_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine"
)

// short is a limit that a test waits for, and within which it connects.
const short = 3 * time.Second

var (
	noRecord = asked{cpis.NoRecord, cpis.NotifiedNo, "the Spine found no match", 1}
)

func want(t *testing.T, got, wanted asked) {
	t.Helper()
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

// WRD-RC-06, WRD-SPN-07: before the first byte of the question a second attempt is
// made, and what then remains is "not sent".
func TestFailureBeforeTheQuestionIsNotSent(t *testing.T) {
	t.Parallel()
	const connect = "the Spine could not be connected to"
	cases := map[string]struct {
		serve  func(*visit)
		change func(*spine.Config)
		reason string
	}{
		"reset on accept":  {serve: func(v *visit) { v.raw.SetLinger(0) }, reason: connect},
		"closed on accept": {serve: func(*visit) {}, reason: connect},
		"stall on accept": {
			serve:  (*visit).gone,
			change: func(c *spine.Config) { c.ConnectTimeout = 50 * time.Millisecond },
			reason: connect + " in time",
		},
		"TLS 1.1": {
			serve: func(v *visit) {
				old := serverTLS()
				old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				v.tls = tls.Server(v.raw, old)
				v.tls.Handshake()
			},
			reason: connect,
		},
		"another name": {serve: (*visit).answers, change: func(c *spine.Config) { c.TLS.ServerName = "elsewhere.test" },
			reason: "the Spine was not trusted: the certificate has another name"},
		"another authority": {
			serve:  (*visit).answers,
			change: func(c *spine.Config) { c.TLS.RootCAs = nil },
			reason: "the Spine was not trusted: the certificate is of no known authority",
		},
		"our certificate refused": {
			serve: (*visit).answers, change: func(c *spine.Config) { c.TLS.Certificates = nil }, reason: connect,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, c.serve)
			got := ask(t, p.client(t, c.change))
			want(t, got, asked{cpis.NotSent, cpis.NotifiedNo, c.reason, 2})
			accepted, _, ids := p.seen()
			stalled := c.change != nil && c.reason == connect+" in time" // given up, perhaps before it was accepted
			if accepted > 2 || accepted < 2 && !stalled || len(ids) != 0 {
				t.Errorf("%d connections and %d questions reached the Spine, want 2 and 0", accepted, len(ids))
			}
		})
	}
}

func TestRefusedPortIsNotSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, nil)
	p.listener.Close()
	want(t, ask(t, c), asked{cpis.NotSent, cpis.NotifiedNo, "the Spine could not be connected to", 2})
}

func TestNoTimeIsNotSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).answers)
	c := p.client(t, nil)
	ask(t, c) // leaves an idle connection
	got := askWithin(t, c, -time.Second)
	if got.Outcome != cpis.NotSent || got.Used != 1 {
		t.Errorf("asked without time left: %+v", got)
	}
	_, _, ids := p.seen()
	if len(ids) != 1 {
		t.Errorf("%d questions were read, want the first alone", len(ids))
	}
}

// A first attempt that fails before its first byte is followed by one with the
// next id, and by no third.
func TestSecondAttemptHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) {
		if v.n > 1 {
			v.answers()
		}
	})
	c := p.client(t, nil)
	ids := []string{newID(), newID(), newID()}
	answer, used := c.Ask(t.Context(), correlation, question(t), ids)
	if answer.Outcome() != cpis.NoRecord || used != 2 {
		t.Fatalf("got %s after %d attempts", answer.Outcome(), used)
	}
	_, _, seen := p.seen()
	if diff := cmp.Diff(ids[1:2], seen); diff != "" {
		t.Error(diff)
	}
}

// WRD-RC-07, D5: once a byte may have left, the outcome is not known, whatever
// happens, and nothing is sent again.
func TestFailureAfterTheQuestionIsNeverRepeated(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4000\r\n\r\n"
	cases := map[string]struct {
		then   func(*visit)
		change func(*spine.Config)
		reason string
	}{
		"closed":             {then: func(v *visit) { v.tls.Close() }, reason: "no response came"},
		"cut without notice": {then: func(v *visit) { v.raw.Close() }, reason: "no response came"},
		"reset":              {then: func(v *visit) { v.raw.SetLinger(0); v.raw.Close() }, reason: "no response came"},
		"silence": {
			then:   (*visit).gone,
			change: func(c *spine.Config) { c.FirstByteTimeout = 50 * time.Millisecond },
			reason: "no response came in time",
		},
		"half a status line":    {then: func(v *visit) { v.write("HTTP/1.1 2") }, reason: "the response header did not come whole"},
		"not HTTP":              {then: func(v *visit) { v.write("SSH-2.0-OpenSSH\r\n\r\n") }, reason: "the response header did not come whole"},
		"half a header":         {then: func(v *visit) { v.write("HTTP/1.1 200 OK\r\nContent-") }, reason: "the response header did not come whole"},
		"half a body":           {then: func(v *visit) { v.write(head, "<a>"); v.tls.Close() }, reason: "the response body did not come whole"},
		"half a body and reset": {then: func(v *visit) { v.write(head, "<a>"); v.raw.SetLinger(0) }, reason: "the response body did not come whole"},
		"half a chunk": {
			then: func(v *visit) {
				v.write("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<a>")
			},
			reason: "the response body did not come whole",
		},
		"switched protocols": {
			then: func(v *visit) {
				v.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
			},
			reason: "the response is not one to a question",
		},
		"continued for ever": {
			then: func(v *visit) {
				for range 1000 {
					v.write("HTTP/1.1 100 Continue\r\n\r\n")
				}
			},
			reason: "the response is not one to a question",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(v *visit) {
				if v.read() != "" {
					c.then(v)
				}
			})
			want(t, ask(t, p.client(t, c.change)), asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, c.reason, 1})
			await(t, "the question is read", func() bool { _, _, ids := p.seen(); return len(ids) > 0 })
			accepted, _, ids := p.seen()
			if accepted != 1 || len(ids) != 1 {
				t.Errorf("%d connections and %d questions reached the Spine, want 1 and 1", accepted, len(ids))
			}
		})
	}
}

// Over TLS 1.3 the Spine judges our certificate after we have sent the question. It
// cannot be told whether it was read, so that it counts as sent.
func TestCertificateRefusedOverTLS13CountsAsSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) {
		newer := serverTLS()
		newer.MinVersion, newer.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
		newer.ClientCAs = x509.NewCertPool()
		v.tls = tls.Server(v.raw, newer)
		v.answers()
		v.gone() // a connection that is reset before the question leaves would be another case
	})
	got := ask(t, p.client(t, nil))
	if got.Outcome != cpis.SentNoAnswer || got.Notified != cpis.NotifiedMaybe || got.Used != 1 {
		t.Errorf("%+v", got)
	}
	accepted, _, ids := p.seen()
	if accepted != 1 || len(ids) != 0 {
		t.Errorf("%d connections and %d questions reached the Spine, want 1 and 0", accepted, len(ids))
	}
}

// A reply that never ends is cut off at the limits of size and time
// (WRD-SEC-01, WRD-SPN-18).
func TestRepliesAreBounded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		begin, again string
		every        time.Duration
		within       time.Duration
		want         asked
	}{
		"endless header": {
			begin: "HTTP/1.1 200 OK\r\n", again: "X-Filler: 0123456789012345678901234567890123456789\r\n",
			want: asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, "the response header did not come whole", 1},
		},
		"endless header line": {
			begin: "HTTP/1.1 200 OK\r\nX: ", again: "0123456789012345678901234567890123456789",
			want: asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, "the response header did not come whole", 1},
		},
		"endless informational header": {
			begin: "HTTP/1.1 103 Early Hints\r\n", again: "Link: </0123456789012345678901234567890123456789>\r\n",
			want: asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, "the response header did not come whole", 1},
		},
		"endless body": {
			begin: "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n", again: "<a>0123456789012345678901234567890123456789</a>",
			want: asked{cpis.ResponseInvalid, cpis.NotifiedMaybe, "the reply is larger than allowed", 1},
		},
		"endless chunks": {
			begin: "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n", again: "2c\r\n<a>0123456789012345678901234567890123456</a>\r\n",
			want: asked{cpis.ResponseInvalid, cpis.NotifiedMaybe, "the reply is larger than allowed", 1},
		},
		"promised to be huge": {
			begin: "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 9000000000000000000\r\n\r\n", again: "<a>0123456789</a>",
			want: asked{cpis.ResponseInvalid, cpis.NotifiedMaybe, "the reply is larger than allowed", 1},
		},
		"body drop by drop": {
			begin: "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4000\r\n\r\n", again: "<", every: 20 * time.Millisecond, within: short,
			want: asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, "the response body did not come whole within the budget of the request", 1},
		},
		"header drop by drop": {
			begin: "HTTP/1.1 200 OK\r\n", again: "X", every: 20 * time.Millisecond, within: short,
			want: asked{cpis.SentNoAnswer, cpis.NotifiedMaybe, "the response header did not come whole within the budget of the request", 1},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(v *visit) {
				v.read()
				v.write(c.begin)
				for {
					_, err := v.tls.Write([]byte(c.again))
					if err != nil {
						return
					}
					time.Sleep(c.every)
				}
			})
			within := patience
			if c.within > 0 {
				within = c.within
			}
			want(t, askWithin(t, p.client(t, nil), within), c.want)
		})
	}
}

// What is unusual but clear is accepted.
func TestUnusualFramingOfAnAnswer(t *testing.T) {
	t.Parallel()
	body := notFound("")
	cases := map[string]struct {
		response string
		reused   bool
	}{
		"after 100 Continue": {"HTTP/1.1 100 Continue\r\n\r\n" + reply(body), true},
		"in chunks":          {"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + body[:5] + "\r\n" + hex(len(body)-5) + "\r\n" + body[5:] + "\r\n0\r\n\r\n", true},
		"to be closed":       {"HTTP/1.1 200 OK\r\nConnection: close\r\n" + reply(body)[len("HTTP/1.1 200 OK\r\n"):], false},
		"HTTP/1.0":           {"HTTP/1.0 200 OK\r\n" + reply(body)[len("HTTP/1.1 200 OK\r\n"):], false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(v *visit) {
				for v.read() != "" {
					v.write(c.response)
				}
			})
			asker := p.client(t, nil)
			want(t, ask(t, asker), noRecord)
			want(t, ask(t, asker), noRecord)
			accepted, _, _ := p.seen()
			if reused := accepted == 1; reused != c.reused {
				t.Errorf("connection reused: %t, want %t", reused, c.reused)
			}
		})
	}
}
