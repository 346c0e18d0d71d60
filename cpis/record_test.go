package cpis_test

import (
	"testing"
	"time"
	_ "time/tzdata" // Europe/London wherever the test runs

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

func date(year int, month time.Month, day int) cpis.Date {
	return cpis.Date{Year: year, Month: month, Day: day}
}

// at is a date with a time of day, as plans carry it.
func at(year int, month time.Month, day, hour, minute int) cpis.Date {
	return cpis.Date{Year: year, Month: month, Day: day, Hour: hour, Minute: minute}
}

var today = date(2026, time.March, 5)

// WRD-SAF-06, DISP-3: ended only if an end date is present and before today.
func TestPlanStatus(t *testing.T) {
	long := date(2025, time.January, 1)
	tests := []struct {
		name       string
		start, end cpis.Date
		want       cpis.PlanStatus
	}{
		{"no end date recorded", long, cpis.Date{}, cpis.PlanCurrent},
		{"ends today at midnight", long, at(2026, time.March, 5, 0, 0), cpis.PlanCurrent},
		{"ends today at the last minute", long, at(2026, time.March, 5, 23, 59), cpis.PlanCurrent},
		{"ended yesterday at the last minute", long, at(2026, time.March, 4, 23, 59), cpis.PlanEnded},
		{"ended yesterday at midnight", long, at(2026, time.March, 4, 0, 0), cpis.PlanEnded},
		{"ends tomorrow at midnight", long, at(2026, time.March, 6, 0, 0), cpis.PlanCurrent},
		{"ended in a later month of an earlier year", long, date(2025, time.December, 31), cpis.PlanEnded},
		{"ends in an earlier month of a later year", long, date(2027, time.January, 1), cpis.PlanCurrent},
		{"ended in an earlier month, on a later day", long, date(2026, time.February, 28), cpis.PlanEnded},
		{"ends in a later month, on an earlier day", long, date(2026, time.April, 1), cpis.PlanCurrent},
		{"starts today at midnight", at(2026, time.March, 5, 0, 0), cpis.Date{}, cpis.PlanCurrent},
		{"starts today at the last minute", at(2026, time.March, 5, 23, 59), cpis.Date{}, cpis.PlanCurrent},
		{"starts tomorrow", at(2026, time.March, 6, 0, 0), cpis.Date{}, cpis.PlanStartsLater},
		{"starts tomorrow and ends later", date(2026, time.March, 6), date(2026, time.May, 1), cpis.PlanStartsLater},
		{"an end before a future start is an end", date(2026, time.March, 6), date(2026, time.March, 4), cpis.PlanEnded},
		{"no dates at all", cpis.Date{}, cpis.Date{}, cpis.PlanCurrent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, now := range []cpis.Date{at(2026, time.March, 5, 0, 0), at(2026, time.March, 5, 23, 59)} {
				plan := cpis.Plan{Type: cpis.ChildProtectionPlan, Start: test.start, End: test.end}
				if got := plan.Status(now); got != test.want {
					t.Errorf("at %02d:%02d: Status = %d, want %d", now.Hour, now.Minute, got, test.want)
				}
			}
		})
	}
}

var dates = rapid.Custom(func(t *rapid.T) cpis.Date {
	days := rapid.IntRange(0, 40000).Draw(t, "days")
	minutes := rapid.IntRange(0, 24*60-1).Draw(t, "minutes")
	return cpis.DateOf(time.Date(1990, 1, 1, 0, minutes, 0, 0, time.UTC).AddDate(0, 0, days))
})

// The order of days is that of the calendar, told by another way of counting.
func TestDaysAreOrderedAsInTheCalendar(t *testing.T) {
	day := func(d cpis.Date) int64 {
		return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := dates.Draw(t, "a"), dates.Draw(t, "b")
		if got, want := a.DayBefore(b), day(a) < day(b); got != want {
			t.Fatalf("%v before %v = %t, want %t", a, b, got, want)
		}
	})
}

// WRD-SAF-06: a plan without an end date never becomes an ended one.
func TestMissingEndIsNeverAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := cpis.Plan{Start: dates.Draw(t, "start")}
		if got := plan.Status(dates.Draw(t, "today")); got == cpis.PlanEnded {
			t.Fatal("a plan without an end date has ended")
		}
	})
}

// WRD-SAF-16: the civil date in London decides, also in the hour in which UTC is
// still on the day before.
func TestDateOfUsesItsOwnClock(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.July, 1, 23, 30, 0, 0, time.UTC).In(london)
	plan := cpis.Plan{Start: date(2026, time.January, 1), End: date(2026, time.July, 1)}
	if got := plan.Status(cpis.DateOf(now)); got != cpis.PlanEnded {
		t.Errorf("at half past midnight in London, Status = %d, want ended", got)
	}
	if got, want := cpis.DateOf(now), at(2026, time.July, 2, 0, 30); got != want {
		t.Errorf("DateOf = %v, want %v", got, want)
	}
}

func TestDateInWords(t *testing.T) {
	d := at(2026, time.March, 5, 9, 0)
	if got := d.String(); got != "5 March 2026" {
		t.Errorf("String = %q, want 5 March 2026", got)
	}
	if got := d.ISO(); got != "2026-03-05" {
		t.Errorf("ISO = %q, want 2026-03-05", got)
	}
	none := cpis.Date{}
	if !none.IsZero() || none.String() != "" || none.ISO() != "" {
		t.Errorf("no date is told as %q, %q", none.String(), none.ISO())
	}
	if (cpis.Moment{Written: "2026"}).IsZero() || !(cpis.Moment{}).IsZero() {
		t.Error("a moment is absent if nothing was written, and only then")
	}
}

func TestPlanTypesInWords(t *testing.T) {
	tests := map[cpis.PlanType]string{
		cpis.UnrecognisedPlan:    "plan of a type not recognised",
		cpis.ChildProtectionPlan: "child protection plan",
		cpis.LookedAfterChild:    "looked-after child record",
		cpis.UnbornChildPlan:     "unborn child protection plan",
		99:                       "plan of a type not recognised",
	}
	for kind, want := range tests {
		if got := kind.String(); got != want {
			t.Errorf("PlanType(%d) = %q, want %q", kind, got, want)
		}
	}
}

// WRD-SAF-12: each number with its purpose; empty means not supplied.
func TestLocalAuthorityNumbers(t *testing.T) {
	tests := []struct {
		name          string
		telecoms      []cpis.Telecom
		office, night string
	}{
		{"both", []cpis.Telecom{{"WP", "tel:02079460101"}, {"EC", "tel:02079460102"}}, "02079460101", "02079460102"},
		{"other order", []cpis.Telecom{{"EC", "tel:02079460102"}, {"WP", "tel:02079460101"}}, "02079460101", "02079460102"},
		{"emergency only", []cpis.Telecom{{"EC", "tel:01632960201"}}, "", "01632960201"},
		{"none", nil, "", ""},
		{"no digits", []cpis.Telecom{{"WP", "tel:"}, {"EC", "tel:"}}, "", ""},
		{"no value", []cpis.Telecom{{"EC", ""}}, "", ""},
		{"one number for both uses", []cpis.Telecom{{"WP EC", "tel:01632960201"}}, "01632960201", "01632960201"},
		{"an empty one before the supplied one", []cpis.Telecom{{"EC", "tel:"}, {"EC", "tel:01632960201"}}, "", "01632960201"},
		{"plus sign kept", []cpis.Telecom{{"EC", "tel:+441632960201"}}, "", "+441632960201"},
		{"another use", []cpis.Telecom{{"MC", "tel:07700900123"}}, "", ""},
		{"use is not a prefix", []cpis.Telecom{{"ECX", "tel:07700900123"}}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			la := cpis.LocalAuthority{Telecoms: test.telecoms}
			if got := la.OfficeHours(); got != test.office {
				t.Errorf("OfficeHours = %q, want %q", got, test.office)
			}
			if got := la.EmergencyDuty(); got != test.night {
				t.Errorf("EmergencyDuty = %q, want %q", got, test.night)
			}
		})
	}
}

func TestPersonName(t *testing.T) {
	name := cpis.PersonName{Parts: []cpis.NamePart{
		{"family", " Sample "}, {"prefix", "Dr"}, {"given", "Morgan"}, {"", "\n"}, {"given", "Ada"}, {"", "OBE"},
	}}
	if got := name.Display(); got != "Sample Dr Morgan Ada OBE" {
		t.Errorf("Display = %q", got)
	}
	if got := name.Part("given"); got != "Morgan Ada" {
		t.Errorf("Part(given) = %q", got)
	}
	if got := name.Part("suffix"); got != "" {
		t.Errorf("Part(suffix) = %q", got)
	}
}

func TestAuthors(t *testing.T) {
	trust := cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RXX"}, Name: "Hazelbrook"}
	person := cpis.Person{Represented: trust, IDs: []cpis.Identifier{
		{Root: cpis.OIDRoleProfile, Extension: "555000000102"}, {Root: cpis.OIDUserID, Extension: "555000000101"},
	}}
	if person.UserID() != "555000000101" || person.RoleProfile() != "555000000102" {
		t.Errorf("UserID = %q, RoleProfile = %q", person.UserID(), person.RoleProfile())
	}
	for _, author := range []cpis.Author{person, cpis.System{Maintaining: trust}} {
		if author.Organisation() != trust {
			t.Errorf("%T: Organisation = %v", author, author.Organisation())
		}
	}
	if got := (cpis.Person{}).UserID(); got != "" {
		t.Errorf("UserID without ids = %q", got)
	}
}
