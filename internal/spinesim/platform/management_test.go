package platform_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// The management interface does what the methods do.
func TestManagement(t *testing.T) {
	c := start(t, func(cfg *platform.Config) {
		cfg.ManagementAddress, cfg.CRLs = "127.0.0.1:0", map[string][]byte{"ca": firstList()}
	})
	base := "http://" + c.ManagementAddr()
	call := func(method, path, body string, want int) reply {
		t.Helper()
		r, err := c.send(method, base+path, body)
		if err != nil || r.status != want {
			t.Fatalf("%s %s: %v: status %d: %s", method, path, err, r.status, r.body)
		}
		return r
	}
	token := c.token()
	c.patient(robin, token)
	call("GET", "/healthz", "", 200)

	var state struct {
		Counters       platform.Counters
		PatientURL     string `json:"patient_url"`
		ScriptsWaiting int    `json:"scripts_waiting"`
	}
	call("POST", "/script", `{"service": "pds-patient", "key": "9990000026", "steps": [{"behaviour": "http-429", "times": 2, "retry_after": "3s", "delay": "1ms"}]}`, 200)
	err := json.Unmarshal(call("GET", "/state", "", 200).body, &state)
	if err != nil || state.Counters.PatientsAsked[robin] != 1 || state.PatientURL != c.PatientURL() || state.ScriptsWaiting != 1 {
		t.Errorf("%v: %+v", err, state)
	}
	if r := c.patient("9990000026", token); r.status != 429 || r.header.Get("Retry-After") != "3" {
		t.Errorf("scripted: status %d", r.status)
	}

	var list struct{ Requests []platform.Request }
	err = json.Unmarshal(call("GET", "/requests?limit=1", "", 200).body, &list)
	if err != nil || len(list.Requests) != 1 || list.Requests[0].NHSNumber != "9990000026" || list.Requests[0].Behaviour != "http-429" {
		t.Errorf("%v: %+v", err, list)
	}

	call("POST", "/revoke", "", 200)
	if r := c.patient(robin, token); r.status != 401 {
		t.Errorf("revoked: status %d", r.status)
	}
	call("POST", "/mode", `{"mode": "failing"}`, 200)
	if r := c.lookUp("Device"); r.status != 502 {
		t.Errorf("failing: status %d", r.status)
	}
	call("PUT", "/crl/other", string(secondList()), 200)
	if r := c.get(c.CRLURL("other")); r.status != 200 {
		t.Errorf("a new list: status %d", r.status)
	}
	call("DELETE", "/crl/other", "", 200)
	if r := c.get(c.CRLURL("other")); r.status != 404 {
		t.Errorf("a deleted list: status %d", r.status)
	}
	if r := call("GET", "/directory.ldif", "", 200); !strings.Contains(string(r.body), "objectClass: nhsMhs") {
		t.Errorf("%s", r.body)
	}
	if r := call("GET", "/behaviours", "", 200); !strings.Contains(string(r.body), "redirect-elsewhere") {
		t.Errorf("%s", r.body)
	}

	for path, body := range map[string]string{
		"/script": `{"service": "token", "steps": [{"behaviour": "explode"}]}`,
		"/mode":   `{"mode": "x"}`,
	} {
		r := call("POST", path, body, 400)
		if r.json(t)["error"] == nil {
			t.Errorf("%s says nothing", path)
		}
	}
	call("POST", "/script", `{"service": "token", "stepps": []}`, 400)
	call("POST", "/script", `{"service": "token", "steps": [{"behaviour": "slow", "delay": "soon"}]}`, 400)
	call("PUT", "/crl/ca", "x", 400)
	call("GET", "/requests?limit=0", "", 400)

	call("POST", "/reset", "", 200)
	if n := c.Counters().Requests[platform.Patient]; n != 0 {
		t.Errorf("%d requests after the reset", n)
	}
	r, err := c.send(http.MethodPost, base+"/reset", "", "Sec-Fetch-Site", "cross-site")
	if err != nil || r.status != 403 {
		t.Errorf("a page may script the platform: %v: %d", err, r.status)
	}
}
