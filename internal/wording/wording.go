// Package wording turns a cpis.Answer into plain English for the people at the
// point of care. It is the only place that does, so that every screen, print and
// command says the same (WRD-SUP-05).
//
// Three rules hold everywhere and no setting changes them. Every answer is shown
// in exactly one state (WRD-SAF-01). Each state carries its own advice
// (WRD-SAF-14). No text says or suggests that a person is not at risk.
package wording

import (
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// Context is what an Answer does not know about itself.
type Context struct {
	Number     cpis.NHSNumber // the number asked about; zero if there was none
	ClientName string         // the client's name for the person, may be empty
	Reference  string         // what to give to the service desk, may be empty
	CheckedAt  time.Time      // when the question was asked
	Location   *time.Location // the United Kingdom; nil takes CheckedAt as it is
	Live       bool           // false marks every text as not real
	// Contacts is the local contact list for children's social care. Its lines are
	// joined. Empty gives the fixed advice for an organisation without one.
	Contacts string
	// ServiceDesk is a phone number. Empty leaves the number out.
	ServiceDesk string
	// RetryAfter is how long to wait if the provider is busy; zero if not known.
	RetryAfter time.Duration
}

// Document is an answer in words, free of any medium. Its fields stand in the
// order in which they are shown, and all of them are shown; empty ones are left
// out. Texts hold no control characters but are not escaped for any medium.
type Document struct {
	Notice   string // first of all, outside live use (DISP-12)
	Label    string // the marking of personal data (IG-3.17.1)
	State    cpis.State
	Badge    string // for lists and banners, instead of the document, not in it
	Heading  string // names the state
	Lead     string // who, what, and how many; for a failure also who was told
	Identity Identity
	Plans    []PlanText
	Advice   []Block // part of the state: never hidden, moved or left out (DISP-7)
	Notes    []string
	History  *History // nil unless records were found
	Footer   []string // when, reference, source
}

// Identity lets the reader compare the person with the record.
type Identity struct {
	Lines []Line
	Check string // asks for the comparison; empty if there is nothing to compare
}

// Line is a labelled value.
type Line struct {
	Label, Value string
	Dial         bool // Value is a phone number
}

// Block is a heading, a sentence and points. Each part may be empty.
type Block struct {
	Heading string
	Intro   string
	Points  []string
}

// PlanText is one plan with its own local authority.
type PlanText struct {
	Heading   string
	Sentences []string
	Lines     []Line
	Advice    []Block // only of a plan that differs from the state of the Document
}

// History is who asked CP-IS about the person, newest first, so that the check
// just made comes first and earlier attendances follow.
type History struct {
	Heading string
	Note    string // the limits of the list (WRD-SAF-13)
	Lines   []Access
}

// Access is one line of History.
type Access struct{ When, Who, Role, Organisation string }

// Describe puts an answer into words.
func Describe(a cpis.Answer, c Context) Document {
	s := newScene(a, c)
	d := Document{
		Label:    confidential,
		State:    a.State(s.today),
		Identity: s.identity(),
	}
	if !c.Live {
		d.Notice = testSystem
	}
	switch d.State {
	case cpis.CurrentPlanFound:
		s.currentPlan(&d)
	case cpis.UnbornPlanFound:
		s.unbornPlan(&d)
	case cpis.EndedPlanOnly:
		s.endedPlan(&d)
	case cpis.NoRecordHeld:
		s.noRecord(&d)
	case cpis.NotChecked:
		s.notChecked(&d)
	default:
		s.notKnown(&d)
	}
	switch a.Verification() {
	case cpis.Unverified:
		d.Notes = append(d.Notes, notVerified)
	case cpis.VerifiedWithoutBirth:
		d.Notes = append(d.Notes, birthNotCompared)
	}
	if s.found {
		d.Plans = s.planTexts(d.State)
		d.History = s.history()
	}
	d.Footer = s.footer(d.State)
	return d
}

// scene is an answer in its context, with what several texts need.
type scene struct {
	Context
	answer   cpis.Answer
	found    bool
	findings cpis.Findings
	entries  []entry
	today    cpis.Date // civil date in the United Kingdom
	asked    string    // "5:30pm on 5 March 2026"
}

func newScene(a cpis.Answer, c Context) scene {
	c.ClientName, c.Reference = clean(c.ClientName), clean(c.Reference)
	c.Contacts, c.ServiceDesk = cleanLines(c.Contacts), clean(c.ServiceDesk)
	if c.Location != nil {
		c.CheckedAt = c.CheckedAt.In(c.Location)
	}
	s := scene{Context: c, answer: a, today: cpis.DateOf(c.CheckedAt), asked: clock(c.CheckedAt)}
	s.findings, s.found = a.Findings()
	s.entries = s.order()
	return s
}

func (s scene) footer(state cpis.State) []string {
	checked, about := "Checked at "+s.asked, "This answer is for "+s.asked
	if state == cpis.NotChecked || state == cpis.ResultNotKnown {
		// A check that failed must not read like one that was done.
		checked, about = checked+", without a result", "This message is for "+s.asked
	}
	reference := s.Reference
	if reference == "" {
		reference = "None"
	}
	return []string{
		checked,
		"Reference: " + reference,
		"Source: CP-IS (national system)",
		about + ". Check again at each new attendance.",
		"For professional use only.", // WRD-IGV-04
	}
}
