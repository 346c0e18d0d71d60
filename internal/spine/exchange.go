package spine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// received is an HTTP response as it came.
type received struct {
	status    int
	mediaType string
	body      string
	tooLarge  bool
}

// exchangeError says that an exchange brought no HTTP response. Sent is false
// only if it is certain that no byte of the request left. Stage is a fixed text
// that says which limit or which step ended it (WRD-SPN-18).
type exchangeError struct {
	stage string
	sent  bool
	full  bool // no connection was free, so that trying again would only add to that
	cause error
}

func (e *exchangeError) Error() string { return e.stage }
func (e *exchangeError) Unwrap() error { return e.cause }

// exchange sends one request to an endpoint over a pooled or new connection and reads
// its response. The error, if any, is an *exchangeError.
func (p *pool) exchange(ctx context.Context, endpoint *url.URL, request []byte) (r received, err error) {
	c, err := p.acquire(ctx, endpoint)
	if err != nil {
		return received{}, err
	}
	reusable := false
	defer func() { p.release(c, reusable) }() // also after a failure of ours
	r, reusable, err = p.converse(ctx, c, request)
	return r, err
}

func (p *pool) converse(ctx context.Context, c *conn, request []byte) (received, bool, error) {
	end, _ := ctx.Deadline()
	limit, which := earlier(end, p.config.WriteTimeout)
	before := c.raw.written
	err := c.tls.SetDeadline(limit)
	if err == nil {
		_, err = c.tls.Write(request)
	}
	if err != nil {
		// Even a part of an encrypted record counts as sent. That may say "maybe
		// notified" where nobody was; the reverse would be worse.
		return received{}, false, failed("the request could not be written", which, c.raw.written > before, err)
	}
	limit, which = earlier(end, p.config.FirstByteTimeout)
	err = c.tls.SetReadDeadline(limit)
	if err == nil {
		c.limit.n, c.limit.err = int64(p.config.MaxReply)+maxResponseHeader, nil
		_, err = c.reader.Peek(1)
	}
	if err != nil {
		return received{}, false, failed("no response came", which, true, err)
	}
	err = c.tls.SetReadDeadline(end)
	if err != nil {
		return received{}, false, failed("the response could not be read", budget, true, err)
	}
	return p.read(c)
}

// maxResponseHeader bounds the status line and header of a response.
const maxResponseHeader = 64 << 10

func (p *pool) read(c *conn) (received, bool, error) {
	response, err := http.ReadResponse(c.reader, postRequest)
	for informational := 0; err == nil && response.StatusCode < 200; informational++ {
		if informational == 5 || response.StatusCode == http.StatusSwitchingProtocols {
			return received{}, false, failed("the response is not one to a question", budget, true, nil)
		}
		response, err = http.ReadResponse(c.reader, postRequest)
	}
	if err != nil {
		return received{}, false, failed("the response header did not come whole", budget, true, errors.Join(err, c.limit.err))
	}
	var text strings.Builder
	if response.ContentLength > 0 {
		text.Grow(int(min(response.ContentLength, int64(p.config.MaxReply))))
	}
	n, err := io.CopyBuffer(&text, io.LimitReader(response.Body, int64(p.config.MaxReply)+1), make([]byte, 8<<10))
	if err != nil {
		return received{}, false, failed("the response body did not come whole", budget, true, err)
	}
	r := received{status: response.StatusCode, mediaType: response.Header.Get("Content-Type"), body: text.String()}
	if n > int64(p.config.MaxReply) {
		return received{status: r.status, mediaType: r.mediaType, tooLarge: true}, false, nil
	}
	// A byte that nobody asked for would be read as the start of the next response.
	reusable := !response.Close && response.ProtoAtLeast(1, 1) && c.reader.Buffered() == 0
	return r, reusable, nil
}

// postRequest tells http.ReadResponse what was asked: a response to it has a body.
var postRequest = &http.Request{Method: http.MethodPost}

// What ended a step whose time ran out: a limit of its own, or the budget of the
// whole question.
const (
	ownLimit = " in time"
	budget   = " within the budget of the request"
)

func failed(stage, which string, sent bool, cause error) *exchangeError {
	var timeout net.Error
	if errors.As(cause, &timeout) && timeout.Timeout() {
		stage += which
	}
	return &exchangeError{stage: stage, sent: sent, cause: cause}
}

// earlier is the end, or limit from now if that is sooner, and which it is. A zero
// end is none.
func earlier(end time.Time, limit time.Duration) (time.Time, string) {
	soon := time.Now().Add(limit)
	if end.IsZero() || soon.Before(end) {
		return soon, ownLimit
	}
	return end, budget
}

// conn is one connection after its TLS handshake.
type conn struct {
	address string
	tls     *tls.Conn
	raw     *countedConn
	limit   *limitedReader
	reader  *bufio.Reader
	idle    time.Time   // since when
	expiry  *time.Timer // ends it while it is idle
}

// countedConn counts the bytes that were handed to the network.
type countedConn struct {
	net.Conn
	written int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written += int64(n)
	return n, err
}

// limitedReader bounds what one response may bring. It remembers how reading ended,
// because http.ReadResponse takes the part of a line that came for the whole line
// and says that it is malformed.
type limitedReader struct {
	r   io.Reader
	n   int64
	err error
}

func (l *limitedReader) Read(b []byte) (int, error) {
	if l.n <= 0 {
		return 0, errTooMuch
	}
	if int64(len(b)) > l.n {
		b = b[:l.n]
	}
	n, err := l.r.Read(b)
	l.n -= int64(n)
	l.err = err
	return n, err
}

var errTooMuch = errors.New("the response is larger than allowed")
