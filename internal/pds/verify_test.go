package pds_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/pds"
)

// WRD-PDS-03, MSCA-DQ-03, MSCA-DQ-04: each thing that the service can say of a number.
func TestVerdicts(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	verified := pds.Verdict{Kind: pds.Verified, Compared: true}
	for name, c := range map[string]struct {
		status int
		body   string
		birth  string
		want   pds.Verdict
		result string
	}{
		"verified with the date of birth": {200, patient(asked, `"birthDate":"2019-05-21"`), "2019-05-21", verified, "the number is verified, and so is the date of birth"},
		"verified, unrestricted":          {200, patient(asked, `"birthDate":"2019-05-21"`, security("U")), "2019-05-21", verified, "the number is verified, and so is the date of birth"},
		"verified without being told one": {200, patient(asked, `"birthDate":"2019-05-21"`), "", pds.Verdict{Kind: pds.Verified}, "the number is verified"},
		"the year alone is known":         {200, patient(asked, `"birthDate":"2019"`), "2019-05-21", verified, "the number is verified, and so is the date of birth"},
		"year and month alone are known":  {200, patient(asked, `"birthDate":"2019-05"`), "2019-05-21", verified, "the number is verified, and so is the date of birth"},
		"no date of birth is known":       {200, patient(asked), "2019-05-21", pds.Verdict{Kind: pds.Verified, NoBirth: true}, "the number is verified without the date of birth, which the service did not give"},
		"restricted, without a date of birth": {200, patient(asked, security("R")), "2019-05-21",
			pds.Verdict{Kind: pds.Verified, NoBirth: true, Restricted: true}, "the number is verified without the date of birth, which the service did not give"},
		"restricted (WRD-PDS-06)":          {200, patient(asked, security("R")), "", pds.Verdict{Kind: pds.Verified, Restricted: true}, "the number is verified"},
		"very restricted":                  {200, patient(asked, security("V")), "", pds.Verdict{Kind: pds.Verified, Restricted: true}, "the number is verified"},
		"a mark that is not known":         {200, patient(asked, security("X")), "", pds.Verdict{Kind: pds.Verified, Restricted: true}, "the number is verified"},
		"redacted: no longer in use":       {200, patient(asked, security("REDACTED"), `"birthDate":"2019-05-21"`), "2019-05-21", pds.Verdict{Kind: pds.Invalidated, Restricted: true, Compared: true}, "the number is no longer in use"},
		"another day":                      {200, patient(asked, `"birthDate":"2019-05-20"`), "2019-05-21", pds.Verdict{Kind: pds.Mismatch, Compared: true}, "the number is of somebody with another date of birth"},
		"another month, where no day is":   {200, patient(asked, `"birthDate":"2019-06"`), "2019-05-21", pds.Verdict{Kind: pds.Mismatch, Compared: true}, "the number is of somebody with another date of birth"},
		"another year":                     {200, patient(asked, `"birthDate":"2018"`), "2019-05-21", pds.Verdict{Kind: pds.Mismatch, Compared: true}, "the number is of somebody with another date of birth"},
		"another date, restricted":         {200, patient(asked, security("R"), `"birthDate":"2018"`), "2019-05-21", pds.Verdict{Kind: pds.Mismatch, Compared: true, Restricted: true}, "the number is of somebody with another date of birth"},
		"superseded":                       {200, patient(replacement, `"birthDate":"2019-05-21"`), "2019-05-21", pds.Verdict{Kind: pds.Superseded, Compared: true, Replacement: number(t, replacement)}, "the number has been replaced by another one"},
		"superseded, no date of birth":     {200, patient(replacement), "", pds.Verdict{Kind: pds.Superseded, Replacement: number(t, replacement)}, "the number has been replaced by another one"},
		"superseded by somebody else's":    {200, patient(replacement, `"birthDate":"1980-01-01"`), "2019-05-21", pds.Verdict{Kind: pds.Mismatch, Compared: true}, "the number is of somebody with another date of birth"},
		"invalidated":                      {404, outcome("INVALIDATED_RESOURCE"), "", pds.Verdict{Kind: pds.Invalidated}, "the number is no longer in use"},
		"unknown":                          {404, outcome("RESOURCE_NOT_FOUND"), "2019-05-21", pds.Verdict{Kind: pds.Unknown}, "nobody has the number"},
		"unknown, said twice":              {404, outcome("RESOURCE_NOT_FOUND", "RESOURCE_NOT_FOUND"), "", pds.Verdict{Kind: pds.Unknown}, "nobody has the number"},
		"not taken for a number":           {400, outcome("INVALID_RESOURCE_ID"), "", pds.Verdict{Kind: pds.NotANumber}, "the number is not taken for an NHS number"},
		"an answer whose names have paths": {200, patient(asked, `"contact":[{"id":"`+replacement+`"}]`, `"ID":"x"`, `"BirthDate":1`), "", pds.Verdict{Kind: pds.Verified}, "the number is verified"},
	} {
		t.Run(name, func(t *testing.T) {
			s.set(func() { s.answer = say(c.status, c.body) })
			before := len(a.results())
			got, err := a.Verify(t.Context(), number(t, asked), c.birth)
			must(t, err)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(cpis.NHSNumber{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{c.result}, a.results()[before:]); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
	for _, mediaType := range []string{"application/json", "application/fhir+json; charset=utf-8", "application/fhir+json;fhirVersion=4.0"} {
		s.set(func() { s.answer = sayAs(mediaType, 200, patient(asked)) })
		a.works(t)
	}
}

// WRD-PDS-04, H-01: whatever cannot be relied on is a failure, and never a verdict. It is
// recorded that it was asked (IG-3.9.2a).
func TestFailures(t *testing.T) {
	deny := outcome("ACCESS_DENIED")
	entry := `"birthDate":"2019-05-21"`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   pds.Failure
	}{
		"not allowed":                      {say(403, deny), pds.NotAllowed},
		"timed out behind it":              {say(408, outcome("UNABLE_TO_CALL_SERVICE")), pds.Unavailable},
		"asked too often":                  {say(429, outcome("TOO_MANY_REQUESTS")), pds.Throttled},
		"an internal error":                {say(500, outcome("RESOURCE_NOT_FOUND")), pds.Unavailable},
		"a page of a gateway":              {sayAs("text/html", 502, "<html>"), pds.Unavailable},
		"not available":                    {say(503, ""), pds.Unavailable},
		"a success without content":        {say(204, ""), pds.Unexpected},
		"a part of the content":            {say(206, patient(asked, entry)), pds.Unexpected},
		"not found without a reason":       {say(404, `{}`), pds.Malformed},
		"not found by a gateway":           {sayAs("text/plain", 404, "no such route"), pds.NotFHIR},
		"not found, another resource":      {say(404, patient(asked, entry)), pds.Malformed},
		"not found, no issue":              {say(404, outcome()), pds.Unexpected},
		"not found, another code":          {say(404, outcome("NO_ROUTE")), pds.Unexpected},
		"not found, two reasons":           {say(404, outcome("RESOURCE_NOT_FOUND", "INVALIDATED_RESOURCE")), pds.Unexpected},
		"not found, in another case":       {say(404, outcome("resource_not_found")), pds.Unexpected},
		"not found, said of a bad request": {say(400, outcome("RESOURCE_NOT_FOUND")), pds.Unexpected},
		"a bad request, said of not found": {say(404, outcome("INVALID_RESOURCE_ID")), pds.Unexpected},
		"gone, with the reason":            {say(410, outcome("INVALIDATED_RESOURCE")), pds.Unexpected},
		"a success with the reason":        {say(200, outcome("RESOURCE_NOT_FOUND")), pds.Malformed},
		"a header is missing":              {say(400, outcome("MISSING_VALUE")), pds.Unexpected},
		"a header is wrong":                {say(400, outcome("INVALID_VALUE")), pds.Unexpected},
		"an issue without details":         {say(404, `{"resourceType":"OperationOutcome","issue":[{"code":"not-found"}]}`), pds.Malformed},
		"an issue without codes":           {say(404, `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[]}}]}`), pds.Malformed},
		"an issue that is none":            {say(404, `{"resourceType":"OperationOutcome","issue":null}`), pds.Malformed},
		"a page of a proxy":                {sayAs("text/html", 200, "<html>log in</html>"), pds.NotFHIR},
		"no media type":                    {sayAs("", 200, patient(asked, entry)), pds.NotFHIR},
		"FHIR in XML":                      {sayAs("application/fhir+xml", 200, patient(asked, entry)), pds.NotFHIR},
		"nothing":                          {say(200, ""), pds.Malformed},
		"an empty object":                  {say(200, "{}"), pds.Malformed},
		"a list":                           {say(200, "["+patient(asked, entry)+"]"), pds.Malformed},
		"null":                             {say(200, "null"), pds.Malformed},
		"two answers":                      {say(200, patient(asked, entry)+patient(replacement, entry)), pds.Malformed},
		"cut short":                        {say(200, strings.TrimSuffix(patient(asked, entry), "}")), pds.Malformed},
		"no id":                            {say(200, `{"resourceType":"Patient",`+entry+`}`), pds.Malformed},
		"an id in another case":            {say(200, `{"resourceType":"Patient","ID":"`+asked+`"}`), pds.Malformed},
		"an id that is a number":           {say(200, `{"resourceType":"Patient","id":`+asked+`}`), pds.Malformed},
		"an id twice":                      {say(200, patient(asked, `"id":"`+asked+`"`)), pds.Malformed},
		"an id twice, once in escapes":     {say(200, patient(replacement, `"i\u0064":"`+asked+`"`)), pds.Malformed},
		"an id that is null":               {say(200, `{"resourceType":"Patient","id":null}`), pds.Malformed},
		"an id with a space":               {say(200, patient("999 000 0018")), pds.Malformed},
		"an id with a wrong check digit":   {say(200, patient("9990000019")), pds.Malformed},
		"an id of ten equal digits":        {say(200, patient("9999999999")), pds.Malformed},
		"another NHS number as identifier": {say(200, strings.Replace(patient(asked, entry), `"value":"`+asked+`"`, `"value":"`+replacement+`"`, 1)), pds.Malformed},
		"two NHS numbers as identifiers":   {say(200, strings.Replace(patient(asked, entry), `"identifier":[`, `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`+replacement+`"},`, 1)), pds.Malformed},
		"identifiers that are no list":     {say(200, `{"resourceType":"Patient","id":"`+asked+`","identifier":{}}`), pds.Malformed},
		"an identifier that is no object":  {say(200, `{"resourceType":"Patient","id":"`+asked+`","identifier":["`+asked+`"]}`), pds.Malformed},
		"an id in other digits":            {say(200, patient("９990000018")), pds.Malformed},
		"another kind of resource":         {say(200, strings.Replace(patient(asked, entry), "Patient", "RelatedPerson", 1)), pds.Malformed},
		"no kind of resource":              {say(200, `{"id":"`+asked+`"}`), pds.Malformed},
		"several candidates (MSCA-DQ-01)":  {say(200, `{"resourceType":"Bundle","total":2,"entry":[]}`), pds.Ambiguous},
		"a date of birth that is none":     {say(200, patient(asked, `"birthDate":"2019-02-30"`)), pds.Malformed},
		"a date of birth with a time":      {say(200, patient(asked, `"birthDate":"2019-05-21T00:00:00Z"`)), pds.Malformed},
		"an empty date of birth":           {say(200, patient(asked, `"birthDate":""`)), pds.Malformed},
		"a date of birth that is null":     {say(200, patient(asked, `"birthDate":null`)), pds.Malformed},
		"a date of birth twice":            {say(200, patient(asked, `"birthDate":"2019-05-21"`, `"birthDate":"2018-05-21"`)), pds.Malformed},
		"security that is no list":         {say(200, patient(asked, `"meta":{"security":"U"}`)), pds.Malformed},
		"security that is null":            {say(200, patient(asked, `"meta":{"security":null}`)), pds.Malformed},
		"meta that is no object":           {say(200, patient(asked, `"meta":[]`)), pds.Malformed},
		"nested beyond reason":             {say(200, patient(asked, `"x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000))), pds.Malformed},
		"too large":                        {say(200, patient(asked, `"x":"`+strings.Repeat("x", 256<<10)+`"`)), pds.TooLarge},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/personal-demographics/FHIR/R4/Patient/"+asked+"?again", http.StatusFound)
		}, pds.Redirected},
		"a connection that ends":         {hangUp(""), pds.Broken},
		"a connection that ends early":   {hangUp("HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 999\r\n\r\n" + patient(asked)), pds.Broken},
		"an answer that is not HTTP":     {hangUp("SMTP ready\r\n\r\n"), pds.Broken},
		"a header that is too long":      {hangUp("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n"), pds.Broken},
		"switching to another protocol":  {hangUp("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), pds.Unexpected},
		"an answer that says only hints": {hangUp(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9)), pds.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := newAsker(t, s)
			s.set(func() { s.answer = c.answer })
			a.fails(t, c.want)
			if diff := cmp.Diff([]string{string(c.want)}, a.results()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			_, requests := s.counts()
			if requests != 1 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// hangUp writes what it is given as it is and ends the connection.
func hangUp(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buffered.WriteString(raw)
		_ = buffered.Flush()
		_ = conn.Close()
	}
}

// The request is the one that the service describes, and no more than that.
func TestRequest(t *testing.T) {
	s := newService(t)
	type key struct{}
	a := newAsker(t, s, func(c *pds.Config) {
		c.Organisation = "RXX"
		c.Correlation = func(ctx context.Context) string { return ctx.Value(key{}).(string) }
	})
	const correlation = "11111111-2222-4333-8444-555555555555"
	_, err := a.Verify(context.WithValue(t.Context(), key{}, correlation), number(t, asked), "2019-05-21")
	must(t, err)
	r := s.requests[0]
	token := "Bearer " + s.lastToken
	_, err = uuid.Parse(r.Header.Get("X-Request-ID"))
	must(t, err)
	want := map[string]string{
		"Authorization": token, "Accept": "application/fhir+json", "X-Correlation-Id": correlation,
		"Nhsd-End-User-Organisation-Ods": "RXX", "X-Request-Id": r.Header.Get("X-Request-ID"), "User-Agent": "Go-http-client/1.1", "Connection": "close",
	}
	got := map[string]string{}
	for name, values := range r.Header {
		got[name] = strings.Join(values, ",")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if r.RequestURI != "/personal-demographics/FHIR/R4/Patient/"+asked || r.Proto != "HTTP/1.1" || r.ContentLength != 0 {
		t.Errorf("%s %s with %d bytes", r.Proto, r.RequestURI, r.ContentLength)
	}
	l := a.lookups[0]
	if l.Purpose != "verify the NHS number" || l.Correlation != correlation || l.RequestID != r.Header.Get("X-Request-ID") || l.Elapsed < 0 {
		t.Errorf("recorded %+v", l)
	}
	bare := newAsker(t, s)
	bare.works(t)
	r = s.requests[1]
	_, err = uuid.Parse(r.Header.Get("X-Correlation-ID"))
	if err != nil || r.Header["Nhsd-End-User-Organisation-Ods"] != nil {
		t.Errorf("headers %v", r.Header)
	}
}

// No verdict stands in for another one: a patient's number may change at any time.
func TestEachQuestionIsAsked(t *testing.T) {
	s := newService(t)
	a := newAsker(t, s)
	a.works(t)
	s.set(func() { s.answer = say(404, outcome("INVALIDATED_RESOURCE")) })
	v, err := a.verify(t)
	if err != nil || v.Kind != pds.Invalidated {
		t.Errorf("got %v, %v", v, err)
	}
	s.set(func() { s.answer = say(403, "") })
	a.fails(t, pds.NotAllowed)
	_, requests := s.counts()
	if requests != 3 || len(a.results()) != 3 {
		t.Errorf("%d requests, %d recorded", requests, len(a.results()))
	}
}

// IG-3.9.2a: a verdict that cannot be recorded is not used, and nothing is sent again.
func TestVerdictThatCannotBeRecorded(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"verified": say(200, patient(asked)), "unknown": say(404, outcome("RESOURCE_NOT_FOUND")), "refused": say(401, ""),
	} {
		s := newService(t)
		a := newAsker(t, s)
		a.fail = errors.New("the disc is full")
		s.set(func() { s.answer = answer })
		a.fails(t, pds.NotRecorded)
		_, requests := s.counts()
		if requests != 1 {
			t.Errorf("%s: %d requests", name, requests)
		}
	}
}

// What did not leave is not recorded, and is a failure.
func TestNothingLeaves(t *testing.T) {
	s := newService(t)
	closed := httptest.NewTLSServer(nil)
	closed.Close()
	nowhere, err := url.Parse(closed.URL)
	must(t, err)
	for name, c := range map[string]struct {
		change func(*pds.Config)
		number cpis.NHSNumber
		birth  string
		want   pds.Failure
	}{
		"nobody listens":             {func(c *pds.Config) { c.URL = nowhere }, number(t, asked), "", pds.Unreachable},
		"nobody gives tokens":        {func(c *pds.Config) { c.TokenURL = nowhere }, number(t, asked), "", pds.NoToken},
		"of no known authority":      {func(c *pds.Config) { c.TLS.RootCAs = nil }, number(t, asked), "", pds.WrongCertificate},
		"no number":                  {func(*pds.Config) {}, cpis.NHSNumber{}, "", pds.NotAsked},
		"a date of birth in part":    {func(*pds.Config) {}, number(t, asked), "2019-05", pds.NotAsked},
		"a date of birth of HL7":     {func(*pds.Config) {}, number(t, asked), "20190521", pds.NotAsked},
		"a day that there is not":    {func(*pds.Config) {}, number(t, asked), "2019-02-30", pds.NotAsked},
		"a date and something else":  {func(*pds.Config) {}, number(t, asked), "2019-05-21T", pds.NotAsked},
		"no time for it":             {func(c *pds.Config) { c.Timeout = 1 }, number(t, asked), "", pds.NoToken},
		"a key that is not ours":     {func(c *pds.Config) { c.KeyID = "other" }, number(t, asked), "", pds.NotRegistered},
		"an API key that is unknown": {func(c *pds.Config) { c.APIKey = "other" }, number(t, asked), "", pds.NotRegistered},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAsker(t, s, c.change)
			v, err := a.Verify(t.Context(), c.number, c.birth)
			if !errors.Is(err, c.want) || v != (pds.Verdict{}) {
				t.Errorf("got %v, %v", v, err)
			}
			if len(a.results()) > 0 {
				t.Errorf("recorded %v", a.results())
			}
		})
	}
	_, requests := s.counts()
	if requests > 0 {
		t.Errorf("%d requests", requests)
	}
}

// The service of the token may be in order and that of patients not.
func TestWrongCertificateOfTheService(t *testing.T) {
	s := newService(t)
	other := newService(t)
	base, err := url.Parse(other.URL)
	must(t, err)
	a := newAsker(t, s, func(c *pds.Config) { c.URL = base })
	// Both servers of httptest have the same certificate: ask by a name that it lacks.
	a2 := newAsker(t, s, func(c *pds.Config) { c.URL = &url.URL{Scheme: "https", Host: "localhost:" + base.Port()} })
	a2.fails(t, pds.WrongCertificate)
	v, err := a.Verify(t.Context(), number(t, asked), "")
	if !errors.Is(err, pds.NotFHIR) {
		t.Errorf("got %v, %v", v, err)
	}
	if len(a2.results()) > 0 {
		t.Errorf("recorded %v", a2.results())
	}
}

// WRD-SPN-18: a service that hangs is left after the time of one verification, and what
// left is recorded all the same.
func TestServiceThatHangs(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			say(200, `{"resourceType":`)(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			a := newAsker(t, s, func(c *pds.Config) { c.Timeout = 2 * time.Second }) // in which it gets a token too
			s.set(func() { s.answer = answer })
			started := time.Now()
			a.fails(t, pds.TimedOut)
			if time.Since(started) > 20*time.Second {
				t.Errorf("after %s", time.Since(started))
			}
			if diff := cmp.Diff([]string{string(pds.TimedOut)}, a.results()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

// WRD-IGV-01, WRD-SEC-11: no number, key, token or content gets into what may be logged.
func TestNothingPersonalOrSecretIsTold(t *testing.T) {
	s := newService(t)
	key, err := applicationKey()
	must(t, err)
	var told strings.Builder
	for _, answer := range []http.HandlerFunc{
		say(200, patient(asked, `"birthDate":"2019-05-21"`)), say(200, patient(replacement)), say(200, patient("x")), say(404, outcome("RESOURCE_NOT_FOUND")),
		say(404, outcome(asked)), say(401, asked), say(403, asked), say(429, asked), say(500, asked), sayAs(asked, 200, asked), hangUp(asked), hangUp(""),
	} {
		a := newAsker(t, s)
		s.set(func() { s.answer = answer })
		v, err := a.verify(t)
		fmt.Fprintf(&told, "%v %+v %#v %v %#v", v, v, v.Replacement, err, err)
		for _, l := range a.lookups {
			fmt.Fprintf(&told, "%+v", l)
		}
		for _, p := range []pds.Policy{pds.Refuse, pds.Proceed} {
			r := p.Check(v, err)
			fmt.Fprintf(&told, "%+v %s", r, r.Refusal.Reason())
		}
	}
	secrets := []string{asked, replacement, "2019-05-21", apiKey, keyID, "Nowhere", "01632960587", "Synthetic", hex.EncodeToString(key.D.Bytes())}
	for token := range s.tokens {
		secrets = append(secrets, token)
	}
	for _, secret := range secrets {
		if strings.Contains(told.String(), secret) {
			t.Errorf("%q is told", secret)
		}
	}
}
