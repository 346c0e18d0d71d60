package hl7

import (
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// WriteQuery writes the query payload with its namespaces, as both wires carry it.
func WriteQuery(w *xmlstrict.Writer, q cpis.Query) {
	w.Start(QueryRoot, "xmlns", Namespace, "xmlns:npfitlc", localisation)
	w.Start("cP-ISNHSQuery")
	writeEvent(w, q.Time, q.ID, q.Author, q.Number)
	w.End()
	w.End()
}

// writeEvent writes what a query and an entry of the access history share.
func writeEvent(w *xmlstrict.Writer, at cpis.Moment, id string, author cpis.Author, number cpis.NHSNumber) {
	w.Empty("effectiveTime", "value", at.Written)
	w.Empty("id", "root", id)
	w.Start("author")
	writeAuthor(w, author)
	w.End()
	w.Start("queryByParameter")
	w.Start("person.NHSnumber")
	w.Empty("value", "extension", number.Digits())
	w.End()
	w.End()
}

func writeContentID(w *xmlstrict.Writer, template string) {
	w.Empty("npfitlc:contentId", "root", oidContentID, "extension", template)
}

func writeAuthor(w *xmlstrict.Writer, author cpis.Author) {
	switch a := author.(type) {
	case cpis.Person:
		writeContentID(w, templatePerson)
		w.Start("COCT_TP145102GB01.AssignedAuthor")
		writeCoded(w, a.Role)
		for _, id := range a.IDs {
			writeIdentifier(w, id)
		}
		w.Start("assignedAuthorPerson")
		writePersonName(w, a.Name)
		w.End()
		writeOrganisation(w, "representedOrganization", a.Represented)
		w.End()
	case cpis.System:
		writeContentID(w, templateSystem)
		w.Start("COCT_TP145104GB01.System")
		w.Empty("id", "root", cpis.OIDASID, "extension", a.ASID)
		for _, authority := range a.Authorities {
			w.Start("indirectAuthority")
			w.Start("superiorAssignedEntity")
			writeCoded(w, authority.Role)
			w.Start("assignedPerson")
			writePersonName(w, authority.Name)
			w.End()
			w.End()
			w.End()
		}
		writeOrganisation(w, "maintainingOrganization", a.Maintaining)
		w.End()
	}
}

// optional writes an attribute unless it has no value: an empty attribute is an
// error on every wire.
func optional(w *xmlstrict.Writer, name, value string) {
	if value != "" {
		w.Attr(name, value)
	}
}

func writeCoded(w *xmlstrict.Writer, c cpis.Coded) {
	w.Start("code")
	optional(w, "code", c.Code)
	optional(w, "codeSystem", c.System)
	optional(w, "displayName", c.Display)
	w.End()
}

func writeIdentifier(w *xmlstrict.Writer, id cpis.Identifier) {
	w.Start("id")
	optional(w, "root", id.Root)
	optional(w, "extension", id.Extension)
	optional(w, "assigningAuthorityName", id.Authority)
	w.End()
}

func writeOrganisation(w *xmlstrict.Writer, element string, o cpis.Organisation) {
	w.Start(element)
	writeOrganisationID(w, o.ID)
	w.Leaf("name", o.Name)
	w.End()
}

// writeOrganisationID leaves out who assigned the code: the id of an organisation
// may not say so.
func writeOrganisationID(w *xmlstrict.Writer, id cpis.Identifier) {
	id.Authority = ""
	writeIdentifier(w, id)
}

func writePersonName(w *xmlstrict.Writer, n cpis.PersonName) {
	w.Start("name")
	optional(w, "use", n.Use)
	for i, part := range n.Parts {
		switch {
		case part.Kind != "":
			w.Leaf(part.Kind, part.Text)
		case i > 0 && n.Parts[i-1].Kind == "":
			w.Text(" " + part.Text)
		default:
			w.Text(part.Text)
		}
	}
	w.End()
}

// Response is the SMSP response: a code and, for success alone, the findings.
type Response struct {
	Code     cpis.Code
	Display  string        // the code's display name
	Findings cpis.Findings // ID and Time are always needed
	Asked    cpis.NHSNumber
}

// WriteResponse writes REPC_MT000012GB01 in its schema's order, whatever order
// the Spine used (WRD-MSG-07, WRD-MSG-09). The totals are what is written, and
// nothing but success has content (WRD-MSG-08).
func WriteResponse(w *xmlstrict.Writer, r Response) {
	if r.Code != cpis.CodeSuccess {
		r.Findings.Records, r.Findings.Accesses = nil, nil
	}
	w.Start("CP-ISNHSQueryResponse", "xmlns", Namespace, "xmlns:npfitlc", localisation)
	w.Empty("effectiveTime", "value", r.Findings.Time.Written)
	w.Empty("id", "root", r.Findings.ID)
	w.Empty("value", "codeSystem", cpis.OIDResponseCodes, "code", string(r.Code), "displayName", r.Display)
	writeTotal(w, "pertinentInformation11", "pertinentTotalReturnedAccessRecords", len(r.Findings.Accesses))
	writeTotal(w, "pertinentInformation12", "pertinentTotalReturnedChildRecords", len(r.Findings.Records))
	for _, access := range r.Findings.Accesses {
		w.Start("pertinentInformation13")
		w.Start("pertinentCP-ISNHSQuery")
		writeEvent(w, access.Time, access.ID, access.Author, access.Number)
		w.End()
		w.End()
	}
	if len(r.Findings.Records) > 0 {
		w.Start("pertinentInformation14")
		w.Start("pertinentCP-ISRecordControlAct")
		for _, record := range r.Findings.Records {
			writeRecord(w, record, r.Asked)
		}
		w.End()
		w.End()
	}
	w.End()
}

func writeTotal(w *xmlstrict.Writer, information, total string, n int) {
	w.Start(information)
	w.Start(total)
	w.Empty("value", "value", strconv.Itoa(n))
	w.End()
	w.End()
}

func writeRecord(w *xmlstrict.Writer, record cpis.Record, asked cpis.NHSNumber) {
	w.Start("record")
	w.Start("communicationFunctionSnd")
	w.Start("organisation")
	writeOrganisationID(w, record.LocalAuthority.ID)
	w.Leaf("name", record.LocalAuthority.Name)
	for _, telecom := range record.LocalAuthority.Telecoms {
		w.Start("telecom")
		optional(w, "value", telecom.Value)
		optional(w, "use", telecom.Use)
		w.End()
	}
	w.End()
	w.End()
	w.Start("CP-ISRecord")
	for _, plan := range record.Plans {
		writePlan(w, plan)
	}
	for _, subject := range record.Subjects {
		writeSubject(w, subject, asked)
	}
	w.End()
	w.End()
}

func writePlan(w *xmlstrict.Writer, plan cpis.Plan) {
	form := formOf(plan)
	w.Start("pertinentInformation15")
	writeContentID(w, form.Template+"#"+form.Class)
	w.Start(form.Template + "." + form.Class)
	writePlanTime(w, "component", form.StartElement, plan.Start)
	if !plan.End.IsZero() {
		writePlanTime(w, "component1", form.EndElement, plan.End)
	}
	w.End()
	w.End()
}

func writePlanTime(w *xmlstrict.Writer, component, element string, d cpis.Date) {
	w.Start(component)
	w.Start(element)
	w.Empty("value", "value", writePlanDate(d))
	w.End()
	w.End()
}

// writeSubject writes given before family, as the schema wants them; the Spine
// is known to send the reverse. The schema also demands an id of a child: one
// that came without gets the number that was asked about.
func writeSubject(w *xmlstrict.Writer, s cpis.Subject, asked cpis.NHSNumber) {
	ids := s.IDs
	if len(ids) == 0 {
		ids = []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: asked.Digits()}}
	}
	w.Start("subject")
	if s.Mother {
		writeContentID(w, templateMother)
		w.Start("COCT_TP145100GB01.UnbornChild")
		w.Start("parentMotherPerson")
		writeSubjectPerson(w, s)
		w.Start("playedMother")
		writeIdentifiers(w, ids)
		w.End()
		w.End()
		w.End()
	} else {
		writeContentID(w, templateChild)
		w.Start("COCT_TP145101GB01.Child")
		writeIdentifiers(w, ids)
		w.Start("childPerson")
		writeSubjectPerson(w, s)
		w.End()
		w.End()
	}
	w.End()
}

func writeIdentifiers(w *xmlstrict.Writer, ids []cpis.Identifier) {
	for _, id := range ids {
		writeIdentifier(w, id)
	}
}

func writeSubjectPerson(w *xmlstrict.Writer, s cpis.Subject) {
	var given, family []string
	for _, part := range s.Name.Parts {
		switch part.Kind {
		case "family", "suffix":
			family = append(family, part.Text)
		default:
			given = append(given, part.Text)
		}
	}
	w.Empty("birthTime", "value", s.Birth.Written)
	w.Start("name")
	w.Leaf("given", strings.Join(given, " "))
	w.Leaf("family", strings.Join(family, " "))
	w.End()
}

// formOf names a plan's elements on the wire.
func formOf(plan cpis.Plan) cpis.PlanForm {
	for _, known := range planForms {
		if known.kind == plan.Type {
			return known.form
		}
	}
	return plan.Form
}

// planForms is the one table of the plan types that CP-IS has.
var planForms = [...]struct {
	kind cpis.PlanType
	form cpis.PlanForm
}{
	{cpis.ChildProtectionPlan, cpis.PlanForm{Template: "COCT_TP146105GB01", Class: "CPPInformation", StartElement: "cPPStartDate", EndElement: "cPPEndDate"}},
	{cpis.LookedAfterChild, cpis.PlanForm{Template: "COCT_TP146103GB01", Class: "LACInformation", StartElement: "lACStartDate", EndElement: "lACEndDate"}},
	{cpis.UnbornChildPlan, cpis.PlanForm{Template: "COCT_TP146104GB01", Class: "UCPInformation", StartElement: "uCPStartDate", EndElement: "uCPEndDate"}},
}
