package spinesim

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Limits of a connection.
const (
	maxHeaders       = 64 << 10
	maxRequest       = 4_999_600 // bytes; Spine's own limit
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	requestTimeout   = 30 * time.Second
	writeTimeout     = 2 * time.Minute
)

// conn is one connection. The HTTP/1.1 loop is written out, not net/http's
// server, because a simulator of failures must own every byte and its moment.
type conn struct {
	sim    *Simulator
	raw    net.Conn
	number uint64

	tls     *tls.Conn
	limited *io.LimitedReader
	reader  *bufio.Reader
	body    []byte // reused between requests
	out     []byte // reused between replies
	wire    []byte // head and body in one, reused

	// waiting is set while no request is in progress, or the connection stalls
	// on purpose: Close may cut it.
	waiting atomic.Bool
}

func (c *conn) serve() {
	s := c.sim
	s.evidence.count(func(n *Counters) { n.Connections++ })
	c.waiting.Store(true)
	if c.struck(stageAccept) {
		return
	}
	if !c.handshake(s.tls) {
		return
	}
	s.evidence.count(func(n *Counters) { n.Handshakes++ })
	c.limited = &io.LimitedReader{R: c.tls}
	c.reader = bufio.NewReaderSize(c.limited, 8<<10)
	for c.serveRequest() {
	}
	c.tls.SetWriteDeadline(time.Now().Add(time.Second))
	c.tls.CloseWrite()
}

func (c *conn) handshake(config *tls.Config) bool {
	c.tls = tls.Server(c.raw, config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	return c.tls.HandshakeContext(ctx) == nil
}

// struck reports whether a scripted behaviour took the connection at the stage.
func (c *conn) struck(stage string) bool {
	step, found := c.sim.scripts.take(stage, "")
	if !found {
		return false
	}
	c.sim.evidence.count(func(n *Counters) { n.ByBehaviour[string(step.Behaviour)]++ })
	c.sim.behaviours[step.Behaviour].strike(c, step)
	return true
}

// serveRequest reads one request and answers it; false ends the connection.
func (c *conn) serveRequest() (more bool) {
	s := c.sim
	if c.closing() {
		return false
	}
	c.limited.N = maxHeaders
	c.raw.SetDeadline(time.Now().Add(idleTimeout))
	_, err := c.reader.Peek(1)
	if err != nil {
		return false
	}
	c.waiting.Store(false)
	defer c.waiting.Store(true)
	s.evidence.count(func(n *Counters) { n.RequestsBegun++ })
	if c.struck(stageFirstByte) {
		return false
	}
	c.raw.SetDeadline(time.Now().Add(requestTimeout))
	request, err := http.ReadRequest(c.reader)
	if err != nil {
		c.write(plainResponse(400, "The request is not HTTP."), true)
		return false
	}
	if c.struck(stageHeaders) {
		return false
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		_, err = io.WriteString(c.tls, "HTTP/1.1 100 Continue\r\n\r\n")
		if err != nil {
			return false
		}
	}
	c.limited.N = maxRequest + maxHeaders // chunk sizes count too
	c.body, err = readAllLimited(request.Body, c.body, maxRequest)
	if errors.Is(err, errTooLarge) {
		c.write(plainResponse(413, "The message is larger than 4,999,600 bytes."), true)
		return false
	}
	if err != nil {
		return false
	}
	s.evidence.count(func(n *Counters) { n.RequestsRead++ })
	c.raw.SetDeadline(time.Now().Add(writeTimeout))
	more = c.answer(request)
	return more && !request.Close
}

func (c *conn) closing() bool {
	select {
	case <-c.sim.done:
		return true
	default:
		return false
	}
}

// answer decides on the request and delivers what was decided.
func (c *conn) answer(request *http.Request) (more bool) {
	if request.URL.Path == c.sim.cfg.AsyncPath {
		return c.answerAsync(request)
	}
	refusal, wrong := wrongHTTP(request, c.sim.cfg.Path)
	if wrong {
		return c.write(refusal, request.Close)
	}
	r, step, deliver := c.sim.decide(request.Header.Values("SOAPAction"), c.body, c.number, c.out)
	if cap(r.body) <= 1<<20 {
		c.out = r.body[:0]
	}
	r.close = request.Close
	if !c.pause(c.sim.cfg.Delay) {
		return false
	}
	if deliver != nil {
		return deliver(c, r, step)
	}
	if !c.pause(step.Delay) {
		return false
	}
	return c.write(r, r.close)
}

// wrongHTTP answers what is not addressed to the query service.
func wrongHTTP(request *http.Request, path string) (response, bool) {
	mediaType, _, _ := strings.Cut(request.Header.Get("Content-Type"), ";")
	switch {
	case request.URL.Path != path:
		return plainResponse(404, "There is no such service."), true
	case request.Method != http.MethodPost:
		return plainResponse(405, "Queries are sent by POST."), true
	case !strings.EqualFold(strings.TrimSpace(mediaType), "text/xml"):
		return plainResponse(415, "Queries are text/xml."), true
	}
	return response{}, false
}

// pause waits; false when the simulator closes meanwhile.
func (c *conn) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.sim.done:
		return false
	}
}

// hold keeps the connection open without a byte until the client leaves, the
// time is over, or the simulator closes.
func (c *conn) hold(d time.Duration) {
	c.waiting.Store(true)
	if c.closing() {
		return
	}
	c.raw.SetReadDeadline(time.Now().Add(d))
	_, _ = io.Copy(io.Discard, c.raw)
}

// reset ends the connection by a TCP reset.
func (c *conn) reset() {
	tcp, ok := c.raw.(*net.TCPConn)
	if ok {
		tcp.SetLinger(0)
	}
	c.raw.Close()
}
