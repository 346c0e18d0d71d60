package endtoend_test

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

// nothingAsked fails if anything reached the Spine or was intended to.
func (w *ward) nothingAsked(t *testing.T) {
	t.Helper()
	n := w.Simulator.Counters()
	if n.Connections != 0 {
		t.Errorf("%d connections and %d requests reached the Spine", n.Connections, n.RequestsBegun)
	}
	if kinds(w.entries(t))[audit.Intent] != 0 {
		t.Error("the audit log holds an intent")
	}
}

// WRD-IAM-02, WRD-MSG-24, WRD-MSG-25, WRD-SEC-01: what is refused by the header is
// refused although no byte of the body is ever sent; the connection is closed, and
// the audit log says who was refused and why (WRD-AUD-08).
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	stranger := func(t *testing.T, w *ward) *tls.Config {
		return w.as(t, w.Authority, testpki.Request{CommonName: "stranger.example.invalid"})
	}
	cases := map[string]struct {
		as     func(*testing.T, *ward) *tls.Config
		head   string
		status int
		allow  string
	}{
		"unregistered certificate":              {as: stranger, head: post(4000), status: 403},
		"unregistered certificate that expects": {as: stranger, head: post(4000, "Expect: 100-continue"), status: 403},
		"unregistered certificate, other path":  {as: stranger, head: head("GET / HTTP/1.1"), status: 403},
		"unregistered certificate, description": {as: stranger, head: head("GET /smsp/cpis?wsdl HTTP/1.1"), status: 403},
		"GET":                                   {head: head("GET /smsp/cpis HTTP/1.1"), status: 405, allow: "POST"},
		"GET of an unknown schema":              {head: head("GET /smsp/cpis?xsd=../ward.toml HTTP/1.1"), status: 404},
		"PUT of the description":                {head: head("PUT /smsp/cpis?wsdl HTTP/1.1", "Content-Length: 9"), status: 405, allow: "POST"},
		"PUT":                                   {head: head("PUT /smsp/cpis HTTP/1.1", "Content-Type: text/xml", "Content-Length: 9"), status: 405, allow: "POST"},
		"other path":                            {head: head("POST /smsp HTTP/1.1", "Content-Type: text/xml", "Content-Length: 9"), status: 404},
		"no path":                               {head: head("OPTIONS * HTTP/1.1"), status: 404},
		"no media type":                         {head: head("POST /smsp/cpis HTTP/1.1", "Content-Length: 9"), status: 415},
		"JSON":                                  {head: head("POST /smsp/cpis HTTP/1.1", "Content-Type: application/json", "Content-Length: 9"), status: 415},
		"MTOM":                                  {head: head("POST /smsp/cpis HTTP/1.1", "Content-Type: multipart/related; boundary=x", "Content-Length: 9"), status: 415},
		"compressed":                            {head: post(9, "Content-Encoding: gzip"), status: 415},
		"too long":                              {head: post(256<<10 + 1), status: 413},
		"too long for one's nerves":             {head: post(1 << 60), status: 413},
		"too long, and expects":                 {head: post(256<<10+1, "Expect: 100-continue"), status: 413},
	}
	w := start(t, stage.Options{})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			as := w.tls
			if c.as != nil {
				as = c.as(t, w)
			}
			before := len(w.entries(t))
			client := w.dial(t, as)
			client.send(t, c.head)
			a := client.read(t) // a "100 Continue" would be read here
			if a.StatusCode != c.status || a.body != "" || !a.Close || !client.ends(t) {
				t.Errorf("status %d, body %q, closing %t", a.StatusCode, a.body, a.Close)
			}
			if a.Header.Get("Allow") != c.allow || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Server") != "" {
				t.Errorf("header %v", a.Header)
			}
			entries := w.entries(t)[before:]
			if len(entries) != 1 {
				t.Fatalf("%d audit entries", len(entries))
			}
			e := entries[0]
			if e.Kind != audit.Refused || e.Code != "HTTP "+strconv.Itoa(c.status) || e.Reason == "" || e.Notified != "no" ||
				e.Correlation != a.Header.Get("X-Correlation-Id") || e.Remote != client.LocalAddr().String() {
				t.Errorf("audit entry %+v", e)
			}
			if (e.Client == stage.ClientName) != (c.as == nil) {
				t.Errorf("the audit entry names the client %q", e.Client)
			}
			if e.Certificate != clients.Fingerprint(as.Certificates[0].Leaf) {
				t.Error("the audit entry does not name the certificate")
			}
		})
	}
	w.nothingAsked(t)
}

func TestHTTP2IsNotOffered(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	both := w.tls.Clone()
	both.NextProtos = []string{"h2", "http/1.1"}
	c := w.dial(t, both)
	if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("negotiated %q", p)
	}
}

// A caller whom nobody registered cannot fill the audit log.
func TestStrangersAreRecordedAtABoundedRate(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	stranger := w.as(t, w.Authority, testpki.Request{CommonName: "stranger.example.invalid"})
	began := time.Now()
	const visits = 40
	for range visits {
		c := w.dial(t, stranger)
		c.send(t, post(4000))
		if a := c.read(t); a.StatusCode != http.StatusForbidden {
			t.Fatalf("status %d", a.StatusCode)
		}
		c.Close()
	}
	entries := kinds(w.entries(t))[audit.Refused]
	allowed := 10 + int(time.Since(began)/time.Second) + 1
	if entries < 10 || entries > allowed {
		t.Errorf("%d entries for %d visits, want 10 to %d", entries, visits, allowed)
	}
	if logged := len(w.log.of(t, "request.refused")); logged != visits {
		t.Errorf("%d log lines for %d visits", logged, visits)
	}
}

// WRD-IAM-03: certificate, user name and audit identity must be of one client.
func TestIdentityOfTheMessageMustBeTheClients(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	cases := map[string]struct {
		old, new, want string
	}{
		"user name of nobody":           {">" + stage.Username + "<", ">somebody-else<", ">3000</"},
		"user name missing":             {"<wsse:Username>" + stage.Username + "</wsse:Username>", "", ">3000</"},
		"audit identity of another":     {stage.AuditIdentity, "urn:nhs-uk:identity:ods:RYY:ed-nurse-0042", ">1000</"},
		"audit identity with a prefix":  {stage.AuditIdentity, "urn:nhs-uk:identity:ods:RXXY:ed-nurse-0042", ">1000</"},
		"audit identity without a user": {stage.AuditIdentity, "urn:nhs-uk:identity:ods:RXX", `code="SMSP-0005"`},
		"audit identity, empty user":    {stage.AuditIdentity, "urn:nhs-uk:identity:ods:RXX:", "SMSP-0005|>1000</"},
		"another organisation":          {`extension="` + stage.ClientODS + `"`, `extension="RYY"`, `code="SMSP-0005"`},
		"another system":                {`extension="` + stage.ClientASID + `"`, `extension="200000000999"`, `code="SMSP-0005"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			message := string(w.message(t, withPlan))
			changed := strings.ReplaceAll(message, c.old, c.new)
			if changed == message {
				t.Fatalf("%q does not stand in the message", c.old)
			}
			client := w.dial(t, w.tls)
			client.send(t, whole([]byte(changed)))
			a := client.read(t)
			told := false
			for _, want := range strings.Split(c.want, "|") {
				told = told || strings.Contains(a.body, want)
			}
			if !told {
				t.Errorf("status %d, want %s in %s", a.StatusCode, c.want, a.body)
			}
			entries := w.transaction(t, a.Header.Get("X-Correlation-Id"))
			if len(entries) != 1 || entries[0].Kind != audit.Refused || entries[0].Notified != "no" || entries[0].Client != stage.ClientName || entries[0].Reason == "" {
				t.Errorf("audit entries %+v", entries)
			}
		})
	}
	w.nothingAsked(t)
}
