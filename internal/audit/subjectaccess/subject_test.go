package subjectaccess_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/reading"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/subjectaccess"
)

const (
	alice = "9990000042"
	bob   = "9990000026"
)

var now = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)

type bench struct {
	t     *testing.T
	store audittest.Memory
	log   *audit.Log
	keys  *seal.Keys
}

func newBench(t *testing.T) *bench {
	t.Helper()
	secret, _, err := audit.GenerateKey("ward.example/audit", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, keys: keys(t, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")}
	b.log, err = audit.Open(t.Context(), audit.Options{Store: &b.store, Signer: signer, Keys: b.keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.log.Close(context.Background()) })
	return b
}

func keys(t *testing.T, sealing string) *seal.Keys {
	t.Helper()
	s, err := seal.ParseSealingKey("WARD-SEALING-KEY-1 " + sealing)
	if err != nil {
		t.Fatal(err)
	}
	i, err := seal.ParseIndexKey("WARD-INDEX-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	if err != nil {
		t.Fatal(err)
	}
	all, err := seal.NewKeys([]seal.SealingKey{s}, []seal.IndexKey{i})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (b *bench) append(e audit.Entry) int64 {
	b.t.Helper()
	e.Time = now
	seq, err := b.log.Append(b.t.Context(), e)
	if err != nil {
		b.t.Fatal(err)
	}
	return seq
}

func (b *bench) report(keys *seal.Keys, mask bool) subjectaccess.Report {
	b.t.Helper()
	r, err := subjectaccess.Make(b.t.Context(), reading.New(&b.store, keys, b.log), subjectaccess.Request{
		NHSNumber: alice, Mask: mask, Who: reading.Who{Operator: "records.officer", Purpose: "a request"}, Origin: "ward.example/audit", Now: now,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// fill adds questions about two people.
func (b *bench) fill() {
	author := &audit.Author{Form: "person", Name: "Nurse Example", RoleName: "Nurse", Organisation: "RXX"}
	for i := range 20 {
		number := []string{alice, bob}[i%2]
		c := fmt.Sprint("c", i)
		b.append(audit.Entry{Kind: audit.Intent, Correlation: c, NHSNumber: number, Author: author})
		b.append(audit.Entry{Kind: audit.Outcome, Correlation: c, NHSNumber: number, Outcome: "found", Notified: "yes", Records: 1, Accesses: 3})
	}
	b.append(audit.Entry{Kind: audit.Undelivered, Correlation: "c2"}) // does not name her
	b.append(audit.Entry{Kind: audit.Read, NHSNumber: alice, Operator: "someone", Purpose: "Nurse Example complained"})
}

// MSCA-ORG-04a: the entries of a report are those with the person's terms, which anybody
// can look for in the sealed contents, and the rest of their questions.
func TestReportIsComplete(t *testing.T) {
	b := newBench(t)
	b.fill()
	r := b.report(b.keys, false)
	var want []int64
	for row, err := range b.store.Rows(t.Context(), 0, r.Searched) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Sealed == nil {
			continue
		}
		terms, err := seal.Terms(row.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(terms, func(term seal.Term) bool { return slices.Contains(r.Terms, fmt.Sprintf("%016x", uint64(term))) }) {
			want = append(want, row.Seq)
		}
	}
	want = append(want, 40) // of a question of hers
	slices.Sort(want)
	if diff := cmp.Diff(want, r.Seqs()); diff != "" || len(want) != 22 {
		t.Errorf("%d entries (-want +got):\n%s", len(want), diff)
	}
	if e := r.Entries[1]; !strings.Contains(e.What, "1 records, and 3 earlier accesses") || e.Authority != "The local authority was told of it." {
		t.Errorf("the first outcome: %+v", e)
	}
}

// WRD-AUD-13, IG-3.9.3b: the report is recorded with the choice, and a masked one names
// no staff, in what they are said to be nor in what somebody wrote.
func TestReportIsRecorded(t *testing.T) {
	for _, mask := range []bool{false, true} {
		b := newBench(t)
		b.fill()
		r := b.report(b.keys, mask)
		var text strings.Builder
		err := errors.Join(r.JSON(&text), r.HTML(&text))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "Nurse Example") == mask || strings.Contains(text.String(), "someone") == mask {
			t.Errorf("masked: %v, and staff are named the other way", mask)
		}
		for record, err := range b.log.Entries(t.Context(), r.Searched, r.Searched+1) {
			e := record.Entry
			if err != nil || e.Kind != audit.Read || e.NHSNumber != alice || e.Operator != "records.officer" || e.Purpose != "a request" || e.Entries != 22 ||
				!strings.Contains(string(e.Detail), fmt.Sprintf(`"masked":%v,"shown":[[0,1],[4,5]`, mask)) {
				t.Errorf("error %v, recorded %+v, %s", err, e, e.Detail)
			}
		}
	}
}

// IG-3.9.3b: what cannot be recorded is not shown.
func TestUnrecordedReportIsNotShown(t *testing.T) {
	b := newBench(t)
	b.fill()
	err := b.log.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log := reading.New(&b.store, b.keys, b.log)
	r, err := subjectaccess.Make(t.Context(), log, subjectaccess.Request{NHSNumber: alice, Who: reading.Who{Operator: "x"}, Now: now})
	if !errors.Is(err, audit.ErrClosed) || len(r.Entries) > 0 {
		t.Errorf("Make = %d entries, %v", len(r.Entries), err)
	}
	_, err = subjectaccess.Make(t.Context(), log, subjectaccess.Request{NHSNumber: alice, Now: now})
	if err == nil || !strings.Contains(err.Error(), "named") {
		t.Errorf("Make by nobody = %v", err)
	}
}

// WRD-AUD-10: what was destroyed or cannot be read is shown as such, and never as an
// entry about which nothing more is known.
func TestReportShowsWhatCannotBeRead(t *testing.T) {
	b := newBench(t)
	b.fill()
	rows := make(map[int64][]seal.Term)
	for row, err := range b.store.Rows(t.Context(), 0, 1) {
		if err != nil {
			t.Fatal(err)
		}
		rows[row.Seq], err = seal.Terms(row.Sealed)
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.log.AppendRemoval(t.Context(), audit.Entry{Kind: audit.Erased, Time: now, Removed: []audit.Range{{First: 0, Last: 0}}},
		[]audit.Removal{{Seq: 0, Terms: rows[0]}})
	if err != nil {
		t.Fatal(err)
	}
	r := b.report(b.keys, false)
	if len(r.Entries) != 22 || r.Entries[0].State != "removed" || r.Entries[1].State != "whole" {
		t.Errorf("entries %+v", r.Entries[:2])
	}
	r = b.report(keys(t, "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="), false)
	if r.Entries[1].State != "locked" {
		t.Errorf("entries %+v", r.Entries[:2])
	}
	var page strings.Builder
	err = r.HTML(&page)
	if err != nil || !strings.Contains(page.String(), "has been destroyed") || !strings.Contains(page.String(), "cannot be read") {
		t.Errorf("error %v, page:\n%s", err, page.String())
	}
}

// IG-3.9.3a: a person is told of readings that showed their entries among those of
// others, without what may be about these, and of those of which nobody can tell.
func TestReportHasReadingsOfSeveral(t *testing.T) {
	for _, mask := range []bool{false, true} {
		b := newBench(t)
		b.fill()
		who := reading.Who{Operator: "sam.clerk", Purpose: "about Bob Example"}
		log := reading.New(&b.store, b.keys, b.log)
		_, err := log.Show(t.Context(), who, 0, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range log.Export(t.Context(), who, reading.Criteria{NHSNumber: bob}, "jsonl") {
			if err != nil {
				t.Fatal(err)
			}
		}
		b.append(audit.Entry{Kind: audit.Read, Operator: "sam.clerk", Detail: []byte(`{"did":"later"}`)})
		b.append(audit.Entry{Kind: audit.Read, Operator: "sam.clerk", Detail: []byte(`{"did":"backup"}`)})
		r := b.report(b.keys, mask)
		last := r.Entries[len(r.Entries)-1]
		if len(r.Entries) != 23 || last.Seq != 42 || !last.Several || last.Purpose != "" || !strings.Contains(last.What, "several people") ||
			(len(last.Who) == 0) != mask || slices.Contains(r.Seqs(), 42) || len(r.Seqs()) != 22 {
			t.Errorf("masked: %v, %d entries, the last is %+v", mask, len(r.Entries), last)
		}
		if r.Untold.Count != 1 || r.Backups.Count != 1 {
			t.Errorf("%+v untold, %+v backups", r.Untold, r.Backups)
		}
		var text strings.Builder
		err = errors.Join(r.JSON(&text), r.HTML(&text))
		if err != nil || strings.Contains(text.String(), "Bob") || strings.Contains(text.String(), "sam.clerk") == mask ||
			!strings.Contains(text.String(), "cannot be read: 1, from 2") || !strings.Contains(text.String(), "first of these entries: 1, from 2") {
			t.Errorf("masked: %v, error %v:\n%s", mask, err, text.String())
		}
	}
}
