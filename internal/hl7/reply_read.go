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
// wrapper, whatever the wrapper's name (WRD-SPN-09). There is none if there are
// two: neither can be chosen; or if a record stands beside it.
func FindReply(body xmlstrict.Element) xmlstrict.Element {
	var reply xmlstrict.Element
	replies := 0
	for outer := range body.Children() {
		if isReply(outer) {
			reply = outer
			replies++
			continue
		}
		for inner := range outer.Children() {
			if isReply(inner) {
				reply = inner
				replies++
			}
		}
	}
	if replies != 1 || body.Descendants(Namespace, "record") != reply.Descendants(Namespace, "record") {
		return xmlstrict.Element{}
	}
	return reply
}

// FindReplyIn looks for a reply interaction in a document of its own: it is the root,
// or below the root as below a body (WRD-SPN-09).
func FindReplyIn(root xmlstrict.Element) xmlstrict.Element {
	found := FindReply(root)
	if !isReply(root) {
		return found
	}
	if found.Exists() {
		return xmlstrict.Element{}
	}
	return root
}

func isReply(e xmlstrict.Element) bool {
	return e.Is(Namespace, SuccessInteraction) || e.Is(Namespace, FailedQueryInteraction) ||
		e.Is(Namespace, AcknowledgementInteraction)
}

// ReadReply reads a reply interaction. An error is an *Error and means that the
// reply cannot be trusted.
func ReadReply(e xmlstrict.Element) (Reply, error) {
	r := &lenientReader{}
	r.present(e)
	acknowledgement := r.child(e, "acknowledgement")
	reply := Reply{
		Interaction:     e.Name().Local,
		MessageRef:      attribute(r.child(r.child(acknowledgement, "messageRef"), "id"), "root"),
		Acknowledgement: attribute(acknowledgement, "typeCode"),
	}
	for c := range acknowledgement.Children() {
		if c.Is(Namespace, "acknowledgementDetail") {
			reply.Details = append(reply.Details, reasonOf(r.child(c, "code"), isWarning(attribute(c, "typeCode"))))
		}
	}
	act := r.child(e, "ControlActEvent")
	for c := range act.Children() {
		if c.Is(Namespace, "reason") {
			code := r.child(r.child(c, "justifyingDetectedIssueEvent"), "code")
			reply.Reasons = append(reply.Reasons, reasonOf(code, isQualifiedAsWarning(code)))
		}
	}
	if reply.Interaction == SuccessInteraction {
		reply.Statement = r.success(act)
	}
	r.complete(e, reply.Statement.Records)
	return reply, r.err
}

func reasonOf(code xmlstrict.Element, warning bool) cpis.Reason {
	return cpis.Reason{Code: attribute(code, "code"), System: attribute(code, "codeSystem"), Warning: warning}
}

func isWarning(code string) bool { return code == "WG" || code == "IF" }

// isQualifiedAsWarning reports whether a reason is plainly a warning or
// information: everything else counts as an error.
func isQualifiedAsWarning(code xmlstrict.Element) bool {
	warning := false
	for c := range code.Children() {
		if c.Is(Namespace, "qualifier") {
			if !isWarning(attribute(c, "code")) {
				return false
			}
			warning = true
		}
	}
	return warning
}

func (r *lenientReader) success(act xmlstrict.Element) cpis.Statement {
	code := attribute(r.child(r.child(act, "queryAck"), "queryResponseCode"), "code")
	if code != "OK" {
		r.refuse(act, "a success reply whose query response code is not OK")
	}
	payload := r.child(r.child(act, "subject"), ResponseRoot)
	if !payload.Exists() {
		r.refuse(act, "a success reply without a subject")
		return cpis.Statement{}
	}
	return r.statement(payload)
}
