package ebxml_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// unreliable is the contract that the directory is known to give for CP-IS.
func unreliable() ebxml.Contract {
	return ebxml.Contract{CPAID: "S999C000001", FromParty: "RZZ99-999001", ToParty: "YES-0000806", SyncReply: "MSHSignalsOnly"}
}

func question() ebxml.Header {
	return ebxml.Header{ConversationID: inquiryID, Service: cpisquery, Action: "QUPC_IN000006GB01", MessageID: askedID, Timestamp: noon}
}

func requestHeader(blocks string) string {
	return `<SOAP:Header><eb:MessageHeader SOAP:mustUnderstand="1" eb:version="2.0">` +
		`<eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">RZZ99-999001</eb:PartyId></eb:From>` +
		`<eb:To><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:To>` +
		`<eb:CPAId>S999C000001</eb:CPAId><eb:ConversationId>C0000000-0000-4000-8000-000000000003</eb:ConversationId>` +
		`<eb:Service>urn:nhs:names:services:cpisquery</eb:Service><eb:Action>QUPC_IN000006GB01</eb:Action>` +
		`<eb:MessageData><eb:MessageId>A0000000-0000-4000-8000-000000000001</eb:MessageId><eb:Timestamp>2026-03-14T12:00:00Z</eb:Timestamp></eb:MessageData>` +
		blocks + `</SOAP:Header>`
}

const (
	eliminate = `<eb:DuplicateElimination/>`
	wantsAck  = `<eb:AckRequested SOAP:mustUnderstand="1" eb:version="2.0" eb:signed="false" SOAP:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"/>`
	wantsSync = `<eb:SyncReply SOAP:mustUnderstand="1" eb:version="2.0" SOAP:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
	endHeader = `</eb:MessageHeader>`
)

// WRD-SPN-01, WRD-SPN-04: a question, byte by byte.
func TestRequestIsWritten(t *testing.T) {
	contentType, body, err := ebxml.WriteRequest(question(), []byte(`<QUPC_IN000006GB01 xmlns="urn:hl7-org:v3"/>`), unreliable())
	if err != nil {
		t.Fatal(err)
	}
	if contentType != `multipart/related; boundary="--=_MIME-Boundary"; type="text/xml"; start="<ebXMLHeader@spine.nhs.uk>"` {
		t.Errorf("the Content-Type is %s", contentType)
	}
	want := strings.Join([]string{
		`----=_MIME-Boundary`,
		`Content-Id: <ebXMLHeader@spine.nhs.uk>`,
		`Content-Type: text/xml; charset=UTF-8`,
		`Content-Transfer-Encoding: 8bit`,
		``,
		`<?xml version="1.0" encoding="UTF-8"?><SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"` +
			` xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"` +
			` xmlns:hl7ebxml="urn:hl7-org:transport/ebXML/DSTUv1.0" xmlns:xlink="http://www.w3.org/1999/xlink">` +
			requestHeader(endHeader+wantsSync) +
			`<SOAP:Body><eb:Manifest eb:version="2.0"><eb:Reference xlink:href="cid:A0000000-0000-4000-8000-000000000001@spine.nhs.uk">` +
			`<eb:Schema eb:location="http://www.nhsia.nhs.uk/schemas/HL7-Message.xsd" eb:version="1.0"/><eb:Description xml:lang="en">HL7 payload</eb:Description>` +
			`<hl7ebxml:Payload style="HL7" encoding="XML" version="3.0"/></eb:Reference></eb:Manifest></SOAP:Body></SOAP:Envelope>`,
		`----=_MIME-Boundary`,
		`Content-Id: <A0000000-0000-4000-8000-000000000001@spine.nhs.uk>`,
		`Content-Type: application/xml; charset=UTF-8`,
		`Content-Transfer-Encoding: 8bit`,
		``,
		`<QUPC_IN000006GB01 xmlns="urn:hl7-org:v3"/>`,
		`----=_MIME-Boundary--`,
		``,
	}, "\r\n")
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// WRD-SPN-05: the contract decides which header blocks there are.
func TestContractDecidesHeaderBlocks(t *testing.T) {
	tests := []struct {
		name   string
		change func(*ebxml.Contract)
		want   string
	}{
		{"unreliable", func(*ebxml.Contract) {}, endHeader + wantsSync},
		{"reliable", func(c *ebxml.Contract) { c.AckRequested, c.DuplicateElimination = true, true }, eliminate + endHeader + wantsAck + wantsSync},
		{"acknowledged", func(c *ebxml.Contract) { c.AckRequested = true }, endHeader + wantsAck + wantsSync},
		{"once", func(c *ebxml.Contract) { c.DuplicateElimination = true }, eliminate + endHeader + wantsSync},
		{"in lower case", func(c *ebxml.Contract) { c.SyncReply = "mshsignalsonly" }, endHeader + wantsSync},
		{"none", func(c *ebxml.Contract) { c.SyncReply = "none" }, endHeader},
		{"nothing", func(c *ebxml.Contract) { c.SyncReply = "" }, endHeader},
		{"the next handler acknowledges", func(c *ebxml.Contract) {
			c.AckRequested, c.SyncReply, c.Actor = true, "none", "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"
		},
			endHeader + strings.Replace(wantsAck, "toPartyMSH", "nextMSH", 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := unreliable()
			test.change(&c)
			h := question() // which cannot overrule the contract
			h.FromParty, h.ToParty, h.CPAID, h.AckRequested, h.DuplicateElimination, h.SyncReply = "x", "x", "x", true, true, true
			_, body, err := ebxml.WriteRequest(h, []byte("<a/>"), c)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(body), requestHeader(test.want)) {
				t.Errorf("the header is not %s\nin %s", requestHeader(test.want), body)
			}
		})
	}
}

// A boundary separates only if it stands nowhere else.
func TestBoundaryIsNotInTheDocument(t *testing.T) {
	tests := []struct{ name, document, cpa, want string }{
		{"a usual document", "<a/>", "S1", "--=_MIME-Boundary"},
		{"the delimiter in the document", "<a>\r\n----=_MIME-Boundary--\r\n</a>", "S1", "--=_MIME-Boundary1"},
		{"the boundary in the document", "<a>--=_MIME-Boundary</a>", "S1", "--=_MIME-Boundary1"},
		{"the next one too", "<a>--=_MIME-Boundary --=_MIME-Boundary1</a>", "S1", "--=_MIME-Boundary2"},
		{"another one", "<a>--=_MIME-Boundary2</a>", "S1", "--=_MIME-Boundary1"},
		{"the boundary in the envelope", "<a/>", "----=_MIME-Boundary", "--=_MIME-Boundary1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := unreliable()
			c.CPAID = test.cpa
			contentType, body, err := ebxml.WriteRequest(question(), []byte(test.document), c)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(contentType, `boundary="`+test.want+`"`) {
				t.Errorf("the Content-Type is %s, want the boundary %s", contentType, test.want)
			}
			got, err := ebxml.Read(contentType, string(body), limits)
			if err != nil || got.Payload != test.document {
				t.Errorf("read as %q, %v", got.Payload, err)
			}
		})
	}
}

// WRD-SPN-04, WRD-SEC-05: nothing is written that a header could not hold.
func TestWhatCannotBeWritten(t *testing.T) {
	write := func(change func(*ebxml.Header, *ebxml.Contract), document string) error {
		h, c := question(), unreliable()
		change(&h, &c)
		_, body, err := ebxml.WriteRequest(h, []byte(document), c)
		if err != nil && body != nil {
			t.Error("a message that is refused is written")
		}
		return err
	}
	for name, change := range map[string]func(*ebxml.Header, *ebxml.Contract){
		"no id":                        func(h *ebxml.Header, _ *ebxml.Contract) { h.MessageID = "" },
		"an id in lower case":          func(h *ebxml.Header, _ *ebxml.Contract) { h.MessageID = strings.ToLower(askedID) },
		"an id with a prefix":          func(h *ebxml.Header, _ *ebxml.Contract) { h.MessageID = "uuid:" + askedID },
		"an id without hyphens":        func(h *ebxml.Header, _ *ebxml.Contract) { h.MessageID = strings.ReplaceAll(askedID, "-", "0") },
		"an id that ends its line":     func(h *ebxml.Header, _ *ebxml.Contract) { h.MessageID = askedID[:34] + "\r\n" },
		"no conversation":              func(h *ebxml.Header, _ *ebxml.Contract) { h.ConversationID = "" },
		"no service":                   func(h *ebxml.Header, _ *ebxml.Contract) { h.Service = "" },
		"no action":                    func(h *ebxml.Header, _ *ebxml.Contract) { h.Action = "" },
		"an action of two words":       func(h *ebxml.Header, _ *ebxml.Contract) { h.Action = "a b" },
		"a reference of two words":     func(h *ebxml.Header, _ *ebxml.Contract) { h.RefToMessageID = "a b" },
		"no time":                      func(h *ebxml.Header, _ *ebxml.Contract) { h.Timestamp = time.Time{} },
		"no CPA":                       func(_ *ebxml.Header, c *ebxml.Contract) { c.CPAID = "" },
		"no party of our own":          func(_ *ebxml.Header, c *ebxml.Contract) { c.FromParty = "" },
		"no party of the Spine's":      func(_ *ebxml.Header, c *ebxml.Contract) { c.ToParty = "" },
		"a CPA that is far too long":   func(_ *ebxml.Header, c *ebxml.Contract) { c.CPAID = strings.Repeat("x", 257) },
		"an actor that is not Unicode": func(_ *ebxml.Header, c *ebxml.Contract) { c.AckRequested, c.Actor = true, "\xff" },
	} {
		err := write(change, "<a/>")
		if err == nil {
			t.Errorf("%s: written", name)
		}
	}
	err := write(func(*ebxml.Header, *ebxml.Contract) {}, "")
	if err == nil {
		t.Error("no document: written")
	}
}

// What Ward answers to an inbound message goes back to its sender and names it.
func TestAcknowledgmentIsWritten(t *testing.T) {
	to := replyHeader()
	to.MessageID = "uuid:" + strings.ToLower(answerID)
	contentType, body, err := ebxml.WriteAcknowledgment(to, inquiryID, noon.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := `<SOAP:Header><eb:MessageHeader SOAP:mustUnderstand="1" eb:version="2.0">` +
		`<eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">RZZ99-999001</eb:PartyId></eb:From>` +
		`<eb:To><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:To>` +
		`<eb:CPAId>S999C000001</eb:CPAId><eb:ConversationId>` + inquiryID + `</eb:ConversationId>` +
		`<eb:Service>urn:oasis:names:tc:ebxml-msg:service</eb:Service><eb:Action>Acknowledgment</eb:Action>` +
		`<eb:MessageData><eb:MessageId>` + inquiryID + `</eb:MessageId><eb:Timestamp>2026-03-14T12:00:01Z</eb:Timestamp>` +
		`<eb:RefToMessageId>` + to.MessageID + `</eb:RefToMessageId></eb:MessageData></eb:MessageHeader>` +
		`<eb:Acknowledgment SOAP:mustUnderstand="1" eb:version="2.0" SOAP:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH">` +
		`<eb:Timestamp>2026-03-14T12:00:01Z</eb:Timestamp><eb:RefToMessageId>` + to.MessageID + `</eb:RefToMessageId>` +
		`<eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">RZZ99-999001</eb:PartyId></eb:From></eb:Acknowledgment>` +
		`</SOAP:Header><SOAP:Body/></SOAP:Envelope>`
	if contentType != "text/xml; charset=UTF-8" || !strings.HasSuffix(string(body), want) {
		t.Errorf("written as %s\n%s\nwant %s", contentType, body, want)
	}
	got, err := ebxml.Read(contentType, string(body), limits)
	if err != nil || got.Kind != ebxml.Acknowledgment || got.Header.RefToMessageID != answerID {
		t.Errorf("read as a %s of %s, %v", got.Kind, got.Header.RefToMessageID, err)
	}

	to.MessageID = ""
	_, _, err = ebxml.WriteAcknowledgment(to, inquiryID, noon)
	if err == nil {
		t.Error("an acknowledgement of nothing is written")
	}
	_, _, err = ebxml.WriteAcknowledgment(replyHeader(), "x", noon)
	if err == nil {
		t.Error("an acknowledgement is written under an id that is none")
	}
}

func TestErrorsAreWritten(t *testing.T) {
	errs := []ebxml.Error{
		{Code: "OtherXml", Description: "The HL7 document is not one that was asked for."},
		{Code: "Inconsistent", Severity: ebxml.SeverityWarning, Context: "urn:x", Location: "//eb:CPAId"},
	}
	contentType, body, err := ebxml.WriteErrors(replyHeader(), inquiryID, noon, errs)
	if err != nil {
		t.Fatal(err)
	}
	want := `<eb:ErrorList SOAP:mustUnderstand="1" eb:version="2.0" eb:highestSeverity="Error">` +
		`<eb:Error eb:codeContext="urn:oasis:names:tc:ebxml-msg:service:errors" eb:errorCode="OtherXml" eb:severity="Error">` +
		`<eb:Description xml:lang="en-GB">The HL7 document is not one that was asked for.</eb:Description></eb:Error>` +
		`<eb:Error eb:codeContext="urn:x" eb:errorCode="Inconsistent" eb:severity="Warning" eb:location="//eb:CPAId"/></eb:ErrorList>` +
		`</SOAP:Header><SOAP:Body/></SOAP:Envelope>`
	if !strings.HasSuffix(string(body), want) {
		t.Errorf("written as %s\nwant %s", body, want)
	}
	got, err := ebxml.Read(contentType, string(body), limits)
	if err != nil {
		t.Fatal(err)
	}
	errs[0].Severity, errs[0].Context = ebxml.SeverityError, signalling+":errors"
	header := signalHeader("MessageError")
	header.FromParty, header.ToParty = header.ToParty, header.FromParty
	header.MessageID, header.RefToMessageID = inquiryID, answerID
	if diff := cmp.Diff(ebxml.Message{Header: header, Kind: ebxml.MessageError, Errors: errs}, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	for i, wrong := range [][]ebxml.Error{
		nil,
		{{Code: "x", Severity: "Warning"}},
		{{Code: ""}},
		{{Code: "a b"}},
		{{Code: "x", Severity: "Fatal"}},
		{{Code: "x", Context: "a b"}},
		{{Code: "x", Description: "\x00"}},
	} {
		_, _, err := ebxml.WriteErrors(replyHeader(), inquiryID, noon, wrong)
		if err == nil {
			t.Error("written: wrong errors number " + strconv.Itoa(i))
		}
	}
}
