package hl7_test

import (
	"strings"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// Generators of what CP-IS messages may legally hold.

var (
	uuids  = rapid.StringMatching(`[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}`)
	codes  = rapid.StringMatching(`[A-Z0-9]{1,8}`)
	oids   = rapid.StringMatching(`[12](\.[1-9][0-9]{0,5}){1,9}`)
	twelve = rapid.StringMatching(`[0-9]{12}`)
	phones = rapid.StringMatching(`tel:[+]?[0-9]{0,15}`)
	kinds  = rapid.SampledFrom([]string{"prefix", "given", "family", "suffix"})
	uses   = rapid.SampledFrom([]string{"", "L", "PREFERRED", "A", "PREVIOUS-MAIDEN", "L PREFERRED"})

	// words are any text that XML can carry, without white space around it.
	words = rapid.Custom(func(t *rapid.T) string {
		text := rapid.OneOf(
			rapid.SampledFrom([]string{"Hazelbrook", "Ó Súilleabháin", "محمد", "李小龍", "👩‍⚕️ & <Co>", `"both' quotes`, "a\tb\nc\rd", "]]>"}),
			rapid.String(),
		).Draw(t, "text")
		text = strings.Map(func(r rune) rune {
			if r == unicode.ReplacementChar || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
				return -1
			}
			return r
		}, text)
		text = strings.TrimSpace(text)
		if text == "" {
			return "x"
		}
		return text
	})

	roles = rapid.Custom(func(t *rapid.T) cpis.Coded {
		return cpis.Coded{Code: codes.Draw(t, "code"), System: oids.Draw(t, "system"), Display: words.Draw(t, "role")}
	})

	organisations = rapid.Custom(func(t *rapid.T) cpis.Organisation {
		root := rapid.SampledFrom([]string{cpis.OIDOrganisation, cpis.OIDSite}).Draw(t, "root")
		extension := rapid.StringMatching(`[A-Za-z0-9]{3,8}`).Draw(t, "ODS code")
		return cpis.Organisation{ID: cpis.Identifier{Root: root, Extension: extension}, Name: words.Draw(t, "organisation")}
	})

	authorNames = rapid.Custom(func(t *rapid.T) cpis.PersonName {
		name := cpis.PersonName{Use: uses.Draw(t, "use")}
		bare := false // two bare texts beside each other are one
		for range rapid.IntRange(1, 6).Draw(t, "parts") {
			bare = !bare && rapid.Bool().Draw(t, "bare")
			part := cpis.NamePart{Text: words.Draw(t, "part")}
			if !bare {
				part.Kind = kinds.Draw(t, "kind")
			}
			name.Parts = append(name.Parts, part)
		}
		return name
	})

	persons = rapid.Custom(func(t *rapid.T) cpis.Person {
		ids := []cpis.Identifier{{Root: cpis.OIDUserID, Extension: twelve.Draw(t, "user")}}
		if rapid.Bool().Draw(t, "has a role profile") {
			ids = append(ids, cpis.Identifier{Root: cpis.OIDRoleProfile, Extension: twelve.Draw(t, "role profile")})
		}
		return cpis.Person{Role: roles.Draw(t, "role"), IDs: ids, Name: authorNames.Draw(t, "name"), Represented: organisations.Draw(t, "trust")}
	})

	systems = rapid.Custom(func(t *rapid.T) cpis.System {
		system := cpis.System{ASID: twelve.Draw(t, "ASID"), Maintaining: organisations.Draw(t, "trust")}
		for range rapid.IntRange(0, 3).Draw(t, "authorities") {
			system.Authorities = append(system.Authorities, cpis.IndirectAuthority{Role: roles.Draw(t, "role"), Name: authorNames.Draw(t, "name")})
		}
		return system
	})

	authors = rapid.OneOf(
		rapid.Map(persons, func(p cpis.Person) cpis.Author { return p }),
		rapid.Map(systems, func(s cpis.System) cpis.Author { return s }),
	)

	numbers = rapid.Map(rapid.StringMatching(`[0-9]{10}`), number)

	instants = rapid.Map(rapid.Int64Range(0, 4e9), func(s int64) time.Time { return time.Unix(s, 0).UTC() })

	// moments as the history has them: with a zone, without one, or a day only.
	moments = rapid.Custom(func(t *rapid.T) cpis.Moment {
		at := instants.Draw(t, "time")
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			return cpis.Moment{Written: at.Format("20060102150405") + "+0000", Time: at, Precision: cpis.ToSecond}
		case 1:
			return cpis.Moment{Written: at.Format("20060102150405"), Time: at, Precision: cpis.ToSecond, ZoneAssumed: true}
		default:
			return day(at)
		}
	})

	queries = rapid.Custom(func(t *rapid.T) cpis.Query {
		at := instants.Draw(t, "time")
		return cpis.Query{
			ID:     uuids.Draw(t, "event"),
			Time:   cpis.Moment{Written: at.Format("20060102150405") + "+0000", Time: at, Precision: cpis.ToSecond},
			Author: authors.Draw(t, "author"),
			Number: numbers.Draw(t, "number"),
		}
	})

	planDates = rapid.Custom(func(t *rapid.T) cpis.Date {
		return cpis.Date{
			Year: rapid.IntRange(1900, 2099).Draw(t, "year"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month")), Day: rapid.IntRange(1, 28).Draw(t, "day"),
			Hour: rapid.IntRange(0, 23).Draw(t, "hour"), Minute: rapid.IntRange(0, 59).Draw(t, "minute"),
		}
	})

	plans = rapid.Custom(func(t *rapid.T) cpis.Plan {
		plan := cpis.Plan{
			Type:  rapid.SampledFrom([]cpis.PlanType{cpis.ChildProtectionPlan, cpis.LookedAfterChild, cpis.UnbornChildPlan}).Draw(t, "type"),
			Start: planDates.Draw(t, "start"),
		}
		if plan.Type == cpis.UnbornChildPlan || rapid.Bool().Draw(t, "has an end") {
			plan.End = planDates.Draw(t, "end")
		}
		return plan
	})

	telecoms = rapid.Custom(func(t *rapid.T) []cpis.Telecom {
		list := []cpis.Telecom{{Use: "EC", Value: phones.Draw(t, "emergency")}}
		if rapid.Bool().Draw(t, "has office hours") {
			list = append(list, cpis.Telecom{Use: "WP", Value: phones.Draw(t, "office")})
		}
		return list
	})
)

func day(t time.Time) cpis.Moment {
	return cpis.Moment{Written: t.Format("20060102"), Time: t.Truncate(24 * time.Hour), Precision: cpis.ToDay}
}

// subjects of the person with this number.
func subjects(n cpis.NHSNumber) *rapid.Generator[cpis.Subject] {
	return rapid.Custom(func(t *rapid.T) cpis.Subject {
		s := cpis.Subject{
			Mother: rapid.Bool().Draw(t, "mother"),
			IDs:    []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: n.Digits()}},
			Birth:  day(instants.Draw(t, "birth")),
			Name:   cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: words.Draw(t, "given")}, {Kind: "family", Text: words.Draw(t, "family")}}},
		}
		if rapid.Bool().Draw(t, "has a local id") {
			s.IDs = append(s.IDs, cpis.Identifier{Root: cpis.OIDLocalPatient, Extension: words.Draw(t, "local id"), Authority: words.Draw(t, "authority")})
		}
		return s
	})
}

// findings are what CP-IS may hold about the person with this number.
func findings(n cpis.NHSNumber) *rapid.Generator[cpis.Findings] {
	accesses := rapid.Custom(func(t *rapid.T) cpis.Access {
		return cpis.Access{ID: uuids.Draw(t, "access"), Time: moments.Draw(t, "time"), Author: authors.Draw(t, "author"), Number: n}
	})
	records := rapid.Custom(func(t *rapid.T) cpis.Record {
		return cpis.Record{
			LocalAuthority: cpis.LocalAuthority{Organisation: organisations.Draw(t, "authority"), Telecoms: telecoms.Draw(t, "telecoms")},
			Plans:          rapid.SliceOfN(plans, 1, 3).Draw(t, "plans"),
			Subjects:       rapid.SliceOfN(subjects(n), 1, 2).Draw(t, "subjects"),
		}
	})
	return rapid.Custom(func(t *rapid.T) cpis.Findings {
		f := cpis.Findings{
			ID:      uuids.Draw(t, "response"),
			Time:    moments.Draw(t, "time"),
			Records: rapid.SliceOfN(records, 1, 3).Draw(t, "records"),
		}
		for range rapid.IntRange(0, 4).Draw(t, "accesses") {
			f.Accesses = append(f.Accesses, accesses.Draw(t, "access"))
		}
		return f
	})
}
