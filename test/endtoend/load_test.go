package endtoend_test

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-OPS-19, WRD-OPS-07, WRD-RC-16: while the Spine is slow, what it cannot take is
// turned away without waiting for it, before it is read, and costs next to nothing; what
// was admitted is answered.
func TestSlowSpine(t *testing.T) {
	// Not in parallel: it counts the goroutines of the whole process. In this pattern a
	// connection is held until the answer comes.
	w, letGo := startHeld(t, stage.Options{Pattern: "sync", SpineSettings: "connections = 2\nwaiting = 2\n"})
	var admitted sync.WaitGroup
	for range 4 {
		admitted.Go(func() {
			c := w.dial(t, w.tls)
			c.send(t, whole(w.message(t, withPlan)))
			a := c.read(t)
			if a.StatusCode != http.StatusOK {
				t.Errorf("status %d of an admitted question", a.StatusCode)
			}
		})
	}
	await(t, "two questions are at the Spine", func() bool { return w.Simulator.Counters().RequestsRead == 2 })
	await(t, "all four are admitted", func() bool { return kinds(w.entries(t))[audit.Intent] == 4 })
	before := runtime.NumGoroutine()
	for range 100 {
		c := w.dial(t, w.tls)
		c.send(t, post(4000))
		a := c.read(t)
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Fatalf("status %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
		}
		c.Close()
	}
	await(t, "few goroutines more than before the flood", func() bool { return runtime.NumGoroutine() <= before+20 })
	letGo()
	admitted.Wait()
	if n := w.Simulator.Counters().RequestsRead; n != 4 {
		t.Errorf("%d questions reached the Spine, want 4", n)
	}
}

// TOM-DE-03b: what is over the budget of our ASID is turned away, and nothing of it
// reaches the Spine.
func TestOverTheBudget(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Ward: strings.ReplaceAll(`[[budgets]]
asid = "ASID"
per_second = 0.001
burst = 2
requested = 0.001
justification = "a test"
approved_by = "a tester"
approved_on = "2026-01-02"
`, "ASID", stage.ProviderASID)})
	asker := w.client(t)
	for range 2 {
		r := w.ask(t, asker, withPlan)
		if r.Answer.Outcome() != cpis.Found {
			t.Fatal(r.Cause)
		}
	}
	c := w.dial(t, w.tls)
	c.send(t, post(4000))
	w.turnedAway(t, c, "over the agreed rate of an ASID")
	if n := w.Simulator.Counters().RequestsRead; n != 2 {
		t.Errorf("%d questions reached the Spine, want 2", n)
	}
}
