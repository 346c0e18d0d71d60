package provider_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/publish"
	"github.com/wardsmsp/ward/internal/audit/publish/witnesstest"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

// WRD-AUD-01: a configured endpoint, which knows us by a certificate, gets the
// checkpoints with the cosignature of a configured witness, up to the last entry.
func TestCheckpointsLeaveTheMachine(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	file, err := config.LoadAudit(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	known, origin := note.VerifierList(file.Verifier), file.Verifier.Name()
	witness, err := witnesstest.New("witness.example/w", origin, known)
	if err != nil {
		t.Fatal(err)
	}
	kept := make(chan []byte, 16)
	mux := http.NewServeMux()
	mux.Handle("/witness/", witness)
	mux.HandleFunc("PUT /kept", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(r.TLS.PeerCertificates) == 0 {
			t.Errorf("%v from %v", err, r.TLS.PeerCertificates)
		}
		kept <- body
	})
	dir := t.TempDir()
	url := elsewhere(t, dir, mux)
	key, first, second := filepath.Join(dir, "witness.pub"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
	settings, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	places := fmt.Sprintf(`
[[audit.destinations]]
url = "%[1]s/kept"
ca = "%[2]s/ca.pem"
certificate = "%[2]s/ward.pem"
key = "%[2]s/ward-key.pem"
[[audit.witnesses]]
url = "%[1]s/witness"
ca = "%[2]s/ca.pem"
key = "%[3]s"
`, url, dir, key)
	folders := fmt.Sprintf("\ncheckpoints = [%q, %q]\n", first, second)
	for _, err := range []error{
		os.Mkdir(first, 0o755), os.Mkdir(second, 0o755), os.WriteFile(key, []byte(witness.Key()+"\n"), 0o644),
		os.WriteFile(s.WardConfig(), []byte(strings.Replace(string(settings), "\ncheckpoints = \"checkpoints\"\n", folders, 1)+places), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := start(t, s)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, p)
	close(kept)
	var last []byte
	for last = range kept {
	}
	verifier, err := publish.ParseWitnessKey(witness.Key())
	if err != nil {
		t.Fatal(err)
	}
	for _, signed := range [][]byte{last, read(t, first), read(t, second)} {
		c, names, err := audit.OpenCosigned(signed, known, origin, []note.Verifier{verifier})
		if err != nil || c.Size != 3 || !slices.Equal(names, []string{"witness.example/w"}) || witness.Latest() != c {
			t.Errorf("%d entries cosigned by %v: %v", c.Size, names, err)
		}
	}
}

func read(t *testing.T, folder string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// elsewhere serves over TLS, and writes to dir what its clients need: ca.pem,
// ward.pem and ward-key.pem.
func elsewhere(t *testing.T, dir string, handler http.Handler) (url string) {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := authority.Issue(testpki.Request{CommonName: "keeper", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := authority.Issue(testpki.Request{CommonName: "ward", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{authority.WriteRoot(dir, "ca"), ours.WriteFiles(dir, "ward")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{theirs.TLSCertificate()}, ClientCAs: authority.Pool(), ClientAuth: tls.VerifyClientCertIfGiven}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
