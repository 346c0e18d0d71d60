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
)

// shapes are exports of one log in every shape.
func shapes(t testing.TB, g *grown) map[string][]byte {
	middle := g.options(evidence.Opened)
	middle.First, middle.End = 3, 11
	older := g.options(evidence.Sealed)
	older.Checkpoint = g.history[13]
	return map[string][]byte{
		"whole":     g.export(t, g.options(evidence.Sealed)),
		"opened":    g.export(t, g.options(evidence.Opened)),
		"public":    g.export(t, g.options(evidence.None)),
		"middle":    g.export(t, middle),
		"older":     g.export(t, older),
		"selection": g.selection(t, g.options(evidence.Opened), 0, 2, 5, 9, 12),
	}
}

// tampering is one act on an export, and the line on which it shows; 0 if that is
// not certain.
type tampering struct {
	name   string
	export []byte
	line   int64
}

// tamper does something random to an export, of which others of the same log are at
// hand.
func tamper(r *rand.Rand, export []byte, others [][]byte) tampering {
	lines := bytes.SplitAfter(export, []byte("\n"))
	lines = lines[:len(lines)-1]
	at := r.IntN(len(export))
	byLine := func(name string, line int, changed ...[]byte) tampering {
		return tampering{name, bytes.Join(changed, nil), int64(line)}
	}
	line := 1 + bytes.Count(export[:at], []byte("\n"))
	if line == 1 {
		line = 0 // what comes before and after the range shows at the end
	}
	i, j := r.IntN(len(lines)), r.IntN(len(lines))
	other := bytes.SplitAfter(others[r.IntN(len(others))], []byte("\n"))
	other = other[:len(other)-1]
	switch r.IntN(11) {
	default:
		b := byte(r.IntN(256))
		return byLine("a byte changed", line, export[:at], []byte{b}, export[at+1:])
	case 1:
		return byLine("a bit flipped", line, export[:at], []byte{export[at] ^ 1<<r.IntN(8)}, export[at+1:])
	case 2:
		return byLine("a byte taken away", line, export[:at], export[at+1:])
	case 3:
		return byLine("a byte put in", line, export[:at], []byte{byte(r.IntN(256))}, export[at:])
	case 4:
		return byLine("cut off", line, export[:at])
	case 5:
		return byLine("a line taken away", 0, slices.Concat(slices.Delete(slices.Clone(lines), i, i+1)...))
	case 6:
		return byLine("a line put in", 0, slices.Concat(slices.Insert(slices.Clone(lines), i, lines[j])...))
	case 7:
		lines[i], lines[j] = lines[j], lines[i]
		return byLine("lines exchanged", 0, slices.Concat(lines...))
	case 8:
		lines[0] = other[0]
		return byLine("a header of another time", 0, slices.Concat(lines...))
	case 9:
		lines[i] = other[r.IntN(len(other))]
		return byLine("a line of another export", 0, slices.Concat(lines...))
	case 10:
		from := r.IntN(len(export))
		n := min(1+r.IntN(64), len(export)-max(from, at))
		return byLine("a part copied over another", 0, export[:at], export[from:from+n], export[at+n:])
	}
}

// MSCA-AUD-01b, WRD-AUD-02: of many thousand random changes of exports each is found,
// and the error says where: a change of some bytes by its line.
func TestTamperingIsFound(t *testing.T) {
	g := grow(t, new(audittest.Memory), 12)
	g.erase(t, 3, 5)
	g.append(t, sample(0))
	exports := shapes(t, g)
	// A log of the same entries under the same keys, which parted from the first.
	fork := grow(t, new(audittest.Memory), 14)
	others := [][]byte{fork.export(t, fork.options(evidence.Sealed))}
	for _, export := range exports {
		others = append(others, export)
	}
	r := rand.New(rand.NewPCG(1, 2))
	tried := make(map[string]int)
	total := 0
	for name, export := range exports {
		genuine, err := g.verify(export)
		must(t, err)
		for range 2500 {
			x := tamper(r, export, others)
			if slices.ContainsFunc(others, func(other []byte) bool { return bytes.Equal(x.export, other) }) {
				continue // which is another export
			}
			report, err := g.verify(x.export)
			tried[x.name]++
			total++
			if err == nil && report.Unaccounted > genuine.Unaccounted {
				continue // a content was left out, and the report says so
			}
			var wrong *evidence.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%s: %s was not found: %+v, %v", name, x.name, report, err)
			}
			if x.line != 0 && wrong.Line != x.line {
				t.Fatalf("%s: %s on line %d was found as %v", name, x.name, x.line, err)
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

// There is one spelling of an export: every change of one byte is found, whatever it
// is changed to.
func TestEveryByteCounts(t *testing.T) {
	g := grow(t, new(audittest.Memory), 2)
	exports := map[string][]byte{
		"range":     g.export(t, g.options(evidence.Opened)),
		"selection": g.selection(t, g.options(evidence.Opened), 0),
	}
	r := rand.New(rand.NewPCG(3, 4))
	for name, export := range exports {
		for i := range export {
			changed := bytes.Clone(export)
			changed[i] ^= byte(1 + r.IntN(255))
			_, err := g.verify(changed)
			if err == nil {
				t.Errorf("%s: %q became %q at byte %d unseen", name, export[i], changed[i], i)
			}
		}
	}
}

// The error names the line and the entry.
func TestErrorsSayWhere(t *testing.T) {
	g := mixed(t)
	export := string(g.export(t, g.options(evidence.Sealed)))
	lines := strings.SplitAfter(export, "\n")
	tests := []struct {
		name        string
		line, entry int64
		change      func(lines []string) []string
	}{
		{"an entry taken away", 6, 4, func(l []string) []string { return slices.Delete(l, 5, 6) }},
		{"an entry changed", 12, 10, func(l []string) []string {
			l[11] = strings.Replace(l[11], "ashby", "ashbx", 1)
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
		_, err := g.verify([]byte(strings.Join(tt.change(slices.Clone(lines)), "")))
		var wrong *evidence.Error
		if !errors.As(err, &wrong) || wrong.Line != tt.line || wrong.Entry != tt.entry {
			t.Errorf("%s: %v, want line %d, entry %d", tt.name, err, tt.line, tt.entry)
		}
	}
}

// FuzzVerify: what is accepted is one of the two exports that were signed, and nothing
// panics. The tree's root stands for the rest.
func FuzzVerify(f *testing.F) {
	g := grow(f, new(audittest.Memory), 3)
	var all [][]byte
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		all = append(all, g.export(f, g.options(contents)), g.selection(f, g.options(contents), 1))
	}
	for _, export := range all {
		f.Add(export)
	}
	f.Fuzz(func(t *testing.T, export []byte) {
		report, err := g.verify(export)
		if err == nil && !report.Selection && report.Entries > 0 && !bytes.Contains(export, []byte(fmt.Sprint(`"seq":`, report.First, `,`))) {
			t.Fatalf("accepted %q as %+v", export, report)
		}
		again, err2 := g.verify(bytes.Clone(export))
		if diff := cmp.Diff(report, again); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatal("two verdicts")
		}
	})
}
