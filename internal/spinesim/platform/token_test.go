package platform_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// A right assertion brings a bearer token, its life a text, as on the national
// platform.
func TestTokenIsGiven(t *testing.T) {
	c := start(t, func(cfg *platform.Config) { cfg.TokenLife = 90 * time.Second })
	r := c.exchange(c.assertion(nil))
	o := r.json(t)
	token, _ := o["access_token"].(string)
	if r.status != 200 || len(token) < 20 || o["expires_in"] != "90" || o["token_type"] != "Bearer" || o["issued_at"] == nil {
		t.Errorf("status %d: %v", r.status, o)
	}
	if r.header.Get("X-Ward-Simulator") == "" {
		t.Error("the answer does not say that it is a simulator's")
	}
	if c.token() == token {
		t.Error("the same token twice")
	}
}

// Every error of an assertion is status 400 with the error body.
func TestAssertionIsVerified(t *testing.T) {
	claim := func(name string, value any) func(*assertion) {
		return func(a *assertion) { a.claims[name] = value }
	}
	header := func(name string, value any) func(*assertion) {
		return func(a *assertion) { a.header[name] = value }
	}
	seconds := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	const invalid, wrongKey = "invalid_request", "public_key error"
	tests := []struct {
		name   string
		change func(*assertion)
		code   string // empty: a token is given
		says   string
	}{
		{"right", func(*assertion) {}, "", ""},
		{"other algorithm", header("alg", "RS256"), invalid, "RS512"},
		{"no algorithm", header("alg", "none"), invalid, "RS512"},
		{"other type", header("typ", "JWS"), invalid, "typ"},
		{"no type", header("typ", nil), invalid, "typ"},
		{"critical header", header("crit", []string{"x"}), invalid, "crit"},
		{"no kid", header("kid", nil), invalid, "kid"},
		{"kid of nobody", header("kid", "test-2"), wrongKey, "kid"},
		{"signed by another key", func(a *assertion) { a.key = keys().another }, wrongKey, "signature"},
		{"kid of another application", func(a *assertion) { a.key = keys().another; a.header["kid"] = "another-1" }, invalid, "iss and sub"},
		{"no issuer", claim("iss", nil), invalid, "iss and sub"},
		{"no subject", claim("sub", nil), invalid, "iss and sub"},
		{"neither", func(a *assertion) { a.claims["iss"], a.claims["sub"] = nil, nil }, invalid, "iss and sub"},
		{"issuer other than subject", claim("iss", "x"), invalid, "iss and sub"},
		{"unknown application", func(a *assertion) { a.claims["iss"], a.claims["sub"] = "x", "x" }, invalid, "iss and sub"},
		{"no audience", claim("aud", nil), invalid, "aud"},
		{"other audience", claim("aud", "https://localhost/oauth2/token"), invalid, "aud"},
		{"no expiry", claim("exp", nil), invalid, "exp"},
		{"expiry with a fraction", claim("exp", float64(seconds(time.Minute))+0.5), invalid, "whole number"},
		{"expiry as a text", claim("exp", "1900000000"), invalid, "whole number"},
		{"expired", claim("exp", seconds(-time.Second)), invalid, "past"},
		{"expires too far ahead", claim("exp", seconds(5*time.Minute+30*time.Second)), invalid, "five minutes"},
		{"expires in less than five minutes", claim("exp", seconds(5*time.Minute-2*time.Second)), "", ""},
		{"no id", claim("jti", nil), invalid, "jti"},
		{"id that is too long", claim("jti", strings.Repeat("x", 101)), invalid, "jti"},
	}
	c := start(t, nil)
	given := int64(0)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.exchange(c.assertion(tt.change))
			o := r.json(t)
			if tt.code == "" {
				given++
				if r.status != 200 || o["access_token"] == nil {
					t.Errorf("status %d: %v", r.status, o)
				}
				return
			}
			text, _ := o["error_description"].(string)
			if r.status != 400 || o["error"] != tt.code || !strings.Contains(text, tt.says) || o["access_token"] != nil {
				t.Errorf("status %d: %v", r.status, o)
			}
		})
	}
	counters := c.Counters()
	if counters.TokensIssued != given || counters.TokensRefused != int64(len(tests))-given {
		t.Errorf("%d issued, %d refused; want %d, %d", counters.TokensIssued, counters.TokensRefused, given, int64(len(tests))-given)
	}
}

// What is no JWT, or no form, is refused in the same way.
func TestTokenRequestForm(t *testing.T) {
	c := start(t, nil)
	right := c.assertion(nil)
	parts := strings.Split(right, ".")
	with := func(change func(url.Values)) string {
		f := form(right)
		change(f)
		return f.Encode()
	}
	tests := []struct{ name, body, code string }{
		{"empty", "", "invalid_request"},
		{"broken", "%zz", "invalid_request"},
		{"no grant type", with(func(f url.Values) { f.Del("grant_type") }), "invalid_request"},
		{"other grant type", with(func(f url.Values) { f.Set("grant_type", "password") }), "unsupported_grant_type"},
		{"other assertion type", with(func(f url.Values) { f.Set("client_assertion_type", "saml") }), "invalid_request"},
		{"assertion twice", with(func(f url.Values) { f.Add("client_assertion", right) }), "invalid_request"},
		{"two parts", form(parts[0] + "." + parts[1]).Encode(), "invalid_request"},
		{"not Base64", form("!." + parts[1] + "." + parts[2]).Encode(), "invalid_request"},
		{"padded", form(parts[0] + "." + parts[1] + "." + parts[2] + "==").Encode(), "invalid_request"},
		{"not JSON", form("YQ." + parts[1] + "." + parts[2]).Encode(), "invalid_request"},
		{"null", form("bnVsbA." + parts[1] + "." + parts[2]).Encode(), "invalid_request"},
		{"no signature", form(parts[0] + "." + parts[1] + ".").Encode(), "public_key error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := c.send(http.MethodPost, c.TokenURL(), tt.body, "Content-Type", "application/x-www-form-urlencoded")
			if err != nil || r.status != 400 || r.json(t)["error"] != tt.code {
				t.Errorf("%v: status %d: %s", err, r.status, r.body)
			}
		})
	}
	r, err := c.send(http.MethodPost, c.TokenURL(), form(right).Encode(), "Content-Type", "application/json")
	if err != nil || r.status != 400 {
		t.Errorf("not a form: %v: %d", err, r.status)
	}
	r = c.get(c.TokenURL())
	if r.status != 405 || r.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", r.status)
	}
	r = c.exchange(right) // none of the above used it up
	if r.status != 200 {
		t.Errorf("the right one in the end: %d: %s", r.status, r.body)
	}
}

// The id of an assertion is good once in 30 days, for each application.
func TestAssertionIDIsUsedOnce(t *testing.T) {
	var clock clock
	clock.set(time.Now())
	c := start(t, func(cfg *platform.Config) { cfg.Clock = clock.now })
	try := func(change func(*assertion)) int {
		return c.exchange(c.assertion(func(a *assertion) {
			a.claims["jti"], a.claims["exp"] = "the-id", clock.now().Add(time.Minute).Unix()
			change(a)
		})).status
	}
	mine := func(*assertion) {}
	theirs := func(a *assertion) {
		a.key, a.header["kid"], a.claims["iss"], a.claims["sub"] = keys().another, "another-1", "another-key", "another-key"
	}
	steps := []struct {
		name   string
		later  time.Duration
		change func(*assertion)
		status int
	}{
		{"first", 0, mine, 200},
		{"again", 0, mine, 400},
		{"another application", 0, theirs, 200},
		{"29 days later", 29 * 24 * time.Hour, mine, 400},
		{"31 days later", 2 * 24 * time.Hour, mine, 200},
	}
	for _, s := range steps {
		clock.set(clock.now().Add(s.later))
		status := try(s.change)
		if status != s.status {
			t.Errorf("%s: status %d, want %d", s.name, status, s.status)
		}
	}
	err := c.Reset()
	if err != nil {
		t.Fatal(err)
	}
	if status := try(mine); status != 200 {
		t.Errorf("after the reset: status %d", status)
	}
}

// A token is good for its life and until it is revoked; PDS answers 401 then.
func TestTokenEnds(t *testing.T) {
	var clock clock
	clock.set(time.Now())
	c := start(t, func(cfg *platform.Config) { cfg.Clock, cfg.TokenLife = clock.now, time.Minute })
	token := c.token()
	expect := func(what string, status int) {
		t.Helper()
		r := c.patient(robin, token)
		if r.status != status {
			t.Errorf("%s: status %d, want %d", what, r.status, status)
		}
	}
	expect("fresh", 200)
	clock.set(clock.now().Add(59 * time.Second))
	expect("a second before its end", 200)
	clock.set(clock.now().Add(time.Second))
	expect("at its end", 401)
	clock.set(time.Now())
	token = c.token()
	expect("a new one", 200)
	c.RevokeTokens()
	expect("revoked", 401)
	token = c.token()
	expect("renewed", 200)
}

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}
