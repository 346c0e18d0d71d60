package wording_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// H-13, H-06, WRD-SAF-13: the limit stands with every history, nothing is left
// out, newest first.
func TestHistoryStatesItsLimit_WRD_SAF_13(t *testing.T) {
	for _, n := range []int{0, 1, 24, 25, 26} {
		var f cpis.Findings
		f.Records = []cpis.Record{record(northshire(), child(), plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{}))}
		for i := range n {
			at := time.Date(2026, time.January, 1+i, 10, 0, 0, 0, time.UTC)
			f.Accesses = append(f.Accesses, cpis.Access{Time: seconds(at), Author: nurse("Nurse", fmt.Sprint(i), "Nurse", "Ward")})
		}
		d := wording.Describe(found(t, f), liveContext(t))
		text := textOf(t, d)
		for _, want := range []string{
			"Who has checked CP-IS for this person", "up to 25 of the most recent checks", "within 24 hours, only the first check is listed",
			"may have attended more often than this list shows",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%d accesses: %q is missing", n, want)
			}
		}
		for i, line := range d.History.Lines {
			want := fmt.Sprintf("10:00am on %d January 2026: Nurse %d, Nurse, Ward", n-i, n-1-i)
			if line.String() != want || !strings.Contains(text, want) {
				t.Errorf("line %d is %q, want %q", i, line, want)
			}
		}
		if len(d.History.Lines) != n {
			t.Errorf("%d of %d accesses listed", len(d.History.Lines), n)
		}
		if strings.Index(text, "Who has checked") < strings.Index(text, "Out of hours (emergency duty team)") {
			t.Error("DISP-6: the history comes before a plan")
		}
	}
}

// Accesses of the same time are shown in the reverse of the order received.
func TestAccessesOfTheSameTimeKeepTheirOrder(t *testing.T) {
	at := seconds(winterEvening)
	f := cpis.Findings{
		Records: []cpis.Record{record(northshire(), child(), plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{}))},
		Accesses: []cpis.Access{
			{Time: at, Author: nurse("First", "Nurse", "", "")}, {Time: at, Author: nurse("Second", "Nurse", "", "")},
		},
	}
	lines := wording.Describe(found(t, f), liveContext(t)).History.Lines
	if lines[0].Who != "Second Nurse" || lines[1].Who != "First Nurse" {
		t.Errorf("order %q, %q", lines[0].Who, lines[1].Who)
	}
}

// Times of accesses are British time; what is not known of them is said.
func TestTimesOfAccesses(t *testing.T) {
	summer := time.Date(2026, time.June, 30, 23, 15, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		moment cpis.Moment
		want   string
	}{
		{"summer", cpis.Moment{Written: "20260630231500+0000", Time: summer, Precision: cpis.ToSecond}, "12:15am on 1 July 2026"},
		{"winter", seconds(winterEvening), "5:30pm on 5 March 2026"},
		{"zone assumed", cpis.Moment{Written: "202606302315", Time: summer, Precision: cpis.ToMinute, ZoneAssumed: true},
			"12:15am on 1 July 2026 (time zone assumed, may be one hour out)"},
		{"day only", cpis.Moment{Written: "20260630", Time: summer, Precision: cpis.ToDay}, "30 June 2026 (time of day not given)"},
		{"month only", cpis.Moment{Written: "202606", Time: summer, Precision: cpis.ToMonth}, "June 2026 (time of day not given)"},
		{"year only", cpis.Moment{Written: "2026", Time: summer, Precision: cpis.ToYear}, "2026 (time of day not given)"},
		{"no real time", cpis.Moment{Written: "20261399"}, "Time recorded as 20261399"},
		{"none", cpis.Moment{}, "Time not given"},
	} {
		f := cpis.Findings{
			Records:  []cpis.Record{record(northshire(), child(), plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{}))},
			Accesses: []cpis.Access{{Time: test.moment, Author: nil}},
		}
		d := wording.Describe(found(t, f), liveContext(t))
		if d.History.Lines[0].When != test.want {
			t.Errorf("%s: %q, want %q", test.name, d.History.Lines[0].When, test.want)
		}
	}
}

// WRD-SAF-16, H-35: a date of birth is never shifted by a zone.
func TestDateOfBirthIsShownAsWritten_WRD_SAF_16(t *testing.T) {
	for written, want := range map[string]string{
		"20180701":            "1 July 2018",
		"20180701003000+0100": "1 July 2018",
		"20180630233000-0800": "30 June 2018",
	} {
		moment := cpis.Moment{Written: written, Precision: cpis.ToSecond, Time: time.Date(2018, time.June, 30, 23, 30, 0, 0, time.UTC)}
		subject := cpis.Subject{Name: name("Mia", "Example"), Birth: moment}
		p := plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{})
		d := wording.Describe(found(t, cpis.Findings{Records: []cpis.Record{record(northshire(), subject, p)}}), liveContext(t))
		got := value(d.Identity.Lines, "Date of birth on the CP-IS record")
		if got != want {
			t.Errorf("%s: %q, want %q", written, got, want)
		}
	}
}
