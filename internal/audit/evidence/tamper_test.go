package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/evidence/evidencetest"
)

// MSCA-AUD-01b, WRD-AUD-02: of many thousand random changes of exports each is found,
// and the error says where: a change of some bytes by its line.
func TestTamperingIsFound(t *testing.T) {
	g := evidencetest.Grow(t, new(audittest.Memory), 12)
	g.Erase(t, 3, 5)
	g.Append(t, evidencetest.Sample(0))
	exports := evidencetest.Shapes(t, g)
	// Another history under the same keys.
	fork := g.Again(t, new(audittest.Memory), 14)
	others := [][]byte{fork.Export(t, fork.Options(evidence.Sealed))}
	for _, export := range exports {
		others = append(others, export)
	}
	r := rand.New(rand.NewPCG(1, 2))
	tried := make(map[string]int)
	total := 0
	for name, export := range exports {
		genuine, err := g.Verify(export)
		must(t, err)
		for range 2500 {
			x := evidencetest.Tamper(r, export, others)
			if slices.ContainsFunc(others, func(other []byte) bool { return bytes.Equal(x.Export, other) }) {
				continue // which is another export
			}
			report, err := g.Verify(x.Export)
			tried[x.Name]++
			total++
			if err == nil && report.Unaccounted > genuine.Unaccounted {
				continue // a content was left out, and the report says so
			}
			var wrong *evidence.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%s: %s was not found: %+v, %v", name, x.Name, report, err)
			}
			if x.Line != 0 && wrong.Line != x.Line {
				t.Fatalf("%s: %s on line %d was found as %v", name, x.Name, x.Line, err)
			}
			if strings.Contains(err.Error(), "9990000018") || strings.Contains(err.Error(), "Nurse") {
				t.Fatalf("the error quotes the entry: %v", err)
			}
		}
	}
	t.Logf("%d changes were found: %v", total, tried)
	if total < 10_000 {
		t.Errorf("only %d changes were tried", total)
	}
}

// There is one spelling of an export: every change of one byte is found, also of one
// whose last bits stand for nothing in base64.
func TestEveryByteCounts(t *testing.T) {
	g := evidencetest.Grow(t, new(audittest.Memory), 2)
	exports := map[string][]byte{
		"range":     g.Export(t, g.Options(evidence.Opened)),
		"selection": g.Selection(t, g.Options(evidence.Opened), 0),
	}
	r := rand.New(rand.NewPCG(3, 4))
	for name, export := range exports {
		for i := range export {
			for _, b := range []byte{export[i] ^ byte(1+r.IntN(255)), neighbour(export[i])} {
				changed := bytes.Clone(export)
				changed[i] = b
				_, err := g.Verify(changed)
				if err == nil {
					t.Errorf("%s: %q became %q at byte %d unseen", name, export[i], b, i)
				}
			}
		}
	}
}

// neighbour is the character of base64 that differs in the last bit, or another byte.
func neighbour(b byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := strings.IndexByte(alphabet, b)
	if at < 0 {
		return b + 1
	}
	return alphabet[at^1]
}

// The error names the line and the entry.
func TestErrorsSayWhere(t *testing.T) {
	g := evidencetest.Mixed(t)
	export := string(g.Export(t, g.Options(evidence.Sealed)))
	lines := strings.SplitAfter(export, "\n")
	tests := []struct {
		name        string
		line, entry int64
		change      func(lines []string) []string
	}{
		{"an entry taken away", 6, 4, func(l []string) []string { return slices.Delete(l, 5, 6) }},
		{"an entry changed", 10, 8, func(l []string) []string {
			l[9] = strings.Replace(l[9], "ashby", "ashbx", 1)
			return l
		}},
		{"two entries exchanged", 3, 1, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l }},
		{"a content changed for another", 2, 0, func(l []string) []string {
			_, after, _ := strings.Cut(l[0+1], `"leaf":`)
			before, _, _ := strings.Cut(l[3], `"leaf":`)
			hash, _, _ := strings.Cut(l[1], `"sealed":`)
			_, sealed, _ := strings.Cut(before, `"sealed":`)
			l[1] = hash + `"sealed":` + sealed + `"leaf":` + after
			return l
		}},
		{"cut", 4, -1, func(l []string) []string { return l[:3] }},
		{"another number of entries", 42, -1, func(l []string) []string { l[41] = "{\"entries\":39}\n"; return l }},
		{"more after the end", 42, -1, func(l []string) []string { return append(l[:42], "\n") }},
	}
	for _, tt := range tests {
		_, err := g.Verify([]byte(strings.Join(tt.change(slices.Clone(lines)), "")))
		var wrong *evidence.Error
		if !errors.As(err, &wrong) || wrong.Line != tt.line || wrong.Entry != tt.entry {
			t.Errorf("%s: %v, want line %d, entry %d", tt.name, err, tt.line, tt.entry)
		}
	}
}

// FuzzVerify: what is accepted is one of the two exports that were signed, and nothing
// panics. The tree's root stands for the rest.
func FuzzVerify(f *testing.F) {
	g := evidencetest.Grow(f, new(audittest.Memory), 3)
	var all [][]byte
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		all = append(all, g.Export(f, g.Options(contents)), g.Selection(f, g.Options(contents), 1))
	}
	for _, export := range all {
		f.Add(export)
	}
	f.Fuzz(func(t *testing.T, export []byte) {
		report, err := g.Verify(export)
		if err == nil && !report.Selection && report.Entries > 0 && !bytes.Contains(export, []byte(fmt.Sprint(`"seq":`, report.First, `,`))) {
			t.Fatalf("accepted %q as %+v", export, report)
		}
		again, err2 := g.Verify(bytes.Clone(export))
		if diff := cmp.Diff(report, again); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatal("two verdicts")
		}
	})
}
