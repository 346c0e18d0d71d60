package spinesim

import (
	"bytes"
	"mime/multipart"
	"testing"
)

// No ebXML request breaks the reader, and none is taken for good whose parts the writer
// would not have written.
func FuzzEbXMLRequest(f *testing.F) {
	header := ebHeader{
		from: "RXX-1", to: "YES-0000806", cpaID: DefaultContract().CPAID, conversationID: derivedID("a"), service: service,
		action: queryElement, messageID: derivedID("b"), timestamp: "2026-03-01T09:30:01Z", syncReply: true,
	}
	good, _ := ebBusiness(header, []byte("<x/>"))
	f.Add(multipartType(boundary), good)
	f.Add("multipart/related", []byte("--\r\n"))
	f.Add(`multipart/related; boundary=x; type="text/xml"`, []byte("--x\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--x--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		d, err := readParts(contentType, body)
		acknowledges(contentType, body, header.messageID)
		if err != nil {
			return
		}
		h := d.understood()
		if firstEbViolation(d, h, DefaultContract()) != nil {
			return
		}
		if !upperUUID(h.messageID) || h.to != header.to || !h.syncReply || h.ackRequested || len(d.payloadID) == 0 {
			t.Errorf("%+v passes", h)
		}
	})
}

// What the writer writes, the reader understands.
func TestWrittenEbXMLIsUnderstood(t *testing.T) {
	h := ebHeader{
		from: "A<&>", to: "YES-0000806", cpaID: "C", conversationID: derivedID("a"), service: service, action: queryElement,
		messageID: derivedID("b"), refTo: derivedID("c"), timestamp: "2026-03-01T09:30:01Z",
		duplicateElimination: true, ackRequested: true, syncReply: true,
	}
	payload := []byte("<x>\r\n--é</x>")
	body, at := ebBusiness(h, payload)
	d, err := readParts(multipartType(boundary), body)
	if err != nil || d.understood() != h || !bytes.Equal(d.payload, payload) || !bytes.HasPrefix(body[at:], payload) {
		t.Errorf("%v: %+v, payload %s", err, d.understood(), d.payload)
	}
	h.service = signalService
	ack := ebAcknowledgment(h)
	if !acknowledges("text/xml", ack, h.refTo) || acknowledges("text/xml", ack, h.messageID) || acknowledges("text/xml", ebMessageError(h, "X", "Y", "Z"), h.refTo) {
		t.Error("acknowledgements are not told from others")
	}
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	writePart(parts, rootID, "text/xml", ack)
	parts.Close()
	if !acknowledges(multipartType(parts.Boundary()), out.Bytes(), h.refTo) {
		t.Error("an acknowledgement in a multipart is not understood")
	}
}
