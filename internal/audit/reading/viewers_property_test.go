package reading_test

import (
	"context"
	"encoding/json"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// truth is what is known of a reading otherwise than from what is recorded of it.
type truth struct {
	did      string
	returned []int64 // the entries that it showed
	criteria reading.Criteria
}

// IG-3.9.3a: whoever reads the log in whatever way, and whatever is destroyed or locked
// then, the list for a person has each reading that showed one of their entries, and
// none of which it is certain that it showed none; and each of their questions.
func TestViewersAreThoseWhoSaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := mathrand.New(mathrand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m := newModel(t, &audittest.Memory{}, r, rapid.IntRange(1, 40).Draw(t, "size"))
		defer m.log.Close(context.Background())
		known := make(map[int64]truth)
		for range rapid.IntRange(0, 12).Draw(t, "readings") {
			m.read(t, known)
		}
		head := must2(m.store.Head, t, context.Background())
		for range rapid.IntRange(0, 4).Draw(t, "removals") {
			m.remove(t, rapid.Int64Range(0, head.Size-1).Draw(t, "removed"))
		}
		for _, number := range numbers {
			m.compareViewers(t, known, number)
			m.compareSubject(t, known, number)
		}
	})
}

// read reads the log in some way.
func (m *model) read(t *rapid.T, known map[int64]truth) {
	ctx, rd := context.Background(), reading.New(m.store, m.keys, m)
	size := must2(m.store.Head, t, ctx).Size
	seq := rapid.Int64Range(0, size-1).Draw(t, "at")
	c := m.drawCriteria(t, size)
	one := truth{criteria: c}
	raw := func(entries int, detail string) {
		_, err := m.Append(ctx, audit.Entry{Kind: audit.Read, Time: began, Operator: users[3], Entries: entries, Detail: json.RawMessage(detail)})
		must(t, 0, err)
	}
	one.did = rapid.SampledFrom([]string{"search", "search", "show", "show", "transaction", "prove", "export", "export", "viewers", "subject",
		"backup", "holds", "no holds", "lost", "later", "odd"}).Draw(t, "did")
	switch one.did {
	case "search":
		result, err := rd.Search(ctx, officer, c, reading.Page{Limit: rapid.IntRange(1, 20).Draw(t, "limit")})
		one.returned = seqs(must(t, result, err).Records)
	case "show":
		records, err := rd.Show(ctx, officer, seq, rapid.IntRange(1, 9).Draw(t, "n"))
		one.returned = seqs(must(t, records, err))
	case "transaction":
		correlation := first(m.entries[seq].Correlation, "none")
		records, err := rd.Transaction(ctx, officer, correlation)
		one.returned = seqs(must(t, records, err))
	case "prove":
		_, err := rd.Prove(ctx, officer, seq)
		one.returned = []int64{must(t, seq, err)}
	case "export":
		for record, err := range rd.Export(ctx, officer, c, "jsonl") {
			one.returned = append(one.returned, must(t, record, err).Seq)
		}
		known[size] = one // recorded before and after
	case "viewers":
		v, err := rd.Viewers(ctx, officer, numbers[seq%4], c.Since, c.Until)
		one.returned = listed(must(t, v, err))
	case "subject":
		p, err := rd.Subject(ctx, officer, numbers[seq%4], true)
		one.returned = reported(must(t, p, err))
	case "backup":
		raw(0, `{"did":"backup"}`)
	case "holds":
		raw(1, `{"did":"holds"}`)
	case "no holds":
		raw(0, `{"did":"holds"}`)
	case "lost":
		raw(0, `{}`)
	case "later":
		raw(1, `{"did":"divined","shown":[[0,0]]}`)
	case "odd":
		raw(7, `{"did":"search","criteria":{},"searched":1,"shown":[[0,0]]}`)
	}
	known[must2(m.store.Head, t, ctx).Size-1] = one
}

func listed(v reading.Viewers) (all []int64) {
	for _, q := range v.Questions {
		all = append(all, unrolled(q.Entries)...)
	}
	for _, view := range v.Views {
		all = append(all, view.Seq)
	}
	return all
}

func reported(p reading.Person) []int64 {
	all := seqs(p.Records)
	for _, view := range p.Views {
		all = append(all, view.Seq)
	}
	return all
}

func unrolled(runs [][2]int64) []int64 {
	var all []int64
	for _, run := range runs {
		for seq := run[0]; seq <= run[1]; seq++ {
			all = append(all, seq)
		}
	}
	return all
}

// about are the entries about a person, rising, found by looking at each.
func (m *model) about(number string, size int64) []int64 {
	transactions := make(map[string]bool)
	var all []int64
	named := func(seq int64) bool { return !m.removed[seq] && m.entries[seq].NHSNumber == number }
	for seq := range size {
		if named(seq) {
			transactions[m.entries[seq].Correlation] = true
		}
	}
	for seq := range size {
		e := m.entries[seq]
		nobody := m.removed[seq] || m.locked[seq] || e.NHSNumber == ""
		if named(seq) || nobody && e.Correlation != "" && transactions[e.Correlation] {
			all = append(all, seq)
		}
	}
	return all
}

// want is what is to be said of a reading, "" if nothing is; or either of two things
// where nobody can know.
func (m *model) want(one truth, ok bool, seq int64, number string, about []int64) (certainties []reading.Certainty, shown []int64) {
	for _, at := range about {
		if slices.Contains(one.returned, at) {
			shown = append(shown, at)
		}
	}
	nothing := reading.Certainty("")
	if m.entries[seq].NHSNumber == number {
		nothing = reading.Sought
	}
	c := one.criteria
	switch {
	case m.removed[seq] || m.locked[seq] || !ok:
		return []reading.Certainty{reading.Untold}, nil
	case one.did == "lost" || one.did == "later" || one.did == "odd":
		return []reading.Certainty{reading.Untold}, nil
	case one.did == "backup" || one.did == "holds" || one.did == "no holds": // nobody is held in the model under a number
		return []reading.Certainty{nothing}, nil
	case one.did != "export" && len(shown) > 0:
		return []reading.Certainty{reading.Shown}, shown
	case one.did == "export" && len(shown) > 0:
		return []reading.Certainty{reading.MayShow}, nil
	case one.did == "export" && c.NHSNumber+c.User+c.Authority != "" && (c.NHSNumber == "" || c.NHSNumber == number) &&
		slices.ContainsFunc(about, func(at int64) bool { return m.removed[at] || m.locked[at] }):
		return []reading.Certainty{nothing, reading.MayShow}, nil // whether that entry met the criteria is not known
	default:
		return []reading.Certainty{nothing}, nil
	}
}

func (m *model) compareViewers(t *rapid.T, known map[int64]truth, number string) {
	ctx := context.Background()
	size := must2(m.store.Head, t, ctx).Size
	c := m.drawCriteria(t, size)
	about := m.about(number, size)
	within := func(seq int64) bool {
		at := m.entries[seq].Time
		return (c.Since.IsZero() || !at.Before(c.Since)) && (c.Until.IsZero() || at.Before(c.Until))
	}
	v, err := reading.New(m.store, m.keys, m).Viewers(ctx, officer, number, c.Since, c.Until)
	must(t, 0, err)
	known[size] = truth{did: "viewers", returned: listed(v)}
	got := make(map[int64]reading.View)
	for _, view := range v.Views {
		got[view.Seq] = view
	}
	for seq := range size {
		one, ok := known[seq]
		wants, shown := []reading.Certainty{""}, []int64(nil)
		if m.entries[seq].Kind == audit.Read && len(about) > 0 && seq >= about[0] && within(seq) {
			wants, shown = m.want(one, ok, seq, number, about)
		}
		view := got[seq]
		if !slices.Contains(wants, view.Certainty) || !slices.Equal(unrolled(view.Shown), shown) {
			t.Fatalf("reading %d, %+v, is %q and showed %v, want %q and %v", seq, one, view.Certainty, view.Shown, wants, shown)
		}
		delete(got, seq)
	}
	if len(got) > 0 || !slices.IsSortedFunc(v.Views, func(a, b reading.View) int { return int(a.Seq - b.Seq) }) {
		t.Fatalf("also, or not in order: %+v", v.Views)
	}
	m.compareQuestions(t, v.Questions, about, within)
}

func (m *model) compareQuestions(t *rapid.T, questions []reading.Question, about []int64, within func(int64) bool) {
	want := make(map[int64][]int64) // by the first
	begun := make(map[string]int64)
	for _, seq := range about {
		e := m.entries[seq]
		if e.Kind.Class() != audit.Questions {
			continue
		}
		at, ok := begun[e.Correlation]
		if !ok || e.Correlation == "" {
			at = seq
			begun[e.Correlation] = at
		}
		want[at] = append(want[at], seq)
	}
	maps.DeleteFunc(want, func(_ int64, all []int64) bool { return !slices.ContainsFunc(all, within) })
	got := make(map[int64][]int64)
	for _, q := range questions {
		all := unrolled(q.Entries)
		got[all[0]] = all
		e := m.entries[all[0]]
		if q.Correlation != e.Correlation || q.Client != e.Client || !q.Time.Equal(e.Time) {
			t.Fatalf("question %d is %+v, want %+v", all[0], q, e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("questions (-want +got):\n%s", diff)
	}
}

// compareSubject compares the readings that a person is told of with those of the list.
func (m *model) compareSubject(t *rapid.T, known map[int64]truth, number string) {
	ctx := context.Background()
	size := must2(m.store.Head, t, ctx).Size
	about := m.about(number, size)
	rd := reading.New(m.store, m.keys, m)
	p, err := rd.Subject(ctx, officer, number, false)
	must(t, 0, err)
	known[size] = truth{did: "subject", returned: reported(p)}
	if diff := cmp.Diff(about, seqs(p.Records)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	v, err := rd.Viewers(ctx, officer, number, time.Time{}, time.Time{})
	must(t, 0, err)
	known[size+1] = truth{did: "viewers", returned: listed(v)}
	var want []int64
	untold := 0
	for _, view := range v.Views {
		switch {
		case view.Seq == size || slices.Contains(about, view.Seq): // the report itself, and what stands under the number
		case view.Certainty == reading.Untold:
			untold++
		default:
			want = append(want, view.Seq)
		}
	}
	var got []int64
	for _, view := range p.Views {
		got = append(got, view.Seq)
		if !view.Several {
			t.Fatalf("%+v stands under the number", view)
		}
	}
	if !slices.Equal(got, want) || p.Untold.Count != untold {
		t.Fatalf("readings %v and %d untold, want %v and %d", got, p.Untold.Count, want, untold)
	}
}
