package ebxml

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const (
	usualBoundary = "--=_MIME-Boundary"
	rootID        = "ebXMLHeader@spine.nhs.uk"
	host          = "@spine.nhs.uk"
	envelopeType  = "text/xml; charset=UTF-8"
)

var (
	errNoPayload = errors.New("ebxml: there is no payload to send")
	errNoID      = errors.New("ebxml: the message to be answered has no id")
	errNoError   = errors.New("ebxml: an error message needs an error")
	errNotError  = errors.New("ebxml: an error to be sent has a malformed code, context or severity")
)

// WriteRequest writes a business message with an HL7 document, which must be UTF-8.
// The contract gives the parties, the CPA and the header blocks, whatever the header
// says of them; the header gives the rest, of which RefToMessageID and TimeToLive may
// be missing. MessageID is a UUID in upper case (WRD-SPN-04). An error says which
// value cannot be sent.
func WriteRequest(h Header, document []byte, c Contract) (contentType string, body []byte, err error) {
	if len(document) == 0 {
		return "", nil, errNoPayload
	}
	h.FromParty, h.ToParty, h.CPAID = c.FromParty, c.ToParty, c.CPAID
	h.DuplicateElimination = c.DuplicateElimination
	w := startMessage(h)
	if c.AckRequested {
		actor := c.Actor
		if actor == "" {
			actor = toPartyMSH
		}
		w.Empty("eb:AckRequested", "SOAP:mustUnderstand", "1", "eb:version", version, "eb:signed", "false", "SOAP:actor", actor)
	}
	if c.syncReply() {
		w.Empty("eb:SyncReply", "SOAP:mustUnderstand", "1", "eb:version", version, "SOAP:actor", nextActor)
	}
	w.End()
	w.Start("SOAP:Body")
	writeManifest(w, h.MessageID)
	envelope, err := endMessage(w, h)
	if err != nil {
		return "", nil, err
	}
	boundary := boundaryFor(envelope, document)
	contentType = `multipart/related; boundary="` + boundary + `"; type="text/xml"; start="<` + rootID + `>"`
	return contentType, join(boundary, envelope, h.MessageID+host, document), nil
}

func writeManifest(w *xmlstrict.Writer, id string) {
	w.Start("eb:Manifest", "eb:version", version)
	w.Start("eb:Reference", "xlink:href", "cid:"+id+host)
	w.Empty("eb:Schema", "eb:location", "http://www.nhsia.nhs.uk/schemas/HL7-Message.xsd", "eb:version", "1.0")
	w.Start("eb:Description", "xml:lang", "en")
	w.Text("HL7 payload")
	w.End()
	w.Empty("hl7ebxml:Payload", "style", "HL7", "encoding", "XML", "version", "3.0")
	w.End()
	w.End()
}

// boundaryFor returns the usual boundary, or one like it if that stands in what it
// is to separate.
func boundaryFor(envelope, document []byte) string {
	boundary := usualBoundary
	for n := 1; bytes.Contains(document, []byte(boundary)) || bytes.Contains(envelope, []byte(boundary)); n++ {
		boundary = usualBoundary + strconv.Itoa(n)
	}
	return boundary
}

// join puts both parts into one buffer.
func join(boundary string, envelope []byte, id string, document []byte) []byte {
	const header = 512 // enough for the delimiters and the fields of both parts
	body := make([]byte, 0, header+len(envelope)+len(document))
	body = appendPart(body, boundary, rootID, envelopeType, envelope)
	body = appendPart(body, boundary, id, "application/xml; charset=UTF-8", document)
	return append(append(append(body, "--"...), boundary...), "--\r\n"...)
}

func appendPart(body []byte, boundary, id, contentType string, content []byte) []byte {
	for _, s := range [...]string{"--", boundary, "\r\nContent-Id: <", id, ">\r\nContent-Type: ", contentType, "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"} {
		body = append(body, s...)
	}
	return append(append(body, content...), "\r\n"...)
}

// WriteAcknowledgment writes the acknowledgement of the message whose header is to,
// under the message id given, a UUID in upper case.
func WriteAcknowledgment(to Header, id string, now time.Time) (contentType string, body []byte, err error) {
	if to.MessageID == "" {
		return "", nil, errNoID
	}
	h := answerTo(to, actionAcknowledgment, id, now)
	w := startMessage(h)
	w.Start("eb:Acknowledgment", "SOAP:mustUnderstand", "1", "eb:version", version, "SOAP:actor", toPartyMSH)
	w.Leaf("eb:Timestamp", soap.FormatTime(now))
	w.Leaf("eb:RefToMessageId", to.MessageID)
	writeParty(w, "eb:From", h.FromParty)
	w.End()
	return endSignal(w, h)
}

// WriteErrors writes an error message about the message whose header is to, under the
// message id given, a UUID in upper case. An empty severity is Error, an empty context
// that of the ebXML standard. At least one error is more than a warning.
func WriteErrors(to Header, id string, now time.Time, errs []Error) (contentType string, body []byte, err error) {
	if highest(errs) != SeverityError {
		return "", nil, errNoError
	}
	h := answerTo(to, actionMessageError, id, now)
	w := startMessage(h)
	w.Start("eb:ErrorList", "SOAP:mustUnderstand", "1", "eb:version", version, "eb:highestSeverity", SeverityError)
	for _, e := range errs {
		if e.Context == "" {
			e.Context = errorContext
		}
		if e.Severity == "" {
			e.Severity = SeverityError
		}
		if !isIdentifier(e.Code) || !isIdentifier(e.Context) || e.Severity != SeverityError && e.Severity != SeverityWarning {
			return "", nil, errNotError
		}
		writeError(w, e)
	}
	w.End()
	return endSignal(w, h)
}

// highest is the highest severity among errors; it is empty if there are none.
func highest(errs []Error) string {
	most := ""
	for _, e := range errs {
		if e.Severity != SeverityWarning {
			return SeverityError
		}
		most = SeverityWarning
	}
	return most
}

func writeError(w *xmlstrict.Writer, e Error) {
	w.Start("eb:Error", "eb:codeContext", e.Context, "eb:errorCode", e.Code, "eb:severity", e.Severity)
	if e.Location != "" {
		w.Attr("eb:location", e.Location)
	}
	if e.Description != "" {
		w.Start("eb:Description", "xml:lang", "en-GB")
		w.Text(e.Description)
		w.End()
	}
	w.End()
}

// answerTo is the header of what one message handler tells another about a message.
func answerTo(to Header, action, id string, now time.Time) Header {
	return Header{
		FromParty: to.ToParty, ToParty: to.FromParty, CPAID: to.CPAID, ConversationID: to.ConversationID,
		Service: signals, Action: action, MessageID: id, RefToMessageID: to.MessageID, Timestamp: now,
	}
}

// startMessage opens the envelope and writes the message header.
func startMessage(h Header) *xmlstrict.Writer {
	w := xmlstrict.NewWriter(3 << 10)
	w.Declaration()
	w.Start("SOAP:Envelope", "xmlns:SOAP", soap.Namespace, "xmlns:eb", Namespace, "xmlns:hl7ebxml", payload, "xmlns:xlink", xlink)
	w.Start("SOAP:Header")
	w.Start("eb:MessageHeader", "SOAP:mustUnderstand", "1", "eb:version", version)
	writeParty(w, "eb:From", h.FromParty)
	writeParty(w, "eb:To", h.ToParty)
	w.Leaf("eb:CPAId", h.CPAID)
	w.Leaf("eb:ConversationId", h.ConversationID)
	w.Leaf("eb:Service", h.Service)
	w.Leaf("eb:Action", h.Action)
	w.Start("eb:MessageData")
	w.Leaf("eb:MessageId", h.MessageID)
	w.Leaf("eb:Timestamp", soap.FormatTime(h.Timestamp))
	if h.RefToMessageID != "" {
		w.Leaf("eb:RefToMessageId", h.RefToMessageID)
	}
	if !h.TimeToLive.IsZero() {
		w.Leaf("eb:TimeToLive", soap.FormatTime(h.TimeToLive))
	}
	w.End()
	if h.DuplicateElimination {
		w.Empty("eb:DuplicateElimination")
	}
	w.End()
	return w
}

func writeParty(w *xmlstrict.Writer, element, key string) {
	w.Start(element)
	w.Start("eb:PartyId", "eb:type", partyType)
	w.Text(key)
	w.End()
	w.End()
}

// endMessage closes Body and Envelope.
func endMessage(w *xmlstrict.Writer, h Header) ([]byte, error) {
	err := h.check()
	if err != nil {
		return nil, err
	}
	w.End()
	w.End()
	return w.Bytes()
}

// endSignal ends a message whose Body is empty.
func endSignal(w *xmlstrict.Writer, h Header) (contentType string, body []byte, err error) {
	w.End()
	w.Start("SOAP:Body")
	body, err = endMessage(w, h)
	if err != nil {
		return "", nil, err
	}
	return envelopeType, body, nil
}

// check says which value of a header that Ward would send is not fit to be sent.
func (h Header) check() error {
	for _, field := range [...]struct{ name, value string }{
		{"own party key", h.FromParty},
		{"party key of the receiver", h.ToParty},
		{"CPA id", h.CPAID},
		{"conversation id", h.ConversationID},
		{"service", h.Service},
		{"action", h.Action},
	} {
		if !isIdentifier(field.value) {
			return errors.New("ebxml: the " + field.name + " of a message to be sent is missing or malformed")
		}
	}
	switch {
	case !isUUID(h.MessageID):
		return errors.New("ebxml: the id of a message to be sent is not a UUID in upper case")
	case h.RefToMessageID != "" && !isIdentifier(h.RefToMessageID):
		return errors.New("ebxml: the id of the message answered is malformed")
	case h.Timestamp.IsZero():
		return errors.New("ebxml: a message to be sent has no time")
	}
	return nil
}
