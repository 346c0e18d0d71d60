package spinesim

import (
	"sync"
	"time"
)

// arrivals remembers when the newest message ids came first, up to a limit. Safe for
// concurrent use.
type arrivals struct {
	mu    sync.Mutex
	known map[string]time.Time
	order *ring[string]
}

func newArrivals(limit int) *arrivals {
	return &arrivals{known: map[string]time.Time{}, order: newRing[string](limit)}
}

// repeats remembers the id and reports whether it came before, at most within ago; zero
// for at any time.
func (m *arrivals) repeats(id string, now time.Time, within time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.known[id]
	if known && (within == 0 || now.Sub(last) <= within) {
		return true
	}
	m.known[id] = now
	if known {
		return false
	}
	oldest, dropped := m.order.add(id)
	if dropped {
		delete(m.known, oldest)
	}
	return false
}

func (m *arrivals) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	m.order.clear()
}
