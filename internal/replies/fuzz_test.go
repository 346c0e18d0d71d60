package replies_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/testpki"
)

// Whatever the Spine sends, the listener answers with one of a few statuses, quotes
// nothing of it in a log, and hands to a waiting question only what refers to it.
func FuzzDelivery(f *testing.F) {
	const ref = "7A1C0B5E-0000-4000-8000-000000000001"
	for _, m := range []message{{id: newID(), refTo: ref, action: success, ack: true}, {id: newID(), action: "MCCI_IN010000UK13", lives: -time.Hour}} {
		contentType, body := m.write(f)
		f.Add(contentType, string(body))
	}
	ours := ebxml.Header{FromParty: "A", ToParty: "B", CPAID: "S1", ConversationID: newID(), MessageID: ref}
	for _, write := range []func() (string, []byte, error){
		func() (string, []byte, error) { return ebxml.WriteAcknowledgment(ours, newID(), time.Now()) },
		func() (string, []byte, error) {
			return ebxml.WriteErrors(ours, newID(), time.Now(), []ebxml.Error{{Code: "Unknown"}})
		},
	} {
		contentType, body, err := write()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(contentType, string(body))
	}
	pki, err := testpki.New(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	spine, err := pki.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Client: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		log, entries := &logtest.Lines{}, &book{}
		logger := slog.New(slog.NewJSONHandler(log, nil))
		discards := replies.NewDiscards(entries, logger, time.Now, newID)
		room := replies.NewRoom(replies.Options{Waiting: 1, Remembered: 1, Remember: time.Hour, Now: time.Now, Untaken: discards.Untaken})
		defer room.Stop()
		e, err := room.Expect(t.Context(), replies.Question{MessageID: ref, Correlation: "c", Until: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		server := replies.New(replies.Config{Peers: []string{"dns:spine.test"}, Path: path, Room: room, Discards: discards, Log: entries, Logger: logger,
			Now: time.Now, NewID: newID, Limits: replies.Limits{Deliveries: 1, Body: 1 << 20, Timeout: time.Second}})
		request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		request.Header.Set("Content-Type", contentType)
		request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{spine.Leaf}, VerifiedChains: [][]*x509.Certificate{{spine.Leaf, pki.Root()}}}
		recorder := &deadlines{httptest.NewRecorder()}
		replies.Handler(server).ServeHTTP(recorder, request)

		read, wrong := ebxml.Read(contentType, body, ebxml.Limits{Bytes: 1 << 20})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		reply, err := e.Wait(ended)
		if err == nil && (wrong != nil || read.Header.RefToMessageID != ref || reply.Payload != read.Payload) {
			t.Errorf("handed over: %+v of %+v, %v", reply, read, wrong)
		}
		switch recorder.Code {
		case 200, 202, 415, 500:
		default:
			t.Errorf("status %d", recorder.Code)
		}
		if confirmed := recorder.Code == 202 && wrong == nil && read.Kind != ebxml.Acknowledgment; confirmed && err != nil && len(entries.entries) != 1 {
			t.Error("confirmed, but neither handed over nor recorded")
		}
		if strings.Contains(log.String(), "panic") || bytes.Contains(recorder.Body.Bytes(), []byte("Fennimore")) || strings.Contains(log.String(), "Fennimore") {
			t.Errorf("%s\n%s", log, recorder.Body)
		}
	})
}

// deadlines lets a recorder be given deadlines.
type deadlines struct{ *httptest.ResponseRecorder }

func (*deadlines) SetReadDeadline(time.Time) error  { return nil }
func (*deadlines) SetWriteDeadline(time.Time) error { return nil }
