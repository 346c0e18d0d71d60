package budget_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardsmsp/ward/internal/budget"
)

const ours, client, other = "200000000183", "200000000290", "200000000389"

// TOM-DE-03b: never more than the rate and the burst, and the rate in the long run.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := budget.Alone([]budget.Limit{{ASID: ours, PerSecond: 20, Burst: 5}})
		defer s.Close()
		admitted := 0
		for range 100 { // ten seconds
			for range 10 {
				if s.Spend(ours) == "" {
					admitted++
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if admitted < 5+20*10-3 || admitted > 5+20*10 {
			t.Errorf("%d in ten seconds, want 205", admitted)
		}
	})
}

// TOM-DE-03b: each ASID has a budget of its own, one without a limit has none, and one
// that stands twice pays once.
func TestEachASIDPaysForItself(t *testing.T) {
	s := budget.Alone([]budget.Limit{{ASID: ours, PerSecond: 0.001, Burst: 3}, {ASID: client, PerSecond: 0.001, Burst: 1}})
	defer s.Close()
	for i, c := range []struct {
		asids []string
		spent string
	}{
		{[]string{client, ours}, ""},
		{[]string{client, ours}, client},
		{[]string{other, ours}, ""},
		{[]string{ours, ours}, ""},
		{[]string{ours}, ours},
		{[]string{other}, ""},
		{nil, ""},
	} {
		if got := s.Spend(c.asids...); got != c.spent {
			t.Errorf("question %d of %v: %q is spent, want %q", i, c.asids, got, c.spent)
		}
	}
	left := s.Left()
	if len(left) != 2 || left[ours] >= 0.5 || left[client] >= 0.5 {
		t.Errorf("left %v", left)
	}
}
