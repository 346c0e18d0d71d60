// Package fhir writes entries of the audit log as FHIR R4 AuditEvent resources.
//
// The resources follow the IHE Basic Audit Log Patterns (BALP) for a query about
// a patient: who is which agent, and which entities there are. Two things differ,
// so they do not claim to be of BALP's profiles: the exchange is not RESTful, so
// that the type is DICOM's Query with the subtype search, and BALP has no profile
// for what failed, which is told here with the outcomes 4 and 8.
//
// Text has the replacements that package event describes. References are
// logical: they hold identifiers, not addresses of resources.
package fhir

import (
	"encoding/json"
	"io"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/event"
)

// Systems that only this form has.
const (
	entityType    = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	entityRole    = "http://terminology.hl7.org/CodeSystem/object-role"
	sourceType    = "http://terminology.hl7.org/CodeSystem/security-source-type"
	lifecycle     = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle"
	balpEntity    = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
	instantFormat = "2006-01-02T15:04:05.000Z07:00"
)

// Marshal returns the AuditEvent of an entry, one JSON object without line ends.
// It fails only for a kind of entry that this version does not know.
func Marshal(r audit.Record, source event.Source) ([]byte, error) {
	e, err := event.Of(r, source)
	if err != nil {
		return nil, err
	}
	return json.Marshal(resource(e))
}

// Encode writes the AuditEvent of an entry as a line of NDJSON.
func Encode(w io.Writer, r audit.Record, source event.Source) error {
	line, err := Marshal(r, source)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func resource(e event.Event) auditEvent {
	a := auditEvent{
		ResourceType: "AuditEvent",
		Type:         *codingOf(e.ID),
		Action:       e.Action,
		Recorded:     e.Time.Format(instantFormat),
		Outcome:      string(e.Outcome),
		OutcomeDesc:  e.Description,
		Source: source{
			Site:     e.Source.Site,
			Observer: who(observer(e)),
			Type:     []coding{{sourceType, "4", "Application Server"}},
		},
	}
	for _, t := range e.Types {
		a.Subtype = append(a.Subtype, *codingOf(t))
	}
	if e.Purpose != "" {
		a.PurposeOfEvent = []concept{{Text: e.Purpose}}
	}
	for _, p := range e.Participants {
		a.Agent = append(a.Agent, agentOf(p))
	}
	for _, o := range e.Objects {
		a.Entity = append(a.Entity, entityOf(o))
	}
	return a
}

// observer is Ward, which package event puts first among the participants.
func observer(e event.Event) event.Participant { return e.Participants[0] }

func agentOf(p event.Participant) agent {
	a := agent{Who: who(p), AltID: p.AltID, Name: p.Name, Requestor: p.Requestor}
	if p.Role != (event.Code{}) {
		a.Type = &concept{Coding: []coding{*codingOf(p.Role)}}
	}
	switch {
	case p.Job.Code != "":
		a.Role = []concept{{Coding: []coding{*codingOf(p.Job)}}}
	case p.Job.Display != "":
		a.Role = []concept{{Text: p.Job.Display}}
	}
	if p.Address != "" {
		a.Network = &network{p.Address, string(p.AddressType())}
	}
	return a
}

func who(p event.Participant) reference {
	r := reference{Type: p.Resource, Display: p.Name}
	if p.ID != "" {
		r.Identifier = &identifier{p.System, p.ID}
	}
	return r
}

// entities is the one table from objects to the types and roles of entities. BALP
// gives the transaction a type of its own and no role.
var entities = map[event.ObjectKind]struct{ what, role coding }{
	event.Patient:     {coding{entityType, "1", "Person"}, coding{entityRole, "1", "Patient"}},
	event.Transaction: {coding{balpEntity, "XrequestId", ""}, coding{}},
	event.Message:     {coding{entityType, "4", "Other"}, coding{}},
	event.Query:       {coding{entityType, "2", "System Object"}, coding{entityRole, "24", "Query"}},
	event.Criteria:    {coding{entityType, "2", "System Object"}, coding{entityRole, "24", "Query"}},
	event.LogEntry:    {coding{entityType, "2", "System Object"}, coding{entityRole, "13", "Security Resource"}},
}

func entityOf(o event.Object) entity {
	row := entities[o.Kind]
	e := entity{Type: &row.what, Name: o.Name, Query: o.Query}
	if row.role != (coding{}) {
		e.Role = &row.role
	}
	if o.Erased {
		e.Lifecycle = &coding{lifecycle, "15", "Permanent erasure / Physical destruction"}
	}
	if o.Kind != event.Query && o.Kind != event.Criteria { // BALP: a query has no "what"
		e.What = what(o)
	}
	for _, d := range o.Details {
		e.Detail = append(e.Detail, detail{d.Name, d.Value})
	}
	return e
}

func what(o event.Object) *reference {
	r := new(reference)
	if o.Kind == event.Patient {
		r.Type = "Patient"
	}
	if o.ID == "" {
		r.Display = o.Name
		return r
	}
	r.Identifier = &identifier{o.System, o.ID}
	return r
}

func codingOf(c event.Code) *coding { return &coding{c.System, c.Code, c.Display} }
