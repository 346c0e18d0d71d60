package endtoend_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/stage"
)

// headerOnly sends the header of a request, and returns its status and how long that took.
func headerOnly(t *testing.T, address string, c *tls.Config) (status int, after string, took time.Duration) {
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		t.Error(err)
		return 0, "", 0
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	began := time.Now()
	io.WriteString(conn, post(4000))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Error(err)
		return 0, "", 0
	}
	response.Body.Close()
	return response.StatusCode, response.Header.Get("Retry-After"), time.Since(began)
}

// WRD-OPS-19, WRD-OPS-07, WRD-RC-16: while the Spine is slow, what it cannot take is
// turned away at once, before it is read, and costs next to nothing; what was admitted
// is answered.
func TestSlowSpine(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{Pattern: "sync"}) // a connection is held until the answer comes
	w.configure(t, "[spine]\n", "[spine]\nconnections = 2\nwaiting = 2\n")
	w.start(t)
	var admitted sync.WaitGroup
	for range 4 {
		admitted.Go(func() {
			c := w.dial(t, w.tls)
			c.send(t, whole(w.message(t, slow)))
			a := c.read(t)
			if a.StatusCode != http.StatusOK {
				t.Errorf("status %d of an admitted question", a.StatusCode)
			}
		})
	}
	await(t, "two questions are at the Spine", func() bool { return w.Simulator.Counters().RequestsRead == 2 })
	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	var slowest time.Duration
	for range 100 {
		status, after, took := headerOnly(t, w.Address, w.tls)
		if status != http.StatusServiceUnavailable || after == "" {
			t.Fatalf("status %d, Retry-After %q", status, after)
		}
		slowest = max(slowest, took)
	}
	if slowest > 500*time.Millisecond {
		t.Errorf("a question was turned away after %v", slowest)
	}
	if after := runtime.NumGoroutine(); after > before+20 {
		t.Errorf("%d goroutines, %d before the flood", after, before)
	}
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
