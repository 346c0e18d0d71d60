package ebxml_test

import (
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/ebxml"
)

const (
	askedID    = "A0000000-0000-4000-8000-000000000001"
	answerID   = "B0000000-0000-4000-8000-000000000002"
	inquiryID  = "C0000000-0000-4000-8000-000000000003"
	signalling = "urn:oasis:names:tc:ebxml-msg:service"
	cpisquery  = "urn:nhs:names:services:cpisquery"

	multipartType = `multipart/related; boundary="--=_MIME-Boundary"; type="text/xml"; start="<ebXMLHeader@spine.nhs.uk>"`
)

// document is the HL7 of a reply, in the form that the Spine gives it.
const document = "<?xml version='1.0' encoding='UTF-8'?>\n" + `<hl7:MCCI_IN010000UK13 xmlns:hl7="urn:hl7-org:v3"><hl7:id root="` + answerID + `"/></hl7:MCCI_IN010000UK13>`

var (
	limits = ebxml.Limits{Bytes: 1 << 20}
	noon   = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
)

// Pieces of messages as the Spine writes them.
const (
	headerStart = `<eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1">` +
		`<eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:From>` +
		`<eb:To><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">RZZ99-999001</eb:PartyId></eb:To>` +
		`<eb:CPAId>S999C000001</eb:CPAId><eb:ConversationId>` + inquiryID + `</eb:ConversationId>`
	headerEnd = `<eb:MessageData><eb:MessageId>` + answerID + `</eb:MessageId><eb:Timestamp>2026-03-14T12:00:00Z</eb:Timestamp>` +
		`<eb:RefToMessageId>` + askedID + `</eb:RefToMessageId></eb:MessageData></eb:MessageHeader>`
	businessHeader = headerStart + `<eb:Service>` + cpisquery + `</eb:Service><eb:Action>MCCI_IN010000UK13</eb:Action>` + headerEnd
	takenHeader    = headerStart + `<eb:Service>` + signalling + `</eb:Service><eb:Action>Acknowledgment</eb:Action>` + headerEnd
	errorHeader    = headerStart + `<eb:Service>` + signalling + `</eb:Service><eb:Action>MessageError</eb:Action>` + headerEnd

	acknowledgment = `<eb:Acknowledgment eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH">` +
		`<eb:Timestamp>2026-03-14T12:00:00</eb:Timestamp><eb:RefToMessageId>` + askedID + `</eb:RefToMessageId>` +
		`<eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:From></eb:Acknowledgment>`
	ackRequested = `<eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH" eb:signed="false"/>`
	syncReply    = `<eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
	unknownCPA   = `<eb:Error eb:codeContext="urn:oasis:names:tc:ebxml-msg:service:errors" eb:errorCode="ValueNotRecognized" eb:severity="Error">` +
		`<eb:Description xml:lang="en-GB">501319:Unknown eb:CPAId</eb:Description></eb:Error>`
	oddTime  = `<eb:Error eb:errorCode="Inconsistent" eb:severity="Warning" eb:location="eb:Timestamp"/>`
	manifest = `<eb:Manifest eb:version="2.0"><eb:Reference xlink:href="cid:` + answerID + `@spine.nhs.uk">` +
		`<eb:Schema eb:location="urn:hl7-org:v3_MCCI_IN010000UK13.xsd" eb:version="13"/><eb:Description xml:lang="en">The HL7 payload</eb:Description>` +
		`<hl7ebxml:Payload xmlns:hl7ebxml="urn:hl7-org:transport/ebXML/DSTUv1.0" style="HL7" encoding="XML" version="3.0"/></eb:Reference></eb:Manifest>`
	fault = `<soap:Fault><faultcode>soap:Server</faultcode><faultstring>x</faultstring></soap:Fault>`
)

func errorList(highest, errs string) string {
	return `<eb:ErrorList soap:mustUnderstand="1" eb:highestSeverity="` + highest + `" eb:version="2.0">` + errs + `</eb:ErrorList>`
}

func envelope(header, body string) string {
	return `<?xml version='1.0' encoding='UTF-8'?>` + "\n" +
		`<soap:Envelope xmlns:xsi="http://www.w3c.org/2001/XML-Schema-Instance" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"` +
		` xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" xmlns:xlink="http://www.w3.org/1999/xlink">` +
		`<soap:Header>` + header + `</soap:Header><soap:Body>` + body + `</soap:Body></soap:Envelope>`
}

const (
	envelopeFields = "Content-Id: <ebXMLHeader@spine.nhs.uk>\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	documentFields = "Content-Id: <" + answerID + "@spine.nhs.uk>\r\nContent-Type: application/xml; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n"
)

// multipart joins parts, each of them fields, an empty line and content.
func multipart(parts ...string) string {
	var body strings.Builder
	for _, part := range parts {
		body.WriteString("----=_MIME-Boundary\r\n" + part + "\r\n")
	}
	return body.String() + "----=_MIME-Boundary--\r\n"
}

// reply is a business reply in the form that the Spine gives it.
func reply() string {
	return multipart(envelopeFields+"\r\n"+envelope(businessHeader, manifest), documentFields+"\r\n"+document)
}

// replyHeader is what reply says of itself.
func replyHeader() ebxml.Header {
	return ebxml.Header{
		FromParty: "YES-0000806", ToParty: "RZZ99-999001", CPAID: "S999C000001", ConversationID: inquiryID,
		Service: cpisquery, Action: "MCCI_IN010000UK13", MessageID: answerID, RefToMessageID: askedID, Timestamp: noon,
	}
}

func signalHeader(action string) ebxml.Header {
	h := replyHeader()
	h.Service, h.Action = signalling, action
	return h
}
