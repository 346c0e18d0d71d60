package spinesim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

func TestScriptsAreQueues(t *testing.T) {
	type step = spinesim.Step
	const stored = spinesim.AsStored
	tests := []struct {
		name    string
		script  spinesim.Script
		numbers []string // asked about, in order; 9990000042 if empty
		want    []spinesim.Behaviour
	}{
		{"next call", steps("fault-200"), nil, []spinesim.Behaviour{"fault-200", stored}},
		{"next three calls", spinesim.Script{Steps: []step{{Behaviour: "mcci-ae", Times: 3}}}, nil,
			[]spinesim.Behaviour{"mcci-ae", "mcci-ae", "mcci-ae", stored}},
		{"a sequence", steps("fault-200", "fault-206", "found"), nil,
			[]spinesim.Behaviour{"fault-200", "fault-206", "found", stored}},
		{"every call", spinesim.Script{Steps: []step{{Behaviour: "http-502", Every: true}}}, nil,
			[]spinesim.Behaviour{"http-502", "http-502", "http-502", "http-502"}},
		{"one, then every call", spinesim.Script{Steps: []step{{Behaviour: "found"}, {Behaviour: "http-502", Every: true}}}, nil,
			[]spinesim.Behaviour{"found", "http-502", "http-502"}},
		{"a repeated sequence", spinesim.Script{Repeat: true, Steps: []step{{Behaviour: "fault-200", Times: 2}, {Behaviour: "found"}}}, nil,
			[]spinesim.Behaviour{"fault-200", "fault-200", "found", "fault-200", "fault-200", "found"}},
		{"one number", spinesim.Script{NHSNumber: "9990000026", Steps: []step{{Behaviour: "fault-200"}}},
			[]string{"9990000042", "9990000026", "9990000026"},
			[]spinesim.Behaviour{stored, "fault-200", stored}},
		{"a script comes before a bound number", steps("fault-200"), []string{"9990000328", "9990000328"},
			[]spinesim.Behaviour{"fault-200", "found-harness-shape"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil)
			c := newClient(t)
			play(t, s, tt.script)
			var got []spinesim.Behaviour
			for i := range tt.want {
				number := "9990000042"
				if tt.numbers != nil {
					number = tt.numbers[i]
				}
				ask(t, s, c, query{number: number})
				received := s.Received()
				got = append(got, received[len(received)-1].Behaviour)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheScriptForANumberComesBeforeTheGeneralOne(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	play(t, s, steps("fault-206"))
	play(t, s, spinesim.Script{NHSNumber: "9990000026", Steps: []spinesim.Step{{Behaviour: "mcci-ae"}}})
	for _, want := range []string{mcci, "fault", repc} {
		if got := ask(t, s, c, query{number: "9990000026"}).kind(); got != want {
			t.Errorf("answered by %s, want %s", got, want)
		}
	}
}

func TestAScriptReplacesTheOneBefore(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	play(t, s, steps("fault-200", "fault-200"))
	play(t, s, steps("mcci-ae"))
	if got := ask(t, s, c, query{}).kind(); got != mcci {
		t.Errorf("answered by %s", got)
	}
	play(t, s, steps("fault-200"))
	play(t, s, spinesim.Script{})
	if got := ask(t, s, c, query{}).kind(); got != repc {
		t.Errorf("after an empty script answered by %s", got)
	}
}

func TestImpossibleScriptsAreRefused(t *testing.T) {
	s := start(t, nil)
	for name, script := range map[string]spinesim.Script{
		"unknown behaviour":    steps("explode"),
		"negative times":       {Steps: []spinesim.Step{{Behaviour: "found", Times: -1}}},
		"negative delay":       {Steps: []spinesim.Step{{Behaviour: "found", Delay: -1}}},
		"handshake for number": {NHSNumber: "9990000026", Steps: []spinesim.Step{{Behaviour: "tls-handshake-failure"}}},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Play(script)
			if err == nil {
				t.Error("accepted")
			}
		})
	}
}

// Reset forgets what happened and plays the configured scripts anew.
func TestResetBeginsAnew(t *testing.T) {
	s := start(t, func(c *spinesim.Config) { c.Scripts = []spinesim.Script{steps("fault-206")} })
	c := newClient(t)
	q := query{hl7ID: newID(), number: "9990000255"}
	for range 2 {
		if got := ask(t, s, c, query{number: "9990000255"}).kind(); got != "fault" {
			t.Errorf("the first query is answered by %s", got)
		}
		r := ask(t, s, c, q)
		if got := len(r.accesses()); r.kind() != repc || got != 1 {
			t.Errorf("answered by %s with %d accesses", r.kind(), got)
		}
		if n := s.Counters(); n.Processed != 1 || n.Notifications != 1 || len(s.Received()) != 2 {
			t.Errorf("counters %+v", n)
		}
		err := s.Reset()
		if err != nil {
			t.Fatal(err)
		}
		if n := s.Counters(); n.Processed != 0 || n.Connections != 0 || len(n.ByNumber) != 0 || len(s.Received()) != 0 || len(s.Notifications()) != 0 {
			t.Errorf("after a reset: %+v", n)
		}
	}
}

// The same seed makes the same message ids; no seed makes others each time.
func TestSeedFixesMessageIDs(t *testing.T) {
	id := func(seed uint64) string {
		s := start(t, func(c *spinesim.Config) { c.Seed = seed })
		return ask(t, s, newClient(t), query{}).text("MessageID")
	}
	if a, b := id(7), id(7); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := id(7), id(8); a == b {
		t.Errorf("two seeds give %s", a)
	}
	if a, b := id(0), id(0); a == b {
		t.Errorf("without a seed twice %s", a)
	}
}
