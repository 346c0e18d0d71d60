package endtoend_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// Every child of the cast and every behaviour of the simulator that a number can
// be bound to is asked about once. Client, wire, audit log and simulator must tell
// one story (WRD-SAF-04, WRD-SPN-07, WRD-RC-06, WRD-RC-13, WRD-AUD-04, WRD-AUD-05),
// and the operational log must tell nobody's (WRD-IGV-01).
func TestEveryChildTellsOneStory(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.2", "1.3"} {
		t.Run("TLS "+version, func(t *testing.T) {
			t.Parallel()
			w := start(t, stage.Options{Budget: 9 * time.Second, SpineTLS: version})
			children := w.Children(0)
			results := w.askAll(t, children)
			s := readStory(t, w)
			for i, child := range children {
				t.Run(child.NHSNumber+" "+string(child.Behaviour), func(t *testing.T) { s.check(t, child, results[i]) })
			}
			s.checkWhole(t, len(children))
			checkLog(t, w, children, results)
		})
	}
}

// askAll asks about each child once: about those whose answers are slow or never
// come all together, about the others some at a time. Over the asynchronous pattern
// many of these, too, wait for as long as they may.
func (w *ward) askAll(t *testing.T, children []spinesim.ChildView) []client.Result {
	t.Helper()
	c := w.client(t)
	results := make([]client.Result, len(children))
	turns := make(chan struct{}, 24)
	var all sync.WaitGroup
	for i, child := range children {
		if takesLong(child.Behaviour) {
			all.Go(func() { results[i] = w.ask(t, c, child.NHSNumber) })
		}
	}
	for i, child := range children {
		if takesLong(child.Behaviour) || answersAnother(child.Behaviour) {
			continue
		}
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			results[i] = w.ask(t, c, child.NHSNumber)
		})
	}
	all.Wait()
	for i, child := range children {
		if answersAnother(child.Behaviour) {
			results[i] = w.ask(t, c, child.NHSNumber)
		}
	}
	return results
}

// answersAnother reports whether the question before is answered: it must have had its
// own answer by then.
func answersAnother(b spinesim.Behaviour) bool {
	return b == "previous-answer" || b == spinesim.Late("previous-answer")
}

func takesLong(b spinesim.Behaviour) bool {
	switch b {
	case "delay", "stall-after-headers", "stall-in-body", "slow-drip", "never-answer", spinesim.Late("never-answer"):
		return true
	default:
		return false
	}
}

// story is what the simulator and the audit log saw.
type story struct {
	counters spinesim.Counters
	queries  map[string][]spinesim.Query // by query id
	entries  map[string][]audit.Entry    // by correlation
}

func readStory(t *testing.T, w *ward) story {
	t.Helper()
	s := story{counters: w.Simulator.Counters(), queries: map[string][]spinesim.Query{}, entries: map[string][]audit.Entry{}}
	for _, q := range w.Simulator.Received() {
		s.queries[q.QueryID] = append(s.queries[q.QueryID], q)
	}
	for _, e := range w.entries(t) {
		switch e.Kind {
		case audit.Discarded: // a second or late reply of the Spine, which changes nothing
		case audit.LookedUp: // what the directory said, which the first question needs
		default:
			s.entries[e.Correlation] = append(s.entries[e.Correlation], e)
		}
	}
	return s
}

func (s story) check(t *testing.T, child spinesim.ChildView, r client.Result) {
	told := code(r.Answer.Outcome())
	if told != child.Code {
		t.Errorf("%s, want %s (%v)", told, child.Code, r.Cause)
	}
	entries := s.entries[r.Correlation]
	if len(entries) != 2 || entries[0].Kind != audit.Intent || entries[1].Kind != audit.Outcome {
		t.Fatalf("the audit log holds %v", kinds(entries))
	}
	intent, outcome := entries[0], entries[1]
	if intent.NHSNumber != child.NHSNumber || intent.MessageID != r.MessageID || outcome.Code != told {
		t.Errorf("the log says %s, the client was told %s", outcome.Code, told)
	}
	notified := r.Answer.Notified().String()
	if outcome.Notified != notified || onTheWire(r.Raw) != notified {
		t.Errorf("notified: %q in the log, %q on the wire, %q by the SDK", outcome.Notified, onTheWire(r.Raw), notified)
	}
	s.checkOnce(t, intent, outcome)
	if told == "SMSP-0004" || !slices.Equal(outcome.SpineMessageIDs, intent.SpineMessageIDs[:1]) {
		t.Errorf("%s with the ids %v of %v: this child needs no second attempt", told, outcome.SpineMessageIDs, intent.SpineMessageIDs)
	}
}

// checkOnce holds what was told of one question against what reached the Spine.
func (s story) checkOnce(t *testing.T, intent, outcome audit.Entry) {
	t.Helper()
	read := s.queries[intent.QueryID]
	if len(read) > 1 {
		t.Errorf("the question reached the Spine %d times", len(read))
	}
	notifications := 0
	for _, q := range read {
		notifications += q.Notifications
		if !slices.Contains(outcome.SpineMessageIDs, q.HL7ID) || strings.TrimPrefix(q.MessageID, "uuid:") != q.HL7ID || q.NHSNumber != intent.NHSNumber {
			t.Errorf("the Spine read %s, the log says %v", q.HL7ID, outcome.SpineMessageIDs)
		}
	}
	if outcome.Notified == "no" && notifications > 0 {
		t.Errorf("%s says that nobody was notified; the Spine made %d notifications", outcome.Outcome, notifications)
	}
	if outcome.Notified == "yes" && notifications == 0 {
		t.Errorf("%s says that somebody was notified; the Spine made no notification", outcome.Outcome)
	}
	if outcome.Code == "SMSP-0004" && len(read) > 0 {
		t.Error("SMSP-0004 although the Spine read the question")
	}
}

// checkWhole is what holds for all questions together.
func (s story) checkWhole(t *testing.T, questions int) {
	t.Helper()
	ids := map[string]bool{}
	for _, same := range s.queries {
		for _, q := range same {
			if ids[q.HL7ID] {
				t.Errorf("the id %s was used twice", q.HL7ID)
			}
			ids[q.HL7ID] = true
			if q.Refusal != "" {
				t.Errorf("the Spine refused a question: %s", q.Refusal)
			}
		}
	}
	if s.counters.Duplicates != 0 || s.counters.RequestsBegun != int64(questions) || s.counters.RequestsRead != int64(questions) {
		t.Errorf("%d duplicates, %d questions begun and %d read; want 0, %d, %d", s.counters.Duplicates,
			s.counters.RequestsBegun, s.counters.RequestsRead, questions, questions)
	}
}

// checkLog searches the operational log for what must not be in it, and for what
// must: one line for each question, with the correlation of its answer.
func checkLog(t *testing.T, w *ward, children []spinesim.ChildView, results []client.Result) {
	t.Helper()
	lines := w.logged(t, "question.answered", len(results))
	text := strings.ToLower(w.log.String())
	for _, child := range children {
		planted := []string{child.NHSNumber, child.Family}
		for _, r := range child.Records {
			planted = append(planted, r.AuthorityName, r.LocalID, strings.TrimPrefix(r.OfficeHours, "tel:"), strings.TrimPrefix(r.EmergencyDuty, "tel:"))
		}
		for _, secret := range planted {
			if secret != "" && strings.Contains(text, strings.ToLower(secret)) {
				t.Errorf("the log holds %q", secret)
			}
		}
	}
	for _, secret := range []string{"Hartley", stage.AuditIdentity, "CP-ISQueryStub", "<soap"} {
		if strings.Contains(text, strings.ToLower(secret)) {
			t.Errorf("the log holds %q", secret)
		}
	}
	logged := map[string]bool{}
	for _, line := range lines {
		logged[line["correlation"].(string)] = true
		at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
		if err != nil || at.Location() != time.UTC {
			t.Errorf("the time %v is not in UTC (WRD-OPS-10)", line["time"])
		}
	}
	for _, r := range results {
		if !logged[r.Correlation] {
			t.Errorf("no log line for the question %s", r.Correlation)
		}
	}
	if len(logged) != len(results) {
		t.Errorf("%d log lines for %d questions", len(logged), len(results))
	}
}

// WRD-SAF-05, H-05: each question asks the Spine anew.
func TestNoAnswerIsKept(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	c := w.client(t)
	for range 3 {
		r := w.ask(t, c, withPlan)
		if r.Answer.Outcome() != cpis.Found {
			t.Fatal(r.Cause)
		}
	}
	err := w.Simulator.Play(spinesim.Script{NHSNumber: withPlan, Steps: []spinesim.Step{{Behaviour: "not-found"}}})
	if err != nil {
		t.Fatal(err)
	}
	r := w.ask(t, c, withPlan)
	if n := w.Simulator.Counters().ByNumber[withPlan]; r.Answer.Outcome() != cpis.NoRecord || n != 4 {
		t.Errorf("%s after the record went; the Spine was asked %d times, want 4", r.Answer.Outcome(), n)
	}
}
