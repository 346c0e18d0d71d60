package spine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/spine"
)

// unreliable is a contract without acknowledgements, as the one public record of the
// service has it.
func unreliable() ebxml.Contract {
	return ebxml.Contract{CPAID: "S9999X1", FromParty: "Y99-0000001", ToParty: "YES-0000806", SyncReply: "MSHSignalsOnly"}
}

// reliable is one under which a message is sent again.
func reliable() ebxml.Contract {
	c := unreliable()
	c.AckRequested, c.DuplicateElimination = true, true
	c.Retries, c.RetryInterval, c.PersistDuration = 2, 30*time.Millisecond, time.Minute
	return c
}

// asyncClient asks a peer over the asynchronous pattern and waits in the room.
func asyncClient(t *testing.T, p *peer, room *replies.Room, contract ebxml.Contract) *spine.Client {
	t.Helper()
	route := p.route()
	route.Pattern, route.Contract = spine.Async, contract
	return p.client(t, func(c *spine.Config) { c.Routes, c.Replies, c.NewID = route, room, newID })
}

// newRoom is where the questions of one test wait.
func newRoom(t *testing.T) *replies.Room {
	t.Helper()
	room := replies.NewRoom(replies.Options{Waiting: 16, Remembered: 16, Remember: time.Minute, Now: time.Now})
	t.Cleanup(room.Stop)
	return room
}

var ebxmlID = regexp.MustCompile(`<eb:MessageId>([0-9A-F-]{36})</eb:MessageId>`)

// readMessage returns the id and the bytes of the next message, or "" if none comes whole.
func (v *visit) readMessage() (id, message string) {
	if v.reader == nil {
		v.reader = bufio.NewReader(v.tls)
	}
	request, err := http.ReadRequest(v.reader)
	if err != nil {
		return "", ""
	}
	body, err := io.ReadAll(request.Body)
	found := ebxmlID.FindSubmatch(body)
	if err != nil || found == nil {
		return "", ""
	}
	v.peer.mu.Lock()
	defer v.peer.mu.Unlock()
	v.peer.ids = append(v.peer.ids, string(found[1]))
	return string(found[1]), string(body)
}

// http writes a whole HTTP response.
func (v *visit) http(status int, mediaType, body string) {
	v.write(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n%s", status, mediaType, strconv.Itoa(len(body)), body))
}

// signalAbout is an ebXML message of the message handling system about another message.
func signalAbout(id, action, content string) string {
	return `<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"><SOAP:Header>` +
		`<eb:MessageHeader eb:version="2.0" SOAP:mustUnderstand="1"><eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:From>` +
		`<eb:To><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">Y99-0000001</eb:PartyId></eb:To><eb:CPAId>S9999X1</eb:CPAId><eb:ConversationId>C1</eb:ConversationId>` +
		`<eb:Service>urn:oasis:names:tc:ebxml-msg:service</eb:Service><eb:Action>` + action + `</eb:Action><eb:MessageData><eb:MessageId>` + newID() + `</eb:MessageId>` +
		`<eb:Timestamp>2026-03-14T09:27:00Z</eb:Timestamp><eb:RefToMessageId>` + id + `</eb:RefToMessageId></eb:MessageData></eb:MessageHeader>` + content +
		`</SOAP:Header><SOAP:Body/></SOAP:Envelope>`
}

func acknowledgment(id string) string {
	return signalAbout(id, "Acknowledgment", `<eb:Acknowledgment eb:version="2.0" SOAP:mustUnderstand="1" SOAP:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH">`+
		`<eb:Timestamp>2026-03-14T09:27:00Z</eb:Timestamp><eb:RefToMessageId>`+id+`</eb:RefToMessageId></eb:Acknowledgment>`)
}

func messageError(id string) string {
	return signalAbout(id, "MessageError", `<eb:ErrorList eb:version="2.0" eb:highestSeverity="Error" SOAP:mustUnderstand="1">`+
		`<eb:Error eb:errorCode="ValueNotRecognized" eb:severity="Error" eb:codeContext="urn:oasis:names:tc:ebxml-msg:service:errors"/></eb:ErrorList>`)
}

func soapFault(code string) string {
	return `<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault><faultcode>SOAP:Server</faultcode><faultstring>x</faultstring>` +
		`<detail><nasp:errorList xmlns:nasp="http://national.carerecords.nhs.uk/schema/"><nasp:error><nasp:errorCode>` + code + `</nasp:errorCode></nasp:error></nasp:errorList></detail>` +
		`</SOAP:Fault></SOAP:Body></SOAP:Envelope>`
}

// notFoundTo is a failed query that means no record, about the message with that id.
func notFoundTo(id string) replies.Reply {
	return replies.Reply{Action: "QUQI_IN010000UK14", MessageID: newID(), Received: time.Now(),
		Payload: `<hl7:QUQI_IN010000UK14 xmlns:hl7="urn:hl7-org:v3"><hl7:acknowledgement typeCode="AE"><hl7:messageRef><hl7:id root="` + id + `"/></hl7:messageRef></hl7:acknowledgement>` +
			`<hl7:ControlActEvent><hl7:reason><hl7:justifyingDetectedIssueEvent><hl7:code code="1"/></hl7:justifyingDetectedIssueEvent></hl7:reason></hl7:ControlActEvent></hl7:QUQI_IN010000UK14>`}
}

// WRD-SPN-05, WRD-SPN-12, WRD-RC-07: whatever the Spine says at once, the reply that
// refers to the message is the answer if one comes; without one the outcome says what
// is known, and never "no record".
func TestAsynchronousOutcomes(t *testing.T) {
	t.Parallel()
	const late = "acknowledged, but no reply came within the budget of the request"
	const notOne = "what came instead of an acknowledgement is not one"
	cases := map[string]struct {
		signal func(v *visit, id string)
		reply  bool // comes after the signal, or instead of it
		want   asked
	}{
		"202 and a reply":             {func(v *visit, id string) { v.http(202, "text/plain", "") }, true, noRecord},
		"acknowledged and a reply":    {func(v *visit, id string) { v.http(200, "text/xml", acknowledgment(id)) }, true, noRecord},
		"nothing said, but a reply":   {func(v *visit, id string) { v.raw.SetLinger(0); v.raw.Close() }, true, noRecord},
		"silence, but a reply":        {func(v *visit, id string) { v.peer.running.Go(v.gone) }, true, noRecord},
		"HTML 502, but a reply":       {func(v *visit, id string) { v.http(502, "text/html", "<html/>") }, true, noRecord},
		"202 and no reply":            {func(v *visit, id string) { v.http(202, "text/plain", "") }, false, asked{cpis.AsyncNoReply, cpis.NotifiedMaybe, late, 1}},
		"acknowledged and no reply":   {func(v *visit, id string) { v.http(202, "text/xml", acknowledgment(id)) }, false, asked{cpis.AsyncNoReply, cpis.NotifiedMaybe, late, 1}},
		"closed and no reply":         {func(v *visit, id string) { v.raw.Close() }, false, asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "no response came", 1}},
		"HTML 502 and no reply":       {func(v *visit, id string) { v.http(502, "text/html", "<html/>") }, false, asked{cpis.SpineHTTPError, cpis.NotifiedMaybe, "HTTP status 502", 1}},
		"not there":                   {func(v *visit, id string) { v.http(404, "text/html", "<html/>") }, false, asked{cpis.SpineHTTPError, cpis.NotifiedMaybe, "HTTP status 404", 1}},
		"another acknowledgement":     {func(v *visit, id string) { v.http(200, "text/xml", acknowledgment(newID())) }, false, asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "what came instead of an acknowledgement is about another message", 1}},
		"HTML 200 and no reply":       {func(v *visit, id string) { v.http(200, "text/html", "<html/>") }, false, asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, notOne, 1}},
		"an ebXML error":              {func(v *visit, id string) { v.http(200, "text/xml", messageError(id)) }, false, asked{cpis.SpineReject, cpis.NotifiedNo, "the Spine did not take the message: an ebXML error", 1}},
		"a fault that says too much":  {func(v *visit, id string) { v.http(500, "text/xml", soapFault("200")) }, false, asked{cpis.SpineFault, cpis.NotifiedMaybe, "a SOAP fault", 1}},
		"a fault about our set-up":    {func(v *visit, id string) { v.http(500, "text/xml", soapFault("101")) }, false, asked{cpis.SpineFaultConfig, cpis.NotifiedNo, "a SOAP fault that concerns our set-up", 1}},
		"an ebXML error of another's": {func(v *visit, id string) { v.http(200, "text/xml", messageError(newID())) }, false, asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "what came instead of an acknowledgement is about another message", 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newRoom(t)
			p := newPeer(t, func(v *visit) {
				id, _ := v.readMessage()
				c.signal(v, id)
				if c.reply {
					deliver(t, room, id, notFoundTo(id), replies.Delivered)
				}
				v.gone()
			})
			client := asyncClient(t, p, room, unreliable())
			over := p.sent(client, 1)
			if c.reply {
				over = never
			}
			want(t, askUntil(t, client, over), c.want)
			_, _, ids := p.seen()
			if len(ids) != 1 {
				t.Errorf("the message was sent %d times", len(ids))
			}
		})
	}
}

func deliver(t *testing.T, room *replies.Room, id string, reply replies.Reply, want replies.Fate) {
	fate, _, err := room.Deliver(context.Background(), id, reply)
	if err != nil || fate != want {
		t.Errorf("the reply's fate is %q (%v), want %q", fate, err, want)
	}
}

// WRD-SPN-08, WRD-SPN-12, WRD-SPN-17: a reply that was delivered because it refers to
// the message must still be one to it.
func TestAsynchronousRepliesAreJudged(t *testing.T) {
	t.Parallel()
	with := func(change func(*replies.Reply)) func(id string) replies.Reply {
		return func(id string) replies.Reply {
			r := notFoundTo(id)
			change(&r)
			return r
		}
	}
	invalid := func(reason string) asked { return asked{cpis.ResponseInvalid, cpis.NotifiedMaybe, reason, 1} }
	const unknown = "the reply is of a kind that is not known"
	cases := map[string]struct {
		reply func(id string) replies.Reply
		want  asked
	}{
		"no record": {notFoundTo, noRecord},
		"wrapped": {with(func(r *replies.Reply) {
			r.Payload = `<CP-ISNHSQueryResponse xmlns="urn:hl7-org:v3">` + r.Payload + `</CP-ISNHSQueryResponse>`
		}), noRecord},
		"of another kind than its message says": {with(func(r *replies.Reply) { r.Action = "REPC_IN000007GB01" }), invalid("the reply is another one than its message says")},
		"to another message":                    {func(string) replies.Reply { return notFoundTo(newID()) }, invalid("the reply refers to another message")},
		"cut short": {with(func(r *replies.Reply) { r.Payload = r.Payload[:len(r.Payload)-1] }),
			invalid("the reply is not well-formed XML of the kind that is accepted")},
		"empty":            {with(func(r *replies.Reply) { r.Payload = "" }), invalid("the reply is not well-formed XML of the kind that is accepted")},
		"something else":   {with(func(r *replies.Reply) { r.Payload = `<x/>` }), invalid(unknown)},
		"two in a wrapper": {with(func(r *replies.Reply) { r.Payload = `<x>` + r.Payload + r.Payload + `</x>` }), invalid(unknown)},
		"one in another": {with(func(r *replies.Reply) {
			r.Payload = strings.Replace(r.Payload, "</hl7:ControlActEvent>", "</hl7:ControlActEvent>"+strings.ReplaceAll(r.Payload, "hl7:QUQI", "hl7:QUQI"), 1)
		}), invalid(unknown)},
		"an error of the message handling system": {func(string) replies.Reply {
			return replies.Reply{Action: "MessageError", Errors: []ebxml.Error{{Code: "TimeToLiveExpired", Severity: "Error"}}, Received: time.Now()}
		}, asked{cpis.SpineReject, cpis.NotifiedNo, "the Spine did not take the message: an ebXML error that came later", 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newRoom(t)
			p := newPeer(t, func(v *visit) {
				id, _ := v.readMessage()
				// Before the acknowledgement, which never comes.
				deliver(t, room, id, c.reply(id), replies.Delivered)
				v.gone()
			})
			client := asyncClient(t, p, room, unreliable())
			want(t, ask(t, client), c.want)
		})
	}
}

// WRD-SPN-07: a message is sent again only under a contract that says so and has the
// Spine drop what it has had before; and then it is the very same message.
func TestContractRetries(t *testing.T) {
	t.Parallel()
	with := func(change func(*ebxml.Contract)) ebxml.Contract {
		c := reliable()
		change(&c)
		return c
	}
	cases := map[string]struct {
		contract ebxml.Contract
		lost     int // how many copies are swallowed
		sent     int
		want     cpis.Outcome
	}{
		"the first is acknowledged":       {reliable(), 0, 1, cpis.NoRecord},
		"the second is acknowledged":      {reliable(), 1, 2, cpis.NoRecord},
		"the last is acknowledged":        {reliable(), 2, 3, cpis.NoRecord},
		"none is acknowledged":            {reliable(), 9, 3, cpis.AsyncNotAcked},
		"no retries":                      {with(func(c *ebxml.Contract) { c.Retries = 0 }), 9, 1, cpis.AsyncNotAcked},
		"duplicates are not dropped":      {with(func(c *ebxml.Contract) { c.DuplicateElimination = false }), 9, 1, cpis.AsyncNotAcked},
		"nothing is acknowledged":         {with(func(c *ebxml.Contract) { c.AckRequested = false }), 9, 1, cpis.AsyncNotAcked},
		"the Spine forgets too soon":      {with(func(c *ebxml.Contract) { c.PersistDuration = 40 * time.Millisecond }), 9, 1, cpis.AsyncNotAcked},
		"how long it remembers is unsaid": {with(func(c *ebxml.Contract) { c.PersistDuration = 0 }), 9, 1, cpis.AsyncNotAcked},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newRoom(t)
			messages := make(chan string, 16)
			p := newPeer(t, func(v *visit) {
				id, message := v.readMessage()
				messages <- message
				_, _, ids := v.peer.seen()
				if len(ids) <= c.lost {
					return // lost
				}
				v.http(200, "text/xml", acknowledgment(id))
				deliver(t, room, id, notFoundTo(id), replies.Delivered)
				v.gone()
			})
			client := asyncClient(t, p, room, c.contract)
			over := never // but by its reply
			if c.want != cpis.NoRecord {
				over = func() bool {
					over := p.sent(client, c.sent)()
					if over {
						time.Sleep(5 * reliable().RetryInterval) // in which one copy too many would come
					}
					return over
				}
			}
			got := askUntil(t, client, over)
			if got.Outcome != c.want || got.Used != 1 {
				t.Errorf("the outcome is %s after %d attempts, want %s after 1", got.Outcome, got.Used, c.want)
			}
			_, _, ids := p.seen()
			copies := len(ids)
			first := <-messages
			for range copies - 1 {
				if <-messages != first {
					t.Error("another message was sent again")
				}
			}
			if copies != c.sent {
				t.Errorf("%d copies were sent, want %d", copies, c.sent)
			}
		})
	}
}

// WRD-SPN-07: before a byte of the message left, another attempt is made with another
// id; and the question asks nobody without a place where its reply can be waited for.
func TestAsynchronousQuestionsThatAreNotSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(*visit) {})
	room := newRoom(t)
	client := asyncClient(t, p, room, unreliable())
	want(t, ask(t, client), asked{cpis.NotSent, cpis.NotifiedNo, "the Spine could not be connected to", 2})

	for range 16 {
		e, err := room.Expect(t.Context(), replies.Question{MessageID: newID(), Until: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
	}
	want(t, ask(t, client), asked{cpis.NotSent, cpis.NotifiedNo, "the reply could not be waited for", 1})
}

// WRD-SPN-02, WRD-SPN-04: the message is the one that the contract asks for.
func TestAsynchronousMessage(t *testing.T) {
	t.Parallel()
	for name, contract := range map[string]ebxml.Contract{"unreliable": unreliable(), "reliable": reliable()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := make(chan string, 1)
			p := newPeer(t, func(v *visit) {
				_, message := v.readMessage()
				messages <- message
				v.http(404, "text/html", "")
			})
			client := asyncClient(t, p, newRoom(t), contract)
			ask(t, client)
			message := <-messages
			for element, wanted := range map[string]bool{
				"<eb:CPAId>S9999X1</eb:CPAId>":                              true,
				"<eb:Service>urn:nhs:names:services:cpisquery</eb:Service>": true,
				"<eb:Action>QUPC_IN000006GB01</eb:Action>":                  true,
				"<eb:DuplicateElimination":                                  contract.DuplicateElimination,
				"<eb:AckRequested":                                          contract.AckRequested,
				"<eb:SyncReply":                                             true,
				"<QUPC_IN000006GB01":                                        true,
				"<wsa:":                                                     false,
			} {
				if strings.Contains(message, element) != wanted {
					t.Errorf("%q stands in the message: %v", element, !wanted)
				}
			}
		})
	}
}
