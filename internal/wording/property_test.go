package wording_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
	"pgregory.net/rapid"
)

// anyText is what a damaged or foreign system may send, up to odd bytes.
var anyText = rapid.OneOf(rapid.StringN(0, 12, -1), rapid.SampledFrom([]string{"", " ", "\x1b[2J", "\xff\xfe", "0191 498 0100", "ノース", "a\nb"}))

var anyDate = rapid.Custom(func(t *rapid.T) cpis.Date {
	if rapid.IntRange(0, 4).Draw(t, "no date") == 0 {
		return cpis.Date{}
	}
	return cpis.Date{
		Year:  rapid.IntRange(2024, 2028).Draw(t, "year"),
		Month: time.Month(rapid.IntRange(0, 13).Draw(t, "month")),
		Day:   rapid.IntRange(0, 31).Draw(t, "day"),
		Hour:  rapid.IntRange(0, 23).Draw(t, "hour"),
	}
})

var anyMoment = rapid.Custom(func(t *rapid.T) cpis.Moment {
	return cpis.Moment{
		Written:     rapid.OneOf(anyText, rapid.SampledFrom([]string{"20180912", "201809", "2018", "20261399"})).Draw(t, "written"),
		Time:        time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "time"), 0).UTC(),
		Precision:   cpis.Precision(rapid.IntRange(0, 7).Draw(t, "precision")),
		ZoneAssumed: rapid.Bool().Draw(t, "zone assumed"),
	}
})

var anyPlan = rapid.Custom(func(t *rapid.T) cpis.Plan {
	return cpis.Plan{
		Type:  cpis.PlanType(rapid.IntRange(0, 5).Draw(t, "type")),
		Start: anyDate.Draw(t, "start"),
		End:   anyDate.Draw(t, "end"),
	}
})

var anyName = rapid.Custom(func(t *rapid.T) cpis.PersonName {
	return cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: anyText.Draw(t, "given")}, {Text: anyText.Draw(t, "other")}}}
})

var anyAuthority = rapid.Custom(func(t *rapid.T) cpis.LocalAuthority {
	la := authority(anyText.Draw(t, "code"), anyText.Draw(t, "name"))
	for range rapid.IntRange(0, 4).Draw(t, "telecoms") {
		use := rapid.SampledFrom([]string{"WP", "EC", "WP EC", "wp", "", "H"}).Draw(t, "use")
		prefix := rapid.SampledFrom([]string{"tel:", ""}).Draw(t, "prefix")
		la.Telecoms = append(la.Telecoms, cpis.Telecom{Use: use, Value: prefix + anyText.Draw(t, "number")})
	}
	return la
})

var anyRecord = rapid.Custom(func(t *rapid.T) cpis.Record {
	r := cpis.Record{LocalAuthority: anyAuthority.Draw(t, "authority"), Plans: rapid.SliceOfN(anyPlan, 0, 3).Draw(t, "plans")}
	for range rapid.IntRange(0, 2).Draw(t, "subjects") {
		r.Subjects = append(r.Subjects, cpis.Subject{
			Mother: rapid.Bool().Draw(t, "mother"), Birth: anyMoment.Draw(t, "birth"), Name: anyName.Draw(t, "name"),
		})
	}
	return r
})

var anyAccess = rapid.Custom(func(t *rapid.T) cpis.Access {
	organisation := cpis.Organisation{Name: anyText.Draw(t, "organisation")}
	role := cpis.Coded{Display: anyText.Draw(t, "role")}
	authors := []cpis.Author{
		nil,
		cpis.Person{Name: anyName.Draw(t, "person"), Role: role, Represented: organisation},
		cpis.System{Maintaining: organisation},
		cpis.System{Maintaining: organisation, Authorities: []cpis.IndirectAuthority{{Role: role}, {Name: anyName.Draw(t, "lead")}}},
	}
	return cpis.Access{Time: anyMoment.Draw(t, "time"), Author: rapid.SampledFrom(authors).Draw(t, "author")}
})

func anyContext(t *rapid.T, live wording.Context) wording.Context {
	c := live
	c.ClientName, c.Reference = anyText.Draw(t, "client name"), anyText.Draw(t, "reference")
	c.Contacts, c.ServiceDesk = anyText.Draw(t, "contacts"), anyText.Draw(t, "desk")
	c.Live = rapid.Bool().Draw(t, "live")
	c.CheckedAt = time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "checked at"), 0)
	if rapid.Bool().Draw(t, "no location") {
		c.Location = nil
	}
	return c
}

// WRD-SAF-01, WRD-SAF-07, H-17, H-18: whatever is found, nothing panics, every
// plan, access and number is shown, in exactly one state.
func TestWhateverIsFoundIsShown_WRD_SAF_07(t *testing.T) {
	live := liveContext(t)
	rapid.Check(t, func(r *rapid.T) {
		c := anyContext(r, live)
		f := cpis.Findings{
			Records:  rapid.SliceOfN(anyRecord, 1, 3).Draw(r, "records"),
			Accesses: rapid.SliceOfN(anyAccess, 0, 5).Draw(r, "accesses"),
		}
		d := wording.Describe(found(t, f), c)
		var b strings.Builder
		err := d.Text(&b, rapid.IntRange(-1, 120).Draw(r, "width"))
		if err != nil {
			r.Fatal(err)
		}
		text := oneLine(b.String())
		for _, s := range badStates(d, b.String()) {
			r.Error(s)
		}
		plans := 0
		for _, record := range f.Records {
			plans += max(len(record.Plans), 1)
			for _, p := range record.Plans {
				if !strings.Contains(text, p.Start.String()) || !strings.Contains(text, p.End.String()) {
					r.Errorf("the dates of %v are missing", p)
				}
			}
			for _, telecom := range record.LocalAuthority.Telecoms {
				number := printable(strings.TrimPrefix(telecom.Value, "tel:"))
				if !strings.Contains(text, number) {
					r.Errorf("the number %q is missing in:\n%s", number, b.String())
				}
			}
		}
		if len(d.Plans) != plans || strings.Count(text, "Responsible local authority: ") < plans {
			r.Errorf("%d of %d plans shown", len(d.Plans), plans)
		}
		if len(d.History.Lines) != len(f.Accesses) {
			r.Errorf("%d of %d accesses shown", len(d.History.Lines), len(f.Accesses))
		}
		if strings.Contains(b.String(), "\x1b") {
			r.Error("an escape sequence reaches the screen")
		}
	})
}

// badStates reports more or fewer than one state, or another than the document's.
func badStates(d wording.Document, text string) []string {
	var bad []string
	for state, heading := range headings {
		rule := strings.Contains(oneLine(text), heading+" =")
		if rule != (state == d.State) {
			bad = append(bad, "WRD-SAF-01: wrong about the state "+state.String())
		}
	}
	if !badges[d.State].MatchString(d.Badge) && d.State != cpis.EndedPlanOnly {
		bad = append(bad, "DISP-8: badge "+d.Badge)
	}
	return bad
}

// printable is what must remain of a received text.
func printable(s string) string {
	keep := func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}
	return oneLine(strings.Map(keep, s))
}

// WRD-SAF-14: whatever is configured, a failure keeps its advice and its one state.
func TestWhateverIsConfiguredAFailureKeepsItsAdvice_WRD_SAF_14(t *testing.T) {
	live := liveContext(t)
	rapid.Check(t, func(r *rapid.T) {
		c := anyContext(r, live)
		o := rapid.SampledFrom(cpis.Outcomes()).Draw(r, "outcome")
		d := wording.Describe(cpis.Failed(o, anyText.Draw(r, "reason")), c)
		var b strings.Builder
		err := d.Text(&b, 80)
		if err != nil {
			r.Fatal(err)
		}
		for _, s := range badStates(d, b.String()) {
			r.Error(s)
		}
		if !strings.Contains(b.String(), advice[d.State]) || d.History != nil || len(d.Plans) != 0 {
			r.Errorf("advice missing, or a failure shows content:\n%s", b.String())
		}
	})
}
