package spinesim_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// How a behaviour shows in the asynchronous pattern, by its name without "late-"; what
// is not listed posts one good message with the HL7 content of its synchronous reply.
var (
	answersAtOnce = map[spinesim.Behaviour]int{ // status
		"fault-101": 500, "fault-200": 500, "fault-206": 500, "fault-http-200": 200,
		"http-401": 401, "http-403": 403, "http-404": 404, "http-502": 502, "http-503": 503, "http-504": 504,
		"redirect": 302, "html-200": 200, "empty-200": 200, "json-200": 200,
	}
	cutsRequest = []spinesim.Behaviour{"close-without-reply", "reset-after-request"}
	cutsPost    = []spinesim.Behaviour{"truncated-body", "stall-after-headers", "stall-in-body"}
	notXML      = []spinesim.Behaviour{"malformed-xml", "truncated-xml"}
	refersTo    = map[spinesim.Behaviour]string{ // instead of the question
		"relates-to-missing": "none", "relates-to-other": "other", "not-found-relates-to-other": "other", "previous-answer": "previous",
	}
)

// Every behaviour of the catalogue means the same in both patterns: the same HL7
// content, or the failure that corresponds to it.
func TestBehavioursInTheAsynchronousPattern(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	for _, b := range spinesim.Behaviours() {
		if b.Stage != "reply" {
			continue
		}
		t.Run(string(b.Name), func(t *testing.T) {
			t.Parallel()
			box := newInbox(t)
			still := func(c *spinesim.Config) { c.Clock = func() time.Time { return now } }
			sync, async := start(t, still), startAsync(t, still, box)
			c := newClient(t)
			previous := ebRequest{query: query{number: "9990000042"}}.withDefaults()
			asked := ebRequest{query: query{number: b.NHSNumber}}.withDefaults()
			ask(t, sync, c, previous.query)
			askAsync(t, async, c, previous)
			box.next(t)
			step := []spinesim.Step{{Behaviour: b.Name, Delay: 2 * time.Millisecond}}
			play(t, sync, spinesim.Script{Steps: step})
			play(t, async, spinesim.Script{Steps: step})
			answer, body, err := asked.send(c, async)
			defer func() {
				settle(t, async)
				if q := async.Received()[1]; q.Processed != b.Processed || q.Behaviour != b.Name || b.Processed != (async.TimesProcessed(asked.messageID) == 1) {
					t.Errorf("remembered %+v", q)
				}
			}()
			name := spinesim.Behaviour(strings.TrimPrefix(string(b.Name), "late-"))
			if slices.Contains(cutsRequest, name) {
				settle(t, async)
				if err == nil || box.count() != 1 {
					t.Errorf("%v, %d posted", err, box.count())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			status, atOnce := answersAtOnce[name]
			if atOnce {
				response, direct, err := post(c, sync.URL(), asked.xml())
				if err != nil {
					t.Fatal(err)
				}
				settle(t, async)
				if answer.StatusCode != status || response.StatusCode != status || !bytes.Equal(body, direct) || box.count() != 1 {
					t.Errorf("status %d, %d posted: %s", answer.StatusCode, box.count(), body)
				}
				return
			}
			if answer.StatusCode != http.StatusAccepted || len(body) != 0 {
				t.Errorf("answered at once by %d %s", answer.StatusCode, body)
			}
			if name == "never-answer" {
				settle(t, async)
				if box.count() != 1 {
					t.Errorf("%d posted", box.count()-1)
				}
				return
			}
			checkPosted(t, name, box, previous, asked)
			if slices.Contains(cutsPost, name) || slices.Contains(notXML, name) || name == "wrong-media-type" || name == "slow-drip" || name == "delay" {
				return // compared there, or the same as found
			}
			_, direct, err := post(c, sync.URL(), asked.xml())
			if err != nil {
				t.Fatal(err)
			}
			compareContent(t, direct, takeApart(t, box.all[1]))
		})
	}
}

// checkPosted checks the form of what was posted.
func checkPosted(t *testing.T, name spinesim.Behaviour, box *inbox, previous, asked ebRequest) {
	t.Helper()
	p := box.next(t)
	if slices.Contains(cutsPost, name) {
		if p.err == nil {
			t.Errorf("the POST is whole: %s", p.body)
		}
		return
	}
	want := 2
	if name == "found-twice" {
		want = 3
		again := box.next(t)
		if diff := cmp.Diff(p.body, again.body); diff != "" {
			t.Errorf("the second differs:\n%s", diff)
		}
	}
	if got := box.count(); got != want {
		t.Errorf("%d posted", got-1)
	}
	if name == "wrong-media-type" {
		if p.header.Get("Content-Type") != "application/octet-stream" || !strings.Contains(p.body, "RefToMessageId>"+asked.messageID) {
			t.Errorf("posted as %s: %.300s", p.header.Get("Content-Type"), p.body)
		}
		return
	}
	e := takeApart(t, p)
	refs := e.envelope.root.find("RefToMessageId")
	switch refersTo[name] {
	case "none":
		if len(refs) != 0 {
			t.Errorf("refers to %v", refs)
		}
	case "previous":
		if refs[0].Text != previous.messageID {
			t.Errorf("refers to %v", refs)
		}
	case "other":
		if len(refs) != 1 || len(refs[0].Text) != 36 || refs[0].Text == asked.messageID {
			t.Errorf("refers to %v", refs)
		}
	default:
		if len(refs) != 1 || refs[0].Text != asked.messageID {
			t.Errorf("refers to %v", refs)
		}
	}
	broken := slices.Contains(notXML, name)
	if (e.payload.xmlErr != nil) != broken {
		t.Errorf("the payload: %v", e.payload.xmlErr)
	}
	if !broken && e.payload.root.XMLName.Local != e.envelope.text("Action") {
		t.Errorf("the action is %s, the payload %s", e.envelope.text("Action"), e.payload.root.XMLName.Local)
	}
}

// compareContent compares the interaction in a SOAP reply with a posted one, but for
// the message's own id.
func compareContent(t *testing.T, direct []byte, got ebReply) {
	t.Helper()
	var soap element
	err := strictXML(direct, &soap)
	if err != nil {
		t.Fatal(err)
	}
	interaction := soap.find(got.payload.root.XMLName.Local)
	if len(interaction) != 1 {
		t.Fatalf("the synchronous reply has %d such interactions: %.300s", len(interaction), direct)
	}
	if diff := cmp.Diff(outline(interaction[0]), outline(got.payload.root)); diff != "" {
		t.Errorf("content (-synchronous +asynchronous):\n%s", diff)
	}
}

// outline lists elements, attributes and texts; the first id is left out, and so are
// declarations of namespaces.
func outline(e element) []string {
	var lines []string
	first := true
	var walk func(depth int, e element)
	walk = func(depth int, e element) {
		line := fmt.Sprintf("%*s{%s}%s %s", depth, "", e.XMLName.Space, e.XMLName.Local, strings.TrimSpace(e.Text))
		for _, a := range e.Attrs {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && !(first && e.XMLName.Local == "id") {
				line += " " + a.Name.Local + "=" + a.Value
			}
		}
		first = first && e.XMLName.Local != "id"
		lines = append(lines, line)
		for _, c := range e.Children {
			walk(depth+1, c)
		}
	}
	walk(0, e)
	return lines
}

// The prefix is a knob.
func TestPostedContentMayBePrefixed(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, func(c *spinesim.Config) { c.ReplyPrefixed = true }, box)
	for _, b := range []spinesim.Behaviour{"found", "not-found", "mcci-ae", "malformed-xml"} {
		play(t, s, steps(b))
		askAsync(t, s, newClient(t), ebRequest{})
		e := takeApart(t, box.next(t))
		action := e.envelope.text("Action")
		if !bytes.Contains(e.payload.body, []byte("<hl7:"+action+` xmlns:hl7="urn:hl7-org:v3">`)) || bytes.Contains(e.payload.body, []byte("<id ")) || (e.payload.xmlErr != nil) != (b == "malformed-xml") {
			t.Errorf("%s: %v: %.300s", b, e.payload.xmlErr, e.payload.body)
		}
	}
}

// Failures of the connection strike ebXML requests as they strike SOAP.
func TestConnectionFailuresStrikeAsyncRequests(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	for _, b := range spinesim.Behaviours() {
		if b.Stage == "reply" {
			continue
		}
		play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: b.Name, Delay: 20 * time.Millisecond}}})
		_, _, err := ebRequest{}.send(newClient(t), s)
		if err == nil || b.AsyncCode != b.Code {
			t.Errorf("%s: %v, %s", b.Name, err, b.AsyncCode)
		}
	}
	if n := s.Counters(); n.Asynchronous != 0 || box.count() != 0 {
		t.Errorf("%d requests, %d posted", n.Asynchronous, box.count())
	}
}

// WRD-SPN-17: a reply may come long after its question; the delay is the behaviour's,
// or the step's. TestWaitingRepliesAreForgotten shows that the immediate answer does not
// wait for it.
func TestRepliesMayBeLate(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: "delay", Delay: 300 * time.Millisecond}}})
	began := time.Now()
	askAsync(t, s, newClient(t), ebRequest{})
	box.next(t)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("the reply came after %s", took)
	}
}

// Replies that wait end with a reset, and with the simulator.
func TestWaitingRepliesAreForgotten(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: "found", Delay: time.Hour, Every: true}}})
	c := newClient(t)
	for range 3 {
		askAsync(t, s, c, ebRequest{})
	}
	if got := s.PendingReplies(); got != 3 {
		t.Errorf("%d replies wait", got)
	}
	err := s.Reset()
	if err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: "found", Delay: time.Hour}}})
	askAsync(t, s, c, ebRequest{})
	err = s.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	replies := s.Replies()
	if last := replies[len(replies)-1]; last.Fate != spinesim.Forgotten || box.count() != 0 || s.PendingReplies() != 0 {
		t.Errorf("%+v, %d posted", last, box.count())
	}
}
