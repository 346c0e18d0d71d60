package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
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
	"github.com/wardsmsp/ward/internal/logtest"
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

// rig is a server with everything around it in the process.
type rig struct {
	address string
	tls     *tls.Config
	book    *book
	spine   *spine
	log     *logtest.Lines
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
	return newRigWithin(t, 2*patience)
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
		ed: ed, book: &book{claimed: map[string]bool{}}, spine: &spine{ask: foundFor}, log: &logtest.Lines{}, newID: newID, meter: &meter{},
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
	gate := gateway.New(gateway.Config{Budget: 2 * patience, RecordReserve: time.Second, Checks: []gateway.Check{r.check}, Now: now, NewID: newID}, r.spine, r.book)
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
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
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

func (r *rig) client(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: r.url(), TLS: r.tls, Username: "ed-system", Organisation: "RZZ99", Provider: "Y99", Timeout: 2 * patience})
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
