package shown_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// The answers of the tests. All people and places are invented.

const child = "9990000018"

func number(digits string) cpis.NHSNumber {
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		panic(err)
	}
	return n
}

func told(f cpis.Findings) cpis.Answer {
	return cpis.Told(cpis.CodeSuccess, nil, f, len(f.Accesses), len(f.Records))
}

// sample is an answer with something in every field.
func sample() cpis.Answer {
	at := time.Date(2026, time.March, 5, 15, 30, 0, 0, time.UTC)
	hospital := cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Westmarch <General> & \u2028 \"ED\"\\\u0001"}
	role := cpis.Coded{Code: "R0260", System: cpis.OIDJobRole, Display: "Staff nurse"}
	name := cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "given", Text: "Zoë"}, {Text: "นิด"}, {Kind: "family", Text: "Example"}}}
	return told(cpis.Findings{
		ID:   "6E1B5C3A-0F0B-4C57-9F3C-3C1C0E9B7A10",
		Time: cpis.Moment{Written: "20260305153000+0000", Time: at, Precision: cpis.ToSecond},
		Records: []cpis.Record{{
			LocalAuthority: cpis.LocalAuthority{
				Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "901"}, Name: "Northshire County Council"},
				Telecoms:     []cpis.Telecom{{Use: "WP", Value: "tel:01632960101"}, {Use: "EC", Value: "tel:"}},
			},
			Plans: []cpis.Plan{
				{Type: cpis.ChildProtectionPlan, Start: cpis.Date{Year: 2026, Month: 1, Day: 5, Hour: 9}},
				{Type: cpis.LookedAfterChild, Start: cpis.Date{Year: 2024, Month: 1, Day: 5}, End: cpis.Date{Year: 2025, Month: 2, Day: 31, Hour: 23, Minute: 59}},
				{Type: cpis.UnbornChildPlan, Start: cpis.Date{Year: 2018, Month: 1, Day: 5}},
				{Start: cpis.Date{Year: 2026, Month: 2, Day: 1}, Form: cpis.PlanForm{Template: "COCT_TP146199GB01", Class: "NewInformation", StartElement: "newStart", EndElement: "newEnd"}},
			},
			Subjects: []cpis.Subject{
				{
					IDs:   []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: child}, {Root: cpis.OIDLocalPatient, Extension: "L-7", Authority: "RZZ99:WESTMARCH"}},
					Birth: cpis.Moment{Written: "201809", Time: time.Date(2018, 9, 1, 0, 0, 0, 0, time.UTC), Precision: cpis.ToMonth}, Name: name,
				},
				{Mother: true, Birth: cpis.Moment{Written: "19970231"}},
			},
		}},
		Accesses: []cpis.Access{
			{
				ID: "6E1B5C3A-0F0B-4C57-9F3C-3C1C0E9B7A11", Number: number(child),
				Time: cpis.Moment{Written: "20260304101500", Time: at.Add(-29*time.Hour - 15*time.Minute), Precision: cpis.ToSecond, ZoneAssumed: true},
				Author: cpis.Person{
					IDs:  []cpis.Identifier{{Root: cpis.OIDUserID, Extension: "555000000101"}, {Root: cpis.OIDRoleProfile, Extension: "555000000102"}},
					Role: role, Name: name, Represented: hospital,
				},
			},
			{
				ID: "6E1B5C3A-0F0B-4C57-9F3C-3C1C0E9B7A12", Number: number(child),
				Time:   cpis.Moment{Written: "20260305153000+0000", Time: at, Precision: cpis.ToSecond},
				Author: cpis.System{ASID: "999000444555", Authorities: []cpis.IndirectAuthority{{Role: role, Name: name}}, Maintaining: hospital},
			},
		},
	})
}

// Generators of what an answer may hold.
var (
	texts = rapid.OneOf(rapid.SampledFrom([]string{"", "Hazelbrook", "Ó Súilleabháin", "李小龍", `<&>"\`, "\u2028\u2029", "\ufffd", `\ufffd`, "\x00\x7f"}), rapid.String())

	identifiers = rapid.Custom(func(t *rapid.T) cpis.Identifier {
		root := rapid.SampledFrom([]string{cpis.OIDUserID, cpis.OIDSite, ""}).Draw(t, "root")
		return cpis.Identifier{Root: root, Extension: texts.Draw(t, "extension"), Authority: texts.Draw(t, "authority")}
	})

	coded = rapid.Custom(func(t *rapid.T) cpis.Coded {
		return cpis.Coded{Code: texts.Draw(t, "code"), System: texts.Draw(t, "system"), Display: texts.Draw(t, "display")}
	})

	names = rapid.Custom(func(t *rapid.T) cpis.PersonName {
		parts := rapid.Custom(func(t *rapid.T) cpis.NamePart {
			return cpis.NamePart{Kind: rapid.SampledFrom([]string{"", "given", "family"}).Draw(t, "kind"), Text: texts.Draw(t, "part")}
		})
		return cpis.PersonName{Use: texts.Draw(t, "use"), Parts: rapid.SliceOfN(parts, 0, 4).Draw(t, "parts")}
	})

	organisations = rapid.Custom(func(t *rapid.T) cpis.Organisation {
		return cpis.Organisation{ID: identifiers.Draw(t, "id"), Name: texts.Draw(t, "name")}
	})

	// moments reach the years before 0 and after 9999, to which a zone can lead.
	moments = rapid.Custom(func(t *rapid.T) cpis.Moment {
		m := cpis.Moment{Written: texts.Draw(t, "written"), ZoneAssumed: rapid.Bool().Draw(t, "zone assumed")}
		m.Precision = cpis.Precision(rapid.IntRange(0, int(cpis.ToSecond)).Draw(t, "precision"))
		if m.Precision > 0 {
			m.Time = time.Unix(rapid.Int64Range(-63e9, 254e9).Draw(t, "time"), 0).UTC()
		}
		return m
	})

	dates = rapid.Custom(func(t *rapid.T) cpis.Date {
		if rapid.IntRange(0, 3).Draw(t, "no date") == 0 {
			return cpis.Date{}
		}
		return cpis.Date{
			Year: rapid.IntRange(0, 9999).Draw(t, "year"), Month: time.Month(rapid.IntRange(0, 99).Draw(t, "month")), Day: rapid.IntRange(0, 99).Draw(t, "day"),
			Hour: rapid.IntRange(0, 99).Draw(t, "hour"), Minute: rapid.IntRange(0, 99).Draw(t, "minute"),
		}
	})

	plans = rapid.Custom(func(t *rapid.T) cpis.Plan {
		p := cpis.Plan{Type: cpis.PlanType(rapid.IntRange(0, 3).Draw(t, "type")), Start: dates.Draw(t, "start"), End: dates.Draw(t, "end")}
		if p.Type == cpis.UnrecognisedPlan {
			p.Form = cpis.PlanForm{
				Template: texts.Draw(t, "template"), Class: texts.Draw(t, "class"),
				StartElement: texts.Draw(t, "start element"), EndElement: texts.Draw(t, "end element"),
			}
		}
		return p
	})

	telecoms = rapid.Custom(func(t *rapid.T) cpis.Telecom {
		return cpis.Telecom{Use: rapid.SampledFrom([]string{"", "WP", "EC", "WP EC"}).Draw(t, "purpose"), Value: texts.Draw(t, "value")}
	})

	subjects = rapid.Custom(func(t *rapid.T) cpis.Subject {
		return cpis.Subject{
			Mother: rapid.Bool().Draw(t, "mother"), IDs: rapid.SliceOfN(identifiers, 0, 2).Draw(t, "ids"),
			Birth: moments.Draw(t, "birth"), Name: names.Draw(t, "name"),
		}
	})

	records = rapid.Custom(func(t *rapid.T) cpis.Record {
		return cpis.Record{
			LocalAuthority: cpis.LocalAuthority{Organisation: organisations.Draw(t, "local authority"), Telecoms: rapid.SliceOfN(telecoms, 0, 2).Draw(t, "telecoms")},
			Plans:          rapid.SliceOfN(plans, 0, 3).Draw(t, "plans"),
			Subjects:       rapid.SliceOfN(subjects, 0, 2).Draw(t, "subjects"),
		}
	})

	authorities = rapid.Custom(func(t *rapid.T) cpis.IndirectAuthority {
		return cpis.IndirectAuthority{Role: coded.Draw(t, "role"), Name: names.Draw(t, "name")}
	})

	authors = rapid.Custom(func(t *rapid.T) cpis.Author {
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0:
			return nil
		case 1, 2:
			return cpis.Person{
				IDs: rapid.SliceOfN(identifiers, 0, 2).Draw(t, "ids"), Role: coded.Draw(t, "role"),
				Name: names.Draw(t, "name"), Represented: organisations.Draw(t, "organisation"),
			}
		default:
			return cpis.System{
				ASID: texts.Draw(t, "ASID"), Authorities: rapid.SliceOfN(authorities, 0, 2).Draw(t, "authorities"),
				Maintaining: organisations.Draw(t, "organisation"),
			}
		}
	})

	accesses = rapid.Custom(func(t *rapid.T) cpis.Access {
		return cpis.Access{ID: texts.Draw(t, "id"), Time: moments.Draw(t, "time"), Author: authors.Draw(t, "author"), Number: number(child)}
	})

	answers = rapid.Custom(func(t *rapid.T) cpis.Answer {
		o := rapid.SampledFrom(cpis.Outcomes()).Draw(t, "outcome")
		answer := cpis.Failed(o, texts.Draw(t, "reason"))
		switch {
		case o == cpis.NoRecord:
			answer = cpis.DefaultRules().FailedQuery([]cpis.Reason{{Code: "1"}})
		case o == cpis.Found || rapid.Bool().Draw(t, "found"):
			f := cpis.Findings{
				ID: texts.Draw(t, "id"), Time: moments.Draw(t, "time"),
				Records: rapid.SliceOfN(records, 1, 3).Draw(t, "records"), Accesses: rapid.SliceOfN(accesses, 0, 3).Draw(t, "accesses"),
			}
			answer = told(f)
		}
		if o == cpis.NumberSuperseded && rapid.Bool().Draw(t, "replacement told") {
			answer = cpis.Superseded(number("9990000026"))
		}
		answer = answer.WithVerification(cpis.Verification(rapid.IntRange(0, int(cpis.Unverified)).Draw(t, "verification")))
		if rapid.IntRange(0, 9).Draw(t, "withheld") == 0 {
			answer = answer.Withheld("it could not be recorded")
		}
		return answer
	})
)
