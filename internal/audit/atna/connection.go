package atna

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// connection is a TLS connection that is read all the time, since a collector that
// goes away is noticed by reading long before writing fails.
type connection struct {
	*tls.Conn
	below *watched
	since time.Time
	end   chan struct{} // closed when nothing more can be read
	cause error         // why; set before end is closed
}

// watched is the TCP connection below. crypto/tls reports its end as it does TLS's
// farewell, so it is noted here which of them came.
type watched struct {
	net.Conn
	cut bool // ended without a farewell
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.cut = w.cut || err != nil
	return n, err
}

// dial makes a connection and watches it for so long before anything is written to it:
// in TLS 1.3 a collector refuses our certificate after our side of the handshake.
func dial(ctx context.Context, address string, config *tls.Config, settle time.Duration) (*connection, error) {
	network, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	below := &watched{Conn: network}
	c := &connection{Conn: tls.Client(below, config), below: below, since: time.Now(), end: make(chan struct{})}
	err = c.HandshakeContext(ctx)
	if err != nil {
		network.Close()
		return nil, err
	}
	go c.read()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c, nil
	case <-ctx.Done():
		c.close()
		return nil, ctx.Err()
	case <-c.end:
		c.close()
		return nil, c.cause
	}
}

// read waits for the end. A collector has nothing to say, so anything else is
// thrown away.
func (c *connection) read() {
	var buffer [512]byte
	for c.cause == nil {
		_, c.cause = c.Read(buffer[:])
	}
	close(c.end)
}

func (c *connection) ended() bool {
	select {
	case <-c.end:
		return true
	default:
		return false
	}
}

// write writes one frame whole, or fails. The connection is of no use after a
// failure.
func (c *connection) write(ctx context.Context, frame []byte, timeout time.Duration) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	err = c.SetWriteDeadline(time.Now().Add(timeout))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = c.Write(frame)
	return err
}

// farewell says that nothing more will come, and reports whether the collector
// answered that in order, which it does after it has read everything.
func (c *connection) farewell(timeout time.Duration) bool {
	err := c.SetWriteDeadline(time.Now().Add(timeout))
	if err != nil {
		return false
	}
	ended := c.ended()
	err = c.CloseWrite()
	if err != nil || ended {
		return false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.end:
		return errors.Is(c.cause, io.EOF) && !c.below.cut
	case <-timer.C:
		return false
	}
}

// close ends the connection at once, and the reading with it.
func (c *connection) close() {
	c.NetConn().Close()
	<-c.end
}
