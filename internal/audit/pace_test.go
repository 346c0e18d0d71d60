package audit

import (
	"testing"
	"time"
)

// A log waits for company only while entries come so fast that some is likely to
// come in time.
func TestPace(t *testing.T) {
	tests := []struct {
		name   string
		groups int
		each   int
		every  time.Duration
		least  float64 // within a millisecond
		most   float64
	}{
		{"nothing yet", 0, 0, 0, 0, 0},
		{"200 questions a second", 400, 1, 2500 * time.Microsecond, 0.39, 0.41},
		{"pairs", 400, 2, 5 * time.Millisecond, 0.39, 0.41},
		{"5,000 entries a second", 400, 10, 2 * time.Millisecond, 4.9, 5.1},
		{"one an hour", 50, 1, time.Hour, 0.009, 0.011},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p pace
			now := time.Now()
			for range test.groups {
				now = now.Add(test.every)
				p.add(test.each, now)
			}
			got := p.within(time.Millisecond)
			if got < test.least || got > test.most {
				t.Errorf("%v entries are expected, want %v to %v", got, test.least, test.most)
			}
		})
	}

	t.Run("a burst after a quiet night", func(t *testing.T) {
		var p pace
		now := time.Now()
		p.add(1, now)
		p.add(1, now.Add(8*time.Hour))
		now = now.Add(8 * time.Hour)
		for range 30 {
			now = now.Add(2 * time.Millisecond)
			p.add(20, now)
		}
		if p.within(time.Millisecond) < 5 {
			t.Errorf("%v entries are expected: the night still counts", p.within(time.Millisecond))
		}
	})
}
