package provider_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

// hungDirectory is a FHIR API that takes questions and never answers. Each arrives on
// the channel.
func hungDirectory(t *testing.T, authority *testpki.Authority) (options *sds.Options, arrived chan struct{}) {
	t.Helper()
	arrived = make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	pair, err := authority.Issue(testpki.Request{CommonName: "sds.test", DNSNames: []string{"sds.test"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair.TLSCertificate()}}
	server.StartTLS()
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &sds.Options{
		FHIR: &sds.FHIR{
			Base: base, APIKey: "key", TLS: &tls.Config{RootCAs: authority.Pool(), ServerName: "sds.test", MinVersion: tls.VersionTLS12},
			ConnectTimeout: time.Minute, AnswerTimeout: time.Minute,
		},
		Organisation: "YES", Interaction: "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01",
		Fresh: time.Minute, Stale: time.Hour, Patience: time.Second, Retry: time.Minute, Author: time.Minute, Now: time.Now,
	}, arrived
}

// IG-3.9.2a, WRD-OPS-12: a look-up that is under way when the provider stops has left
// the machine, and is recorded before the log is closed.
func TestLookUpsAreRecordedBeforeTheLogIsClosed(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s := setStage(t, stage.Options{Ward: "[operations]\naddress = \"" + address + "\"\n"})
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	directory, arrived := hungDirectory(t, s.Authority)
	settings.Directory, settings.Spine.Pattern = directory, "sds"
	var log strings.Builder
	p, err := provider.Start(t.Context(), settings, slog.New(slog.NewTextHandler(&log, nil)), "test")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		response, err := (&http.Client{Transport: transport}).Get("http://" + address + "/readyz")
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = p.Stop(ctx)
	if err != nil {
		t.Error(err)
	}
	<-asked
	looked := entries(t, s, audit.LookedUp, audit.Stopped)
	if len(looked) != 2 || looked[0].Kind != audit.LookedUp || looked[0].Reason != "directory, service: not available" || looked[1].Kind != audit.Stopped {
		t.Errorf("recorded %+v", looked)
	}
	if line := log.String(); !strings.Contains(line, "event=directory.failed") || !strings.Contains(line, "check sds.url") {
		t.Errorf("operators are not told why: %s", line)
	}
}

// A directory that does not answer leaves the Spine half of the time that a question has.
func TestTheDirectoryLeavesTimeForTheSpine(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	directory, _ := hungDirectory(t, s.Authority)
	settings.Directory, settings.Spine.Pattern = directory, "sds"
	p, err := provider.Start(t.Context(), settings, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	began := time.Now()
	_, err = p.Route(ctx)
	if took := time.Since(began); err == nil || took < 2*time.Second || ctx.Err() != nil {
		t.Errorf("after %v, with %v: %v", took, ctx.Err(), err)
	}
}

// WRD-IAM-18: whoever the Spine will be told is a smartcard user, with a role profile, is
// looked up, whatever the client's users are said to have. A directory that knows no
// people lets nobody through.
func TestWhoIsLookedUp(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	settings.Directory, _ = hungDirectory(t, s.Authority)
	p, err := provider.Start(t.Context(), settings, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	user := cpis.Identifier{Root: cpis.OIDUserID, Extension: "999000111222"}
	profile := cpis.Identifier{Root: cpis.OIDRoleProfile, Extension: "999000111333"}
	for name, c := range map[string]struct {
		method   clients.AccessMethod
		author   cpis.Author
		lookedUp bool
	}{
		"smartcard":                        {clients.Smartcard, cpis.Person{IDs: []cpis.Identifier{user, profile}}, true},
		"smartcard without a role profile": {clients.Smartcard, cpis.Person{IDs: []cpis.Identifier{user}}, true},
		"attended with a role profile":     {clients.Attended, cpis.Person{IDs: []cpis.Identifier{user, profile}}, true},
		"attended without one":             {clients.Attended, cpis.Person{IDs: []cpis.Identifier{user}}, false},
		"attended, system":                 {clients.Attended, cpis.System{}, false},
		"unattended":                       {clients.Unattended, cpis.System{}, false},
	} {
		f := p.CheckAuthor(t.Context(), gateway.Question{Client: &clients.Client{Method: c.method}, Query: cpis.Query{Author: c.author}})
		if f.Refused != c.lookedUp || f.Refused && f.Refusal.Outcome() != cpis.DirectoryFailed {
			t.Errorf("%s: refused %t as %s, want %t", name, f.Refused, f.Refusal.Outcome(), c.lookedUp)
		}
	}
}
