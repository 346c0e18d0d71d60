package replies_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/replies"
)

// WRD-SPN-08: a reply reaches the question that it refers to, and is acknowledged where
// that is asked for.
func TestReplyIsDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, ack := range []bool{false, true} {
		ref, id := newID(), newID()
		e := r.expect(t, ref)
		got := r.deliver(t, message{id: id, refTo: ref, action: success, ack: ack})
		if ack {
			acknowledges(t, got, id)
		} else if diff := cmp.Diff(answer{status: http.StatusAccepted}, got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		reply, err := e.Wait(t.Context())
		if err != nil || reply.Action != success || reply.MessageID != id || !strings.Contains(reply.Payload, secret) || reply.Received.IsZero() {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	r.book.all(t, 0)
	if r.server.Delivered() != 2 {
		t.Errorf("%d delivered", r.server.Delivered())
	}
}

// WRD-SPN-17: a reply that nobody takes is on record, without its content, before it
// is confirmed as any other.
func TestReplyThatNobodyTakes(t *testing.T) {
	t.Parallel()
	answered, closed, unknown := newID(), newID(), newID()
	for name, tt := range map[string]struct {
		ref, action, reason, notified, correlation string
	}{
		"repeated":           {answered, success, "repeated: the question has another reply", "maybe", "of " + answered},
		"late":               {closed, "QUQI_IN010000UK14", "late: nobody waits for this reply any more", "", "of " + closed},
		"unasked":            {unknown, success, "unasked: it refers to no message that is known to have been sent", "maybe", ""},
		"without reference":  {"", "MCCI_IN010000UK13", "unasked: it refers to no message that is known to have been sent", "", ""},
		"of unknown content": {unknown, "QUPA_IN000009UK03", "unasked: it refers to no message that is known to have been sent", "", ""},
	} {
		for _, ack := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				r.expect(t, closed).Close()
				e := r.expect(t, answered)
				r.deliver(t, message{id: newID(), refTo: answered, action: success})
				_, err := e.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r.book.fail(true)
				m := message{id: newID(), refTo: tt.ref, action: tt.action, ack: ack}
				got := r.deliver(t, m)
				if got.status != http.StatusServiceUnavailable || got.body != "" {
					t.Errorf("confirmed without a record: %+v", got)
				}
				r.book.fail(false)
				got = r.deliver(t, m)
				if ack {
					acknowledges(t, got, m.id)
				} else if got.status != http.StatusAccepted {
					t.Errorf("%+v", got)
				}
				entry := r.book.all(t, 1)[0]
				want := audit.Entry{Kind: audit.Discarded, Correlation: tt.correlation, Certificate: clients.Fingerprint(r.spine.Leaf),
					MessageID: m.id, Notified: tt.notified, Reason: tt.reason, Time: entry.Time, Remote: entry.Remote, Elapsed: entry.Elapsed}
				if tt.ref != "" {
					want.SpineMessageIDs = []string{tt.ref}
				}
				if tt.correlation == "" {
					want.Correlation = entry.Correlation
				}
				if diff := cmp.Diff(want, entry); diff != "" || entry.Correlation == "" || entry.Remote == "" || entry.Time.IsZero() {
					t.Errorf("entry (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A message that is too old is not delivered, although somebody waits; a little
// difference between the clocks does not make one.
func TestExpiredMessage(t *testing.T) {
	t.Parallel()
	began := time.Now() // at which the listener's clock stays
	r := newRig(t, func(c *replies.Config, _ *replies.Options) { c.Now = func() time.Time { return began } })
	ref := newID()
	e := r.expect(t, ref)
	m := message{id: newID(), refTo: ref, action: success, lives: -time.Hour, ack: true}
	complains(t, r.deliver(t, m), m.id, "TimeToLiveExpired")
	entry := r.book.all(t, 1)[0]
	if entry.Kind != audit.Discarded || entry.Reason != "expired: its time to live was over when it came" || entry.Notified != "maybe" {
		t.Errorf("%+v", entry)
	}
	got := r.deliver(t, message{id: "on time", refTo: ref, action: success, lives: -time.Second}.named(newID()))
	reply, err := e.Wait(t.Context())
	if got.status != http.StatusAccepted || err != nil || reply.MessageID == m.id {
		t.Errorf("%+v, %+v, %v", got, reply, err)
	}
}

func (m message) named(id string) message {
	m.id = id
	return m
}

// An asynchronous error message ends the question that it is about.
func TestErrorMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ref := newID()
	e := r.expect(t, ref)
	ours := ebxml.Header{FromParty: "RZZ99-000001", ToParty: "YES-0000806", CPAID: "S1", ConversationID: newID(), MessageID: ref}
	contentType, body, err := ebxml.WriteErrors(ours, newID(), time.Now(), []ebxml.Error{{Code: "ValueNotRecognized", Severity: "Error", Description: secret}})
	if err != nil {
		t.Fatal(err)
	}
	spine := r.client(t, r.spine)
	for range 2 {
		got := send(t, spine, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
		if got.status != http.StatusAccepted || got.body != "" {
			t.Errorf("%+v", got)
		}
	}
	reply, err := e.Wait(t.Context())
	if err != nil || reply.Action != "MessageError" || reply.Payload != "" || len(reply.Errors) != 1 || reply.Errors[0].Code != "ValueNotRecognized" {
		t.Errorf("%+v, %v", reply, err)
	}
	if entry := r.book.all(t, 1)[0]; entry.Kind != audit.Discarded || entry.Notified != "" {
		t.Errorf("%+v", entry)
	}
}

// An acknowledgement is not a reply, whether or not it is about a message of ours.
func TestAcknowledgementIsNoReply(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ref := newID()
	e := r.expect(t, ref)
	for _, id := range []string{ref, newID()} {
		ours := ebxml.Header{FromParty: "RZZ99-000001", ToParty: "YES-0000806", CPAID: "S1", ConversationID: newID(), MessageID: id}
		contentType, body, err := ebxml.WriteAcknowledgment(ours, newID(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), contentType, bytes.NewReader(body))
		if got.status != http.StatusAccepted {
			t.Errorf("%+v", got)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Wait(ended)
	if !errors.Is(err, replies.ErrNoReply) {
		t.Errorf("Wait = %v", err)
	}
	r.book.all(t, 0)
}

// What is no message is answered as ebXML wants, recorded without its content and at a
// bounded rate, and reaches nobody.
func TestWhatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	ref := newID()
	whole := message{id: newID(), refTo: ref, action: success}
	contentType, body := whole.write(t)
	broken := func(old, new string) string {
		changed := strings.ReplaceAll(string(body), old, new)
		if changed == string(body) {
			t.Fatalf("no %s in the message", old)
		}
		return changed
	}
	const fault = `<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault><faultcode>SOAP:Server</faultcode><faultstring>` +
		secret + `</faultstring></SOAP:Fault></SOAP:Body></SOAP:Envelope>`
	for name, tt := range map[string]struct {
		contentType, body string
		code              string // of the error message; a SOAP fault if empty
	}{
		"empty":             {contentType, "", ""},
		"not XML":           {"text/xml", secret, ""},
		"with a DTD":        {"text/xml", "<!DOCTYPE a [<!ENTITY b '" + secret + "'>]><a>&b;</a>", ""},
		"a fault":           {"text/xml", fault, ""},
		"cut short":         {contentType, string(body[:len(body)*2/3]), ""},
		"no envelope":       {"text/xml", "<a>" + secret + "</a>", ""},
		"another document":  {contentType, broken("eb:Reference", "eb:Other"), "Unknown"},
		"a ping":            {contentType, broken("<eb:Service>urn:nhs:names:services:cpisquery<", "<eb:Service>urn:oasis:names:tc:ebxml-msg:service<"), "NotSupported"},
		"of an unknown way": {contentType, broken("cid:", "http://"), "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := newRig(t, nil)
			e := r.expect(t, ref)
			got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), tt.contentType, strings.NewReader(tt.body))
			if tt.code != "" {
				complains(t, got, whole.id, tt.code)
			} else if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "<faultcode>SOAP:Client</faultcode>") {
				t.Errorf("%+v", got)
			}
			entry := r.book.all(t, 1)[0]
			if entry.Kind != audit.Discarded || !strings.HasPrefix(entry.Reason, "not understood: ") || entry.Notified != "" && tt.code == "" {
				t.Errorf("%+v", entry)
			}
			for range 30 {
				send(t, r.client(t, r.spine), http.MethodPost, r.url(), tt.contentType, strings.NewReader(tt.body))
			}
			r.book.mu.Lock()
			entries := len(r.book.entries)
			r.book.mu.Unlock()
			if allowed := 15 + time.Since(began)/time.Second; entries > int(allowed) || r.discards.Counts()[replies.NotUnderstood] != 31 {
				t.Errorf("%d entries, counts %v", entries, r.discards.Counts())
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := e.Wait(ended)
			if !errors.Is(err, replies.ErrNoReply) {
				t.Errorf("Wait = %v", err)
			}
		})
	}
}

// broken is an exchange that takes no reply for others, or takes it when it is let.
type broken struct{ err error }

func (*broken) Expect(context.Context, replies.Question, time.Duration) error { return nil }

func (*broken) End(context.Context, string, bool) (replies.Left, bool, error) {
	return replies.Left{}, false, nil
}

func (b *broken) Leave(context.Context, string, replies.Reply) (replies.Fate, string, error) {
	return replies.Unasked, "", b.err
}

func (*broken) Run(ctx context.Context, _ func(replies.Left)) { <-ctx.Done() }

// WRD-SPN-17: a reply that cannot be handed over to another replica is not confirmed,
// and has no fate: it may be sent again.
func TestHandOverFails(t *testing.T) {
	t.Parallel()
	exchange := &broken{err: errors.New("the database is gone")}
	r := newRig(t, func(_ *replies.Config, o *replies.Options) { o.Exchange = exchange })
	m := message{id: newID(), refTo: newID(), action: success, ack: true}
	got := r.deliver(t, m)
	entry := r.book.all(t, 1)[0]
	if got.status != http.StatusServiceUnavailable || got.body != "" || entry.Kind != audit.Refused || entry.Notified != "maybe" || len(r.discards.Counts()) != 0 {
		t.Errorf("%+v, %+v, %v", got, entry, r.discards.Counts())
	}
	exchange.err = nil
	acknowledges(t, r.deliver(t, m), m.id)
	if entry := r.book.all(t, 2)[1]; entry.Kind != audit.Discarded {
		t.Errorf("%+v", entry)
	}
	ref := newID()
	e := r.expect(t, ref)
	exchange.err = errors.New("the database is gone")
	got = r.deliver(t, message{id: newID(), refTo: ref, action: success})
	_, err := e.Wait(t.Context())
	if got.status != http.StatusAccepted || err != nil {
		t.Errorf("a reply to a question that waits here: %+v, %v", got, err)
	}
}

// WRD-OPS-19, WRD-OPS-12: deliveries are bounded, and end in order.
func TestDeliveriesAreBoundedAndDrained(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) { c.Limits.Deliveries = 1 })
	reader, writer := io.Pipe()
	ref := newID()
	e := r.expect(t, ref)
	contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
	first := make(chan answer, 1)
	go func() { first <- send(t, r.client(t, r.spine), http.MethodPost, r.url(), contentType, reader) }()
	_, err := writer.Write(body[:100])
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); replies.UnderWay(r.server) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // until the first one has the place
	}
	if got := r.deliver(t, message{id: newID(), refTo: newID(), action: success}); got.status != http.StatusServiceUnavailable {
		t.Errorf("a delivery too many: %+v", got)
	}
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		ended <- r.server.Shutdown(ctx)
	}()
	time.Sleep(50 * time.Millisecond)
	_, err = writer.Write(body[100:])
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if got := <-first; got.status != http.StatusAccepted {
		t.Errorf("%+v", got)
	}
	_, err = e.Wait(t.Context())
	if err = errors.Join(err, <-ended); err != nil {
		t.Error(err)
	}
}

// H-16: many replies at once, in any order, each to its question.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) { c.Limits.Deliveries = 32 })
	spine := r.client(t, r.spine)
	spine.Transport.(*http.Transport).MaxConnsPerHost = 16
	var all sync.WaitGroup
	for range 60 {
		ref := newID()
		e := r.expect(t, ref)
		all.Go(func() {
			var both sync.WaitGroup
			var statuses [2]int
			for i := range 2 {
				both.Go(func() {
					contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
					statuses[i] = send(t, spine, http.MethodPost, r.url(), contentType, bytes.NewReader(body)).status
				})
			}
			_, err := e.Wait(t.Context())
			both.Wait()
			if err != nil || statuses != [2]int{202, 202} {
				t.Errorf("%v, %v", statuses, err)
			}
		})
	}
	all.Wait()
	if counts := r.discards.Counts(); counts[replies.Repeated] != 60 || r.server.Delivered() != 60 {
		t.Errorf("%d delivered, discarded %v", r.server.Delivered(), counts)
	}
}
