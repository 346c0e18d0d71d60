package attack_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// delays is what comes too slowly or never (WRD-SEC-06).
func delays() []attack {
	// drips sends the text, and then one more byte again and again.
	drips := func(text string) func(*attacker) (*conn, error) {
		return func(a *attacker) (*conn, error) {
			c, err := a.say(text)
			if err != nil {
				return nil, err
			}
			for err == nil {
				time.Sleep(50 * time.Millisecond)
				_, err = io.WriteString(c, "1")
			}
			return c, nil
		}
	}
	before := func(m string) string { return strings.TrimSuffix(post(m), m) }
	return []attack{
		{name: "a connection that says nothing", want: want{}, does: func(a *attacker) (*conn, error) { return a.plain("") }},
		{name: "a handshake that stops", want: want{}, does: func(a *attacker) (*conn, error) { return a.plain(clientHello) }},
		{name: "a handshake, then nothing", want: want{}, does: says(func(string) string { return "" })},
		{name: "a header that stops", want: want{}, does: says(func(string) string { return postLine + "\r\nHost: smsp.exa" })},
		{name: "a header that comes byte by byte (slowloris)", want: want{}, does: drips(postLine + "\r\nHost: smsp.example.invalid\r\nX-Slow: ")},
		{name: "a body that does not come", want: refused(408), does: says(before)},
		{name: "a body that stops", want: refused(408), does: says(func(m string) string { return strings.TrimSuffix(post(m), m[10:]) })},
		{name: "a body that lacks one byte", want: refused(408), does: says(func(m string) string { return strings.TrimSuffix(post(m), m[len(m)-1:]) })},
		{name: "a body that comes byte by byte", want: refused(408), does: drips(head(postLine, isXML, length(100_000)))},
		{name: "a body that is given leave and does not come", want: want{statuses: []int{100, 408}},
			does: says(func(m string) string { return strings.TrimSuffix(post(m, "Expect: 100-continue"), m) })},
		{name: "a chunk size that comes byte by byte", want: refused(408), does: drips(head(postLine, isXML, "Transfer-Encoding: chunked") + "0000")},
		{name: "a chunk of 2^62 bytes that does not come", want: refused(408),
			does: says(func(string) string {
				return head(postLine, isXML, "Transfer-Encoding: chunked") + "4000000000000000\r\n<"
			})},
		{name: "chunks without a last one", want: refused(408),
			does: says(func(m string) string { return strings.TrimSuffix(chunked(m), "0\r\n\r\n") })},
		{name: "a question, then a header that stops", want: answeredAndClosed(), does: says(func(m string) string { return post(m) + postLine })},
	}
}

// readers is answers that are not read (WRD-SEC-06, WRD-RC-18).
func readers() []attack {
	return []attack{
		{"questions one behind the other, of which no answer is read", (*attacker).asksWithoutReading, want{asked: many, undelivered: true,
			note: "answered until the connection takes no more, then closed; the answer that it did not take is recorded, and that its delivery is not confirmed"}},
	}
}

// asksWithoutReading asks until the connection is cut off.
func (a *attacker) asksWithoutReading() (*conn, error) {
	small := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		controlled := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
		return errors.Join(controlled, err)
	}}
	network, err := small.Dial("tcp", a.address)
	if err != nil {
		return nil, err
	}
	defer network.Close()
	network.SetDeadline(time.Now().Add(2 * patience))
	c, err := a.handshake(network.(*net.TCPConn), network)
	if err != nil {
		return nil, err
	}
	for range 10_000 {
		_, err = io.WriteString(c, post(a.message()))
		if err != nil {
			break
		}
	}
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return nil, errors.New("the connection was not closed")
	}
	return nil, nil
}
