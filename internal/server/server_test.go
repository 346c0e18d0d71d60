package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is an audit log that fails on purpose.
type book struct {
	mu      sync.Mutex
	entries []audit.Entry
	fails   audit.Kind // cannot be written
	panics  audit.Kind
	claimed map[string]bool
}

func (b *book) Append(_ context.Context, e audit.Entry) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case b.fails:
		return 0, errors.New("the disk is full")
	case b.panics:
		panic("the log broke on " + e.NHSNumber)
	}
	b.entries = append(b.entries, e)
	return int64(len(b.entries)), nil
}

func (b *book) AppendOnce(ctx context.Context, e audit.Entry, c audit.Claim) (int64, error) {
	b.mu.Lock()
	for _, id := range c.IDs {
		if b.claimed[c.Client+id] {
			b.mu.Unlock()
			return 0, audit.ErrClaimed
		}
	}
	for _, id := range c.IDs {
		b.claimed[c.Client+id] = true
	}
	b.mu.Unlock()
	return b.Append(ctx, e)
}

func (b *book) kinds() []audit.Kind {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []audit.Kind
	for _, e := range b.entries {
		all = append(all, e.Kind)
	}
	return all
}

// spine is a Spine in the process.
type spine struct {
	mu    sync.Mutex
	asked int
	ask   func(cpis.Query) cpis.Answer
}

func (s *spine) Ask(_ context.Context, _ string, q cpis.Query, _ []string) (cpis.Answer, int) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	return s.ask(q), 1
}

func foundFor(q cpis.Query) cpis.Answer {
	one, none := 1, 0
	return cpis.DefaultRules().Success(q, cpis.Statement{
		Findings: cpis.Findings{
			ID: "F0000000-0000-4000-8000-000000000001", Time: cpis.Moment{Written: "20260314092700+0000"},
			Records: []cpis.Record{{
				LocalAuthority: cpis.LocalAuthority{
					Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "E09X1"}, Name: "Westmarch Borough Council"},
					Telecoms:     []cpis.Telecom{{Use: "EC", Value: "tel:02079460102"}},
				},
				Plans: []cpis.Plan{{Type: cpis.ChildProtectionPlan, Start: cpis.Date{Year: 2026, Month: 1, Day: 2}}},
				Subjects: []cpis.Subject{{Birth: cpis.Moment{Written: "20180105"}, Name: cpis.PersonName{Parts: []cpis.NamePart{
					{Kind: "given", Text: "Robin"}, {Kind: "family", Text: "Fennimore"}}}}},
			}},
		},
		TotalRecords: &one, TotalAccesses: &none,
	})
}

// lines is an operational log that a test can read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// rig is a server with everything around it in the process.
type rig struct {
	address string
	tls     *tls.Config
	book    *book
	spine   *spine
	log     *lines
	server  *server.Server
	ed      *clients.Client // the one that is registered, to be changed before it calls

	mu        sync.Mutex
	ahead     time.Duration // how far the server's clock is ahead
	newID     func() string
	place     func() (func(), bool)
	spend     func(*clients.Client) bool
	meter     *meter
	finding   gateway.Finding // of the check before a question
	listening *tls.Config     // of the server, to be changed before anybody calls
}

func (r *rig) check(context.Context, gateway.Question) gateway.Finding { return r.finding }

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigWithin(t, 5*time.Second)
}

// newRigWithin is a rig whose server waits so long, and no longer, for each thing
// that a client is to do.
func newRigWithin(t *testing.T, wait time.Duration) *rig {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	far, err := authority.Issue(testpki.Request{CommonName: "smsp.test", DNSNames: []string{"smsp.test"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	near, err := authority.Issue(testpki.Request{CommonName: "ed.test", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	ed := &clients.Client{
		Name: "ed", Organisations: []string{"RZZ99"}, Usernames: []string{"ed-system"},
		AuditIdentities: []string{"urn:nhs-uk:identity:ods:RZZ99"}, ASID: "999000444555", TellNotified: true,
		Certificates: []string{"sha256:" + clients.Fingerprint(near.Leaf)}, PerSecond: 1000, Burst: 1000, Questions: 8,
	}
	register, err := clients.NewRegister([]*clients.Client{ed})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		ed: ed, book: &book{claimed: map[string]bool{}}, spine: &spine{ask: foundFor}, log: &lines{}, newID: newID, meter: &meter{},
		place: func() (func(), bool) { return func() {}, true },
		spend: func(*clients.Client) bool { return true },
		tls:   &tls.Config{Certificates: []tls.Certificate{near.TLSCertificate()}, RootCAs: authority.Pool(), ServerName: "smsp.test"},
	}
	now := func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return time.Now().Add(r.ahead)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	gate := gateway.New(gateway.Config{Budget: 5 * time.Second, RecordReserve: time.Second, Checks: []gateway.Check{r.check}, Now: now, NewID: newID}, r.spine, r.book)
	r.listening = &tls.Config{Certificates: []tls.Certificate{far.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool()}
	r.server = server.New(server.Config{
		TLS:      r.listening,
		Register: register, Gateway: gate, Log: r.book, Provider: "Y99", Now: now,
		Documents: map[string][]byte{"wsdl": []byte(described), "xsd=hl7.xsd": []byte("<schema/>")},
		NewID:     func() string { return r.newID() },
		Place:     func() (func(), bool) { return r.place() },
		Spend:     func(c *clients.Client) bool { return r.spend(c) },
		Meter:     r.meter,
		Logger:    slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Limits: server.Limits{Connections: 64, PerAddress: perAddress, Questions: 16, Body: 64 << 10, Header: 16 << 10, HeaderTimeout: wait,
			BodyTimeout: wait, WriteTimeout: wait, IdleTimeout: wait, PerSecond: 1000, Burst: 1000},
		Expect: itk.Expectations{Skew: time.Second, MaxLifetime: time.Hour, To: []string{r.url()},
			Profiles: []string{itk.RequestProfile}, Interactions: []string{itk.RequestInteraction}},
	})
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		err := errors.Join(r.server.Shutdown(ctx), <-served)
		if err != nil {
			t.Error(err)
		}
	})
	return r
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

func (r *rig) url() string { return "https://" + r.address + server.Path }

const child = "9990000018"

func (r *rig) client(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: r.url(), TLS: r.tls, Username: "ed-system", Organisation: "RZZ99", Provider: "Y99"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func question(t *testing.T) client.Question {
	t.Helper()
	n, err := cpis.ParseNHSNumber(child)
	if err != nil {
		t.Fatal(err)
	}
	return client.Question{
		Number: n, AuditIdentities: []cpis.AuditIdentity{{Type: itk.IdentityType, URI: "urn:nhs-uk:identity:ods:RZZ99:nurse-7"}},
		Author: cpis.System{
			ASID: "999000444555",
			Authorities: []cpis.IndirectAuthority{{
				Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
				Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
			}},
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
		},
	}
}

func (r *rig) ask(t *testing.T) client.Result {
	t.Helper()
	return r.client(t).Ask(t.Context(), question(t))
}

// asked fails unless the Spine was asked so often and the log holds these entries.
func (r *rig) asked(t *testing.T, times int, kinds ...audit.Kind) {
	t.Helper()
	r.spine.mu.Lock()
	defer r.spine.mu.Unlock()
	if r.spine.asked != times || !slices.Equal(r.book.kinds(), kinds) {
		t.Errorf("asked %d times with the entries %v, want %d and %v", r.spine.asked, r.book.kinds(), times, kinds)
	}
}

// told fails unless the client was told this, without data.
func told(t *testing.T, got client.Result, o cpis.Outcome, n cpis.Notified, contains string) {
	t.Helper()
	_, data := got.Answer.Findings()
	if got.Answer.Outcome() != o || got.Answer.Notified() != n || data || !strings.Contains(string(got.Raw), contains) {
		t.Errorf("told %s, notified %s, data %t: %s", got.Answer.Outcome(), got.Answer.Notified(), data, got.Raw)
	}
	for _, secret := range []string{child, "Fennimore", "Westmarch", "goroutine", ".go:", "disk"} {
		if strings.Contains(string(got.Raw), secret) {
			t.Errorf("the client was told %q", secret)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.ask(t)
	if got.Answer.Outcome() != cpis.Found || got.Answer.Notified() != cpis.NotifiedYes {
		t.Fatalf("%s: %v", got.Answer.Outcome(), got.Cause)
	}
	r.asked(t, 1, audit.Intent, audit.Outcome)
}

// MSCA-DQ-03, WRD-PDS-04: the replacement of a number and that it was not verified
// are told to a client that takes our entries, and nobody else. Neither the log line
// nor an entry outside its sealed detail holds the replacement.
func TestRemarks(t *testing.T) {
	t.Parallel()
	replacement, err := cpis.ParseNHSNumber("9990000026")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.spine.ask = func(cpis.Query) cpis.Answer { return cpis.Superseded(replacement) }
	got := r.ask(t)
	if got.Answer.Outcome() != cpis.NumberSuperseded || got.Answer.Replacement() != replacement || got.Code != cpis.CodeInputInvalid {
		t.Errorf("told %s by %s: %s", got.Answer.Outcome(), got.Code, got.Raw)
	}
	for _, e := range r.book.entries {
		kept := strings.Contains(string(e.Detail), "9990000026")
		e.Detail = nil
		if kept != (e.Kind == audit.Outcome) || strings.Contains(fmt.Sprintf("%+v", e), "9990000026") {
			t.Errorf("%s: %+v", e.Kind, e)
		}
	}
	if strings.Contains(r.log.String(), "9990000026") {
		t.Errorf("logged: %s", r.log)
	}
	r.spine.ask, r.finding = foundFor, gateway.Finding{Verification: cpis.Unverified}
	got = r.ask(t)
	if got.Answer.Outcome() != cpis.Found || got.Answer.Verification() != cpis.Unverified {
		t.Errorf("told %s, verification %q", got.Answer.Outcome(), got.Answer.Verification())
	}
	r = newRig(t)
	r.ed.TellNotified = false
	r.spine.ask = func(cpis.Query) cpis.Answer { return cpis.Superseded(replacement).WithVerification(cpis.Unverified) }
	got = r.ask(t)
	if got.Answer.Outcome() != cpis.InputInvalid || strings.Contains(string(got.Raw), "urn:x-cpis-smsp") || strings.Contains(string(got.Raw), "9990000026") {
		t.Errorf("told %s: %s", got.Answer.Outcome(), got.Raw)
	}
}

// WRD-PDS-03: a date of birth that is none makes the question wrong: nothing is asked.
func TestBirthDateThatIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	q := question(t)
	q.BirthDate = cpis.Date{Year: 2019, Month: 2, Day: 28}
	m, err := r.client(t).Prepare(q)
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte("2019-02-28"), []byte("2019-02-29"), 1)
	told(t, r.client(t).Send(t.Context(), m), cpis.InputInvalid, cpis.NotifiedNo, `code="SMSP-0001"`)
	r.asked(t, 0, audit.Refused)
	if e := r.book.entries[0]; e.NHSNumber != child || e.Author == nil {
		t.Errorf("the log does not tell who asked about whom: %+v", e)
	}
}

// WRD-AUD-04, N37: fault 2100 says that nothing was asked, and nothing was.
func TestIntentCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Intent
	told(t, r.ask(t), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	r.asked(t, 0, audit.Outcome)
}

// WRD-AUD-05: no data without a record, and no claim that nobody was notified.
func TestOutcomeCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Outcome
	got := r.ask(t)
	told(t, got, cpis.InternalAfterSent, cpis.NotifiedYes, `code="SMSP-9999"`)
	if !strings.Contains(string(got.Raw), `value="notified"`) {
		t.Error("what is known of the notification was not told")
	}
	// The client does not wait for the remark about its answer.
	for end := time.Now().Add(patience); len(r.book.kinds()) < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r.asked(t, 1, audit.Intent, audit.Undelivered)
}

// A refusal that cannot be recorded is answered as a log that cannot be written.
func TestRefusalCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Refused
	m, err := r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte(">ed-system<"), []byte(">nobody<"), 1)
	told(t, r.client(t).Send(t.Context(), m), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	m, err = r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte(child), []byte("9990000019"), 1) // SMSP-0001, were it recorded
	told(t, r.client(t).Send(t.Context(), m), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	r.asked(t, 0)
}

// WRD-VAL-18: a failure of ours is one reply. Where the question may have been sent
// it is not a fault, which would say that nothing was asked.
func TestFailureOfOurs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		breaks  func(*rig)
		outcome cpis.Outcome
		told    string
		asked   int
		entries []audit.Kind
	}{
		"before the answer is written": {
			breaks: func(r *rig) {
				n := 0
				r.newID = func() string {
					n++
					if n == 2 {
						panic("no randomness for " + child)
					}
					return newID()
				}
			},
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent, audit.Outcome},
		},
		"at the intent": {
			breaks:  func(r *rig) { r.book.panics = audit.Intent },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`,
		},
		"while asking": {
			breaks:  func(r *rig) { r.spine.ask = func(cpis.Query) cpis.Answer { panic("broken about " + child) } },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent, audit.Outcome},
		},
		"at the outcome": {
			breaks:  func(r *rig) { r.book.panics = audit.Outcome },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.breaks(r)
			told(t, r.ask(t), c.outcome, cpis.NotifiedMaybe, c.told)
			r.asked(t, c.asked, c.entries...)
			if strings.Contains(r.log.String(), child) {
				t.Error("the log holds the NHS number")
			}
		})
	}
}

// A failure before the message was read is a fault that says that nothing was asked.
func TestFailureBeforeTheMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.panics = audit.Refused
	network, err := tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	io.WriteString(network, "GET /smsp/cpis HTTP/1.1\r\nHost: x\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(network), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), ">2200</") {
		t.Errorf("status %d, %s, %v", response.StatusCode, body, err)
	}
	r.asked(t, 0)
}

// A connection can outlive the certificate with which it was made.
func TestCertificateExpiresDuringAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	network, err := tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	reader := bufio.NewReader(network)
	m, err := r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	request := "POST /smsp/cpis HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: " + strconv.Itoa(len(m.Content)) + "\r\n\r\n"
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		io.WriteString(network, request+string(m.Content))
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
		r.mu.Lock()
		r.ahead = 400 * 24 * time.Hour
		r.mu.Unlock()
	}
	r.asked(t, 1, audit.Intent, audit.Outcome, audit.Refused)
}

// WRD-OPS-07: one client's questions do not take the places of another's.
func TestQuestionsOfOneClientAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	r.spine.ask = func(q cpis.Query) cpis.Answer {
		begun <- struct{}{}
		<-finish
		return foundFor(q)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { r.ask(t) })
		<-begun
	}
	got := r.ask(t)
	close(finish)
	all.Wait()
	if got.Answer.Outcome() != cpis.Overloaded || got.Answer.Notified() != cpis.NotifiedNo {
		t.Errorf("the ninth of eight: %s, notified %s", got.Answer.Outcome(), got.Answer.Notified())
	}
	// Every place is free again.
	r.spine.ask = foundFor
	for range 9 {
		if got := r.ask(t); got.Answer.Outcome() != cpis.Found {
			t.Errorf("afterwards: %s", got.Answer.Outcome())
		}
	}
}
