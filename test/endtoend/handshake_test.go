package endtoend_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

const day = 24 * time.Hour

// with is the registered client's TLS configuration with something changed.
func (w *ward) with(change func(*tls.Config)) *tls.Config {
	c := w.tls.Clone()
	change(c)
	return c
}

func (w *ward) holding(pair testpki.Pair) *tls.Config {
	return w.with(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair.TLSCertificate()} })
}

// turnedAwayByTLS fails unless somebody gets no byte of HTTP, although a whole
// question is sent where that is possible. It returns the log line about it.
func (w *ward) turnedAwayByTLS(t *testing.T, as *tls.Config) map[string]any {
	t.Helper()
	before := len(w.log.of(t, "connection.refused"))
	c, err := w.tryDial(as)
	if err == nil { // with TLS 1.3 a client learns of it when it first reads
		defer c.Close()
		c.Write([]byte(whole(w.message(t, withPlan))))
		_, err = http.ReadResponse(c.reader, nil)
	}
	if err == nil {
		t.Fatal("an HTTP response came")
	}
	await(t, "a log line", func() bool { return len(w.log.of(t, "connection.refused")) > before })
	return w.log.of(t, "connection.refused")[before]
}

// WRD-IAM-01, WRD-IAM-04, WRD-AUD-08: who does not hold a current certificate of a
// known authority for the purpose gets no byte of HTTP, and the audit log says who
// that was and why.
func TestCertificatesRefusedByTLS(t *testing.T) {
	t.Parallel()
	other, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// What nobody trusts may say what it likes.
	ed := testpki.Request{CommonName: "ed.example.invalid", DNSNames: []string{"ed.example.invalid"}, Client: true}
	changed := func(change func(*testpki.Request)) testpki.Request {
		r := ed
		change(&r)
		return r
	}
	type issue func(*testpki.Authority) (testpki.Pair, error)
	issued := func(r testpki.Request) issue {
		return func(a *testpki.Authority) (testpki.Pair, error) { return a.Issue(r) }
	}
	cases := map[string]struct {
		issue  issue
		reason string
	}{
		"expired": {issued(changed(func(r *testpki.Request) { r.NotBefore, r.NotAfter = time.Now().Add(-2*day), time.Now().Add(-day) })),
			"the certificate has expired"},
		"not yet valid": {issued(changed(func(r *testpki.Request) { r.NotBefore = time.Now().Add(day) })), "the certificate is not valid yet"},
		"a server's": {issued(changed(func(r *testpki.Request) { r.Client, r.Server = false, true })),
			"the certificate is for another purpose"},
		"of another authority": {func(*testpki.Authority) (testpki.Pair, error) { return other.Issue(ed) }, "the certificate is of no known authority"},
		"self-signed":          {func(a *testpki.Authority) (testpki.Pair, error) { return a.IssueSelfSigned(ed) }, "the certificate is self-signed"},
		"without its chain": {func(a *testpki.Authority) (testpki.Pair, error) { return a.Issue(ed) },
			"the certificate is of no known authority"},
		"none": {func(*testpki.Authority) (testpki.Pair, error) { return testpki.Pair{}, nil }, "no certificate was given"},
		"with long words": {func(a *testpki.Authority) (testpki.Pair, error) {
			return a.IssueSelfSigned(testpki.Request{CommonName: strings.Repeat("x", 2000), Client: true})
		}, "the certificate is self-signed"},
	}
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, stage.Options{})
			for name, c := range cases {
				t.Run(name, func(t *testing.T) {
					pair, err := c.issue(w.Authority)
					if err != nil {
						t.Fatal(err)
					}
					as := w.holding(pair)
					as.MinVersion, as.MaxVersion = version, version
					switch {
					case pair.Leaf == nil:
						as.Certificates = nil
					case name == "without its chain":
						as.Certificates[0].Certificate = as.Certificates[0].Certificate[:1]
					}
					// A client would hold back what it knows to be of no use.
					held := as.Certificates
					as.Certificates = nil
					as.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
						if len(held) == 0 {
							return &tls.Certificate{}, nil
						}
						return &held[0], nil
					}
					before := len(w.entries(t))
					line := w.turnedAwayByTLS(t, as)
					if line["reason"] != c.reason {
						t.Errorf("logged %v", line)
					}
					w.refusedEntry(t, before, pair.Leaf, c.reason, line)
				})
			}
			w.nothingAsked(t)
		})
	}
}

// refusedEntry holds the entry that follows the first so many against the
// certificate and the log line of a refused handshake.
func (w *ward) refusedEntry(t *testing.T, before int, certificate *x509.Certificate, reason string, line map[string]any) {
	t.Helper()
	await(t, "an audit entry", func() bool { return len(w.entries(t)) > before })
	e := w.entries(t)[before]
	want := audit.Entry{Kind: audit.Refused, Time: e.Time, Correlation: line["correlation"].(string), Remote: line["remote"].(string),
		Outcome: "refused", Notified: "no", Reason: reason, Elapsed: e.Elapsed, Content: e.Content}
	if certificate != nil {
		want.Certificate = clients.Fingerprint(certificate)
		want.Subject, want.Altered = certificate.Subject.String(), len(certificate.Subject.String()) > audit.MaxText
		want.Subject = want.Subject[:min(len(want.Subject), audit.MaxText)]
		want.Issuer = certificate.Issuer.String()
		want.Issuer = want.Issuer[:min(len(want.Issuer), audit.MaxText)]
		want.Serial = certificate.SerialNumber.Text(16)
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

// WRD-IAM-01: a chain may be longer than one sub CA.
func TestChainWithTwoIntermediates(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	lower, err := w.Authority.Below()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := lower.Issue(testpki.Request{CommonName: "ed.example.invalid", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	w.configure(t, `certificate_files = ["client.pem"]`, `certificates = ["sha256:`+clients.Fingerprint(pair.Leaf)+`"]`)
	w.start(t)
	w.tls = w.holding(pair)
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("%s: %v", r.Answer.Outcome(), r.Cause)
	}
}

// WRD-IAM-06: nothing but TLS 1.2 and 1.3 with forward secrecy and authenticated
// encryption, and HTTP/1.1 over it.
func TestProtocolsRefusedByTLS(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	cases := map[string]struct {
		change   func(*tls.Config)
		mentions string
	}{
		"TLS 1.0":      {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }, "unsupported versions"},
		"TLS 1.1":      {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "unsupported versions"},
		"HTTP/2 alone": {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, "unsupported application protocols"},
	}
	for _, suite := range append(tls.InsecureCipherSuites(), tls.CipherSuites()...) {
		good := strings.Contains(suite.Name, "GCM") && strings.HasPrefix(suite.Name, "TLS_ECDHE_")
		if good || suite.SupportedVersions[len(suite.SupportedVersions)-1] != tls.VersionTLS12 {
			continue
		}
		cases[suite.Name] = struct {
			change   func(*tls.Config)
			mentions string
		}{func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite.ID}
		}, "no cipher suite"}
	}
	if len(cases) < 12 {
		t.Fatalf("%d cases", len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			line := w.turnedAwayByTLS(t, w.with(c.change))
			if reason := line["reason"].(string); !strings.Contains(reason, c.mentions) {
				t.Errorf("logged %q, want it to mention %q", reason, c.mentions)
			}
		})
	}
	w.nothingAsked(t)
	if n := kinds(w.entries(t))[audit.Refused]; n != 0 {
		t.Errorf("%d audit entries about what named nobody", n)
	}
}

// The name that a client asks for identifies nobody: a certificate does.
func TestServerNameIdentifiesNobody(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	stranger := w.as(t, w.Authority, testpki.Request{CommonName: "stranger.example.invalid"})
	for _, name := range []string{"", "ed.example.invalid", "simulator.example.invalid", "localhost", "127.0.0.1", strings.Repeat("a.", 120) + "invalid", "xn--invalid-.example"} {
		for as, want := range map[*tls.Config]int{w.tls: http.StatusMethodNotAllowed, stranger: http.StatusForbidden} {
			as = as.Clone()
			as.ServerName, as.InsecureSkipVerify = name, true // this side is not what is tested
			c := w.dial(t, as)
			c.send(t, head("GET /smsp/cpis HTTP/1.1"))
			if a := c.read(t); a.StatusCode != want {
				t.Errorf("%q: status %d, want %d", name, a.StatusCode, want)
			}
		}
	}
	w.nothingAsked(t)
}

// WRD-AUD-08: callers of whom nothing is known cannot fill the audit log, nor drown
// what it says about certificates that are known.
func TestRefusedHandshakesAreRecordedAtABoundedRate(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	without := w.with(func(c *tls.Config) { c.Certificates = nil })
	began := time.Now()
	const visits = 40
	for range visits {
		w.turnedAwayByTLS(t, without)
	}
	await(t, "the entries that are allowed", func() bool { return kinds(w.entries(t))[audit.Refused] >= 10 })
	entries := kinds(w.entries(t))[audit.Refused]
	if allowed := 11 + int(time.Since(began)/time.Second); entries > allowed {
		t.Errorf("%d entries for %d visits, want 10 to %d", entries, visits, allowed)
	}
	c := w.dial(t, w.as(t, w.Authority, testpki.Request{CommonName: "stranger.example.invalid"}))
	c.send(t, post(4000))
	a := c.read(t)
	if n := len(w.transaction(t, a.Header.Get("X-Correlation-Id"))); a.StatusCode != http.StatusForbidden || n != 1 {
		t.Errorf("status %d, %d entries about a certificate that is known", a.StatusCode, n)
	}
}
