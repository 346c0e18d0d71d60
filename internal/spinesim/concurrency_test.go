package spinesim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Thousands of interleaved questions: each answer is the asked child's and no
// one else's, and the evidence holds each query once.
func TestInterleavedAnswersAreTheirOwn(t *testing.T) {
	const workers, each = 8, 150
	s := start(t, func(c *spinesim.Config) { c.Generate = workers * each })
	children := s.Children(0)
	children = children[len(children)-workers*each:]
	c := newClient(t)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				child := children[i*workers+w]
				q := query{number: child.NHSNumber, hl7ID: newID(), queryID: newID()}
				response, body, err := post(c, s.URL(), q.xml())
				if err != nil {
					t.Error(err)
					return
				}
				r := readReply(t, response, body)
				err = belongs(r, q, child)
				if err != nil {
					t.Errorf("%s: %v", child.NHSNumber, err)
				}
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, q := range s.Received() {
		if seen[q.QueryID] || seen[q.HL7ID] {
			t.Errorf("the query %s is there twice", q.QueryID)
		}
		seen[q.QueryID], seen[q.HL7ID] = true, true
	}
	counters := s.Counters()
	if len(seen) != 2*workers*each || counters.Processed != workers*each || counters.Notifications != workers*each {
		t.Errorf("%d queries seen, %d processed, %d notifications; want %d", len(seen)/2, counters.Processed, counters.Notifications, workers*each)
	}
	for number, n := range counters.ByNumber {
		if n != 1 {
			t.Errorf("%s was asked about %d times", number, n)
		}
	}
}

// belongs compares a reply with what the child's number makes of it.
func belongs(r reply, q query, child spinesim.ChildView) error {
	if r.kind() != repc {
		return fmt.Errorf("answered by %s", r.kind())
	}
	if got := r.text("RelatesTo"); got != "uuid:"+q.hl7ID {
		return fmt.Errorf("RelatesTo %s", got)
	}
	got := records(r)
	want := child.Records[0]
	p := want.Plans[0]
	if len(got) != 1 || got[0].Authority != want.AuthorityCode || got[0].Name != want.AuthorityName || got[0].Office != want.OfficeHours || got[0].Emergency != want.EmergencyDuty {
		return fmt.Errorf("records %+v", got)
	}
	if plan := strings.TrimSpace(string(p.Type) + "Information " + p.Start + " " + p.End); got[0].Plans[0] != plan {
		return fmt.Errorf("plan %s, want %s", got[0].Plans[0], plan)
	}
	if !strings.HasSuffix(got[0].Subjects[0], strings.Join([]string{"", child.NHSNumber, child.Given, child.Family, child.Birth}, "|")) {
		return fmt.Errorf("subject %s", got[0].Subjects[0])
	}
	for _, n := range r.root.find("person.NHSnumber") {
		if n.Children[0].attr("extension") != child.NHSNumber {
			return errors.New("another number in the history")
		}
	}
	return nil
}

// Generated children differ from each other in name, authority, telephone
// numbers and the pair of plan dates, and are the same in every simulator.
func TestGeneratedChildrenAreDistinctAndStable(t *testing.T) {
	at := newClock()
	list := func() []spinesim.ChildView {
		cfg := testConfig()
		cfg.Clock, cfg.Generate = at.time, 5000
		s, err := spinesim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		all := s.Children(0)
		return all[len(all)-5000:]
	}
	first, second := list(), list()
	for name, of := range map[string]func(spinesim.ChildView) string{
		"NHS number":      func(c spinesim.ChildView) string { return c.NHSNumber },
		"name":            func(c spinesim.ChildView) string { return c.Family },
		"authority":       func(c spinesim.ChildView) string { return c.Records[0].AuthorityName },
		"authority code":  func(c spinesim.ChildView) string { return c.Records[0].AuthorityCode },
		"office hours":    func(c spinesim.ChildView) string { return c.Records[0].OfficeHours },
		"emergency duty":  func(c spinesim.ChildView) string { return c.Records[0].EmergencyDuty },
		"start of a plan": func(c spinesim.ChildView) string { return c.Records[0].Plans[0].Start },
	} {
		seen := map[string]bool{}
		for i, c := range first {
			value := of(c)
			if seen[value] {
				t.Errorf("two children have the %s %s", name, value)
				break
			}
			seen[value] = true
			if other := of(second[i]); other != value {
				t.Errorf("the %s of %s is once %s and once %s", name, c.NHSNumber, value, other)
				break
			}
		}
	}
}

// Queries about one child at once: each is the last access of its own answer
// or was there before, and no access is lost.
func TestConcurrentQueriesAboutOneChild(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			q := query{number: "9990000255", queryID: newID(), ods: fmt.Sprintf("R%02d", i)}
			response, body, err := post(c, s.URL(), q.xml())
			if err != nil {
				t.Error(err)
				return
			}
			r := readReply(t, response, body)
			ids := r.accesses()
			if len(ids) == 0 || ids[len(ids)-1] != q.queryID || r.accessTotal() != fmt.Sprint(len(ids)) {
				t.Errorf("%s is not the last of %v", q.queryID, ids)
			}
		})
	}
	group.Wait()
	if n := len(ask(t, s, c, query{number: "9990000255"}).accesses()); n != 21 {
		t.Errorf("%d accesses after 21 queries", n)
	}
}

// A script's steps are given out once each, however many calls compete.
func TestStepsAreTakenOnce(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	play(t, s, spinesim.Script{Steps: []spinesim.Step{{Behaviour: "fault-200", Times: 25}}})
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			_, _, err := post(c, s.URL(), query{}.xml())
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := s.Counters().ByBehaviour; n["fault-200"] != 25 || n["as-stored"] != 25 {
		t.Errorf("behaviours %v", n)
	}
}

// Close ends stalls at once, lets a reply in progress end, and leaves nothing
// behind (see TestMain).
func TestCloseIsPromptAndPatient(t *testing.T) {
	cfg := testConfig()
	s, err := spinesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start()
	if err != nil {
		t.Fatal(err)
	}
	if s.Start() == nil {
		t.Error("started twice")
	}
	idle := dial(t, s)
	stalled := dial(t, s)
	sendQuery(t, stalled, query{number: numberOf(t, "never-answer")})
	for s.Counters().RequestsRead < 1 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	err = s.Close(ctx)
	if err != nil || time.Since(began) > 20*time.Second { // a stall lasts a minute
		t.Errorf("closed after %v: %v", time.Since(began), err)
	}
	for _, c := range []interface{ Read([]byte) (int, error) }{idle, stalled} {
		_, err = c.Read(make([]byte, 1))
		if err == nil {
			t.Error("a connection outlives Close")
		}
	}
	if s.Close(ctx) != nil {
		t.Error("the second Close complains")
	}
}

// A reply that does not end is cut when the context does.
func TestCloseCutsWhatRemains(t *testing.T) {
	s, err := spinesim.New(testConfig())
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start()
	if err != nil {
		t.Fatal(err)
	}
	play(t, s, steps("huge-body"))
	c := dial(t, s)
	sendQuery(t, c, query{}) // and never read the four mebibytes
	for s.Counters().RequestsRead < 1 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), brief)
	defer cancel()
	err = s.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close said: %v", err)
	}
}
