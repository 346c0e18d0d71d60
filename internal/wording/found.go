package wording

import (
	"fmt"

	"github.com/wardsmsp/ward/cpis"
)

const unbornHeading = "Unborn child protection plan found"

func (s scene) currentPlan(d *Document) {
	each := s.eachAuthority()
	d.Badge = "CP-IS: current plan"
	d.Heading = "Child protection information found"
	d.Lead = s.foundLead()
	d.Advice = []Block{{Heading: whatToDo, Points: []string{
		"Phone " + each + ". Tell them why the child is here and ask what you need to know.",
		"Outside office hours, phone the emergency duty team.",
		followProcedure + " and tell the clinician in charge.",
		call999,
	}}}
	d.Notes = []string{
		"CP-IS tells the local authority about this check. They may not read that message straight away, " +
			"and it is not a referral. " + maybeNotRecent + " A plan does not tell you what has happened today. " +
			"Use your own assessment.",
	}
}

func (s scene) unbornPlan(d *Document) {
	d.Badge = "CP-IS: unborn child plan"
	d.Heading = unbornHeading
	d.Lead = s.foundLead()
	d.Advice = []Block{unbornAdvice(s.eachAuthority())}
	d.Notes = []string{heldAgainstMother + " " + notAReferral + " " + maybeNotRecent}
}

// unbornAdvice is given for an unborn plan, alone or beside other plans.
func unbornAdvice(authority string) Block {
	return Block{Heading: whatToDo, Points: []string{
		"Phone " + authority + " and tell the midwife and the clinician in charge.",
		"If the baby has been born, check the baby using the baby's own NHS number as well.",
		"Do not talk about this in front of other people, including a partner or family.",
		followProcedure + ". If someone is in immediate danger, call 999.",
	}}
}

func (s scene) endedPlan(d *Document) {
	last := latestEnd(s.entries)
	d.Badge = fmt.Sprintf("CP-IS: plan ended %d %.3s %d", last.Day, last.Month, last.Year)
	d.Heading = "A past plan was found. CP-IS shows no current plan"
	d.Lead = s.foundLead()
	d.Advice = []Block{{Heading: endedIsNotNoRisk, Points: []string{
		"If you have any concern, phone " + s.eachAuthority() + " and follow your safeguarding procedure.",
		call999,
	}}}
	d.Notes = []string{
		"CP-IS shows plans for about a year after they end. It does not show older plans. " +
			notAReferral + " " + maybeNotRecent,
	}
}

func (s scene) noRecord(d *Document) {
	d.Badge = "CP-IS: no record (does not mean no risk)"
	d.Heading = "No record found on CP-IS"
	d.Lead = "CP-IS has no record for " + s.number() + "."
	d.Advice = []Block{
		{
			Heading: "No record does not mean no risk.",
			Intro:   "A child at risk may not be on CP-IS, for example because:",
			Points: []string{
				"their local authority has not sent the information yet, or could not match it",
				"they live outside England",
				"they are known to social care but do not have a plan that CP-IS holds",
				"the record is for a brother, a sister or their mother",
				"the NHS number is wrong",
			},
		},
		{Heading: whatToDo, Points: []string{
			withContacts("If you have any concern, phone children's social care for the area where the child lives", s.Contacts),
			followProcedure + ", as you would without this check.",
			call999,
		}},
	}
	d.Notes = []string{"No local authority has been told about this check."}
}

// eachAuthority says whom to phone.
func (s scene) eachAuthority() string {
	if s.authorities() > 1 {
		return "each local authority"
	}
	return "the local authority"
}

// foundLead says whose plans were found, how many, and from how many local
// authorities (H-18).
func (s scene) foundLead() string {
	lead := s.severalPlans()
	if len(s.entries) == 1 {
		lead = s.onePlan(s.entries[0])
	}
	if s.authorities() > 1 {
		lead += fmt.Sprintf(" They come from %d local authorities.", s.authorities())
	}
	for _, e := range s.entries {
		if e.rank == ended && e.datesDisagree() {
			return lead + " The dates recorded do not agree, so a plan shown as ended may still apply."
		}
	}
	return lead
}

func (s scene) onePlan(e entry) string {
	kind := e.Type.String()
	switch e.rank {
	case startsLater:
		return s.personAs("has a " + kind + " that starts on " + e.Start.String() + ".")
	case unreadable:
		return s.personAs("has a record on CP-IS that could not be read. Treat it as a current plan.")
	case unborn:
		return s.unbornSentence() + s.mayBeBorn(e)
	case ended:
		return s.personAs("had a " + kind + " that ended on " + e.End.String() + ".")
	default:
		return s.personAs("has a current " + kind + ".")
	}
}

func (s scene) unbornSentence() string {
	return "There is a child protection plan for the unborn child of " + s.person() + "."
}

// mayBeBorn continues a sentence about an unborn plan, if its end date is over.
func (s scene) mayBeBorn(e entry) string {
	if e.Status(s.today) != cpis.PlanEnded {
		return ""
	}
	return " The plan's end date was " + e.End.String() + ". The baby may have been born."
}

// severalPlans counts all plans, then those of each rank.
func (s scene) severalPlans() string {
	byRank := map[rank][]entry{}
	for _, e := range s.entries {
		byRank[e.rank] = append(byRank[e.rank], e)
	}
	total := len(s.entries)
	first := s.entries[0].rank
	switch {
	case len(byRank) == 1 && first == current:
		return s.personAs(fmt.Sprintf("has %d current records.", total))
	case len(byRank) == 1 && first == unborn:
		return fmt.Sprintf("There are %d child protection plans for the unborn child of %s.", total, s.person())
	case len(byRank) == 1:
		return s.personAs(fmt.Sprintf("has %d records on CP-IS %s.", total, standing(s.entries)))
	}
	var parts []string
	for r := current; r <= ended; r++ {
		if len(byRank[r]) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", len(byRank[r]), standing(byRank[r])))
		}
	}
	return s.personAs(fmt.Sprintf("has %d records on CP-IS: %s.", total, list(parts)))
}

// standing continues the number of entries, which are all of one rank.
func standing(entries []entry) string {
	one := len(entries) == 1
	switch entries[0].rank {
	case startsLater:
		if one {
			return "that starts on " + entries[0].Start.String()
		}
		return "that start later"
	case unreadable:
		return "that could not be read"
	case unborn:
		return "for this person's unborn child"
	case ended:
		if one {
			return "that ended on " + entries[0].End.String()
		}
		return "that have ended, the last on " + latestEnd(entries).String()
	default:
		return "current"
	}
}

// latestEnd is the last end date of the ended plans.
func latestEnd(entries []entry) cpis.Date {
	var last cpis.Date
	for _, e := range entries {
		if e.rank == ended && last.DayBefore(e.End) {
			last = e.End
		}
	}
	return last
}
