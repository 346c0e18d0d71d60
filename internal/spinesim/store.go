package spinesim

import (
	"fmt"
	"sync"
	"time"
)

// keptAccesses is how many accesses a history holds; onceWithin is how long a
// repeat by the same author is not listed again.
const (
	keptAccesses = 25
	onceWithin   = 24 * time.Hour
)

// maxStandIns is how many children ensure makes up at most.
const maxStandIns = 100_000

// access is one line of a child's history. It is never changed.
type access struct {
	at        time.Time
	stamp     string // effectiveTime on the wire
	id        string
	nhsNumber string
	author    author
	identity  string // of the author
	xml       []byte // rendered in schema shape without a prefix
}

// store holds the children and their histories. Safe for concurrent use.
type store struct {
	clock     func() time.Time
	zone      *time.Location
	generated generator

	mu        sync.Mutex
	children  map[string]Child // the cast, the configured and the stood-in
	order     []string         // numbers of the cast and the configured
	standIns  []string         // numbers added by ensure
	histories map[string][]*access
}

func newStore(cfg Config, behaviours map[Behaviour]behaviour) (*store, error) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, fmt.Errorf("load the time zone of plan dates: %w", err)
	}
	generated, err := newGenerator(cfg.Generate)
	if err != nil {
		return nil, err
	}
	s := &store{
		clock:     cfg.Clock,
		zone:      zone,
		generated: generated,
		children:  map[string]Child{},
		histories: map[string][]*access{},
	}
	all := append(append(Cast(), boundChildren()...), cfg.Children...)
	for _, c := range all {
		err := c.validate(behaviours)
		if err != nil {
			return nil, err
		}
		_, twice := s.children[c.NHSNumber]
		if twice || s.generated.has(c.NHSNumber) {
			return nil, fmt.Errorf("the NHS number %s is given to two children", c.NHSNumber)
		}
		s.children[c.NHSNumber] = c
		s.order = append(s.order, c.NHSNumber)
	}
	return s, nil
}

// child finds a child; s.mu must be held.
func (s *store) child(number string) (Child, bool) {
	c, found := s.children[number]
	if !found && s.generated.has(number) {
		return s.generated.child(number), true
	}
	return c, found
}

// behaviour is the one bound to the number, empty for none.
func (s *store) behaviour(number string) Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _ := s.child(number)
	return c.Behaviour
}

// ensure makes sure that the number has a visible record, by a generated child
// if need be.
func (s *store) ensure(number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, found := s.child(number)
	if found && len(c.visible(civilDay(s.clock(), s.zone))) > 0 {
		return
	}
	_, known := s.children[number]
	if known || len(s.standIns) == maxStandIns {
		return // the cast stays as documented: nothing found remains nothing found
	}
	s.children[number] = s.generated.child(number)
	s.standIns = append(s.standIns, number)
}

// process is CP-IS answering one query: the visible records, the history with
// the asker in it, and the notifications. No record, no history and nobody told.
func (s *store) process(m *message) (records []visibleRecord, history []*access, told []Notification) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, found := s.child(m.nhsNumber)
	if !found {
		return nil, nil, nil
	}
	records = c.visible(civilDay(now, s.zone))
	if len(records) == 0 {
		return nil, nil, nil
	}
	past, started := s.histories[m.nhsNumber]
	if !started {
		past = earlierAccesses(c, now)
	}
	history = withAccess(past, now, m)
	s.histories[m.nhsNumber] = history
	for _, r := range records {
		told = append(told, Notification{
			Time:             now,
			Authority:        r.authority.Code,
			AuthorityName:    r.authority.Name,
			Organisation:     m.author.organisation.extension,
			OrganisationName: m.author.orgName,
			NHSNumber:        m.nhsNumber,
			QueryID:          m.queryID,
		})
	}
	return records, history, told
}

// look is what a query would find, without its being one: no history grows and
// nobody is told.
func (s *store) look(number string) ([]visibleRecord, []*access) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, found := s.child(number)
	if !found {
		return nil, nil
	}
	history, started := s.histories[number]
	if !started {
		history = earlierAccesses(c, now)
	}
	return c.visible(civilDay(now, s.zone)), history
}

// withAccess is the history after this query. It never changes past, which
// answers in progress still read.
func withAccess(past []*access, now time.Time, m *message) []*access {
	identity := m.author.identity()
	for _, a := range past {
		if now.Sub(a.at) < onceWithin && a.identity == identity {
			return past
		}
	}
	stamp := m.time
	if stamp == "" {
		stamp = now.UTC().Format("20060102150405") + "+0000"
	}
	history := make([]*access, 0, keptAccesses)
	history = append(history, past[max(0, len(past)-keptAccesses+1):]...)
	return append(history, newAccess(now, stamp, m.queryID, m.nhsNumber, m.author))
}

func newAccess(at time.Time, stamp, id, number string, by author) *access {
	a := &access{at: at, stamp: stamp, id: id, nhsNumber: number, author: by, identity: by.identity()}
	w := xmlWriter{buf: make([]byte, 0, 1200)}
	writeAccess(&w, a, a.stamp)
	a.xml = w.buf
	return a
}

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.histories)
	for _, number := range s.standIns {
		delete(s.children, number)
	}
	s.standIns = nil
}
