package wording_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same British time on every machine

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// The people, places and answers of the tests. All are invented.

var (
	winterAfternoon = time.Date(2026, time.March, 5, 17, 0, 0, 0, time.UTC).Add(-90 * time.Minute) // Thursday, 3:30pm GMT
	winterEvening   = time.Date(2026, time.March, 5, 17, 30, 0, 0, time.UTC)                       // Thursday, 5:30pm GMT
	summerNight     = time.Date(2026, time.June, 30, 23, 30, 0, 0, time.UTC)                       // 12:30am on 1 July BST
)

func london(t testing.TB) *time.Location {
	t.Helper()
	location, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func nhsNumber(t testing.TB, digits string) cpis.NHSNumber {
	t.Helper()
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil || !n.CheckDigitValid() {
		t.Fatalf("the test's own number %s is not valid", digits)
	}
	return n
}

// liveContext is a fully configured place of care at 3:30pm on a Thursday.
func liveContext(t testing.TB) wording.Context {
	t.Helper()
	return wording.Context{
		Number:      nhsNumber(t, "9990000018"),
		ClientName:  "Mia Example",
		Reference:   "7B3F-1",
		CheckedAt:   winterAfternoon,
		Location:    london(t),
		Live:        true,
		Contacts:    "Northshire 0191 498 0150 (office hours), 0191 498 0151 (out of hours)",
		ServiceDesk: "0191 498 0199",
	}
}

func date(year int, month time.Month, day int) cpis.Date {
	return cpis.Date{Year: year, Month: month, Day: day}
}

func plan(kind cpis.PlanType, start, end cpis.Date) cpis.Plan {
	return cpis.Plan{Type: kind, Start: start, End: end}
}

func authority(code, name string, telecoms ...cpis.Telecom) cpis.LocalAuthority {
	id := cpis.Identifier{Root: cpis.OIDOrganisation, Extension: code}
	return cpis.LocalAuthority{Organisation: cpis.Organisation{ID: id, Name: name}, Telecoms: telecoms}
}

func northshire() cpis.LocalAuthority {
	return authority("901", "Northshire County Council",
		cpis.Telecom{Use: "WP", Value: "tel:0191 498 0100"}, cpis.Telecom{Use: "EC", Value: "tel:0191 498 0101"})
}

func southborough() cpis.LocalAuthority {
	return authority("902", "Southborough Council",
		cpis.Telecom{Use: "WP", Value: "tel:0117 496 0200"}, cpis.Telecom{Use: "EC", Value: "tel:0117 496 0201"})
}

func name(given, family string) cpis.PersonName {
	return cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "given", Text: given}, {Kind: "family", Text: family}}}
}

func born(written string) cpis.Moment {
	t, err := time.Parse("20060102", written)
	if err != nil {
		panic(err)
	}
	return cpis.Moment{Written: written, Time: t, Precision: cpis.ToDay}
}

func child() cpis.Subject {
	return cpis.Subject{Name: name("Mia", "Example"), Birth: born("20180912")}
}

func mother() cpis.Subject {
	return cpis.Subject{Mother: true, Name: name("Ann", "Example"), Birth: born("19970203")}
}

func record(la cpis.LocalAuthority, subject cpis.Subject, plans ...cpis.Plan) cpis.Record {
	return cpis.Record{LocalAuthority: la, Plans: plans, Subjects: []cpis.Subject{subject}}
}

func seconds(t time.Time) cpis.Moment {
	return cpis.Moment{Written: t.UTC().Format("20060102150405+0000"), Time: t, Precision: cpis.ToSecond}
}

func nurse(given, family, role, organisation string) cpis.Person {
	return cpis.Person{
		Role: cpis.Coded{Display: role}, Name: name(given, family),
		Represented: cpis.Organisation{Name: organisation},
	}
}

// thisCheck is the access that every answer lists: the check itself.
func thisCheck(at time.Time) cpis.Access {
	return cpis.Access{Time: seconds(at), Author: nurse("Sam", "Sample", "Staff nurse", "Northshire General Hospital")}
}

func found(t testing.TB, f cpis.Findings) cpis.Answer {
	t.Helper()
	a := cpis.Told(cpis.CodeSuccess, nil, f, len(f.Accesses), len(f.Records))
	if a.Outcome() != cpis.Found {
		t.Fatalf("the test's own findings give %v", a.Outcome())
	}
	return a
}

func noRecord() cpis.Answer { return cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0) }

// textOf renders a document with every run of space as one, so that a search does
// not depend on where lines break.
func textOf(t testing.TB, d wording.Document) string {
	t.Helper()
	return oneLine(rendered(t, d))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func rendered(t testing.TB, d wording.Document) string {
	t.Helper()
	var b strings.Builder
	err := d.Text(&b, 80)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
