package evidencetest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wardsmsp/ward/internal/audit/evidence"
)

// Shapes are exports of one log in every shape.
func Shapes(t testing.TB, g *Log) map[string][]byte {
	middle := g.Options(evidence.Opened)
	middle.First, middle.End = 3, 11
	older := g.Options(evidence.Sealed)
	older.Checkpoint = g.History[len(g.History)-2]
	return map[string][]byte{
		"whole":     g.Export(t, g.Options(evidence.Sealed)),
		"opened":    g.Export(t, g.Options(evidence.Opened)),
		"public":    g.Export(t, g.Options(evidence.None)),
		"middle":    g.Export(t, middle),
		"older":     g.Export(t, older),
		"selection": g.Selection(t, g.Options(evidence.Opened), 0, 2, 5, 9, 12),
	}
}

// Tampering is one act on an export, and the line on which it shows; 0 if that is
// not certain.
type Tampering struct {
	Name   string
	Export []byte
	Line   int64
}

// Tamper does something random to an export, of which others of the same log are at
// hand.
func Tamper(r *rand.Rand, export []byte, others [][]byte) Tampering {
	lines := bytes.SplitAfter(export, []byte("\n"))
	lines = lines[:len(lines)-1]
	at := r.IntN(len(export))
	byLine := func(name string, line int, changed ...[]byte) Tampering {
		return Tampering{name, bytes.Join(changed, nil), int64(line)}
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
