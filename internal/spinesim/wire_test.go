package spinesim_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// brief is how long these tests wait to see that nothing comes; patient is how
// long they wait for what must come.
const (
	brief   = 500 * time.Millisecond
	patient = 30 * time.Second
)

// head is the start of a request whose body has that length.
func head(length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: spine.test\r\nSOAPAction: %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n",
		spinesim.DefaultPath, queryAction, length)
}

// dial opens a connection and completes the handshake.
func dial(t *testing.T, s *spinesim.Simulator) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.Addr(), clientTLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// sendQuery writes a whole request.
func sendQuery(t *testing.T, c net.Conn, q query) {
	t.Helper()
	document := q.xml()
	_, err := io.WriteString(c, head(len(document))+document)
	if err != nil {
		t.Fatal(err)
	}
}

// await waits for what the simulator is about to do.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// readUntil reads until enough has come, the connection ends or patience does.
func readUntil(c net.Conn, enough func([]byte) bool) []byte {
	c.SetReadDeadline(time.Now().Add(patient))
	var got []byte
	piece := make([]byte, 4096)
	for !enough(got) {
		n, err := c.Read(piece)
		got = append(got, piece[:n]...)
		if err != nil {
			break
		}
	}
	return got
}

// readFor reads whatever comes until the connection ends or the time is over.
func readFor(c net.Conn, d time.Duration) ([]byte, error) {
	c.SetReadDeadline(time.Now().Add(d))
	var b bytes.Buffer
	_, err := io.Copy(&b, c)
	return b.Bytes(), err
}

// numberOf is the number bound to a behaviour.
func numberOf(t *testing.T, name spinesim.Behaviour) string {
	t.Helper()
	for _, b := range spinesim.Behaviours() {
		if b.Name == name {
			return b.NHSNumber
		}
	}
	t.Fatalf("there is no behaviour %s", name)
	return ""
}

func timedOut(err error) bool  { return errors.Is(err, os.ErrDeadlineExceeded) }
func wasReset(err error) bool  { return errors.Is(err, syscall.ECONNRESET) }
func wasClosed(err error) bool { return err == nil } // io.Copy ends in good order

// WRD-SUP-03: what comes, and how the connection ends, after a whole request.
func TestRepliesThatDoNotComeProperly(t *testing.T) {
	tests := []struct {
		name   spinesim.Behaviour
		ends   func(error) bool
		wait   time.Duration
		answer string // what comes: nothing, headers, half
	}{
		{"truncated-body", wasClosed, patient, "half"},
		{"stall-after-headers", timedOut, brief, "headers"},
		{"stall-in-body", timedOut, brief, "half"},
		{"never-answer", timedOut, brief, "nothing"},
		{"late-never-answer", timedOut, brief, "nothing"},
		{"close-without-reply", wasClosed, patient, "nothing"},
		{"late-close-without-reply", wasClosed, patient, "nothing"},
		{"reset-after-request", wasReset, patient, "nothing"},
		{"late-reset-after-request", wasReset, patient, "nothing"},
	}
	for _, tt := range tests {
		t.Run(string(tt.name), func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			c := dial(t, s)
			sendQuery(t, c, query{number: numberOf(t, tt.name)})
			processed := !strings.Contains("never-answer close-without-reply reset-after-request", string(tt.name))
			await(t, "the query is processed", func() bool {
				n := s.Counters()
				return n.RequestsRead == 1 && (n.Notifications == 1 || !processed)
			})
			got := readUntil(c, func(got []byte) bool { return whatCame(got) == tt.answer })
			rest, err := readFor(c, tt.wait)
			if !tt.ends(err) {
				t.Errorf("the connection ended with: %v", err)
			}
			if came := whatCame(append(got, rest...)); came != tt.answer {
				t.Errorf("%s came, want %s", came, tt.answer)
			}
			counters := s.Counters()
			if counters.RequestsRead != 1 || (counters.Notifications == 1) != processed {
				t.Errorf("%d requests read, %d notifications, processed should be %v", counters.RequestsRead, counters.Notifications, processed)
			}
		})
	}
}

// whatCame says in a word what of a reply came.
func whatCame(got []byte) string {
	headers, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
	promised := 0
	_, lengthText, found := strings.Cut(string(headers), "Content-Length: ")
	if found {
		fmt.Sscan(lengthText, &promised)
	}
	switch {
	case promised > 0 && len(body) == 0:
		return "headers"
	case promised > 0 && len(body) == promised/2:
		return "half"
	case len(got) > 0:
		return fmt.Sprintf("%d bytes of %d", len(body), promised)
	default:
		return "nothing"
	}
}

func TestSlowDripComesInPieces(t *testing.T) {
	s := start(t, nil)
	play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: "slow-drip", Delay: time.Millisecond}}})
	c := dial(t, s)
	sendQuery(t, c, query{})
	piece := make([]byte, 4096)
	n, err := c.Read(piece)
	if err != nil || n > 64 {
		t.Errorf("the first piece has %d bytes, %v", n, err)
	}
	response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(piece[:n]), c)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := readResponse(t, response); r.kind() != repc {
		t.Errorf("in the end came %q", r.kind())
	}
	slow := dial(t, s)
	sendQuery(t, slow, query{number: numberOf(t, "slow-drip")})
	got, err := readFor(slow, brief)
	if !timedOut(err) || len(got)%64 != 0 { // not whole, and in whole pieces
		t.Errorf("after %v: %d bytes, %v", brief, len(got), err)
	}
}

func TestDelayIsWaited(t *testing.T) {
	const wanted = 100 * time.Millisecond
	s := start(t, nil)
	c := newClient(t)
	for _, name := range []spinesim.Behaviour{"delay", "fault-200", "found"} {
		play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: name, Delay: wanted}}})
		began := time.Now()
		ask(t, s, c, query{})
		if took := time.Since(began); took < wanted {
			t.Errorf("%s took %v", name, took)
		}
	}
	slow := start(t, func(c *spinesim.Config) { c.Delay = wanted })
	began := time.Now()
	ask(t, slow, c, query{})
	if took := time.Since(began); took < wanted {
		t.Errorf("with a configured delay took %v", took)
	}
}

func TestFoundTwiceSendsASecondReplyUnasked(t *testing.T) {
	s := start(t, nil)
	c := dial(t, s)
	sendQuery(t, c, query{number: numberOf(t, "found-twice")})
	reader := bufio.NewReader(c)
	var ids []string
	for range 2 {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, readResponse(t, response).text("MessageID"))
	}
	if ids[0] != ids[1] || s.Counters().RequestsRead != 1 {
		t.Errorf("replies %v", ids)
	}
}

// Failures before a request is understood: what the client sees, and how far
// the simulator counted.
func TestConnectionsThatFail(t *testing.T) {
	type counts struct{ handshakes, begun, read int64 }
	handshake := func(s *spinesim.Simulator, wait time.Duration) (net.Conn, error) {
		raw, err := net.Dial("tcp", s.Addr())
		if err != nil {
			return nil, err
		}
		raw.SetDeadline(time.Now().Add(wait))
		config := clientTLS()
		config.ServerName = "localhost"
		c := tls.Client(raw, config)
		err = c.Handshake()
		if err != nil {
			raw.Close()
			return nil, err
		}
		raw.SetDeadline(time.Time{})
		return c, nil
	}
	alert := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "remote error: tls:")
	}
	tests := []struct {
		name      spinesim.Behaviour
		handshake func(error) bool // how it fails, nil if it succeeds
		ends      func(error) bool // how the request fails
		want      counts
	}{
		{"accept-stall", timedOut, nil, counts{}},
		{"accept-reset", wasReset, nil, counts{}},
		{"tls-handshake-failure", alert, nil, counts{}},
		{"tls-handshake-stall", timedOut, nil, counts{}},
		{"reset-before-reading", nil, wasReset, counts{1, 1, 0}},
		{"close-before-reading", nil, func(err error) bool { return wasClosed(err) || wasReset(err) }, counts{1, 1, 0}},
		{"reset-after-headers", nil, wasReset, counts{1, 1, 0}},
	}
	for _, tt := range tests {
		t.Run(string(tt.name), func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			play(t, s, steps(tt.name))
			wait := patient
			if strings.HasSuffix(string(tt.name), "-stall") {
				wait = brief
			}
			c, err := handshake(s, wait)
			switch {
			case tt.handshake != nil:
				if !tt.handshake(err) {
					t.Errorf("the handshake ended with: %v", err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				defer c.Close()
				document := query{}.xml()
				var got []byte
				_, err = io.WriteString(c, head(len(document))+document)
				if err == nil { // else the reset came early
					got, err = readFor(c, patient)
				}
				if !tt.ends(err) || len(got) > 0 {
					t.Errorf("%d bytes came, the connection ended with: %v", len(got), err)
				}
			}
			await(t, "the behaviour strikes", func() bool { return s.Counters().ByBehaviour[string(tt.name)] > 0 })
			n := s.Counters()
			if got := (counts{n.Handshakes, n.RequestsBegun, n.RequestsRead}); got != tt.want || n.Connections != 1 || n.Processed != 0 {
				t.Errorf("counted %+v on %d connections, want %+v", got, n.Connections, tt.want)
			}
			if n.ByBehaviour[string(tt.name)] != 1 {
				t.Errorf("behaviours counted: %v", n.ByBehaviour)
			}
			again, err := handshake(s, patient)
			if err != nil {
				t.Fatalf("the next connection fails too: %v", err)
			}
			again.Close()
		})
	}
}

// On a kept connection a first-byte failure strikes the next request, while one
// of the handshake waits for the next connection.
func TestFailuresWaitForTheirStage(t *testing.T) {
	s := start(t, nil)
	c := dial(t, s)
	exchange := func() string {
		sendQuery(t, c, query{})
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return readResponse(t, response).kind()
	}
	play(t, s, steps("tls-handshake-failure"))
	if got := exchange(); got != repc {
		t.Errorf("a kept connection met %q", got)
	}
	_, err := tls.Dial("tcp", s.Addr(), clientTLS())
	if err == nil {
		t.Error("the next handshake succeeded")
	}
	play(t, s, steps("reset-before-reading"))
	document := query{}.xml()
	_, err = io.WriteString(c, head(len(document))+document)
	if err == nil { // else the reset came early
		_, err = readFor(c, patient)
	}
	if !wasReset(err) {
		t.Errorf("the kept connection ended with: %v", err)
	}
}

func TestOnlyClientsOfTheAuthorityAreServed(t *testing.T) {
	s := start(t, nil)
	stranger, err := pki().stranger.Issue(clientRequest())
	if err != nil {
		t.Fatal(err)
	}
	for name, certificates := range map[string][]tls.Certificate{
		"no certificate": nil,
		"stranger":       {stranger.TLSCertificate()},
		"a server's own": {pki().server.TLSCertificate()},
	} {
		t.Run(name, func(t *testing.T) {
			config := clientTLS()
			config.Certificates = certificates
			transport := &http.Transport{TLSClientConfig: config}
			defer transport.CloseIdleConnections()
			_, _, err := post(&http.Client{Transport: transport}, s.URL(), query{}.xml())
			if err == nil {
				t.Error("served")
			}
		})
	}
	if n := s.Counters(); n.Handshakes != 0 || n.RequestsBegun != 0 {
		t.Errorf("%d handshakes, %d requests", n.Handshakes, n.RequestsBegun)
	}
}

func TestTLSVersionsAreLimited(t *testing.T) {
	old := start(t, func(c *spinesim.Config) { c.MaxTLSVersion = tls.VersionTLS12 })
	now := start(t, nil)
	for _, tt := range []struct {
		name     string
		s        *spinesim.Simulator
		min, max uint16
		version  uint16 // 0 for none
	}{
		{"1.2 only, client of both", old, tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS12},
		{"1.2 only, client of 1.3", old, tls.VersionTLS13, tls.VersionTLS13, 0},
		{"default, client of both", now, tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS13},
		{"default, client of 1.1", now, tls.VersionTLS10, tls.VersionTLS11, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := clientTLS()
			config.MinVersion, config.MaxVersion = tt.min, tt.max
			c, err := tls.Dial("tcp", tt.s.Addr(), config)
			var got uint16
			if err == nil {
				got = c.ConnectionState().Version
				c.Close()
			}
			if got != tt.version {
				t.Errorf("version %x, want %x (%v)", got, tt.version, err)
			}
		})
	}
}

// Connections are kept, and end when the client says so.
func TestConnectionsAreKept(t *testing.T) {
	s := start(t, nil)
	raw := dial(t, s) // net/http now and then gives a connection up
	for range 5 {
		sendQuery(t, raw, query{})
		response, err := http.ReadResponse(bufio.NewReader(raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		readResponse(t, response)
	}
	if n := s.Counters(); n.Connections != 1 || n.Handshakes != 1 || n.RequestsRead != 5 {
		t.Errorf("%d connections, %d handshakes, %d requests", n.Connections, n.Handshakes, n.RequestsRead)
	}
	for i, q := range s.Received() {
		if q.Connection != 1 || q.Sequence != int64(i+1) {
			t.Errorf("query %d came as %d on connection %d", i+1, q.Sequence, q.Connection)
		}
	}
	document := query{}.xml()
	_, err := io.WriteString(raw, strings.Replace(head(len(document)), "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)+document)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readFor(raw, patient)
	if err != nil || !bytes.Contains(got, []byte("Connection: close")) {
		t.Errorf("the connection ended with %v", err)
	}
}
