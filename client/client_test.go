package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	asked   = "9990000018"
	another = "9990000026"
)

// provider answers as a test says, and counts.
type provider struct {
	*httptest.Server
	requests atomic.Int64
}

func newProvider(t *testing.T, answer func(w http.ResponseWriter, messageID string)) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		id := regexp.MustCompile(`<wsa:MessageID>([^<]+)<`).FindSubmatch(body)
		if id == nil {
			t.Error("a request without a message id")
			return
		}
		answer(w, string(id[1]))
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *provider) tls() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func (p *provider) client(t *testing.T, change func(*client.Config)) *client.Client {
	t.Helper()
	config := client.Config{URL: p.URL + "/smsp/cpis", TLS: p.tls(), Username: "ed", Organisation: "RZZ99", Provider: "Y99", MaxReply: 64 << 10}
	if change != nil {
		change(&config)
	}
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func number(t *testing.T, digits string) cpis.NHSNumber {
	t.Helper()
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func question(t *testing.T) client.Question {
	t.Helper()
	return client.Question{
		Number:          number(t, asked),
		AuditIdentities: []cpis.AuditIdentity{{Type: itk.IdentityType, URI: "urn:nhs-uk:identity:ods:RZZ99:nurse-7"}},
		Author: cpis.System{
			ASID:        "999000444555",
			Authorities: []cpis.IndirectAuthority{{Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"}}},
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
		},
	}
}

// found is what CP-IS holds about a number.
func found(n cpis.NHSNumber) cpis.Findings {
	return cpis.Findings{
		ID: "F0000000-0000-4000-8000-000000000001", Time: cpis.Moment{Written: "20260314092700+0000"},
		Records: []cpis.Record{{
			LocalAuthority: cpis.LocalAuthority{
				Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "E09X1"}, Name: "Westmarch Borough Council"},
				Telecoms:     []cpis.Telecom{{Use: "EC", Value: "tel:02079460102"}},
			},
			Plans: []cpis.Plan{{Type: cpis.ChildProtectionPlan, Start: cpis.Date{Year: 2026, Month: 1, Day: 2}}},
			Subjects: []cpis.Subject{{
				IDs:   []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: n.Digits()}},
				Birth: cpis.Moment{Written: "20180105"},
				Name:  cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Robin"}, {Kind: "family", Text: "Fennimore"}}},
			}},
		}},
	}
}

// reply is an answer of a provider; notified is nil for one that does not say.
func reply(t *testing.T, relatesTo string, code cpis.Code, notified *cpis.Notified, f cpis.Findings) string {
	t.Helper()
	if f.ID == "" {
		f = cpis.Findings{ID: "F0000000-0000-4000-8000-000000000002", Time: cpis.Moment{Written: "20260314092700+0000"}}
	}
	content, err := itk.WriteResponse(itk.Response{
		MessageID: "A0000000-0000-4000-8000-000000000001", TrackingID: "A0000000-0000-4000-8000-000000000002",
		PayloadID: "A0000000-0000-4000-8000-000000000003", RelatesTo: relatesTo, Client: "RZZ99", Provider: "Y99", Remarks: itk.Remarks{Notified: notified},
		Payload: hl7.Response{Code: code, Display: code.Display(), Findings: f, Asked: number(t, asked)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func fault(code int) string { return diagnosed(code, "No.") }

func diagnosed(code int, diagnostic string) string {
	return fmt.Sprintf(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode>`+
		`<faultstring>No.</faultstring><detail><e:ToolkitErrorInfo xmlns:e="urn:nhs-itk:ns:201005"><e:ErrorID>E-1</e:ErrorID>`+
		`<e:ErrorCode>%d</e:ErrorCode><e:ErrorText>No.</e:ErrorText><e:ErrorDiagnosticText>%s</e:ErrorDiagnosticText></e:ToolkitErrorInfo></detail></s:Fault></s:Body></s:Envelope>`, code, diagnostic)
}

// Whatever a provider sends, the result says no more than is known, and the request
// is sent once (WRD-SUP-06, WRD-RC-15).
func TestResults(t *testing.T) {
	t.Parallel()
	yes, no, maybe := cpis.NotifiedYes, cpis.NotifiedNo, cpis.NotifiedMaybe
	full := found(number(t, asked))
	const html = "<html><body>Sorry</body></html>"
	bareFault := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>Oops</faultstring></s:Fault></s:Body></s:Envelope>`
	cases := map[string]struct {
		status   int // 200 if 0
		body     func(id string) string
		outcome  cpis.Outcome
		notified cpis.Notified
	}{
		"found":                        {0, func(id string) string { return reply(t, id, cpis.CodeSuccess, &yes, full) }, cpis.Found, yes},
		"found, RelatesTo not given":   {0, func(string) string { return reply(t, "", cpis.CodeSuccess, &yes, full) }, cpis.Found, yes},
		"found, lower case RelatesTo":  {0, func(id string) string { return reply(t, strings.ToLower(id), cpis.CodeSuccess, &yes, full) }, cpis.Found, yes},
		"found, notification not said": {0, func(id string) string { return reply(t, id, cpis.CodeSuccess, nil, full) }, cpis.Found, yes},
		"no record":                    {0, func(id string) string { return reply(t, id, cpis.CodeNoRecord, &no, cpis.Findings{}) }, cpis.NoRecord, no},
		"not sent":                     {0, func(id string) string { return reply(t, id, cpis.CodeNotConnected, &no, cpis.Findings{}) }, cpis.NotSent, no},
		"not sent, yet notified":       {0, func(id string) string { return reply(t, id, cpis.CodeNotConnected, &maybe, cpis.Findings{}) }, cpis.SentNoAnswer, maybe},
		"Spine error":                  {0, func(id string) string { return reply(t, id, cpis.CodeSpineError, &maybe, cpis.Findings{}) }, cpis.SentNoAnswer, maybe},
		"failure of the provider":      {0, func(id string) string { return reply(t, id, cpis.CodeInternal, &yes, cpis.Findings{}) }, cpis.InternalAfterSent, yes},
		"an answer from a local store": {0, func(id string) string { return reply(t, id, "SMSP-0003", &no, cpis.Findings{}) }, cpis.OutcomeUnknown, no},

		"success without a record": {0, func(id string) string { return reply(t, id, cpis.CodeSuccess, &yes, cpis.Findings{}) }, cpis.ResponseInvalid, yes},
		"no record, with a record": {0, func(id string) string {
			return strings.Replace(reply(t, id, cpis.CodeSuccess, &no, full), `"SMSP-0000"`, `"CPIS-0001"`, 1)
		}, cpis.ResponseInvalid, no},
		"about another person": {0, func(id string) string { return reply(t, id, cpis.CodeSuccess, &yes, found(number(t, another))) }, cpis.ProviderNoAnswer, maybe},
		"to another message": {0, func(string) string {
			return reply(t, "B0000000-0000-4000-8000-000000000009", cpis.CodeNoRecord, &no, full)
		}, cpis.ProviderNoAnswer, maybe},
		"truncated":                 {0, func(id string) string { r := reply(t, id, cpis.CodeSuccess, &yes, full); return r[:len(r)/2] }, cpis.ProviderNoAnswer, maybe},
		"without totals":            {0, func(id string) string { return withoutTotals(reply(t, id, cpis.CodeNoRecord, &no, cpis.Findings{})) }, cpis.ProviderNoAnswer, maybe},
		"an answer with status 500": {500, func(id string) string { return reply(t, id, cpis.CodeNoRecord, &no, cpis.Findings{}) }, cpis.ProviderNoAnswer, maybe},
		"larger than allowed": {0, func(id string) string {
			return reply(t, id, cpis.CodeSuccess, &yes, full) + strings.Repeat(" ", 64<<10)
		}, cpis.ProviderNoAnswer, maybe},
		"empty":    {0, text(""), cpis.ProviderNoAnswer, maybe},
		"accepted": {202, text(""), cpis.ProviderNoAnswer, maybe},
		"HTML":     {0, text(html), cpis.ProviderNoAnswer, maybe},
		"redirect": {302, text(""), cpis.ProviderNoAnswer, maybe},
		"HTML 500": {500, text(html), cpis.ProviderNoAnswer, maybe},
		"HTML 502": {502, text(html), cpis.ProviderNoAnswer, maybe},
		"HTML 504": {504, text(html), cpis.ProviderNoAnswer, maybe},

		"fault 1000":                 {500, text(fault(1000)), cpis.Refused, no},
		"fault of a replay":          {500, text(diagnosed(1000, itk.DiagnosticReplayed)), cpis.RefusedDuplicate, maybe},
		"fault 3000":                 {500, text(fault(3000)), cpis.Refused, no},
		"fault 2200":                 {500, text(fault(2200)), cpis.Refused, no},
		"fault 2100":                 {500, text(fault(2100)), cpis.AuditFailedBefore, no},
		"fault with status 200":      {200, text(fault(1000)), cpis.Refused, no},
		"fault of another kind":      {500, text(bareFault), cpis.ProviderNoAnswer, maybe},
		"fault with an unknown code": {500, text(fault(4711)), cpis.ProviderNoAnswer, maybe},

		"busy":             {503, text("busy\n"), cpis.Overloaded, no},
		"not registered":   {403, text(""), cpis.Refused, no},
		"no such path":     {404, text(html), cpis.Refused, no},
		"too large":        {413, text(""), cpis.Refused, no},
		"not a media type": {415, text(""), cpis.Refused, no},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, func(w http.ResponseWriter, id string) {
				w.Header().Set("Content-Type", "text/xml")
				w.Header().Set("X-Correlation-Id", "C-1")
				if c.status == http.StatusFound {
					w.Header().Set("Location", "/elsewhere")
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				io.WriteString(w, c.body(id))
			})
			r := p.client(t, nil).Ask(t.Context(), question(t))
			check(t, r, c.outcome, c.notified)
			if r.Correlation != "C-1" || r.Raw == nil || r.Asked.Digits() != asked || r.MessageID == "" || r.Finished.Before(r.AskedAt) {
				t.Errorf("result %+v", r)
			}
			if n := p.requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// MSCA-DQ-03, WRD-PDS-04: what a provider says beside its code is typed, and a number
// does not take its own place. Nothing is asked a second time.
func TestRemarksOfTheProvider(t *testing.T) {
	t.Parallel()
	no := cpis.NotifiedNo
	said := func(answer cpis.Answer) func(string) string {
		return func(id string) string {
			code := (cpis.Codes{}).Of(answer.Outcome())
			plain := reply(t, id, code, &no, cpis.Findings{})
			entries := ""
			remarks := itk.RemarksOf(answer, cpis.Codes{})
			if remarks.Outcome != cpis.OutcomeUnknown {
				entries += `<itk:spec key="` + itk.OutcomeKey + `" value="` + remarks.Outcome.String() + `"/>`
			}
			if !remarks.Replacement.IsZero() {
				entries += `<itk:spec key="` + itk.ReplacementKey + `" value="` + remarks.Replacement.Digits() + `"/>`
			}
			entries += `<itk:spec key="` + itk.DemographicsKey + `" value="` + remarks.Verification.String() + `"/>`
			return strings.Replace(plain, "</itk:handlingSpecification>", entries+"</itk:handlingSpecification>", 1)
		}
	}
	noRecord := cpis.Told(cpis.CodeNoRecord, &no, cpis.Findings{}, 0, 0)
	cases := map[string]struct {
		body         func(string) string
		outcome      cpis.Outcome
		replacement  string
		verification cpis.Verification
	}{
		"replaced":                {said(cpis.Superseded(number(t, another))), cpis.NumberSuperseded, another, cpis.NotVerifying},
		"replaced by itself":      {said(cpis.Superseded(number(t, asked))), cpis.NumberSuperseded, "", cpis.NotVerifying},
		"no longer in use":        {said(cpis.Failed(cpis.NumberInvalidated, "")), cpis.NumberInvalidated, "", cpis.NotVerifying},
		"another date of birth":   {said(cpis.Failed(cpis.NumberMismatch, "")), cpis.NumberMismatch, "", cpis.NotVerifying},
		"no record, verified":     {said(noRecord.WithVerification(cpis.Verified)), cpis.NoRecord, "", cpis.Verified},
		"no record, not verified": {said(noRecord.WithVerification(cpis.Unverified)), cpis.NoRecord, "", cpis.Unverified},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, func(w http.ResponseWriter, id string) {
				w.Header().Set("Content-Type", "text/xml")
				io.WriteString(w, c.body(id))
			})
			r := p.client(t, nil).Ask(t.Context(), question(t))
			check(t, r, c.outcome, no)
			if r.Answer.Replacement().Digits() != c.replacement || r.Answer.Verification() != c.verification || p.requests.Load() != 1 {
				t.Errorf("replacement %t, verification %q, %d requests", !r.Answer.Replacement().IsZero(), r.Answer.Verification(), p.requests.Load())
			}
			if r.Cause != nil && strings.Contains(r.Cause.Error(), another) {
				t.Error("the cause quotes the replacement")
			}
		})
	}
}

// WRD-PDS-03: a date of birth goes with the message if it is one.
func TestBirthDate(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(http.ResponseWriter, string) {})
	for name, c := range map[string]struct {
		born cpis.Date
		sent bool
		ok   bool
	}{
		"none":                    {cpis.Date{}, false, true},
		"a day":                   {cpis.Date{Year: 2019, Month: 2, Day: 28}, true, true},
		"a day and a time":        {cpis.Date{Year: 2019, Month: 2, Day: 28, Hour: 9, Minute: 5}, true, true},
		"a day that there is not": {cpis.Date{Year: 2019, Month: 2, Day: 29}, false, false},
		"a day to come":           {cpis.DateOf(time.Now().AddDate(0, 0, 2)), false, false},
		"a year alone":            {cpis.Date{Year: 2019}, false, false},
	} {
		q := question(t)
		q.BirthDate = c.born
		m, err := p.client(t, nil).Prepare(q)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && strings.Contains(string(m.Content), `key="urn:x-cpis-smsp:date-of-birth" value="2019-02-28"`) != c.sent {
			t.Errorf("%s: %s", name, m.Content)
		}
	}
}

func text(s string) func(string) string { return func(string) string { return s } }

func withoutTotals(s string) string {
	return regexp.MustCompile(`(?s)<pertinentInformation11>.*</pertinentInformation12>`).ReplaceAllString(s, "")
}

// check holds a result: data with Found alone, a cause with everything that is not
// a result.
func check(t *testing.T, r client.Result, o cpis.Outcome, n cpis.Notified) {
	t.Helper()
	if r.Answer.Outcome() != o || r.Answer.Notified() != n {
		t.Errorf("%s, notified %s; want %s, %s (%v)", r.Answer.Outcome(), r.Answer.Notified(), o, n, r.Cause)
	}
	_, data := r.Answer.Findings()
	if data != (o == cpis.Found) {
		t.Errorf("data: %t", data)
	}
	if isResult := o == cpis.Found || o == cpis.NoRecord; (r.Cause == nil) != isResult {
		t.Errorf("cause: %v", r.Cause)
	}
	if r.Cause != nil && strings.Contains(r.Cause.Error(), asked) {
		t.Error("the cause quotes the NHS number")
	}
}

// The ids of a request are new and differ; the rest is what was configured.
func TestRequest(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	c := p.client(t, func(c *client.Config) { c.To = "https://smsp.example/cpis" })
	ids := map[string]bool{}
	for range 20 {
		m, err := c.Prepare(question(t))
		if err != nil {
			t.Fatal(err)
		}
		all := regexp.MustCompile(`[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}`).FindAllString(string(m.Content), -1)
		distinct := map[string]bool{}
		for _, id := range all {
			distinct[id] = true
		}
		if len(distinct) != 5 { // message, timestamp, tracking, payload twice, event
			t.Fatalf("%d different ids in a request", len(distinct))
		}
		for id := range distinct {
			if ids[id] {
				t.Errorf("the id %s was used before", id)
			}
			ids[id] = true
		}
		for _, want := range []string{">https://smsp.example/cpis<", ">ed<", "ods:RZZ99", "ods:Y99", asked} {
			if !strings.Contains(string(m.Content), want) {
				t.Errorf("the request does not hold %s", want)
			}
		}
	}
}

// What cannot be asked says so before anything is sent.
func TestQuestionsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	c := p.client(t, nil)
	for name, change := range map[string]func(*client.Question){
		"no number":         func(q *client.Question) { q.Number = cpis.NHSNumber{} },
		"no author":         func(q *client.Question) { q.Author = nil },
		"no audit identity": func(q *client.Question) { q.AuditIdentities = nil },
	} {
		q := question(t)
		change(&q)
		r := c.Ask(t.Context(), q)
		if r.Answer.Outcome() != cpis.Refused || r.Answer.Notified() != cpis.NotifiedNo || r.Cause == nil {
			t.Errorf("%s: %s", name, r.Answer.Outcome())
		}
	}
	if n := p.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// WRD-IAM-07: there is no client that does not verify its provider.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]client.Config{
		"no URL":          {TLS: &tls.Config{}},
		"http":            {URL: "http://smsp.example", TLS: &tls.Config{}},
		"no host":         {URL: "https:///smsp", TLS: &tls.Config{}},
		"no TLS":          {URL: "https://smsp.example"},
		"no verification": {URL: "https://smsp.example", TLS: &tls.Config{InsecureSkipVerify: true}},
	} {
		_, err := client.New(config)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
