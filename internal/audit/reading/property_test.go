package reading_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/reading"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

var officer = reading.Who{Operator: "Pat Officer", Purpose: "complaint 17"}

// MSCA-AUD-05a, WRD-AUD-09: a search by any criteria, alone or combined, finds what
// looking at every entry finds, page by page, while others write to the log.
func TestSearchFindsWhatLookingAtEachEntryFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := mathrand.New(mathrand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m := newModel(t, &audittest.Memory{}, r, rapid.IntRange(1, 60).Draw(t, "size"))
		defer m.log.Close(context.Background())
		for range 5 {
			m.compare(t, 1, 2, 7, 100)
			m.compareExport(t)
		}
	})
}

// The same in a database, over several spans of time.
func TestSearchInADatabase(t *testing.T) {
	store := must2(sqlite.Open, t, filepath.Join(t.TempDir(), "audit.db"))
	defer store.Close()
	m := newModel(t, store, mathrand.New(mathrand.NewPCG(7, 7)), 2*audit.SpanSize)
	defer discard(t, m)
	rapid.Check(t, func(t *rapid.T) { m.compare(t, 500, reading.MaxLimit) })
}

// compare searches once, with pages of one of the sizes.
func (m *model) compare(t *rapid.T, limits ...int) {
	head := must2(m.store.Head, t, context.Background())
	c := m.drawCriteria(t, head.Size)
	want := m.meeting(c, head.Size)
	limit := rapid.SampledFrom(limits).Draw(t, "limit")
	r := reading.New(m.store, m.keys, m)
	var got []int64
	for page := (reading.Page{Limit: limit}); ; {
		result, err := r.Search(context.Background(), officer, spelt(t, c), page)
		if err != nil {
			t.Fatalf("Search(%+v): %v", c, err)
		}
		if len(result.Records) > limit || result.Searched != head.Size || result.Next != "" && len(result.Records) < limit {
			t.Fatalf("a page of %d of %d entries, %d searched of %d, next %q", len(result.Records), limit, result.Searched, head.Size, result.Next)
		}
		for _, record := range result.Records {
			m.check(t, record)
			got = append(got, record.Seq)
		}
		page.Cursor = result.Next
		if page.Cursor == "" {
			break
		}
		// Others write: the like of what was found before.
		_, err = m.Append(context.Background(), m.entries[got[len(got)-1]])
		must(t, 0, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Search(%+v) (-want +got):\n%s", c, diff)
	}
}

func (m *model) compareExport(t *rapid.T) {
	head := must2(m.store.Head, t, context.Background())
	c := m.drawCriteria(t, head.Size)
	want := m.meeting(c, head.Size)
	slices.Reverse(want)
	var got []int64
	for record, err := range reading.New(m.store, m.keys, m).Export(context.Background(), officer, spelt(t, c), "jsonl") {
		must(t, 0, err)
		m.check(t, record)
		got = append(got, record.Seq)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Export(%+v) (-want +got):\n%s", c, diff)
	}
}

// check compares what was shown of an entry with what was recorded.
func (m *model) check(t *rapid.T, record audit.Record) {
	state := audit.Whole
	switch {
	case m.removed[record.Seq]:
		state = audit.Removed
	case m.locked[record.Seq]:
		state = audit.Locked
	}
	e := m.entries[record.Seq]
	if record.State != state || record.Entry.Correlation != e.Correlation || state == audit.Whole && record.Entry.NHSNumber != e.NHSNumber {
		t.Fatalf("entry %d is shown %s, want %s: %+v", record.Seq, record.State, state, record.Entry)
	}
}

// drawCriteria takes each criterion from one entry, so that they are often met, or from
// another.
func (m *model) drawCriteria(t *rapid.T, size int64) reading.Criteria {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry := func(name string) audit.Entry { return m.entries[rapid.Int64Range(0, size-1).Draw(t, name)] }
	one := entry("entry")
	wanted := func(name string) (audit.Entry, bool) {
		switch rapid.IntRange(0, 9).Draw(t, name) {
		case 0, 1, 2:
			return one, true
		case 3:
			return entry("other " + name), true
		default:
			return audit.Entry{}, false
		}
	}
	var c reading.Criteria
	if e, ok := wanted("nhs number"); ok {
		c.NHSNumber = e.NHSNumber
	}
	if e, ok := wanted("user"); ok {
		c.User = first(e.Username, e.Operator, usersOf(e))
	}
	if e, ok := wanted("authority"); ok {
		c.Authority = first(e.Authority, authorityOf(e))
	}
	if e, ok := wanted("client"); ok {
		c.Client = e.Client
	}
	if e, ok := wanted("organisation"); ok {
		c.Organisation = e.Organisation
	}
	if e, ok := wanted("message"); ok {
		ids := append([]string{e.MessageID, e.TrackingID, e.QueryID}, e.SpineMessageIDs...)
		c.Message = rapid.SampledFrom(ids).Draw(t, "id")
	}
	if e, ok := wanted("correlation"); ok {
		c.Correlation = e.Correlation
	}
	if e, ok := wanted("outcome"); ok {
		c.Outcome = e.Outcome
	}
	if e, ok := wanted("kind"); ok {
		c.Kind = e.Kind
	}
	if e, ok := wanted("since"); ok {
		c.Since = e.Time
	}
	if e, ok := wanted("until"); ok {
		c.Until = e.Time.Add(time.Millisecond)
	}
	if !c.Since.IsZero() && !c.Until.IsZero() && !c.Since.Before(c.Until) {
		c.Since, c.Until = c.Until, c.Since.Add(time.Hour)
	}
	if _, ok := wanted("from"); ok {
		c.From = rapid.Int64Range(0, size-1).Draw(t, "from seq")
	}
	if _, ok := wanted("to"); ok {
		c.To = rapid.Int64Range(c.From+1, size+3).Draw(t, "to seq")
	}
	return c
}

// spelt writes criteria as people do.
func spelt(t *rapid.T, c reading.Criteria) reading.Criteria {
	turn := rapid.SampledFrom([]func(string) string{strings.ToUpper, strings.ToLower, strings.TrimSpace}).Draw(t, "case")
	for _, text := range []*string{&c.User, &c.Authority, &c.Client, &c.Organisation, &c.Message, &c.Correlation, &c.Outcome} {
		*text = turn(*text)
	}
	if len(c.NHSNumber) == 10 && rapid.Bool().Draw(t, "spaced") {
		c.NHSNumber = c.NHSNumber[:3] + " " + c.NHSNumber[3:6] + " " + c.NHSNumber[6:]
	}
	return c
}

// meeting are the sequence numbers of the entries that meet criteria, found by looking
// at each.
func (m *model) meeting(c reading.Criteria, size int64) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	transactions := make(map[string]bool)
	for seq := range size {
		e := m.entries[seq]
		if e.Correlation != "" && named(e, c.Message) {
			transactions[e.Correlation] = true
		}
	}
	var met []int64
	for seq := size - 1; seq >= 0; seq-- {
		e := m.entries[seq]
		personal := (c.NHSNumber == "" || c.NHSNumber == e.NHSNumber) &&
			(c.User == "" || c.User == e.Username || c.User == e.Operator || slices.Contains(strings.Split(usersOf(e), "\n"), c.User)) &&
			(c.Authority == "" || c.Authority == e.Authority || c.Authority == authorityOf(e))
		if m.removed[seq] && c.NHSNumber+c.User+c.Authority != "" {
			personal = false // nobody knows any more
		}
		if personal && seq >= c.From && (c.To == 0 || seq < c.To) &&
			(c.Client == "" || c.Client == e.Client) && (c.Organisation == "" || c.Organisation == e.Organisation) &&
			(c.Correlation == "" || c.Correlation == e.Correlation) && (c.Outcome == "" || c.Outcome == e.Outcome) &&
			(c.Kind == "" || c.Kind == e.Kind) &&
			(c.Message == "" || transactions[e.Correlation] || named(e, c.Message)) &&
			(c.Since.IsZero() || !e.Time.Before(c.Since)) && (c.Until.IsZero() || e.Time.Before(c.Until)) {
			met = append(met, seq)
		}
	}
	return met
}

func named(e audit.Entry, id string) bool {
	ids := []string{e.MessageID, e.TrackingID, e.QueryID}
	if e.Kind != audit.Intent {
		ids = append(ids, e.SpineMessageIDs...)
	}
	return slices.ContainsFunc(ids, func(held string) bool { return held != "" && short(held) == short(id) })
}

func short(id string) string { return id[strings.LastIndexByte(id, ':')+1:] }

func usersOf(e audit.Entry) string {
	var all []string
	for _, i := range e.AuditIdentities {
		all = append(all, i.URI)
	}
	if e.Author != nil && e.Author.UserID != "" {
		all = append(all, e.Author.UserID)
	}
	return strings.Join(all, "\n")
}

func authorityOf(e audit.Entry) string {
	if e.Author == nil || len(e.Author.Authorities) == 0 {
		return ""
	}
	return e.Author.Authorities[0].Name
}

func first(all ...string) string {
	for _, text := range all {
		if text != "" {
			one, _, _ := strings.Cut(text, "\n")
			return one
		}
	}
	return ""
}

// WRD-AUD-09: BenchmarkSearchByNumber measures a search for one person among a million
// entries, of whom there are 8.
func BenchmarkSearchByNumber(b *testing.B) {
	const size = 1_000_000
	store := must2(sqlite.Open, b, filepath.Join(b.TempDir(), "audit.db"))
	defer store.Close()
	m := newModel(b, store, mathrand.New(mathrand.NewPCG(1, 2)), 40)
	must(b, 0, m.log.Close(context.Background()))
	m.group = 4096 // to be done sooner
	m.open(b, m.signer, m.keys)
	defer m.log.Close(context.Background())
	all := make([]audit.Entry, 0, size)
	for i := range size {
		e := audit.Entry{Kind: audit.Refused, Time: began.Add(time.Duration(i) * time.Millisecond), Correlation: fmt.Sprintf("5F0C9C2E-0000-4F7A-9D6E-%012d", i/2),
			Client: clients[i%2], Organisation: places[i%2], NHSNumber: fmt.Sprintf("999%07d", i%(size/8)), Outcome: endings[i%3], Username: users[2]}
		all = append(all, e)
	}
	m.appendAll(b, all)
	r := reading.New(store, m.keys, m.log)
	for b.Loop() {
		result, err := r.Search(b.Context(), officer, reading.Criteria{NHSNumber: "9990004321", To: size}, reading.Page{})
		if err != nil || len(result.Records) < 7 { // the last few lie beyond To
			b.Fatal(len(result.Records), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/search")
}
