package atna_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit/atna"
	"github.com/wardsmsp/ward/internal/audit/event/eventtest"
	"github.com/wardsmsp/ward/internal/testpki"
)

// collector is a syslog server over TLS that keeps what it reads.
type collector struct {
	address  string
	mu       sync.Mutex
	messages [][]string // of each connection, in order
	faults   []string   // of the framing
}

// conduct says how a connection is treated.
type conduct struct {
	read  int  // how many messages are read before the end
	quiet bool // the end is that of TCP alone, without TLS's farewell
}

// behaviour says how each connection is treated.
type behaviour func(connection int) conduct

func all(int) conduct { return conduct{read: readAll} }

const (
	readAll  = -1
	readNone = -2 // and never ends
)

func newCollector(t *testing.T, config *tls.Config, behave behaviour) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{address: listener.Addr().String()}
	stop := make(chan struct{})
	var connections sync.WaitGroup
	connections.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.messages = append(c.messages, nil)
			c.mu.Unlock()
			connections.Go(func() {
				defer conn.Close()
				if config == nil {
					return // hangs up
				}
				c.serve(tls.Server(conn, config), n, behave(n), stop)
			})
		}
	})
	t.Cleanup(func() {
		close(stop)
		listener.Close()
		connections.Wait()
	})
	return c
}

func (c *collector) serve(conn *tls.Conn, n int, how conduct, stop chan struct{}) {
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	err := conn.Handshake()
	if err != nil {
		return
	}
	if how.read == readNone {
		<-stop
		return
	}
	reader := bufio.NewReader(conn)
	for i := 0; i != how.read; i++ {
		message, err := readFrame(reader)
		if err == io.EOF {
			break
		}
		if err != nil {
			c.note(n, "", err)
			return
		}
		c.note(n, message, nil)
	}
	if !how.quiet {
		conn.CloseWrite()
	}
}

func (c *collector) note(n int, message string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.faults = append(c.faults, err.Error())
		return
	}
	c.messages[n] = append(c.messages[n], message)
}

// readFrame reads MSG-LEN SP SYSLOG-MSG of RFC 5425.
func readFrame(r *bufio.Reader) (string, error) {
	length, err := r.ReadString(' ')
	if err == io.EOF && length == "" {
		return "", io.EOF
	}
	if err != nil {
		return "", fmt.Errorf("a length cut short: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil || length[0] == '0' || n > 1<<20 {
		return "", fmt.Errorf("a length is %q", length)
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return string(message), err
}

var sequenceDetail = regexp.MustCompile(`ParticipantObjectID="ward\.example/audit#(\d+)"`)

// sequences are the sequence numbers that each connection brought.
func (c *collector) sequences() [][]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all [][]int64
	for _, messages := range c.messages {
		var numbers []int64
		for _, m := range messages {
			match := sequenceDetail.FindStringSubmatch(m)
			if match == nil {
				numbers = append(numbers, -1)
				continue
			}
			n, _ := strconv.ParseInt(match[1], 10, 64)
			numbers = append(numbers, n)
		}
		all = append(all, numbers)
	}
	return all
}

// pki are the throw-away certificates of one test.
type pki struct {
	authority      *testpki.Authority
	server, client tls.Certificate
}

func newPKI(t *testing.T) pki {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.Issue(testpki.Request{CommonName: "collector", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Issue(testpki.Request{CommonName: "ward", DNSNames: []string{"ward.example"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	return pki{authority, server.TLSCertificate(), client.TLSCertificate()}
}

func (p pki) serverConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{p.server}}
}

// newSender is a sender with short pauses.
func newSender(t *testing.T, p pki, address string, change func(*atna.Options)) *atna.Sender {
	t.Helper()
	o := atna.Options{
		Address: address, Roots: p.authority.Pool(), Source: eventtest.Source, Host: "ward-1.example.nhs.uk",
		ConnectTimeout: time.Minute, WriteTimeout: time.Minute, Attempts: 3, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	s, err := atna.NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
