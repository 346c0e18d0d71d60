package sds

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of what is kept, and of the questions under way, of one kind.
const (
	maxKept    = 10000
	maxFlights = 256
)

// cache keeps what the directory answered, by question. Those who ask the same at the
// same time share one question, which goes on when they leave.
type cache[V any] struct {
	fresh    time.Duration // how long an answer is used
	stale    time.Duration // how long it is used where the directory is not at hand; both from the answer on
	patience time.Duration // how long the directory is waited for at most where there is a stale answer
	rest     *rest
	now      func() time.Time

	running sync.WaitGroup
	mu      sync.Mutex
	ended   bool // nothing is asked any more
	kept    map[string]answer[V]
	failed  map[string]failed
	flights map[string]*flight[V]
}

type answer[V any] struct {
	value V
	at    time.Time
}

type failed struct {
	err   error
	until time.Time
}

// flight is a question under way.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// rest keeps the directory from being asked again too soon. It is shared by all that ask
// one directory: where it is not at hand for one, it is not for any.
type rest struct {
	period time.Duration

	mu   sync.Mutex
	last failed
}

func (r *rest) begin(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = failed{err, now.Add(r.period)}
}

func (r *rest) refuses(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.last.until) {
		return r.last.err
	}
	return nil
}

func newCache[V any](fresh, stale, patience time.Duration, r *rest, now func() time.Time) *cache[V] {
	return &cache[V]{
		fresh: fresh, stale: max(fresh, stale), patience: patience, rest: r, now: now,
		kept: map[string]answer[V]{}, failed: map[string]failed{}, flights: map[string]*flight[V]{},
	}
}

// get returns what is kept, or else asks. An answer is kept if ask says so. If the
// directory is not at hand, what it last said is returned as stale. A definite answer
// that there is nothing to use is no outage, and ends that.
func (c *cache[V]) get(ctx context.Context, key string, ask func(context.Context) (value V, keep bool, err error)) (value V, stale bool, err error) {
	old, f, err := c.join(ctx, key, ask)
	switch {
	case err != nil && old != nil && isOutage(err):
		return old.value, true, nil
	case err != nil:
		return value, false, err
	case f == nil:
		return old.value, false, nil
	}
	var enough <-chan time.Time
	if old != nil {
		timer := time.NewTimer(patience(ctx, c.patience))
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-f.done:
	case <-enough:
		return old.value, true, nil
	case <-ctx.Done():
		return value, false, unavailable("it did not answer in the time that the question had", context.Cause(ctx))
	}
	if f.err != nil && old != nil && isOutage(f.err) {
		return old.value, true, nil
	}
	return f.value, false, f.err
}

// patience is how long a question waits if it could go on without: at most half of the
// time that it has.
func patience(ctx context.Context, most time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, time.Until(end)/2)
}

// join returns the answer that is kept, the question under way unless that answer is
// fresh, and why none could be begun.
func (c *cache[V]) join(ctx context.Context, key string, ask func(context.Context) (V, bool, error)) (old *answer[V], f *flight[V], err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	a, ok := c.kept[key]
	if ok && now.Before(a.at.Add(c.fresh)) {
		return &a, nil, nil
	}
	if ok && now.Before(a.at.Add(c.stale)) {
		old = &a
	}
	f, ok = c.flights[key]
	if ok {
		return old, f, nil
	}
	last, ok := c.failed[key]
	if ok && now.Before(last.until) {
		return old, nil, last.err
	}
	err = c.rest.refuses(now)
	if c.ended {
		err = unavailable("it is asked nothing more", nil)
	}
	if err == nil && len(c.flights) >= maxFlights {
		err = unavailable("too many questions to it are under way", nil)
	}
	if err != nil {
		return old, nil, err
	}
	return old, c.begin(ctx, key, ask), nil
}

// finish begins nothing more, and waits for what is under way.
func (c *cache[V]) finish() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.running.Wait()
}

// begin asks, in the stead of all who will wait for it.
func (c *cache[V]) begin(ctx context.Context, key string, ask func(context.Context) (V, bool, error)) *flight[V] {
	f := &flight[V]{done: make(chan struct{})}
	c.flights[key] = f
	ctx = context.WithoutCancel(ctx)
	c.running.Go(func() {
		defer close(f.done)
		value, keep, err := ask(ctx)
		f.value, f.err = value, err
		c.end(key, f, keep)
	})
	return f
}

func (c *cache[V]) end(key string, f *flight[V], keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, key)
	now := c.now()
	var e *Error
	switch {
	case f.err == nil:
		delete(c.failed, key)
		delete(c.kept, key)
		if keep && room(c.kept, func(a answer[V]) bool { return now.Before(a.at.Add(c.stale)) }) {
			c.kept[key] = answer[V]{f.value, now}
		}
	case isOutage(f.err):
		c.rest.begin(f.err, now)
	case errors.As(f.err, &e):
		delete(c.kept, key)
		if room(c.failed, func(f failed) bool { return now.Before(f.until) }) {
			c.failed[key] = failed{f.err, now.Add(c.rest.period)}
		}
	}
}

// room makes room in a full map by dropping what is out of date, and reports whether
// there is any.
func room[V any](m map[string]V, current func(V) bool) bool {
	if len(m) < maxKept {
		return true
	}
	for key, value := range m {
		if !current(value) {
			delete(m, key)
		}
	}
	return len(m) < maxKept
}

func isOutage(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Result == Unavailable
}
