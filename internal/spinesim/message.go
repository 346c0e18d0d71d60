package spinesim

import "strings"

// Names of the wire.
const (
	service      = "urn:nhs:names:services:cpisquery"
	queryAction  = service + "/QUPC_IN000006GB01"
	queryElement = "QUPC_IN000006GB01"

	oidASID        = "1.2.826.0.1285.0.2.0.107"
	oidUser        = "1.2.826.0.1285.0.2.0.65"
	oidRoleProfile = "1.2.826.0.1285.0.2.0.67"
	oidNHSNumber   = "2.16.840.1.113883.2.1.4.1"
	oidLocalID     = "2.16.840.1.113883.2.1.3.2.4.18.24"
	oidContentID   = "2.16.840.1.113883.2.1.3.2.4.18.16"
	oidInteraction = "2.16.840.1.113883.2.1.3.2.4.12"
	oidODS         = "2.16.840.1.113883.2.1.3.2.4.19.1"
	oidJobRole     = "2.16.840.1.113883.2.1.3.2.4.17.196"
	oidDetected    = "2.16.840.1.113883.2.1.3.2.4.17.42"
	oidAck         = "2.16.840.1.113883.2.1.3.2.4.17.32"

	templatePerson = "COCT_TP145102GB01"
	templateSystem = "COCT_TP145104GB01"
)

// message is one query as understood. Fields that the request did not hold are
// empty, so that even a refused request can be answered and remembered.
type message struct {
	messageID string // with uuid: in SOAP, bare in ebXML
	replyTo   string // an address
	hl7ID     string
	receiver  string // ASIDs of the wrapper
	sender    string
	queryID   string
	time      string // effectiveTime of the query, as received
	nhsNumber string
	author    author
	ebxml     *ebHeader // of the ebXML message around it; nil in SOAP
}

// author is who asks: a person with a smartcard, or a system.
type author struct {
	form         string // formPerson or formSystem
	role         coded
	ids          []instanceID // of a person
	name         personName
	asid         string // of a system
	responsible  []responsible
	organisation instanceID
	orgName      string
}

// Author forms.
const (
	formPerson = "person"
	formSystem = "system"
)

type coded struct{ code, system, display string }

type instanceID struct{ root, extension string }

// personName is a name in parts, in their order; a part without kind is plain text.
type personName struct {
	use   string
	parts []namePart
}

type namePart struct{ kind, text string }

// responsible is one indirect authority of a system.
type responsible struct {
	role coded
	name personName
}

// id is the extension of the person's id below root.
func (a author) id(root string) string {
	for _, id := range a.ids {
		if id.root == root {
			return id.extension
		}
	}
	return ""
}

// identity is what makes two accesses the same author's.
func (a author) identity() string {
	if a.form == formPerson {
		return "P\x00" + a.id(oidUser) + "\x00" + a.id(oidRoleProfile)
	}
	return "S\x00" + a.asid + "\x00" + strings.ToUpper(a.organisation.extension)
}

// understand takes from the document whatever is there.
func understand(d document) *message {
	m := &message{
		messageID: d.header.only(nsWSA, "MessageID").text(),
		replyTo:   d.header.only(nsWSA, "ReplyTo").only(nsWSA, "Address").text(),
		hl7ID:     d.body.hl7("id").attr("root"),
		receiver:  asidOf(d.body.hl7("communicationFunctionRcv")),
		sender:    asidOf(d.body.hl7("communicationFunctionSnd")),
	}
	query := d.query()
	m.queryID = query.hl7("id").attr("root")
	m.time = query.hl7("effectiveTime").attr("value")
	m.nhsNumber = query.hl7("queryByParameter", "person.NHSnumber", "value").attr("extension")
	a := query.hl7("author")
	person, system := a.hl7(templatePerson+".AssignedAuthor"), a.hl7(templateSystem+".System")
	switch {
	case person != nil && system == nil:
		m.author = personAuthor(person)
	case system != nil && person == nil:
		m.author = systemAuthor(system)
	}
	return m
}

func asidOf(communication *node) string {
	id := communication.hl7("device", "id")
	if id.attr("root") != oidASID {
		return ""
	}
	return id.attr("extension")
}

func personAuthor(n *node) author {
	a := author{
		form:         formPerson,
		role:         codedOf(n.hl7("code")),
		name:         nameOf(n.hl7("assignedAuthorPerson", "name")),
		organisation: idOf(n.hl7("representedOrganization", "id")),
		orgName:      n.hl7("representedOrganization", "name").text(),
	}
	for _, id := range n.all(nsHL7, "id") {
		a.ids = append(a.ids, idOf(id))
	}
	return a
}

func systemAuthor(n *node) author {
	a := author{
		form:         formSystem,
		asid:         n.hl7("id").attr("extension"),
		organisation: idOf(n.hl7("maintainingOrganization", "id")),
		orgName:      n.hl7("maintainingOrganization", "name").text(),
	}
	for _, authority := range n.all(nsHL7, "indirectAuthority") {
		entity := authority.hl7("superiorAssignedEntity")
		a.responsible = append(a.responsible, responsible{
			role: codedOf(entity.hl7("code")),
			name: nameOf(entity.hl7("assignedPerson", "name")),
		})
	}
	return a
}

func codedOf(n *node) coded {
	return coded{code: n.attr("code"), system: n.attr("codeSystem"), display: n.attr("displayName")}
}

func idOf(n *node) instanceID {
	return instanceID{root: n.attr("root"), extension: n.attr("extension")}
}

func nameOf(n *node) personName {
	if n == nil {
		return personName{}
	}
	name := personName{use: n.attr("use")}
	for _, c := range n.children {
		text := c.data
		if c.local != "" {
			text = c.text()
		}
		name.parts = append(name.parts, namePart{kind: c.local, text: text})
	}
	return name
}

// empty reports a name without any text.
func (n personName) empty() bool {
	for _, p := range n.parts {
		if strings.TrimSpace(p.text) != "" {
			return false
		}
	}
	return true
}
