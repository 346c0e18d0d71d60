package spinesim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// A question is accepted on its own connection; its reply is posted over mutual TLS,
// in the form of ebXML, under the question's message id.
func TestAsyncQuestionAndReply(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	r := ebRequest{query: query{number: "9990000018"}, soapAction: `"` + queryAction + `"`}.withDefaults()
	answer := askAsync(t, s, newClient(t), r)
	if answer.status != 202 || len(answer.body) != 0 {
		t.Errorf("answered at once by %d %s", answer.status, answer.body)
	}
	p := box.next(t)
	got := takeApart(t, p)
	if p.client != "poster.spine.test" || p.header.Get("SOAPAction") != `"urn:nhs:names:services:cpisquery/REPC_IN000007GB01"` ||
		p.header.Get("Content-Type") != ebContentType || p.header.Get("X-Ward-Simulator") == "" {
		t.Errorf("posted by %s with %v", p.client, p.header)
	}
	e := got.envelope
	if e.xmlErr != nil {
		t.Fatal(e.xmlErr)
	}
	id := e.text("MessageId")
	want := map[string]string{
		"CPAId": "S928942A912345", "ConversationId": r.conversation, "Service": "urn:nhs:names:services:cpisquery",
		"Action": repc, "RefToMessageId": r.messageID, "From": "YES-0000806", "To": "RXX-0000001",
	}
	for local, text := range want {
		found := e.root.find(local)
		if len(found) != 1 {
			t.Errorf("%d elements %s", len(found), local)
			continue
		}
		if local == "From" || local == "To" {
			found = found[0].find("PartyId")
		}
		if found[0].Text != text || found[0].XMLName.Space != "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" {
			t.Errorf("%s is %q, want %q", local, found[0].Text, text)
		}
	}
	if len(id) != 36 || id != strings.ToUpper(id) || id == r.messageID || e.value("Reference", "href") != "cid:"+id+"@spine.nhs.uk" {
		t.Errorf("the message id is %q, its reference %q", id, e.value("Reference", "href"))
	}
	_, err := time.Parse("2006-01-02T15:04:05Z", e.text("Timestamp"))
	if err != nil {
		t.Error(err)
	}
	if len(e.root.find("SyncReply")) != 1 || len(e.root.find("AckRequested"))+len(e.root.find("DuplicateElimination")) != 0 {
		t.Error("the reply asks for what the contract does not have, or lacks SyncReply")
	}
	if !strings.Contains(got.partHeads[0], "Content-Id: <ebXMLHeader@spine.nhs.uk>") || !strings.Contains(got.partHeads[1], "Content-Id: <"+id+"@spine.nhs.uk>") {
		t.Errorf("parts %q", got.partHeads)
	}
	x := got.payload
	if x.xmlErr != nil || x.root.XMLName.Local != repc || x.root.XMLName.Space != "urn:hl7-org:v3" || x.recordTotal() != "2" || x.accesses()[2] != r.queryID {
		t.Errorf("payload %v: %.300s", x.xmlErr, x.body)
	}
	settle(t, s)
	q, replies, n := s.Received(), s.Replies(), s.Counters()
	if len(q) != 1 || q[0].Pattern != "async" || q[0].MessageID != r.messageID || q[0].ConversationID != r.conversation || !q[0].Processed || q[0].Notifications != 2 || q[0].Immediate != spinesim.Accepted {
		t.Errorf("queries %+v", q)
	}
	if len(replies) != 1 || replies[0].Fate != spinesim.Delivered || replies[0].QuestionID != r.messageID || replies[0].MessageID != id || len(replies[0].Posts) != 1 || replies[0].Posts[0].Status != 202 || replies[0].Posts[0].URL != box.url() {
		t.Errorf("replies %+v", replies)
	}
	if n.Asynchronous != 1 || n.Posts != 1 || n.ProcessedAgain != 0 || s.TimesProcessed(r.messageID) != 1 || s.TimesProcessed(r.hl7ID) != 1 || s.TimesProcessed(r.queryID) != 1 {
		t.Errorf("counters %+v", n)
	}
}

// WRD-SPN-03: each check on the ebXML message, violated in turn, refuses it by an
// eb:MessageError with the check's symbol. Nothing is processed, nobody is told.
func TestEachEbXMLCheckIsApplied(t *testing.T) {
	const inconsistent = "_INCONSISTENT_WITH_CONTRACT"
	tests := []struct{ name, old, new, code, symbol string }{
		{"no closing delimiter", "----=_MIME-Boundary--", "", "MimeProblem", "MIME_ERROR"},
		{"a third part", "----=_MIME-Boundary--", "----=_MIME-Boundary\r\n\r\nx\r\n----=_MIME-Boundary--", "MimeProblem", "MIME_ERROR"},
		{"start of another part", "Content-Id: <ebXML", "Content-Id: <x", "MimeProblem", "MIME_ERROR"},
		{"encoded", "Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: base64", "MimeProblem", "MIME_ERROR"},
		{"payload of another type", "Content-Type: application/xml", "Content-Type: text/plain", "MimeProblem", "MIME_ERROR"},
		{"header not well-formed", "</SOAP:Envelope>", "</SOAP:Envelop>", "MimeProblem", "MIME_ERROR"},
		{"two message headers", "</eb:MessageHeader>", "</eb:MessageHeader><eb:MessageHeader/>", "OtherXml", "MESSAGE_NOT_WELL_FORMED"},
		{"version", `<eb:MessageHeader eb:version="2.0"`, `<eb:MessageHeader eb:version="1.0"`, "OtherXml", "MESSAGE_NOT_WELL_FORMED"},
		{"no From", ">RXX-0000001<", "><", "ValueNotRecognized", "EBXML_FROM_ERROR"},
		{"another To", ">YES-0000806<", ">YES-0000807<", "ValueNotRecognized", "EBXML_TO_ERROR"},
		{"party type", "ocs+serviceInstance\">YES", "ocs\">YES", "ValueNotRecognized", "EBXML_TO_ERROR"},
		{"CPA id", "S928942A912345", "S928942A912346", "ValueNotRecognized", "CPA_ID_ERROR"},
		{"conversation", "<eb:ConversationId>", "<eb:ConversationId>x", "ValueNotRecognized", "EBXML_CONVERSATION_ID_ERROR"},
		{"service", "services:cpisquery</eb:S", "services:pdsquery</eb:S", "ValueNotRecognized", "EBXML_SERVICE_ERROR"},
		{"action", "<eb:Action>QUPC", "<eb:Action>QUPA", "ValueNotRecognized", "EBXML_ACTION_ERROR"},
		{"message id", "<eb:MessageId>", "<eb:MessageId>uuid:", "ValueNotRecognized", "EBXML_MESSAGE_ID_ERROR"},
		{"timestamp", "2026-03-01T09:30:01Z", "20260301093001", "ValueNotRecognized", "EBXML_TIMESTAMP_ERROR"},
		{"elimination not in the contract", "</eb:MessageHeader>", eliminateElement + "</eb:MessageHeader>", "Inconsistent", "DUPLICATE_ELIMINATION" + inconsistent},
		{"acknowledgement not in the contract", syncReplyElement, syncReplyElement + ackElement, "Inconsistent", "ACK_REQUESTED" + inconsistent},
		{"no SyncReply", syncReplyElement, "", "Inconsistent", "SYNC_REPLY" + inconsistent},
		{"two SyncReply", syncReplyElement, syncReplyElement + syncReplyElement, "Inconsistent", "SYNC_REPLY" + inconsistent},
		{"SyncReply for another actor", "soap/actor/next", "soap/actor/last", "Inconsistent", "SYNC_REPLY" + inconsistent},
		{"reference elsewhere", "cid:", "cid:x", "Inconsistent", "REFERENCE" + inconsistent},
		{"two references", "</eb:Manifest>", "<eb:Reference/></eb:Manifest>", "Inconsistent", "REFERENCE" + inconsistent},
	}
	box := newInbox(t)
	s := startAsync(t, nil, box)
	c := newClient(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ebRequest{rewrite: func(m string) string {
				if !strings.Contains(m, tt.old) {
					t.Fatalf("the request lacks %s", tt.old)
				}
				return strings.Replace(m, tt.old, tt.new, 1)
			}}.withDefaults()
			got := askAsync(t, s, c, r)
			if got.status != 200 || got.text("Action") != "MessageError" || got.text("Service") != "urn:oasis:names:tc:ebxml-msg:service" ||
				got.value("Error", "errorCode") != tt.code || !strings.HasPrefix(got.text("Description"), "ErrorBaseTms."+tt.symbol+": ") {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			all := s.Received()
			if last := all[len(all)-1]; last.Processed || last.Refusal != "ErrorBaseTms."+tt.symbol {
				t.Errorf("remembered %+v", last)
			}
		})
	}
	settle(t, s)
	if n := s.Counters(); n.Processed != 0 || n.Notifications != 0 || n.Refused != int64(len(tests)) || box.count() != 0 {
		t.Errorf("%d processed, %d refused, %d posted", n.Processed, n.Refused, box.count())
	}
}

// A reliable contract demands each of its elements once; the reply carries them too.
func TestReliableContractDemandsItsElements(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, reliable, box)
	c := newClient(t)
	good := ebRequest{inMessageHeader: eliminateElement, inHeader: ackElement + syncReplyElement}
	for _, element := range []string{eliminateElement, ackElement, syncReplyElement} {
		r := good
		r.rewrite = func(m string) string { return strings.Replace(m, element, "", 1) }
		if got := askAsync(t, s, c, r); got.value("Error", "errorCode") != "Inconsistent" {
			t.Errorf("without %s: %s", element, got.body)
		}
	}
	r := good.withDefaults()
	got := askAsync(t, s, c, r)
	if got.status != 200 || got.text("Action") != "Acknowledgment" || len(got.root.find("RefToMessageId")) != 2 || got.text("RefToMessageId") != r.messageID || len(got.root.find("Acknowledgment")) != 1 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	e := takeApart(t, box.next(t)).envelope
	for _, local := range []string{"DuplicateElimination", "AckRequested", "SyncReply"} {
		if len(e.root.find(local)) != 1 {
			t.Errorf("the reply has %d %s", len(e.root.find(local)), local)
		}
	}
}

func reliable(c *spinesim.Config) {
	c.Contract = spinesim.Contract{AckRequested: spinesim.Always, DuplicateElimination: spinesim.Always, PersistDuration: time.Minute}
}

// Refusals by knob: the harness's code for a contract that is not known, and SOAP faults.
func TestEbXMLRefusalsByKnob(t *testing.T) {
	wrong := func(old, new string) ebRequest {
		return ebRequest{rewrite: func(m string) string { return strings.Replace(m, old, new, 1) }}
	}
	c := newClient(t)
	s := startAsync(t, func(c *spinesim.Config) { c.AsyncRefusal = spinesim.RefuseWithHarnessError })
	if got := askAsync(t, s, c, wrong("S928942A", "S928942B")); got.value("Error", "errorCode") != "402005" {
		t.Errorf("%s", got.body)
	}
	if got := askAsync(t, s, c, wrong("<eb:Action>Q", "<eb:Action>X")); got.value("Error", "errorCode") != "ValueNotRecognized" {
		t.Errorf("%s", got.body)
	}
	s = startAsync(t, func(c *spinesim.Config) { c.AsyncRefusal = spinesim.RefuseWithFault })
	if got := askAsync(t, s, c, wrong("S928942A", "S928942B")); got.status != 500 || got.text("errorCode") != "200" || !strings.Contains(got.text("description"), "CPA_ID_ERROR") {
		t.Errorf("%s", got.body)
	}
	if got := askAsync(t, s, c, ebRequest{soapAction: "urn:other"}); got.status != 500 || got.text("errorCode") != "101" {
		t.Errorf("%s", got.body)
	}
}

// The HL7 message is checked as in the synchronous pattern, but for the ASIDs of the
// SOAP header, which do not exist here.
func TestAsyncPayloadIsChecked(t *testing.T) {
	tests := []struct{ old, new, symbol string }{
		{"</QUPC_IN000006GB01>", "</QUPC_IN000006GB02>", "ErrorBaseTms.MESSAGE_NOT_WELL_FORMED"},
		{`<creationTime value="20260301093001"/>`, "", "ErrorBase1732.INVALID_CREATION_TIME"},
		{`extension="QUPC_IN000006GB01"`, `extension="QUPC_IN000005GB01"`, "ErrorBase1732.INCONSISTENT_HL7_INTERACTION_ID"},
		{`<communicationFunctionSnd typeCode="SND">`, `<communicationFunctionSnd><x/></communicationFunctionSnd><communicationFunctionSnd>`, "ErrorBase1732.INVALID_COMM_FUNC_SND"},
		{"<ControlActEvent ", "<ControlActEvent/><ControlActEvent ", "ErrorBase1732.INVALID_CONTROL_ACT"},
		{`<value extension="9990000018"/>`, "", "ErrorBase1712.MANDATORY_DATA_MISSING"},
	}
	box := newInbox(t)
	faulting := startAsync(t, nil, box)
	replying := startAsync(t, func(c *spinesim.Config) { c.Refusal = spinesim.RefuseWithError }, box)
	c := newClient(t)
	for _, tt := range tests {
		t.Run(tt.symbol, func(t *testing.T) {
			r := ebRequest{rewrite: func(m string) string { return strings.Replace(m, tt.old, tt.new, 1) }}.withDefaults()
			got := askAsync(t, faulting, c, r)
			if got.status != 500 || !strings.HasPrefix(got.text("description"), tt.symbol) {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			got = askAsync(t, replying, c, r)
			if got.status != 202 {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			e := takeApart(t, box.next(t))
			if e.envelope.text("Action") != mcci || e.payload.value("acknowledgement", "typeCode") != "AE" || !strings.HasPrefix(e.payload.root.find("justifyingDetectedIssueEvent")[0].find("code")[0].attr("displayName"), tt.symbol) {
				t.Errorf("posted %s", e.payload.body)
			}
		})
	}
	// Header and wrapper cannot differ where there is only the wrapper.
	if got := askAsync(t, faulting, c, ebRequest{query: query{asid: "200000000777"}}); got.status != 202 {
		t.Errorf("status %d", got.status)
	}
	box.next(t)
	if n := replying.Counters(); n.Processed != 0 {
		t.Errorf("%d processed", n.Processed)
	}
}

// What is not an ebXML request is refused by HTTP.
func TestAsyncPathRefusesOtherHTTP(t *testing.T) {
	s := startAsync(t, nil)
	c := newClient(t)
	response, err := c.Get(s.AsyncURL())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 {
		t.Errorf("GET: status %d", response.StatusCode)
	}
	if got := askAsync(t, s, c, ebRequest{contentType: "text/xml"}); got.status != 415 {
		t.Errorf("text/xml: status %d", got.status)
	}
	for _, contentType := range []string{`multipart/related; type="text/xml"`, `multipart/related; boundary="--=_MIME-Boundary"`, "multipart/related; ;", `multipart/related; boundary="x"; type="text/xml"`} {
		if got := askAsync(t, s, c, ebRequest{contentType: contentType}); got.value("Error", "errorCode") != "MimeProblem" {
			t.Errorf("%s: status %d: %s", contentType, got.status, got.body)
		}
	}
}

// Under a contract that eliminates duplicates a repeated message is acknowledged again
// and not processed, until its id is no longer remembered.
func TestDuplicatesAreEliminatedByContract(t *testing.T) {
	box := newInbox(t)
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	s := startAsync(t, func(c *spinesim.Config) {
		reliable(c)
		c.Clock = func() time.Time { return now }
	}, box)
	c := newClient(t)
	r := ebRequest{inMessageHeader: eliminateElement, inHeader: ackElement + syncReplyElement}.withDefaults()
	for range 3 {
		if got := askAsync(t, s, c, r); got.text("Action") != "Acknowledgment" || got.text("RefToMessageId") != r.messageID {
			t.Errorf("answered by %s", got.body)
		}
	}
	settle(t, s)
	n := s.Counters()
	if n.Processed != 1 || n.Eliminated != 2 || n.Notifications != 2 || n.ProcessedAgain != 0 || s.TimesProcessed(r.messageID) != 1 || box.count() != 1 {
		t.Errorf("%+v, %d posted", n, box.count())
	}
	now = now.Add(time.Minute + time.Second)
	r.hl7ID = newID()
	askAsync(t, s, c, r)
	settle(t, s)
	if n := s.Counters(); n.Processed != 2 || n.ProcessedAgain != 1 || s.TimesProcessed(r.messageID) != 2 {
		t.Errorf("after the persist duration: %+v", n)
	}
}

// Under any other contract a repeat is a new arrival: the double question shows. A
// used HL7 id under another message id is rejected as ever.
func TestRepeatsAreDoubleQuestionsWithoutElimination(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	c := newClient(t)
	r := ebRequest{query: query{number: "9990000042"}}.withDefaults()
	askAsync(t, s, c, r)
	askAsync(t, s, c, r)
	settle(t, s)
	n := s.Counters()
	if n.Processed != 2 || n.Notifications != 2 || n.ProcessedAgain != 1 || n.Eliminated != 0 || s.TimesProcessed(r.hl7ID) != 2 || s.TimesProcessed(r.messageID) != 2 || box.count() != 2 {
		t.Errorf("%+v, %d posted", n, box.count())
	}
	r.messageID = newID()
	askAsync(t, s, c, r)
	settle(t, s)
	replies := s.Replies()
	if n := s.Counters(); n.Processed != 2 || n.Duplicates != 1 || replies[2].Action != mcci {
		t.Errorf("%+v, replies %+v", n, replies)
	}
}

// leaver is a client that does not wait for an answer once its request was received.
type leaver struct {
	http.RoundTripper
	received func() bool
}

func (l leaver) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, leave := context.WithCancel(request.Context())
	defer leave()
	go func() {
		for ctx.Err() == nil && !l.received() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(brief / 5) // in which an answer would come
		leave()
	}()
	return l.RoundTripper.RoundTrip(request.WithContext(ctx))
}

// Each immediate answer, and whether CP-IS processes the query and a reply follows.
func TestImmediateAnswers(t *testing.T) {
	tests := []struct {
		immediate spinesim.Immediate
		status    int // 0 for none
		shows     string
		late      bool // there is a late variant
	}{
		{spinesim.Accepted, 202, "", false},
		{spinesim.Acknowledged, 200, "<eb:Action>Acknowledgment</eb:Action>", false},
		{spinesim.MessageError, 200, `eb:errorCode="DeliveryFailure"`, true},
		{spinesim.SOAPFault, 500, "SOAP:Fault", true},
		{spinesim.BadGateway, 502, "<html>", true},
		{spinesim.Cut, 0, "", true},
		{spinesim.Hang, 0, "", true},
	}
	for _, tt := range tests {
		variants := []spinesim.Immediate{tt.immediate}
		if tt.late {
			variants = append(variants, spinesim.LateImmediate(tt.immediate))
		}
		for i, immediate := range variants {
			t.Run(string(immediate), func(t *testing.T) {
				box := newInbox(t)
				s := startAsync(t, nil, box)
				c := newClient(t)
				if tt.immediate == spinesim.Hang {
					c.Transport = leaver{c.Transport, func() bool { return len(s.Received()) > 0 }}
				}
				play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: spinesim.AsStored, Immediate: immediate}}})
				r := ebRequest{query: query{number: "9990000042"}}.withDefaults()
				answer, body, err := r.send(c, s)
				switch {
				case tt.status == 0 && err == nil:
					t.Errorf("answered by %d %s", answer.StatusCode, body)
				case tt.status > 0 && (err != nil || answer.StatusCode != tt.status || !strings.Contains(string(body), tt.shows)):
					t.Errorf("%v: %s", err, body)
				}
				processed := int64(1)
				if tt.late && i == 0 {
					processed = 0
				}
				if processed == 1 {
					e := takeApart(t, box.next(t))
					if e.envelope.text("RefToMessageId") != r.messageID || e.payload.root.XMLName.Local != repc {
						t.Errorf("posted %s", e.payload.body)
					}
				}
				settle(t, s)
				q, n := s.Received(), s.Counters()
				if n.Processed != processed || n.Notifications != processed || box.count() != int(processed) || len(q) != 1 || q[0].Immediate != immediate {
					t.Errorf("%d processed, %d told, %d posted, queries %+v", n.Processed, n.Notifications, box.count(), q)
				}
			})
		}
	}
	s := startAsync(t, nil)
	for _, immediate := range []spinesim.Immediate{"late-accepted", "late-late-cut", "explode"} {
		err := s.Play(spinesim.Script{Steps: []spinesim.Step{{Behaviour: "found", Immediate: immediate}}})
		if err == nil {
			t.Errorf("%s is taken", immediate)
		}
	}
}
