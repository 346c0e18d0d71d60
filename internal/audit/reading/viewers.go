package reading

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Viewers are those who asked about one person in a period, and those who saw, or may
// have seen, what the log holds about them (IG-3.9.3a). Its JSON is for machines.
type Viewers struct {
	NHSNumber string     `json:"nhs_number"`
	Since     time.Time  `json:"since,omitzero"` // not before this time
	Until     time.Time  `json:"until,omitzero"` // before this time
	Searched  int64      `json:"searched"`       // entries of the log, from the first on
	Questions []Question `json:"questions"`      // the oldest first
	Views     []View     `json:"readings"`       // the oldest first
	Backups   []Backups  `json:"backups"`        // the most recent first
}

// Question is one transaction about a person.
type Question struct {
	Entries      [][2]int64 `json:"entries"` // runs of the entries that record it
	Time         time.Time  `json:"time"`    // of the first entry
	Correlation  string     `json:"correlation,omitempty"`
	Client       string     `json:"client,omitempty"`
	Organisation string     `json:"organisation,omitempty"` // ODS code of the client
	Users        []string   `json:"users,omitempty"`        // user name and audit identities
	Author       []string   `json:"author,omitempty"`       // names and ids of who asked, as the query said, and of those responsible
	Outcome      string     `json:"outcome,omitempty"`      // "" if none is recorded, so that it is not known
	Notified     string     `json:"notified,omitempty"`
	Undelivered  bool       `json:"undelivered,omitempty"` // the answer did not reach the client
	State        string     `json:"state"`                 // whole, or what keeps some of the entries from being read: locked or removed
}

// Tally counts readings that are not listed.
type Tally struct {
	Count int       `json:"count"`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func (t *Tally) add(at time.Time) {
	if t.Count == 0 || at.Before(t.First) {
		t.First = at
	}
	if t.Count == 0 || at.After(t.Last) {
		t.Last = at
	}
	t.Count++
}

// Backups are the copies of the whole log that one operator made while it held entries
// about the person. What is personal is sealed in them.
type Backups struct {
	Operator string `json:"operator"`
	Tally
}

// Viewers lists who asked about a person, and who saw what the log holds about them,
// within since <= t < until; a zero time sets no limit. It is an error if index keys
// are not at hand, since the list would then leave out what nobody knows of.
//
// What showed only entries whose content was destroyed since, with their whole
// transaction, can no longer be found.
func (r *Reader) Viewers(ctx context.Context, who Who, number string, since, until time.Time) (Viewers, error) {
	c, err := onePerson(Criteria{NHSNumber: number, Since: since, Until: until})
	if err != nil {
		return Viewers{}, err
	}
	p, err := r.about(ctx, c.NHSNumber)
	if err != nil {
		return Viewers{}, err
	}
	v := Viewers{NHSNumber: p.number, Since: c.Since, Until: c.Until, Searched: p.size,
		Questions: []Question{}, Views: []View{}, Backups: []Backups{}}
	var seqs []int64
	for _, records := range p.questions() {
		if slices.ContainsFunc(records, func(r audit.Record) bool { return c.hasTime(r.Entry.Time) }) {
			v.Questions = append(v.Questions, question(records))
			seqs = append(seqs, seqsOf(records)...)
		}
	}
	room := maxEntries
	for view, err := range p.views(ctx, c.Since, c.Until) {
		if err != nil {
			return Viewers{}, err
		}
		if view.Certainty == copied {
			v.Backups = count(v.Backups, view)
			continue
		}
		v.Views = append(v.Views, view)
		seqs = append(seqs, view.Seq)
		room -= 1 + len(view.Shown)
		if room < 0 || len(v.Backups) > maxEntries {
			return Viewers{}, errTooMany
		}
	}
	slices.Reverse(v.Views)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	did := detail{Did: "viewers", Criteria: c, Searched: p.size, Shown: runsOf(seqs)}
	err = r.append(ctx, who, did, p.number, len(seqs))
	if err != nil {
		return Viewers{}, err
	}
	return v, nil
}

// onePerson checks criteria that must name a person.
func onePerson(c Criteria) (Criteria, error) {
	if c.NHSNumber == "" {
		return c, errors.New("name the person by their NHS number")
	}
	return c.normal()
}

// count adds a backup to those of its operator.
func count(all []Backups, v View) []Backups {
	at := slices.IndexFunc(all, func(b Backups) bool { return b.Operator == v.Operator })
	if at < 0 {
		at = len(all)
		all = append(all, Backups{Operator: v.Operator})
	}
	all[at].add(v.Time)
	return all
}

// Person is what the log holds about one person, for a report to them.
type Person struct {
	NHSNumber string
	Searched  int64          // entries of the log, from the first on
	Terms     []seal.Term    // of the person
	Records   []audit.Record // the entries about them, rising, each without leaf, sealed content and detail
	Views     []View         // readings that are not among Records, and showed or may have shown some of them; the oldest first
	Untold    Tally          // further readings of which it cannot be told
	Backups   Tally          // copies of the whole log, in which what is personal is sealed
}

// Subject returns everything about a person for a report to them, as Viewers does.
// That names of staff are to be left out of the report is recorded.
func (r *Reader) Subject(ctx context.Context, who Who, number string, masked bool) (Person, error) {
	c, err := onePerson(Criteria{NHSNumber: number})
	if err != nil {
		return Person{}, err
	}
	p, err := r.about(ctx, c.NHSNumber)
	if err != nil {
		return Person{}, err
	}
	s := Person{NHSNumber: p.number, Searched: p.size, Terms: audit.TermsOf(r.keys, audit.FieldNHSNumber, p.number), Records: p.records}
	seqs := seqsOf(p.records)
	for view, err := range p.views(ctx, time.Time{}, time.Time{}) {
		_, among := p.find(view.Seq)
		switch {
		case err != nil:
			return Person{}, err
		case among:
		case view.Certainty == copied:
			s.Backups.add(view.Time)
		case view.Certainty == Untold:
			s.Untold.add(view.Time)
		case len(seqs) == maxEntries:
			return Person{}, errTooMany
		default:
			view.Shown = nil
			s.Views = append(s.Views, view)
			seqs = append(seqs, view.Seq)
		}
	}
	slices.Reverse(s.Views)
	slices.Sort(seqs)
	did := detail{Did: "subject", Criteria: c, Searched: p.size, Masked: &masked, Shown: runsOf(seqs)}
	err = r.append(ctx, who, did, p.number, len(seqs))
	if err != nil {
		return Person{}, err
	}
	return s, nil
}

// questions are the entries of each transaction about the person, in the order of their
// first ones.
func (p *person) questions() [][]audit.Record {
	var all [][]audit.Record
	at := make(map[string]int)
	for _, record := range p.records {
		e := &record.Entry
		if e.Kind.Class() != audit.Questions {
			continue
		}
		i, known := at[transaction(e.Correlation)]
		if e.Correlation == "" || !known {
			i = len(all)
			all = append(all, nil)
			at[transaction(e.Correlation)] = i
		}
		all[i] = append(all[i], record)
	}
	return all
}

// question puts together what the entries of one transaction say.
func question(records []audit.Record) Question {
	first := &records[0].Entry
	q := Question{Entries: runsOf(seqsOf(records)), Time: first.Time.UTC(), Correlation: first.Correlation, State: audit.Whole.String()}
	for _, record := range records {
		e := &record.Entry
		if record.State != audit.Whole {
			q.State = record.State.String()
		}
		fill(&q.Client, e.Client)
		fill(&q.Organisation, e.Organisation)
		if e.Kind == audit.Outcome || e.Kind == audit.Refused || e.Kind == audit.Recovered {
			fill(&q.Outcome, e.Outcome)
			fill(&q.Notified, e.Notified)
		}
		q.Undelivered = q.Undelivered || e.Kind == audit.Undelivered
		include(&q.Users, e.Username)
		for _, identity := range e.AuditIdentities {
			include(&q.Users, identity.URI)
		}
		if a := e.Author; a != nil {
			include(&q.Author, a.Name, a.UserID, a.RoleName, a.ASID)
			for _, authority := range a.Authorities {
				include(&q.Author, authority.Name)
			}
		}
	}
	return q
}

func fill(text *string, value string) {
	if *text == "" {
		*text = value
	}
}

// include adds texts that are not there yet.
func include(all *[]string, texts ...string) {
	for _, text := range texts {
		if text != "" && !slices.Contains(*all, text) {
			*all = append(*all, text)
		}
	}
}

var errTooMany = fmt.Errorf("these are more entries than one reading can record, or than the %d that one list may have; ask for a shorter period", maxEntries)
