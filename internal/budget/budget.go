// Package budget bounds how many questions a second are asked under an ASID, as was
// agreed for it, by all instances of the provider together (TOM-DE-03b).
package budget

import (
	"slices"

	"golang.org/x/time/rate"
)

// Limit is what was agreed for an ASID: in no second are more than PerSecond + Burst
// questions admitted under it, and PerSecond in the long run.
type Limit struct {
	ASID      string
	PerSecond float64 // more than 0
	Burst     int     // at least 1
}

// Set is the budgets of all ASIDs that have one. It is safe for concurrent use.
type Set struct {
	budgets map[string]budget
	close   func()
}

// budget is that of one ASID.
type budget interface {
	spend() bool
	left() float64 // what is known of it
}

// Alone returns the budgets of a provider of which there is one instance.
func Alone(limits []Limit) *Set {
	s := &Set{budgets: map[string]budget{}, close: func() {}}
	for _, l := range limits {
		s.budgets[l.ASID] = alone{rate.NewLimiter(rate.Limit(l.PerSecond), l.Burst)}
	}
	return s
}

// alone is a budget in memory.
type alone struct{ limiter *rate.Limiter }

func (a alone) spend() bool   { return a.limiter.Allow() }
func (a alone) left() float64 { return max(0, a.limiter.Tokens()) }

// Spend takes one question from the budget of each ASID that has one, and returns ""; or
// the first ASID whose budget is spent, and then the question must not be asked. An ASID
// that stands twice is one.
func (s *Set) Spend(asids ...string) (spent string) {
	for i, asid := range asids {
		b, ok := s.budgets[asid]
		if !ok || slices.Contains(asids[:i], asid) {
			continue
		}
		if !b.spend() {
			return asid
		}
	}
	return ""
}

// Left is how many questions each budget has left, as far as this instance knows.
func (s *Set) Left() map[string]float64 {
	left := map[string]float64{}
	for asid, b := range s.budgets {
		left[asid] = b.left()
	}
	return left
}

// Close lets the database go, if there is one. Nothing may be spent after it.
func (s *Set) Close() { s.close() }
