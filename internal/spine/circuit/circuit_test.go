package circuit_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/spine/circuit"
)

const pause = 10 * time.Second

// rig is a circuit in a bubble of time, and a Spine that can be reached or not.
type rig struct {
	*circuit.Breaker
	down    atomic.Bool
	probes  atomic.Int64
	changes []circuit.State
}

// within runs a test in a bubble, where time passes only while everybody waits.
func within(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{}
		r.Breaker = circuit.New(circuit.Config{
			Failures: 3,
			Pause:    pause,
			Probe: func(context.Context) error {
				r.probes.Add(1)
				if r.down.Load() {
					return errors.New("refused")
				}
				return nil
			},
			OnChange: func(s circuit.State) { r.changes = append(r.changes, s) },
		})
		defer r.Close()
		test(t, r)
	})
}

// ask asks one question, if it is let through, and reports whether it was.
func (r *rig) ask(result circuit.Result) bool {
	done, ok := r.Allow()
	if ok {
		done(result)
	}
	return ok
}

func (r *rig) fails(times int) {
	for range times {
		r.ask(circuit.Failed)
	}
}

// pass lets time pass, and what is due by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) is(t *testing.T, want circuit.State) {
	t.Helper()
	if got := r.State(); got != want {
		t.Fatalf("the circuit is %s, want %s", got, want)
	}
}

// WRD-OPS-17: only failures in a row open the circuit.
func TestOpensAfterFailuresInARow(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.fails(2)
		r.ask(circuit.Answered)
		r.fails(2)
		r.ask(circuit.Neither)
		r.is(t, circuit.Closed)
		r.fails(1)
		r.is(t, circuit.Open)
		if r.ask(circuit.Answered) {
			t.Error("an open circuit let a question through")
		}
	})
}

// WRD-OPS-17, H-03: while the Spine is out of reach it is probed once in each pause, and
// no question is let through.
func TestStaysOpenWhileOutOfReach(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.down.Store(true)
		r.fails(3)
		for i := range int64(5) {
			if r.probes.Load() != i || r.ask(circuit.Answered) {
				t.Fatalf("after %d pauses: %d probes", i, r.probes.Load())
			}
			pass(pause)
		}
		r.down.Store(false)
		pass(pause)
		r.is(t, circuit.HalfOpen)
		pass(10 * pause)
		if r.probes.Load() != 6 {
			t.Errorf("%d probes, want none after the one that succeeded", r.probes.Load())
		}
	})
}

// WRD-OPS-17: a handshake closes nothing. Real questions do, one at a time.
func TestReopensWithOneQuestionAtATime(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.fails(3)
		pass(pause)
		first, ok := r.Allow()
		if !ok {
			t.Fatal("a half-open circuit let nothing through")
		}
		if r.ask(circuit.Answered) {
			t.Fatal("a half-open circuit let a second question through")
		}
		first(circuit.Neither)
		r.is(t, circuit.HalfOpen)
		second, ok := r.Allow()
		if !ok {
			t.Fatal("the next question was not let through")
		}
		second(circuit.Answered)
		r.is(t, circuit.Closed)
		want := []circuit.State{circuit.Open, circuit.HalfOpen, circuit.Closed}
		if !slices.Equal(r.changes, want) {
			t.Errorf("changes %v, want %v", r.changes, want)
		}
	})
}

// WRD-OPS-17: one failure opens a half-open circuit again, for a whole pause.
func TestFailureWhileHalfOpen(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.fails(3)
		pass(pause)
		r.fails(1)
		r.is(t, circuit.Open)
		pass(pause - time.Second)
		r.is(t, circuit.Open)
		pass(time.Second)
		r.is(t, circuit.HalfOpen)
	})
}

// A question from before the circuit changed says nothing about the Spine of now.
func TestStragglersDoNotCount(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		good, _ := r.Allow()
		bad, _ := r.Allow()
		r.fails(3)
		good(circuit.Answered)
		r.is(t, circuit.Open)
		pass(pause)
		bad(circuit.Failed)
		r.is(t, circuit.HalfOpen)
		first, ok := r.Allow()
		if !ok {
			t.Fatal("no question was let through")
		}
		good(circuit.Answered)
		r.is(t, circuit.HalfOpen)
		first(circuit.Answered)
		first(circuit.Failed)
		r.is(t, circuit.Closed)
	})
}

// Close ends a circuit in any state, and one that was closed begins no probe.
func TestClose(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.down.Store(true)
		r.fails(3)
		r.Close()
		pass(10 * pause)
		if r.probes.Load() != 0 {
			t.Errorf("%d probes after the end", r.probes.Load())
		}
	})
	within(t, func(t *testing.T, r *rig) {
		r.Close()
		r.fails(3)
		pass(10 * pause)
		if r.probes.Load() != 0 {
			t.Errorf("%d probes after the end", r.probes.Load())
		}
	})
}

// Without a number of failures nothing opens the circuit.
func TestNeverOpens(t *testing.T) {
	b := circuit.New(circuit.Config{})
	defer b.Close()
	for range 100 {
		done, ok := b.Allow()
		if !ok {
			t.Fatal("opened")
		}
		done(circuit.Failed)
	}
}

// WRD-OPS-17, as a property: whatever happens in whatever order, an open circuit lets
// nothing through, a half-open one at most one question, and only an answer closes it.
func TestNeverMoreThanOneWhileHalfOpen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		within(t, func(t *testing.T, r *rig) {
			var under []func(circuit.Result)
			alone := 0 // let through since the circuit is half open, and not ended
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				before := r.State()
				if before != circuit.HalfOpen {
					alone = 0
				}
				switch rapid.IntRange(0, 3).Draw(rt, "step") {
				case 0, 1:
					done, ok := r.Allow()
					if ok && before == circuit.Open {
						rt.Fatal("an open circuit let a question through")
					}
					if ok && before == circuit.HalfOpen {
						alone++
						inner := done
						done = func(x circuit.Result) { alone--; inner(x) }
					}
					if alone > 1 {
						rt.Fatal("two questions at a time while half open")
					}
					if ok {
						under = append(under, done)
					}
				case 2:
					if len(under) == 0 {
						continue
					}
					i := rapid.IntRange(0, len(under)-1).Draw(rt, "which")
					result := circuit.Result(rapid.IntRange(0, 2).Draw(rt, "result"))
					under[i](result)
					under = slices.Delete(under, i, i+1)
					if before != circuit.Closed && r.State() == circuit.Closed && (before != circuit.HalfOpen || result != circuit.Answered) {
						rt.Fatalf("%s became closed without an answer", before)
					}
				case 3:
					r.down.Store(rapid.Bool().Draw(rt, "down"))
					pass(pause)
				}
			}
		})
	})
}
