package platform

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Service is one of the services of the platform.
type Service string

// The services.
const (
	Device   Service = "sds-device"   // accredited systems of SDS
	Endpoint Service = "sds-endpoint" // message handling systems of SDS
	Token    Service = "token"        // OAuth 2.0 token endpoint
	Patient  Service = "pds-patient"  // one person of PDS
	CRL      Service = "crl"          // revocation lists
	Other    Service = "other"        // whatever was sent to another path
)

// Services lists the services that can be scripted.
func Services() []Service { return []Service{Device, Endpoint, Token, Patient, CRL} }

// Counters count what reached the platform since its start or last Reset.
type Counters struct {
	Requests map[Service]int64 `json:"requests"`

	// PatientsAsked counts PDS requests by NHS number, whatever their answer;
	// numbers outside the test range are counted as "other". LookUps counts
	// directory requests by what was asked, as "sds-device YES urn:...". Each
	// holds 100,000 keys at most; what comes after is counted under "other".
	PatientsAsked map[string]int64 `json:"patients_asked"`
	LookUps       map[string]int64 `json:"look_ups"`

	TokensIssued  int64               `json:"tokens_issued"`
	TokensRefused int64               `json:"tokens_refused"` // requests to the token endpoint that got none
	RateLimited   int64               `json:"rate_limited"`   // PDS requests above the limit
	ByBehaviour   map[Behaviour]int64 `json:"by_behaviour"`   // scripted or bound
	ByStatus      map[string]int64    `json:"by_status"`      // as "pds-patient 404"
}

// Request is what is remembered of one request. No key, token, assertion or
// body is.
type Request struct {
	Sequence int64     `json:"sequence"` // from 1, in the order of arrival
	Time     time.Time `json:"time"`
	Service  Service   `json:"service"`
	Method   string    `json:"method"`
	Headers  []string  `json:"headers"` // names of those present, sorted

	// NHSNumber at PDS, List at the revocation lists, Organisation, Interaction
	// and PartyKey at the directory; empty elsewhere.
	NHSNumber    string `json:"nhs_number,omitempty"`
	List         string `json:"list,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	Interaction  string `json:"interaction,omitempty"`
	PartyKey     string `json:"party_key,omitempty"`

	// RequestID, CorrelationID and EndUser are the headers X-Request-ID,
	// X-Correlation-ID and NHSD-End-User-Organisation-ODS.
	RequestID     string `json:"request_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	EndUser       string `json:"end_user_organisation,omitempty"`

	Behaviour Behaviour `json:"behaviour"`
	Status    int       `json:"status"` // that was sent or would have been
}

// Bounds of what one request leaves behind.
const (
	maxKeys   = 100_000
	maxNames  = 50
	maxRecall = 100 // bytes of a header or parameter
	other     = "other"
)

// evidence keeps counters and requests. Safe for concurrent use.
type evidence struct {
	mu       sync.Mutex
	keep     int
	total    int64
	requests []Request // the newest, oldest first
	counters Counters
}

func newEvidence(keep int) *evidence {
	return &evidence{keep: keep, counters: emptyCounters()}
}

func emptyCounters() Counters {
	return Counters{
		Requests:      map[Service]int64{},
		PatientsAsked: map[string]int64{},
		LookUps:       map[string]int64{},
		ByBehaviour:   map[Behaviour]int64{},
		ByStatus:      map[string]int64{},
	}
}

func (e *evidence) count(change func(*Counters)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.counters)
}

// record keeps one request; it is called before the reply leaves, so that
// whoever has the reply finds it counted.
func (e *evidence) record(r Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total++
	r.Sequence = e.total
	c := &e.counters
	c.Requests[r.Service]++
	c.ByBehaviour[r.Behaviour]++
	increment(c.ByStatus, string(r.Service)+" "+statusText(r.Status))
	switch r.Service {
	case Patient:
		increment(c.PatientsAsked, r.NHSNumber)
	case Device, Endpoint:
		increment(c.LookUps, r.lookUp())
	}
	if len(e.requests) >= e.keep {
		e.requests = slices.Delete(e.requests, 0, len(e.requests)-e.keep+1)
	}
	e.requests = append(e.requests, r)
}

// lookUp is what was asked of the directory, in one line.
func (r Request) lookUp() string {
	key := string(r.Service)
	for _, part := range []string{r.Organisation, r.PartyKey, r.Interaction} {
		if part != "" {
			key += " " + part
		}
	}
	return key
}

func increment(counts map[string]int64, key string) {
	_, known := counts[key]
	if !known && len(counts) >= maxKeys {
		key = other
	}
	counts[key]++
}

func (e *evidence) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.requests, e.counters = 0, nil, emptyCounters()
}

// Counters is a copy of the counters.
func (p *Platform) Counters() Counters {
	p.evidence.mu.Lock()
	defer p.evidence.mu.Unlock()
	c := p.evidence.counters
	c.Requests = maps.Clone(c.Requests)
	c.PatientsAsked = maps.Clone(c.PatientsAsked)
	c.LookUps = maps.Clone(c.LookUps)
	c.ByBehaviour = maps.Clone(c.ByBehaviour)
	c.ByStatus = maps.Clone(c.ByStatus)
	return c
}

// Requests lists the newest requests, oldest first.
func (p *Platform) Requests() []Request {
	p.evidence.mu.Lock()
	defer p.evidence.mu.Unlock()
	return slices.Clone(p.evidence.requests)
}

// describe is what a request leaves behind, whatever becomes of it.
func (p *Platform) describe(s Service, r *http.Request) Request {
	seen := Request{
		Time:          p.cfg.Clock(),
		Service:       s,
		Method:        recall(r.Method),
		Headers:       slices.Sorted(maps.Keys(r.Header)),
		RequestID:     recall(r.Header.Get("X-Request-ID")),
		CorrelationID: recall(r.Header.Get("X-Correlation-ID")),
		EndUser:       recall(r.Header.Get("NHSD-End-User-Organisation-ODS")),
	}
	seen.Headers = seen.Headers[:min(maxNames, len(seen.Headers))]
	for i, name := range seen.Headers {
		seen.Headers[i] = recall(name)
	}
	switch s {
	case Patient:
		seen.NHSNumber = other // a number outside the test range may be somebody's
		if spinesim.TestNumber(r.PathValue("key")) {
			seen.NHSNumber = r.PathValue("key")
		}
	case CRL:
		seen.List = recall(listName(r))
	case Device, Endpoint:
		q, _ := parseLookUp(r.URL.RawQuery) // as far as it can be read
		seen.Organisation, seen.Interaction, seen.PartyKey = recall(q.organisation), recall(q.interaction), recall(q.partyKey)
	}
	return seen
}

func recall(s string) string { return s[:min(maxRecall, len(s))] }
