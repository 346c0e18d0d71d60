package spinesim

import (
	"strconv"
	"strings"
)

// answer is the payload of a success. Behaviours change it before it is written.
type answer struct {
	time    string
	queryID string

	history []*access
	records []visibleRecord

	// Totals as declared; recordTotal "" leaves the value out.
	accessTotal, recordTotal string

	responseCode string
	noSubject    bool // no payload at all
	harness      bool // shape of Spine's test harness instead of the schema's
	otherForm    bool // the first plan in a form that nobody knows
	subject      string
	asked        string // NHS number in the history's last entry, empty for the real one
}

func newAnswer(m *message, now string, records []visibleRecord, history []*access) *answer {
	return &answer{
		time:         now,
		queryID:      m.queryID,
		history:      history,
		records:      records,
		accessTotal:  strconv.Itoa(len(history)),
		recordTotal:  strconv.Itoa(len(records)),
		responseCode: "OK",
	}
}

func (a *answer) write(w *xmlWriter, asid string) {
	controlAct(w, asid)
	if !a.noSubject {
		w.open("subject", "typeCode", "SUBJ")
		a.payload(w)
		w.close("subject")
	}
	writeQueryAck(w, a.responseCode)
	w.close("ControlActEvent")
}

func (a *answer) payload(w *xmlWriter) {
	w.open(wrapper, "xmlns:npfitlc", nsNPF)
	w.empty("effectiveTime", "value", a.time)
	w.empty("id", "root", a.queryID)
	w.open("pertinentInformation11")
	w.open("pertinentTotalReturnedAccessRecords")
	w.empty("value", "value", a.accessTotal)
	w.close("pertinentTotalReturnedAccessRecords", "pertinentInformation11")
	w.open("pertinentInformation12")
	w.open("pertinentTotalReturnedChildRecords")
	if a.recordTotal != "" {
		w.empty("value", "value", a.recordTotal)
	}
	w.close("pertinentTotalReturnedChildRecords", "pertinentInformation12")
	a.accesses(w)
	if len(a.records) > 0 {
		w.open("pertinentInformation14")
		w.open("pertinentCP-ISRecordControlAct")
		for i := range a.records {
			a.record(w, i)
		}
		w.close("pertinentCP-ISRecordControlAct", "pertinentInformation14")
	}
	w.close(wrapper)
}

// accesses writes the history: in schema shape each in its own element, in
// harness shape all in one, with times that lack their zone.
func (a *answer) accesses(w *xmlWriter) {
	if a.harness && len(a.history) > 0 {
		w.open("pertinentInformation13")
		for i, access := range a.history {
			stamp := access.stamp
			if i < len(a.history)-1 {
				stamp, _, _ = strings.Cut(stamp, "+")
			}
			writeAccess(w, access, stamp)
		}
		w.close("pertinentInformation13")
		return
	}
	for i, access := range a.history {
		w.open("pertinentInformation13")
		switch {
		case a.asked != "" && i == len(a.history)-1:
			other := *access
			other.nhsNumber = a.asked
			writeAccess(w, &other, other.stamp)
		case w.prefix == "":
			w.buf = append(w.buf, access.xml...)
		default:
			writeAccess(w, access, access.stamp)
		}
		w.close("pertinentInformation13")
	}
}

func writeAccess(w *xmlWriter, a *access, stamp string) {
	w.open("pertinentCP-ISNHSQuery")
	w.empty("effectiveTime", "value", stamp)
	w.empty("id", "root", a.id)
	w.open("author")
	writeAuthor(w, a.author)
	w.close("author")
	w.open("queryByParameter")
	w.open("person.NHSnumber")
	w.empty("value", "extension", a.nhsNumber)
	w.close("person.NHSnumber", "queryByParameter", "pertinentCP-ISNHSQuery")
}

func writeAuthor(w *xmlWriter, a author) {
	if a.form == formPerson {
		class := templatePerson + ".AssignedAuthor"
		writeContentID(w, templatePerson+"#AssignedAuthor")
		w.open(class)
		writeCoded(w, a.role)
		for _, id := range a.ids {
			w.empty("id", "root", id.root, "extension", id.extension)
		}
		w.open("assignedAuthorPerson")
		writeName(w, a.name)
		w.close("assignedAuthorPerson")
		writeOrganisation(w, "representedOrganization", a)
		w.close(class)
		return
	}
	class := templateSystem + ".System"
	writeContentID(w, templateSystem+"#System")
	w.open(class)
	w.empty("id", "root", oidASID, "extension", a.asid)
	for _, r := range a.responsible {
		w.open("indirectAuthority")
		w.open("superiorAssignedEntity")
		writeCoded(w, r.role)
		w.open("assignedPerson")
		writeName(w, r.name)
		w.close("assignedPerson", "superiorAssignedEntity", "indirectAuthority")
	}
	writeOrganisation(w, "maintainingOrganization", a)
	w.close(class)
}

func writeOrganisation(w *xmlWriter, element string, a author) {
	w.open(element)
	w.empty("id", "root", a.organisation.root, "extension", a.organisation.extension)
	w.leaf("name", a.orgName)
	w.close(element)
}

func writeCoded(w *xmlWriter, c coded) {
	w.empty("code", "code", c.code, "displayName", c.display, "codeSystem", c.system)
}

func writeName(w *xmlWriter, n personName) {
	use := "use"
	if n.use == "" {
		use = ""
	}
	w.open("name", use, n.use)
	for _, p := range n.parts {
		if p.kind == "" {
			w.text(p.text)
			continue
		}
		w.leaf(p.kind, p.text)
	}
	w.close("name")
}

func writeContentID(w *xmlWriter, extension string) {
	w.raw(`<npfitlc:contentId root="` + oidContentID + `" extension="`)
	w.text(extension)
	w.raw(`"/>`)
}
