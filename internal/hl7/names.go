// Package hl7 reads and writes the HL7 V3 content of CP-IS messages: the query
// (QUPC_MT000006GB01), the SMSP response (REPC_MT000012GB01), and the Spine's
// query interaction and its replies.
//
// It works on elements that xmlstrict has admitted and on the types of cpis; it
// knows neither SOAP nor any transport. What it reads from clients must be
// exactly right; what it reads from the Spine may differ in the ways that real
// replies are known to differ, and in no other.
package hl7

import "github.com/wardsmsp/ward/internal/xmlstrict"

// Namespace is that of HL7 V3 messages.
const Namespace = "urn:hl7-org:v3"

const (
	localisation = "NPFIT:HL7:Localisation"
	instance     = "http://www.w3.org/2001/XMLSchema-instance"

	oidContentID   = "2.16.840.1.113883.2.1.3.2.4.18.16"
	oidInteraction = "2.16.840.1.113883.2.1.3.2.4.12"
	oidSDSRole     = "1.2.826.0.1285.0.2.1.104"
)

// Template ids with the class that each brings, as contentId names them.
const (
	templatePerson = "COCT_TP145102GB01#AssignedAuthor"
	templateSystem = "COCT_TP145104GB01#System"
	templateChild  = "COCT_TP145101GB01#Child"
	templateMother = "COCT_TP145100GB01#UnbornChild"
)

// Names of the interactions.
const (
	QueryInteraction           = "QUPC_IN000006GB01"
	SuccessInteraction         = "REPC_IN000007GB01"
	FailedQueryInteraction     = "QUQI_IN010000UK14"
	AcknowledgementInteraction = "MCCI_IN010000UK13"
)

// Error says that a message does not have the content that its specification
// demands. Rule is a fixed sentence that quotes nothing of the message.
type Error struct {
	Line, Column int
	Rule         string
}

// Error implements error.
func (e *Error) Error() string { return e.Rule }

func violation(e xmlstrict.Element, rule string) error {
	line, column := e.Position()
	return &Error{Line: line, Column: column, Rule: rule}
}
