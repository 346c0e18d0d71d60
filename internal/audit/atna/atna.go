// Package atna writes entries of the audit log as audit messages of DICOM PS3.15
// A.5, the XML that IHE ATNA took over from RFC 3881, and sends them by syslog over
// TLS (RFC 5424 and 5425).
//
// Text has the replacements that package event describes.
package atna

import (
	"cmp"
	"encoding/base64"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/event"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// Marshal returns the AuditMessage of an entry, an XML document in UTF-8 without
// line ends. It fails only for a kind of entry that this version does not know.
func Marshal(r audit.Record, source event.Source) ([]byte, error) {
	e, err := event.Of(r, source)
	if err != nil {
		return nil, err
	}
	return document(e)
}

func document(e event.Event) ([]byte, error) {
	w := xmlstrict.NewWriter(4096)
	w.Declaration()
	w.Start("AuditMessage")
	w.Start("EventIdentification",
		"EventActionCode", e.Action,
		"EventDateTime", e.Time.Format(timeFormat),
		"EventOutcomeIndicator", cmp.Or(string(e.Outcome), string(event.Success)))
	coded(w, "EventID", e.ID)
	for _, t := range e.Types {
		coded(w, "EventTypeCode", t)
	}
	w.Leaf("EventOutcomeDescription", e.Description)
	w.End()
	for _, p := range e.Participants {
		participant(w, p)
	}
	w.Start("AuditSourceIdentification")
	optional(w, "AuditEnterpriseSiteID", e.Source.Site)
	w.Attr("AuditSourceID", e.Source.Name)
	w.Empty("AuditSourceTypeCode", "csd-code", "4") // an application server
	w.End()
	for _, o := range e.Objects {
		object(w, o, e.Purpose)
	}
	w.End()
	return w.Bytes()
}

func participant(w *xmlstrict.Writer, p event.Participant) {
	w.Start("ActiveParticipant", "UserID", cmp.Or(p.ID, p.Name))
	optional(w, "AlternativeUserID", p.AltID)
	optional(w, "UserName", p.Name)
	w.Attr("UserIsRequestor", boolean(p.Requestor))
	if p.Address != "" {
		w.Attr("NetworkAccessPointID", p.Address)
		w.Attr("NetworkAccessPointTypeCode", string(p.AddressType()))
	}
	for _, role := range []event.Code{p.Role, p.Job} {
		if role != (event.Code{}) {
			coded(w, "RoleIDCode", role)
		}
	}
	w.End()
}

// objects is the one table from objects to the types, roles and identifier types
// of PS3.15. The identifier types are those of RFC 3881 where it has one.
var objects = map[event.ObjectKind]struct {
	what, role string
	id         event.Code
}{
	event.Patient:     {"1", "1", event.Code{System: "RFC-3881", Code: "2", Display: "Patient Number"}},
	event.Transaction: {"4", "", event.Code{System: "IHE BALP", Code: "XrequestId", Display: "Transaction id"}},
	event.Message:     {"4", "", event.Code{System: "Ward"}}, // named by the object
	event.Query:       {"2", "24", event.Code{System: "RFC-3881", Code: "10", Display: "Search Criteria"}},
	event.Criteria:    {"2", "24", event.Code{System: "RFC-3881", Code: "10", Display: "Search Criteria"}},
	event.LogEntry:    {"2", "13", event.Code{System: "RFC-3881", Code: "12", Display: "URI"}},
}

func object(w *xmlstrict.Writer, o event.Object, purpose string) {
	row := objects[o.Kind]
	w.Start("ParticipantObjectIdentification", "ParticipantObjectID", cmp.Or(o.ID, o.Name), "ParticipantObjectTypeCode", row.what)
	optional(w, "ParticipantObjectTypeCodeRole", row.role)
	if o.Erased {
		w.Attr("ParticipantObjectDataLifeCycle", "15") // permanent erasure
	}
	if o.Kind == event.Message {
		row.id.Code = o.Name
	}
	coded(w, "ParticipantObjectIDTypeCode", row.id)
	if o.Query != nil {
		w.Leaf("ParticipantObjectQuery", base64.StdEncoding.EncodeToString(o.Query))
	} else {
		w.Leaf("ParticipantObjectName", o.Name)
	}
	for _, d := range o.Details {
		detail(w, d.Name, d.Value)
	}
	if o.Kind == event.LogEntry && purpose != "" {
		detail(w, "purpose", purpose)
	}
	w.End()
}

func detail(w *xmlstrict.Writer, name, value string) {
	w.Empty("ParticipantObjectDetail", "type", name, "value", base64.StdEncoding.EncodeToString([]byte(value)))
}

// coded writes a coded value. PS3.15 wants all three attributes.
func coded(w *xmlstrict.Writer, element string, c event.Code) {
	system := c.System
	if system == event.DCM {
		system = "DCM"
	}
	w.Empty(element,
		"csd-code", cmp.Or(c.Code, c.Display),
		"codeSystemName", system,
		"originalText", cmp.Or(c.Display, c.Code))
}

func optional(w *xmlstrict.Writer, attribute, value string) {
	if value != "" {
		w.Attr(attribute, value)
	}
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
