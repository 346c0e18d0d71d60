package hl7

import (
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Reply is what one of the Spine's reply interactions says.
type Reply struct {
	Interaction     string // SuccessInteraction, FailedQueryInteraction or AcknowledgementInteraction
	MessageRef      string // HL7 id of the message replied to, empty if not given
	Acknowledgement string // AA, AE, AR; empty for a success
	Details         []cpis.Reason
	Reasons         []cpis.Reason
	Statement       cpis.Statement // of a success
}

// FindReply looks for a reply interaction in body, directly or inside one
// wrapper, whatever the wrapper's name (WRD-SPN-09).
func FindReply(body xmlstrict.Element) xmlstrict.Element {
	for outer := range body.Children() {
		if isReply(outer) {
			return outer
		}
		for inner := range outer.Children() {
			if isReply(inner) {
				return inner
			}
		}
	}
	return xmlstrict.Element{}
}

func isReply(e xmlstrict.Element) bool {
	return e.Is(Namespace, SuccessInteraction) || e.Is(Namespace, FailedQueryInteraction) ||
		e.Is(Namespace, AcknowledgementInteraction)
}

// ReadReply reads a reply interaction. An error is an *Error and means that the
// reply cannot be trusted.
func ReadReply(e xmlstrict.Element) (Reply, error) {
	acknowledgement := child(e, "acknowledgement")
	reply := Reply{
		Interaction:     e.Name().Local,
		MessageRef:      attribute(child(child(acknowledgement, "messageRef"), "id"), "root"),
		Acknowledgement: attribute(acknowledgement, "typeCode"),
	}
	for c := range acknowledgement.Children() {
		if c.Is(Namespace, "acknowledgementDetail") {
			reply.Details = append(reply.Details, reasonOf(child(c, "code"), attribute(c, "typeCode")))
		}
	}
	act := child(e, "ControlActEvent")
	for c := range act.Children() {
		if c.Is(Namespace, "reason") {
			code := child(child(c, "justifyingDetectedIssueEvent"), "code")
			reply.Reasons = append(reply.Reasons, reasonOf(code, attribute(child(code, "qualifier"), "code")))
		}
	}
	if reply.Interaction != SuccessInteraction {
		return reply, nil
	}
	r := &lenientReader{}
	reply.Statement = r.success(act)
	return reply, r.err
}

// reasonOf reads a coded reason. Only what is plainly a warning or information
// counts as one.
func reasonOf(code xmlstrict.Element, qualifier string) cpis.Reason {
	return cpis.Reason{
		Code:    attribute(code, "code"),
		System:  attribute(code, "codeSystem"),
		Warning: qualifier == "WG" || qualifier == "IF",
	}
}

func (r *lenientReader) success(act xmlstrict.Element) cpis.Statement {
	code := attribute(child(child(act, "queryAck"), "queryResponseCode"), "code")
	if code != "OK" {
		r.refuse(act, "a success reply whose query response code is not OK")
	}
	payload := child(child(act, "subject"), ResponseRoot)
	if !payload.Exists() {
		r.refuse(act, "a success reply without a subject")
		return cpis.Statement{}
	}
	return r.statement(payload)
}
