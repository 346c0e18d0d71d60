package ebxml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
)

func business() ebxml.Message {
	return ebxml.Message{Header: replyHeader(), Kind: ebxml.Business, Payload: document}
}

// with changes a header in one place.
func with(set func(*ebxml.Header)) ebxml.Header {
	h := replyHeader()
	set(&h)
	return h
}

// WRD-SPN-09: each kind of message is told by what it holds, in the form that the
// Spine is known to send and in what the standard allows besides.
func TestKinds(t *testing.T) {
	warning := ebxml.Error{Code: "Inconsistent", Severity: "Warning", Location: "eb:Timestamp"}
	unknown := ebxml.Error{Code: "ValueNotRecognized", Severity: "Error", Context: signalling + ":errors", Description: "501319:Unknown eb:CPAId"}
	request := replyHeader()
	request.AckRequested, request.SyncReply = true, true
	faulty := envelope("", fault)
	alone := func(header, body string) string { return multipart(envelopeFields + "\r\n" + envelope(header, body)) }
	beside := func(header string) string {
		return multipart(envelopeFields+"\r\n"+envelope(header, manifest), documentFields+"\r\n"+document)
	}
	tests := []struct {
		name, contentType, body string
		want                    ebxml.Message
	}{
		{"a business reply", multipartType, reply(), business()},
		{"a business reply that wants an acknowledgement", multipartType, beside(businessHeader + ackRequested + syncReply),
			ebxml.Message{Header: request, Kind: ebxml.Business, Payload: document}},
		{"a business reply that acknowledges", multipartType, beside(businessHeader + acknowledgment), business()},
		{"a business reply that warns", multipartType, beside(businessHeader + errorList("Warning", oddTime)),
			ebxml.Message{Header: replyHeader(), Kind: ebxml.Business, Errors: []ebxml.Error{warning}, Payload: document}},

		{"an acknowledgement", "text/xml", envelope(takenHeader+acknowledgment, ""), ebxml.Message{Header: signalHeader("Acknowledgment"), Kind: ebxml.Acknowledgment}},
		{"an acknowledgement in MIME", multipartType, alone(takenHeader+acknowledgment, ""), ebxml.Message{Header: signalHeader("Acknowledgment"), Kind: ebxml.Acknowledgment}},
		{"an acknowledgement by its action", "text/xml; charset=utf-8", envelope(takenHeader, ""), ebxml.Message{Header: signalHeader("Acknowledgment"), Kind: ebxml.Acknowledgment}},
		{"an acknowledgement by its element", "application/xml", envelope(businessHeader+acknowledgment, ""), ebxml.Message{Header: replyHeader(), Kind: ebxml.Acknowledgment}},
		{"an acknowledgement that alone says of what", "text/xml", without(envelope(takenHeader+acknowledgment, ""), "<eb:RefToMessageId>"+askedID+"</eb:RefToMessageId>"),
			ebxml.Message{Header: signalHeader("Acknowledgment"), Kind: ebxml.Acknowledgment}},
		{"an acknowledgement that warns", "text/xml", envelope(takenHeader+acknowledgment+errorList("Warning", oddTime), ""),
			ebxml.Message{Header: signalHeader("Acknowledgment"), Kind: ebxml.Acknowledgment, Errors: []ebxml.Error{warning}}},

		{"an error message", "text/xml", envelope(errorHeader+errorList("Error", unknownCPA), ""),
			ebxml.Message{Header: signalHeader("MessageError"), Kind: ebxml.MessageError, Errors: []ebxml.Error{unknown}}},
		{"an error message by its list", "text/xml", envelope(businessHeader+errorList("error", unknownCPA), ""),
			ebxml.Message{Header: replyHeader(), Kind: ebxml.MessageError, Errors: []ebxml.Error{unknown}}},
		{"an error message that also warns", multipartType, alone(errorHeader+errorList("Error", oddTime+unknownCPA), ""),
			ebxml.Message{Header: signalHeader("MessageError"), Kind: ebxml.MessageError, Errors: []ebxml.Error{warning, unknown}}},

		{"a fault", "text/xml", faulty, ebxml.Message{Kind: ebxml.Fault, Payload: faulty}},
		{"a fault in MIME", multipartType, multipart(envelopeFields + "\r\n" + faulty), ebxml.Message{Kind: ebxml.Fault, Payload: faulty}},
		{"a fault that says of what", "text/xml", envelope(businessHeader, fault), ebxml.Message{Header: replyHeader(), Kind: ebxml.Fault, Payload: envelope(businessHeader, fault)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ebxml.Read(test.contentType, test.body, limits)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// without removes what stands in a document, the first time that it does.
func without(doc, what string) string { return strings.Replace(doc, what, "", 1) }

// WRD-SPN-12, WRD-SPN-17: what contradicts itself or is of no known kind is refused.
// The header is told as long as it is whole; nothing else is.
func TestContradictionsAreRefused(t *testing.T) {
	beside := func(header, body string) string {
		return multipart(envelopeFields+"\r\n"+envelope(header, body), documentFields+"\r\n"+document)
	}
	alone := func(header, body string) string { return multipart(envelopeFields + "\r\n" + envelope(header, body)) }
	failed := errorList("Error", unknownCPA)
	const (
		contradiction = "the message contradicts itself"
		kind          = "the message is not of a kind that is known"
		manifests     = "the Manifest does not refer to exactly one document"
		apart         = "the Manifest and the document do not belong together"
		nothing       = "the message carries no document and says nothing of another one"
		list          = "the ErrorList is malformed"
		block         = "a header block is not known or repeated"
	)
	tests := []struct{ name, body, want string }{
		{"a document with an error", beside(businessHeader+failed, manifest), contradiction},
		{"an acknowledgement with an error", alone(takenHeader+acknowledgment+failed, ""), contradiction},
		{"an acknowledgement that is an error", alone(errorHeader+acknowledgment+failed, ""), contradiction},
		{"an acknowledgement with a document", beside(takenHeader+acknowledgment, manifest), contradiction},
		{"an error message with a document", beside(errorHeader+failed, manifest), contradiction},
		{"an error message without errors", alone(errorHeader, ""), contradiction},
		{"an error message that only warns", alone(errorHeader+errorList("Warning", oddTime), ""), contradiction},
		{"an acknowledgement of two messages", alone(strings.Replace(takenHeader, askedID, inquiryID, 1)+acknowledgment, ""), contradiction},
		{"a fault with a document", beside("", fault), contradiction},
		{"a fault with a manifest", alone("", fault+manifest), contradiction},
		{"a fault that acknowledges", alone(takenHeader+acknowledgment, fault), contradiction},
		{"a fault with errors", alone(errorHeader+failed, fault), contradiction},

		{"a ping", alone(strings.Replace(takenHeader, ">Acknowledgment<", ">Ping<", 1), ""), kind},
		{"a status request", alone(strings.Replace(takenHeader, ">Acknowledgment<", ">StatusRequest<", 1), "<eb:StatusRequest/>"), kind},
		{"HL7 in the envelope", alone(businessHeader, document[strings.Index(document, "?>")+3:]), kind},
		{"two manifests", beside(businessHeader, manifest+manifest), kind},
		{"something after the manifest", beside(businessHeader, manifest+"<x/>"), kind},
		{"something before the manifest", beside(businessHeader, "<x/>"+manifest), kind},
		{"two faults", alone("", fault+fault), kind},
		{"text in the body", alone(takenHeader, "x"), kind},

		{"a document without a manifest", beside(businessHeader, ""), apart},
		{"a manifest without a document", alone(businessHeader, manifest), apart},
		{"a manifest of another document", beside(businessHeader, strings.Replace(manifest, answerID, askedID, 1)), apart},
		{"a manifest of the envelope", beside(businessHeader, strings.Replace(manifest, answerID, "ebXMLHeader", 1)), apart},
		{"a broken escape", beside(businessHeader, strings.Replace(manifest, answerID, "%zz", 1)), apart},
		{"an empty manifest", beside(businessHeader, "<eb:Manifest/>"), manifests},
		{"a manifest of two documents", beside(businessHeader, strings.Replace(manifest, "</eb:Manifest>", `<eb:Reference xlink:href="cid:x"/></eb:Manifest>`, 1)), manifests},
		{"a manifest that refers elsewhere", beside(businessHeader, strings.Replace(manifest, "cid:", "https://attacker.example/", 1)), manifests},
		{"a manifest without a reference's target", beside(businessHeader, strings.Replace(manifest, "xlink:href", "href", 1)), manifests},

		{"a business message with nothing", alone(businessHeader, ""), nothing},
		{"warnings of nothing", alone(businessHeader+errorList("Warning", oddTime), ""), nothing},
		{"an acknowledgement of nothing", alone(without(takenHeader, "<eb:RefToMessageId>"+askedID+"</eb:RefToMessageId>"), ""), nothing},

		{"a list without errors", alone(errorHeader+errorList("Error", ""), ""), list},
		{"a list of something else", alone(errorHeader+errorList("Error", unknownCPA+"<eb:x/>"), ""), list},
		{"an error without severity", alone(errorHeader+errorList("Error", without(unknownCPA, ` eb:severity="Error"`)), ""), list},
		{"an error of another severity", alone(errorHeader+errorList("Error", strings.Replace(unknownCPA, `severity="Error"`, `severity="Fatal"`, 1)), ""), list},
		{"an error without code", alone(errorHeader+errorList("Error", without(unknownCPA, ` eb:errorCode="ValueNotRecognized"`)), ""), list},
		{"a code of several lines", alone(errorHeader+errorList("Error", strings.Replace(unknownCPA, `ValueNot`, "Value&#10;Not", 1)), ""), list},
		{"an error in a list of warnings", alone(errorHeader+errorList("Warning", unknownCPA), ""), list},
		{"a warning in a list of errors", alone(businessHeader+errorList("Error", oddTime), ""), list},
		{"too many errors", alone(errorHeader+errorList("Error", strings.Repeat(unknownCPA, 65)), ""), list},

		{"an acknowledgement without its reference", alone(takenHeader+without(acknowledgment, "<eb:RefToMessageId>"+askedID+"</eb:RefToMessageId>"), ""),
			"the ebXML header has no single well-formed RefToMessageId"},
		{"a block that is not known", alone(takenHeader+"<eb:Via/>", ""), block},
		{"two acknowledgements", alone(takenHeader+acknowledgment+acknowledgment, ""), block},
		{"two lists of errors", alone(errorHeader+failed+failed, ""), block},
		{"two headers", beside(businessHeader+businessHeader, manifest), block},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refused(t, multipartType, test.body, test.want) })
	}
}

// refused wants a message to be refused, with that text and with nothing told of it
// but its header.
func refused(t *testing.T, contentType, body, want string) {
	t.Helper()
	got, err := ebxml.Read(contentType, body, limits)
	if err == nil {
		t.Fatalf("accepted as a %s", got.Kind)
	}
	if err.Error() != want {
		t.Errorf("refused because %q, want %q", err, want)
	}
	if got.Kind != 0 || got.Errors != nil || got.Payload != "" {
		t.Error("something of a message that was refused is told")
	}
}

// The header of a message that is wrong after it is told, so that the sender can be.
func TestHeaderOfWhatIsRefused(t *testing.T) {
	body := strings.Replace(reply(), "cid:", "x:", 1)
	got, err := ebxml.Read(multipartType, body, limits)
	if err == nil || got.Header != replyHeader() {
		t.Errorf("told of a message without a document: %+v, %v", got.Header, err)
	}
	got, err = ebxml.Read(multipartType, strings.Replace(reply(), "<eb:CPAId>", "<eb:CPAId>x y", 1), limits)
	if err == nil || got.Header != (ebxml.Header{}) {
		t.Errorf("told of a message without a whole header: %+v, %v", got.Header, err)
	}
}

// WRD-SPN-10, WRD-SPN-17: the differences of form that are known do not matter, and
// the ids that replies are matched by come in one form.
func TestFormsOfHeaders(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           ebxml.Header
	}{
		{"uuid: before the reference", "<eb:RefToMessageId>", "<eb:RefToMessageId>uuid:", replyHeader()},
		{"UUID: before the reference", "<eb:RefToMessageId>", "<eb:RefToMessageId>UUID:", replyHeader()},
		{"a reference in lower case", "<eb:RefToMessageId>" + askedID, "<eb:RefToMessageId>" + strings.ToLower(askedID), replyHeader()},
		{"no reference", "<eb:RefToMessageId>" + askedID + "</eb:RefToMessageId>", "", with(func(h *ebxml.Header) { h.RefToMessageID = "" })},
		{"the sender's own id as it is", "<eb:MessageId>" + answerID, "<eb:MessageId>uuid:" + strings.ToLower(answerID),
			with(func(h *ebxml.Header) { h.MessageID = "uuid:" + strings.ToLower(answerID) })},
		{"white space around values", "<eb:CPAId>S999C000001", "<eb:CPAId>\r\n\t S999C000001 ", replyHeader()},
		{"a time without zone", "12:00:00Z", "12:00:00", replyHeader()},
		{"a time with a fraction", "12:00:00Z", "12:00:00.250Z", with(func(h *ebxml.Header) { h.Timestamp = noon.Add(250 * time.Millisecond) })},
		{"a time with a fraction and no zone", "12:00:00Z", "12:00:00.5", with(func(h *ebxml.Header) { h.Timestamp = noon.Add(500 * time.Millisecond) })},
		{"a time in another zone", "12:00:00Z", "13:00:00+01:00", replyHeader()},
		{"a time to live", "</eb:Timestamp>", "</eb:Timestamp><eb:TimeToLive>2026-03-14T12:05:00Z</eb:TimeToLive>",
			with(func(h *ebxml.Header) { h.TimeToLive = noon.Add(5 * time.Minute) })},
		{"duplicate elimination", "</eb:MessageData>", "</eb:MessageData><eb:DuplicateElimination/>", with(func(h *ebxml.Header) { h.DuplicateElimination = true })},
		{"duplicate elimination with a word", "</eb:MessageData>", "</eb:MessageData><eb:DuplicateElimination>always</eb:DuplicateElimination>",
			with(func(h *ebxml.Header) { h.DuplicateElimination = true })},
		{"a description", "</eb:MessageData>", `</eb:MessageData><eb:Description xml:lang="en">x</eb:Description>`, replyHeader()},
		{"a version without prefix", `<eb:MessageHeader eb:version`, `<eb:MessageHeader version`, replyHeader()},
		{"another order", "<eb:CPAId>S999C000001</eb:CPAId><eb:ConversationId>" + inquiryID + "</eb:ConversationId>",
			"<eb:ConversationId>" + inquiryID + "</eb:ConversationId><eb:CPAId>S999C000001</eb:CPAId>", replyHeader()},
		{"other prefixes", "eb:", "x:", replyHeader()},
		{"a header block of somebody else's", "<soap:Header>", `<soap:Header><x xmlns="urn:x"/>`, replyHeader()},
		{"a manifest in lower case", "cid:" + answerID, "cid:" + strings.ToLower(answerID), replyHeader()},
		{"a manifest with escapes", "@spine.nhs.uk\"", "%40spine.nhs.uk\"", replyHeader()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.ReplaceAll(reply(), test.old, test.new)
			if test.new == "x:" {
				changed = strings.ReplaceAll(changed, "xmlns:eb", "xmlns:x")
			}
			if changed == reply() {
				t.Fatal("the test changes nothing")
			}
			got, err := ebxml.Read(multipartType, changed, limits)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			want := ebxml.Message{Header: test.want, Kind: ebxml.Business, Payload: document}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// WRD-SPN-12: each mandatory element is there once, is not empty and is whole.
func TestMandatoryElements(t *testing.T) {
	leaves := map[string]string{
		"CPAId": "S999C000001", "ConversationId": inquiryID, "Service": cpisquery, "Action": "MCCI_IN010000UK13",
		"MessageId": answerID, "Timestamp": "2026-03-14T12:00:00Z",
	}
	for name, value := range leaves {
		element := "<eb:" + name + ">" + value + "</eb:" + name + ">"
		want := "the ebXML header has no single well-formed " + name
		wrong := map[string]string{
			"missing":               "",
			"twice":                 element + element,
			"empty":                 "<eb:" + name + "/>",
			"blank":                 "<eb:" + name + "> </eb:" + name + ">",
			"in another namespace":  strings.ReplaceAll(element, "eb:", "soap:"),
			"in two pieces":         strings.Replace(element, value[4:], "<!-- -->"+value[4:], 1),
			"in CDATA":              strings.Replace(element, value, "<![CDATA["+value+"]]>", 1),
			"with an element in it": strings.Replace(element, value, value+"<x/>", 1),
			"of two words":          strings.Replace(element, value, value+" x", 1),
			"of two lines":          strings.Replace(element, value, value+"&#10;x", 1),
			"outside ASCII":         strings.Replace(element, value, value+"é", 1),
			"too long":              strings.Replace(element, value, value+strings.Repeat("x", 256), 1),
		}
		for how, with := range wrong {
			t.Run(name+" "+how, func(t *testing.T) { refused(t, multipartType, strings.Replace(reply(), element, with, 1), want) })
		}
	}
	party := func(name, key string) string {
		return "<eb:" + name + `><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">` + key + "</eb:PartyId></eb:" + name + ">"
	}
	data := headerEnd[:strings.Index(headerEnd, "</eb:MessageHeader>")]
	for name, element := range map[string]string{"From": party("From", "YES-0000806"), "To": party("To", "RZZ99-999001"), "MessageData": data} {
		want := "the ebXML header has no single well-formed " + name
		t.Run(name+" missing", func(t *testing.T) { refused(t, multipartType, strings.Replace(reply(), element, "", 1), want) })
		t.Run(name+" twice", func(t *testing.T) {
			refused(t, multipartType, strings.Replace(reply(), element, element+element, 1), want)
		})
	}
	single := strings.Replace(party("To", "RZZ99-999001"), "</eb:To>", "<eb:PartyId>x</eb:PartyId></eb:To>", 1)
	for name, with := range map[string]string{"no party": "<eb:To/>", "two parties": single} {
		t.Run(name, func(t *testing.T) {
			refused(t, multipartType, strings.Replace(reply(), party("To", "RZZ99-999001"), with, 1), "the ebXML header has no single well-formed PartyId")
		})
	}
}

// What may be missing is refused if it is there and wrong.
func TestOptionalElements(t *testing.T) {
	const ref = "<eb:RefToMessageId>" + askedID + "</eb:RefToMessageId>"
	const absent = "the ebXML header has no single well-formed "
	tests := []struct{ name, old, new, want string }{
		{"two references", ref, ref + ref, absent + "RefToMessageId"},
		{"an empty reference", ref, "<eb:RefToMessageId/>", absent + "RefToMessageId"},
		{"a reference in pieces", ref, "<eb:RefToMessageId>A<!-- -->B</eb:RefToMessageId>", absent + "RefToMessageId"},
		{"a malformed time to live", ref, ref + "<eb:TimeToLive>soon</eb:TimeToLive>", absent + "TimeToLive"},
		{"two times to live", ref, ref + strings.Repeat("<eb:TimeToLive>2026-03-14T12:00:00Z</eb:TimeToLive>", 2), absent + "TimeToLive"},
		{"two duplicate eliminations", "</eb:MessageHeader>", "<eb:DuplicateElimination/><eb:DuplicateElimination/></eb:MessageHeader>", absent + "DuplicateElimination"},
		{"another version", `eb:version="2.0" soap:must`, `eb:version="3.0" soap:must`, "there is no ebXML MessageHeader of version 2.0"},
		{"no version", ` eb:version="2.0" soap:must`, ` soap:must`, "there is no ebXML MessageHeader of version 2.0"},
		{"no ebXML header", businessHeader, "", "there is no ebXML MessageHeader of version 2.0"},
		{"a block that must be understood", businessHeader, businessHeader + `<x xmlns="urn:x" soap:mustUnderstand="1"/>`,
			"the envelope demands that a header block be understood which is not known"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			refused(t, multipartType, strings.Replace(reply(), test.old, test.new, 1), test.want)
		})
	}
}

func TestKindsHaveNames(t *testing.T) {
	want := map[ebxml.Kind]string{
		0: "message of no kind", ebxml.Business: "business message", ebxml.Acknowledgment: "acknowledgement",
		ebxml.MessageError: "error message", ebxml.Fault: "SOAP fault",
	}
	for kind, name := range want {
		if kind.String() != name {
			t.Errorf("kind %d is called %q, want %q", kind, kind, name)
		}
	}
}
