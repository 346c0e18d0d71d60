package clients_test

import (
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
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	register "github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/clients"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	asid     = "999000444555"
	identity = "urn:nhs-uk:identity:ods:RZZ99:nurse-7"

	current    = "9990200017" // the number of plan-current
	unanswered = "9990200297" // the number of answer-never
)

// rig is a run with everything around it in the process.
type rig struct {
	run       *clients.Run
	url       string
	authority *testpki.Authority
	tls       *tls.Config // the client's
	log       *logtest.Lines
	stop      func() // at most once, as stopBy
	stopBy    func(ctx context.Context) error
}

// newRig starts a run. The window is long, so that what comes again in it is seen on
// a slow machine too.
func newRig(t *testing.T, change func(*clients.Config)) *rig {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	far := issue(t, authority, testpki.Request{CommonName: "smsp.test", DNSNames: []string{"smsp.test"}, Server: true})
	near := issue(t, authority, testpki.Request{CommonName: "ed.test", Client: true})
	known, err := register.NewRegister([]*register.Client{{
		Name: "ed", Organisations: []string{"RZZ99"}, Usernames: []string{"ed-system"}, AuditIdentities: []string{"urn:nhs-uk:identity:ods:RZZ99"},
		ASID: asid, TellNotified: true, Certificates: []string{"sha256:" + register.Fingerprint(near.Leaf)}, PerSecond: 20, Burst: 40, Questions: 64,
	}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		url: "https://" + listener.Addr().String() + server.Path, authority: authority, log: &logtest.Lines{},
		tls: &tls.Config{Certificates: []tls.Certificate{near.TLSCertificate()}, RootCAs: authority.Pool(), ServerName: "smsp.test"},
	}
	config := clients.Config{
		TLS: &tls.Config{Certificates: []tls.Certificate{far.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs: authority.Pool(), MinVersion: tls.VersionTLS12},
		Register: known, Subject: "Test ED system 1.0", Tool: "ward test",
		Expect: itk.Expectations{Skew: 5 * time.Second, MaxLifetime: 24 * time.Hour, To: []string{r.url},
			Profiles: []string{itk.RequestProfile}, Interactions: []string{itk.RequestInteraction}},
		Limits: server.Limits{Connections: 128, Questions: 64, Body: 256 << 10, Header: 16 << 10, HeaderTimeout: 10 * time.Second,
			BodyTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute},
		Provider: "Y99", Window: 5 * time.Minute, Slow: time.Second, GiveUp: time.Minute,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)), Now: time.Now,
		NewID: func() string { return strings.ToUpper(uuid.NewString()) },
	}
	if change != nil {
		change(&config)
	}
	r.run, err = clients.New(config)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.run.Serve(listener) }()
	var once sync.Once
	r.stopBy = func(ctx context.Context) (err error) {
		once.Do(func() { err = errors.Join(r.run.Stop(ctx), <-served) })
		return err
	}
	r.stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		err := r.stopBy(ctx)
		if err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func issue(t *testing.T, authority *testpki.Authority, request testpki.Request) testpki.Pair {
	t.Helper()
	pair, err := authority.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// sdk is the Go SDK of this repository as the client under test.
func (r *rig) sdk(t *testing.T, timeout time.Duration) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: r.url, TLS: r.tls, Username: "ed-system", Organisation: "RZZ99", Provider: "Y99", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func question(t *testing.T, digits string) client.Question {
	t.Helper()
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return client.Question{
		Number: n, AuditIdentities: []cpis.AuditIdentity{{Type: itk.IdentityType, URI: identity}},
		Author: cpis.System{
			ASID: asid,
			Authorities: []cpis.IndirectAuthority{{
				Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
				Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
			}},
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
		},
	}
}

// askAndGo asks about a number, and goes as soon as the message was read.
func (r *rig) askAndGo(t *testing.T, digits string) {
	t.Helper()
	c, q, known := r.sdk(t, time.Minute), question(t, digits), r.run.Known()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var asking sync.WaitGroup
	asking.Go(func() { c.Ask(ctx, q) })
	r.until(t, func() bool { return r.run.Known() > known })
	giveUp()
	asking.Wait()
}

// message is a right message about a number, for a bad client to spoil.
func (r *rig) message(t *testing.T, digits string) string {
	t.Helper()
	m, err := r.sdk(t, time.Minute).Prepare(question(t, digits))
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Content)
}

// post sends a message in the way of a bad client, over a connection of its own, and
// returns the status, 0 if no answer came.
func (r *rig) post(t *testing.T, content string, change func(*http.Request)) int {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: r.tls, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.GetBody = nil
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if change != nil {
		change(request)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func (r *rig) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(r.url, "https://"), server.Path)
}

// await waits until so many requests are under way.
func (r *rig) await(t *testing.T, n int) {
	t.Helper()
	r.until(t, func() bool { return r.run.UnderWay() == n })
}

// until waits for what a run is about to do.
func (r *rig) until(t *testing.T, done func() bool) {
	t.Helper()
	for range 60_000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("it did not come to that; %d requests are under way", r.run.UnderWay())
}

// settle waits until nothing is under way: a client can be told before the run has
// noted what it told.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	r.await(t, 0)
}

// report ends the run.
func (r *rig) report(t *testing.T, c clients.Confirmations) conform.Report {
	t.Helper()
	r.settle(t)
	r.stop()
	return r.run.Report(c)
}

func with(report conform.Report, status conform.Status) []string {
	var ids []string
	for _, result := range report.Results {
		if result.Status == status {
			ids = append(ids, result.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func find(t *testing.T, report conform.Report, id string) conform.Result {
	t.Helper()
	for _, result := range report.Results {
		if result.ID == id {
			return result
		}
	}
	t.Fatalf("there is no case %s", id)
	return conform.Result{}
}
