package clients

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/wording"
)

// screen is the id of the case about what the client shows.
func (s situation) screen() string { return "screen-" + s.id }

// Screens are the ids of the cases that a person confirms.
func Screens() []string {
	var ids []string
	for _, s := range situations() {
		ids = append(ids, s.screen())
	}
	return ids
}

// understood is the answer as the client must understand it.
func (r *Run) understood(s situation) cpis.Answer {
	now := r.started
	switch s.outcome {
	case cpis.Found:
		number, _ := cpis.ParseNHSNumber(s.number)
		return s.found(scene{number: number, now: now, today: now.In(r.london), newID: r.config.NewID})
	case cpis.NoRecord:
		return noRecordAnswer()
	default:
		return cpis.Failed(s.outcome, "")
	}
}

// described are the words for a situation that Ward itself would show.
func (r *Run) described(s situation) wording.Document {
	return wording.Describe(r.understood(s), wording.Context{
		CheckedAt: r.started, Location: r.london, Contacts: "[local contact list]", ServiceDesk: "[number]", Reference: "[reference]",
	})
}

// judgeScreen takes a person's word for what the client showed, and nothing else.
func (r *Run) judgeScreen(i int, c Confirmations) conform.Result {
	s := r.situations[i]
	result := conform.Result{
		ID: s.screen(), Group: "Screens", Title: "A person looks at the client's screen. It got: " + s.title + ".",
		Requirements: append([]string{"WRD-SUP-05", "WRD-SAF-01", "WRD-SAF-14"}, s.also...), Want: r.wanted(s),
	}
	wrong, isWrong := c.Wrong[s.screen()]
	switch {
	case !r.wasServed(i):
		result.Got = "the client did not get it in this run"
	case isWrong:
		result.Status, result.Got = conform.Failed, c.Tester+" saw something else: "+wrong
	case slices.Contains(c.Seen, s.screen()):
		result.Status, result.Got = conform.Passed, c.Tester+" confirms that the screen was so"
	default:
		result.Got = "only a person can say what the screen showed, and none did"
	}
	return result
}

// wanted is what the screen must show: one state with its advice, who was told, and
// what belongs to this situation.
func (r *Run) wanted(s situation) string {
	d, a := r.described(s), r.understood(s)
	asked := r.started.In(r.london).Format("3:04pm on 2 January 2006") // as package wording writes it
	var b strings.Builder
	fmt.Fprintf(&b, "The state %q and no other, in words such as: %q. ", d.State, d.Heading)
	if s.shows != "" {
		fmt.Fprintf(&b, "It shows %s. ", s.shows)
	}
	switch a.Notified() {
	case cpis.NotifiedYes:
		b.WriteString("It says that the local authority was told, and that this is no referral. ")
	case cpis.NotifiedNo:
		b.WriteString("It says that no local authority was told. ")
	default:
		b.WriteString("It says that the local authority may have been told. ")
	}
	b.WriteString("Its advice, always visible:")
	for _, block := range d.Advice {
		for _, text := range append([]string{block.Heading, block.Intro}, block.Points...) {
			if text != "" {
				b.WriteString(" " + strings.TrimSuffix(strings.ReplaceAll(text, asked, "[time of asking]"), ".") + ".")
			}
		}
	}
	b.WriteString(" No text, icon or colour suggests that there is no risk (DISP-9).")
	return b.String()
}

// Checklist writes what the tester is to ask about, and what is to be seen.
func (r *Run) Checklist(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NHS number\tstate to be seen\tcase\tthe client gets")
	for _, s := range r.situations {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.number, r.described(s).State, s.id, s.title)
	}
	return table.Flush()
}
