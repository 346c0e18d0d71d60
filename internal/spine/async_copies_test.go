package spine_test

import (
	"crypto/tls"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/spine"
)

// H-03, WRD-SPN-07: once a question has its answer its message is not sent again,
// although it was never acknowledged.
func TestNothingIsSentAgainAfterTheReply(t *testing.T) {
	t.Parallel()
	room := newRoom(t)
	p := newPeer(t, func(v *visit) {
		id, _ := v.readMessage()
		if v.n == 1 {
			deliver(t, room, id, notFoundTo(id), replies.Delivered)
		}
		v.raw.Close() // without an acknowledgement
	})
	client := asyncClient(t, p, room, reliable())
	want(t, ask(t, client), noRecord)
	time.Sleep(200 * time.Millisecond) // several intervals between copies
	_, _, ids := p.seen()
	if len(ids) != 1 {
		t.Errorf("%d copies were sent of a message that was answered", len(ids))
	}
}

// WRD-RC-07, H-04: what refuses a copy of a message says nothing of the one before,
// which may have been taken: its reply is waited for, and nobody says that nobody was
// notified.
func TestRefusedCopy(t *testing.T) {
	t.Parallel()
	unclear := asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "the message was not acknowledged, and a copy of it was refused", 1}
	refusals := map[string]func(v *visit, id string){
		"an ebXML error":        func(v *visit, id string) { v.http(200, "text/xml", messageError(id)) },
		"a fault of our set-up": func(v *visit, id string) { v.http(500, "text/xml", soapFault("101")) },
		"an HTTP status":        func(v *visit, id string) { v.http(404, "text/html", "<html/>") },
		"an ebXML error, later": nil,
	}
	for name, refuse := range refusals {
		for _, replied := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				room := newRoom(t)
				p := newPeer(t, func(v *visit) {
					id, _ := v.readMessage()
					switch {
					case v.n == 1:
						return // the acknowledgement is lost
					case refuse == nil:
						failed := replies.Reply{Action: "MessageError", Errors: []ebxml.Error{{Code: "Unknown", Severity: "Error"}}, Received: time.Now()}
						deliver(t, room, id, failed, replies.Delivered)
						return
					}
					refuse(v, id)
					if replied {
						time.Sleep(50 * time.Millisecond)
						deliver(t, room, id, notFoundTo(id), replies.Delivered)
					}
				})
				client := asyncClient(t, p, room, reliable())
				if replied && refuse != nil {
					want(t, askUntil(t, client, never), noRecord)
				} else {
					want(t, askUntil(t, client, p.sent(client, 2)), unclear)
				}
			})
		}
	}
}

// WRD-RC-07: a message of which no byte left when the time was over was not sent.
func TestAsynchronousMessageThatNeverLeft(t *testing.T) {
	t.Parallel()
	p := newPeer(t, (*visit).gone) // no handshake
	client := asyncClient(t, p, newRoom(t), unreliable())
	for range 5 {
		got := askWithin(t, client, 200*time.Millisecond)
		if got.Outcome != cpis.NotSent || got.Notified != cpis.NotifiedNo {
			t.Errorf("the outcome is %s, notified %s: %s", got.Outcome, got.Notified, got.Reason)
		}
	}
}

// answerAtOnce is a business message about the message with that id.
func answerAtOnce(t *testing.T, id string, reply replies.Reply) (contentType, body string) {
	contract := unreliable()
	contract.FromParty, contract.ToParty = contract.ToParty, contract.FromParty
	contentType, content, err := ebxml.WriteRequest(ebxml.Header{
		ConversationID: newID(), Service: "urn:nhs:names:services:cpisquery", Action: reply.Action,
		MessageID: newID(), RefToMessageID: id, Timestamp: time.Now(),
	}, []byte(reply.Payload), contract)
	if err != nil {
		t.Error(err)
	}
	return contentType, string(content)
}

// WRD-SPN-05, WRD-SPN-08, WRD-SPN-17: an answer that comes in the HTTP response, as
// contracts with signalsAndResponse or responseOnly have it, is the answer; one about
// another message is not; and a question takes one answer, wherever it came.
func TestAnswerInTheResponse(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		about  func(id string) string
		before bool // a reply comes to the listener first
		want   asked
	}{
		"its own":    {func(id string) string { return id }, false, noRecord},
		"another's":  {func(string) string { return newID() }, false, asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "what came instead of an acknowledgement is about another message", 1}},
		"the second": {func(id string) string { return id }, true, noRecord},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var untaken []replies.Fate
			room := replies.NewRoom(replies.Options{Waiting: 16, Remembered: 16, Remember: time.Minute, Now: time.Now, Untaken: func(d replies.Discard) {
				mu.Lock()
				defer mu.Unlock()
				untaken = append(untaken, d.Fate)
			}})
			t.Cleanup(room.Stop)
			p := newPeer(t, func(v *visit) {
				id, _ := v.readMessage()
				if c.before {
					deliver(t, room, id, notFoundTo(id), replies.Delivered)
				}
				mediaType, body := answerAtOnce(t, c.about(id), notFoundTo(id))
				v.http(200, mediaType, body)
				v.gone()
			})
			route := p.route()
			route.Pattern, route.Contract = spine.Async, unreliable()
			client := p.client(t, func(c *spine.Config) { c.Routes, c.Replies, c.NewID = route, room, newID })
			if c.want != noRecord {
				want(t, askUntil(t, client, p.sent(client, 1)), c.want)
				return
			}
			want(t, askUntil(t, client, never), c.want)
			if c.before {
				await(t, "the second answer is told", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return len(untaken) == 1 && untaken[0] == replies.Repeated
				})
			}
		})
	}
}

// WRD-SPN-08: a SOAP fault that says that it is about another message decides nothing.
func TestFaultAboutAnotherMessage(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) {
		v.readMessage()
		other := signalAbout(newID(), "Acknowledgment", "")
		fault := soapFault("101")
		body := fault[strings.Index(fault, "<SOAP:Body>"):]
		v.http(500, "text/xml", other[:strings.Index(other, "<SOAP:Body/>")]+body)
		v.gone()
	})
	client := asyncClient(t, p, newRoom(t), unreliable())
	want(t, askUntil(t, client, p.sent(client, 1)),
		asked{cpis.AsyncNotAcked, cpis.NotifiedMaybe, "what came instead of an acknowledgement is about another message", 1})
}

// WRD-VAL-18: a failure of ours over what the Spine sends ends one question, not the
// provider, and takes no connection away for good.
func TestFailureOfOursWhileSending(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(v *visit) { v.tls.Handshake(); v.gone() })
	route := p.route()
	route.Pattern, route.Contract = spine.Async, unreliable()
	var failures atomic.Int64
	client := p.client(t, func(c *spine.Config) {
		c.Routes, c.Replies, c.NewID, c.MaxConnections = route, newRoom(t), newID, 1
		c.TLS.VerifyConnection = func(tls.ConnectionState) error {
			failures.Add(1)
			panic("a failure of ours")
		}
	})
	for n := range int64(2) {
		failed := func() bool { return failures.Load() > n && client.Load().Connections == 0 }
		want(t, askUntil(t, client, failed), asked{cpis.InternalAfterSent, cpis.NotifiedMaybe, "the provider failed while sending", 1})
	}
	if load := client.Load(); load.Connections != 0 {
		t.Errorf("%d connections are taken for good", load.Connections)
	}
}
