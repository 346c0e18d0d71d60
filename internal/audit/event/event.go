// Package event says what an entry of the audit log is in the terms that
// DICOM PS3.15 A.5 and FHIR R4 AuditEvent share: an event with participants and
// objects. Packages atna and fhir write it down, so that both forms say the same.
//
// The participants and objects follow the IHE Basic Audit Log Patterns (BALP) for
// a query about a patient, and A.5.3 of PS3.15 for the rest.
package event

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Code is a coded value. Its system is the URI that FHIR knows it by.
type Code struct{ System, Code, Display string }

// The systems of codes and identifiers.
const (
	DCM         = "http://dicom.nema.org/resources/ontology/DCM"
	Interaction = "http://hl7.org/fhir/restful-interaction"
	Part        = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	RoleClass   = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
	JobRole     = "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName"

	NHSNumber = "https://fhir.nhs.uk/Id/nhs-number"
	ODS       = "https://fhir.nhs.uk/Id/ods-organization-code"
	SDSUser   = "https://fhir.nhs.uk/Id/sds-user-id"
	ASID      = "https://fhir.nhs.uk/Id/nhsSpineASID"

	WardKind  = "https://github.com/wardsmsp/ward/audit/kind"   // codes: the kinds of package audit
	WardEntry = "https://github.com/wardsmsp/ward/audit/entry"  // identifiers: log, #, sequence number
	WardName  = "https://github.com/wardsmsp/ward/audit/client" // identifiers: names in the registry
)

// Source is what reports the events.
type Source struct {
	Log     string // the log's name, as in its checkpoints
	Site    string // ODS code of the organisation that runs it
	Name    string // of the provider's system, such as its host name; "ward" if empty
	Address string // where clients reach the provider: a URI, a host name or an IP address; may be empty
}

// Event is an entry of the log in the standard's terms. No text in it holds a
// character that XML 1.0 forbids, a control character or a line end: each such
// character is replaced by U+FFFD. The log holds the text as it was.
type Event struct {
	Seq          int64
	Time         time.Time
	ID           Code
	Types        []Code // the last is the kind of entry
	Action       string // "R" or "E"
	Outcome      Indicator
	Description  string // what happened, in plain English
	Purpose      string
	Participants []Participant // one or more
	Objects      []Object
	Source       Source
}

// Participant is who or what took part. ID or Name is there.
type Participant struct {
	Role      Code   // zero if none of the standard's fits
	Resource  string // the FHIR resource that would describe it
	System    string // of ID
	ID        string
	Name      string
	AltID     string
	Job       Code // of a person
	Requestor bool // began the event; true of one participant at most
	Address   string
}

// ObjectKind says what an object is.
type ObjectKind uint8

// The kinds of object.
const (
	Patient     ObjectKind = iota
	Transaction            // Ward's correlation, which joins the entries of one transaction
	Message                // another id of the transaction, named by Name
	Query                  // what was asked of CP-IS
	Criteria               // what was asked of the audit log
	LogEntry               // the entry, for whoever wants to check it against the log
)

// Object is what the event was about. Exactly one of Name and Query is there.
type Object struct {
	Kind    ObjectKind
	System  string // of ID
	ID      string
	Name    string
	Query   []byte
	Erased  bool // content of the log was destroyed in this event
	Details []Detail
}

// Detail is a named text.
type Detail struct{ Name, Value string }

// Of returns the event that r records. It fails only for a kind of entry that
// this version does not know.
func Of(r audit.Record, source Source) (Event, error) {
	e := r.Entry
	row, known := kinds[e.Kind]
	if !known {
		return Event{}, fmt.Errorf("audit: entry %d is of the kind %.32q, which this version of Ward cannot put in a standard form: export it with the version that wrote it", r.Seq, e.Kind)
	}
	if e.Kind == audit.Refused && e.Client == "" {
		row = stranger
	}
	event := Event{
		Seq:     r.Seq,
		Time:    e.Time.UTC(),
		ID:      row.id,
		Types:   append(row.types[:len(row.types):len(row.types)], Code{WardKind, string(e.Kind), row.title}),
		Action:  row.action,
		Purpose: text(e.Purpose),
		Source: Source{
			Log: text(source.Log), Site: text(source.Site), Name: cmp.Or(text(source.Name), "ward"), Address: text(source.Address),
		},
	}
	event.Outcome, event.Description = judge(e, row)
	if r.State != audit.Whole {
		event.Description += " The personal content of this entry is " + absence(r.State) + "."
	}
	event.Participants = participants(r, event.Source, row)
	event.Objects = objects(r, event.Source, row)
	return event, nil
}

// absence says why personal content is not told.
func absence(s audit.State) string {
	switch s {
	case audit.Removed:
		return "destroyed"
	case audit.Locked:
		return "locked, since its key was not at hand"
	default:
		return "sealed and was not opened"
	}
}
