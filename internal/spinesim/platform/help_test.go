package platform_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	apiKey = "test-api-key"
	kid    = "test-1"
	robin  = "9990000018" // of the Spine's cast
)

// keys are made once: they are the slow part of a test.
var keys = sync.OnceValue(func() (k struct {
	authority     *testpki.Authority
	server        testpki.Pair
	mine, another *rsa.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.authority, err = testpki.New(time.Now())
	must(err)
	k.server, err = k.authority.Issue(testpki.Request{CommonName: "platform.test", DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	must(err)
	k.mine, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.another, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	return k
})

// testConfig is a configuration that starts.
func testConfig() platform.Config {
	return platform.Config{
		Certificate: keys().server.TLSCertificate(),
		Applications: []platform.Application{
			{APIKey: apiKey, KeyID: kid, PublicKey: &keys().mine.PublicKey},
			{APIKey: "directory-only"},
			{APIKey: "another-key", KeyID: "another-1", PublicKey: &keys().another.PublicKey},
		},
	}
}

// newSpine runs a simulated Spine until the test ends.
func newSpine(t testing.TB) *spinesim.Simulator {
	t.Helper()
	s, err := spinesim.New(spinesim.Config{Certificate: keys().server.TLSCertificate(), ClientCAs: keys().authority.RootPEM(), Generate: 5})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := s.Close(context.Background())
		if err != nil {
			t.Errorf("close the Spine: %v", err)
		}
	})
	return s
}

// conversation is a platform and a plain client of it.
type conversation struct {
	*platform.Platform
	t      testing.TB
	ctx    context.Context // of requests
	client *http.Client
}

// start runs a platform until the test ends.
func start(t testing.TB, change func(*platform.Config)) *conversation {
	t.Helper()
	cfg := testConfig()
	cfg.Spine = newSpine(t)
	if change != nil {
		change(&cfg)
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Start()
	if err != nil {
		t.Fatal(err)
	}
	// Without connections that are kept: over those net/http asks again by itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: keys().authority.Pool()}, DisableKeepAlives: true}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := p.Close(ctx)
		if err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &conversation{p, t, t.Context(), &http.Client{
		Transport:     transport,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is an answer as it arrived.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send makes one request; headers are name, value, name, value.
func (c *conversation) send(method, address, body string, headers ...string) (reply, error) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.ctx, method, address, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.GetBody = nil // never sent twice
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, content}, err
}

// get is send for what must come.
func (c *conversation) get(address string, headers ...string) reply {
	c.t.Helper()
	r, err := c.send(http.MethodGet, address, "", headers...)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

const requestID = "6f1a0d34-1a52-4c33-9bc1-3c7d0a1b2c3d"

// patient asks PDS with a token and a request id.
func (c *conversation) patient(number, token string) reply {
	c.t.Helper()
	return c.get(c.PatientURL()+"/Patient/"+number, "Authorization", "Bearer "+token, "X-Request-ID", requestID)
}

// object is a JSON object as a client reads it.
type object = map[string]any

func (r reply) json(t testing.TB) object {
	t.Helper()
	var o object
	err := json.Unmarshal(r.body, &o)
	if err != nil {
		t.Fatalf("status %d, not JSON: %v: %s", r.status, err, r.body)
	}
	return o
}

// code is the code of an OperationOutcome's first issue.
func (r reply) code(t testing.TB) string {
	t.Helper()
	var o struct {
		ResourceType string
		Issue        []struct {
			Details struct{ Coding []struct{ Code string } }
		}
	}
	err := json.Unmarshal(r.body, &o)
	if err != nil || o.ResourceType != "OperationOutcome" || len(o.Issue) != 1 || len(o.Issue[0].Details.Coding) != 1 {
		t.Fatalf("status %d, not an OperationOutcome: %s", r.status, r.body)
	}
	return o.Issue[0].Details.Coding[0].Code
}

var ids struct {
	sync.Mutex
	n int
}

// assertion is a JWT that is right unless change alters it.
type assertion struct {
	header, claims object
	key            *rsa.PrivateKey
}

func (c *conversation) assertion(change func(*assertion)) string {
	c.t.Helper()
	ids.Lock()
	ids.n++
	id := ids.n
	ids.Unlock()
	a := assertion{
		header: object{"alg": "RS512", "typ": "JWT", "kid": kid},
		claims: object{"iss": apiKey, "sub": apiKey, "aud": c.TokenURL(), "jti": fmt.Sprintf("assertion %d", id), "exp": time.Now().Add(4 * time.Minute).Unix()},
		key:    keys().mine,
	}
	if change != nil {
		change(&a)
	}
	maps.DeleteFunc(a.header, func(_ string, v any) bool { return v == nil })
	maps.DeleteFunc(a.claims, func(_ string, v any) bool { return v == nil })
	signed := part(c.t, a.header) + "." + part(c.t, a.claims)
	digest := sha512.Sum512([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA512, digest[:])
	if err != nil {
		c.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func part(t testing.TB, o object) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// exchange sends an assertion to the token endpoint.
func (c *conversation) exchange(assertion string) reply {
	c.t.Helper()
	r, err := c.send(http.MethodPost, c.TokenURL(), form(assertion).Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func form(assertion string) url.Values {
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
}

// token gets a token, which must be given.
func (c *conversation) token() string {
	c.t.Helper()
	token, _ := c.exchange(c.assertion(nil)).json(c.t)["access_token"].(string)
	if token == "" {
		c.t.Fatal("no token was given")
	}
	return token
}

func (c *conversation) play(s platform.Script) {
	c.t.Helper()
	err := c.Play(s)
	if err != nil {
		c.t.Fatal(err)
	}
}

func once(s platform.Service, b platform.Behaviour) platform.Script {
	return platform.Script{Service: s, Steps: []platform.Step{{Behaviour: b}}}
}
