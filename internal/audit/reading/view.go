package reading

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Certainty says whether a reading showed entries about a person.
type Certainty string

// The certainties.
const (
	Shown   Certainty = "shown"                  // it showed some
	MayShow Certainty = "may_have_been_shown"    // it was an export, which does not record what it held, and they meet its criteria; or a list of holds
	Sought  Certainty = "sought"                 // it was by their number, or stands under it, and showed none
	Untold  Certainty = "cannot_be_told"         // what it showed cannot be read
	copied  Certainty = "copied with the others" // it was a backup, in which contents stay sealed
)

// View is a reading of the log as far as it concerns one person.
type View struct {
	Seq       int64      `json:"seq"` // of the entry that records it
	Time      time.Time  `json:"time"`
	Certainty Certainty  `json:"certainty"`
	Did       string     `json:"did,omitempty"`  // such as "search"
	Form      string     `json:"form,omitempty"` // of an export
	Operator  string     `json:"operator,omitempty"`
	Purpose   string     `json:"purpose,omitempty"` // as they said
	Remote    string     `json:"remote,omitempty"`  // their network address or machine
	Shown     [][2]int64 `json:"shown,omitempty"`   // runs of the entries about the person that it showed
	Several   bool       `json:"several,omitempty"` // it is not recorded under the number of the person, since it may have shown others too
	State     string     `json:"state"`             // of the entry that records it: whole, locked or removed
}

// views are the readings of a period that concern the person, the newest first. A
// reading before the first entry about them showed none.
func (p *person) views(ctx context.Context, since, until time.Time) iter.Seq2[View, error] {
	return func(yield func(View, error) bool) {
		if len(p.records) == 0 {
			return
		}
		s, err := newSearch(ctx, p.store, p.keys, Criteria{Kind: audit.Read, Since: since, Until: until}, p.size)
		if err != nil {
			yield(View{}, err)
			return
		}
		for record, err := range s.newest(ctx, p.records[0].Seq, p.size) {
			var v View
			concerns := err != nil
			if err == nil {
				v, concerns = p.view(record)
			}
			if concerns && !yield(v, err) {
				return
			}
		}
	}
}

// view judges whether a reading concerns the person.
func (p *person) view(record audit.Record) (v View, concerns bool) {
	e := &record.Entry
	v = View{Seq: record.Seq, Time: e.Time.UTC(), Operator: e.Operator, Purpose: e.Purpose, Remote: e.Remote,
		Several: record.State == audit.Whole && e.NHSNumber != p.number, State: record.State.String(), Certainty: Untold}
	if record.State != audit.Whole {
		return v, true
	}
	var did detail
	err := json.Unmarshal(e.Detail, &did)
	if err != nil || did.Searched < 0 || did.Searched > record.Seq {
		return v, true
	}
	v.Did, v.Form = did.Did, did.Form
	v.Certainty = ""
	switch did.Did {
	case "search", "transaction", "show", "prove", "subject", "viewers":
		v.Certainty, v.Shown = p.shown(did.Shown, did.Searched, e.Entries)
	case "export", "exported":
		v.Certainty = p.exported(did, e.Entries)
	case "backup":
		v.Certainty = copied
	case "holds":
		isHold := func(r audit.Record) bool { return r.Entry.Kind == audit.Held }
		if e.Entries > 0 && slices.ContainsFunc(p.before(record.Seq), isHold) {
			v.Certainty = MayShow
		}
	default: // of a later release, or lost
		v.Certainty = Untold
	}
	if v.Certainty == "" && !v.Several {
		v.Certainty = Sought
	}
	return v, v.Certainty != ""
}

// shown are the runs of the person's entries within the runs that were shown. Runs that
// do not add up tell nothing.
func (p *person) shown(runs [][2]int64, searched int64, entries int) (Certainty, [][2]int64) {
	var theirs []int64
	total := int64(0)
	for _, run := range runs {
		if run[0] < 0 || run[0] > run[1] || run[1] >= searched {
			return Untold, nil
		}
		total += run[1] - run[0] + 1
		theirs = append(theirs, p.within(run[0], run[1])...)
	}
	switch {
	case total != int64(entries):
		return Untold, nil
	case len(theirs) == 0:
		return "", nil
	}
	slices.Sort(theirs)
	return Shown, runsOf(theirs)
}

// exported judges an export, of which only the criteria are recorded, and in the end
// how many entries it handed out.
func (p *person) exported(did detail, entries int) Certainty {
	c, err := did.Criteria.normal()
	switch {
	case err != nil:
		return Untold
	case did.Did == "exported" && did.Whole && entries == 0:
		return ""
	case c.NHSNumber != "" && c.NHSNumber != p.number:
		return ""
	}
	there := p.before(did.Searched)
	s := search{criteria: c, transactions: make(map[string]bool)}
	if c.Message != "" {
		for _, record := range there { // which are the whole of each transaction
			if record.Entry.Correlation != "" && names(&record.Entry, c.Message) {
				s.transactions[transaction(record.Entry.Correlation)] = true
			}
		}
	}
	for _, record := range there {
		if record.Seq >= c.From && (c.To == 0 || record.Seq < c.To) && s.meets(record) {
			return MayShow
		}
	}
	return ""
}
