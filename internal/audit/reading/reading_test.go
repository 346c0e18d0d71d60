package reading_test

import (
	"context"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// small is an open log of a handful of entries: two transactions about two people.
func small(t *testing.T) *model {
	t.Helper()
	m := newModel(t, &audittest.Memory{}, mathrand.New(mathrand.NewPCG(3, 0)), 0)
	t.Cleanup(func() { discard(t, m) })
	r := mathrand.New(mathrand.NewPCG(1, 1))
	for i := range 2 {
		e := audit.Entry{Kind: audit.Intent, Time: began}
		question(r, &e, i)
		e.NHSNumber = numbers[i]
		m.add(t, e)
		e.Kind, e.Outcome = audit.Outcome, "found"
		m.add(t, e)
	}
	return m
}

func (m *model) add(t *testing.T, e audit.Entry) int64 {
	t.Helper()
	seq, err := m.Append(t.Context(), e)
	return must(t, seq, err)
}

func (m *model) newest(t *testing.T) audit.Entry {
	t.Helper()
	head := must2(m.store.Head, t, t.Context())
	for record, err := range audit.Entries(t.Context(), m.store, m.keys, head.Size-1, head.Size) {
		return must(t, record, err).Entry
	}
	t.Fatal("no entry")
	return audit.Entry{}
}

func seqs(records []audit.Record) []int64 {
	var all []int64
	for _, record := range records {
		all = append(all, record.Seq)
	}
	return all
}

// IG-3.9.3b: a reading is recorded with who read, what for, by which criteria, and what
// they were shown; and is found under the number that they sought.
func TestReadingIsRecorded(t *testing.T) {
	m := small(t)
	r := reading.New(m.store, m.keys, m)
	who := reading.Who{Operator: "Pat Officer", Purpose: "complaint 17", Remote: "desk-9"}
	since := began.Add(-time.Hour)
	search := func() (reading.Result, error) {
		return r.Search(t.Context(), who, reading.Criteria{NHSNumber: "999 000 0018", Since: since}, reading.Page{})
	}
	showTwo := func() ([]audit.Record, error) { return r.Show(t.Context(), who, -1, 2) }
	result, err := search()
	must(t, 0, err)
	if diff := cmp.Diff([]int64{1, 0}, seqs(result.Records)); diff != "" {
		t.Fatal(diff)
	}
	wantRead(t, m.newest(t), 2, numbers[0],
		`{"did":"search","criteria":{"nhs_number":"9990000018","since":"2026-03-28T23:30:00Z"},"searched":4,"shown":[[0,1]]}`)
	result, err = search()
	if got := seqs(must(t, result, err).Records); !slices.Equal(got, []int64{4, 1, 0}) {
		t.Errorf("the next search finds %v, want the reading too", got)
	}
	records, err := r.Transaction(t.Context(), who, "urn:uuid:"+strings.ToLower(m.entries[2].Correlation))
	if got := seqs(must(t, records, err)); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("the transaction is %v, want 2 and 3", got)
	}
	wantRead(t, m.newest(t), 2, numbers[1],
		`{"did":"transaction","criteria":{"correlation":"5f0c9c2e-0001-4f7a-9d6e-000000000000"},"searched":6,"shown":[[2,3]]}`)
	records, err = showTwo()
	if got := seqs(must(t, records, err)); !slices.Equal(got, []int64{5, 6}) {
		t.Errorf("the newest two are %v, want 5 and 6", got)
	}
	wantRead(t, m.newest(t), 2, "", `{"did":"show","criteria":{"from":5,"to":7},"searched":7,"shown":[[5,6]]}`)
	record, err := r.Prove(t.Context(), who, 3)
	if must(t, record, err).Seq != 3 {
		t.Errorf("entry %d, want 3", record.Seq)
	}
	wantRead(t, m.newest(t), 1, numbers[1], `{"did":"prove","criteria":{"from":3,"to":4},"searched":8,"shown":[[3,3]]}`)
	for _, err := range r.Export(t.Context(), who, reading.Criteria{To: 3}, "jsonl") {
		must(t, 0, err)
	}
	wantRead(t, m.newest(t), 3, "", `{"did":"exported","form":"jsonl","criteria":{"to":3},"searched":9,"whole":true}`)
	for range r.Export(t.Context(), who, reading.Criteria{To: 3}, "jsonl") {
		wantRead(t, m.newest(t), 0, "", `{"did":"export","form":"jsonl","criteria":{"to":3},"searched":11}`)
		break
	}
	wantRead(t, m.newest(t), 1, "", `{"did":"exported","form":"jsonl","criteria":{"to":3},"searched":11}`)
}

func wantRead(t *testing.T, e audit.Entry, entries int, number, detail string) {
	t.Helper()
	want := audit.Entry{Kind: audit.Read, Time: e.Time, Remote: "desk-9", Operator: "Pat Officer", Purpose: "complaint 17", NHSNumber: number,
		Entries: entries, Detail: json.RawMessage(detail), Content: e.Content}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("the reading is recorded as (-want +got):\n%s\n%s", diff, e.Detail)
	}
}

// Every page is a reading.
func TestEachPageIsRecorded(t *testing.T) {
	m := small(t)
	r := reading.New(m.store, m.keys, m)
	c := reading.Criteria{Client: m.entries[0].Client, Kind: audit.Outcome}
	page, err := r.Search(t.Context(), officer, reading.Criteria{}, reading.Page{Limit: 3})
	must(t, 0, err)
	_, err = r.Search(t.Context(), officer, reading.Criteria{}, reading.Page{Cursor: page.Next})
	must(t, 0, err)
	e := m.newest(t)
	if string(e.Detail) != `{"did":"search","criteria":{},"searched":4,"before":1,"shown":[[0,0]]}` || e.Entries != 1 {
		t.Errorf("the second page is recorded as %d entries, %s", e.Entries, e.Detail)
	}
	_, err = r.Search(t.Context(), officer, c, reading.Page{Cursor: page.Next})
	if err == nil || !strings.Contains(err.Error(), "not one of this search") {
		t.Errorf("the cursor of another search: %v", err)
	}
	for _, cursor := range []string{"x", "!", page.Next + "A", page.Next[:9]} {
		_, err := r.Search(t.Context(), officer, reading.Criteria{}, reading.Page{Cursor: cursor})
		if err == nil {
			t.Errorf("the cursor %q is accepted", cursor)
		}
	}
}

// full is a log that takes no more.
type full struct{ err error }

func (f full) Append(context.Context, audit.Entry) (int64, error) { return 0, f.err }

// Rule 3: what cannot be recorded is not shown.
func TestNothingIsShownThatIsNotRecorded(t *testing.T) {
	m := small(t)
	calls := func(r *reading.Reader, who reading.Who) map[string]func() (shown int, err error) {
		return map[string]func() (int, error){
			"search": func() (int, error) {
				result, err := r.Search(t.Context(), who, reading.Criteria{}, reading.Page{})
				return len(result.Records) + len(result.Next), err
			},
			"transaction": func() (int, error) {
				records, err := r.Transaction(t.Context(), who, m.entries[0].Correlation)
				return len(records), err
			},
			"show": func() (int, error) {
				records, err := r.Show(t.Context(), who, 0, 9)
				return len(records), err
			},
			"prove": func() (int, error) {
				record, err := r.Prove(t.Context(), who, 0)
				return len(record.Leaf), err
			},
			"viewers": func() (int, error) {
				v, err := r.Viewers(t.Context(), who, numbers[0], time.Time{}, time.Time{})
				return len(v.Questions) + len(v.Views) + int(v.Searched), err
			},
			"subject": func() (int, error) {
				p, err := r.Subject(t.Context(), who, numbers[0], false)
				return len(p.Records) + len(p.Views) + len(p.Terms), err
			},
			"export": func() (n int, failed error) {
				for _, err := range r.Export(t.Context(), who, reading.Criteria{}, "jsonl") {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			},
		}
	}
	for name, call := range calls(reading.New(m.store, m.keys, full{audit.ErrBusy}), officer) {
		shown, err := call()
		if shown != 0 || !errors.Is(err, reading.ErrNotRecorded) || !errors.Is(err, audit.ErrBusy) {
			t.Errorf("%s with a full log: %d shown, %v", name, shown, err)
		}
	}
	for name, call := range calls(reading.New(m.store, m.keys, m), reading.Who{}) {
		shown, err := call()
		if shown != 0 || !errors.Is(err, reading.ErrNoOperator) {
			t.Errorf("%s by nobody: %d shown, %v", name, shown, err)
		}
	}
	if head := must2(m.store.Head, t, t.Context()); head.Size != 4 {
		t.Errorf("%d entries, want 4", head.Size)
	}
}

// Criteria that cannot be met by any entry are an error: they must not find nothing.
func TestCriteriaAreChecked(t *testing.T) {
	m := small(t)
	r := reading.New(m.store, m.keys, m)
	for name, test := range map[string]struct {
		criteria reading.Criteria
		page     reading.Page
		says     string
	}{
		"nine digits":           {criteria: reading.Criteria{NHSNumber: "999000001"}, says: "ten digits"},
		"hyphens":               {criteria: reading.Criteria{NHSNumber: "999-000-0018"}, says: "ten digits"},
		"only spaces":           {criteria: reading.Criteria{NHSNumber: "  "}, says: "ten digits"},
		"no such kind":          {criteria: reading.Criteria{Kind: "intents"}, says: `"intents" is not a kind of entry; the kinds are started,`},
		"a long user":           {criteria: reading.Criteria{User: strings.Repeat("u", 513)}, says: "at most 512 bytes"},
		"not UTF-8":             {criteria: reading.Criteria{Client: "\xff"}, says: "UTF-8"},
		"times exchanged":       {criteria: reading.Criteria{Since: began, Until: began}, says: "must be before"},
		"a time before all":     {criteria: reading.Criteria{Since: time.Unix(-1, 0)}, says: "1970"},
		"numbers exchanged":     {criteria: reading.Criteria{From: 3, To: 3}, says: "must be less"},
		"a negative number":     {criteria: reading.Criteria{From: -1}, says: "count from 0"},
		"a page of too many":    {page: reading.Page{Limit: 1001}, says: "1 to 1000"},
		"a page of less than 1": {page: reading.Page{Limit: -1}, says: "1 to 1000"},
	} {
		_, err := r.Search(t.Context(), officer, test.criteria, test.page)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), "999-") || strings.Contains(err.Error(), "99900") || strings.Contains(err.Error(), "uuu")) {
			t.Errorf("%s: the error repeats what was sought: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no correlation":          func() error { _, err := r.Transaction(t.Context(), officer, ""); return err }(),
		"show none":               func() error { _, err := r.Show(t.Context(), officer, 0, 0); return err }(),
		"show too many":           func() error { _, err := r.Show(t.Context(), officer, 0, 1001); return err }(),
		"prove what is not there": func() error { _, err := r.Prove(t.Context(), officer, 99); return err }(),
		"prove what never is":     func() error { _, err := r.Prove(t.Context(), officer, -1); return err }(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A cursor may be written down anywhere: it tells nothing of the number that is sought,
// and differs from log to log.
func TestCursorsTellNothing(t *testing.T) {
	var cursors []string
	for range 2 {
		m := small(t)
		result, err := reading.New(m.store, m.keys, m).Search(t.Context(), officer, reading.Criteria{NHSNumber: numbers[0]}, reading.Page{Limit: 1})
		cursors = append(cursors, must(t, result, err).Next)
	}
	if cursors[0] == "" || cursors[0] == cursors[1] {
		t.Errorf("the cursors are %q", cursors)
	}
}

// An id that a client uses over and over cannot make a search endless.
func TestAMessageOfTooManyTransactions(t *testing.T) {
	m := small(t)
	all := make([]audit.Entry, 1001)
	for i := range all {
		all[i] = audit.Entry{Kind: audit.Refused, Time: began, MessageID: "M", Correlation: spineIDs(i)[0]}
	}
	m.appendAll(t, all[:1000])
	r := reading.New(m.store, m.keys, m)
	result, err := r.Search(t.Context(), officer, reading.Criteria{Message: "m"}, reading.Page{Limit: 1000})
	if len(must(t, result, err).Records) != 1000 {
		t.Errorf("%d found, want 1000", len(result.Records))
	}
	m.appendAll(t, all[1000:])
	_, err = r.Search(t.Context(), officer, reading.Criteria{Message: "M"}, reading.Page{})
	if err == nil || !strings.Contains(err.Error(), "more than 1000 transactions") {
		t.Errorf("%v", err)
	}
}
