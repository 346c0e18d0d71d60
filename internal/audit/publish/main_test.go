package publish_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/testpki"
)

const origin = "ward.example/audit"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logKeys are the keys of a log.
type logKeys struct {
	signer   note.Signer
	known    note.Verifiers
	personal *seal.Keys
}

func newLogKeys(t testing.TB) logKeys {
	t.Helper()
	signerKey, verifierKey, err := audit.GenerateKey(origin, rand.Reader)
	must(t, err)
	signer, err := note.NewSigner(signerKey)
	must(t, err)
	verifier, err := note.NewVerifier(verifierKey)
	must(t, err)
	sealingKey, err := seal.GenerateSealingKey(rand.Reader)
	must(t, err)
	sealing, err := seal.ParseSealingKey(sealingKey)
	must(t, err)
	indexKey, err := seal.GenerateIndexKey(rand.Reader)
	must(t, err)
	index, err := seal.ParseIndexKey(indexKey)
	must(t, err)
	personal, err := seal.NewKeys([]seal.SealingKey{sealing}, []seal.IndexKey{index})
	must(t, err)
	return logKeys{signer, note.VerifierList(verifier), personal}
}

// options are those of a log that exports only when it is opened and closed.
func (k logKeys) options(store audit.Store) audit.Options {
	return audit.Options{Store: store, Signer: k.signer, Keys: k.personal, CheckpointEvery: time.Hour, ExportTimeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// extend opens a log, appends n entries named for what, and closes it once every place
// and witness has been asked. It returns how they stood then.
func extend(t testing.TB, options audit.Options, what string, n int) []audit.Export {
	t.Helper()
	log, err := audit.Open(t.Context(), options)
	must(t, err)
	// Close would give up what is under way, of which the other side may hear later.
	underWay := func(e audit.Export) bool { return e.Time.IsZero() && e.Err == nil }
	for began := time.Now(); slices.ContainsFunc(log.Exported(), underWay); time.Sleep(time.Millisecond) {
		if time.Since(began) > 2*options.ExportTimeout {
			t.Fatalf("neither done nor failed: %+v", log.Exported())
		}
	}
	for i := range n {
		_, err := log.Append(t.Context(), audit.Entry{Kind: audit.Refused, Time: time.Now(), Reason: fmt.Sprint(what, i)})
		must(t, err)
	}
	err = log.Close(t.Context())
	standings := log.Exported()
	failed := false
	for _, e := range standings {
		failed = failed || e.Err != nil
	}
	if failed != (err != nil) {
		t.Errorf("Close = %v after %+v", err, standings)
	}
	return standings
}

// site is an HTTPS server and what a client needs to reach it.
type site struct {
	url    *url.URL
	client *tls.Config
}

// serve answers at a path of a server whose clients must show a certificate.
func serve(t testing.TB, path string, handler http.Handler) site {
	t.Helper()
	authority, err := testpki.New(time.Now())
	must(t, err)
	pair, err := authority.Issue(testpki.Request{CommonName: "site", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true, Client: true})
	must(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{pair.TLSCertificate()},
		ClientCAs:    authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL + path)
	must(t, err)
	return site{u, &tls.Config{RootCAs: authority.Pool(), Certificates: []tls.Certificate{pair.TLSCertificate()}}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accepting takes every signature of a key for good.
type accepting struct{ note.Verifier }

func (accepting) Verify(_, _ []byte) bool { return true }

func decode(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return raw
}

// patience is how long a test waits for what it wants.
func patience(want string) time.Duration {
	if want == "deadline exceeded" {
		return 200 * time.Millisecond
	}
	return time.Minute
}
