package server_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/server"
)

// patience bounds every wait for a peer.
const patience = 20 * time.Second

// WRD-SEC-05: where the end of a request can be read in two ways, or what is in it
// is no message, nothing that follows it on its connection is taken for a question.
func TestNothingFollowsDoubtfulFraming(t *testing.T) {
	t.Parallel()
	const post = "POST " + server.Path + " HTTP/1.%d\r\nHost: smsp.test\r\nContent-Type: text/xml\r\nConnection: keep-alive\r\n"
	inChunks := func(m string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(m), m) }
	cases := map[string]struct {
		first  func(message string) string
		status int
		asked  int
	}{
		"chunks beside a length that covers the next request": {status: 500, first: func(m string) string {
			return fmt.Sprintf(post+"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n", 1, 5+len(m))
		}},
		"chunks beside a length that is too short": {status: 200, asked: 1, first: func(m string) string {
			return fmt.Sprintf(post+"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n%s", 1, inChunks(m))
		}},
		"chunks in HTTP/1.0": {status: 500, first: func(string) string {
			return fmt.Sprintf(post+"Transfer-Encoding: chunked\r\n\r\n", 0)
		}},
		"a body that is no message": {status: 500, first: func(string) string {
			return fmt.Sprintf(post+"Content-Length: 6\r\n\r\n<soap>", 1)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			network, err := tls.Dial("tcp", r.address, r.tls)
			if err != nil {
				t.Fatal(err)
			}
			defer network.Close()
			network.SetDeadline(time.Now().Add(patience))
			message := func() string {
				m, err := r.client(t).Prepare(question(t))
				if err != nil {
					t.Fatal(err)
				}
				return string(m.Content)
			}
			second := message()
			io.WriteString(network, c.first(message())+fmt.Sprintf(post+"Content-Length: %d\r\n\r\n%s", 1, len(second), second))
			reader := bufio.NewReader(network)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err != nil || response.StatusCode != c.status || !response.Close {
				t.Errorf("status %d, closing %t, %v; want %d and closing", response.StatusCode, response.Close, err, c.status)
			}
			rest, err := io.ReadAll(reader)
			var timeout net.Error
			if len(rest) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("the connection went on with %d bytes: %v", len(rest), err)
			}
			if c.asked == 1 {
				r.asked(t, 1, audit.Intent, audit.Outcome)
			} else {
				r.asked(t, 0, audit.Refused)
			}
		})
	}
}

// WRD-SEC-06: a client that does not read is cut off, also where net/http refuses
// its request before a handler sees it. Nothing is kept on the way in a pipe.
func TestRefusalThatIsNotRead(t *testing.T) {
	t.Parallel()
	r := newRigWithin(t, time.Second)
	near, far := net.Pipe()
	defer near.Close()
	listener := &pipes{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conns <- far
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	defer func() {
		listener.Close()
		<-served
	}()
	// TLS 1.3 sends session tickets, which nobody would read either.
	config := r.tls.Clone()
	config.MaxVersion = tls.VersionTLS12
	client := tls.Client(near, config)
	near.SetDeadline(time.Now().Add(patience))
	io.WriteString(client, "nonsense\r\n\r\n")
	_, err := io.WriteString(client, strings.Repeat("x", 1<<20))
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection was kept: %v", err)
	}
}

// pipes is a listener for connections that are already there.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// WRD-AUD-08: what never became a request is recorded too, under the name of the client
// that TLS has identified; what did is not recorded twice.
func TestRefusedFramingIsRecorded(t *testing.T) {
	t.Parallel()
	const soon = 2 * time.Second // also for the handshake
	cases := map[string]struct {
		sent    string
		refused bool
	}{
		"nonsense":                    {"nonsense\r\n\r\n", true},
		"a header that is none":       {"POST " + server.Path + " HTTP/1.1\r\nHost: smsp.test\r\nno colon\r\n\r\n", true},
		"two lengths":                 {"POST " + server.Path + " HTTP/1.1\r\nHost: smsp.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", true},
		"headers that do not end":     {"POST " + server.Path + " HTTP/1.1\r\nHost: smsp.test\r\n", true},
		"headers without end of size": {"POST " + server.Path + " HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20), true},
		"nothing":                     {"", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait := 2 * patience
			if name == "headers that do not end" {
				wait = soon
			}
			r := newRigWithin(t, wait)
			network, err := tls.Dial("tcp", r.address, r.tls)
			if err != nil {
				t.Fatal(err)
			}
			defer network.Close()
			network.SetDeadline(time.Now().Add(patience))
			go io.WriteString(network, c.sent)
			if c.sent == "" {
				err := network.Handshake()
				if err != nil {
					t.Fatal(err)
				}
				network.Close()
			} else {
				io.Copy(io.Discard, network) // until it is cut off
			}
			if !c.refused {
				time.Sleep(100 * time.Millisecond)
				r.asked(t, 0)
				return
			}
			for end := time.Now().Add(patience); len(r.book.kinds()) == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond) // it is recorded after the connection is closed
			}
			r.asked(t, 0, audit.Refused)
			r.book.mu.Lock()
			e := r.book.entries[0]
			r.book.mu.Unlock()
			if e.Client != "ed" || e.Certificate == "" || e.Reason != "HTTP that could not be read, or was not completed" || e.Correlation == "" {
				t.Errorf("recorded as %+v", e)
			}
		})
	}
}
