package shown

import (
	"fmt"
	"slices"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// each converts a list.
func each[A, B any](items []A, convert func(A) B) []B {
	if len(items) == 0 {
		return nil
	}
	converted := make([]B, len(items))
	for i, item := range items {
		converted[i] = convert(item)
	}
	return converted
}

// restorer makes findings of their form again, and holds on to the first error.
type restorer struct{ err error }

func (r *restorer) refuse(ok bool) {
	if !ok && r.err == nil {
		r.err = errForm
	}
}

func (s said) restore() (Said, error) {
	r := &restorer{}
	r.refuse(len(s.Records) > 0 || s.Replacement != "" || s.Verification != "")
	restored := Said{
		Findings: cpis.Findings{
			ID:       s.ID,
			Time:     r.moment(s.Time),
			Records:  each(s.Records, r.record),
			Accesses: each(s.Accesses, r.access),
		},
		Replacement:  r.number(s.Replacement),
		Verification: cpis.ParseVerification(s.Verification),
	}
	return restored, r.err
}

func (r *restorer) number(text string) cpis.NHSNumber {
	if text == "" {
		return cpis.NHSNumber{}
	}
	number, err := cpis.ParseNHSNumber(text)
	r.refuse(err == nil)
	return number
}

func (r *restorer) record(w record) cpis.Record {
	return cpis.Record{
		LocalAuthority: cpis.LocalAuthority{
			Organisation: w.LocalAuthority.restore(),
			Telecoms:     each(w.LocalAuthority.Telecoms, func(t telecom) cpis.Telecom { return cpis.Telecom(t) }),
		},
		Plans:    each(w.Plans, r.plan),
		Subjects: each(w.Subjects, r.subject),
	}
}

func (r *restorer) plan(w plan) cpis.Plan {
	kind := slices.Index(planTypes[:], w.Type)
	r.refuse(kind >= 0)
	p := cpis.Plan{Type: cpis.PlanType(max(kind, 0)), Start: r.date(w.Start), End: r.date(w.End), Form: cpis.PlanForm(w.Form)}
	r.refuse(p.Type == cpis.UnrecognisedPlan || p.Form == cpis.PlanForm{}) // a known type has no form of its own
	return p
}

// date reads a date. That it is one of the calendar is not asked: it is what was
// told.
func (r *restorer) date(text string) cpis.Date {
	if text == "" {
		return cpis.Date{}
	}
	var d cpis.Date
	_, err := fmt.Sscanf(text, "%4d-%2d-%2dT%2d:%2d", &d.Year, &d.Month, &d.Day, &d.Hour, &d.Minute)
	r.refuse(err == nil && min(d.Year, int(d.Month), d.Day, d.Hour, d.Minute) >= 0)
	return d
}

func (r *restorer) subject(w subject) cpis.Subject {
	return cpis.Subject{Mother: w.Mother, IDs: each(w.IDs, identifier.restore), Birth: r.moment(w.Birth), Name: w.Name.restore()}
}

func (r *restorer) access(w access) cpis.Access {
	a := cpis.Access{ID: w.ID, Time: r.moment(w.Time), Number: r.number(w.Number)}
	if w.Person != nil {
		a.Author = cpis.Person{
			IDs:         each(w.Person.IDs, identifier.restore),
			Role:        cpis.Coded(w.Person.Role),
			Name:        w.Person.Name.restore(),
			Represented: w.Person.Represented.restore(),
		}
	}
	if w.System != nil {
		a.Author = cpis.System{
			ASID:        w.System.ASID,
			Authorities: each(w.System.Authorities, authority.restore),
			Maintaining: w.System.Maintaining.restore(),
		}
	}
	return a
}

func (a authority) restore() cpis.IndirectAuthority {
	return cpis.IndirectAuthority{Role: cpis.Coded(a.Role), Name: a.Name.restore()}
}

func (o organisation) restore() cpis.Organisation {
	return cpis.Organisation{ID: o.ID.restore(), Name: o.Name}
}

func (i identifier) restore() cpis.Identifier { return cpis.Identifier(i) }

func (n personName) restore() cpis.PersonName {
	return cpis.PersonName{Use: n.Use, Parts: each(n.Parts, func(p namePart) cpis.NamePart { return cpis.NamePart(p) })}
}

func (r *restorer) moment(w moment) cpis.Moment {
	m := cpis.Moment{Written: w.Written, ZoneAssumed: w.ZoneAssumed}
	if w.Unix != nil {
		m.Time = time.Unix(*w.Unix, 0).UTC()
	}
	precision := slices.Index(precisions[:], w.Precision)
	r.refuse(precision >= 0)
	m.Precision = cpis.Precision(max(precision, 0))
	return m
}
