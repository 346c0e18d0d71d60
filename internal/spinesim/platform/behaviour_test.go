package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// ask sends a right request to a service.
func (c *conversation) ask(s platform.Service, token string) (reply, error) {
	switch s {
	case platform.Device, platform.Endpoint:
		resource := map[platform.Service]string{platform.Device: "/Device", platform.Endpoint: "/Endpoint"}[s]
		return c.send(http.MethodGet, c.DirectoryURL()+resource+"?organization="+organisation+"YES&identifier="+interaction+platform.QueryInteraction, "", "apikey", apiKey)
	case platform.Token:
		return c.send(http.MethodPost, c.TokenURL(), form(c.assertion(nil)).Encode(), "Content-Type", "application/x-www-form-urlencoded")
	case platform.Patient:
		return c.send(http.MethodGet, c.PatientURL()+"/Patient/"+robin, "", "Authorization", "Bearer "+token, "X-Request-ID", requestID)
	default:
		return c.send(http.MethodGet, c.CRLURL("ca"), "")
	}
}

// askAndLeave sends a right request, and does not wait for the end of the answer when the
// behaviour has struck.
func (c *conversation) askAndLeave(s platform.Service, token string, b platform.Behaviour) (reply, error) {
	ctx, leave := context.WithCancel(c.t.Context())
	defer leave()
	before := c.Counters().ByBehaviour[b]
	go func() {
		for ctx.Err() == nil && c.Counters().ByBehaviour[b] == before {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // in which an answer would come
		leave()
	}()
	leaving := *c
	leaving.ctx = ctx
	return leaving.ask(s, token)
}

// Every behaviour of every service does what its name says, once, and the
// next request is answered as held.
func TestBehaviours(t *testing.T) {
	status := func(n int) func(reply, error) bool {
		return func(r reply, err error) bool { return err == nil && r.status == n }
	}
	body := func(check func(string) bool) func(reply, error) bool {
		return func(r reply, err error) bool { return err == nil && r.status == 200 && check(string(r.body)) }
	}
	notJSON := body(func(s string) bool { return !json.Valid([]byte(s)) })
	retry := func(r reply, err error) bool {
		return err == nil && r.status == 429 && r.header.Get("Retry-After") == "1"
	}
	left := func(_ reply, err error) bool { return errors.Is(err, context.Canceled) }
	ended := func(_ reply, err error) bool {
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	}
	absent := func(name string) func(reply, error) bool {
		return body(func(s string) bool { return json.Valid([]byte(s)) && !strings.Contains(s, name) })
	}
	holds := func(text string) func(reply, error) bool {
		return body(func(s string) bool { return json.Valid([]byte(s)) && strings.Contains(s, text) })
	}
	checks := map[platform.Behaviour]func(reply, error) bool{
		"as-held": status(200), "slow": status(200), "slow-drip": status(200),
		"http-400": status(400), "http-401": status(401), "http-403": status(403), "http-404": status(404), "http-406": status(406),
		"http-408": status(408), "http-429": retry, "http-500": status(500), "http-502": status(502), "http-503": status(503), "http-504": status(504),
		"http-429-bare": func(r reply, err error) bool {
			return err == nil && r.status == 429 && r.header.Get("Retry-After") == ""
		},
		"http-429-date": func(r reply, err error) bool {
			at, wrong := http.ParseTime(r.header.Get("Retry-After"))
			return err == nil && r.status == 429 && wrong == nil && time.Until(at) < 3*time.Second
		},
		"html-200": notJSON,
		"html-502": func(r reply, err error) bool {
			return err == nil && r.status == 502 && r.header.Get("Content-Type") == "text/html"
		},
		"redirect": func(r reply, err error) bool {
			return err == nil && r.status == 307 && strings.HasPrefix(r.header.Get("Location"), "?again")
		},
		"redirect-elsewhere": func(r reply, err error) bool {
			return err == nil && r.status == 302 && r.header.Get("Location") == "/elsewhere"
		},
		"wrong-media-type": func(r reply, err error) bool {
			return err == nil && r.status == 200 && r.header.Get("Content-Type") == "text/html"
		},
		"empty-body": body(func(s string) bool { return s == "" }), "malformed": notJSON, "twice-in-body": notJSON,
		"huge-body":  body(func(s string) bool { return len(s) > 4<<20 }),
		"null-body":  body(func(s string) bool { return s == "null" }),
		"array-body": holds("["), "outcome-200": holds("OperationOutcome"), "other-resource": holds(`"Basic"`),
		"no-id": absent(`"id":"` + robin), "identifier-contradicts": holds("9990000042"), "birth-date-malformed": holds("31/01/2015"),
		"no-security": absent("security"), "no-entries": absent("fullUrl"), "two-entries": holds("X99-0000099"),
		"no-identifiers": absent("nhsMhsPartyKey\""), "no-contract": absent("ReliabilityConfiguration"), "no-address": absent(`"address"`),
		"expires-in-number": holds(`"expires_in":599`), "no-expires-in": absent("expires_in"), "expires-at-once": holds(`"expires_in":"0"`),
		"no-access-token": absent("access_token"), "other-token-type": holds(`"mac"`),
		"stale": body(func(s string) bool { return s == string(firstList()) }),
		"hang":  left, "stall-after-headers": left, "stall-in-body": left,
		"cut": ended, "close-without-reply": ended, "reset": ended,
	}
	c := start(t, func(cfg *platform.Config) { cfg.CRLs = map[string][]byte{"ca": firstList()} })
	err := c.SetCRL("ca", secondList())
	if err != nil {
		t.Fatal(err)
	}
	token := c.token()
	for _, b := range platform.Behaviours() {
		services := b.Services
		if len(services) == 0 {
			services = platform.Services()
		}
		for _, s := range services {
			t.Run(string(b.Name)+" of "+string(s), func(t *testing.T) {
				check, known := checks[b.Name]
				if !known || b.Summary == "" {
					t.Fatal("the behaviour has no check or no summary")
				}
				c.play(platform.Script{Service: s, Steps: []platform.Step{{Behaviour: b.Name, Delay: shortDelay(b.Name)}}})
				var r reply
				var err error
				if b.Name == "hang" || strings.HasPrefix(string(b.Name), "stall") {
					r, err = c.askAndLeave(s, token, b.Name)
				} else {
					r, err = c.ask(s, token)
				}
				if !check(r, err) {
					t.Errorf("%v: status %d: %.300s", err, r.status, r.body)
				}
				r, err = c.ask(s, token)
				if err != nil || r.status != 200 {
					t.Errorf("the next one: %v: status %d: %s", err, r.status, r.body)
				}
			})
		}
	}
	if n := c.Counters().Requests[platform.Other]; n != 0 {
		t.Errorf("%d requests elsewhere", n)
	}
}

func shortDelay(b platform.Behaviour) time.Duration {
	switch b {
	case "slow", "slow-drip":
		return 5 * time.Millisecond
	default:
		return 0
	}
}

// A script gives its steps in order, for one key before all, and begins anew
// if it repeats.
func TestScripts(t *testing.T) {
	c := start(t, nil)
	token := c.token()
	status := func(number string) int { return c.patient(number, token).status }
	c.play(platform.Script{Service: platform.Patient, Repeat: true, Steps: []platform.Step{{Behaviour: "http-503", Times: 2}, {Behaviour: "as-held"}}})
	c.play(platform.Script{Service: platform.Patient, Key: "9990000026", Steps: []platform.Step{{Behaviour: "http-408"}, {Behaviour: "http-403", Every: true}}})
	got := []int{status(robin), status("9990000026"), status(robin), status("9990000026"), status(robin), status("9990000026"), status(robin)}
	want := []int{503, 408, 503, 403, 200, 403, 503}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	c.play(platform.Script{Service: platform.Patient, Key: "9990000026"})
	c.play(platform.Script{Service: platform.Patient})
	if s := status("9990000026"); s != 200 {
		t.Errorf("cleared: status %d", s)
	}
	c.play(platform.Script{Service: platform.Patient, Steps: []platform.Step{{Behaviour: "http-429", RetryAfter: 7 * time.Second}}})
	if r := c.patient(robin, token); r.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
}

// A script that cannot be played is refused by a sentence.
func TestWrongScripts(t *testing.T) {
	c := start(t, nil)
	tests := []struct {
		name   string
		script platform.Script
		says   string
	}{
		{"unknown service", once("x", "as-held"), "no service"},
		{"paths that are none", once(platform.Other, "as-held"), "no service"},
		{"unknown behaviour", once(platform.Token, "explode"), "explode"},
		{"behaviour of another service", once(platform.Token, "no-address"), "has no behaviour"},
		{"key where there is none", platform.Script{Service: platform.Token, Key: robin}, "no keys"},
		{"negative", platform.Script{Service: platform.Token, Steps: []platform.Step{{Behaviour: "slow", Delay: -1}}}, "negative"},
	}
	for _, tt := range tests {
		err := c.Play(tt.script)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A scripted failure is counted as the request that it is, and uses up no
// assertion.
func TestScriptedFailureDoesNothing(t *testing.T) {
	c := start(t, nil)
	c.play(once(platform.Token, "http-503"))
	a := c.assertion(nil)
	if r := c.exchange(a); r.status != 503 {
		t.Fatalf("status %d", r.status)
	}
	if r := c.exchange(a); r.status != 200 {
		t.Errorf("the same assertion then: status %d: %s", r.status, r.body)
	}
	counters := c.Counters()
	if counters.Requests[platform.Token] != 2 || counters.ByBehaviour["http-503"] != 1 || counters.ByStatus["token 503"] != 1 {
		t.Errorf("%+v", counters)
	}
}
