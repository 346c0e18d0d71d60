package pds_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/pds"
)

func sayAfter(retryAfter string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		say(status, outcome("TOO_MANY_REQUESTS"))(w, r)
	}
}

// WRD-PDS-04: during the pause that the service asks for, a question fails at once and
// nothing is sent. A pause has an end.
func TestPauseThatTheServiceAsksFor(t *testing.T) {
	for name, c := range map[string]struct {
		retryAfter string
		status     int
		pause      time.Duration
	}{
		"seconds":                 {"7", 429, 7 * time.Second},
		"a date":                  {"Thu, 05 Mar 2026 09:30:09 GMT", 429, 9 * time.Second},
		"a date that is past":     {"Thu, 05 Mar 2026 09:00:00 GMT", 429, time.Second},
		"nothing":                 {"", 429, time.Second},
		"no time":                 {"0", 429, time.Second},
		"less than no time":       {"-5", 429, time.Second},
		"in words":                {"a while", 429, time.Second},
		"hours":                   {"86400", 429, 5 * time.Minute},
		"beyond all measure":      {"99999999999999999999", 429, time.Second},
		"not available, seconds":  {"7", 503, 7 * time.Second},
		"not available, nothing":  {"", 503, 100 * time.Millisecond},
		"timed out behind it":     {"", 408, 100 * time.Millisecond},
		"an internal error":       {"", 500, 100 * time.Millisecond},
		"an error of the gateway": {"", 502, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := newAsker(t, s)
			good := s.answer
			s.set(func() { s.answer = sayAfter(c.retryAfter, c.status) })
			_, err := a.verify(t)
			if err == nil {
				t.Fatal("verified")
			}
			s.set(func() { s.answer = good })
			a.fails(t, pds.Paused)
			s.clock.pass(c.pause - time.Millisecond)
			a.fails(t, pds.Paused)
			_, requests := s.counts()
			if requests != 1 || len(a.results()) != 1 {
				t.Errorf("%d requests, recorded %v", requests, a.results())
			}
			s.clock.pass(time.Millisecond)
			a.works(t)
		})
	}
}

// Pauses double with each failure in a row, up to a limit, and begin anew once the service
// has answered.
func TestPausesDouble(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	good := s.answer
	for range 2 {
		s.set(func() { s.answer = sayAfter("", 429) })
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			a.fails(t, pds.Throttled)
			s.clock.pass(pause*time.Second - time.Millisecond)
			a.fails(t, pds.Paused)
			s.clock.pass(time.Millisecond)
		}
		s.set(func() { s.answer = good })
		a.works(t)
	}
}

// Many failures at a time count as one.
func TestFailuresAtATimeMakeOnePause(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	good := s.answer
	var all, arrived sync.WaitGroup
	arrived.Add(20)
	s.set(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			arrived.Done()
			arrived.Wait()
			say(503, "")(w, r)
		}
	})
	for range 20 {
		all.Go(func() { a.fails(t, pds.Unavailable) })
	}
	all.Wait()
	s.set(func() { s.answer = good })
	s.clock.pass(100 * time.Millisecond)
	a.works(t)
}

// What cannot be reached is left alone for a while too.
func TestPauseAfterNoAnswer(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	s.set(func() { s.answer = hangUp("") })
	a.fails(t, pds.Broken)
	a.fails(t, pds.Paused)
}

// A question that its asker gave up says nothing of the service.
func TestNoPauseAfterGivingUp(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	good := s.answer
	ctx, giveUp := context.WithCancel(t.Context())
	s.set(func() {
		s.answer = func(_ http.ResponseWriter, r *http.Request) {
			giveUp()
			<-r.Context().Done()
		}
	})
	_, err := a.Verify(ctx, number(t, asked), "")
	if !errors.Is(err, pds.Broken) {
		t.Errorf("got %v", err)
	}
	if len(a.results()) != 2 {
		t.Errorf("recorded %v", a.results())
	}
	s.set(func() { s.answer = good })
	a.works(t)
}

// No more is asked in a second than is agreed, however many questions there are. Those
// that would have to wait too long fail at once, and nothing of them is sent.
func TestRate(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s, func(c *pds.Config) {
		c.PerSecond, c.Timeout = 10, 2*time.Second
	})
	// A second round is needed only where the machine stood still in the first.
	near := false
	for i := 0; i < 4 && !near; i++ {
		s.clock.pass(time.Minute) // so that no pause is left
		near = askTooMuch(t, s, a)
	}
	if !near {
		t.Error("hardly anything was verified")
	}
}

// askTooMuch asks 60 questions at once, and reports whether several were answered.
func askTooMuch(t *testing.T, s *service, a *asker) bool {
	t.Helper()
	var mu sync.Mutex
	var verified, tooMany, late int
	var all sync.WaitGroup
	_, before := s.counts()
	started := time.Now()
	for range 60 {
		all.Go(func() {
			_, err := a.verify(t)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				verified++
			case errors.Is(err, pds.TooMany):
				tooMany++
			case errors.Is(err, pds.TimedOut), errors.Is(err, pds.Paused), errors.Is(err, pds.NoToken):
				late++ // it was let through shortly before its time was over, or came after such a one
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	took := time.Since(started)
	_, requests := s.counts()
	requests -= before
	if most := int(took.Seconds()*10) + 1; requests < verified || requests > verified+late || requests > most || tooMany == 0 {
		t.Errorf("%d requests, %d verified, %d late, %d too many, in %s", requests, verified, late, tooMany, took)
	}
	return verified >= 5
}
