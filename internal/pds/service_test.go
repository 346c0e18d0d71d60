package pds_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/pds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is the time of a service and of its client.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	apiKey = "synthetic-api-key-7Qm"
	keyID  = "ward-test-1"

	asked       = "9990000018" // the number that tests ask about
	replacement = "9990000026"
)

// applicationKey is made once: long keys are slow to make.
var applicationKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// service is a demographics service and its token service, over TLS.
type service struct {
	*httptest.Server
	clock  *clock
	public *rsa.PublicKey

	mu        sync.Mutex
	used      map[string]bool      // ids of assertions
	tokens    map[string]time.Time // and when they expire
	refusals  []string             // why assertions were refused
	requests  []*http.Request      // for patients
	lastToken string

	lasts   string           // expires_in, as JSON
	onToken http.HandlerFunc // instead of a token, if not nil
	answer  http.HandlerFunc // for a patient, to whoever shows a good token
}

func newService(t testing.TB) *service {
	t.Helper()
	key, err := applicationKey()
	must(t, err)
	s := &service{
		clock:  &clock{now: time.Date(2026, 3, 5, 9, 30, 0, 0, time.UTC)},
		public: &key.PublicKey, used: map[string]bool{}, tokens: map[string]time.Time{},
		lasts: `"599"`, answer: say(200, patient(asked, `"birthDate":"2019-05-21"`)),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/token", s.token)
	mux.HandleFunc("GET /personal-demographics/FHIR/R4/Patient/{number}", s.patient)
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	onToken := s.onToken
	s.mu.Unlock()
	if onToken != nil {
		onToken(w, r)
		return
	}
	err := s.checkAssertion(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.refusals = append(s.refusals, err.Error())
		say(400, `{"error":"invalid_request"}`)(w, r)
		return
	}
	s.lastToken = uuid.NewString()
	s.tokens[s.lastToken] = s.clock.Now().Add(599 * time.Second)
	say(200, `{"access_token":"`+s.lastToken+`","expires_in":`+s.lasts+`,"token_type":"Bearer","issued_at":"1772703000000"}`)(w, r)
}

// checkAssertion verifies a client assertion without the library that signed it.
func (s *service) checkAssertion(r *http.Request) error {
	want := map[string]string{
		"grant_type":            "client_credentials",
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	}
	for name, value := range want {
		if r.PostFormValue(name) != value {
			return fmt.Errorf("%s is %q", name, r.PostFormValue(name))
		}
	}
	parts := strings.Split(r.PostFormValue("client_assertion"), ".")
	if len(parts) != 3 || len(r.PostForm) != 3 {
		return errors.New("not an assertion in three parts")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                int64
	}
	for i, into := range []any{&header, &claims} {
		content, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		err = json.Unmarshal(content, into)
		if err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha512.Sum512([]byte(parts[0] + "." + parts[1]))
	err = rsa.VerifyPKCS1v15(s.public, crypto.SHA512, sum[:], signature)
	if err != nil {
		return err
	}
	if header.Alg != "RS512" || header.Typ != "JWT" || header.Kid != keyID {
		return fmt.Errorf("header %+v", header)
	}
	ahead := time.Unix(claims.Exp, 0).Sub(s.clock.Now())
	if claims.Iss != apiKey || claims.Sub != apiKey || claims.Aud != s.URL+"/oauth2/token" || ahead <= 0 || ahead > 5*time.Minute {
		return fmt.Errorf("claims %+v", claims)
	}
	_, err = uuid.Parse(claims.Jti)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[claims.Jti] {
		return errors.New("an assertion used twice")
	}
	s.used[claims.Jti] = true
	return nil
}

func (s *service) patient(w http.ResponseWriter, r *http.Request) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	s.requests = append(s.requests, r)
	expires, known := s.tokens[token]
	answer := s.answer
	s.mu.Unlock()
	if !bearer || !known || !s.clock.Now().Before(expires) {
		say(401, outcome("ACCESS_DENIED"))(w, r)
		return
	}
	answer(w, r)
}

// set changes what the service does.
func (s *service) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// counts is how many tokens were given, and how often patients were asked for.
func (s *service) counts() (tokens, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tokens), len(s.requests)
}

func say(status int, body string) http.HandlerFunc {
	return sayAs("application/fhir+json", status, body)
}

func sayAs(mediaType string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// patient is the record of a number as the service writes it, with the members given,
// and much besides that nobody has any business to read.
func patient(id string, members ...string) string {
	all := append([]string{`"resourceType":"Patient"`, `"id":"` + id + `"`}, members...)
	return `{` + strings.Join(all, ",") + `,"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + id + `"}],` +
		`"name":[{"use":"usual","given":["Synthetic"],"family":"Person"}],"gender":"female",` +
		`"address":[{"use":"home","line":["1 Nowhere Road"],"postalCode":"ZZ99 3VZ"}],"telecom":[{"system":"phone","value":"01632960587"}]}`
}

func security(code string) string {
	return `"meta":{"versionId":"2","security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"` + code + `","display":"x"}]}`
}

func outcome(codes ...string) string {
	var issues []string
	for _, code := range codes {
		issues = append(issues, `{"severity":"error","code":"not-found","details":{"coding":[{"system":`+
			`"https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode","version":"1","code":"`+code+`","display":"x"}]},"diagnostics":"`+asked+`"}`)
	}
	return `{"resourceType":"OperationOutcome","issue":[` + strings.Join(issues, ",") + `]}`
}

// asker is a client of a service and what it recorded.
type asker struct {
	*pds.Client
	mu      sync.Mutex
	lookups []pds.Lookup
	fail    error // of recording
}

func (a *asker) results() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	results := []string{}
	for _, l := range a.lookups {
		results = append(results, l.Result)
	}
	return results
}

func newAsker(t testing.TB, s *service, changes ...func(*pds.Config)) *asker {
	t.Helper()
	key, err := applicationKey()
	must(t, err)
	base, err := url.Parse(s.URL + "/personal-demographics/FHIR/R4")
	must(t, err)
	anchors := x509.NewCertPool()
	anchors.AddCert(s.Certificate())
	a := &asker{}
	config := pds.Config{
		URL: base, TokenURL: base.ResolveReference(&url.URL{Path: "/oauth2/token"}),
		TLS:    &tls.Config{RootCAs: anchors, MinVersion: tls.VersionTLS12},
		APIKey: apiKey, Key: key, KeyID: keyID,
		Timeout: 10 * time.Second, PerSecond: 1e6, Now: s.clock.Now,
		Record: func(ctx context.Context, l pds.Lookup) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.lookups = append(a.lookups, l)
			return errors.Join(a.fail, ctx.Err())
		},
	}
	for _, change := range changes {
		change(&config)
	}
	a.Client = pds.New(config)
	return a
}

func number(t testing.TB, digits string) cpis.NHSNumber {
	t.Helper()
	n, err := cpis.ParseNHSNumber(digits)
	must(t, err)
	return n
}

// verify asks about the number of the tests, of somebody born on the date that the
// service has.
func (a *asker) verify(t testing.TB) (pds.Verdict, error) {
	t.Helper()
	return a.Verify(t.Context(), number(t, asked), "2019-05-21")
}

// fails demands that a verification fails with one failure, and so without a verdict.
func (a *asker) fails(t testing.TB, want pds.Failure) {
	t.Helper()
	v, err := a.verify(t)
	if !errors.Is(err, want) || v != (pds.Verdict{}) {
		t.Errorf("got %v, %v; want %v", v, err, want)
	}
}

// works demands that the number is verified.
func (a *asker) works(t testing.TB) {
	t.Helper()
	v, err := a.verify(t)
	if err != nil || v.Kind != pds.Verified {
		t.Errorf("got %v, %v", v, err)
	}
}
