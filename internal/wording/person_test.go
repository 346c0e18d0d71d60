package wording_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// DISP-2, H-02: the person on the record is shown for comparison, each once; a
// difference between records is said.
func TestThePersonOnTheRecordIsShown_H02(t *testing.T) {
	open := plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{})
	other := cpis.Subject{Name: name("Maja", "Exemplar")}
	line := func(who, birth string) []wording.Line {
		return []wording.Line{{Label: "Name on the CP-IS record", Value: who}, {Label: "Date of birth on the CP-IS record", Value: birth}}
	}
	mia, ann := line("Mia Example", "12 September 2018"), line("Ann Example (mother)", "3 February 1997")
	const differ = " The records do not all show the same name and date of birth."
	for _, test := range []struct {
		name, client string
		subjects     []cpis.Subject
		want         []wording.Line
		check        string
	}{
		{"one", "Mia Example", []cpis.Subject{child()}, mia, "Check that these match."},
		{"the same twice", "Mia Example", []cpis.Subject{child(), child()}, mia, "Check that these match."},
		{"the mother", "Ann Example", []cpis.Subject{mother()}, ann, "Check that these match."},
		{"two", "Mia Example", []cpis.Subject{child(), other},
			append(mia, line("Maja Exemplar", "Not given")...), "Check that these match." + differ},
		{"nobody", "Mia Example", nil, line("Not given", "Not given"), "Check that these match."},
		{"no name from the client", "", []cpis.Subject{child()}, mia, "Check that these match the person."},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := liveContext(t)
			c.ClientName = test.client
			f := cpis.Findings{Records: []cpis.Record{{LocalAuthority: northshire(), Plans: []cpis.Plan{open}, Subjects: test.subjects}}}
			id := wording.Describe(found(t, f), c).Identity
			diff := cmp.Diff(test.want, id.Lines[2:])
			if diff != "" || id.Check != test.check {
				t.Errorf("check %q, want %q; lines (-want +got):\n%s", id.Check, test.check, diff)
			}
		})
	}
}

// The service desk and the reference are named as far as they are known.
func TestServiceDeskAndReference(t *testing.T) {
	for _, test := range []struct{ reference, desk, want string }{
		{"R1", "0191 498 0199", "Give reference R1 to the service desk: 0191 498 0199."},
		{"R1", "", "Give reference R1 to the people who support your system."},
		{"", "0191 498 0199", "Contact the service desk: 0191 498 0199."},
		{"", "", "Tell the people who support your system."},
	} {
		c := liveContext(t)
		c.Reference, c.ServiceDesk = test.reference, test.desk
		text := textOf(t, wording.Describe(cpis.Failed(cpis.SentNoAnswer, ""), c))
		if !strings.Contains(text, "- "+test.want) {
			t.Errorf("%q is missing in %q", test.want, text)
		}
	}
}
