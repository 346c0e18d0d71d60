package replies_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/testpki"
)

// book is an audit log that fails on purpose.
type book struct {
	mu      sync.Mutex
	entries []audit.Entry
	fails   bool
}

func (b *book) Append(_ context.Context, e audit.Entry) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails {
		return 0, errors.New("the disk is full")
	}
	b.entries = append(b.entries, e)
	return int64(len(b.entries)), nil
}

func (b *book) fail(fails bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = fails
}

// all are the entries, waiting for so many.
func (b *book) all(t *testing.T, many int) []audit.Entry {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		entries := slices.Clone(b.entries)
		b.mu.Unlock()
		if len(entries) >= many || time.Now().After(end) {
			if len(entries) != many {
				t.Fatalf("%d entries, want %d: %+v", len(entries), many, entries)
			}
			return entries
		}
	}
}

const path = "/replies"

// patience bounds every wait for what is to come, however slow the machine.
const patience = 30 * time.Second

// secret must be found in no log, no entry and no answer.
const secret = "Robin Fennimore 999 000 0018"

// rig is a listener over real TLS, and the Spine that delivers to it.
type rig struct {
	book     *book
	log      *logtest.Lines
	room     *replies.Room
	discards *replies.Discards
	server   *replies.Server
	address  string
	spine    testpki.Pair
	pki      *testpki.Authority

	mu    sync.Mutex
	ahead time.Duration
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.ahead)
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

func newRig(t *testing.T, change func(*replies.Config, *replies.Options)) *rig {
	t.Helper()
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{book: &book{}, log: &logtest.Lines{}, pki: pki}
	ours := r.issue(t, testpki.Request{CommonName: "ward.test", DNSNames: []string{"ward.test"}, Server: true})
	r.spine = r.issue(t, testpki.Request{CommonName: "spine.test", DNSNames: []string{"Spine.test"}, Client: true})
	logger := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.discards = replies.NewDiscards(r.book, logger, r.now, newID)
	options := replies.Options{Waiting: 100, Remembered: 100, Remember: time.Hour, Now: r.now, Untaken: r.discards.Untaken}
	config := replies.Config{
		TLS:   &tls.Config{Certificates: []tls.Certificate{ours.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pki.Pool()},
		Peers: []string{"sha256:" + clients.Fingerprint(r.spine.Leaf)}, Path: path, Discards: r.discards, Log: r.book, Logger: logger, Now: r.now, NewID: newID,
		Limits: replies.Limits{Connections: 32, PerAddress: 32, Deliveries: 8, Body: 64 << 10, Header: 16 << 10, Timeout: 2 * patience, IdleTimeout: 2 * patience},
	}
	if change != nil {
		change(&config, &options)
	}
	r.room = replies.NewRoom(options)
	t.Cleanup(r.room.Stop)
	config.Room = r.room
	r.server = replies.New(config)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		err := errors.Join(r.server.Shutdown(ctx), <-served)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(r.log.String(), "Fennimore") {
			t.Error("the log has content of a reply")
		}
		for _, e := range r.book.entries {
			text, err := e.MarshalJSON()
			if err != nil || bytes.Contains(text, []byte("Fennimore")) {
				t.Errorf("an entry has content of a reply: %s, %v", text, err)
			}
		}
	})
	return r
}

func (r *rig) issue(t *testing.T, request testpki.Request) testpki.Pair {
	t.Helper()
	pair, err := r.pki.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// client is an HTTP client that shows these certificates.
func (r *rig) client(t *testing.T, pairs ...testpki.Pair) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: r.pki.Pool(), ServerName: "ward.test"}
	for _, pair := range pairs {
		config.Certificates = append(config.Certificates, pair.TLSCertificate())
	}
	transport := &http.Transport{TLSClientConfig: config, ExpectContinueTimeout: 2 * patience}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}

// answer is what came back.
type answer struct {
	status      int
	contentType string
	body        string
}

func send(t *testing.T, c *http.Client, method, url, contentType string, body io.Reader, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), "Fennimore") {
		t.Error("the answer quotes the reply")
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(content)}
}

func (r *rig) url() string { return "https://" + r.address + path }

// message is one of the Spine.
type message struct {
	id, refTo, action string
	ack               bool
	lives             time.Duration // 0: for ever
}

func (m message) write(t testing.TB) (contentType string, body []byte) {
	t.Helper()
	now := time.Now()
	h := ebxml.Header{ConversationID: newID(), Service: "urn:nhs:names:services:cpisquery", Action: m.action, MessageID: m.id, RefToMessageID: m.refTo,
		Timestamp: now, AckRequested: m.ack, SyncReply: m.ack}
	c := ebxml.Contract{CPAID: "S2001919A2012002", FromParty: "YES-0000806", ToParty: "RZZ99-000001", AckRequested: m.ack}
	if m.ack {
		c.SyncReply = "MSHSignalsOnly"
	}
	if m.lives != 0 {
		h.TimeToLive = now.Add(m.lives)
	}
	contentType, body, err := ebxml.WriteRequest(h, []byte("<"+m.action+" xmlns='urn:hl7-org:v3'>"+secret+"</"+m.action+">"), c)
	if err != nil {
		t.Fatal(err)
	}
	return contentType, body
}

const success = "REPC_IN000007GB01"

func (r *rig) deliver(t *testing.T, m message) answer {
	t.Helper()
	contentType, body := m.write(t)
	return send(t, r.client(t, r.spine), http.MethodPost, r.url(), contentType, bytes.NewReader(body))
}

func (r *rig) expect(t *testing.T, id string) *replies.Expected {
	t.Helper()
	e, err := r.room.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id, Until: r.now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// acknowledges fails unless an answer acknowledges a message.
func acknowledges(t *testing.T, a answer, id string) {
	t.Helper()
	m, err := ebxml.Read(a.contentType, a.body, ebxml.Limits{Bytes: 1 << 20})
	if a.status != http.StatusOK || err != nil || m.Kind != ebxml.Acknowledgment || m.Header.RefToMessageID != id ||
		m.Header.FromParty != "RZZ99-000001" || m.Header.ToParty != "YES-0000806" {
		t.Errorf("no acknowledgement of %s: %+v, %+v, %v", id, a, m, err)
	}
}

// complains fails unless an answer is an error message about a message.
func complains(t *testing.T, a answer, id, code string) {
	t.Helper()
	m, err := ebxml.Read(a.contentType, a.body, ebxml.Limits{Bytes: 1 << 20})
	if a.status != http.StatusOK || err != nil || m.Kind != ebxml.MessageError || m.Header.RefToMessageID != id || m.Errors[0].Code != code {
		t.Errorf("not the error %s about %s: %+v, %+v, %v", code, id, a, m, err)
	}
}
