package attack_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// gone is the end of an attack whose attacker breaks the connection off.
func gone(asked int, note string) want { return want{asked: asked, note: note} }

// connections is abuse of TCP and TLS: pieces, halves and broken ends (WRD-SEC-04).
func connections() []attack {
	// cut sends this much over TLS and resets the connection.
	cut := func(text func(m string) string) func(*attacker) (*conn, error) {
		return func(a *attacker) (*conn, error) {
			c, err := a.say(text(a.message()))
			if err == nil {
				c.reset()
			}
			return nil, err
		}
	}
	// halved sends this much over TLS and closes its own direction.
	halved := func(text func(m string) string) func(*attacker) (*conn, error) {
		return func(a *attacker) (*conn, error) {
			c, err := a.say(text(a.message()))
			if err != nil {
				return nil, err
			}
			return c, closeWrite(c)
		}
	}
	const begun = "POST /smsp/cpis HTTP/1.1\r\nHost: smsp.exa"
	begin := func(string) string { return begun }
	headed := func(m string) string { return strings.TrimSuffix(post(m), m) }
	half := func(m string) string { return strings.TrimSuffix(post(m), m[len(m)/2:]) }
	nothing := func(string) string { return "" }
	return []attack{
		{"rubbish instead of TLS", func(a *attacker) (*conn, error) { return a.plain("\x00\x01rubbish\r\n\r\n") }, want{note: "no HTTP; connection closed"}},
		{"HTTP without TLS", func(a *attacker) (*conn, error) { return a.plain(post(a.message())) }, want{note: "no HTTP; connection closed"}},
		{"TLS without a certificate", func(a *attacker) (*conn, error) {
			c := a.tls.Clone()
			c.Certificates = nil
			return a.unwelcome(c)
		}, want{note: "no HTTP; connection closed"}},
		{"a certificate that nobody registered", func(a *attacker) (*conn, error) {
			return a.as(a.stranger).say(post(a.message()))
		}, refused(403)},
		{"a question in TLS records of one byte", func(a *attacker) (*conn, error) {
			c, err := a.dial()
			if err != nil {
				return nil, err
			}
			for _, b := range []byte(post(a.message())) {
				c.Write([]byte{b})
			}
			return c, nil
		}, answered()},
		{"handshake and question in TCP segments of one byte", func(a *attacker) (*conn, error) {
			network, err := a.connect()
			if err != nil {
				return nil, err
			}
			network.SetNoDelay(true)
			c, err := a.handshake(network, bytewise{network})
			if err != nil {
				return nil, err
			}
			io.WriteString(c, post(a.message())) // what becomes of it is judged by what is read
			return c, nil
		}, answered()},
		{"reset after connecting", func(a *attacker) (*conn, error) {
			c, err := a.connect()
			if err == nil {
				reset(c)
			}
			return nil, err
		}, gone(0, "nothing")},
		{"reset within the handshake", func(a *attacker) (*conn, error) {
			c, err := a.connect()
			if err != nil {
				return nil, err
			}
			c.Write([]byte(clientHello))
			reset(c)
			return nil, nil
		}, gone(0, "nothing")},
		{"reset after the handshake", cut(nothing), gone(0, "nothing")},
		{"reset within the header", cut(begin), gone(0, "nothing")},
		{"reset after the header", cut(headed), gone(0, "the refusal is recorded")},
		{"reset within the body", cut(half), gone(0, "the refusal is recorded")},
		{"reset while the question is under way", func(a *attacker) (*conn, error) {
			defer a.hold()()
			c, err := a.say(post(a.about(slow)))
			if err != nil {
				return nil, err
			}
			err = a.reached(1)
			c.reset()
			return nil, err
		}, want{asked: 1, undelivered: true, note: "the answer is recorded, and that its delivery is not confirmed"}},
		{"reset within the answer", func(a *attacker) (*conn, error) {
			c, err := a.say(post(a.message()))
			if err != nil {
				return nil, err
			}
			_, err = io.ReadFull(c.reader, make([]byte, 100))
			c.reset()
			return nil, err
		}, gone(1, "the answer is recorded")},
		{"the end of the connection without the end of TLS, within the body", func(a *attacker) (*conn, error) {
			c, err := a.say(half(a.message()))
			if err != nil {
				return nil, err
			}
			return c, closeWrite(c.network)
		}, refused(400)},
		{"a direction closed after the handshake", halved(nothing), want{}},
		{"a direction closed within the header", halved(begin), refused(400)},
		{"a direction closed within the body", halved(half), refused(400)},
		{"a direction closed within a chunk", halved(func(m string) string { return strings.TrimSuffix(chunked(m), "\r\n0\r\n\r\n") }), refused(400)},
		{"a direction closed after the question", halved(func(m string) string { return post(m) }), answeredAndClosed()},
	}
}

// clientHello is the beginning of one.
const clientHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// bytewise writes each byte in a segment of its own.
type bytewise struct{ net.Conn }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		_, err := b.Conn.Write(p[i : i+1])
		if err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// plain sends this without TLS, and expects that the service says no more than a line
// and closes.
func (a *attacker) plain(text string) (*conn, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	io.WriteString(c, text)
	said, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.New("the connection was not closed")
	}
	if len(said) > 100 {
		return nil, fmt.Errorf("%d bytes came without TLS", len(said))
	}
	return nil, nil
}

// unwelcome expects to be turned away by TLS; with TLS 1.3 that shows when reading.
func (a *attacker) unwelcome(as *tls.Config) (*conn, error) {
	c, err := a.as(as).say(post(a.message()))
	if err != nil {
		return nil, nil
	}
	defer c.network.Close()
	response, err := c.read("")
	if err == nil {
		return nil, fmt.Errorf("an HTTP answer came: %s", response.Status)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	return nil, nil
}
