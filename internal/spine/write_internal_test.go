package spine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/testpki"
)

// failingConn takes so many more bytes and then fails, as a network does.
type failingConn struct {
	*net.TCPConn
	armed bool
	room  int
}

var errNetwork = errors.New("the network failed")

func (c *failingConn) Write(b []byte) (int, error) {
	if !c.armed {
		return c.TCPConn.Write(b)
	}
	n, err := c.TCPConn.Write(b[:min(c.room, len(b))])
	c.room -= n
	if err == nil && n < len(b) {
		err = errNetwork
	}
	return n, err
}

// WRD-RC-06, WRD-SPN-07: a question counts as not sent if and only if the network
// took no byte of it, and only then does another attempt follow.
func TestByteThatLeftIsCounted(t *testing.T) {
	server, clientTLS := tlsPair(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// The peer of the first connection swallows everything; that of a second one
	// would be a repetition.
	accepted := make(chan net.Conn, 1024)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	config := Config{
		Routes: Fixed{Endpoint: &url.URL{Scheme: "https", Host: listener.Addr().String(), Path: "/query"}, ToASID: "999000444666"},
		TLS:    clientTLS, Rules: cpis.DefaultRules(), FromASID: "999000444555", VersionCode: "x",
		ConnectTimeout: time.Minute, WriteTimeout: time.Minute, FirstByteTimeout: time.Second, IdleTimeout: time.Hour,
		MaxConnections: 1, MaxReply: 1 << 16, Now: time.Now,
	}
	q := cpis.Query{ID: "E0000000-0000-4000-8000-000000000001", Author: cpis.System{}}
	q.Number, err = cpis.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	attempt := func(room int) (answer cpis.Answer, used int, repeated bool) {
		c := New(config)
		defer c.Close()
		network, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		failing := &failingConn{TCPConn: network.(*net.TCPConn)}
		raw := &countedConn{Conn: failing}
		secure := tls.Client(raw, config.TLS)
		far := tls.Server(<-accepted, server)
		swallowed := make(chan struct{})
		go func() {
			defer close(swallowed)
			defer far.Close()
			far.Handshake()
			if room >= whole && whole > 0 {
				http.ReadRequest(bufio.NewReader(far))
				return
			}
			io.Copy(io.Discard, far)
		}()
		err = secure.Handshake()
		if err != nil {
			t.Fatal(err)
		}
		limit := &limitedReader{r: secure}
		c.pool.slots <- struct{}{}
		c.pool.release(&conn{address: listener.Addr().String(), tls: secure, raw: raw, limit: limit, reader: bufio.NewReader(limit)}, true)
		failing.armed, failing.room = true, room
		before := raw.written
		second := make(chan struct{})
		stop := make(chan struct{})
		go func() { // a second connection is taken for a repetition and cut
			defer close(second)
			select {
			case again := <-accepted:
				again.Close()
				repeated = true
			case <-stop:
			}
		}()
		answer, used = c.Ask(context.Background(), "C0000000-0000-4000-8000-000000000001", q, []string{"A0000000-0000-4000-8000-000000000001", "A0000000-0000-4000-8000-000000000002"})
		close(stop)
		<-second
		<-swallowed
		if whole == 0 {
			whole = int(raw.written - before)
		}
		return answer, used, repeated
	}

	// First with room for everything, to learn how many bytes a question is.
	answer, _, _ := attempt(1 << 20)
	if answer.Outcome() != cpis.SentNoAnswer || whole < 1000 {
		t.Fatalf("%s after %d bytes", answer.Outcome(), whole)
	}
	check := func(room int) error {
		answer, used, repeated := attempt(room)
		wanted, attempts := cpis.SentNoAnswer, 1
		if room == 0 {
			wanted, attempts = cpis.NotSent, 2
		}
		if answer.Outcome() != wanted || used != attempts || repeated != (room == 0) {
			return fmt.Errorf("after %d of %d bytes: %s with %d attempts, repeated %t", room, whole, answer.Outcome(), used, repeated)
		}
		return nil
	}
	for _, room := range []int{0, 1, 4, 5, 6, whole - 1, whole} {
		err := check(room)
		if err != nil {
			t.Error(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		err := check(rapid.IntRange(1, whole).Draw(t, "bytes"))
		if err != nil {
			t.Fatal(err)
		}
	})
	listener.Close()
	<-ended
}

func tlsPair(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	far, err := authority.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{far.TLSCertificate()}, MaxVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: authority.Pool(), ServerName: "spine.test", MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true}
}
