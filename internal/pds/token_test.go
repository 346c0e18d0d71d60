package pds_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/pds"
)

// One token serves many questions, is renewed before it expires, and no assertion is
// used twice. The service verifies each, and refuses one that it has seen.
func TestTokenIsKeptAndRenewed(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	for _, step := range []struct {
		pass time.Duration
		want int // tokens given so far
	}{{0, 1}, {time.Second, 1}, {530 * time.Second, 1}, {20 * time.Second, 2}, {time.Second, 2}, {time.Hour, 3}} {
		s.clock.pass(step.pass)
		a.works(t)
		tokens, _ := s.counts()
		if tokens != step.want {
			t.Errorf("after %s: %d tokens, want %d", step.pass, tokens, step.want)
		}
	}
	for range 50 {
		s.clock.pass(time.Hour)
		a.works(t)
	}
	if len(s.used) != 53 || len(s.refusals) > 0 {
		t.Errorf("%d assertions, refused: %v", len(s.used), s.refusals)
	}
}

// The service writes expires_in as a text, others as a number.
func TestTokenReplies(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"as the service writes it":   {`{"access_token":"T","expires_in":"599","token_type":"Bearer","issued_at":"1"}`, true},
		"with a number":              {`{"access_token":"T","expires_in":599,"token_type":"bearer"}`, true},
		"for ever":                   {`{"access_token":"T","expires_in":2147483647,"token_type":"Bearer"}`, true},
		"no token":                   {`{"expires_in":"599","token_type":"Bearer"}`, false},
		"an empty token":             {`{"access_token":"","expires_in":"599","token_type":"Bearer"}`, false},
		"a token with a line end":    {`{"access_token":"T\r\nX: y","expires_in":"599","token_type":"Bearer"}`, false},
		"a token with a space":       {`{"access_token":"T x","expires_in":"599","token_type":"Bearer"}`, false},
		"a token twice":              {`{"access_token":"T","access_token":"U","expires_in":"599","token_type":"Bearer"}`, false},
		"a token too long":           {`{"access_token":"` + strings.Repeat("T", 17<<10) + `","expires_in":"599","token_type":"Bearer"}`, false},
		"another type":               {`{"access_token":"T","expires_in":"599","token_type":"MAC"}`, false},
		"no type":                    {`{"access_token":"T","expires_in":"599"}`, false},
		"no time":                    {`{"access_token":"T","token_type":"Bearer"}`, false},
		"no time left":               {`{"access_token":"T","expires_in":"0","token_type":"Bearer"}`, false},
		"less than no time":          {`{"access_token":"T","expires_in":-1,"token_type":"Bearer"}`, false},
		"a time in words":            {`{"access_token":"T","expires_in":"soon","token_type":"Bearer"}`, false},
		"a time beyond all measure":  {`{"access_token":"T","expires_in":99999999999999999999,"token_type":"Bearer"}`, false},
		"a time with a fraction":     {`{"access_token":"T","expires_in":1.5,"token_type":"Bearer"}`, false},
		"not JSON":                   {`<html>`, false},
		"JSON and more":              {`{"access_token":"T","expires_in":"599","token_type":"Bearer"} x`, false},
		"a list":                     {`[]`, false},
		"larger than it needs to be": {`{"access_token":"T","expires_in":"599","token_type":"Bearer","x":"` + strings.Repeat("x", 64<<10) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := newAsker(t, s)
			s.set(func() {
				s.tokens["T"] = s.clock.Now().Add(time.Hour)
				s.onToken = say(200, c.body)
			})
			if c.ok {
				a.works(t)
				s.clock.pass(61 * time.Minute) // kept for an hour at most
				a.fails(t, pds.TokenRefused)
				return
			}
			a.fails(t, pds.NoToken)
			if len(a.results()) > 0 {
				t.Errorf("recorded %v", a.results())
			}
		})
	}
}

// A token service that fails is not asked again at once, and asked less and less.
func TestTokenServiceThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   pds.Failure
	}{
		"refuses the assertion": {say(400, `{"error":"invalid_request"}`), pds.NotRegistered},
		"does not know us":      {say(401, `{"error":"invalid_client"}`), pds.NotRegistered},
		"is busy":               {say(429, ""), pds.NoToken},
		"is broken":             {say(500, ""), pds.NoToken},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/oauth2/token", http.StatusTemporaryRedirect)
		}, pds.NoToken},
		"hangs up": {hangUp(""), pds.NoToken},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := newAsker(t, s)
			var calls atomic.Int64
			s.set(func() {
				s.onToken = func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					c.answer(w, r)
				}
			})
			want := int64(0)
			for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
				want++
				a.fails(t, c.want)
				s.clock.pass(pause*time.Second - time.Millisecond)
				a.fails(t, c.want) // still in the pause
				if calls.Load() != want {
					t.Fatalf("%d calls before the end of a pause of %d s, want %d", calls.Load(), pause, want)
				}
				s.clock.pass(time.Millisecond)
			}
			s.set(func() { s.onToken = nil })
			a.works(t)
			if len(a.results()) != 1 {
				t.Errorf("recorded %v", a.results())
			}
		})
	}
}

// While a token is good, a token service that is away for a moment is no matter.
func TestOldTokenIsUsedWhileItIsGood(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	s.set(func() { s.onToken = say(503, "") })
	s.clock.pass(560 * time.Second) // to be renewed
	a.works(t)
	s.clock.pass(38 * time.Second)
	a.works(t)
	s.clock.pass(time.Second)
	a.fails(t, pds.NoToken)
}

// A token that is refused is renewed once, and the question sent once more under the same
// id. Both requests are recorded.
func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	s.set(func() { delete(s.tokens, s.lastToken) }) // taken back before its time
	a.works(t)
	tokens, requests := s.counts()
	if tokens != 1 || requests != 3 {
		t.Errorf("%d tokens are good, %d requests", tokens, requests)
	}
	want := []string{"the number is verified, and so is the date of birth", string(pds.TokenRefused), "the number is verified, and so is the date of birth"}
	if diff := cmp.Diff(want, a.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	id := func(i int) string { return s.requests[i].Header.Get("X-Request-ID") }
	if id(0) == id(1) || id(1) != id(2) || a.lookups[1].RequestID != id(1) || a.lookups[2].RequestID != id(2) {
		t.Errorf("request ids %s, %s, %s", id(0), id(1), id(2))
	}
	if a.lookups[1].Correlation != a.lookups[2].Correlation || s.requests[1].Header.Get("X-Correlation-ID") != a.lookups[1].Correlation {
		t.Error("the two requests do not have one correlation")
	}
}

// A service that refuses every token gets two requests of a question and no more, and the
// token service is not asked for one after another.
func TestServiceThatRefusesEveryToken(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	s.set(func() { s.answer = say(401, outcome("ACCESS_DENIED")) })
	a.fails(t, pds.TokenRefused)
	tokens, requests := s.counts()
	if tokens != 2 || requests != 2 {
		t.Errorf("%d tokens, %d requests", tokens, requests)
	}
	a.fails(t, pds.TokenRefused)
	tokens, requests = s.counts()
	if tokens != 2 || requests != 3 {
		t.Errorf("in the pause: %d tokens, %d requests", tokens, requests)
	}
	s.clock.pass(time.Second)
	s.set(func() { s.answer = say(200, patient(asked)) })
	a.works(t)
}

// Many questions at a time make one token do, also when it is taken back in between.
func TestManyQuestionsOneToken(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	var waiting sync.WaitGroup
	ask := func() {
		for range 40 {
			waiting.Go(func() { a.works(t) })
		}
		waiting.Wait()
	}
	ask()
	tokens, requests := s.counts()
	if tokens != 1 || requests != 40 {
		t.Errorf("%d tokens, %d requests", tokens, requests)
	}
	s.set(func() { delete(s.tokens, s.lastToken) })
	ask()
	if len(s.used) != 2 {
		t.Errorf("%d tokens were asked for", len(s.used))
	}
	_, requests = s.counts()
	if requests != len(a.results()) {
		t.Errorf("%d requests, %d recorded", requests, len(a.results()))
	}
}

// Who waits for somebody else's token does not wait for ever, and a question that is given
// up stops nobody else's.
func TestWaitingForAToken(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s, func(c *pds.Config) { c.Timeout = time.Minute })
	reached := make(chan struct{})
	s.set(func() {
		s.onToken = func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm() // the end of the connection is only noticed after the body
			close(reached)
			<-r.Context().Done()
		}
	})
	ctx, giveUp := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() {
		_, err := a.Verify(ctx, number(t, asked), "")
		if !errors.Is(err, pds.NoToken) {
			t.Errorf("got %v", err)
		}
	})
	<-reached
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := a.Verify(short, number(t, asked), "")
	if !errors.Is(err, pds.NoToken) {
		t.Errorf("got %v", err)
	}
	s.set(func() { s.onToken = nil })
	giveUp()
	first.Wait()
	a.works(t) // at once
}
