package server_test

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

const described = "<definitions/>"

// fetch is one HTTP request on a connection of its own.
func (r *rig) fetch(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: r.tls, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// WRD-MSG-26: a client of the register reads the description. It is no question:
// nothing is asked, and the audit log has no entry.
func TestDescription(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ method, query, body string }{
		"WSDL":               {http.MethodGet, "wsdl", described},
		"WSDL in upper case": {http.MethodGet, "WSDL", described},
		"schema":             {http.MethodGet, "xsd=hl7.xsd", "<schema/>"},
		"HEAD":               {http.MethodHead, "wsdl", ""},
	}
	r := newRig(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			response, body := r.fetch(t, c.method, r.url()+"?"+c.query)
			if response.StatusCode != http.StatusOK || body != c.body {
				t.Errorf("status %d: %s", response.StatusCode, body)
			}
			length := len(described)
			if c.body != "" {
				length = len(c.body)
			}
			for field, want := range map[string]string{
				"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "no-store", "Content-Length": strconv.Itoa(length),
			} {
				if response.Header.Get(field) != want {
					t.Errorf("%s: %q, want %q", field, response.Header.Get(field), want)
				}
			}
			if response.Header.Get("X-Correlation-Id") == "" {
				t.Error("no correlation id")
			}
		})
	}
	r.asked(t, 0)
}

// What is not there is refused like any other request, and recorded (WRD-AUD-08).
func TestNoDescription(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		method, target string
		status         int
		allow          string
	}{
		"another query":  {http.MethodGet, "?singleWsdl", http.StatusNotFound, ""},
		"another schema": {http.MethodGet, "?xsd=ward.toml", http.StatusNotFound, ""},
		"two queries":    {http.MethodGet, "?wsdl&wsdl", http.StatusNotFound, ""},
		"another path":   {http.MethodGet, "/?wsdl", http.StatusNotFound, ""},
		"no query":       {http.MethodGet, "", http.StatusMethodNotAllowed, "POST"},
		"HEAD, no query": {http.MethodHead, "", http.StatusMethodNotAllowed, "POST"},
		"another method": {http.MethodDelete, "?wsdl", http.StatusMethodNotAllowed, "POST"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			response, body := r.fetch(t, c.method, r.url()+c.target)
			if response.StatusCode != c.status || body != "" || response.Header.Get("Allow") != c.allow {
				t.Errorf("status %d, Allow %q: %s", response.StatusCode, response.Header.Get("Allow"), body)
			}
			r.asked(t, 0, audit.Refused)
		})
	}
}

// A question may be sent to a URL with a query: only reading looks at it.
func TestQuestionWithAQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	response, _ := r.fetch(t, http.MethodPost, r.url()+"?wsdl")
	if response.StatusCode != http.StatusUnsupportedMediaType { // as without a query: it has no media type
		t.Errorf("status %d", response.StatusCode)
	}
	r.asked(t, 0, audit.Refused)
}

// WRD-IAM-02: identity comes first. Who is not identified does not even learn which
// documents there are.
func TestDescriptionNeedsAnIdentity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mu.Lock()
	r.ahead = 400 * 24 * time.Hour // no certificate lasts so long
	r.mu.Unlock()
	for _, query := range []string{"?wsdl", "?nothing"} {
		response, body := r.fetch(t, http.MethodGet, r.url()+query)
		if response.StatusCode != http.StatusForbidden || body != "" {
			t.Errorf("%s: status %d: %s", query, response.StatusCode, body)
		}
	}
	r.asked(t, 0, audit.Refused, audit.Refused)
}
