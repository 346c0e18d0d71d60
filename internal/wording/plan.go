package wording

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
)

// rank is the place of a plan among the plans shown (DISP-4).
type rank uint8

const (
	current rank = iota
	startsLater
	unreadable // a record that brings no plan that can be read
	unborn     // whatever its dates
	ended
)

// entry is one plan of one local authority, or a record without any plan.
type entry struct {
	cpis.Plan
	authority cpis.LocalAuthority
	rank      rank
}

// order lists every plan of every record: current first, unborn, then ended, each
// with the newest start first (DISP-4, WRD-SAF-07).
func (s scene) order() []entry {
	var entries []entry
	for _, record := range s.findings.Records {
		for _, plan := range record.Plans {
			entries = append(entries, entry{Plan: plan, authority: record.LocalAuthority, rank: s.rank(plan)})
		}
		if len(record.Plans) == 0 {
			entries = append(entries, entry{authority: record.LocalAuthority, rank: unreadable})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), newestFirst(a.Start, b.Start))
	})
	return entries
}

func (s scene) rank(p cpis.Plan) rank {
	status := p.Status(s.today)
	switch {
	case p.Type == cpis.UnbornChildPlan:
		return unborn
	case status == cpis.PlanEnded:
		return ended
	case status == cpis.PlanStartsLater:
		return startsLater
	default:
		return current
	}
}

func newestFirst(a, b cpis.Date) int {
	switch {
	case b.DayBefore(a):
		return -1
	case a.DayBefore(b):
		return 1
	default:
		return 0
	}
}

// datesDisagree reports an end before the start (H-48).
func (e entry) datesDisagree() bool { return !e.End.IsZero() && e.End.DayBefore(e.Start) }

// authorities counts the local authorities that hold plans.
func (s scene) authorities() int {
	held := map[[2]string]bool{}
	for _, e := range s.entries {
		held[[2]string{strings.ToUpper(e.authority.ID.Extension), e.authority.Name}] = true
	}
	return len(held)
}

func (s scene) planTexts(state cpis.State) []PlanText {
	texts := make([]PlanText, 0, len(s.entries))
	for _, e := range s.entries {
		text := PlanText{Heading: planHeading(e), Sentences: s.planSentences(e), Lines: s.planLines(e)}
		if e.rank == unborn && len(s.entries) > 1 {
			s.besideOthers(&text, e, state)
		}
		if e.rank == ended && state != cpis.EndedPlanOnly {
			text.Sentences = append(text.Sentences, endedIsNotNoRisk)
		}
		texts = append(texts, text)
	}
	return texts
}

// besideOthers gives an unborn plan beside other plans its own heading and text,
// so that it is not taken for a plan of the mother (WRD-SAF-11).
func (s scene) besideOthers(text *PlanText, e entry, state cpis.State) {
	text.Sentences = slices.Insert(text.Sentences, 0, s.unbornSentence()+s.mayBeBorn(e))
	if state == cpis.UnbornPlanFound {
		return // the rest stands with the state
	}
	text.Heading = unbornHeading
	text.Sentences = append(text.Sentences, heldAgainstMother)
	text.Advice = []Block{unbornAdvice("the local authority")}
}

func planHeading(e entry) string {
	kind := e.Type.String()
	switch e.rank {
	case startsLater:
		return capital(kind) + " that starts on " + e.Start.String()
	case unreadable:
		return "Record without a plan that can be read"
	case unborn:
		return capital(kind)
	case ended:
		return capital(kind) + " that ended on " + e.End.String()
	default:
		return "Current " + kind
	}
}

func (s scene) planSentences(e entry) []string {
	var sentences []string
	if e.datesDisagree() {
		sentences = append(sentences, "Warning: the end date is before the start date. "+
			"One of them may be wrong. Phone the local authority to ask.")
	}
	switch {
	case e.rank == unreadable:
		sentences = append(sentences, "The plan on this record could not be read. Phone the local authority to ask.")
	case e.Type == cpis.UnrecognisedPlan:
		sentences = append(sentences, "Plan type not recognised. Phone the local authority to ask.")
	case e.Type == cpis.LookedAfterChild:
		sentences = append(sentences, s.lookedAfter(e.rank))
	}
	return sentences
}

// lookedAfter says what the record means, so that it is not read as abuse (H-49).
// Beside an unborn plan "this child" could be taken for the unborn one (H-07).
func (s scene) lookedAfter(r rank) string {
	who := "This child"
	if slices.ContainsFunc(s.entries, func(e entry) bool { return e.rank == unborn }) {
		who = "This person"
	}
	verb := map[rank]string{ended: "was", startsLater: "is to be", current: "is"}[r]
	return who + " " + verb + " looked after by a local authority. " +
		"This does not always mean that they have been harmed."
}

func (s scene) planLines(e entry) []Line {
	var lines []Line
	if e.rank != unreadable {
		lines = []Line{planType(e), s.startLine(e), endLine(e)}
	}
	name := orElse(e.authority.Name, orElse(e.authority.ID.Extension, "Not supplied"))
	lines = append(lines, Line{Label: "Responsible local authority", Value: name})
	return append(lines, s.phoneLines(e.authority)...)
}

func planType(e entry) Line {
	kind := capital(e.Type.String())
	if e.Type == cpis.UnrecognisedPlan {
		kind = "Not recognised"
	}
	return Line{Label: "Plan type", Value: kind}
}

func (s scene) startLine(e entry) Line {
	switch {
	case e.Start.IsZero():
		return Line{Label: "Start date", Value: "No start date recorded"}
	case s.today.DayBefore(e.Start):
		return Line{Label: "Starts on", Value: e.Start.String()}
	default:
		return Line{Label: "Start date", Value: e.Start.String()}
	}
}

func endLine(e entry) Line {
	if e.End.IsZero() {
		return Line{Label: "End date", Value: "No end date recorded"}
	}
	return Line{Label: "End date", Value: e.End.String()}
}

// phoneLines shows both numbers with their purpose as supplied, the one that
// probably applies now first, then any other number that was supplied (DISP-5,
// WRD-SAF-12).
func (s scene) phoneLines(la cpis.LocalAuthority) []Line {
	lines := []Line{
		phone("Office hours", la.OfficeHours()),
		phone("Out of hours (emergency duty team)", la.EmergencyDuty()),
	}
	if !officeHours(s.CheckedAt) {
		slices.Reverse(lines)
	}
	for _, t := range la.Telecoms {
		number := strings.TrimPrefix(t.Value, "tel:")
		if clean(number) != "" && number != la.OfficeHours() && number != la.EmergencyDuty() {
			lines = append(lines, phone("Another number supplied", number))
		}
	}
	return lines
}

func phone(label, number string) Line {
	number = clean(number)
	if number == "" {
		return Line{Label: label, Value: notSupplied}
	}
	return Line{Label: label, Value: number, Dial: true}
}

// capital begins a plan type, which is ASCII, with a capital letter.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
