package spinesim

import (
	"bytes"
	"mime/multipart"
	"net/textproto"
)

// ebEnvelope writes the SOAP envelope of an ebXML message; inHeader and inBody may
// be nil.
func ebEnvelope(h ebHeader, inHeader, inBody func(*xmlWriter)) []byte {
	w := &xmlWriter{prefix: "eb:"}
	w.raw(xmlDeclaration)
	w.raw(`<SOAP:Envelope xmlns:SOAP="` + nsSOAP + `" xmlns:eb="` + nsEB + `" xmlns:xlink="` + nsXLink + `" xmlns:hl7ebxml="urn:hl7-org:transport/ebXML/DSTUv1.0"><SOAP:Header>`)
	w.open("MessageHeader", "eb:version", "2.0", "SOAP:mustUnderstand", "1")
	for _, party := range [][2]string{{"From", h.from}, {"To", h.to}} {
		w.open(party[0])
		w.open("PartyId", "eb:type", partyType)
		w.text(party[1])
		w.close("PartyId", party[0])
	}
	w.leaf("CPAId", h.cpaID)
	w.leaf("ConversationId", h.conversationID)
	w.leaf("Service", h.service)
	w.leaf("Action", h.action)
	w.open("MessageData")
	w.leaf("MessageId", h.messageID)
	w.leaf("Timestamp", h.timestamp)
	if h.refTo != "" {
		w.leaf("RefToMessageId", h.refTo)
	}
	w.close("MessageData")
	if h.duplicateElimination {
		w.empty("DuplicateElimination")
	}
	w.close("MessageHeader")
	if h.ackRequested {
		w.empty("AckRequested", "eb:version", "2.0", "SOAP:mustUnderstand", "1", "SOAP:actor", actorToParty, "eb:signed", "false")
	}
	if h.syncReply {
		w.empty("SyncReply", "eb:version", "2.0", "SOAP:mustUnderstand", "1", "SOAP:actor", actorNext)
	}
	if inHeader != nil {
		inHeader(w)
	}
	w.raw("</SOAP:Header><SOAP:Body>")
	if inBody != nil {
		inBody(w)
	}
	w.raw("</SOAP:Body></SOAP:Envelope>")
	return w.buf
}

// ebAcknowledgment is the signal that a message arrived.
func ebAcknowledgment(h ebHeader) []byte {
	h.action = actionAcknowledgment
	return ebEnvelope(h, func(w *xmlWriter) {
		w.open("Acknowledgment", "eb:version", "2.0", "SOAP:mustUnderstand", "1", "SOAP:actor", actorToParty)
		w.leaf("Timestamp", h.timestamp)
		w.leaf("RefToMessageId", h.refTo)
		w.close("Acknowledgment")
	}, nil)
}

// ebMessageError is the signal that a message was refused.
func ebMessageError(h ebHeader, code, location, description string) []byte {
	h.action = actionMessageError
	return ebEnvelope(h, func(w *xmlWriter) {
		w.open("ErrorList", "eb:version", "2.0", "SOAP:mustUnderstand", "1", "eb:highestSeverity", "Error")
		w.open("Error", "eb:errorCode", code, "eb:severity", "Error", "eb:codeContext", signalService+":errors", "eb:location", location)
		w.open("Description", "xml:lang", "en-GB")
		w.text(description)
		w.close("Description", "Error", "ErrorList")
	}, nil)
}

// ebBusiness is a message with an HL7 payload, and where the payload begins in it.
func ebBusiness(h ebHeader, payload []byte) (body []byte, payloadAt int) {
	payloadID := h.messageID + "@spine.nhs.uk"
	envelope := ebEnvelope(h, nil, func(w *xmlWriter) {
		w.open("Manifest", "eb:version", "2.0")
		w.open("Reference", "xlink:href", "cid:"+payloadID)
		w.empty("Schema", "eb:location", "http://www.nhsia.nhs.uk/schemas/HL7-Message.xsd", "eb:version", "1.0")
		w.open("Description", "xml:lang", "en")
		w.text("HL7 payload")
		w.close("Description")
		w.raw(`<hl7ebxml:Payload style="HL7" encoding="XML" version="3.0"/>`)
		w.close("Reference", "Manifest")
	})
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	_ = parts.SetBoundary(boundary) // a fixed one, which the standard allows
	writePart(parts, rootID, "text/xml; charset=UTF-8", envelope)
	writePart(parts, "<"+payloadID+">", "application/xml; charset=UTF-8", payload)
	payloadAt = out.Len() - len(payload)
	_ = parts.Close() // a buffer takes everything
	return out.Bytes(), payloadAt
}

func writePart(parts *multipart.Writer, id, mediaType string, content []byte) {
	part, _ := parts.CreatePart(textproto.MIMEHeader{ // a buffer takes everything
		"Content-Id":                {id},
		"Content-Transfer-Encoding": {"8bit"},
		"Content-Type":              {mediaType},
	})
	_, _ = part.Write(content)
}

// multipartType is the Content-Type of a message whose parts are delimited so.
func multipartType(delimiter string) string {
	return `multipart/related; boundary="` + delimiter + `"; type="text/xml"; start="` + rootID + `"`
}
