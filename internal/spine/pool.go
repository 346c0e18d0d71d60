package spine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wardsmsp/ward/internal/trust"
)

// pool keeps a bounded number of connections, one question on each at a time.
type pool struct {
	config  Config
	slots   chan struct{}
	waiting atomic.Int64 // for a slot

	mu     sync.Mutex
	idle   []*conn // the newest last
	closed bool
}

func newPool(config Config) *pool {
	return &pool{
		config: config,
		slots:  make(chan struct{}, config.MaxConnections),
	}
}

// acquire returns an idle connection to an endpoint that is still good, or a new one.
// Its errors are *exchangeErrors of requests that were not sent.
func (p *pool) acquire(ctx context.Context, endpoint *url.URL) (c *conn, err error) {
	err = p.takeSlot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if c == nil { // also after a failure of ours
			<-p.slots
		}
	}()
	address := addressOf(endpoint)
	for idle := p.takeIdle(); idle != nil; idle = p.takeIdle() {
		if idle.address == address && time.Since(idle.idle) < p.config.IdleTimeout && idle.isQuiet() && p.trusts(idle) {
			return idle, nil
		}
		idle.close()
	}
	c, err = p.dial(ctx, endpoint)
	if err != nil {
		return nil, p.unconnected(err)
	}
	return c, nil
}

// What ended a question before a connection was tried, which says nothing about the
// Spine.
const (
	noneFree   = "no connection to the Spine was free in time"
	noTimeLeft = "no time was left for a connection to the Spine"
	notAwaited = "the reply could not be waited for"
)

// takeSlot waits until one more connection may be used.
func (p *pool) takeSlot(ctx context.Context) error {
	if ctx.Err() != nil {
		return &exchangeError{stage: noTimeLeft, full: true, cause: ctx.Err()}
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	wait := time.NewTimer(p.config.ConnectTimeout)
	defer wait.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-wait.C:
		return &exchangeError{stage: noneFree, full: true}
	case <-ctx.Done():
		return &exchangeError{stage: noTimeLeft, full: true, cause: ctx.Err()}
	}
}

// trusts judges the Spine's certificate once more, because a connection can outlive
// it, or its revocation.
func (p *pool) trusts(c *conn) bool {
	verify := p.config.TLS.VerifyConnection
	return verify == nil || verify(c.tls.ConnectionState()) == nil
}

func (p *pool) unconnected(err error) *exchangeError {
	_, refusal := trust.Reason(err, p.config.Now())
	if refusal != "" {
		return failed("the Spine was not trusted: "+string(refusal), ownLimit, false, err)
	}
	return failed("the Spine could not be connected to", ownLimit, false, err)
}

// takeIdle takes the newest idle connection.
func (p *pool) takeIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle = slices.Delete(p.idle, last, last+1)
	c.expiry.Stop()
	return c
}

// release gives a connection back. One that is not used again is closed in time, even
// if nobody asks any more.
func (p *pool) release(c *conn, reusable bool) {
	p.mu.Lock()
	keep := reusable && !p.closed
	if keep {
		c.idle = time.Now()
		c.expiry = time.AfterFunc(p.config.IdleTimeout, func() { p.expire(c) })
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	<-p.slots
}

// expire closes a connection, unless it was taken meanwhile.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.expiry.Stop()
		c.close()
	}
}

// addressOf is the host and port of an https URL.
func addressOf(endpoint *url.URL) string {
	if endpoint.Port() == "" {
		return net.JoinHostPort(endpoint.Hostname(), "443")
	}
	return endpoint.Host
}

func (p *pool) dial(ctx context.Context, endpoint *url.URL) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.ConnectTimeout)
	defer cancel()
	address := addressOf(endpoint)
	var dialer net.Dialer
	network, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	raw := &countedConn{Conn: network}
	secure := tls.Client(raw, p.tlsFor(endpoint))
	err = secure.HandshakeContext(ctx)
	if err != nil {
		network.Close()
		return nil, err
	}
	limit := &limitedReader{r: secure}
	return &conn{address: address, tls: secure, raw: raw, limit: limit, reader: bufio.NewReaderSize(limit, 16<<10)}, nil
}

// tlsFor expects the Spine's name as configured, or else the endpoint's.
func (p *pool) tlsFor(endpoint *url.URL) *tls.Config {
	if p.config.TLS.ServerName != "" {
		return p.config.TLS
	}
	named := p.config.TLS.Clone()
	named.ServerName = endpoint.Hostname()
	return named
}

// close does not wait for a peer that no longer reads.
func (c *conn) close() {
	c.tls.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	c.tls.Close()
}

// isQuiet reports whether an idle connection is still open with nothing to read.
// A peer that has closed it, or has said something unasked, makes it useless.
// Finding out now is what keeps the question from being sent into the void, and
// from being answered by what was meant for another one (H-16).
func (c *conn) isQuiet() bool { return c.hasReadNothingAhead() && c.isOpenAndEmpty() }

// hasReadNothingAhead looks behind the network, where a second response can wait
// that came in one piece with the first. At a deadline in the past nothing is
// read from the network, so that whatever still comes was read before.
func (c *conn) hasReadNothingAhead() bool {
	c.limit.n = 1
	err := c.tls.SetReadDeadline(time.Unix(1, 0))
	if err != nil {
		return false
	}
	_, err = c.reader.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// isOpenAndEmpty asks the network itself, which does not answer past a deadline.
func (c *conn) isOpenAndEmpty() bool {
	network, ok := c.raw.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	err := c.tls.SetReadDeadline(time.Time{})
	if err != nil {
		return false
	}
	control, err := network.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = control.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, peeked := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = peeked == syscall.EAGAIN || peeked == syscall.EWOULDBLOCK
		return true
	})
	return err == nil && quiet
}
