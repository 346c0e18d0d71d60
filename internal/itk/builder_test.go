package itk_test

import (
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/itk"
)

// A request is written from parts that a test may change one at a time. All
// text in it is invented.
type parts struct {
	messageID, action, to, from, replyTo, extraHeaders string
	security                                           string
	service, trackingID                                string
	addresslist, audit, manifest, sender, handling     string
	payloadsCount, payloadID, payload                  string
	afterPayload, afterEnvelope                        string
}

const (
	messageID  = "0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A"
	stampID    = "uuid_1E9B6C4D-5F20-4B8C-AD3E-70615E4D3C2B"
	trackingID = "2FAC7D5E-6031-4C9D-BE4F-81726F5E4D3C"
	payloadID  = "uuid_30BD8E6F-7142-4DAE-8F50-9283706F5E4D"
	eventID    = "41CE9F70-8253-4EBF-9061-A394817060F5"

	ours = "https://smsp.ward.example/smsp/cpis"
)

// now is within the life of every base request.
var now = time.Date(2026, time.March, 14, 9, 27, 0, 0, time.UTC)

// expectations of the one client that the base requests come from.
func expectations() itk.Expectations {
	return itk.Expectations{
		Now: now, Skew: 5 * time.Second, MaxLifetime: 24 * time.Hour,
		To:              []string{"https://other.ward.example/itk", ours},
		Profiles:        []string{"urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v1-1", "urn:nhs-en:profile:CP-ISNHSQuery-v2-0"},
		Interactions:    []string{itk.RequestInteraction},
		Usernames:       []string{"hazelbrook-ed", "hazelbrook & sons"},
		AuditIdentities: []string{"urn:nhs-uk:identity:ods:RZZ99"},
		ASID:            "999000444555",
	}
}

func systemRequest() parts { return request(systemAuthor) }

func personRequest() parts {
	p := request(personAuthor)
	p.audit = `<itk:auditIdentity>` +
		`<itk:id type="2.16.840.1.113883.2.1.3.2.4.18.27" uri="urn:nhs-uk:identity:ods:RZZ99:n.quill"/>` +
		`<itk:id type="1.2.826.0.1285.0.2.0.65" uri="999000111222"/>` +
		`<itk:id type="1.2.826.0.1285.0.2.0.67" uri="999000111333"/></itk:auditIdentity>`
	return p
}

func request(author string) parts {
	return parts{
		messageID: `<wsa:MessageID>` + messageID + `</wsa:MessageID>`,
		action:    `<wsa:Action>` + itk.RequestService + `</wsa:Action>`,
		to:        `<wsa:To>` + ours + `</wsa:To>`,
		from:      `<wsa:From><wsa:Address>https://ed.hazelbrook.example/cpis</wsa:Address></wsa:From>`,
		replyTo:   `<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>`,
		security: `<wsse:Security><wsu:Timestamp wsu:Id="` + stampID + `">` +
			`<wsu:Created>2026-03-14T09:26:53Z</wsu:Created><wsu:Expires>2026-03-14T09:36:53Z</wsu:Expires></wsu:Timestamp>` +
			`<wsse:UsernameToken><wsse:Username>hazelbrook-ed</wsse:Username></wsse:UsernameToken></wsse:Security>`,
		service:     itk.RequestService,
		trackingID:  trackingID,
		addresslist: `<itk:addresslist><itk:address uri="urn:nhs-uk:addressing:ods:Y99"/></itk:addresslist>`,
		audit:       `<itk:auditIdentity><itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/></itk:auditIdentity>`,
		manifest: `<itk:manifest count="1"><itk:manifestitem id="` + payloadID + `" mimetype="text/xml" ` +
			`profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"/></itk:manifest>`,
		sender:        `<itk:senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"/>`,
		handling:      `<itk:handlingSpecification><itk:spec key="urn:nhs-itk:ns:201005:interaction" value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"/></itk:handlingSpecification>`,
		payloadsCount: "1",
		payloadID:     payloadID,
		payload: `<CP-ISQueryStub xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><cP-ISNHSQuery>` +
			`<effectiveTime value="20260314092653+0000"/><id root="` + eventID + `"/>` + author +
			`<queryByParameter><person.NHSnumber><value extension="9990000018"/></person.NHSnumber></queryByParameter>` +
			`</cP-ISNHSQuery></CP-ISQueryStub>`,
	}
}

const (
	personAuthor = `<author><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145102GB01#AssignedAuthor"/>` +
		`<COCT_TP145102GB01.AssignedAuthor><code code="R8003" codeSystem="1.2.826.0.1285.0.2.1.104" displayName="Nurse"/>` +
		`<id root="1.2.826.0.1285.0.2.0.65" extension="999000111222"/><id root="1.2.826.0.1285.0.2.0.67" extension="999000111333"/>` +
		`<assignedAuthorPerson><name use="L"><prefix>Ms</prefix><given>Nadia</given><family>Quill</family></name></assignedAuthorPerson>` +
		`<representedOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="RZZ99"/><name>Hazelbrook Hospital</name></representedOrganization>` +
		`</COCT_TP145102GB01.AssignedAuthor></author>`

	systemAuthor = `<author><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145104GB01#System"/>` +
		`<COCT_TP145104GB01.System><id root="1.2.826.0.1285.0.2.0.107" extension="999000444555"/>` +
		`<indirectAuthority><superiorAssignedEntity><code code="R0580" codeSystem="1.2.826.0.1285.0.2.1.104" displayName="Nurse Manager"/>` +
		`<assignedPerson><name><prefix>Mr</prefix><given>Idris</given><family>Thorne</family></name></assignedPerson></superiorAssignedEntity></indirectAuthority>` +
		`<maintainingOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="RZZ99"/><name>Hazelbrook Hospital</name></maintainingOrganization>` +
		`</COCT_TP145104GB01.System></author>`
)

// String writes the request.
func (p parts) String() string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing"` +
		` xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"` +
		` xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">` +
		`<soap:Header>` + p.messageID + p.action + p.to + p.from + p.replyTo + p.security + p.extraHeaders + `</soap:Header>` +
		`<soap:Body>` + p.envelope() + p.afterEnvelope + `</soap:Body></soap:Envelope>`
}

func (p parts) envelope() string {
	return `<itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005"><itk:header service="` + p.service + `" trackingid="` + p.trackingID + `">` +
		p.addresslist + p.audit + p.manifest + p.sender + p.handling + `</itk:header>` +
		`<itk:payloads count="` + p.payloadsCount + `"><itk:payload id="` + p.payloadID + `">` + p.payload + `</itk:payload>` + p.afterPayload +
		`</itk:payloads></itk:DistributionEnvelope>`
}

// with replaces text that must stand in the request exactly once or more.
func with(doc string, oldnew ...string) string {
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(doc, oldnew[i]) {
			panic("a test changes what the request does not have: " + oldnew[i])
		}
		doc = strings.ReplaceAll(doc, oldnew[i], oldnew[i+1])
	}
	return doc
}

// maxSize is the size limit of requests as shipped.
const maxSize = 256 << 10

func read(doc string) (itk.Request, error) { return itk.ReadRequest(doc, maxSize, "", expectations()) }
