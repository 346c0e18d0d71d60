package wording_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// plansAt describes plans of one authority, as seen at a time.
func plansAt(t testing.TB, at time.Time, plans ...cpis.Plan) wording.Document {
	t.Helper()
	c := liveContext(t)
	c.CheckedAt = at
	return wording.Describe(found(t, cpis.Findings{Records: []cpis.Record{record(northshire(), child(), plans...)}}), c)
}

// WRD-SAF-06, WRD-SAF-16, H-08, H-09, H-35, H-48: the date rule, either side of
// midnight in both clock seasons, and the odd dates.
func TestDatesOfPlans_WRD_SAF_06(t *testing.T) {
	cp := func(start, end cpis.Date) cpis.Plan { return plan(cpis.ChildProtectionPlan, start, end) }
	winter := func(hour, minute int) time.Time {
		return time.Date(2026, time.January, 31, hour, minute, 0, 0, time.UTC)
	}
	summer := func(hour, minute int) time.Time { return time.Date(2026, time.June, 30, hour, minute, 0, 0, time.UTC) }
	long := date(2025, time.January, 1)
	late := cpis.Date{Year: 2026, Month: time.June, Day: 30, Hour: 23, Minute: 59}
	early := cpis.Date{Year: 2026, Month: time.June, Day: 30}
	for _, test := range []struct {
		name  string
		at    time.Time
		plan  cpis.Plan
		state cpis.State
		lead  string
		line  wording.Line
	}{
		{"winter, last minute of the last day", winter(23, 59), cp(long, date(2026, time.January, 31)), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "End date", Value: "31 January 2026"}},
		{"winter, a minute later", winter(23, 60), cp(long, date(2026, time.January, 31)), cpis.EndedPlanOnly,
			"had a child protection plan that ended on 31 January 2026.", wording.Line{Label: "End date", Value: "31 January 2026"}},
		{"summer, last minute of the last day", summer(22, 59), cp(long, early), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "End date", Value: "30 June 2026"}},
		{"summer, a minute later", summer(22, 60), cp(long, early), cpis.EndedPlanOnly,
			"had a child protection plan that ended on 30 June 2026.", wording.Line{Label: "End date", Value: "30 June 2026"}},
		{"summer, the time of day of the end does not count", summer(23, 30), cp(long, late), cpis.EndedPlanOnly,
			"that ended on 30 June 2026.", wording.Line{Label: "End date", Value: "30 June 2026"}},
		{"no end date", winter(12, 0), cp(long, cpis.Date{}), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "End date", Value: "No end date recorded"}},
		{"no start date", winter(12, 0), cp(cpis.Date{}, cpis.Date{}), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "Start date", Value: "No start date recorded"}},
		{"starts tomorrow", winter(23, 59), cp(date(2026, time.February, 1), cpis.Date{}), cpis.CurrentPlanFound,
			"has a child protection plan that starts on 1 February 2026.", wording.Line{Label: "Starts on", Value: "1 February 2026"}},
		{"starts today", winter(23, 60), cp(date(2026, time.February, 1), cpis.Date{}), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "Start date", Value: "1 February 2026"}},
		{"ends before it starts", winter(12, 0), cp(date(2026, time.March, 1), date(2026, time.January, 1)), cpis.EndedPlanOnly,
			"The dates recorded do not agree, so a plan shown as ended may still apply.", wording.Line{Label: "Starts on", Value: "1 March 2026"}},
		{"29 February", winter(12, 0), cp(date(2024, time.February, 29), cpis.Date{}), cpis.CurrentPlanFound,
			"has a current child protection plan.", wording.Line{Label: "Start date", Value: "29 February 2024"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := plansAt(t, test.at, test.plan)
			if d.State != test.state || !strings.HasSuffix(d.Lead, test.lead) {
				t.Errorf("state %q, lead %q; want %q, %q", d.State, d.Lead, test.state, test.lead)
			}
			if !slices.Contains(d.Plans[0].Lines, test.line) {
				t.Errorf("no line %v in %v", test.line, d.Plans[0].Lines)
			}
			warned := strings.Contains(textOf(t, d), "Warning: the end date is before the start date.")
			if warned != (test.name == "ends before it starts") {
				t.Errorf("H-48: warned of the dates: %v", warned)
			}
		})
	}
}

// DISP-4, H-18: order and count of several plans.
func TestSeveralPlansAreCountedAndOrdered_H18(t *testing.T) {
	may := func(day int) cpis.Date { return date(2025, time.May, day) }
	future := func(day int) cpis.Date { return date(2026, time.August, day) }
	const prefix = "Mia Example, NHS number 999 000 0018, has "
	current := func(day int) cpis.Plan { return plan(cpis.ChildProtectionPlan, may(day), cpis.Date{}) }
	later := func(day int) cpis.Plan { return plan(cpis.LookedAfterChild, future(day), cpis.Date{}) }
	unborn := func(day int) cpis.Plan { return plan(cpis.UnbornChildPlan, may(day), future(day)) }
	ended := func(day int) cpis.Plan { return plan(cpis.ChildProtectionPlan, may(day), may(day+10)) }
	for _, test := range []struct {
		name   string
		plans  []cpis.Plan
		lead   string
		starts []string
	}{
		{"two current", []cpis.Plan{current(1), current(2)}, prefix + "2 current records.",
			[]string{"2 May 2025", "1 May 2025"}},
		{"one of each", []cpis.Plan{ended(9), unborn(8), later(7), current(6)},
			prefix + "4 records on CP-IS: 1 current, 1 that starts on 7 August 2026, 1 for this person's unborn child and 1 that ended on 19 May 2025.",
			[]string{"6 May 2025", "7 August 2026", "8 May 2025", "9 May 2025"}},
		{"two of each", []cpis.Plan{ended(1), ended(2), unborn(3), unborn(4), later(5), later(6), current(7), current(8)},
			prefix + "8 records on CP-IS: 2 current, 2 that start later, 2 for this person's unborn child and 2 that have ended, the last on 12 May 2025.",
			[]string{"8 May 2025", "7 May 2025", "6 August 2026", "5 August 2026", "4 May 2025", "3 May 2025", "2 May 2025", "1 May 2025"}},
		{"two unborn", []cpis.Plan{unborn(1), unborn(2)},
			"There are 2 child protection plans for the unborn child of Mia Example, NHS number 999 000 0018.",
			[]string{"2 May 2025", "1 May 2025"}},
		{"two that start later", []cpis.Plan{later(1), later(2)}, prefix + "2 records on CP-IS that start later.",
			[]string{"2 August 2026", "1 August 2026"}},
		{"two ended, the older one later", []cpis.Plan{plan(cpis.ChildProtectionPlan, may(2), may(3)), plan(cpis.ChildProtectionPlan, may(1), may(30))},
			prefix + "2 records on CP-IS that have ended, the last on 30 May 2025.",
			[]string{"2 May 2025", "1 May 2025"}},
		{"two ended", []cpis.Plan{ended(1), ended(2)}, prefix + "2 records on CP-IS that have ended, the last on 12 May 2025.",
			[]string{"2 May 2025", "1 May 2025"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := plansAt(t, winterAfternoon, test.plans...)
			if d.Lead != test.lead {
				t.Errorf("lead %q,\nwant %q", d.Lead, test.lead)
			}
			var starts []string
			for _, p := range d.Plans {
				starts = append(starts, value(p.Lines, "Start date")+value(p.Lines, "Starts on"))
			}
			diff := cmp.Diff(test.starts, starts)
			if diff != "" {
				t.Errorf("order of plans (-want +got):\n%s", diff)
			}
		})
	}
}

// H-18, WRD-SAF-07: a record without a plan that can be read is shown and counted.
func TestRecordsWithoutReadablePlansAreShown_H18(t *testing.T) {
	c := liveContext(t)
	open := plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{})
	d := wording.Describe(found(t, cpis.Findings{Records: []cpis.Record{
		record(southborough(), child()), record(northshire(), child(), open),
	}}), c)
	if d.State != cpis.CurrentPlanFound || !strings.HasPrefix(d.Advice[0].Points[0], "Phone each local authority.") {
		t.Errorf("state %q, advice %q", d.State, d.Advice[0].Points[0])
	}
	want := "Mia Example, NHS number 999 000 0018, has 2 records on CP-IS: 1 current and 1 that could not be read. " +
		"They come from 2 local authorities."
	if d.Lead != want {
		t.Errorf("lead %q, want %q", d.Lead, want)
	}
	if value(d.Plans[1].Lines, "Responsible local authority") != "Southborough Council" {
		t.Errorf("the authority of the second record is missing: %v", d.Plans[1].Lines)
	}
}

// H-07, WRD-SAF-11: an unborn plan beside other plans keeps its own heading and text.
func TestUnbornPlanIsNotTakenForTheMothersOwn_H07(t *testing.T) {
	unborn := plan(cpis.UnbornChildPlan, date(2026, time.January, 1), date(2026, time.February, 1))
	care := plan(cpis.LookedAfterChild, date(2015, time.May, 1), cpis.Date{})
	d := plansAt(t, winterAfternoon, unborn, care)
	if d.State != cpis.CurrentPlanFound || len(d.Plans) != 2 {
		t.Fatalf("state %q with %d plans", d.State, len(d.Plans))
	}
	p := d.Plans[1]
	wantSentences := []string{
		"There is a child protection plan for the unborn child of Mia Example, NHS number 999 000 0018. " +
			"The plan's end date was 1 February 2026. The baby may have been born.",
		"The plan is held against the mother's NHS number.",
	}
	diff := cmp.Diff(wantSentences, p.Sentences)
	if diff != "" || p.Heading != "Unborn child protection plan found" {
		t.Errorf("heading %q, sentences (-want +got):\n%s", p.Heading, diff)
	}
	if len(p.Advice) != 1 || !strings.Contains(strings.Join(p.Advice[0].Points, " "), "check the baby using the baby's own NHS number") {
		t.Errorf("its own advice is missing: %v", p.Advice)
	}
	if !strings.HasPrefix(d.Plans[0].Sentences[0], "This person is looked after") {
		t.Errorf("%q could be taken for the unborn child", d.Plans[0].Sentences[0])
	}
}

// H-08: an ended plan beside a current one carries its warning, and only that one.
func TestEndedPlanBesideACurrentOneIsNotPlayedDown_H08(t *testing.T) {
	d := plansAt(t, winterAfternoon,
		plan(cpis.ChildProtectionPlan, date(2024, time.May, 1), date(2025, time.May, 1)),
		plan(cpis.ChildProtectionPlan, date(2025, time.June, 1), cpis.Date{}))
	const warning = "A plan that has ended does not mean there is no risk now."
	if len(d.Plans[0].Sentences) != 0 || !slices.Equal(d.Plans[1].Sentences, []string{warning}) {
		t.Errorf("sentences %q and %q", d.Plans[0].Sentences, d.Plans[1].Sentences)
	}
}

// H-19, WRD-SAF-07: a type that is not recognised is shown with dates and numbers.
func TestUnrecognisedTypeIsShown_H19(t *testing.T) {
	d := plansAt(t, winterAfternoon, plan(cpis.UnrecognisedPlan, date(2026, time.January, 12), date(2026, time.December, 1)))
	text := textOf(t, d)
	for _, want := range []string{
		"Plan type not recognised. Phone the local authority to ask.", "12 January 2026", "1 December 2026", "0191 498 0100", "0191 498 0101",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// DISP-5, WRD-SAF-12, H-11: both numbers with their purpose, the one that
// probably applies now first, by British time in both clock seasons.
func TestPhoneNumbersInTheOrderThatServesNow_WRD_SAF_12(t *testing.T) {
	for _, test := range []struct {
		at          time.Time
		officeFirst bool
	}{
		{time.Date(2026, time.March, 5, 8, 59, 59, 0, time.UTC), false}, // Thursday, GMT
		{time.Date(2026, time.March, 5, 9, 0, 0, 0, time.UTC), true},
		{time.Date(2026, time.March, 5, 16, 59, 59, 0, time.UTC), true},
		{time.Date(2026, time.March, 5, 17, 0, 0, 0, time.UTC), false},
		{time.Date(2026, time.July, 2, 7, 59, 59, 0, time.UTC), false}, // Thursday, BST
		{time.Date(2026, time.July, 2, 8, 0, 0, 0, time.UTC), true},
		{time.Date(2026, time.July, 2, 15, 59, 59, 0, time.UTC), true},
		{time.Date(2026, time.July, 2, 16, 0, 0, 0, time.UTC), false},
		{time.Date(2026, time.March, 7, 12, 0, 0, 0, time.UTC), false}, // Saturday
		{time.Date(2026, time.March, 8, 12, 0, 0, 0, time.UTC), false}, // Sunday
	} {
		d := plansAt(t, test.at, plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{}))
		got := d.Plans[0].Lines[4:]
		want := []wording.Line{
			{Label: "Office hours", Value: "0191 498 0100", Dial: true},
			{Label: "Out of hours (emergency duty team)", Value: "0191 498 0101", Dial: true},
		}
		if !test.officeFirst {
			slices.Reverse(want)
		}
		diff := cmp.Diff(want, got)
		if diff != "" {
			t.Errorf("at %v (-want +got):\n%s", test.at, diff)
		}
	}
}

// H-11: missing, empty, long, odd and lower-case values.
func TestPhoneNumbersAreShownAsSupplied_H11(t *testing.T) {
	const missing = "Not supplied by the local authority. Use your local contact list."
	long := strings.Repeat("0191 498 0100 / ", 20) + "end"
	telecom := func(use, value string) cpis.Telecom { return cpis.Telecom{Use: use, Value: value} }
	for _, test := range []struct {
		name             string
		telecoms         []cpis.Telecom
		office, duty     string
		another, lacking bool
	}{
		{"none", nil, missing, missing, false, true},
		{"office only", []cpis.Telecom{telecom("WP", "tel:1")}, "1", missing, false, true},
		{"no number", []cpis.Telecom{telecom("WP", "tel:"), telecom("EC", "tel: ")}, missing, missing, false, true},
		{"without tel", []cpis.Telecom{telecom("WP", "1"), telecom("EC", "2")}, "1", "2", false, false},
		{"one for both", []cpis.Telecom{telecom("WP EC", "tel:1")}, "1", "1", false, false},
		{"lower-case text", []cpis.Telecom{telecom("WP", "tel:ask for edt"), telecom("EC", "tel:2 ext b")}, "ask for edt", "2 ext b", false, false},
		{"long", []cpis.Telecom{telecom("WP", "tel:"+long), telecom("EC", "tel:2")}, long, "2", false, false},
		{"third number", []cpis.Telecom{telecom("WP", "tel:1"), telecom("EC", "tel:2"), telecom("MC", "tel:07700 900000")}, "1", "2", true, false},
		{"unknown purpose", []cpis.Telecom{telecom("", "tel:07700 900000")}, missing, missing, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := liveContext(t)
			p := plan(cpis.ChildProtectionPlan, date(2025, time.May, 1), cpis.Date{})
			la := authority("905", "Lakeside", test.telecoms...)
			d := wording.Describe(found(t, cpis.Findings{Records: []cpis.Record{record(la, child(), p)}}), c)
			lines := d.Plans[0].Lines
			if value(lines, "Office hours") != test.office || value(lines, "Out of hours (emergency duty team)") != test.duty {
				t.Errorf("got %v", lines)
			}
			if (value(lines, "Another number supplied") == "07700 900000") != test.another {
				t.Errorf("other numbers: %v", lines)
			}
			if strings.Contains(textOf(t, d), missing) != test.lacking {
				t.Errorf("a missing number is not said to be missing, or a given one is")
			}
			for _, line := range lines {
				if line.Dial && line.Value == missing {
					t.Error("a sentence is marked as a number to dial")
				}
			}
		})
	}
}

func value(lines []wording.Line, label string) string {
	for _, line := range lines {
		if line.Label == label {
			return line.Value
		}
	}
	return ""
}
