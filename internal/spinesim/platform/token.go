package platform

import (
	"crypto/rand"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what the token endpoint remembers; the oldest goes first.
const (
	maxTokens   = 10_000
	maxIDs      = 100_000
	rememberIDs = 30 * 24 * time.Hour // ids of assertions
	maxRate     = 10_000              // PDS requests a second, as a limit
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokens is the token endpoint's memory. Safe for concurrent use.
type tokens struct {
	applications []Application
	clock        func() time.Time
	life         time.Duration
	rate         int

	mu     sync.Mutex
	issued memory[grant]
	used   memory[time.Time]      // ids of assertions, by application
	recent map[string][]time.Time // PDS requests of the last second, by application
}

// grant is what a token stands for.
type grant struct {
	apiKey string
	until  time.Time
}

func newTokens(cfg Config) *tokens {
	t := &tokens{applications: cfg.Applications, clock: cfg.Clock, life: cfg.TokenLife, rate: cfg.RateLimit}
	t.reset()
	return t
}

func (t *tokens) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued = memory[grant]{limit: maxTokens}
	t.used = memory[time.Time]{limit: maxIDs}
	t.recent = map[string][]time.Time{}
}

// firstUse reports an id that was not used in the last 30 days, and remembers it.
func (t *tokens) firstUse(id string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, used := t.used.get(id)
	if used && now.Sub(at) < rememberIDs {
		return false
	}
	t.used.put(id, now)
	return true
}

func (t *tokens) issue(a Application) string {
	token := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued.put(token, grant{a.APIKey, t.clock().Add(t.life)})
	return token
}

// bearer is the application whose token a request carries; empty for none.
func (t *tokens) bearer(authorization string) (apiKey string) {
	token, found := strings.CutPrefix(authorization, "Bearer ")
	if !found {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g, known := t.issued.get(token)
	if !known || !t.clock().Before(g.until) {
		return ""
	}
	return g.apiKey
}

// within reports that the application stays within its rate, and counts the
// request if so.
func (t *tokens) within(apiKey string) bool {
	if t.rate == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	recent := t.recent[apiKey]
	for len(recent) > 0 && now.Sub(recent[0]) >= time.Second {
		recent = recent[1:]
	}
	if len(recent) >= t.rate {
		return false
	}
	t.recent[apiKey] = append(recent, now)
	return true
}

// RevokeTokens makes every token given so far invalid.
func (p *Platform) RevokeTokens() {
	p.tokens.mu.Lock()
	defer p.tokens.mu.Unlock()
	p.tokens.issued = memory[grant]{limit: maxTokens}
}

// token answers POST to the token endpoint.
func (p *Platform) token(r *http.Request) answer {
	application, refused := p.authorise(r)
	if refused.given() {
		p.evidence.count(func(c *Counters) { c.TokensRefused++ })
		return answer{status: http.StatusBadRequest, mediaType: "application/json", document: object{
			"error":             refused.code,
			"error_description": "No token is given: " + refused.text + ".",
		}}
	}
	p.evidence.count(func(c *Counters) { c.TokensIssued++ })
	return answer{status: http.StatusOK, mediaType: "application/json", document: object{
		"access_token": p.tokens.issue(application),
		"expires_in":   strconv.FormatInt(int64(p.cfg.TokenLife/time.Second), 10),
		"token_type":   "Bearer",
		"issued_at":    strconv.FormatInt(p.cfg.Clock().UnixMilli(), 10),
	}}
}

func (p *Platform) authorise(r *http.Request) (Application, refusal) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return Application{}, invalid("the body is not a form")
	}
	err = r.ParseForm()
	if err != nil {
		return Application{}, invalid("the form cannot be read")
	}
	for _, name := range []string{"grant_type", "client_assertion_type", "client_assertion"} {
		if len(r.PostForm[name]) != 1 {
			return Application{}, invalid(name + " is missing or given twice")
		}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		return Application{}, refusal{"unsupported_grant_type", "grant_type must be client_credentials"}
	}
	if r.PostForm.Get("client_assertion_type") != assertionType {
		return Application{}, invalid("client_assertion_type must be " + assertionType)
	}
	return p.tokens.verify(r.PostForm.Get("client_assertion"), p.TokenURL())
}

// memory keeps the newest values by key. Its owner locks.
type memory[T any] struct {
	limit  int
	values map[string]T
	order  []string // a ring of the keys once it is full
	next   int
}

func (m *memory[T]) get(key string) (T, bool) {
	v, found := m.values[key]
	return v, found
}

func (m *memory[T]) put(key string, v T) {
	if m.values == nil {
		m.values = map[string]T{}
	}
	_, known := m.values[key]
	m.values[key] = v
	switch {
	case known:
	case len(m.order) < m.limit:
		m.order = append(m.order, key)
	default:
		delete(m.values, m.order[m.next])
		m.order[m.next] = key
		m.next = (m.next + 1) % m.limit
	}
}
