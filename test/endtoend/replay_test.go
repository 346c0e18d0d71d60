package endtoend_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/stage"
)

// post sends a message as it is, over a connection of its own.
func (w *ward) post(t *testing.T, message string) answer {
	t.Helper()
	c := w.dial(t, w.tls)
	c.send(t, whole([]byte(message)))
	a := c.read(t)
	c.Close()
	return a
}

// value is the text of the first element of that prefixed name, or of an attribute.
func between(t *testing.T, text, start, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, start)
	value, _, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("the message has no %s", start)
	}
	return value
}

func wantReplayed(t *testing.T, what string, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, itk.DiagnosticReplayed) ||
		!strings.Contains(a.body, "The outcome of the first one stands, and may be unknown.") {
		t.Errorf("%s: status %d\n%s", what, a.StatusCode, a.body)
	}
}

// WRD-VAL-16, WRD-VAL-17, N32: a message whose message id or tracking id the same
// client used before is refused with a fault that says so, is recorded, and never
// reaches the Spine, whatever else in it is new, also after a restart.
func TestMessageUsedBeforeIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	first := string(w.message(t, withPlan))
	other := string(w.message(t, withoutRecord))
	messageID := between(t, first, "<wsa:MessageID>", "</wsa:MessageID>")
	tracking := between(t, first, `trackingid="`, `"`)

	if a := w.post(t, first); a.StatusCode != http.StatusOK || !strings.Contains(a.body, string(cpis.CodeSuccess)) {
		t.Fatalf("status %d\n%s", a.StatusCode, a.body)
	}
	withMessageID := strings.Replace(other, between(t, other, "<wsa:MessageID>", "</wsa:MessageID>"), messageID, 1)
	replays := map[string]string{
		"the same message":                  first,
		"another message with its id":       withMessageID,
		"its id in lower case, with prefix": strings.Replace(withMessageID, messageID, "urn:uuid:"+strings.ToLower(messageID), 1),
		"another with its tracking id":      strings.Replace(other, between(t, other, `trackingid="`, `"`), tracking, 1),
	}
	for what, message := range replays {
		wantReplayed(t, what, w.post(t, message))
	}
	w.stop(t)
	w.start(t)
	for what, message := range replays {
		wantReplayed(t, what+" after a restart", w.post(t, message))
	}
	if n := w.Simulator.Counters().RequestsBegun; n != 1 {
		t.Errorf("%d requests reached the Spine, want 1", n)
	}
	refused := 0
	for _, e := range w.entries(t) {
		if e.Outcome == cpis.RefusedDuplicate.String() && e.Kind == audit.Refused && e.Notified == "maybe" && e.NHSNumber != "" && e.Code == "1000" {
			refused++
		}
	}
	if refused != 2*len(replays) {
		t.Errorf("%d refusals are recorded, want %d", refused, 2*len(replays))
	}
}

// WRD-VAL-16: a message refused for what its payload says has been used all the
// same; one that was refused by a fault has not, since nothing came of it.
func TestRefusedMessageAndItsID(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	message := string(w.message(t, withPlan))
	wrongUser := strings.Replace(message, w.settings.Username, "nobody", 1)
	if a := w.post(t, wrongUser); a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, ">3000<") {
		t.Fatalf("status %d\n%s", a.StatusCode, a.body)
	}
	invalid := strings.Replace(message, withPlan, "9990000019", 1)
	if a := w.post(t, invalid); !strings.Contains(a.body, string(cpis.CodeInputInvalid)) {
		t.Fatalf("status %d\n%s", a.StatusCode, a.body)
	}
	wantReplayed(t, "corrected, under the same id", w.post(t, message))
	if n := w.Simulator.Counters().RequestsBegun; n != 0 {
		t.Errorf("%d requests reached the Spine, want none", n)
	}
}

// WRD-VAL-16, WRD-SAF-04, H-21: of many copies of a message that come at the same
// time, one is asked about.
func TestOfManyCopiesOneIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	message := string(w.message(t, withPlan))
	const copies = 24
	answers := make([]answer, copies)
	var wg sync.WaitGroup
	for i := range copies {
		wg.Go(func() { answers[i] = w.post(t, message) })
	}
	wg.Wait()
	answered := 0
	for _, a := range answers {
		if a.StatusCode == http.StatusOK {
			answered++
			continue
		}
		wantReplayed(t, "a copy", a)
	}
	if n := w.Simulator.Counters().RequestsBegun; n != 1 || answered != 1 {
		t.Errorf("%d copies answered, %d requests at the Spine, want 1 and 1", answered, n)
	}
}
