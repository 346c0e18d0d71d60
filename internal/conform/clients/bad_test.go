package clients_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/clients"
	"github.com/wardsmsp/ward/internal/testpki"
)

// spoil replaces a text that must be there.
func spoil(t *testing.T, content, old, new string) string {
	t.Helper()
	if !strings.Contains(content, old) {
		t.Fatalf("%q is not in the message", old)
	}
	return strings.Replace(content, old, new, 1)
}

// between is the first text between two others.
func between(t *testing.T, content, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(content, before)
	text, _, ended := strings.Cut(rest, after)
	if !found || !ended {
		t.Fatalf("nothing stands between %q and %q", before, after)
	}
	return text
}

// A message that breaks a rule is judged by the case of that rule and no other, and
// answered as the provider would.
func TestBadMessages(t *testing.T) {
	replace := func(old, new string) func(*testing.T, string) string {
		return func(t *testing.T, content string) string { return spoil(t, content, old, new) }
	}
	old := func(age time.Duration) string { return time.Now().Add(-age).UTC().Format("2006-01-02T15:04:05Z") }
	tests := []struct {
		name  string
		spoil func(*testing.T, string) string
		fails string
	}{
		{"SOAP 1.2", replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), "N1-soap-version"},
		{"a header of its own that must be understood", replace("<wsa:ReplyTo>", `<x:Trace xmlns:x="urn:x" soap:mustUnderstand="1"/><wsa:ReplyTo>`), "N2-must-understand"},
		{"a wrong count", replace(`<itk:manifest count="1">`, `<itk:manifest count="2">`), "N4-manifest-count"},
		{"a time in another form", func(t *testing.T, c string) string {
			return spoil(t, c, "<wsu:Created>"+between(t, c, "<wsu:Created>", "<"), "<wsu:Created>yesterday")
		}, "N8-timestamp-form"},
		{"no lifetime", func(t *testing.T, c string) string {
			return spoil(t, c, "<wsu:Timestamp "+between(t, c, "<wsu:Timestamp ", "</wsu:Timestamp>")+"</wsu:Timestamp>", "")
		}, "N9-timestamp"},
		{"an expired message", func(t *testing.T, c string) string {
			c = spoil(t, c, between(t, c, "<wsu:Created>", "<"), old(time.Hour))
			return spoil(t, c, between(t, c, "<wsu:Expires>", "<"), old(30*time.Minute))
		}, "N10-lifetime"},
		{"a message that lives for a week", func(t *testing.T, c string) string {
			return spoil(t, c, between(t, c, "<wsu:Expires>", "<"), old(-7*24*time.Hour))
		}, "N10-lifetime"},
		{"an empty attribute", replace(`mimetype="text/xml"`, `mimetype="text/xml" metadata=""`), "N11-blank-attributes"},
		{"no user name", func(t *testing.T, c string) string {
			return spoil(t, c, "<wsse:UsernameToken>"+between(t, c, "<wsse:UsernameToken>", "</wsse:UsernameToken>")+"</wsse:UsernameToken>", "")
		}, "N12-username"},
		{"the user name of another client", replace(">ed-system<", ">other-system<"), "N13-username-registered"},
		{"another service", replace(`service="urn:nhs-itk:services:201005:sendRecvDistEnvelope"`, `service="urn:nhs-itk:services:201005:other"`), "N15-service"},
		{"the profile of another message", replace("urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:other"), "N17-profile"},
		{"the audit identity of another organisation", replace("urn:nhs-uk:identity:ods:RZZ99:nurse-7", "urn:nhs-uk:identity:ods:RYY88:nurse-7"), "N18-audit-identity"},
		{"an audit identity of another form", replace("urn:nhs-uk:identity:ods:RZZ99:nurse-7", "nurse-7"), "N18-audit-identity"},
		{"a tracking id in lower case", func(t *testing.T, c string) string {
			id := between(t, c, `trackingid="`, `"`)
			return spoil(t, c, id, strings.ToLower(id[:35])+"a")
		}, "N19-envelope"},
		{"no address", func(t *testing.T, c string) string {
			return spoil(t, c, "<wsa:To>"+between(t, c, "<wsa:To>", "</wsa:To>")+"</wsa:To>", "")
		}, "N20-to"},
		{"the address of another service", func(t *testing.T, c string) string {
			return spoil(t, c, between(t, c, "<wsa:To>", "</wsa:To>"), "https://other.invalid/smsp/cpis")
		}, "N21-to-ours"},
		{"an address to reply to", replace("http://www.w3.org/2005/08/addressing/anonymous", "https://ed.invalid/reply"), "N22-reply-to"},
		{"a message id that is no UUID", func(t *testing.T, c string) string {
			return spoil(t, c, between(t, c, "<wsa:MessageID>", "<"), "message-1")
		}, "N23-message-id"},
		{"one id for two things", func(t *testing.T, c string) string {
			return spoil(t, c, between(t, c, `trackingid="`, `"`), between(t, c, "<wsa:MessageID>", "<"))
		}, "N24-ids-differ"},
		{"the interaction of another message", replace("urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0", "urn:nhs-itk:interaction:other"), "N28-interaction"},
		{"Latin 1", replace(">Hazelbrook Hospital<", ">H\xf4pital<"), "N29-well-formed"},
		{"a payload that is said to be base64", replace(`mimetype="text/xml"`, `mimetype="text/xml" base64="true"`), "N31-one-plain-payload"},
		{"a payload without a time", func(t *testing.T, c string) string {
			return spoil(t, c, `<effectiveTime value="`+between(t, c, `<effectiveTime value="`, `"`)+`"/>`, "")
		}, "N34-payload"},
		{"the ASID of another system", replace(`extension="`+asid+`"`, `extension="999000444556"`), "N36-author"},
		{"the author of another organisation", replace(`extension="RZZ99"`, `extension="RYY88"`), "N36-author"},
		{"a message id in lower case", func(t *testing.T, c string) string {
			return spoil(t, c, between(t, c, "<wsa:MessageID>", "<"), strings.ToLower(uuid.NewString()[:35])+"a")
		}, "plain-message-id"},
		{"the place of a schema", replace("<itk:DistributionEnvelope ", `<itk:DistributionEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x x.xsd" `), "no-schema-location"},
		{"a number that is not on the list", replace(`extension="`+current+`"`, `extension="9990000018"`), "listed-numbers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.post(t, test.spoil(t, r.message(t, current)), nil)
			report := r.report(t, clients.Confirmations{})
			diff := cmp.Diff([]string{test.fails}, with(report, conform.Failed))
			if diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"9990000018", "other-system", "RYY88", "yesterday", "nurse-7"} {
				if strings.Contains(r.log.String()+text(t, report), secret) {
					t.Errorf("%q reached the log or the report", secret)
				}
			}
		})
	}
}

// A client whose behaviour is bad is caught by the cases of that behaviour and no
// others.
func TestBadClients(t *testing.T) {
	tests := map[string]struct {
		does  func(t *testing.T, r *rig)
		fails []string
	}{
		"sends a message twice": {func(t *testing.T, r *rig) {
			content := r.message(t, current)
			r.post(t, content, nil)
			r.post(t, content, nil)
		}, []string{"N32-fresh-ids", "plan-current"}},
		"uses a message id for another message": {func(t *testing.T, r *rig) {
			first, second := r.message(t, current), r.message(t, "9990200025")
			r.post(t, first, nil)
			r.post(t, spoil(t, second, between(t, second, "<wsa:MessageID>", "<"), between(t, first, "<wsa:MessageID>", "<")), nil)
		}, []string{"N32-fresh-ids"}},
		"uses a query id for another query": {func(t *testing.T, r *rig) {
			first, second := r.message(t, current), r.message(t, "9990200025")
			r.post(t, first, nil)
			r.post(t, spoil(t, second, between(t, second, `<id root="`, `"`), between(t, first, `<id root="`, `"`)), nil)
		}, []string{"N32-fresh-ids"}},
		"asks again after its connection was closed": {func(t *testing.T, r *rig) {
			if r.post(t, r.message(t, "9990200270"), nil) != 0 {
				t.Error("the connection was not closed")
			}
			r.post(t, r.message(t, "9990200270"), nil)
		}, []string{"connection-closed"}},
		"sends the same message again after its connection was closed": {func(t *testing.T, r *rig) {
			content := r.message(t, "9990200270")
			r.post(t, content, nil)
			r.post(t, content, nil)
		}, []string{"N32-fresh-ids", "connection-closed"}},
		"asks again at once after HTTP 503": {func(t *testing.T, r *rig) {
			if r.post(t, r.message(t, "9990200238"), nil) != http.StatusServiceUnavailable {
				t.Error("the provider was not busy")
			}
			r.post(t, r.message(t, "9990200238"), nil)
		}, []string{"busy"}},
		"asks again after an unknown outcome": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, "7777777777"), nil)
			r.post(t, r.message(t, "7777777777"), nil)
		}, []string{"official-cpis-9999"}},
		"asks again after an answer": {func(t *testing.T, r *rig) {
			r.sdk(t, time.Minute).Ask(t.Context(), question(t, current))
			r.sdk(t, time.Minute).Ask(t.Context(), question(t, current))
		}, []string{"plan-current"}},
		"gives up before a slow answer comes": {func(t *testing.T, r *rig) {
			r.askAndGo(t, "9990200122")
		}, []string{"answer-slow"}},
		"gives up and asks again": {func(t *testing.T, r *rig) {
			for range 2 {
				r.askAndGo(t, unanswered)
			}
		}, []string{"answer-never"}},
		"says that its SOAP is 1.2": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.Header.Set("Content-Type", "application/soap+xml") })
		}, []string{"http-request"}},
		"says that its XML is text": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.Header.Set("Content-Type", "text/plain") })
		}, []string{"http-request"}},
		"encodes its body": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.Header.Set("Content-Encoding", "gzip") })
		}, []string{"http-request"}},
		"asks by GET": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.Method = http.MethodGet })
		}, []string{"http-request"}},
		"asks at another path": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.URL.Path = "/other" })
		}, []string{"http-request"}},
		"sends too much": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current)+strings.Repeat(" ", 256<<10), nil)
		}, []string{"http-request"}},
		"contradicts itself in SOAPAction": {func(t *testing.T, r *rig) {
			r.post(t, r.message(t, current), func(q *http.Request) { q.Header.Set("SOAPAction", "urn:other") })
		}, []string{"L1-soapaction"}},
		"has no certificate": {func(t *testing.T, r *rig) {
			r.tls = &tls.Config{RootCAs: r.authority.Pool(), ServerName: "smsp.test"}
			r.post(t, r.message(t, current), nil)
		}, []string{"mutual-tls"}},
		"has a certificate that is not registered": {func(t *testing.T, r *rig) {
			other := issue(t, r.authority, testpki.Request{CommonName: "other.test", Client: true})
			r.tls = &tls.Config{Certificates: []tls.Certificate{other.TLSCertificate()}, RootCAs: r.authority.Pool(), ServerName: "smsp.test"}
			if status := r.post(t, r.message(t, current), nil); status != http.StatusForbidden {
				t.Errorf("HTTP %d, want 403", status)
			}
		}, []string{"mutual-tls"}},
		"speaks TLS 1.1": {func(t *testing.T, r *rig) {
			r.tls.MinVersion, r.tls.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			r.post(t, r.message(t, current), nil)
		}, []string{"mutual-tls"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *clients.Config) { c.Slow = time.Minute })
			test.does(t, r)
			diff := cmp.Diff(test.fails, with(r.report(t, clients.Confirmations{}), conform.Failed))
			if diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}

// WRD-IAM-02: not a byte of the body is read from a machine that is not registered.
func TestStrangersAreNotRead(t *testing.T) {
	r := newRig(t, nil)
	other := issue(t, r.authority, testpki.Request{CommonName: "other.test", Client: true})
	connection, err := tls.Dial("tcp", r.address(),
		&tls.Config{Certificates: []tls.Certificate{other.TLSCertificate()}, RootCAs: r.authority.Pool(), ServerName: "smsp.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "POST /smsp/cpis HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 4096\r\n\r\n")
	connection.SetReadDeadline(time.Now().Add(30 * time.Second))
	answer, err := io.ReadAll(connection)
	if errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(string(answer), "HTTP/1.1 403 ") {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// A message that breaks a rule is not judged by the rules that come after it.
func TestLaterRulesAreNotJudged(t *testing.T) {
	r := newRig(t, nil)
	r.post(t, spoil(t, r.message(t, current), ">ed-system<", ">other<"), nil)
	report := r.report(t, clients.Confirmations{})
	if !slices.Contains(with(report, conform.Passed), "N12-username") || !slices.Contains(with(report, conform.NotRun), "N15-service") {
		t.Errorf("passed %v, not run %v", with(report, conform.Passed), with(report, conform.NotRun))
	}
}

// What the test provider says to a message that came twice is true of the first one.
func TestSecondUseIsRefused(t *testing.T) {
	r := newRig(t, nil)
	content := r.message(t, current)
	if first, second := r.post(t, content, nil), r.post(t, content, nil); first != http.StatusOK || second != http.StatusInternalServerError {
		t.Errorf("HTTP %d and %d, want 200 and 500", first, second)
	}
}

// What a client did not get is not judged, and no person can have seen it: its message
// was refused for its author, or had the id of another one.
func TestWhatWasRefusedShowsNothing(t *testing.T) {
	for name, spoilt := range map[string]func(t *testing.T, content, first string) string{
		"the author": func(t *testing.T, content, _ string) string {
			return spoil(t, content, `extension="RZZ99"`, `extension="RYY88"`)
		},
		"the message id": func(t *testing.T, content, first string) string {
			return spoil(t, content, between(t, content, "<wsa:MessageID>", "<"), between(t, first, "<wsa:MessageID>", "<"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *clients.Config) { c.Window = time.Millisecond })
			first := r.message(t, current)
			// Refused for its author, it uses its message id.
			r.post(t, spoil(t, first, `extension="`+asid+`"`, `extension="999000444556"`), nil)
			for _, s := range clients.Situations() {
				r.post(t, spoilt(t, r.message(t, s.Number), first), nil)
			}
			r.settle(t)
			time.Sleep(50 * time.Millisecond) // longer than the window
			select {
			case <-r.run.Complete():
				t.Error("the run is complete, and no client got anything")
			default:
			}
			report := r.report(t, clients.Confirmations{Tester: "Sam Specimen", Seen: clients.Screens()})
			notRun := with(report, conform.NotRun)
			for _, s := range clients.Situations() {
				if !slices.Contains(notRun, s.ID) || !slices.Contains(notRun, "screen-"+s.ID) {
					t.Errorf("%s or its screen is judged", s.ID)
				}
			}
		})
	}
}

// A question for which there is no place may be a second one about the same number: the
// run fails, and nobody is said to have asked once.
func TestWhatWasTurnedAwayIsNotJudged(t *testing.T) {
	r := newRig(t, func(c *clients.Config) { c.Limits.Questions, c.Window = 1, time.Millisecond })
	first, second := r.message(t, unanswered), r.message(t, unanswered)
	waiting := make(chan struct{})
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		defer close(waiting)
		r.post(t, first, func(q *http.Request) { *q = *q.WithContext(ctx) })
	}()
	r.until(t, func() bool { return r.run.Known() > 0 }) // a client that goes before that has asked nothing
	if status := r.post(t, second, nil); status != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d, want 503", status)
	}
	giveUp()
	<-waiting
	r.settle(t)
	time.Sleep(20 * time.Millisecond) // longer than the window
	report := r.report(t, clients.Confirmations{})
	if got := find(t, report, "answer-never"); got.Status != conform.NotRun || !strings.Contains(got.Got, "not judged") {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
	if got := find(t, report, "http-request"); got.Status != conform.Failed || !strings.Contains(got.Got, "1 requests were not judged") {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// A connection that does not end keeps nobody from the report.
func TestReportOfARunThatCouldNotBeDrained(t *testing.T) {
	r := newRig(t, nil)
	r.sdk(t, time.Minute).Ask(t.Context(), question(t, current))
	connection, err := tls.Dial("tcp", r.address(), r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "POST /smsp/cpis HTTP/1.1\r\n")
	r.settle(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r.stopBy(ended) == nil {
		t.Error("nothing was left to drain")
	}
	if got := find(t, r.run.Report(clients.Confirmations{}), "N34-payload"); got.Status != conform.Passed {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}
