package endtoend_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

// certificate reads the first certificate of a file of the stage.
func (w *ward) certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.Dir, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// revoke writes the list of the sub CA, and leaves that of the root as it is.
func (w *ward) revoke(t *testing.T, l testpki.List) {
	t.Helper()
	list, err := w.Authority.CRL(l)
	if err == nil {
		err = testpki.WriteCRL(w.Dir, "sub", list)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *ward) revokeByRoot(t *testing.T, l testpki.List) {
	t.Helper()
	list, err := w.Authority.RootCRL(l)
	if err == nil {
		err = testpki.WriteCRL(w.Dir, "root", list)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checksRevocation configures lists for both sides, of which none names anybody.
func (w *ward) checksRevocation(t *testing.T, more string) {
	t.Helper()
	w.revokeByRoot(t, testpki.List{})
	w.revoke(t, testpki.List{})
	w.configure(t, `client_ca = "ca.pem"`, "client_ca = \"ca.pem\"\nclient_crls = [\"root.crl\", \"sub.crl\"]\n"+more)
	w.configure(t, "ca = \"ca.pem\"\nfrom_asid", "ca = \"ca.pem\"\ncrls = [\"root.crl\", \"sub.crl\"]\n"+more+"from_asid")
}

func (w *ward) ready(t *testing.T, address string) (status int, state map[string]any) {
	t.Helper()
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&state)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, state
}

// WRD-IAM-04: a certificate that is revoked, or is below an authority that is, is
// refused in TLS, and recorded.
func TestRevokedCertificates(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		revoke func(*testing.T, *ward)
		reason string
	}{
		"the certificate": {func(t *testing.T, w *ward) {
			w.revoke(t, testpki.List{Revoked: []*x509.Certificate{w.certificate(t, "client")}})
		}, "the certificate is revoked"},
		"the authority above it": {func(t *testing.T, w *ward) {
			w.revokeByRoot(t, testpki.List{Revoked: []*x509.Certificate{w.Authority.Sub()}})
		}, "an authority above the certificate is revoked"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := set(t, stage.Options{})
			w.checksRevocation(t, "")
			c.revoke(t, w)
			w.start(t)
			before := len(w.entries(t))
			line := w.turnedAwayByTLS(t, w.tls)
			w.refusedEntry(t, before, w.certificate(t, "client"), c.reason, line)
			w.nothingAsked(t)
		})
	}
}

// By default there are no lists, and what is not revoked passes where there are.
func TestCertificatesThatAreNotRevoked(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	w.checksRevocation(t, "")
	other, err := w.Authority.Issue(testpki.Request{CommonName: "other.example.invalid", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, testpki.List{Revoked: []*x509.Certificate{other.Leaf}})
	w.start(t)
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("%s: %v", r.Answer.Outcome(), r.Cause)
	}
}

// WRD-IAM-04, WRD-IAM-02: a certificate that is revoked while its connection is open
// is refused there too, before a byte of the next body; and so is the resumption of
// its session.
func TestRevokedDuringAConnection(t *testing.T) {
	t.Parallel()
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := set(t, stage.Options{})
			w.checksRevocation(t, "")
			w.start(t)
			as := w.with(func(c *tls.Config) {
				c.MinVersion, c.MaxVersion = version, version
				c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			})
			kept := w.dial(t, as)
			kept.send(t, whole(w.message(t, withPlan)))
			if a := kept.read(t); a.StatusCode != http.StatusOK {
				t.Fatalf("status %d", a.StatusCode)
			}
			resumed := w.dial(t, as)
			if !resumed.ConnectionState().DidResume {
				t.Fatal("the session was not resumed while all was well")
			}
			resumed.Close()
			w.revoke(t, testpki.List{Revoked: []*x509.Certificate{w.certificate(t, "client")}})
			await(t, "the new list is read on both sides", func() bool { return len(w.log.of(t, "revocation.loaded")) >= 2 })
			kept.send(t, post(4000, "Expect: 100-continue")) // of the body no byte
			a := kept.read(t)
			if a.StatusCode != http.StatusForbidden || a.body != "" || !kept.ends(t) {
				t.Errorf("status %d on the open connection", a.StatusCode)
			}
			entries := w.transaction(t, a.Header.Get("X-Correlation-Id"))
			if len(entries) != 1 || entries[0].Reason != "the certificate is revoked" || entries[0].Serial != w.certificate(t, "client").SerialNumber.Text(16) || entries[0].Subject == "" || entries[0].Issuer == "" {
				t.Errorf("entries %+v", entries)
			}
			line := w.turnedAwayByTLS(t, as)
			if line["reason"] != "the certificate is revoked" {
				t.Errorf("logged %v", line)
			}
			if n := w.Simulator.Counters().RequestsBegun; n != 1 {
				t.Errorf("%d questions reached the Spine, want the first alone", n)
			}
			// What was taken back by mistake is good again without a restart.
			w.revoke(t, testpki.List{})
			await(t, "the list after that is read", func() bool { return len(w.log.of(t, "revocation.loaded")) >= 4 })
			r := w.ask(t, w.client(t), withPlan)
			if r.Answer.Outcome() != cpis.Found {
				t.Errorf("afterwards: %s, %v", r.Answer.Outcome(), r.Cause)
			}
		})
	}
}

// WRD-IAM-05: with a list out of date there is an alert at once and service for the
// grace period; after it nobody is served whose certificate cannot be checked.
func TestListsOutOfDate(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		due     time.Time
		grace   string
		served  bool
		event   string
		status  int
		state   string
		missing bool
	}{
		"current":                 {due: time.Now().Add(day), served: true, status: 200, state: "current"},
		"within the grace period": {due: time.Now().Add(-23 * time.Hour), served: true, event: "revocation.outdated", status: 200, state: "out of date"},
		"after the grace period":  {due: time.Now().Add(-25 * time.Hour), event: "revocation.refusing", status: 200, state: "refusing"},
		"with a longer one":       {due: time.Now().Add(-25 * time.Hour), grace: "revocation_grace = \"72h\"\n", served: true, event: "revocation.outdated", status: 200, state: "out of date"},
		"without one":             {due: time.Now().Add(-time.Minute), grace: "revocation_grace = \"0s\"\n", event: "revocation.refusing", status: 200, state: "refusing"},
		"missing":                 {missing: true, served: true, event: "revocation.outdated", status: 200, state: "out of date"},
		"missing, without one":    {missing: true, grace: "revocation_grace = \"0s\"\n", event: "revocation.refusing", status: 200, state: "refusing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, err := stage.FreeAddress()
			if err != nil {
				t.Fatal(err)
			}
			w := set(t, stage.Options{Ward: "[operations]\naddress = \"" + address + "\"\n"})
			w.checksRevocation(t, c.grace)
			w.revoke(t, testpki.List{ThisUpdate: time.Now().Add(-9 * day), NextUpdate: c.due})
			if c.missing {
				content, err := os.ReadFile(filepath.Join(w.Dir, "root.crl"))
				if err != nil {
					t.Fatal(err)
				}
				err = os.WriteFile(filepath.Join(w.Dir, "sub.crl"), content, 0o644)
				if err != nil {
					t.Fatal(err)
				}
			}
			w.start(t)
			if c.served {
				r := w.ask(t, w.client(t), withPlan)
				if r.Answer.Outcome() != cpis.Found {
					t.Errorf("%s: %v", r.Answer.Outcome(), r.Cause)
				}
			} else {
				before := len(w.entries(t))
				line := w.turnedAwayByTLS(t, w.tls)
				w.refusedEntry(t, before, w.certificate(t, "client"), "there is no current revocation list for the certificate", line)
				w.nothingAsked(t)
			}
			if c.event != "" {
				await(t, "the alert", func() bool { return len(w.log.of(t, c.event)) > 0 })
			}
			status, state := w.ready(t, address)
			if status != c.status || state["client_revocation"] != c.state {
				t.Errorf("readyz %d: %v", status, state)
			}
		})
	}
}

// A list that does not come whole, or is not its authority's, changes nothing.
func TestBadListsChangeNothing(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	w.checksRevocation(t, "")
	w.revoke(t, testpki.List{Revoked: []*x509.Certificate{w.certificate(t, "client")}})
	w.start(t)
	err := testpki.WriteCRL(w.Dir, "sub", []byte("<html>Service Unavailable</html>\n"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the list is said to be bad, for both sides", func() bool { return len(w.log.of(t, "revocation.kept")) >= 2 })
	line := w.turnedAwayByTLS(t, w.tls)
	if line["reason"] != "the certificate is revoked" {
		t.Errorf("logged %v", line)
	}
	w.nothingAsked(t)
}

// WRD-IAM-04 towards the Spine: one that is revoked is not asked, on a connection
// that is already open neither.
func TestSpineRevoked(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.2", "1.3"} {
		t.Run("TLS "+version, func(t *testing.T) {
			t.Parallel()
			w := set(t, stage.Options{SpineTLS: version})
			w.checksRevocation(t, "")
			w.start(t)
			c := w.client(t)
			r := w.ask(t, c, withPlan)
			if r.Answer.Outcome() != cpis.Found {
				t.Fatalf("%s: %v", r.Answer.Outcome(), r.Cause)
			}
			w.revoke(t, testpki.List{Revoked: []*x509.Certificate{w.certificate(t, "spinesim")}})
			await(t, "the new list is read on both sides", func() bool { return len(w.log.of(t, "revocation.loaded")) >= 2 })
			w.notSent(t, c, "the Spine was not trusted: the certificate is revoked")
			if n := w.Simulator.Counters().RequestsBegun; n != 1 {
				t.Errorf("%d questions reached the Spine, want the first alone", n)
			}
			w.revoke(t, testpki.List{})
			await(t, "the list after that is read", func() bool { return len(w.log.of(t, "revocation.loaded")) >= 4 })
			r = w.ask(t, c, withPlan)
			if r.Answer.Outcome() != cpis.Found {
				t.Errorf("afterwards: %s, %v", r.Answer.Outcome(), r.Cause)
			}
		})
	}
}

// WRD-IAM-05 towards the Spine: when its certificate can no longer be checked it is
// not asked.
func TestSpineWithoutACurrentList(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	w.revokeByRoot(t, testpki.List{})
	w.revoke(t, testpki.List{ThisUpdate: time.Now().Add(-9 * day), NextUpdate: time.Now().Add(-25 * time.Hour)})
	w.configure(t, "ca = \"ca.pem\"\nfrom_asid", "ca = \"ca.pem\"\ncrls = [\"root.crl\", \"sub.crl\"]\nfrom_asid")
	w.start(t)
	w.notSent(t, w.client(t), "the Spine was not trusted: there is no current revocation list for the certificate")
	if n := w.Simulator.Counters().RequestsBegun; n != 0 {
		t.Errorf("%d questions reached the Spine", n)
	}
	await(t, "the alert", func() bool { return len(w.log.of(t, "revocation.refusing")) > 0 })
	lines := w.log.of(t, "revocation.refusing")
	if len(lines) != 1 || lines[0]["side"] != "spine" {
		t.Errorf("logged %v", lines)
	}
}

// notSent fails unless a question ends as one that never left.
func (w *ward) notSent(t *testing.T, c *client.Client, reason string) {
	t.Helper()
	r := w.ask(t, c, withPlan)
	if code(r.Answer.Outcome()) != "SMSP-0004" || r.Answer.Notified() != cpis.NotifiedNo || onTheWire(r.Raw) != "no" || !bytes.Contains(r.Raw, []byte(`code="SMSP-0004"`)) {
		t.Errorf("%s, notified %s, on the wire %q", r.Answer.Outcome(), r.Answer.Notified(), onTheWire(r.Raw))
	}
	entries := w.entries(t)
	last := entries[len(entries)-1]
	if last.Kind != audit.Outcome || last.Outcome != "not_sent" || last.Reason != reason {
		t.Errorf("the last entry is %s, %s: %q, want %q", last.Kind, last.Outcome, last.Reason, reason)
	}
}

// WRD-IAM-07, WRD-RC-06: a Spine whose certificate or protocol is not what it must be
// is not asked. The answer is SMSP-0004, and nobody was notified.
func TestSpineNotTrusted(t *testing.T) {
	t.Parallel()
	const name = "simulator.example.invalid"
	cases := map[string]struct {
		request testpki.Request
		foreign bool // signed by an authority that is not in spine.ca
		reason  string
	}{
		"expired":           {testpki.Request{DNSNames: []string{name}, Server: true, NotBefore: time.Now().Add(-2 * day), NotAfter: time.Now().Add(-day)}, false, "the certificate has expired"},
		"not yet valid":     {testpki.Request{DNSNames: []string{name}, Server: true, NotBefore: time.Now().Add(day)}, false, "the certificate is not valid yet"},
		"another name":      {testpki.Request{DNSNames: []string{"elsewhere.example.invalid"}, Server: true}, false, "the certificate has another name"},
		"a client's":        {testpki.Request{DNSNames: []string{name}, Client: true}, false, "the certificate is for another purpose"},
		"another authority": {testpki.Request{DNSNames: []string{name}, Server: true}, true, "the certificate is of no known authority"},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			authority, err := testpki.New(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			pair, err := authority.Issue(c.request)
			if err != nil {
				t.Fatal(err)
			}
			w := set(t, stage.Options{})
			accepted := w.throughTLS(t, &tls.Config{Certificates: []tls.Certificate{pair.TLSCertificate()}})
			if !c.foreign {
				err = authority.WriteRoot(w.Dir, "spine-ca")
				if err != nil {
					t.Fatal(err)
				}
				w.configure(t, "ca = \"ca.pem\"\nfrom_asid", "ca = \"spine-ca.pem\"\nfrom_asid")
			}
			w.start(t)
			w.notSent(t, w.client(t), "the Spine was not trusted: "+c.reason)
			accepted(t)
		})
	}
	t.Run("TLS 1.1", func(t *testing.T) {
		t.Parallel()
		w := set(t, stage.Options{})
		pair, err := w.Authority.Issue(testpki.Request{DNSNames: []string{name}, Server: true})
		if err != nil {
			t.Fatal(err)
		}
		accepted := w.throughTLS(t, &tls.Config{Certificates: []tls.Certificate{pair.TLSCertificate()}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		w.start(t)
		w.notSent(t, w.client(t), "the Spine could not be connected to")
		accepted(t)
	})
}

// throughTLS puts another server in the Spine's place. The returned function fails
// if nobody came to it, or if it was told anything.
func (w *ward) throughTLS(t *testing.T, config *tls.Config) (untold func(*testing.T)) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan int64, 16)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(patience))
			n, _ := io.Copy(io.Discard, c)
			c.Close()
			told <- n
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	w.spineAt(t, "https://"+listener.Addr().String()+"/query")
	return func(t *testing.T) {
		t.Helper()
		for range 2 { // the second is the one attempt more that is allowed
			select {
			case n := <-told:
				if n != 0 {
					t.Errorf("%d bytes were told to a Spine that is not trusted", n)
				}
			case <-time.After(patience):
				t.Error("nobody came")
			}
		}
	}
}
