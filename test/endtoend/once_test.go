package endtoend_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// check holds one question, as the audit log and the simulator saw it, against what
// its client was told.
func (w *ward) check(t *testing.T, r client.Result) (intent, outcome audit.Entry, queries []spinesim.Query) {
	t.Helper()
	s := readStory(t, w)
	entries := s.entries[r.Correlation]
	if len(entries) != 2 || entries[0].Kind != audit.Intent || entries[1].Kind != audit.Outcome {
		t.Fatalf("the audit log holds %v for %q", kinds(entries), r.Correlation)
	}
	intent, outcome = entries[0], entries[1]
	s.checkOnce(t, intent, outcome)
	if s.counters.Duplicates != 0 {
		t.Error("an id reached the Spine twice (AR 202)")
	}
	if n := r.Answer.Notified().String(); n != outcome.Notified || n != onTheWire(r.Raw) || code(r.Answer.Outcome()) != outcome.Code {
		t.Errorf("SDK %s %s, log %s %s, wire %s", code(r.Answer.Outcome()), n, outcome.Code, outcome.Notified, onTheWire(r.Raw))
	}
	return intent, outcome, s.queries[intent.QueryID]
}

// D5: failures of the connection itself, at each stage, once and for ever. Only what
// fails before the first byte is followed by a second attempt, under another id.
func TestConnectionFailuresAskAtMostOnce(t *testing.T) {
	t.Parallel()
	for _, b := range spinesim.Behaviours() {
		if b.Stage == "reply" {
			continue
		}
		for _, every := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s every=%t", b.Name, every), func(t *testing.T) {
				t.Parallel()
				beforeTheQuestion := b.Stage == "accept"
				budget, connect := 4500*time.Millisecond, 4*time.Second // until a question counts as lost
				if beforeTheQuestion {
					budget, connect = 20*time.Second, 2*time.Second
				}
				w := set(t, stage.Options{Budget: budget, Simulator: func(c *spinesim.Config) {
					c.Scripts = []spinesim.Script{{Steps: []spinesim.Step{{Behaviour: b.Name, Every: every}}}}
				}})
				w.connectWithin(t, budget, connect)
				w.start(t)
				r := w.ask(t, w.client(t), withPlan)
				intent, outcome, queries := w.check(t, r)
				begun := w.Simulator.Counters().RequestsBegun
				switch {
				case beforeTheQuestion && every:
					if outcome.Outcome != "not_sent" || outcome.Notified != "no" || begun != 0 || len(outcome.SpineMessageIDs) != 2 {
						t.Errorf("%s, notified %s, ids %v, %d requests begun", outcome.Outcome, outcome.Notified, outcome.SpineMessageIDs, begun)
					}
				case beforeTheQuestion:
					if outcome.Outcome != "found" || begun != 1 || len(queries) != 1 || queries[0].HL7ID != intent.SpineMessageIDs[1] {
						t.Errorf("%s, %d requests begun, queries %v of ids %v", outcome.Outcome, begun, queries, intent.SpineMessageIDs)
					}
				default:
					if outcome.Outcome != w.lost() || outcome.Notified != "maybe" || begun != 1 || len(outcome.SpineMessageIDs) != 1 {
						t.Errorf("%s, notified %s, ids %v, %d requests begun", outcome.Outcome, outcome.Notified, outcome.SpineMessageIDs, begun)
					}
				}
				if string(b.Code) != code(r.Answer.Outcome()) && (every || !beforeTheQuestion) {
					t.Errorf("%s, want %s", code(r.Answer.Outcome()), b.Code)
				}
			})
		}
	}
}

// connectWithin gives a connection to the Spine another time than a third of the budget.
func (w *ward) connectWithin(t *testing.T, budget, limit time.Duration) {
	t.Helper()
	w.configure(t, fmt.Sprintf("connect_timeout = \"%v\"", budget/3), fmt.Sprintf("connect_timeout = \"%v\"", limit))
}

// WRD-RC-06: a port where nobody listens.
func TestRefusedPortAsksNothing(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	w.Simulator.Close(t.Context())
	r := w.ask(t, w.client(t), withPlan)
	_, outcome, queries := w.check(t, r)
	if outcome.Code != "SMSP-0004" || outcome.Notified != "no" || len(queries) != 0 {
		t.Errorf("%s, notified %s, %d queries", outcome.Code, outcome.Notified, len(queries))
	}
}

// The network fails after each of some numbers of bytes of the question or of the
// reply. Whatever happens, the question is asked once, and "no" and SMSP-0004 are
// never said of a question that the Spine read.
func TestNetworkFailuresAskAtMostOnce(t *testing.T) {
	t.Parallel()
	// All three at a time, whatever else runs: they wait for replies that do not come.
	var all sync.WaitGroup
	for _, how := range []string{"reset", "close", "stall"} {
		all.Go(func() { t.Run(how, func(t *testing.T) { failOneWay(t, how) }) })
	}
	all.Wait()
}

func failOneWay(t *testing.T, how string) {
	const budget = 4500 * time.Millisecond
	w := set(t, stage.Options{Budget: budget})
	p := throughProxy(t, w)
	w.connectWithin(t, budget, 4*time.Second)
	if how == "stall" {
		w.configure(t, "connect_timeout", "first_byte_timeout = \"300ms\"\nconnect_timeout")
	}
	w.start(t)
	c := w.client(t)
	const whole = 1 << 20 // more than a record holds
	var cuts []cut
	for _, n := range []int{0, 1, 5, 6, 1000, whole} {
		cuts = append(cuts, cut{question: n, reply: -1, how: how})
	}
	cuts = append(cuts, cut{question: -1, reply: 0, how: how}, cut{question: -1, reply: 200, how: how})
	for _, plan := range cuts {
		t.Run(fmt.Sprintf("%+v", plan), func(t *testing.T) {
			p.next(plan)
			r := w.ask(t, c, withPlan)
			met := p.next(uncut)
			p.hangUp(false)
			await(t, "the cut connection is gone", func() bool { return p.connections() == 0 })
			_, outcome, queries := w.check(t, r)
			// After a question that came through whole the reply can be faster than the
			// failure, or take another way.
			unknown := outcome.Outcome == w.lost() && outcome.Notified == "maybe"
			came := plan.question == whole || plan.question < 0 && w.Pattern == "async"
			if answered := outcome.Outcome == "found" && came; !unknown && !answered {
				t.Errorf("%s, notified %s", outcome.Outcome, outcome.Notified)
			}
			if len(outcome.SpineMessageIDs) != 1 {
				t.Errorf("ids %v, want one", outcome.SpineMessageIDs)
			}
			// What the Spine remembers of a question that came through is there before
			// its reply; of another one, perhaps later. On a busy machine the time for a
			// reply can be over before it comes to the failure.
			if plan.question < 0 && met && len(queries) != 1 {
				t.Errorf("read %d times although the question came through", len(queries))
			}
		})
	}
	await(t, "the Spine remembers all that it read", func() bool {
		return w.Simulator.Counters().RequestsRead == int64(len(w.Simulator.Received()))
	})
	s := readStory(t, w)
	for _, entries := range s.entries {
		if len(entries) == 2 && entries[0].Kind == audit.Intent {
			s.checkOnce(t, entries[0], entries[1])
		}
	}
	// Afterwards all is well, though a reply may be too slow once or twice.
	for tries := 1; w.ask(t, c, withPlan).Answer.Outcome() != cpis.Found; tries++ {
		if tries == 5 {
			t.Fatal("nothing is found any more")
		}
	}
}

// A connection that the Spine has given up between two questions costs no question.
func TestIdleConnectionClosedByTheSpine(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset=%t", reset), func(t *testing.T) {
			t.Parallel()
			w := set(t, stage.Options{})
			p := throughProxy(t, w)
			w.start(t)
			c := w.client(t)
			var ids []string
			for range 3 {
				r := w.ask(t, c, withPlan)
				_, outcome, queries := w.check(t, r)
				if outcome.Outcome != "found" || len(outcome.SpineMessageIDs) != 1 || len(queries) != 1 {
					t.Fatalf("%s with %d attempts, %d queries", outcome.Outcome, len(outcome.SpineMessageIDs), len(queries))
				}
				ids = append(ids, queries[0].HL7ID)
				p.hangUp(reset)
				await(t, "the connections are gone", func() bool { return p.connections() == 0 })
			}
			slices.Sort(ids)
			if n := w.Simulator.Counters().Connections; n != 3 || len(slices.Compact(ids)) != 3 {
				t.Errorf("%d connections for %d ids, want 3 for 3", n, len(ids))
			}
		})
	}
}

// WRD-SPN-17, H-16: a reply that comes unasked after the one that was asked for is
// nobody's answer. It can come when the next question is already on its way: that one then
// ends without an answer.
func TestUnaskedReplyIsNobodysAnswer(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Simulator: func(c *spinesim.Config) {
		c.Scripts = []spinesim.Script{{Steps: []spinesim.Step{{Behaviour: "found-twice"}, {Behaviour: spinesim.AsStored}}, Repeat: true}}
	}})
	c := w.client(t)
	late := 0
	for i := range 100 {
		number, want := withPlan, cpis.Found
		if i%2 == 1 {
			number, want = withoutRecord, cpis.NoRecord
		}
		r := w.ask(t, c, number)
		switch {
		case r.Answer.Outcome() == want:
		case want == cpis.NoRecord && r.Answer.Outcome() == cpis.ResponseInvalid:
			late++
		default:
			t.Fatalf("question %d: %s, want %s", i, r.Answer.Outcome(), want)
		}
	}
	if late == 50 {
		t.Error("an unasked reply cost each next question its answer")
	}
	if n := w.Simulator.Counters().RequestsRead; n != 100 {
		t.Errorf("%d questions were read, want 100", n)
	}
}
