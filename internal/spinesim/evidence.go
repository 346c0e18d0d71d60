package spinesim

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Counters count what reached the simulator since its start or last Reset.
type Counters struct {
	Connections   int64 `json:"connections"`    // TCP connections accepted
	Handshakes    int64 `json:"handshakes"`     // mutual TLS handshakes completed
	RequestsBegun int64 `json:"requests_begun"` // requests of which a byte was read
	RequestsRead  int64 `json:"requests_read"`  // requests read to their end
	Refused       int64 `json:"refused"`        // queries that violated one of Spine's checks
	Duplicates    int64 `json:"duplicates"`     // queries whose HL7 id had been seen
	Processed     int64 `json:"processed"`      // queries that CP-IS processed, with a record or without
	Asynchronous  int64 `json:"asynchronous"`   // ebXML requests, whatever became of them
	Eliminated    int64 `json:"eliminated"`     // ebXML requests dropped as repeats, by contract

	// ProcessedAgain counts queries processed although one with the same HL7 id, ebXML
	// message id or query id had been: zero is the proof that nothing was asked twice,
	// as far back as queries are kept.
	ProcessedAgain int64 `json:"processed_again"`

	// Posts counts attempts to deliver replies, RepliesByFate and RepliesByChaos the
	// replies whose story has ended; undisturbed ones are under "undisturbed".
	Posts          int64            `json:"posts"`
	RepliesByFate  map[string]int64 `json:"replies_by_fate"`
	RepliesByChaos map[string]int64 `json:"replies_by_chaos"`

	Notifications int64 `json:"notifications"` // notifications to local authorities

	// ByNumber counts queries per NHS number, ProcessedByNumber those processed,
	// NotificationsByNumber and NotificationsByAuthority the notifications per
	// NHS number and per local authority's code. Each holds a million keys at
	// most; what comes after is counted under "other".
	ByNumber                 map[string]int64 `json:"by_number"`
	ProcessedByNumber        map[string]int64 `json:"processed_by_number"`
	NotificationsByNumber    map[string]int64 `json:"notifications_by_number"`
	NotificationsByAuthority map[string]int64 `json:"notifications_by_authority"`
	ByBehaviour              map[string]int64 `json:"by_behaviour"`
}

// Query is what is remembered of one request that was read to its end. Fields
// that the request did not hold are empty.
type Query struct {
	Sequence         int64     `json:"sequence"` // from 1, in the order in which requests were understood
	Time             time.Time `json:"time"`
	Connection       uint64    `json:"connection"` // from 1, in the order of acceptance
	Pattern          string    `json:"pattern"`    // sync or async
	MessageID        string    `json:"message_id"` // SOAP's with its uuid: prefix, or ebXML's
	ConversationID   string    `json:"conversation_id,omitempty"`
	HL7ID            string    `json:"hl7_id"`
	QueryID          string    `json:"query_id"` // the event id, which the history shows
	NHSNumber        string    `json:"nhs_number"`
	AuthorForm       string    `json:"author_form"` // person or system
	UserID           string    `json:"user_id,omitempty"`
	RoleProfileID    string    `json:"role_profile_id,omitempty"`
	ASID             string    `json:"asid,omitempty"` // of a system author
	SenderASID       string    `json:"sender_asid"`    // of the wrapper
	Organisation     string    `json:"organisation"`   // ODS code
	OrganisationName string    `json:"organisation_name"`
	Behaviour        Behaviour `json:"behaviour"`
	Immediate        Immediate `json:"immediate,omitempty"` // due to an ebXML request, unless the behaviour answers it
	Processed        bool      `json:"processed"`           // CP-IS processed it
	Notifications    int       `json:"notifications"`       // local authorities told
	Refusal          string    `json:"refusal,omitempty"`   // symbol of the violated check
}

// Notification is what one local authority would have been told: that somebody
// asked about a child of theirs.
type Notification struct {
	Time             time.Time `json:"time"`
	Authority        string    `json:"authority"` // the local authority's code
	AuthorityName    string    `json:"authority_name"`
	Organisation     string    `json:"organisation"` // the asker's ODS code
	OrganisationName string    `json:"organisation_name"`
	NHSNumber        string    `json:"nhs_number"`
	QueryID          string    `json:"query_id"`
}

// evidence keeps counters, queries and notifications. Safe for concurrent use.
type evidence struct {
	mu            sync.Mutex
	counters      Counters
	queries       *ring[Query]
	notifications *ring[Notification]
	replies       *ring[Reply]
	processed     map[string]int64 // times by id, of as many queries as are kept
	processedIDs  *ring[string]
}

func newEvidence(queries, notifications int) *evidence {
	return &evidence{
		counters:      emptyCounters(),
		queries:       newRing[Query](queries),
		notifications: newRing[Notification](notifications),
		replies:       newRing[Reply](queries),
		processed:     map[string]int64{},
		processedIDs:  newRing[string](3 * queries),
	}
}

func emptyCounters() Counters {
	return Counters{
		ByNumber:                 map[string]int64{},
		ProcessedByNumber:        map[string]int64{},
		NotificationsByNumber:    map[string]int64{},
		NotificationsByAuthority: map[string]int64{},
		ByBehaviour:              map[string]int64{},
		RepliesByFate:            map[string]int64{},
		RepliesByChaos:           map[string]int64{},
	}
}

func (e *evidence) count(change func(*Counters)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.counters)
}

// record keeps one query with the notifications that it made.
func (e *evidence) record(q Query, told []Notification) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &e.counters
	q.Sequence = e.queries.total + 1
	q.Notifications = len(told)
	if q.NHSNumber != "" {
		increment(c.ByNumber, q.NHSNumber)
	}
	if q.Behaviour != "" {
		c.ByBehaviour[string(q.Behaviour)]++
	}
	if q.Processed {
		c.Processed++
		e.countProcessed(q)
		increment(c.ProcessedByNumber, q.NHSNumber)
	}
	for _, n := range told {
		c.Notifications++
		increment(c.NotificationsByNumber, n.NHSNumber)
		increment(c.NotificationsByAuthority, n.Authority)
		e.notifications.add(n)
	}
	e.queries.add(q)
}

// countProcessed counts a processed query under each of its ids; e.mu must be held.
func (e *evidence) countProcessed(q Query) {
	again := false
	ids := []string{q.HL7ID, q.QueryID}
	if q.Pattern == "async" {
		ids = append(ids, q.MessageID)
	}
	slices.Sort(ids) // by custom the message ids are the same
	for _, id := range slices.Compact(ids) {
		e.processed[id]++
		if e.processed[id] > 1 {
			again = true
			continue
		}
		oldest, dropped := e.processedIDs.add(id)
		if dropped {
			delete(e.processed, oldest)
		}
	}
	if again {
		e.counters.ProcessedAgain++
	}
}

// recordReply keeps one reply whose story has ended.
func (e *evidence) recordReply(r Reply) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.Sequence = e.replies.total + 1
	e.counters.Posts += int64(len(r.Posts))
	e.counters.RepliesByFate[string(r.Fate)]++
	e.counters.RepliesByChaos[cmp.Or(string(r.Chaos), "undisturbed")]++
	e.replies.add(r)
}

// maxKeys bounds the maps of Counters.
const maxKeys = 1_000_000

func increment(counts map[string]int64, key string) {
	_, known := counts[key]
	if !known && len(counts) >= maxKeys {
		key = "other"
	}
	counts[key]++
}

func (e *evidence) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counters = emptyCounters()
	e.queries.clear()
	e.notifications.clear()
	e.replies.clear()
	clear(e.processed)
	e.processedIDs.clear()
}

// Counters is a copy of the counters.
func (s *Simulator) Counters() Counters {
	s.evidence.mu.Lock()
	defer s.evidence.mu.Unlock()
	c := s.evidence.counters
	c.ByNumber = maps.Clone(c.ByNumber)
	c.ProcessedByNumber = maps.Clone(c.ProcessedByNumber)
	c.NotificationsByNumber = maps.Clone(c.NotificationsByNumber)
	c.NotificationsByAuthority = maps.Clone(c.NotificationsByAuthority)
	c.ByBehaviour = maps.Clone(c.ByBehaviour)
	c.RepliesByFate = maps.Clone(c.RepliesByFate)
	c.RepliesByChaos = maps.Clone(c.RepliesByChaos)
	return c
}

// Received lists the newest queries, oldest first, whatever became of them.
func (s *Simulator) Received() []Query {
	s.evidence.mu.Lock()
	defer s.evidence.mu.Unlock()
	return s.evidence.queries.list(0)
}

// Notifications lists the newest notifications, oldest first.
func (s *Simulator) Notifications() []Notification {
	s.evidence.mu.Lock()
	defer s.evidence.mu.Unlock()
	return s.evidence.notifications.list(0)
}

// Replies lists the newest replies of the asynchronous pattern whose story has ended,
// oldest first.
func (s *Simulator) Replies() []Reply {
	s.evidence.mu.Lock()
	defer s.evidence.mu.Unlock()
	return s.evidence.replies.list(0)
}

// TimesProcessed is how often CP-IS processed a query with that HL7 id, ebXML message
// id or query id, as far back as queries are kept.
func (s *Simulator) TimesProcessed(id string) int64 {
	s.evidence.mu.Lock()
	defer s.evidence.mu.Unlock()
	return s.evidence.processed[id]
}
