package spinesim_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// clock is a clock that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 7, 10, 9, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A query where a record is found is the last access of its own answer, under
// the query's own id and time, and the totals count it.
func TestTheAskerIsTheLastAccessOfItsOwnAnswer(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	for _, person := range []string{"", "555000000101"} {
		q := query{number: "9990000018", person: person, queryID: newID(), time: "20260301101112+0000"}
		r := ask(t, s, c, q)
		ids := r.accesses()
		if len(ids) == 0 || ids[len(ids)-1] != q.queryID {
			t.Errorf("the query %s is not the last access: %v", q.queryID, ids)
		}
		if got, want := r.accessTotal(), fmt.Sprint(len(ids)); got != want {
			t.Errorf("total %s, %s accesses sent", got, want)
		}
		queries := r.root.find("pertinentCP-ISNHSQuery")
		last := queries[len(queries)-1]
		if got := last.Children[0].attr("value"); got != q.time {
			t.Errorf("time %s, want %s", got, q.time)
		}
		if got := len(last.find("COCT_TP145102GB01.AssignedAuthor")); (got == 1) != (person != "") {
			t.Errorf("%d person authors for the person %q", got, person)
		}
	}
}

// The author's words come back whole: plain text and several parts in a name, a
// long organisation name that carries a place, markup characters.
func TestTheAuthorIsKeptWhole(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	place := "NHS 111 &amp; &lt;Out of Hours&gt; – patient at 14 Rose Cottages, Little Snoring, near the old mill, ring the second bell and wait for the warden to come to the door please"
	r := ask(t, s, c, query{number: "9990000255", place: place})
	names := r.root.find("maintainingOrganization")
	if len(names) != 1 {
		t.Fatalf("%d organisations", len(names))
	}
	want := "NHS 111 & <Out of Hours> – patient at 14 Rose Cottages, Little Snoring, near the old mill, ring the second bell and wait for the warden to come to the door please"
	if got := names[0].find("name")[0].Text; got != want {
		t.Errorf("organisation name %q", got)
	}
	lead := r.root.find("superiorAssignedEntity")[0]
	if got := lead.find("code")[0].attr("displayName") + lead.find("prefix")[0].Text + lead.find("family")[0].Text; got != "Nurse ManagerMsLead" {
		t.Errorf("responsible person: %q", got)
	}
}

func TestTheSameAuthorIsListedOnceIn24Hours(t *testing.T) {
	at := newClock()
	s := start(t, func(c *spinesim.Config) { c.Clock = at.time })
	c := newClient(t)
	listed := func(q query) []string {
		q.number = "9990000255" // nobody asked before
		return ask(t, s, c, q).accesses()
	}
	first, third := newID(), newID()
	authors := query{person: "555000000101", profile: "1"}

	q := authors
	q.queryID = first
	if diff := cmp.Diff([]string{first}, listed(q)); diff != "" {
		t.Errorf("first query (-want +got):\n%s", diff)
	}
	at.add(24*time.Hour - time.Second)
	q.queryID = newID()
	if diff := cmp.Diff([]string{first}, listed(q)); diff != "" {
		t.Errorf("a repeat within 24 hours (-want +got):\n%s", diff)
	}
	at.add(time.Second)
	q.queryID = third
	if diff := cmp.Diff([]string{first, third}, listed(q)); diff != "" {
		t.Errorf("a repeat after 24 hours of the listed one (-want +got):\n%s", diff)
	}
}

func TestWhoCountsAsTheSameAuthor(t *testing.T) {
	person := query{person: "555000000101", profile: "1", ods: "RXX"}
	system := query{asid: "200000000183", ods: "RXX"}
	tests := []struct {
		name          string
		first, second query
		same          bool
	}{
		{"person, same profile, another organisation", person, query{person: "555000000101", profile: "1", ods: "RYY"}, true},
		{"person, another role profile", person, query{person: "555000000101", profile: "2", ods: "RXX"}, false},
		{"another person", person, query{person: "555000000102", profile: "1", ods: "RXX"}, false},
		{"system, same organisation", system, query{asid: "200000000183", ods: "RXX", place: "Another site"}, true},
		{"system, another organisation", system, query{asid: "200000000183", ods: "RYY"}, false},
		{"another system", system, query{asid: "200000000184", ods: "RXX"}, false},
		{"person and system", person, system, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil)
			c := newClient(t)
			tt.first.number, tt.second.number = "9990000255", "9990000255"
			ask(t, s, c, tt.first)
			got := len(ask(t, s, c, tt.second).accesses())
			want := 2
			if tt.same {
				want = 1
			}
			if got != want {
				t.Errorf("%d accesses, want %d", got, want)
			}
		})
	}
}

// Histories of the cast, 25 kept: the oldest falls off.
func TestOnlyTheLast25AccessesAreKept(t *testing.T) {
	for number, want := range map[string]int{
		"9990000255": 1, "9990000263": 2, "9990000271": 25, "9990000298": 25, "9990000301": 25,
	} {
		t.Run(number, func(t *testing.T) {
			s := start(t, nil)
			c := newClient(t)
			before := ask(t, s, c, query{number: number}).accesses()
			if len(before) != want {
				t.Fatalf("%d accesses, want %d", len(before), want)
			}
			next := newID()
			after := ask(t, s, c, query{number: number, queryID: next, ods: "RYY"}).accesses()
			expected := append(slices.Clone(before), next)
			if len(expected) > 25 {
				expected = expected[1:]
			}
			if diff := cmp.Diff(expected, after); diff != "" {
				t.Errorf("after one more query (-want +got):\n%s", diff)
			}
		})
	}
}

// Even when 25 others asked in the 24 hours since, the asker is listed.
func TestTheAskerIsListedAgainOnceItFellOff(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	ask(t, s, c, query{number: "9990000255", ods: "FIRST"})
	for i := range 25 {
		ask(t, s, c, query{number: "9990000255", ods: fmt.Sprintf("R%02d", i)})
	}
	again := newID()
	ids := ask(t, s, c, query{number: "9990000255", ods: "FIRST", queryID: again}).accesses()
	if len(ids) != 25 || ids[24] != again {
		t.Errorf("%d accesses, the last %s, want %s", len(ids), ids[len(ids)-1], again)
	}
}

// Seeded accesses are oldest first and all before the first query.
func TestEarlierAccessesAreOldestFirst(t *testing.T) {
	s := start(t, nil)
	r := ask(t, s, newClient(t), query{number: "9990000301", time: time.Now().UTC().Format("20060102150405") + "+0000"})
	var times []string
	zoneless := 0
	for _, q := range r.root.find("pertinentCP-ISNHSQuery") {
		value := q.Children[0].attr("value")
		if len(value) == 14 {
			zoneless++
		}
		times = append(times, value[:14])
	}
	if !slices.IsSorted(times) || len(times) != 25 {
		t.Errorf("times are not oldest first: %v", times)
	}
	if zoneless == 0 {
		t.Error("no earlier access lacks its zone, as those of the real service do")
	}
}

// A query that finds no record leaves no trace: no history, no notification.
func TestNoRecordLeavesNoHistory(t *testing.T) {
	at := newClock() // 10 July 2026
	child := spinesim.Child{
		NHSNumber: "9990000344", Given: "Late", Family: "Leaver", Birth: "2015-01-01", Situation: "ended 366 days before",
		Records: []spinesim.Record{{
			Authority: spinesim.LocalAuthority{Code: "X1", Name: "Council", EmergencyDuty: "tel:1"},
			Plans:     []spinesim.Plan{{Type: spinesim.ChildProtection, Start: "2024-05-06", End: "2025-07-09"}},
		}},
	}
	s := start(t, func(c *spinesim.Config) { c.Clock, c.Children = at.time, []spinesim.Child{child} })
	c := newClient(t)
	r := ask(t, s, c, query{number: child.NHSNumber})
	if r.kind() != "QUQI_IN010000UK14" || len(s.Notifications()) != 0 {
		t.Fatalf("answered by %s with %d notifications", r.kind(), len(s.Notifications()))
	}
	at.add(-24 * time.Hour) // yesterday the plan was still shown
	r = ask(t, s, c, query{number: child.NHSNumber, ods: "RYY"})
	if got := len(r.accesses()); got != 1 {
		t.Errorf("%d accesses, want the asker alone", got)
	}
}

func TestNotificationsGoToEachResponsibleAuthority(t *testing.T) {
	at := newClock()
	s := start(t, func(c *spinesim.Config) { c.Clock = at.time })
	c := newClient(t)
	told := func(number string) []spinesim.Notification {
		t.Helper()
		before := len(s.Notifications())
		q := query{number: number, queryID: newID(), ods: "RXX", place: "TESTING NHS TRUST"}
		ask(t, s, c, q)
		news := s.Notifications()[before:]
		for _, n := range news {
			if n.QueryID != q.queryID || n.NHSNumber != number || n.Organisation != "RXX" || n.OrganisationName != "TESTING NHS TRUST" || !n.Time.Equal(at.time()) {
				t.Errorf("the notification %+v does not tell of the query %s", n, q.queryID)
			}
		}
		return news
	}
	for number, want := range map[string][]string{
		"9990000018": {"E09X1", "E10X2"},
		"9990000026": {"E09X1"},
		"9990000204": {"E06X3", "E09X1", "E10X2"},
		"9990000034": nil,
		"9990000123": nil, // its only plan is no longer shown
		"9999999999": nil, // nobody
	} {
		var got []string
		for _, n := range told(number) {
			got = append(got, n.Authority)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", number, diff)
		}
	}
	// A repeat by the same author is another notification, although the
	// history does not list it again.
	told("9990000026")
	counters := s.Counters()
	if got := counters.NotificationsByNumber["9990000026"]; got != 2 {
		t.Errorf("%d notifications for two queries", got)
	}
	if got := counters.NotificationsByAuthority["E09X1"]; got != 4 {
		t.Errorf("%d notifications to one authority, want 4", got)
	}
}

// Evidence is bounded: the newest stay.
func TestEvidenceIsBounded(t *testing.T) {
	s := start(t, func(c *spinesim.Config) { c.KeepQueries, c.KeepNotifications = 3, 2 })
	c := newClient(t)
	var ids []string
	for range 5 {
		id := newID()
		ids = append(ids, id)
		ask(t, s, c, query{number: "9990000042", queryID: id})
	}
	var got []string
	for _, q := range s.Received() {
		got = append(got, q.QueryID)
	}
	if diff := cmp.Diff(ids[2:], got); diff != "" {
		t.Errorf("queries kept (-want +got):\n%s", diff)
	}
	if n := len(s.Notifications()); n != 2 {
		t.Errorf("%d notifications kept, want 2", n)
	}
	if n := s.Counters().Notifications; n != 5 {
		t.Errorf("%d notifications counted, want 5", n)
	}
	if n := s.Received()[0].Sequence; n != 3 {
		t.Errorf("the oldest kept query has the sequence number %d, want 3", n)
	}
}
