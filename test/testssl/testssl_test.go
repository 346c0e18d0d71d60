//go:build testssl

// Package testssl has testssl.sh, an independent tester of TLS servers, look for
// weaknesses of the provider's listener. It needs Debian's package testssl.sh.
//
// It has no certificate of a client, as a stranger has none: so it sees all of the
// handshake, and nothing of what is behind it.
package testssl_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/stage"
)

// finding is one line of testssl's report.
type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

// explained are the findings above LOW, or left open, that are no weakness of Ward,
// each with the reason. Any other one fails the test.
var explained = map[string]string{
	"engine_problem":       "is about the openssl program of the machine that tests",
	"cert_revocation":      "the stage's throw-away certificate names no place of its revocation list; a real one is its authority's to make",
	"service":              "what lies behind TLS cannot be seen without a certificate",
	"secure_client_renego": "cannot be tried without a certificate; test/endtoend shows that it is refused",
	"BREACH":               "cannot be tried without a certificate; answers are never compressed, as test/endtoend shows",
}

// looked are what must stand in the report, whatever it says, or nothing was tested.
var looked = []string{
	"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "ALPN",
	"cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_3DES_IDEA", "cipherlist_AVERAGE", "cipherlist_STRONG",
	"PFS", "cert_chain_of_trust", "cert_trust", "cert_expirationStatus", "cert_signatureAlgorithm", "cert_keySize",
	"heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS", "POODLE_SSL", "fallback_SCSV",
	"SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4",
}

// WRD-IAM-06, WRD-SEC-04: an independent tester finds no weakness in the listener,
// and whatever it does, nothing is asked.
func TestListenerAgainstTestssl(t *testing.T) {
	program, err := exec.LookPath("testssl")
	if err != nil {
		t.Fatalf("testssl is needed (Debian's package testssl.sh): %v", err)
	}
	s, err := stage.Set(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range look(t, program, s) {
		seen[f.ID] = true
		switch f.Severity {
		case "OK", "INFO", "LOW":
		default:
			if explained[f.ID] == "" {
				t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
			}
		}
	}
	for _, id := range looked {
		if !seen[id] {
			t.Errorf("the report says nothing of %s", id)
		}
	}
	if n := s.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections to the Spine", n)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 15*time.Second)
	defer cancel()
	err = running.Stop(ctx)
	if err != nil {
		t.Error(err)
	}
}

// look runs testssl: protocols, kinds of suites, forward secrecy, certificates, and
// every weakness that it knows.
func look(t *testing.T, program string, s *stage.Stage) []finding {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, program, "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none",
		"--connect-timeout", "20", "--openssl-timeout", "20", "--add-ca", filepath.Join(s.Dir, "ca.pem"),
		"--jsonfile", report, "-p", "-s", "-f", "-S", "-U", s.Address)
	run.WaitDelay = 10 * time.Second
	said, _ := run.CombinedOutput() // its exit status counts the findings
	if ctx.Err() != nil {
		t.Fatalf("testssl did not end:\n%s", said)
	}
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	var all []finding
	err = json.Unmarshal(content, &all)
	if err != nil {
		t.Fatalf("the report is not whole: %v:\n%s", err, said)
	}
	return all
}
