package spinesim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Replies go to each URL in turn, or always to one, and the URLs can change.
func TestReplyURLsInTurnOrAlwaysOne(t *testing.T) {
	first, second := newInbox(t), newInbox(t)
	s := startAsync(t, nil, first, second)
	c := newClient(t)
	ask := func(times int) {
		for range times {
			askAsync(t, s, c, ebRequest{})
			settle(t, s)
		}
	}
	counts := func() string { return fmt.Sprint(first.count(), second.count()) }
	ask(4)
	if got := counts(); got != "2 2" {
		t.Errorf("in turn: %s", got)
	}
	err := s.SetReplyTo(2)
	if err != nil {
		t.Fatal(err)
	}
	ask(3)
	if got := counts(); got != "2 5" {
		t.Errorf("always the second: %s", got)
	}
	err = s.SetReplyURLs(first.url())
	if err != nil {
		t.Fatal(err)
	}
	ask(2)
	if got := counts(); got != "4 5" || !slices.Equal(s.ReplyURLs(), []string{first.url()}) {
		t.Errorf("after a change: %s, %v", got, s.ReplyURLs())
	}
	err = s.SetReplyURLs()
	if err != nil {
		t.Fatal(err)
	}
	ask(1)
	replies := s.Replies()
	if got := replies[len(replies)-1].Fate; got != spinesim.Nowhere {
		t.Errorf("without a URL the fate is %s", got)
	}
	for _, u := range []string{"http://127.0.0.1/", "https://x.nhs.uk/", "https://192.0.2.1/", "nonsense", "https://u:p@127.0.0.1/", "https:///x"} {
		if s.SetReplyURLs(u) == nil {
			t.Errorf("%s is taken", u)
		}
	}
	if s.SetReplyTo(1) == nil || s.SetReplyTo(-1) == nil {
		t.Error("a URL that is not there is taken")
	}
}

// A reply that asks for an acknowledgement is posted again without it, as often as
// the contract says; one that does not ask is posted once, whatever the answer.
func TestRepliesAreRetriedByContract(t *testing.T) {
	acknowledge := func(p posted, w http.ResponseWriter, ref string) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(200)
		fmt.Fprintf(w, `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"><S:Header><e:MessageHeader><e:Service>urn:oasis:names:tc:ebxml-msg:service</e:Service><e:Action>Acknowledgment</e:Action><e:MessageData><e:RefToMessageId>%[1]s</e:RefToMessageId></e:MessageData></e:MessageHeader><e:Acknowledgment><e:RefToMessageId>%[1]s</e:RefToMessageId></e:Acknowledgment></S:Header><S:Body/></S:Envelope>`, ref)
	}
	own := func(p posted) string {
		_, after, _ := strings.Cut(p.body, "<eb:MessageId>")
		return after[:36]
	}
	tests := []struct {
		name     string
		reliable bool
		answer   func(n int, p posted, w http.ResponseWriter)
		posts    int
		fate     spinesim.Fate
	}{
		{"acknowledged", true, func(_ int, p posted, w http.ResponseWriter) { acknowledge(p, w, own(p)) }, 1, spinesim.Delivered},
		{"acknowledged the second time", true, func(n int, p posted, w http.ResponseWriter) {
			if n == 2 {
				acknowledge(p, w, own(p))
			}
		}, 2, spinesim.Delivered},
		{"another message acknowledged", true, func(_ int, p posted, w http.ResponseWriter) { acknowledge(p, w, newID()) }, 3, spinesim.Failed},
		{"accepted only", true, func(_ int, _ posted, w http.ResponseWriter) { w.WriteHeader(202) }, 3, spinesim.Failed},
		{"unreliable, refused", false, func(_ int, _ posted, w http.ResponseWriter) { w.WriteHeader(503) }, 1, spinesim.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			box := newInbox(t)
			box.answer = tt.answer
			r := ebRequest{}
			s := startAsync(t, func(c *spinesim.Config) {
				if tt.reliable {
					reliable(c)
					r = ebRequest{inMessageHeader: eliminateElement, inHeader: ackElement + syncReplyElement}
				}
				c.Contract.Retries, c.Contract.RetryInterval = 2, 5*time.Millisecond
			}, box)
			askAsync(t, s, newClient(t), r)
			settle(t, s)
			replies := s.Replies()
			if len(replies) != 1 || replies[0].Fate != tt.fate || len(replies[0].Posts) != tt.posts || box.count() != tt.posts || s.Counters().Posts != int64(tt.posts) {
				t.Fatalf("%d posts arrived, %+v", box.count(), replies)
			}
			for _, p := range box.all {
				if diff := cmp.Diff(box.all[0].body, p.body); diff != "" {
					t.Errorf("a repeat differs:\n%s", diff)
				}
			}
		})
	}
}

// Where nobody listens, or the certificate is not accepted, the reply fails and says why.
func TestUndeliverableRepliesAreRemembered(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	box.server.Close()
	c := newClient(t)
	askAsync(t, s, c, ebRequest{})
	settle(t, s)
	stranger, err := pki().stranger.Issue(clientRequest())
	if err != nil {
		t.Fatal(err)
	}
	refusing := newInbox(t)
	other := startAsync(t, func(c *spinesim.Config) { c.ReplyCertificate = stranger.TLSCertificate() }, refusing)
	askAsync(t, other, c, ebRequest{})
	settle(t, other)
	for _, r := range append(s.Replies(), other.Replies()...) {
		if r.Fate != spinesim.Failed || len(r.Posts) != 1 || r.Posts[0].Error == "" || r.Posts[0].Status != 0 {
			t.Errorf("%+v", r)
		}
	}
	if refusing.count() != 0 {
		t.Error("a stranger's reply arrived")
	}
}
