package sds_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/testpki"
)

const (
	device = `{"resourceType":"Device","id":"1","identifier":[` +
		`{"system":"https://fhir.nhs.uk/Id/nhsSpineASID","value":"928942012545"},{"system":"https://fhir.nhs.uk/Id/nhsMhsPartyKey","value":"YES-0000806"}],` +
		`"owner":{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"YES"}}}`
	reliability = `{"url":"https://fhir.nhs.uk/StructureDefinition/Extension-SDS-ReliabilityConfiguration","extension":[` +
		`{"url":"nhsMHSSyncReplyMode","valueString":"MSHSignalsOnly"},{"url":"nhsMHSRetryInterval","valueString":"PT1M"},{"url":"nhsMHSRetries","valueInteger":2},` +
		`{"url":"nhsMHSPersistDuration","valueString":"PT5M"},{"url":"nhsMHSDuplicateElimination","valueString":"always"},{"url":"nhsMHSAckRequested","valueString":"always"}]}`
	endpointResource = `{"resourceType":"Endpoint","id":"2","status":"active","extension":[` + reliability + `],"identifier":[` +
		`{"system":"https://fhir.nhs.uk/Id/nhsMhsFQDN","value":"spine.example.invalid"},{"system":"https://fhir.nhs.uk/Id/nhsMhsPartyKey","value":"YES-0000806"},` +
		`{"system":"https://fhir.nhs.uk/Id/nhsMhsCPAId","value":"S20001A000999"},{"system":"https://fhir.nhs.uk/Id/nhsMHSId","value":"S20001A000999"}],` +
		`"address":"` + endpoint + `"}`
)

// search is a Bundle of resources.
func search(resources ...string) string {
	var entries []string
	for _, r := range resources {
		entries = append(entries, `{"fullUrl":"https://sds.example.invalid/1","resource":`+r+`,"search":{"mode":"match"}}`)
	}
	return fmt.Sprintf(`{"resourceType":"Bundle","type":"searchset","total":%d,"link":[{"relation":"self","url":"https://sds.example.invalid/"}],"entry":[%s]}`,
		len(resources), strings.Join(entries, ","))
}

// api plays the FHIR API of the directory.
type api struct {
	*httptest.Server
	authority *testpki.Authority
	answer    func(w http.ResponseWriter, r *http.Request)
	asked     atomic.Int64
}

func answers(device, endpoint string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
		if strings.HasSuffix(r.URL.Path, "/Device") {
			io.WriteString(w, device)
			return
		}
		io.WriteString(w, endpoint)
	}
}

func newAPI(t testing.TB) *api {
	t.Helper()
	a := &api{authority: newAuthority(t), answer: answers(search(device), search(endpointResource))}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.answer(w, r)
	}))
	pair := issue(t, a.authority, testpki.Request{CommonName: "sds.test", DNSNames: []string{"sds.test"}, Server: true})
	a.TLS = &tls.Config{Certificates: []tls.Certificate{pair.TLSCertificate()}}
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

func (a *api) open(t testing.TB, changes ...func(*sds.Options)) *scene {
	t.Helper()
	base, err := url.Parse(a.URL + "/spine-directory/FHIR/R4")
	must(t, err)
	return open(t, func(o *sds.Options) {
		o.FHIR = &sds.FHIR{
			Base: base, APIKey: "the-key", TLS: &tls.Config{RootCAs: a.authority.Pool(), ServerName: "sds.test", MinVersion: tls.VersionTLS12},
			ConnectTimeout: 10 * time.Second, AnswerTimeout: 10 * time.Second,
		}
		for _, change := range changes {
			change(o)
		}
	})
}

// WRD-SPN-05: the FHIR API gives the same as LDAP does.
func TestServiceFromFHIR(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	var requests []*http.Request
	answer := a.answer
	a.answer = func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r)
		answer(w, r)
	}
	s := a.open(t)
	got, err := s.Service(t.Context())
	must(t, err)
	want := ebxml.Contract{
		CPAID: "S20001A000999", ToParty: "YES-0000806", SyncReply: "MSHSignalsOnly", AckRequested: true, DuplicateElimination: true,
		Retries: 2, RetryInterval: time.Minute, PersistDuration: 5 * time.Minute,
	}
	if diff := cmp.Diff(want, got.Contract); diff != "" || got.Endpoint.String() != endpoint || got.ASID != "928942012545" || !got.Async {
		t.Errorf("%+v, contract (-want +got):\n%s", got, diff)
	}
	recorded := s.ledger.take()
	if len(recorded) != 1 || recorded[0].Result != "found" || len(requests) != 2 {
		t.Fatalf("recorded %+v, %d requests", recorded, len(requests))
	}
	for i, want := range []struct {
		path  string
		query url.Values
	}{
		{"/spine-directory/FHIR/R4/Device", url.Values{
			"organization": {"https://fhir.nhs.uk/Id/ods-organization-code|YES"},
			"identifier":   {"https://fhir.nhs.uk/Id/nhsServiceInteractionId|" + cpisQuery},
		}},
		{"/spine-directory/FHIR/R4/Endpoint", url.Values{
			"identifier": {"https://fhir.nhs.uk/Id/nhsServiceInteractionId|" + cpisQuery, "https://fhir.nhs.uk/Id/nhsMhsPartyKey|YES-0000806"},
		}},
	} {
		r := requests[i]
		if r.Method != http.MethodGet || r.URL.Path != want.path || r.Header.Get("Apikey") != "the-key" || r.Header.Get("X-Correlation-Id") != recorded[0].Correlation {
			t.Errorf("%s %s with %v", r.Method, r.URL.Path, r.Header)
		}
		if diff := cmp.Diff(want.query, r.URL.Query()); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
	}
	_, err = s.Service(t.Context())
	must(t, err)
	if a.asked.Load() != 2 || len(s.ledger.take()) != 0 {
		t.Error("a fresh answer was asked for again")
	}
}

// What is no answer of the directory leaves it unavailable; what is one, but not usable,
// is told apart from that.
func TestAnswersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Content-Type", "application/fhir+json")
			w.WriteHeader(code)
			io.WriteString(w, search(device))
		}
	}
	devices := func(text string) func(http.ResponseWriter, *http.Request) {
		return answers(text, search(endpointResource))
	}
	endpoints := func(old, new string) func(http.ResponseWriter, *http.Request) {
		changed := strings.Replace(endpointResource, old, new, 1)
		if changed == endpointResource {
			t.Fatalf("nothing is %q", old)
		}
		return answers(search(device), search(changed))
	}
	cases := map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   sds.Result
	}{
		"a redirection": {status(302), sds.Unavailable},
		"a bad request": {status(400), sds.Unavailable},
		"no such key":   {status(401), sds.Unavailable},
		"too many":      {status(429), sds.Unavailable},
		"a gateway":     {status(502), sds.Unavailable},
		"nothing":       {devices(""), sds.Unavailable},
		"half of it":    {devices(search(device)[:100]), sds.Unavailable},
		"more than it":  {devices(search(device) + "{}"), sds.Unavailable},
		"another type":  {devices(`{"resourceType":"OperationOutcome"}`), sds.Unavailable},
		"a list":        {devices(`[]`), sds.Unavailable},
		"no search":     {devices(strings.Replace(search(device), "searchset", "collection", 1)), sds.Unavailable},
		"a name twice":  {devices(strings.Replace(search(device), `"total":1`, `"total":1,"Total":1`, 1)), sds.Unavailable},
		"too deep":      {devices(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)), sds.Unavailable},
		"too long":      {devices(search(device) + strings.Repeat(" ", 1<<20)), sds.Unavailable},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, search(device))
		}, sds.Unavailable},
		"a cut":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, sds.Unavailable},
		"silence":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, sds.Unavailable},
		"no device":       {devices(search()), sds.NoRecord},
		"two devices":     {devices(search(device, device)), sds.Ambiguous},
		"more to come":    {devices(strings.Replace(search(device), `"total":1`, `"total":2`, 1)), sds.Ambiguous},
		"no ASID":         {devices(search(strings.Replace(device, "928942012545", "", 1))), sds.Unusable},
		"two ASIDs":       {devices(search(strings.Replace(device, "nhsMhsPartyKey", "nhsSpineASID", 1))), sds.Ambiguous},
		"another kind":    {devices(search(endpointResource)), sds.Unusable},
		"no endpoint":     {answers(search(device), search()), sds.NoRecord},
		"two endpoints":   {answers(search(device), search(endpointResource, endpointResource)), sds.Ambiguous},
		"not active":      {endpoints(`"active"`, `"off"`), sds.Unusable},
		"of another key":  {endpoints("YES-0000806", "YES-0000807"), sds.Unusable},
		"no address":      {endpoints(endpoint, ""), sds.Unusable},
		"address in text": {endpoints(endpoint, `https://a\r\nb/`), sds.Unusable},
		"no contract":     {endpoints("Extension-SDS-ReliabilityConfiguration", "Extension-Other"), sds.Unusable},
		"two contracts":   {endpoints(reliability, reliability+","+reliability), sds.Unusable},
		"a value twice":   {endpoints("nhsMHSRetryInterval", "nhsMHSSyncReplyMode"), sds.Unusable},
		"a strange mode":  {endpoints("MSHSignalsOnly", "perhaps"), sds.Unusable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.answer = c.answer
			s := a.open(t, func(o *sds.Options) {
				if name == "silence" {
					o.FHIR.AnswerTimeout = 200 * time.Millisecond
				}
			})
			_, err := s.Service(t.Context())
			if resultOf(t, err) != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "the-key") || strings.Contains(err.Error(), "ods-organization-code")) {
				t.Errorf("the error quotes the request: %v", err)
			}
			if name == "a redirection" && a.asked.Load() != 1 {
				t.Error("a redirection was followed")
			}
			if diff := cmp.Diff([]string{string(c.want)}, s.ledger.results()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

// WRD-SPN-16: what is asked about cannot add to the query.
func TestQueriesAreEscaped(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, value := range []string{"YES&identifier=x", "YES#", "YES%26a=b", "../../x?", "YES|YES", "YES;a=b", "\x00", " ", "é", "+"} {
		var got url.Values
		var path string
		a.answer = func(_ http.ResponseWriter, r *http.Request) { got, path = r.URL.Query(), r.URL.Path }
		_, err := a.open(t, func(o *sds.Options) { o.Organisation = value }).Service(t.Context())
		if resultOf(t, err) != sds.Unavailable {
			t.Errorf("%q: %v", value, err)
		}
		want := url.Values{
			"organization": {"https://fhir.nhs.uk/Id/ods-organization-code|" + value},
			"identifier":   {"https://fhir.nhs.uk/Id/nhsServiceInteractionId|" + cpisQuery},
		}
		if diff := cmp.Diff(want, got); diff != "" || path != "/spine-directory/FHIR/R4/Device" {
			t.Errorf("%q: %s (-want +got):\n%s", value, path, diff)
		}
	}
}

// WRD-SPN-15: the last value outlives an outage of the API, and its use is recorded.
func TestFHIROutage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	s := a.open(t)
	_, err := s.Service(t.Context())
	must(t, err)
	a.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	s.clock.forward(16 * time.Minute)
	for range 3 {
		_, err = s.Service(t.Context())
		must(t, err)
	}
	if diff := cmp.Diff([]string{"found", "not available", "stale found", "stale found", "stale found"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// A directory that is only slow does not hold up a question for which there is a stale
// value.
func TestASlowDirectoryIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	s := a.open(t, func(o *sds.Options) { o.Patience, o.FHIR.AnswerTimeout = 100*time.Millisecond, time.Minute })
	_, err := s.Service(t.Context())
	must(t, err)
	answer, slow := a.answer, make(chan struct{})
	a.answer = func(w http.ResponseWriter, r *http.Request) {
		<-slow
		answer(w, r)
	}
	s.clock.forward(16 * time.Minute)
	began := time.Now()
	_, err = s.Service(t.Context())
	must(t, err)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	close(slow)
	for a.asked.Load() < 4 {
		time.Sleep(5 * time.Millisecond)
	}
}

// The directory's certificate is verified against the anchors and the name.
func TestFHIRIsVerified(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for name, c := range map[string]struct {
		change func(*tls.Config)
		says   string
	}{
		"anchors of another authority": {func(c *tls.Config) { c.RootCAs = newAuthority(t).Pool() }, "no known authority"},
		"the system's anchors":         {func(c *tls.Config) { c.RootCAs = nil }, "no known authority"},
		"another name":                 {func(c *tls.Config) { c.ServerName = "other.test" }, "another name"},
	} {
		_, err := a.open(t, func(o *sds.Options) { c.change(o.FHIR.TLS) }).Service(t.Context())
		if resultOf(t, err) != sds.Unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.asked.Load() != 0 {
		t.Error("a directory that is not trusted was asked")
	}
}

// The FHIR API has no people.
func TestFHIRCannotCheckAuthors(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	refusal, err := a.open(t).Author(t.Context(), "555000000101", "555000000201", "RXX", "R0260")
	if err != sds.ErrNoPeople || refusal != "" || a.asked.Load() != 0 {
		t.Errorf("%q, %v", refusal, err)
	}
}

// One of the two protocols must be chosen.
func TestOneProtocol(t *testing.T) {
	t.Parallel()
	for _, o := range []sds.Options{{}, {LDAP: &sds.LDAP{}, FHIR: &sds.FHIR{}}} {
		_, err := sds.New(o)
		if err == nil {
			t.Error("accepted")
		}
	}
}

// Nothing is asked after Close, by whoever still tries.
func TestNothingIsAskedAfterClose(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	s := a.open(t)
	s.Close()
	_, err := s.Service(t.Context())
	if resultOf(t, err) != sds.Unavailable || a.asked.Load() != 0 || s.ledger.take() != nil {
		t.Errorf("%v, asked %d times", err, a.asked.Load())
	}
}

// WRD-SPN-15: a question with little time left does not wait for the directory until it
// has none: what it said before is used while there is time for the Spine.
func TestPatienceEndsBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	s := a.open(t)
	_, err := s.Service(t.Context())
	must(t, err)
	a.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	s.clock.forward(16 * time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	got, err := s.Service(ctx)
	if err != nil || got.ASID == "" || ctx.Err() != nil {
		t.Errorf("%v, and of the question %v", err, ctx.Err())
	}
	s.Close()
}
