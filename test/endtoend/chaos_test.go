package endtoend_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// chaos disturbs 30 of each hundred replies, and delays more of them, some for too long.
func chaos(tooLong time.Duration) func(*spinesim.Config) {
	return func(c *spinesim.Config) {
		c.Chaos = spinesim.Chaos{
			Seed:      uint64(time.Now().UnixNano()),
			Duplicate: 6, Reorder: 6, Lose: 6, FlipBits: 4, WrongReference: 4, TruncateMIME: 2, OtherBoundary: 2,
			HoldFor: 5, HoldAtMost: 300 * time.Millisecond,
			Delays: []spinesim.DelayShare{{Share: 20, Delay: 100 * time.Millisecond}, {Share: 5, Delay: tooLong}},
		}
	}
}

// WRD-SPN-17, WRD-SPN-07, WRD-RC-07, H-16, H-22: the Spine delays, duplicates, reorders,
// loses and corrupts its replies while many connections ask. Every question ends in time,
// in exactly one recorded outcome; no child's answer reaches another's question; nothing is
// asked twice. A few outcomes may come to be recorded too late on a busy machine: whoever
// asked is then told that, and nothing else.
func TestChaoticReplies(t *testing.T) {
	t.Parallel()
	questions, connections, budget := 800, 128, 6*time.Second
	if testing.Short() { // races are looked for, which makes everything slow
		questions, connections, budget = 128, 32, 12*time.Second
	}
	// A reply that is kept back for the whole budget is too late for certain: a part of it
	// is kept for recording.
	w := start(t, stage.Options{Pattern: "async", Budget: budget, Generate: questions, Simulator: chaos(budget)})
	var children []spinesim.ChildView
	for _, child := range w.Children(0) {
		if strings.HasPrefix(child.Situation, "generated") {
			children = append(children, child)
		}
	}
	c := w.client(t)
	results := make([]client.Result, len(children))
	var next atomic.Int64
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(children)); i = next.Add(1) - 1 {
				began := time.Now()
				results[i] = w.ask(t, c, children[i].NHSNumber)
				if took := time.Since(began); took > 2*budget {
					t.Errorf("%s: the answer took %v", children[i].NHSNumber, took)
				}
			}
		})
	}
	all.Wait()
	await(t, "the simulator has ended its replies", func() bool { return w.Simulator.PendingReplies() == 0 })

	replies := map[string]spinesim.Reply{} // by the id of our message
	for _, r := range w.Simulator.Replies() {
		replies[r.QuestionID] = r
	}
	entries := map[string][]audit.Entry{} // by correlation
	discarded := map[string]int{}         // by reason
	for _, e := range w.entries(t) {
		if e.Kind == audit.Discarded {
			discarded[e.Reason]++
			continue
		}
		entries[e.Correlation] = append(entries[e.Correlation], e)
	}
	outcomes := map[cpis.Outcome]int{}
	for i, child := range children {
		outcomes[results[i].Answer.Outcome()]++ // as the client was told
		checkChaotic(t, child, results[i], entries[results[i].Correlation], replies)
	}
	counters := w.Simulator.Counters()
	if counters.RequestsRead != int64(questions) || counters.Processed != int64(questions) || counters.ProcessedAgain != 0 || counters.Duplicates != 0 {
		t.Errorf("%d questions were read, %d processed, %d of them again, %d duplicates; want %d, %d, 0, 0",
			counters.RequestsRead, counters.Processed, counters.ProcessedAgain, counters.Duplicates, questions, questions)
	}
	for number, times := range counters.ByNumber {
		if times != 1 {
			t.Errorf("%s was asked about %d times", number, times)
		}
	}
	if outcomes[cpis.AuditFailedAfter] > questions/10 {
		t.Errorf("%d outcomes were not recorded in time", outcomes[cpis.AuditFailedAfter])
	}
	t.Logf("outcomes %v; disturbed %v; discarded %v", outcomes, counters.RepliesByChaos, discarded)
	if outcomes[cpis.Found] < questions/2 || outcomes[cpis.Found] == questions || len(discarded) < 3 {
		t.Errorf("this was no chaos: outcomes %v, discarded %v", outcomes, discarded)
	}
}

// checkChaotic holds one answer against what became of the reply to its question.
func checkChaotic(t *testing.T, child spinesim.ChildView, r client.Result, entries []audit.Entry, replies map[string]spinesim.Reply) {
	t.Helper()
	n := kinds(entries)
	if r.Answer.Outcome() == cpis.AuditFailedAfter && n[audit.Intent] == 1 && n[audit.Outcome] <= 1 && r.Answer.Notified() != cpis.NotifiedNo {
		t.Logf("%s: the machine was too busy to record the outcome in time", child.NHSNumber)
		return
	}
	if len(entries) != 2 || entries[0].Kind != audit.Intent || entries[1].Kind != audit.Outcome {
		t.Errorf("%s: the audit log holds %v", child.NHSNumber, n)
		return
	}
	outcome := entries[1]
	if outcome.Code != code(r.Answer.Outcome()) || outcome.NHSNumber != child.NHSNumber || len(outcome.SpineMessageIDs) != 1 {
		t.Errorf("%s: the log says %s, the client was told %s", child.NHSNumber, outcome.Outcome, r.Answer.Outcome())
		return
	}
	reply := replies[outcome.SpineMessageIDs[0]]
	harmless := reply.Delay < time.Second && (reply.Chaos == spinesim.Undisturbed || reply.Chaos == spinesim.Duplicate || reply.Chaos == spinesim.Reorder)
	ended, err := cpis.ParseOutcome(outcome.Outcome)
	if err != nil {
		t.Errorf("%s: %v", child.NHSNumber, err)
	}
	switch ended {
	case cpis.Found:
		compare(t, child, r)
		if !harmless {
			t.Errorf("%s: found, although the reply met %q and %v", child.NHSNumber, reply.Chaos, reply.Delay)
		}
	case cpis.AsyncNoReply, cpis.AsyncNotAcked, cpis.ResponseInvalid:
		if harmless {
			t.Errorf("%s: %s (%s), although nothing was wrong with the reply", child.NHSNumber, ended, outcome.Reason)
		}
		if r.Answer.Notified() != cpis.NotifiedMaybe {
			t.Errorf("%s: notified %s", child.NHSNumber, r.Answer.Notified())
		}
	default:
		t.Errorf("%s: %s (%s)", child.NHSNumber, ended, outcome.Reason)
	}
}
