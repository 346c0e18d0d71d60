//go:build verifier

// Package verifier_test holds Ward's verifier of evidence against one that was written
// for it from docs/audit-evidence.md alone, in Python (WRD-AUD-02). Run it with
// -tags verifier.
package verifier_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/evidence/evidencetest"
)

// verdicts asks the Python verifier about files, and returns which of them it accepts.
func verdicts(t *testing.T, g *evidencetest.Log, files [][]byte) []bool {
	t.Helper()
	dir := t.TempDir()
	arguments := []string{"verify.py", "--key", g.Verifier}
	for i, file := range files {
		path := filepath.Join(dir, fmt.Sprintf("%05d", i))
		err := os.WriteFile(path, file, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, path)
	}
	command := exec.CommandContext(t.Context(), "python3", arguments...)
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output() // fails if a file is no evidence
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%d verdicts on %d files: %v\n%s", len(lines), len(files), err, errs.String())
	}
	var accepted []bool
	for i, line := range lines {
		_, verdict, _ := strings.Cut(line, fmt.Sprintf("%05d: ", i))
		switch {
		case strings.HasPrefix(verdict, "verified: "):
			accepted = append(accepted, true)
		case strings.HasPrefix(verdict, "NO EVIDENCE: "):
			accepted = append(accepted, false)
		default:
			t.Fatalf("no verdict: %s", line)
		}
	}
	return accepted
}

// proofs are some of one entry and of consistency.
func proofs(t *testing.T, g *evidencetest.Log) [][]byte {
	t.Helper()
	var all [][]byte
	for newer, note := range g.History {
		o := g.Options([]evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened}[newer%3])
		o.Checkpoint = note
		for older := range newer + 1 {
			proof, err := evidence.ProveConsistency(t.Context(), g.Store, g.History[older], o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, proof)
			if older == newer {
				continue
			}
			proof, err = evidence.Prove(t.Context(), g.Store, int64(older), o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, proof)
		}
	}
	return all
}

// exports are of every shape, and of many ranges.
func exports(t *testing.T, g *evidencetest.Log) [][]byte {
	t.Helper()
	var all [][]byte
	for _, export := range evidencetest.Shapes(t, g) {
		all = append(all, export)
	}
	size := int64(len(g.History) - 1)
	for first := range size {
		for end := first + 1; end <= size; end++ {
			o := g.Options(evidence.Sealed)
			o.First, o.End = first, end
			all = append(all, g.Export(t, o))
		}
	}
	return all
}

// judge is Ward's verdict on a file.
func judge(g *evidencetest.Log, file []byte) bool {
	var err error
	switch {
	case bytes.HasPrefix(file, []byte("c2sp.org/")):
		_, err = evidence.VerifyProof(file, g.Known, evidencetest.Origin)
	case bytes.HasPrefix(file, []byte("ward-consistency-proof@v1\n")):
		_, err = evidence.VerifyConsistency(file, g.Known, evidencetest.Origin)
	default:
		_, err = g.Verify(file)
	}
	return err == nil
}

func log(t *testing.T) *evidencetest.Log {
	t.Helper()
	g := evidencetest.Grow(t, new(audittest.Memory), 16)
	g.Erase(t, 3, 5)
	g.Append(t, evidencetest.Sample(0))
	return g
}

// WRD-AUD-02: what Ward exports verifies without Ward.
func TestEvidenceVerifiesWithoutWard(t *testing.T) {
	g := log(t)
	files := append(exports(t, g), proofs(t, g)...)
	for i, accepted := range verdicts(t, g, files) {
		if !accepted || !judge(g, files[i]) {
			t.Errorf("verified %v without Ward and %v with it: %q", accepted, judge(g, files[i]), files[i])
		}
	}
	t.Logf("%d files", len(files))
}

// MSCA-AUD-01b: both verifiers come to the same verdict on everything, and find what
// was tampered with.
func TestBothVerifiersFindTampering(t *testing.T) {
	g := log(t)
	shapes := evidencetest.Shapes(t, g)
	var genuine [][]byte
	for _, export := range shapes {
		genuine = append(genuine, export)
	}
	some := proofs(t, g)
	r := rand.New(rand.NewPCG(7, 8))
	var files [][]byte
	for range 400 {
		files = append(files, evidencetest.Tamper(r, genuine[r.IntN(len(genuine))], genuine).Export)
	}
	for range 200 {
		files = append(files, evidencetest.Tamper(r, some[r.IntN(len(some))], some).Export)
	}
	known := make(map[string]bool)
	for _, file := range append(genuine, some...) {
		known[string(file)] = true
	}
	rejected := 0
	for i, accepted := range verdicts(t, g, files) {
		switch {
		case accepted != judge(g, files[i]):
			t.Errorf("verified %v without Ward and %v with it: %q", accepted, !accepted, files[i])
		case !accepted:
			rejected++
		case !known[string(files[i])]:
			report, err := g.Verify(files[i])
			if err != nil || report.Unaccounted == 0 { // else a content was left out, which the report says
				t.Errorf("both accepted %q", files[i])
			}
		}
	}
	t.Logf("%d of %d files were rejected", rejected, len(files))
	if rejected < len(files)/2 {
		t.Errorf("only %d of %d files were rejected", rejected, len(files))
	}
}
