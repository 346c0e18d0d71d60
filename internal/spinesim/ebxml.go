package spinesim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Names of ebXML messages.
const (
	nsEB    = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
	nsXLink = "http://www.w3.org/1999/xlink"

	partyType     = "urn:nhs:names:partyType:ocs+serviceInstance"
	signalService = "urn:oasis:names:tc:ebxml-msg:service"
	actorToParty  = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
	actorNext     = "http://schemas.xmlsoap.org/soap/actor/next"

	actionAcknowledgment = "Acknowledgment"
	actionMessageError   = "MessageError"

	ebTime   = "2006-01-02T15:04:05Z"
	boundary = "--=_MIME-Boundary"
	rootID   = "<ebXMLHeader@spine.nhs.uk>"
)

// ebHeader is what the header of an ebXML message says.
type ebHeader struct {
	from, to, cpaID, conversationID, service, action string
	messageID, refTo, timestamp                      string

	duplicateElimination, ackRequested, syncReply bool
}

// ebDocument is an ebXML message as received: the parts that could be read, nil for
// the others.
type ebDocument struct {
	envelope, header, body, messageHeader *node
	payload                               []byte
	payloadID                             string // Content-Id without its angle brackets
}

// readParts takes the message apart. The error says which rule of the MIME form it
// breaks.
func readParts(contentType string, body []byte) (d ebDocument, err error) {
	_, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return d, errors.New("the Content-Type cannot be read")
	case params["boundary"] == "":
		return d, errors.New("the Content-Type has no boundary")
	case params["type"] != "text/xml":
		return d, errors.New("the type of the root part is not text/xml")
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	root, content, err := nextPart(parts, "text/xml")
	if err != nil {
		return d, fmt.Errorf("the first part: %w", err)
	}
	if params["start"] != "" && params["start"] != root.Get("Content-Id") {
		return d, errors.New("start does not name the first part")
	}
	d.envelope, err = parse(content)
	if err != nil {
		return d, errors.New("the first part is not well-formed")
	}
	d.header, d.body = d.envelope.only(nsSOAP, "Header"), d.envelope.only(nsSOAP, "Body")
	d.messageHeader = d.header.only(nsEB, "MessageHeader")
	payload, content, err := nextPart(parts, "text/xml", "application/xml")
	if err != nil {
		return d, fmt.Errorf("the second part: %w", err)
	}
	d.payload, d.payloadID = content, strings.Trim(payload.Get("Content-Id"), "<>")
	_, err = parts.NextRawPart()
	if err != io.EOF {
		return d, errors.New("there is more than two parts, or no closing delimiter")
	}
	return d, nil
}

// nextPart reads a whole part of one of the media types, neither encoded nor huge: the
// request was limited before.
func nextPart(parts *multipart.Reader, mediaTypes ...string) (textproto.MIMEHeader, []byte, error) {
	part, err := parts.NextRawPart()
	if err != nil {
		return nil, nil, errors.New("not there")
	}
	content, err := io.ReadAll(part)
	if err != nil {
		return nil, nil, errors.New("cut off")
	}
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return nil, nil, errors.New("encoded for transfer")
	}
	mediaType, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, errors.New("without a media type")
	}
	for _, allowed := range mediaTypes {
		if mediaType == allowed {
			return part.Header, content, nil
		}
	}
	return nil, nil, errors.New("of another media type")
}

// understood is the header as far as it is there.
func (d ebDocument) understood() ebHeader {
	h, data := d.messageHeader, d.messageHeader.only(nsEB, "MessageData")
	return ebHeader{
		from:                 h.only(nsEB, "From").only(nsEB, "PartyId").text(),
		to:                   h.only(nsEB, "To").only(nsEB, "PartyId").text(),
		cpaID:                h.only(nsEB, "CPAId").text(),
		conversationID:       h.only(nsEB, "ConversationId").text(),
		service:              h.only(nsEB, "Service").text(),
		action:               h.only(nsEB, "Action").text(),
		messageID:            data.only(nsEB, "MessageId").text(),
		refTo:                data.only(nsEB, "RefToMessageId").text(),
		timestamp:            data.only(nsEB, "Timestamp").text(),
		duplicateElimination: len(h.all(nsEB, "DuplicateElimination")) > 0,
		ackRequested:         len(d.header.all(nsEB, "AckRequested")) > 0,
		syncReply:            len(d.header.all(nsEB, "SyncReply")) > 0,
	}
}

// acknowledges reports whether the answer to a posted message acknowledges it: an
// envelope alone, or as the one part of a multipart.
func acknowledges(contentType string, body []byte, messageID string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if mediaType == "multipart/related" {
		_, body, err = nextPart(multipart.NewReader(bytes.NewReader(body), params["boundary"]), "text/xml")
		if err != nil {
			return false
		}
	}
	root, err := parse(body)
	if err != nil {
		return false
	}
	header := root.only(nsSOAP, "Header")
	d := ebDocument{header: header, messageHeader: header.only(nsEB, "MessageHeader")}
	h := d.understood()
	ack := header.only(nsEB, "Acknowledgment").only(nsEB, "RefToMessageId").text()
	return h.service == signalService && h.action == actionAcknowledgment && h.refTo == messageID && ack == messageID
}
