package spinesim

import "strings"

// record writes one local authority's record.
func (a *answer) record(w *xmlWriter, index int) {
	r := &a.records[index]
	w.open("record")
	a.authority(w, r.authority)
	w.open("CP-ISRecord")
	for i, p := range r.plans {
		w.open("pertinentInformation15")
		writeContentID(w, p.contentID)
		if a.otherForm && index == 0 && i == 0 {
			writeUnknownForm(w, p)
		} else {
			writePlan(w, p)
		}
		w.close("pertinentInformation15")
	}
	number := r.number
	if a.subject != "" {
		number = a.subject
	}
	if r.child {
		a.childSubject(w, r, number)
	}
	if r.mother {
		a.motherSubject(w, r, number)
	}
	w.close("CP-ISRecord", "record")
}

func (a *answer) authority(w *xmlWriter, la LocalAuthority) {
	code := la.Code
	if a.harness {
		code = strings.ToLower(code)
	}
	w.open("communicationFunctionSnd")
	w.open("organisation")
	w.empty("id", "root", oidODS, "extension", code)
	w.leaf("name", la.Name)
	if la.OfficeHours != "" {
		w.empty("telecom", "value", la.OfficeHours, "use", "WP")
	}
	if la.EmergencyDuty != "" {
		w.empty("telecom", "value", la.EmergencyDuty, "use", "EC")
	}
	w.close("organisation", "communicationFunctionSnd")
}

func writePlan(w *xmlWriter, p visiblePlan) {
	w.open(p.template)
	w.open("component")
	writeDate(w, p.stem+"StartDate", p.start)
	w.close("component")
	switch {
	case p.nilEnd:
		w.open("component1")
		w.empty(p.stem+"EndDate", "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", "xsi:nil", "true")
		w.close("component1")
	case p.end != "":
		w.open("component1")
		writeDate(w, p.stem+"EndDate", p.end)
		w.close("component1")
	}
	w.close(p.template)
}

func writeDate(w *xmlWriter, element, value string) {
	w.open(element)
	w.empty("value", "value", value)
	w.close(element)
}

// writeUnknownForm is a plan whose dates are where no reader looks.
func writeUnknownForm(w *xmlWriter, p visiblePlan) {
	w.open(p.template)
	w.open("planPeriod")
	w.empty("low", "value", p.start)
	w.close("planPeriod", p.template)
}

func (a *answer) childSubject(w *xmlWriter, r *visibleRecord, number string) {
	w.open("subject")
	writeContentID(w, "COCT_TP145101GB01#Child")
	w.open("COCT_TP145101GB01.Child")
	if !a.harness {
		writeSubjectIDs(w, r, number)
	}
	w.open("childPerson")
	a.person(w, r)
	w.close("childPerson", "COCT_TP145101GB01.Child", "subject")
}

func (a *answer) motherSubject(w *xmlWriter, r *visibleRecord, number string) {
	w.open("subject")
	writeContentID(w, "COCT_TP145100GB01#UnbornChild")
	w.open("COCT_TP145100GB01.UnbornChild")
	w.open("parentMotherPerson")
	a.person(w, r)
	w.open("playedMother")
	writeSubjectIDs(w, r, number)
	w.close("playedMother", "parentMotherPerson", "COCT_TP145100GB01.UnbornChild", "subject")
}

func writeSubjectIDs(w *xmlWriter, r *visibleRecord, number string) {
	w.empty("id", "root", oidNHSNumber, "extension", number)
	if r.localID != "" {
		w.empty("id", "root", oidLocalID, "extension", r.localID, "assigningAuthorityName", r.authority.Code+":"+r.authority.Name)
	}
}

func (a *answer) person(w *xmlWriter, r *visibleRecord) {
	w.empty("birthTime", "value", r.birth)
	w.open("name")
	if a.harness {
		w.leaf("family", r.family)
		w.leaf("given", r.given)
	} else {
		w.leaf("given", r.given)
		w.leaf("family", r.family)
	}
	w.close("name")
}
