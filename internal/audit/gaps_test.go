package audit_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// WRD-AUD-10: a removal that names just the entries that lost their contents accounts
// for them, although between them are entries that never had one.
func TestRemovalsWithGaps(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	log := openLog(t, k.options(&store))
	for i := range int64(4) {
		mustAppend(t, log, sample(2*i))
		mustAppend(t, log, refused("without a content"))
	}
	var removals []audit.Removal
	e := audit.Entry{Kind: audit.Erased, Time: full.Time, Class: audit.Questions}
	for _, row := range allRows(t, &store)[:6] {
		if row.Sealed == nil {
			continue
		}
		terms, err := seal.Terms(row.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		removals = append(removals, audit.Removal{Seq: row.Seq, Terms: terms})
		e.Removed = append(e.Removed, audit.Range{First: row.Seq, Last: row.Seq})
	}
	_, err := log.AppendRemoval(t.Context(), e, removals)
	if err != nil {
		t.Fatal(err)
	}
	if report := mustVerify(t, &store, k.public, ""); report.Removed != 3 {
		t.Errorf("%d contents are reported as removed, want 3", report.Removed)
	}
}

// The account is right whatever is lost and whatever is said.
func TestMissing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var m audit.Missing
		lost := make(map[int64]audit.Class)
		for seq := range int64(40) {
			class := []audit.Class{audit.Questions, audit.Readings}[r.IntN(2)]
			if r.IntN(2) == 0 {
				m.Add(seq, class)
				lost[seq] = class
			}
			if r.IntN(4) > 0 {
				continue
			}
			e := audit.Entry{Kind: audit.Expired, Class: []audit.Class{"", audit.Questions, audit.Readings}[r.IntN(3)]}
			for range r.IntN(3) {
				first := r.Int64N(45)
				e.Removed = append(e.Removed, audit.Range{First: first, Last: first + r.Int64N(6)})
			}
			m.Account(&e)
			for seq, class := range lost {
				for _, gone := range e.Removed {
					if gone.First <= seq && seq <= gone.Last && (e.Class == "" || e.Class == class) {
						delete(lost, seq)
					}
				}
			}
		}
		first := int64(-1)
		for seq := range lost {
			if first < 0 || seq < first {
				first = seq
			}
		}
		err := m.Mismatch()
		var mismatch *audit.Mismatch
		if m.Count() != int64(len(lost)) || (err == nil) != (first < 0) || err != nil && (!errors.As(err, &mismatch) || mismatch.First != first) {
			t.Fatalf("%d lost contents, %v; want %d, the first %d", m.Count(), err, len(lost), first)
		}
	}
}
