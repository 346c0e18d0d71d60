package shown

import (
	"fmt"
	"strconv"

	"github.com/wardsmsp/ward/cpis"
)

func (w *writer) said(s Said) {
	w.key("v")
	w.buf = strconv.AppendInt(w.buf, version, 10)
	if len(s.Records) > 0 {
		w.findings(s.Findings)
	}
	w.text("replacement", s.Replacement.Digits())
	w.text("verification", s.Verification.String())
}

func (w *writer) findings(f cpis.Findings) {
	w.text("id", f.ID)
	w.moment("time", f.Time)
	list(w, "records", f.Records, w.record)
	list(w, "accesses", f.Accesses, w.access)
}

func (w *writer) record(r cpis.Record) {
	w.object("local_authority", func() {
		w.organisation(r.LocalAuthority.Organisation)
		list(w, "telecoms", r.LocalAuthority.Telecoms, func(t cpis.Telecom) {
			w.text("use", t.Use)
			w.text("value", t.Value)
		})
	})
	list(w, "plans", r.Plans, w.plan)
	list(w, "subjects", r.Subjects, w.subject)
}

// planTypes are the names of the types of plan; any other is unrecognised.
var planTypes = [...]string{
	cpis.UnrecognisedPlan:    "unrecognised",
	cpis.ChildProtectionPlan: "child_protection",
	cpis.LookedAfterChild:    "looked_after",
	cpis.UnbornChildPlan:     "unborn",
}

func (w *writer) plan(p cpis.Plan) {
	kind := p.Type
	if int(kind) >= len(planTypes) {
		kind = cpis.UnrecognisedPlan
	}
	w.text("type", planTypes[kind])
	w.text("start", dateOf(p.Start))
	w.text("end", dateOf(p.End))
	w.object("form", func() {
		w.text("template", p.Form.Template)
		w.text("class", p.Form.Class)
		w.text("start_element", p.Form.StartElement)
		w.text("end_element", p.Form.EndElement)
	})
}

func dateOf(d cpis.Date) string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d", d.Year, d.Month, d.Day, d.Hour, d.Minute)
}

func (w *writer) subject(s cpis.Subject) {
	w.flag("mother", s.Mother)
	list(w, "ids", s.IDs, w.identifier)
	w.moment("birth", s.Birth)
	w.name("name", s.Name)
}

func (w *writer) access(a cpis.Access) {
	w.text("id", a.ID)
	w.moment("time", a.Time)
	w.text("nhs_number", a.Number.Digits())
	switch author := a.Author.(type) {
	case cpis.Person:
		w.key("person")
		w.braces(func() {
			list(w, "ids", author.IDs, w.identifier)
			w.coded("role", author.Role)
			w.name("name", author.Name)
			w.object("organisation", func() { w.organisation(author.Represented) })
		})
	case cpis.System:
		w.key("system")
		w.braces(func() {
			w.text("asid", author.ASID)
			list(w, "authorities", author.Authorities, func(a cpis.IndirectAuthority) {
				w.coded("role", a.Role)
				w.name("name", a.Name)
			})
			w.object("organisation", func() { w.organisation(author.Maintaining) })
		})
	}
}

func (w *writer) organisation(o cpis.Organisation) {
	w.object("id", func() { w.identifier(o.ID) })
	w.text("name", o.Name)
}

func (w *writer) identifier(id cpis.Identifier) {
	w.text("root", id.Root)
	w.text("extension", id.Extension)
	w.text("authority", id.Authority)
}

func (w *writer) coded(key string, c cpis.Coded) {
	w.object(key, func() {
		w.text("code", c.Code)
		w.text("system", c.System)
		w.text("display", c.Display)
	})
}

func (w *writer) name(key string, n cpis.PersonName) {
	w.object(key, func() {
		w.text("use", n.Use)
		list(w, "parts", n.Parts, func(p cpis.NamePart) {
			w.text("kind", p.Kind)
			w.text("text", p.Text)
		})
	})
}

// precisions are the names of the precisions, from none on.
var precisions = [...]string{"", "year", "month", "day", "hour", "minute", "second"}

func (w *writer) moment(key string, m cpis.Moment) {
	w.object(key, func() {
		w.text("written", m.Written)
		if !m.Time.IsZero() {
			w.key("unix")
			w.buf = strconv.AppendInt(w.buf, m.Time.Unix(), 10)
		}
		if int(m.Precision) < len(precisions) {
			w.text("precision", precisions[m.Precision])
		}
		w.flag("zone_assumed", m.ZoneAssumed)
	})
}
