package ebxml_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// FuzzRead: whatever bytes come, a document is told only by a message that refers to
// it and holds it, and what is told of a message does not contradict itself
// (WRD-SPN-12, WRD-SEC-04, WRD-SEC-07).
func FuzzRead(f *testing.F) {
	for _, good := range goodMessages() {
		f.Add(good.contentType, good.body)
		for _, c := range hostileChanges {
			body := c.change(good.body)
			if len(body) < 8<<10 {
				f.Add(good.contentType, body)
			}
		}
	}
	f.Add(multipartType, strings.ReplaceAll(reply(), "\r\n", "\n"))
	f.Add(`multipart/related; boundary=--=_MIME-Boundary; start=ebXMLHeader@spine.nhs.uk`, reply())
	f.Add(multipartType, multipart(envelopeFields+"\r\n"+envelope(businessHeader+acknowledgment+ackRequested+syncReply, manifest), strings.Replace(documentFields, "8bit", "base64", 1)+"\r\nPGEvPg=="))
	f.Add(multipartType, multipart(envelopeFields+"\r\n"+envelope(businessHeader+errorList("Warning", oddTime), manifest), documentFields+"\r\n"+document))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		m, err := ebxml.Read(contentType, body, limits)
		if err != nil {
			if m.Kind != 0 || m.Errors != nil || m.Payload != "" {
				t.Fatal("something of a message that was refused is told")
			}
			return
		}
		coherent(t, m, body)
		_, again, err := ebxml.WriteAcknowledgment(m.Header, askedID, noon)
		if m.Kind != ebxml.Fault && err != nil {
			t.Fatalf("what was read cannot be acknowledged: %v", err)
		}
		if err == nil {
			answer, err := ebxml.Read("text/xml", string(again), limits)
			if err != nil || answer.Header.ToParty != m.Header.FromParty {
				t.Fatalf("the acknowledgement cannot be read: %v", err)
			}
		}
	})
}

// coherent holds what was read of a message against its bytes and against itself.
func coherent(t *testing.T, m ebxml.Message, body string) {
	failed := false
	for _, e := range m.Errors {
		failed = failed || e.Severity == ebxml.SeverityError
	}
	if failed != (m.Kind == ebxml.MessageError) {
		t.Fatal("an error without an error message, or the reverse")
	}
	if (m.Payload != "") != (m.Kind == ebxml.Business || m.Kind == ebxml.Fault) || len(m.Payload) > len(body) {
		t.Fatal("a payload without a message that carries one, or the reverse")
	}
	switch m.Kind {
	case ebxml.Business:
		if !strings.Contains(body, "Manifest") || m.Header.Service == signalling {
			t.Fatal("a document without a manifest, or beside a signal")
		}
	case ebxml.Acknowledgment:
		if m.Header.RefToMessageID == "" {
			t.Fatal("an acknowledgement of nothing")
		}
	case ebxml.Fault:
		if !strings.Contains(m.Payload, "Fault") {
			t.Fatal("a fault that is none")
		}
		return
	case ebxml.MessageError:
	default:
		t.Fatal("a message of no kind")
	}
	h := m.Header
	for _, id := range []string{h.FromParty, h.ToParty, h.CPAID, h.ConversationID, h.Service, h.Action, h.MessageID} {
		if id == "" || len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatal("a header that is not whole")
		}
	}
	if h.Timestamp.IsZero() || strings.HasPrefix(h.RefToMessageID, "UUID:") || h.RefToMessageID != strings.ToUpper(h.RefToMessageID) {
		t.Fatal("a time or a reference of another form")
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, iso := range []string{"PT1M", "P1DT12H", "P2W", "PT0.5S", "P1Y", "PT", ""} {
		f.Add(iso)
	}
	f.Fuzz(func(t *testing.T, iso string) {
		d, err := ebxml.ParseDuration(iso)
		if err == nil && (d < 0 || d.Hours() > 10*366*24 || !strings.HasPrefix(iso, "P")) {
			t.Fatalf("%q is %v", iso, d)
		}
	})
}

var (
	uuids       = rapid.StringMatching(`[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}`)
	identifiers = rapid.StringMatching(`[!-~]{1,40}`)
	// documents hold what could end a part too early.
	documents = rapid.Custom(func(t *rapid.T) string {
		pieces := rapid.SliceOfN(rapid.OneOf(
			rapid.SampledFrom([]string{"\r\n", "\n", "\r", "--", "=_MIME-Boundary", "\r\n----=_MIME-Boundary", "----=_MIME-Boundary--", "--=_MIME-Boundary1", "Content-Id: <x>", " ", "<a/>", "\x00"}),
			rapid.String(),
		), 1, 12).Draw(t, "pieces")
		return "<" + strings.Join(pieces, "")
	})
)

// What is written is read as it was, whatever the document and the identifiers.
func TestRequestsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ebxml.Contract{
			CPAID: identifiers.Draw(t, "CPA"), FromParty: identifiers.Draw(t, "from"), ToParty: identifiers.Draw(t, "to"),
			SyncReply:    rapid.SampledFrom([]string{"MSHSignalsOnly", "none", ""}).Draw(t, "sync"),
			AckRequested: rapid.Bool().Draw(t, "ack"), DuplicateElimination: rapid.Bool().Draw(t, "once"),
		}
		want := ebxml.Header{
			ConversationID: identifiers.Draw(t, "conversation"), Service: identifiers.Draw(t, "service"), Action: identifiers.Draw(t, "action"),
			MessageID: uuids.Draw(t, "id"), Timestamp: noon.AddDate(0, 0, rapid.IntRange(0, 4000).Draw(t, "days")),
		}
		if rapid.Bool().Draw(t, "optional") {
			want.RefToMessageID, want.TimeToLive = uuids.Draw(t, "ref"), want.Timestamp.AddDate(0, 0, 1)
		}
		payload := documents.Draw(t, "document")
		contentType, body, err := ebxml.WriteRequest(want, []byte(payload), c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ebxml.Read(contentType, string(body), limits)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		want.FromParty, want.ToParty, want.CPAID = c.FromParty, c.ToParty, c.CPAID
		want.AckRequested, want.DuplicateElimination, want.SyncReply = c.AckRequested, c.DuplicateElimination, c.SyncReply == "MSHSignalsOnly"
		if diff := cmp.Diff(ebxml.Message{Header: want, Kind: ebxml.Business, Payload: payload}, got); diff != "" {
			t.Fatalf("message (-want +got):\n%s", diff)
		}
	})
}

// Ward's own answers are read back as what they are, about what they are.
func TestAnswersAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		to := replyHeader()
		to.FromParty, to.ToParty, to.MessageID = identifiers.Draw(t, "from"), identifiers.Draw(t, "to"), uuids.Draw(t, "id")
		id := uuids.Draw(t, "own id")
		var contentType string
		var body []byte
		var err error
		want := ebxml.Message{Kind: ebxml.Acknowledgment}
		action := "Acknowledgment"
		if rapid.Bool().Draw(t, "error") {
			want.Kind, action = ebxml.MessageError, "MessageError"
			want.Errors = []ebxml.Error{{Code: identifiers.Draw(t, "code"), Severity: "Error", Context: identifiers.Draw(t, "context"), Description: "x"}}
			contentType, body, err = ebxml.WriteErrors(to, id, noon, want.Errors)
		} else {
			contentType, body, err = ebxml.WriteAcknowledgment(to, id, noon)
		}
		if err != nil {
			t.Fatal(err)
		}
		want.Header = ebxml.Header{
			FromParty: to.ToParty, ToParty: to.FromParty, CPAID: to.CPAID, ConversationID: to.ConversationID, Service: signalling,
			Action: action, MessageID: id, RefToMessageID: to.MessageID, Timestamp: noon,
		}
		got, err := ebxml.Read(contentType, string(body), limits)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("message (-want +got):\n%s", diff)
		}
	})
}
