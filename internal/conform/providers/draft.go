package providers

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// draft is a request of which a case may change one part at a time. Its parts are
// XML with slots such as {message}, which are filled when the message is written:
// ids and times are new in each one.
type draft struct {
	http draftHTTP

	declaration string
	namespaces  string // declared on the root
	messageID   string
	action      string
	to          string
	from        string
	replyTo     string
	security    string
	more        string // further header blocks

	addresslist, audit, manifest, sender, handling string

	effectiveTime, eventID, author, parameter string

	afterQuery, afterPayload, afterEnvelope string

	edits []edit              // of the whole text, before slots are filled
	last  func(string) string // of the whole text, after
}

type edit struct{ old, new string }

// draftHTTP is how the message is carried.
type draftHTTP struct {
	method, target, version string
	contentType             string // none if empty
	soapAction              string // the whole line, none if empty
	fields                  []string
	noHost                  bool
	length                  string // Content-Length; the body's own if empty
	chunked                 bool
	expect                  bool // wait for "100 Continue" before the body
	withhold                bool // send no body at all
	tls                     func(*tls.Config)
}

const (
	timestampBlock = `<wsu:Timestamp wsu:Id="uuid_{stamp}"><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>`
	tokenBlock     = `<wsse:UsernameToken><wsse:Username>{username}</wsse:Username></wsse:UsernameToken>`
	identityID     = `<itk:id uri="{identity}"/>`
	manifestItem   = `<itk:manifestitem id="uuid_{payload}" mimetype="text/xml" profileid="` + requestProfile + `"/>`
	interaction    = `<itk:spec key="` + interactionKey + `" value="` + requestInteraction + `"/>`

	systemID     = `<id root="` + oidASID + `" extension="{asid}"/>`
	authority    = `<indirectAuthority><superiorAssignedEntity>` + roleCode + `<assignedPerson><name>{name}</name></assignedPerson></superiorAssignedEntity></indirectAuthority>`
	roleCode     = `<code code="{role code}" codeSystem="{role system}" displayName="{role name}"/>`
	organisation = `<id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="{organisation}"/><name>{organisation name}</name>`
	maintaining  = `<maintainingOrganization>` + organisation + `</maintainingOrganization>`
	represented  = `<representedOrganization>` + organisation + `</representedOrganization>`
	userID       = `<id root="` + oidUserID + `" extension="{user}"/>`
	roleProfile  = `<id root="` + oidProfile + `" extension="{profile}"/>`
	authorPerson = `<assignedAuthorPerson><name use="L">{name}</name></assignedAuthorPerson>`

	auditUser    = `<itk:id type="` + oidUserID + `" uri="{user}"/>`
	auditProfile = `<itk:id type="` + oidProfile + `" uri="{profile}"/>`

	systemContentID = `<npfitlc:contentId root="` + oidContentID + `" extension="COCT_TP145104GB01#System"/>`
	personContentID = `<npfitlc:contentId root="` + oidContentID + `" extension="COCT_TP145102GB01#AssignedAuthor"/>`
	systemAuthor    = `<author>` + systemContentID + `<COCT_TP145104GB01.System>` + systemID + authority + maintaining + `</COCT_TP145104GB01.System></author>`
	personAuthor    = `<author>` + personContentID + `<COCT_TP145102GB01.AssignedAuthor>` + roleCode + userID + roleProfile +
		authorPerson + represented + `</COCT_TP145102GB01.AssignedAuthor></author>`
)

// newDraft is a request that a sound provider accepts, by a system with a
// nominated person.
func newDraft() *draft {
	return &draft{
		http: draftHTTP{
			method: "POST", version: "HTTP/1.1", contentType: "text/xml; charset=utf-8",
			soapAction: "SOAPAction: " + requestService,
		},
		declaration: `<?xml version="1.0" encoding="UTF-8"?>`,
		namespaces:  ` xmlns:wsa="` + nsAddressing + `" xmlns:wsse="` + nsSecurity + `" xmlns:wsu="` + nsUtility + `"`,
		messageID:   `<wsa:MessageID>{message}</wsa:MessageID>`,
		action:      `<wsa:Action>` + requestService + `</wsa:Action>`,
		to:          `<wsa:To>{to}</wsa:To>`,
		from:        `<wsa:From><wsa:Address>https://ed.example.invalid/cpis</wsa:Address></wsa:From>`,
		replyTo:     `<wsa:ReplyTo><wsa:Address>` + anonymous + `</wsa:Address></wsa:ReplyTo>`,
		security:    `<wsse:Security>` + timestampBlock + tokenBlock + `</wsse:Security>`,

		addresslist: `<itk:addresslist><itk:address uri="` + addressPrefix + `{provider}"/></itk:addresslist>`,
		audit:       `<itk:auditIdentity>` + identityID + `</itk:auditIdentity>`,
		manifest:    `<itk:manifest count="1">` + manifestItem + `</itk:manifest>`,
		sender:      `<itk:senderAddress uri="` + addressPrefix + `{organisation}"/>`,
		handling:    `<itk:handlingSpecification>` + interaction + `</itk:handlingSpecification>`,

		effectiveTime: `<effectiveTime value="{at 0s 20060102150405}+0000"/>`,
		eventID:       `<id root="{event}"/>`,
		author:        systemAuthor,
		parameter:     `<queryByParameter><person.NHSnumber><value extension="{number}"/></person.NHSnumber></queryByParameter>`,
	}
}

// asPerson lets a smartcard user ask.
func asPerson(d *draft) {
	d.author = personAuthor
	d.audit = `<itk:auditIdentity>` + identityID + auditUser + auditProfile + `</itk:auditIdentity>`
}

func (d *draft) payload() string {
	return `<CP-ISQueryStub xmlns="` + nsHL7 + `" xmlns:npfitlc="` + nsLocal + `"><cP-ISNHSQuery>` +
		d.effectiveTime + d.eventID + d.author + d.parameter + d.afterQuery + `</cP-ISNHSQuery></CP-ISQueryStub>`
}

func (d *draft) envelope() string {
	return `<itk:DistributionEnvelope xmlns:itk="` + nsITK + `"><itk:header service="` + requestService + `" trackingid="{tracking}">` +
		d.addresslist + d.audit + d.manifest + d.sender + d.handling + `</itk:header>` +
		`<itk:payloads count="1"><itk:payload id="uuid_{payload}">` + d.payload() + `</itk:payload>` + d.afterPayload +
		`</itk:payloads></itk:DistributionEnvelope>`
}

func (d *draft) header() string {
	return `<soap:Header>` + d.messageID + d.action + d.to + d.from + d.replyTo + d.security + d.more + `</soap:Header>`
}

// text is the whole message with its edits made and its slots empty. The error is
// that of a case that changes what the draft does not have.
func (d *draft) text() (string, error) {
	text := d.declaration + `<soap:Envelope xmlns:soap="` + nsSOAP + `"` + d.namespaces + `>` +
		d.header() + `<soap:Body>` + d.envelope() + d.afterEnvelope + `</soap:Body></soap:Envelope>`
	for _, e := range d.edits {
		if !strings.Contains(text, e.old) {
			return "", fmt.Errorf("the case changes what the request does not have: %s", e.old)
		}
		text = strings.ReplaceAll(text, e.old, e.new)
	}
	return text, nil
}

// body is the message as bytes.
func (d *draft) body(s slots) ([]byte, error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	filled, err := s.fill(text)
	if err != nil {
		return nil, err
	}
	if d.last != nil {
		filled = d.last(filled)
	}
	return []byte(filled), nil
}

// change is what a case does to a draft.
type change func(*draft)

// replace changes every place where a text stands.
func replace(oldnew ...string) change {
	return func(d *draft) {
		for i := 0; i < len(oldnew); i += 2 {
			d.edits = append(d.edits, edit{oldnew[i], oldnew[i+1]})
		}
	}
}

// all makes several changes.
func all(changes ...change) change {
	return func(d *draft) {
		for _, c := range changes {
			c(d)
		}
	}
}

// without takes texts away.
func without(texts ...string) change {
	return func(d *draft) {
		for _, text := range texts {
			d.edits = append(d.edits, edit{text, ""})
		}
	}
}

// finally changes the bytes of the message when its slots are filled.
func finally(last func(string) string) change { return func(d *draft) { d.last = last } }

// carried changes how the message is carried.
func carried(c func(*draftHTTP)) change { return func(d *draft) { c(&d.http) } }
