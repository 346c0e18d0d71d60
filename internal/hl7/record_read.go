package hl7

import (
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func (r *lenientReader) records(act xmlstrict.Element) []cpis.Record {
	r.known(act, "record", "code", "templateId")
	var records []cpis.Record
	for c := range act.Children() {
		if c.Is(Namespace, "record") {
			records = append(records, r.record(c))
		}
	}
	return records
}

// complete refuses an answer with a record or a plan where none is read: it might
// be the one that matters (WRD-SAF-07, H-17).
func (r *lenientReader) complete(answer xmlstrict.Element, read []cpis.Record) {
	plans := 0
	for _, record := range read {
		plans += len(record.Plans)
	}
	if answer.Descendants(Namespace, "record") != len(read) || answer.Descendants(Namespace, "pertinentInformation15") != plans {
		r.refuse(answer, "a record or a plan stands where none is expected")
	}
}

func (r *lenientReader) record(e xmlstrict.Element) cpis.Record {
	r.present(e)
	r.known(e, "communicationFunctionSnd", "CP-ISRecord", "templateId")
	held := r.child(e, "CP-ISRecord")
	r.known(held, "pertinentInformation15", "subject", "code", "templateId")
	record := cpis.Record{
		LocalAuthority: r.localAuthority(r.child(r.child(e, "communicationFunctionSnd"), "organisation")),
	}
	for c := range held.Children() {
		switch {
		case c.Is(Namespace, "pertinentInformation15"):
			record.Plans = append(record.Plans, r.plan(c))
		case c.Is(Namespace, "subject"):
			record.Subjects = append(record.Subjects, r.subject(c))
		}
	}
	if len(record.Plans) == 0 || len(record.Subjects) == 0 {
		r.refuse(e, "a record has no plan or no subject")
	}
	return record
}

func (r *lenientReader) localAuthority(e xmlstrict.Element) cpis.LocalAuthority {
	la := cpis.LocalAuthority{Organisation: r.organisation(e)}
	for c := range e.Children() {
		if c.Is(Namespace, "telecom") && !r.absent(c) {
			la.Telecoms = append(la.Telecoms, cpis.Telecom{Use: attribute(c, "use"), Value: attribute(c, "value")})
		}
	}
	if strings.TrimSpace(la.Name) == "" {
		r.refuse(e, "a record names no local authority")
	}
	return la
}

// plan reads one plan of a known or an unknown type. A type that is not known is
// kept if it has the common form: a contentId that names it, a start, perhaps an
// end.
func (r *lenientReader) plan(e xmlstrict.Element) cpis.Plan {
	r.present(e)
	body := r.templateBody(e)
	start := r.component(body, "component")
	startDate, ok := readPlanDate(attribute(r.child(start, "value"), "value"))
	if !ok {
		r.refuse(e, "a plan has no start date that can be read")
	}
	plan := cpis.Plan{Start: startDate}
	end := r.component(body, "component1")
	endText := attribute(r.child(end, "value"), "value")
	if endText != "" {
		plan.End, ok = readPlanDate(endText)
		if !ok {
			r.refuse(e, "a plan has an end date that cannot be read")
		}
	}
	template, class, _ := strings.Cut(body.Name().Local, ".")
	plan.Type, plan.Form = planOf(template, class, start.Name().Local, end.Name().Local)
	r.known(body, "component", "component1", "templateId", "code")
	return plan
}

// templateBody is the one element beside the contentId that names its template.
func (r *lenientReader) templateBody(e xmlstrict.Element) xmlstrict.Element {
	var body xmlstrict.Element
	bodies := 0
	for c := range e.Children() {
		if !c.Is(localisation, "contentId") && !c.Is(Namespace, "templateId") {
			body = c
			bodies++
		}
	}
	if bodies != 1 || body.Name().Space != Namespace || contentID(e) != strings.Replace(body.Name().Local, ".", "#", 1) {
		r.refuse(e, "a contentId contradicts the template beside it")
	}
	return body
}

// component is the one thing that a component of a plan holds, absent if it is
// nil.
func (r *lenientReader) component(body xmlstrict.Element, local string) xmlstrict.Element {
	holder := r.child(body, local)
	var held xmlstrict.Element
	for c := range holder.Children() {
		if c.Name().Space != Namespace || c.Name().Local == "templateId" || r.absent(c) {
			continue
		}
		if held.Exists() {
			r.refuse(holder, "a component of a plan holds two things")
		}
		held = c
	}
	return held
}

func planOf(template, class, start, end string) (cpis.PlanType, cpis.PlanForm) {
	for _, known := range planForms {
		if known.form.Template == template && known.form.Class == class {
			return known.kind, cpis.PlanForm{}
		}
	}
	return cpis.UnrecognisedPlan, cpis.PlanForm{Template: template, Class: class, StartElement: start, EndElement: end}
}

func (r *lenientReader) subject(e xmlstrict.Element) cpis.Subject {
	r.present(e)
	body := r.templateBody(e)
	var subject cpis.Subject
	var holder, person xmlstrict.Element
	switch contentID(e) {
	case templateChild:
		holder, person = body, r.child(body, "childPerson")
	case templateMother:
		subject.Mother = true
		person = r.child(body, "parentMotherPerson")
		holder = r.child(person, "playedMother")
	default:
		r.refuse(e, "a record's subject is neither a child nor an expectant mother")
	}
	subject.Birth = r.moment(r.child(person, "birthTime"))
	subject.Name = r.personName(r.child(person, "name"))
	for c := range holder.Children() {
		if c.Is(Namespace, "id") && !r.absent(c) {
			subject.IDs = append(subject.IDs, identifier(c))
		}
	}
	return subject
}
