package platform

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Behaviour names a way of answering, or of failing to. Behaviours lists them.
type Behaviour string

// AsHeld answers by what the platform holds: the behaviour of every request
// that nothing else was asked for.
const AsHeld Behaviour = "as-held"

// BehaviourInfo describes one behaviour.
type BehaviourInfo struct {
	Name Behaviour `json:"name"`

	// Services that have it; empty for all.
	Services []Service `json:"services,omitempty"`

	Summary string `json:"summary"`
}

// behaviour is what a name stands for. With replace the service does not see
// the request at all; change alters what the service answered; deliver puts
// the answer on the wire, nil for properly.
type behaviour struct {
	BehaviourInfo
	replace func(Service, Step) answer
	change  func(*answer)
	deliver func(*delivery)
}

func (b behaviour) of(s Service) bool {
	return len(b.Services) == 0 || slices.Contains(b.Services, s)
}

// Behaviours lists all behaviours by name.
func Behaviours() []BehaviourInfo {
	var all []BehaviourInfo
	for _, b := range catalogue() {
		all = append(all, b.BehaviourInfo)
	}
	slices.SortFunc(all, func(a, b BehaviourInfo) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// catalogue is made once; nobody changes it.
var catalogue = sync.OnceValue(func() map[Behaviour]behaviour {
	all := map[Behaviour]behaviour{}
	add := func(b behaviour, name Behaviour, summary string, services ...Service) {
		b.BehaviourInfo = BehaviourInfo{Name: name, Services: services, Summary: summary}
		all[name] = b
	}
	add(behaviour{}, AsHeld, "the answer by what the platform holds")
	for _, status := range []int{400, 401, 403, 404, 406, 408, 429, 500, 502, 503, 504} {
		add(behaviour{replace: scripted(status)}, Behaviour("http-"+strconv.Itoa(status)),
			fmt.Sprintf("HTTP status %d with the error body of the service; 429 with Retry-After: 1, or the step's", status))
	}
	add(behaviour{replace: limitedBare}, "http-429-bare", "HTTP status 429 without Retry-After")
	add(behaviour{replace: limitedUntil}, "http-429-date", "HTTP status 429 with Retry-After as a date, two seconds or the step's time ahead")
	add(behaviour{replace: htmlPage(502)}, "html-502", "HTML page under HTTP status 502")
	add(behaviour{replace: htmlPage(200)}, "html-200", "HTML page under HTTP status 200")
	add(behaviour{replace: redirected(false)}, "redirect", "redirect 307 to the same address under a query string")
	add(behaviour{replace: redirected(true)}, "redirect-elsewhere", "redirect 302 to a path that the platform does not have; who follows is counted under other")
	addBroken(add)
	addDeliveries(add)
	addContradictions(add)
	return all
})

// addBroken: bodies that are none.
func addBroken(add func(behaviour, Behaviour, string, ...Service)) {
	add(behaviour{change: func(a *answer) { a.mediaType = "text/html" }}, "wrong-media-type", "the answer, as text/html")
	add(behaviour{change: func(a *answer) { a.raw = []byte{} }}, "empty-body", "the answer's status without a body")
	add(behaviour{change: func(a *answer) { a.raw = a.bytes()[:len(a.bytes())/2] }}, "malformed", "the first half of the answer as if it were all")
	add(behaviour{change: func(a *answer) { a.raw = append(a.bytes(), a.bytes()...) }}, "twice-in-body", "the answer's document twice in one body")
	add(behaviour{change: func(a *answer) { a.raw = append(bytes.Repeat([]byte(" "), 4<<20), a.bytes()...) }}, "huge-body", "the answer, made four mebibytes long by space before it")
	json := []Service{Device, Endpoint, Token, Patient}
	add(behaviour{change: func(a *answer) { a.raw = []byte("null") }}, "null-body", "the answer's status with null as its body", json...)
	add(behaviour{change: func(a *answer) { a.raw = append([]byte("["), append(a.bytes(), ']')...) }}, "array-body", "the answer within an array", json...)
}

// addContradictions: proper replies that may not be believed, or need care.
func addContradictions(add func(behaviour, Behaviour, string, ...Service)) {
	document := func(change func(object)) behaviour {
		return behaviour{change: func(a *answer) {
			if a.document != nil {
				change(a.document)
			}
		}}
	}
	fhir := []Service{Device, Endpoint, Patient}
	add(behaviour{change: func(a *answer) {
		a.status, a.document = http.StatusOK, outcome("exception", "SERVER_ERROR", "The script wants an error under status 200.")
	}}, "outcome-200", "an OperationOutcome under HTTP status 200", fhir...)
	add(document(func(o object) { o["resourceType"] = "Basic" }), "other-resource", "the answer with another resourceType", fhir...)
	add(document(func(o object) { delete(o, "id") }), "no-id", "the person without an id", Patient)
	add(document(func(o object) {
		o["identifier"] = []object{{"system": numberSystem, "value": "9990000042"}}
	}), "identifier-contradicts", "the person with another's number, 9990000042, as identifier beside the right id", Patient)
	add(document(func(o object) { o["birthDate"] = "31/01/2015" }), "birth-date-malformed", "the person with a birth date that is none", Patient)
	add(document(func(o object) { delete(o, "meta") }), "no-security", "the person without meta.security", Patient)
	add(document(func(o object) { o["total"], o["entry"] = 0, []object{} }), "no-entries", "a bundle without entries", Device, Endpoint)
	add(document(secondEntry), "two-entries", "a bundle with a second, different entry", Device, Endpoint)
	add(document(func(o object) { eachResource(o, func(r object) { delete(r, "identifier") }) }), "no-identifiers", "the records without identifiers", Device, Endpoint)
	add(document(func(o object) { eachResource(o, func(r object) { delete(r, "extension") }) }), "no-contract", "the records without reliability configuration", Endpoint)
	add(document(func(o object) { eachResource(o, func(r object) { delete(r, "address") }) }), "no-address", "the records without address", Endpoint)
	add(document(func(o object) { o["expires_in"] = 599 }), "expires-in-number", "expires_in as a number", Token)
	add(document(func(o object) { delete(o, "expires_in") }), "no-expires-in", "a token without expires_in", Token)
	add(document(func(o object) { o["expires_in"] = "0" }), "expires-at-once", "a token whose expires_in is 0", Token)
	add(document(func(o object) { delete(o, "access_token") }), "no-access-token", "the answer without access_token", Token)
	add(document(func(o object) { o["token_type"] = "mac" }), "other-token-type", "a token of another type", Token)
	add(behaviour{change: func(a *answer) {
		if a.previous != nil {
			a.raw = a.previous
		}
	}}, "stale", "the list that was there before the present one, if there was one", CRL)
}

func scripted(status int) func(Service, Step) answer {
	return func(s Service, step Step) answer {
		a := failure(s, status, http.StatusText(status)+", because the script wants it.")
		wait := step.RetryAfter
		if wait == 0 && status == http.StatusTooManyRequests {
			wait = time.Second
		}
		if wait > 0 {
			a.header("Retry-After", strconv.FormatInt(int64(max(1, wait/time.Second)), 10))
		}
		return a
	}
}

func limitedBare(s Service, _ Step) answer {
	return failure(s, http.StatusTooManyRequests, "Too many requests, because the script wants it.")
}

// limitedUntil writes the system's time, which HTTP clients compare with.
func limitedUntil(s Service, step Step) answer {
	a := limitedBare(s, step)
	a.header("Retry-After", time.Now().Add(cmp.Or(step.RetryAfter, 2*time.Second)).UTC().Format(http.TimeFormat))
	return a
}

func htmlPage(status int) func(Service, Step) answer {
	return func(Service, Step) answer {
		return answer{status: status, mediaType: "text/html", raw: []byte("<!DOCTYPE html><html><body><h1>Not what you asked for</h1></body></html>")}
	}
}

func redirected(elsewhere bool) func(Service, Step) answer {
	return func(s Service, _ Step) answer {
		a := failure(s, http.StatusTemporaryRedirect, "Moved, because the script wants it.")
		location := "?again=1"
		if elsewhere {
			a.status, location = http.StatusFound, "/elsewhere"
		}
		a.header("Location", location)
		return a
	}
}
