package spinesim

import (
	"slices"
	"strings"
)

// document is the skeleton of a request: header and body are nil where the
// envelope has not exactly one of them.
type document struct {
	envelope *node
	header   *node
	bodies   []*node // elements of the SOAP body
	body     *node   // the only one of them
	action   string  // interaction that the envelope announces
}

func newDocument(root *node) document {
	d := document{envelope: root, header: root.only(nsSOAP, "Header")}
	d.bodies = root.only(nsSOAP, "Body").elements()
	if len(d.bodies) == 1 {
		d.body = d.bodies[0]
	}
	_, d.action, _ = strings.Cut(d.header.only(nsWSA, "Action").text(), "/")
	return d
}

// payloadDocument is a request that came as the payload of an ebXML message with that
// action.
func payloadDocument(root *node, action string) document {
	return document{bodies: []*node{root}, body: root, action: action}
}

func (d document) query() *node {
	return d.body.hl7("ControlActEvent", "subject", "CP-ISQueryStub", "cP-ISNHSQuery")
}

// Violation names one of Spine's checks that a request failed.
type violation struct {
	symbol string
	text   string
	ebCode string // of a check on an ebXML message
}

// check is one of the tests that Spine's published transforms apply; missing
// says what is wrong, empty for nothing.
type check struct {
	symbol  string
	missing func(d document, m *message) string
}

// firstViolation applies the checks in order. Each may rely on those before it.
func firstViolation(d document, m *message, checks []check) *violation {
	for _, c := range checks {
		text := c.missing(d, m)
		if text != "" {
			return &violation{symbol: c.symbol, text: text}
		}
	}
	return nil
}

const notWellFormed = "ErrorBaseTms.MESSAGE_NOT_WELL_FORMED"

// The checks in Spine's order; those on the SOAP header have nothing to look at in an
// ebXML message, whose own are in ebchecks.go. None is ever changed.
var (
	checks        = slices.Concat(soapChecks, wrapperChecks, sameASIDChecks, contentChecks)
	payloadChecks = slices.Concat(wrapperChecks, contentChecks)
)

var soapChecks = []check{
	{notWellFormed, func(d document, _ *message) string {
		switch {
		case d.envelope.space != nsSOAP || d.envelope.local != "Envelope":
			return "the document is not a SOAP 1.1 envelope"
		case d.header == nil:
			return "not exactly one SOAP header"
		case d.envelope.only(nsSOAP, "Body") == nil:
			return "not exactly one SOAP body"
		case d.body == nil:
			return "not exactly one element in the SOAP body"
		}
		return ""
	}},
	{"ErrorBaseTms.SOAP_MESSAGE_ID_ERROR", func(d document, m *message) string {
		id, found := strings.CutPrefix(m.messageID, "uuid:")
		return unless(found && upperUUID(id), "not exactly one wsa:MessageID of uuid: and an upper-case UUID, 41 characters")
	}},
	{"ErrorBaseTms.SOAP_ACTION_ERROR", func(d document, _ *message) string {
		return unless(d.header.only(nsWSA, "Action").text() != "", "not exactly one wsa:Action")
	}},
	{"ErrorBaseTms.SOAP_TO_ERROR", func(d document, _ *message) string {
		return unless(d.header.only(nsWSA, "To").text() != "", "not exactly one wsa:To that is not empty")
	}},
	{"ErrorBaseTms.SOAP_COMM_FUNC_RCV_ERROR", func(d document, _ *message) string {
		return unless(asidOf(d.header.hl7("communicationFunctionRcv")) != "", "no receiving ASID in the SOAP header")
	}},
	{"ErrorBaseTms.SOAP_COMM_FUNC_SND_ERROR", func(d document, _ *message) string {
		return unless(asidOf(d.header.hl7("communicationFunctionSnd")) != "", "no sending ASID in the SOAP header")
	}},
}

var wrapperChecks = []check{
	{"ErrorBase1732.INVALID_ID", func(_ document, m *message) string {
		return unless(upperUUID(m.hl7ID), "not exactly one message id that is an upper-case UUID")
	}},
	{"ErrorBase1732.INVALID_CREATION_TIME", func(d document, _ *message) string {
		return unless(d.body.hl7("creationTime").attr("value") != "", "not exactly one creationTime with a value")
	}},
	{"ErrorBase1732.INVALID_VERSION_CODE", func(d document, _ *message) string {
		return unless(d.body.hl7("versionCode").attr("code") != "", "not exactly one versionCode with a code")
	}},
	{"ErrorBase1732.INCONSISTENT_HL7_INTERACTION_ID", func(d document, _ *message) string {
		interaction := d.body.hl7("interactionId").attr("extension")
		same := d.body.space == nsHL7 && interaction == d.body.local && interaction == d.action
		return unless(same, "interactionId, the body's element and the envelope's Action differ")
	}},
	{"ErrorBase1732.INVALID_COMM_FUNC_RCV", func(_ document, m *message) string {
		return unless(m.receiver != "", "not exactly one receiving ASID in the message")
	}},
	{"ErrorBase1732.INVALID_COMM_FUNC_SND", func(_ document, m *message) string {
		return unless(m.sender != "", "not exactly one sending ASID in the message")
	}},
}

var sameASIDChecks = []check{
	{"ErrorBase1732.INCONSISTENT_COMM_FUNC_RCV", func(d document, m *message) string {
		return unless(asidOf(d.header.hl7("communicationFunctionRcv")) == m.receiver, "header and message name different receivers")
	}},
	{"ErrorBase1732.INCONSISTENT_COMM_FUNC_SND", func(d document, m *message) string {
		return unless(asidOf(d.header.hl7("communicationFunctionSnd")) == m.sender, "header and message name different senders")
	}},
}

var contentChecks = []check{
	{"ErrorBase1732.INVALID_CONTROL_ACT", func(d document, _ *message) string {
		return unless(d.body.hl7("ControlActEvent") != nil, "not exactly one ControlActEvent")
	}},
	{"ErrorBase1732.CONTROL_ACT_AUTHOR_INVALID", func(d document, _ *message) string {
		return unless(len(d.body.hl7("ControlActEvent").all(nsHL7, "author")) <= 1, "more than one author of the control act")
	}},
	{mandatory, func(d document, _ *message) string {
		id := d.body.hl7("ControlActEvent", "author1", "AgentSystemSDS", "agentSystemSDS", "id")
		return unless(id.attr("extension") != "", `mandatory data missing: "author1"`)
	}},
	{mandatory, func(_ document, m *message) string { return required(m.queryID, "Event ID") }},
	{mandatory, func(_ document, m *message) string { return required(m.nhsNumber, "NHS Number") }},
	{mandatory, func(_ document, m *message) string { return required(m.author.form, "[authorPerson or authorDevice]") }},
	{mandatory, func(_ document, m *message) string { return authorMissing(m.author) }},
}

const mandatory = "ErrorBase1712.MANDATORY_DATA_MISSING"

// authorMissing applies the checks of the author's own form.
func authorMissing(a author) string {
	if a.form == formPerson {
		return firstMissing(
			required(a.role.code, "Job Role Code"),
			required(a.role.display, "Job Role Name"),
			required(a.organisation.extension, "Organisation Code"),
			required(a.orgName, "Organisation Name"),
			required(a.id(oidUser), "authorID"),
		)
	}
	missing := []string{
		required(a.asid, "authorDevice.systemID"),
		required(a.organisation.extension, "authorDevice.orgCode"),
		required(a.orgName, "authorDevice.orgName"),
	}
	for _, r := range a.responsible {
		missing = append(missing,
			required(r.role.code, "authorDevice.jobRoleCode"),
			required(r.role.display, "authorDevice.jobRoleName"),
			unless(!r.name.empty(), `mandatory data missing: "authorDevice.assignedPersonName"`),
		)
	}
	return firstMissing(missing...)
}

func required(value, name string) string {
	return unless(value != "", `mandatory data missing: "`+name+`"`)
}

func unless(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}

func firstMissing(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
