package endtoend_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// interleaved is how many questions TestInterleavedAnswersAreNotMixedUp asks, from
// the environment.
func interleaved(t *testing.T) int {
	t.Helper()
	s := os.Getenv("WARD_INTERLEAVED")
	if s == "" && testing.Short() {
		return 500
	}
	if s == "" {
		return 2000
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("WARD_INTERLEAVED is %q, not a number of questions", s)
	}
	return n
}

// H-16, WRD-RC-17: many questions about as many children over 64 connections; each
// answer is about the child that was asked about, in every part that the number
// determines.
func TestInterleavedAnswersAreNotMixedUp(t *testing.T) {
	t.Parallel()
	n := interleaved(t)
	w := start(t, stage.Options{Generate: n})
	known := map[string]bool{}
	var numbers []string
	for _, child := range w.Children(0) {
		if strings.HasPrefix(child.Situation, "generated") {
			numbers = append(numbers, child.NHSNumber)
			known[child.NHSNumber] = true
		}
	}
	if len(known) != n {
		t.Fatalf("%d generated children, want %d", len(known), n)
	}
	c := w.client(t)
	began := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !t.Failed(); i = next.Add(1) - 1 {
				child, _ := w.Simulator.Child(numbers[i])
				compare(t, child, w.ask(t, c, child.NHSNumber))
			}
		})
	}
	all.Wait()
	t.Logf("%d questions in %s", n, time.Since(began).Round(time.Millisecond))
	counters := w.Simulator.Counters()
	if counters.RequestsRead != int64(n) || counters.Duplicates != 0 || counters.Notifications != int64(n) {
		t.Errorf("%d questions read, %d duplicates, %d notifications; want %d, 0, %d",
			counters.RequestsRead, counters.Duplicates, counters.Notifications, n, n)
	}
}

// compare holds an answer against the child that was asked about.
func compare(t *testing.T, child spinesim.ChildView, r client.Result) {
	for _, difference := range stage.Differences(child, r) {
		t.Error(difference)
	}
}
