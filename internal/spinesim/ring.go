package spinesim

// ring keeps the newest values up to a limit. The zero limit keeps nothing.
type ring[T any] struct {
	limit  int
	values []T
	next   int   // where the next value goes once the ring is full
	total  int64 // values ever added
}

func newRing[T any](limit int) *ring[T] {
	return &ring[T]{limit: limit}
}

// add returns the value that had to go, if one had to.
func (r *ring[T]) add(v T) (oldest T, dropped bool) {
	r.total++
	if len(r.values) < r.limit {
		r.values = append(r.values, v)
		return oldest, false
	}
	if r.limit <= 0 {
		return v, true
	}
	oldest = r.values[r.next]
	r.values[r.next] = v
	r.next = (r.next + 1) % r.limit
	return oldest, true
}

// list copies the newest n values, oldest first; all for n = 0.
func (r *ring[T]) list(n int) []T {
	all := make([]T, 0, len(r.values))
	all = append(all, r.values[r.next:]...)
	all = append(all, r.values[:r.next]...)
	if n > 0 && n < len(all) {
		all = all[len(all)-n:]
	}
	return all
}

func (r *ring[T]) clear() {
	*r = ring[T]{limit: r.limit}
}
