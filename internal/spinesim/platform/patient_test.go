package platform_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// The Spine's children are known to PDS under the same numbers, names and
// birth dates.
func TestSpinesChildrenAreKnown(t *testing.T) {
	spine := newSpine(t)
	c := start(t, func(cfg *platform.Config) { cfg.Spine = spine })
	token := c.token()
	for _, child := range spine.Children(0) {
		r := c.patient(child.NHSNumber, token)
		o := r.json(t)
		birth, _ := o["birthDate"].(string)
		if r.status != 200 || o["id"] != child.NHSNumber || strings.ReplaceAll(birth, "-", "") != child.Birth || o["resourceType"] != "Patient" {
			t.Errorf("%s, born %s: status %d: %s", child.NHSNumber, child.Birth, r.status, r.body)
		}
		if c.Counters().PatientsAsked[child.NHSNumber] != 1 {
			t.Errorf("%s was not counted once", child.NHSNumber)
		}
	}
}

// Each state of a number is answered in its own way. WRD-PDS-03, MSCA-DQ-03, MSCA-DQ-04
func TestStatesOfNumbers(t *testing.T) {
	tests := []struct {
		name, number string
		status       int
		id           string // of the person answered
		code         string // of the OperationOutcome
		security     string
		birth        any
	}{
		{"in use", "9990030138", 200, "9990030138", "", "U", "2013-09-17"},
		{"superseded", "9990030014", 200, robin, "", "U", nil},
		{"invalidated", "9990030030", 404, "", "INVALIDATED_RESOURCE", "", nil},
		{"unknown", "9990030049", 404, "", "RESOURCE_NOT_FOUND", "", nil},
		{"nobody's", "9990030146", 404, "", "RESOURCE_NOT_FOUND", "", nil},
		{"outside the test range", "4010232137", 404, "", "RESOURCE_NOT_FOUND", "", nil},
		{"restricted", "9990030057", 200, "9990030057", "", "R", "2016-04-09"},
		{"very restricted", "9990030065", 200, "9990030065", "", "V", "2014-11-30"},
		{"redacted", "9990030073", 200, "9990030073", "", "REDACTED", "2018-02-28"},
		{"no birth date", "9990030081", 200, "9990030081", "", "U", nil},
		{"year alone", "9990030103", 200, "9990030103", "", "U", "2015"},
		{"year and month", "9990030111", 200, "9990030111", "", "U", "2015-06"},
		{"fails Modulus 11", "9990000019", 400, "", "INVALID_RESOURCE_ID", "", nil},
		{"not a number", "x", 400, "", "INVALID_RESOURCE_ID", "", nil},
		{"configured", "9990030146", 404, "", "RESOURCE_NOT_FOUND", "", nil},
	}
	c := start(t, nil)
	token := c.token()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.patient(tt.number, token)
			if r.status != tt.status || r.header.Get("Content-Type") != "application/fhir+json" {
				t.Fatalf("status %d, %s: %s", r.status, r.header.Get("Content-Type"), r.body)
			}
			if tt.code != "" {
				if code := r.code(t); code != tt.code {
					t.Errorf("code %s", code)
				}
				return
			}
			o := r.json(t)
			security := o["meta"].(object)["security"].([]any)[0].(object)["code"]
			if o["id"] != tt.id || security != tt.security {
				t.Errorf("id %v, security %v", o["id"], security)
			}
			if tt.id == tt.number && o["birthDate"] != tt.birth {
				t.Errorf("birth date %v, want %v", o["birthDate"], tt.birth)
			}
		})
	}
	asked := c.Counters().PatientsAsked
	if asked["9990030146"] != 2 || asked["other"] != 3 || asked["4010232137"] != 0 {
		t.Errorf("counted %v", asked)
	}
}

// Somebody in the open comes with name, address, telephone, email, next of kin
// and practice, so that a test can show that nothing of it is taken; who is
// restricted comes without whereabouts. WRD-PDS-06
func TestPersonIsWhole(t *testing.T) {
	c := start(t, nil)
	token := c.token()
	whereabouts := []string{"address", "telecom", "contact", "generalPractitioner"}
	open := c.patient("9990030138", token).json(t)
	for _, member := range append(whereabouts, "name", "identifier", "gender") {
		if open[member] == nil {
			t.Errorf("a person in the open lacks %s", member)
		}
	}
	hidden := c.patient("9990030057", token).json(t)
	for _, member := range whereabouts {
		if hidden[member] != nil {
			t.Errorf("a restricted person has %s", member)
		}
	}
}

// People of the configuration come before others of the same number.
func TestConfiguredPeople(t *testing.T) {
	c := start(t, func(cfg *platform.Config) {
		cfg.People = []platform.Person{
			{NHSNumber: robin, Given: "Robin", Family: "Elsewhere", Birth: "1999-12-31"},
			{NHSNumber: "9990030138", State: platform.Superseded, ReplacedBy: robin},
			{NHSNumber: "9990030146", Given: "Slow", Family: "Coach", Behaviour: "http-503"},
		}
	})
	token := c.token()
	if o := c.patient(robin, token).json(t); o["birthDate"] != "1999-12-31" {
		t.Errorf("born %v", o["birthDate"])
	}
	if o := c.patient("9990030138", token).json(t); o["id"] != robin || o["birthDate"] != "1999-12-31" {
		t.Errorf("superseded by %v", o["id"])
	}
	for range 2 {
		if r := c.patient("9990030146", token); r.status != 503 {
			t.Errorf("bound to http-503: status %d", r.status)
		}
	}
	p := c.Person("9990030138")
	if p.State != platform.Superseded || p.ReplacedBy != robin || c.Person("9990030154").State != platform.Unknown {
		t.Errorf("Person says %+v", p)
	}
}

// PDS wants a token and a request id, and echoes ids.
func TestPatientHeaders(t *testing.T) {
	c := start(t, nil)
	token := c.token()
	address := c.PatientURL() + "/Patient/" + robin
	tests := []struct {
		name    string
		headers []string
		status  int
		code    string
	}{
		{"no token", []string{"X-Request-ID", requestID}, 401, "ACCESS_DENIED"},
		{"unknown token", []string{"Authorization", "Bearer x", "X-Request-ID", requestID}, 401, "ACCESS_DENIED"},
		{"not a bearer", []string{"Authorization", "Basic " + token, "X-Request-ID", requestID}, 401, "ACCESS_DENIED"},
		{"no request id", []string{"Authorization", "Bearer " + token}, 400, "MISSING_VALUE"},
		{"request id that is no UUID", []string{"Authorization", "Bearer " + token, "X-Request-ID", "1"}, 400, "INVALID_VALUE"},
		{"correlation id that is no UUID", []string{"Authorization", "Bearer " + token, "X-Request-ID", requestID, "X-Correlation-ID", "1"}, 400, "INVALID_VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.get(address, tt.headers...)
			if r.status != tt.status || r.code(t) != tt.code {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		})
	}
	r := c.get(address, "Authorization", "Bearer "+token, "X-Request-ID", requestID, "X-Correlation-ID", requestID)
	if r.status != 200 || r.header.Get("X-Request-ID") != requestID || r.header.Get("X-Correlation-ID") != requestID {
		t.Errorf("status %d, %v", r.status, r.header)
	}
	r, err := c.send(http.MethodPost, address, "{}", "Authorization", "Bearer "+token)
	if err != nil || r.status != 405 || r.header.Get("Allow") != "GET" {
		t.Errorf("POST: %v: %d", err, r.status)
	}
}

// An application may ask as often as its rate allows in any second. WRD-PDS-04
func TestRateLimit(t *testing.T) {
	var clock clock
	clock.set(time.Now())
	c := start(t, func(cfg *platform.Config) { cfg.Clock, cfg.RateLimit = clock.now, 5 })
	token := c.token()
	for i := range 7 {
		r := c.patient(robin, token)
		limited := r.status == 429 && r.code(t) == "TOO_MANY_REQUESTS" && r.header.Get("Retry-After") == "1"
		if limited != (i >= 5) {
			t.Errorf("request %d: status %d", i+1, r.status)
		}
	}
	clock.set(clock.now().Add(time.Second))
	if r := c.patient(robin, token); r.status != 200 {
		t.Errorf("a second later: status %d", r.status)
	}
	if n := c.Counters().RateLimited; n != 2 {
		t.Errorf("%d counted as limited", n)
	}
}

// The people of every platform are of the test range and nobody's of the Spine.
func TestPeople(t *testing.T) {
	spine := newSpine(t)
	for _, p := range platform.People() {
		_, known := spine.Child(p.NHSNumber)
		if known || !spinesim.TestNumber(p.NHSNumber) || p.Situation == "" {
			t.Errorf("%+v", p)
		}
	}
	cfg := testConfig()
	cfg.People = platform.People() // validates them
	_, err := platform.New(cfg)
	if err != nil {
		t.Error(err)
	}
}
