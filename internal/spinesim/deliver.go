package spinesim

import (
	"crypto/tls"
	"errors"
	"io"
	"time"
)

// stallLimit is how long a stall lasts at most, unless its step says otherwise.
const stallLimit = time.Minute

// Ways of putting a reply on the wire. Each returns whether the connection may
// carry another request.

// delayed waits two seconds, or as long as the step says.
func delayed(c *conn, r response, step Step) bool {
	if !c.pause(orDefault(step.Delay, 2*time.Second)) {
		return false
	}
	return c.write(r, r.close)
}

// cutShort promises the whole body, sends half of it, and closes.
func cutShort(c *conn, r response, _ Step) bool {
	c.send(r.head(nil, true), r.body[:len(r.body)/2])
	return false
}

// stalledAfterHeaders sends the headers and then nothing.
func stalledAfterHeaders(c *conn, r response, step Step) bool {
	c.send(r.head(nil, true))
	c.hold(orDefault(step.Delay, stallLimit))
	return false
}

// stalledInBody sends half of the body and then nothing.
func stalledInBody(c *conn, r response, step Step) bool {
	c.send(r.head(nil, true), r.body[:len(r.body)/2])
	c.hold(orDefault(step.Delay, stallLimit))
	return false
}

// dripped sends 64 bytes every quarter of a second, or as often as the step says.
func dripped(c *conn, r response, step Step) bool {
	rest := append(r.head(nil, r.close), r.body...)
	for len(rest) > 0 {
		piece := rest[:min(64, len(rest))]
		rest = rest[len(piece):]
		c.raw.SetDeadline(time.Now().Add(writeTimeout))
		_, err := c.tls.Write(piece)
		if err != nil || !c.pause(orDefault(step.Delay, 250*time.Millisecond)) {
			return false
		}
	}
	return !r.close
}

// twice sends the reply and, unasked, the same again.
func twice(c *conn, r response, _ Step) bool {
	return c.write(r, false) && c.write(r, r.close)
}

// resetAfterRequest resets the connection instead of replying.
func resetAfterRequest(c *conn, _ response, step Step) bool {
	if c.pause(step.Delay) {
		c.reset()
	}
	return false
}

// closedSilently ends the connection in good order without a reply.
func closedSilently(c *conn, _ response, step Step) bool {
	c.pause(step.Delay)
	return false
}

// neverAnswered keeps the connection without a byte.
func neverAnswered(c *conn, _ response, step Step) bool {
	c.hold(orDefault(step.Delay, stallLimit))
	return false
}

func (c *conn) send(parts ...[]byte) {
	for _, p := range parts {
		_, err := c.tls.Write(p)
		if err != nil {
			return
		}
	}
}

func orDefault(d, standard time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return standard
}

// connectionFailures strike before a request was read.
func connectionFailures() []behaviour {
	const never, lost = "SMSP-0004", "CPIS-9999"
	return []behaviour{
		{
			BehaviourInfo: BehaviourInfo{Name: "accept-stall", Code: never, Summary: "the TCP connection is accepted, then nothing is read or written"},
			stage:         stageAccept,
			strike:        func(c *conn, step Step) { c.hold(orDefault(step.Delay, stallLimit)) },
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "accept-reset", Code: never, Summary: "the TCP connection is accepted and reset at once"},
			stage:         stageAccept,
			strike:        func(c *conn, _ Step) { c.reset() },
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "tls-handshake-failure", Code: never, Summary: "the TLS handshake ends with a fatal alert"},
			stage:         stageAccept,
			strike: func(c *conn, _ Step) {
				c.handshake(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
					return nil, errors.New("the script wants the handshake to fail")
				}})
			},
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "tls-handshake-stall", Code: never, Summary: "the ClientHello is read and never answered"},
			stage:         stageAccept,
			strike: func(c *conn, step Step) {
				c.raw.SetReadDeadline(time.Now().Add(handshakeTimeout))
				var hello [1]byte
				_, err := io.ReadFull(c.raw, hello[:])
				if err == nil {
					c.hold(orDefault(step.Delay, stallLimit))
				}
			},
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "reset-before-reading", Code: lost, Summary: "a request's first byte arrives and the connection is reset"},
			stage:         stageFirstByte,
			strike:        func(c *conn, _ Step) { c.reset() },
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "close-before-reading", Code: lost, Summary: "a request's first byte arrives and the connection is closed in good order"},
			stage:         stageFirstByte,
			strike:        func(*conn, Step) {},
		},
		{
			BehaviourInfo: BehaviourInfo{Name: "reset-after-headers", Code: lost, Summary: "a request's headers are read and the connection is reset"},
			stage:         stageHeaders,
			strike:        func(c *conn, _ Step) { c.reset() },
		},
	}
}
