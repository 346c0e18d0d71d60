package replies_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
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

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/ebxml"
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
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
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

// lines is an operational log that a test can read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const path = "/replies"

// secret must be found in no log, no entry and no answer.
const secret = "Robin Fennimore 999 000 0018"

// rig is a listener over real TLS, and the Spine that delivers to it.
type rig struct {
	book     *book
	log      *lines
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
	r := &rig{book: &book{}, log: &lines{}, pki: pki}
	ours := r.issue(t, testpki.Request{CommonName: "ward.test", DNSNames: []string{"ward.test"}, Server: true})
	r.spine = r.issue(t, testpki.Request{CommonName: "spine.test", DNSNames: []string{"Spine.test"}, Client: true})
	logger := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.discards = replies.NewDiscards(r.book, logger, r.now, newID)
	options := replies.Options{Waiting: 100, Remembered: 100, Remember: time.Hour, Now: r.now, Untaken: r.discards.Untaken}
	config := replies.Config{
		TLS:   &tls.Config{Certificates: []tls.Certificate{ours.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pki.Pool()},
		Peers: []string{"sha256:" + clients.Fingerprint(r.spine.Leaf)}, Path: path, Discards: r.discards, Log: r.book, Logger: logger, Now: r.now, NewID: newID,
		Limits: replies.Limits{Connections: 32, PerAddress: 32, Deliveries: 8, Body: 64 << 10, Header: 16 << 10, Timeout: 5 * time.Second, IdleTimeout: 5 * time.Second},
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
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
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
	transport := &http.Transport{TLSClientConfig: config, ExpectContinueTimeout: 5 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
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

// WRD-SPN-08: a reply reaches the question that it refers to, and is acknowledged where
// that is asked for.
func TestReplyIsDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, ack := range []bool{false, true} {
		ref, id := newID(), newID()
		e := r.expect(t, ref)
		got := r.deliver(t, message{id: id, refTo: ref, action: success, ack: ack})
		if ack {
			acknowledges(t, got, id)
		} else if diff := cmp.Diff(answer{status: http.StatusAccepted}, got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		reply, err := e.Wait(t.Context())
		if err != nil || reply.Action != success || reply.MessageID != id || !strings.Contains(reply.Payload, secret) || reply.Received.IsZero() {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	r.book.all(t, 0)
	if r.server.Delivered() != 2 {
		t.Errorf("%d delivered", r.server.Delivered())
	}
}

// WRD-SPN-17: a reply that nobody takes is on record, without its content, before it
// is confirmed as any other.
func TestReplyThatNobodyTakes(t *testing.T) {
	t.Parallel()
	answered, closed, unknown := newID(), newID(), newID()
	for name, tt := range map[string]struct {
		ref, action, reason, notified, correlation string
	}{
		"repeated":           {answered, success, "repeated: the question has another reply", "maybe", "of " + answered},
		"late":               {closed, "QUQI_IN010000UK14", "late: nobody waits for this reply any more", "", "of " + closed},
		"unasked":            {unknown, success, "unasked: it refers to no message that is known to have been sent", "maybe", ""},
		"without reference":  {"", "MCCI_IN010000UK13", "unasked: it refers to no message that is known to have been sent", "", ""},
		"of unknown content": {unknown, "QUPA_IN000009UK03", "unasked: it refers to no message that is known to have been sent", "", ""},
	} {
		for _, ack := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				r.expect(t, closed).Close()
				e := r.expect(t, answered)
				r.deliver(t, message{id: newID(), refTo: answered, action: success})
				_, err := e.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r.book.fail(true)
				m := message{id: newID(), refTo: tt.ref, action: tt.action, ack: ack}
				got := r.deliver(t, m)
				if got.status != http.StatusServiceUnavailable || got.body != "" {
					t.Errorf("confirmed without a record: %+v", got)
				}
				r.book.fail(false)
				got = r.deliver(t, m)
				if ack {
					acknowledges(t, got, m.id)
				} else if got.status != http.StatusAccepted {
					t.Errorf("%+v", got)
				}
				entry := r.book.all(t, 1)[0]
				want := audit.Entry{Kind: audit.Discarded, Correlation: tt.correlation, Certificate: clients.Fingerprint(r.spine.Leaf),
					MessageID: m.id, Notified: tt.notified, Reason: tt.reason, Time: entry.Time, Remote: entry.Remote, Elapsed: entry.Elapsed}
				if tt.ref != "" {
					want.SpineMessageIDs = []string{tt.ref}
				}
				if tt.correlation == "" {
					want.Correlation = entry.Correlation
				}
				if diff := cmp.Diff(want, entry); diff != "" || entry.Correlation == "" || entry.Remote == "" || entry.Time.IsZero() {
					t.Errorf("entry (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A message that is too old is not delivered, although somebody waits; a little
// difference between the clocks does not make one.
func TestExpiredMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ref := newID()
	e := r.expect(t, ref)
	m := message{id: newID(), refTo: ref, action: success, lives: -time.Minute, ack: true}
	complains(t, r.deliver(t, m), m.id, "TimeToLiveExpired")
	entry := r.book.all(t, 1)[0]
	if entry.Kind != audit.Discarded || entry.Reason != "expired: its time to live was over when it came" || entry.Notified != "maybe" {
		t.Errorf("%+v", entry)
	}
	got := r.deliver(t, message{id: "on time", refTo: ref, action: success, lives: -time.Second}.named(newID()))
	reply, err := e.Wait(t.Context())
	if got.status != http.StatusAccepted || err != nil || reply.MessageID == m.id {
		t.Errorf("%+v, %+v, %v", got, reply, err)
	}
}

func (m message) named(id string) message {
	m.id = id
	return m
}

// An asynchronous error message ends the question that it is about.
func TestErrorMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ref := newID()
	e := r.expect(t, ref)
	ours := ebxml.Header{FromParty: "RZZ99-000001", ToParty: "YES-0000806", CPAID: "S1", ConversationID: newID(), MessageID: ref}
	contentType, body, err := ebxml.WriteErrors(ours, newID(), time.Now(), []ebxml.Error{{Code: "ValueNotRecognized", Severity: "Error", Description: secret}})
	if err != nil {
		t.Fatal(err)
	}
	spine := r.client(t, r.spine)
	for range 2 {
		got := send(t, spine, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
		if got.status != http.StatusAccepted || got.body != "" {
			t.Errorf("%+v", got)
		}
	}
	reply, err := e.Wait(t.Context())
	if err != nil || reply.Action != "MessageError" || reply.Payload != "" || len(reply.Errors) != 1 || reply.Errors[0].Code != "ValueNotRecognized" {
		t.Errorf("%+v, %v", reply, err)
	}
	if entry := r.book.all(t, 1)[0]; entry.Kind != audit.Discarded || entry.Notified != "" {
		t.Errorf("%+v", entry)
	}
}

// An acknowledgement is not a reply, whether or not it is about a message of ours.
func TestAcknowledgementIsNoReply(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ref := newID()
	e := r.expect(t, ref)
	for _, id := range []string{ref, newID()} {
		ours := ebxml.Header{FromParty: "RZZ99-000001", ToParty: "YES-0000806", CPAID: "S1", ConversationID: newID(), MessageID: id}
		contentType, body, err := ebxml.WriteAcknowledgment(ours, newID(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), contentType, bytes.NewReader(body))
		if got.status != http.StatusAccepted {
			t.Errorf("%+v", got)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Wait(ended)
	if !errors.Is(err, replies.ErrNoReply) {
		t.Errorf("Wait = %v", err)
	}
	r.book.all(t, 0)
}

// What is no message is answered as ebXML wants, recorded without its content and at a
// bounded rate, and reaches nobody.
func TestWhatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	ref := newID()
	whole := message{id: newID(), refTo: ref, action: success}
	contentType, body := whole.write(t)
	broken := func(old, new string) string {
		changed := strings.ReplaceAll(string(body), old, new)
		if changed == string(body) {
			t.Fatalf("no %s in the message", old)
		}
		return changed
	}
	const fault = `<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault><faultcode>SOAP:Server</faultcode><faultstring>` +
		secret + `</faultstring></SOAP:Fault></SOAP:Body></SOAP:Envelope>`
	for name, tt := range map[string]struct {
		contentType, body string
		code              string // of the error message; a SOAP fault if empty
	}{
		"empty":             {contentType, "", ""},
		"not XML":           {"text/xml", secret, ""},
		"with a DTD":        {"text/xml", "<!DOCTYPE a [<!ENTITY b '" + secret + "'>]><a>&b;</a>", ""},
		"a fault":           {"text/xml", fault, ""},
		"cut short":         {contentType, string(body[:len(body)*2/3]), ""},
		"no envelope":       {"text/xml", "<a>" + secret + "</a>", ""},
		"another document":  {contentType, broken("eb:Reference", "eb:Other"), "Unknown"},
		"a ping":            {contentType, broken("<eb:Service>urn:nhs:names:services:cpisquery<", "<eb:Service>urn:oasis:names:tc:ebxml-msg:service<"), "NotSupported"},
		"of an unknown way": {contentType, broken("cid:", "http://"), "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			e := r.expect(t, ref)
			got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), tt.contentType, strings.NewReader(tt.body))
			if tt.code != "" {
				complains(t, got, whole.id, tt.code)
			} else if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "<faultcode>SOAP:Client</faultcode>") {
				t.Errorf("%+v", got)
			}
			entry := r.book.all(t, 1)[0]
			if entry.Kind != audit.Discarded || !strings.HasPrefix(entry.Reason, "not understood: ") || entry.Notified != "" && tt.code == "" {
				t.Errorf("%+v", entry)
			}
			for range 30 {
				send(t, r.client(t, r.spine), http.MethodPost, r.url(), tt.contentType, strings.NewReader(tt.body))
			}
			r.book.mu.Lock()
			entries := len(r.book.entries)
			r.book.mu.Unlock()
			if entries > 15 || r.discards.Counts()[replies.NotUnderstood] != 31 {
				t.Errorf("%d entries, counts %v", entries, r.discards.Counts())
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := e.Wait(ended)
			if !errors.Is(err, replies.ErrNoReply) {
				t.Errorf("Wait = %v", err)
			}
		})
	}
}

// WRD-IAM-02, WRD-IAM-04: only the Spine delivers, by whichever form its certificate is
// named; no byte of a stranger's body is read.
func TestOnlyPeersDeliver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		peer   func(r *rig) string
		status int
	}{
		"certificate": {func(r *rig) string { return "SHA256:" + strings.ToUpper(clients.Fingerprint(r.spine.Leaf)) }, http.StatusAccepted},
		"key": {func(r *rig) string {
			sum := sha256.Sum256(r.spine.Leaf.RawSubjectPublicKeyInfo)
			return "spki:" + hex.EncodeToString(sum[:])
		}, http.StatusAccepted},
		"name":                {func(*rig) string { return "dns:spine.test" }, http.StatusAccepted},
		"another name":        {func(*rig) string { return "dns:other.test" }, http.StatusForbidden},
		"the common name":     {func(*rig) string { return "dns:spine" }, http.StatusForbidden},
		"another certificate": {func(*rig) string { return "sha256:" + strings.Repeat("0", 64) }, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			other := newRigOf(t, r, tt.peer(r))
			ref := newID()
			e := other.expect(t, ref)
			contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
			got := send(t, other.client(t, r.spine), http.MethodPost, other.url(), contentType, bytes.NewReader(body))
			if got.status != tt.status || got.body != "" {
				t.Errorf("%+v", got)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := e.Wait(ended)
			if (err == nil) != (tt.status == http.StatusAccepted) {
				t.Errorf("Wait = %v", err)
			}
			if tt.status == http.StatusAccepted {
				return
			}
			entry := other.book.all(t, 1)[0]
			if entry.Kind != audit.Refused || entry.Code != "HTTP 403" || entry.Certificate != clients.Fingerprint(r.spine.Leaf) ||
				!strings.Contains(entry.Subject, "spine.test") || entry.Serial == "" || entry.Issuer == "" || entry.Notified != "no" {
				t.Errorf("%+v", entry)
			}
		})
	}
}

// newRigOf is a rig with the authority and the Spine of another, and this peer.
func newRigOf(t *testing.T, r *rig, peer string) *rig {
	t.Helper()
	ours := r.issue(t, testpki.Request{CommonName: "ward.test", DNSNames: []string{"ward.test"}, Server: true})
	other := newRig(t, func(c *replies.Config, _ *replies.Options) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{ours.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: r.pki.Pool()}
		c.Peers = []string{peer}
	})
	other.pki, other.spine = r.pki, r.spine
	return other
}

// WRD-IAM-02: a stranger is answered before the body, which need not come.
func TestStrangersBodyIsNotRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	stranger := r.issue(t, testpki.Request{CommonName: "hospital.test", Client: true})
	conn, err := tls.Dial("tcp", r.address, &tls.Config{RootCAs: r.pki.Pool(), ServerName: "ward.test", Certificates: []tls.Certificate{stranger.TLSCertificate()}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(4 * time.Second)) // shorter than the listener's own patience
	io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: ward.test\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
		t.Errorf("%s, %v", got, err)
	}
	for range 30 {
		send(t, r.client(t, stranger), http.MethodPost, r.url(), "text/xml", strings.NewReader("<a/>"))
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if len(r.book.entries) < 10 || len(r.book.entries) > 20 {
		t.Errorf("%d entries about strangers", len(r.book.entries))
	}
}

// WRD-IAM-04: certificates are judged at the handshake and again at each request, since
// a connection can outlive one.
func TestCertificatesThatAreNotGood(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	stranger, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		pairs  []testpki.Pair
		reason string
	}{
		{nil, "no certificate was given"},
		{[]testpki.Pair{foreign}, "the certificate is of no known authority"},
		{[]testpki.Pair{r.issue(t, testpki.Request{CommonName: "spine.test", Client: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})}, "the certificate has expired"},
		{[]testpki.Pair{r.issue(t, testpki.Request{CommonName: "spine.test", Server: true})}, "the certificate is for another purpose"},
	} {
		_, err := r.client(t, tt.pairs...).Post(r.url(), "text/xml", strings.NewReader("<a/>"))
		if err == nil {
			t.Errorf("accepted where %s", tt.reason)
		}
		entry := r.book.all(t, i+1)[i]
		if entry.Kind != audit.Refused || entry.Reason != tt.reason {
			t.Errorf("%+v, want %s", entry, tt.reason)
		}
	}
	c := r.client(t, r.spine)
	contentType, body := message{id: newID(), refTo: newID(), action: success}.write(t)
	got := send(t, c, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
	r.pass(2 * 365 * 24 * time.Hour)
	later := send(t, c, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
	entry := r.book.all(t, 6)[5]
	if got.status != http.StatusAccepted || later.status != http.StatusForbidden || entry.Reason != "the certificate has expired" {
		t.Errorf("%+v, later %+v, %+v", got, later, entry)
	}
}

// WRD-OPS-19: what is no delivery is refused by its form.
func TestRequestsThatAreNoDeliveries(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, path, contentType string
		body                      io.Reader
		headers                   []string
		status                    int
	}{
		"another method":     {"GET", path, "text/xml", nil, nil, 405},
		"another path":       {"POST", "/smsp/cpis", "text/xml", strings.NewReader("<a/>"), nil, 404},
		"another media type": {"POST", path, "application/json", strings.NewReader("{}"), nil, 415},
		"no media type":      {"POST", path, "", strings.NewReader("<a/>"), nil, 415},
		"an encoded body":    {"POST", path, "text/xml", strings.NewReader("<a/>"), []string{"Content-Encoding", "gzip"}, 415},
		// A client that waits to be let loses no answer to a connection that closes.
		"a large body":        {"POST", path, "text/xml", strings.NewReader(strings.Repeat("a", 64<<10+1)), []string{"Expect", "100-continue"}, 413},
		"a large chunked one": {"POST", path, "text/xml", io.MultiReader(strings.NewReader(strings.Repeat("a", 64<<10+1))), nil, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			got := send(t, r.client(t, r.spine), tt.method, "https://"+r.address+tt.path, tt.contentType, tt.body, tt.headers...)
			if got.status != tt.status {
				t.Errorf("%+v", got)
			}
			entry := r.book.all(t, 1)[0]
			if entry.Kind != audit.Refused || entry.Subject != "" || entry.Certificate == "" {
				t.Errorf("%+v", entry)
			}
		})
	}
}

// A body that does not come in time gives its place back.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) {
		c.Limits.Timeout, c.Limits.Deliveries = 300*time.Millisecond, 1
	})
	reader, writer := io.Pipe()
	defer writer.Close()
	got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), "text/xml", reader)
	if got.status != http.StatusRequestTimeout {
		t.Errorf("%+v", got)
	}
	if got = r.deliver(t, message{id: newID(), refTo: newID(), action: success}); got.status != http.StatusAccepted {
		t.Errorf("after it: %+v", got)
	}
}

// broken is an exchange that takes no reply for others, or takes it when it is let.
type broken struct{ err error }

func (*broken) Expect(context.Context, replies.Question, time.Duration) error { return nil }
func (*broken) End(context.Context, string, bool) (replies.Left, bool, error) {
	return replies.Left{}, false, nil
}
func (b *broken) Leave(context.Context, string, replies.Reply) (replies.Fate, string, error) {
	return replies.Unasked, "", b.err
}
func (*broken) Run(ctx context.Context, _ func(replies.Left)) { <-ctx.Done() }

// WRD-SPN-17: a reply that cannot be handed over to another replica is not confirmed,
// and has no fate: it may be sent again.
func TestHandOverFails(t *testing.T) {
	t.Parallel()
	exchange := &broken{err: errors.New("the database is gone")}
	r := newRig(t, func(_ *replies.Config, o *replies.Options) { o.Exchange = exchange })
	m := message{id: newID(), refTo: newID(), action: success, ack: true}
	got := r.deliver(t, m)
	entry := r.book.all(t, 1)[0]
	if got.status != http.StatusServiceUnavailable || got.body != "" || entry.Kind != audit.Refused || len(r.discards.Counts()) != 0 {
		t.Errorf("%+v, %+v, %v", got, entry, r.discards.Counts())
	}
	exchange.err = nil
	acknowledges(t, r.deliver(t, m), m.id)
	if entry := r.book.all(t, 2)[1]; entry.Kind != audit.Discarded {
		t.Errorf("%+v", entry)
	}
	ref := newID()
	e := r.expect(t, ref)
	exchange.err = errors.New("the database is gone")
	got = r.deliver(t, message{id: newID(), refTo: ref, action: success})
	_, err := e.Wait(t.Context())
	if got.status != http.StatusAccepted || err != nil {
		t.Errorf("a reply to a question that waits here: %+v, %v", got, err)
	}
}

// WRD-OPS-19, WRD-OPS-12: deliveries are bounded, and end in order.
func TestDeliveriesAreBoundedAndDrained(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) { c.Limits.Deliveries = 1 })
	reader, writer := io.Pipe()
	ref := newID()
	e := r.expect(t, ref)
	contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
	first := make(chan answer, 1)
	go func() { first <- send(t, r.client(t, r.spine), http.MethodPost, r.url(), contentType, reader) }()
	_, err := writer.Write(body[:100])
	if err != nil {
		t.Fatal(err)
	}
	for r.deliver(t, message{id: newID(), refTo: newID(), action: success}).status != http.StatusServiceUnavailable {
		time.Sleep(time.Millisecond) // until the first one has the place
	}
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		ended <- r.server.Shutdown(ctx)
	}()
	time.Sleep(50 * time.Millisecond)
	_, err = writer.Write(body[100:])
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if got := <-first; got.status != http.StatusAccepted {
		t.Errorf("%+v", got)
	}
	_, err = e.Wait(t.Context())
	if err = errors.Join(err, <-ended); err != nil {
		t.Error(err)
	}
}

// H-16: many replies at once, in any order, each to its question.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) { c.Limits.Deliveries = 32 })
	spine := r.client(t, r.spine)
	spine.Transport.(*http.Transport).MaxConnsPerHost = 16
	var all sync.WaitGroup
	for range 60 {
		ref := newID()
		e := r.expect(t, ref)
		all.Go(func() {
			var both sync.WaitGroup
			var statuses [2]int
			for i := range 2 {
				both.Go(func() {
					contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
					statuses[i] = send(t, spine, http.MethodPost, r.url(), contentType, bytes.NewReader(body)).status
				})
			}
			_, err := e.Wait(t.Context())
			both.Wait()
			if err != nil || statuses != [2]int{202, 202} {
				t.Errorf("%v, %v", statuses, err)
			}
		})
	}
	all.Wait()
	if counts := r.discards.Counts(); counts[replies.Repeated] != 60 || r.server.Delivered() != 60 {
		t.Errorf("%d delivered, discarded %v", r.server.Delivered(), counts)
	}
}
