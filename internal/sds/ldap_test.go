//go:build ldap

package sds_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/slapdtest"
	"github.com/wardsmsp/ward/internal/testpki"
)

// nurse is a synthetic user whose identity and role profile are in order.
var nurse = slapdtest.Person{
	UserID: "555000000101", RoleProfile: "555000000201", Organisation: "RXX", JobRole: "S8000:G8000:R0260", Status: "1",
	Opened: "20200101",
}

type directory struct {
	*slapdtest.Server
	authority *testpki.Authority
}

func start(t testing.TB, entries string, settings ...string) directory {
	t.Helper()
	authority := newAuthority(t)
	server, err := slapdtest.Start(authority, entries, settings...)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	return directory{server, authority}
}

func people() *sds.People {
	return &sds.People{
		Base: "ou=people,o=nhs", User: "nhsPerson", UserID: "uid", Status: "nhsPersonStatus",
		Role: "nhsOrgPersonRole", RoleID: "uniqueIdentifier", Organisation: "nhsIDCode", JobRole: "nhsJobRoleCode",
		Opened: []string{"nhsOrgOpenDate"}, Closed: []string{"nhsOrgCloseDate"},
	}
}

func (d directory) ldap(t testing.TB) *sds.LDAP {
	t.Helper()
	pair := issue(t, d.authority, testpki.Request{CommonName: "ward.test", Client: true})
	return &sds.LDAP{
		Address: d.Address(), Base: "ou=services,o=nhs", People: people(),
		TLS:            &tls.Config{Certificates: []tls.Certificate{pair.TLSCertificate()}, RootCAs: d.authority.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12},
		ConnectTimeout: time.Second, SearchTimeout: time.Second, Connections: 4,
	}
}

func (d directory) open(t testing.TB, changes ...func(*sds.Options)) *scene {
	t.Helper()
	return open(t, func(o *sds.Options) {
		o.LDAP = d.ldap(t)
		for _, change := range changes {
			change(o)
		}
	})
}

func (d directory) searches(t testing.TB) int {
	t.Helper()
	n, err := d.Searches()
	must(t, err)
	return n
}

// WRD-SPN-05: endpoint, ASID, pattern and contract come from the directory; IG-3.9.2a:
// and the look-up is recorded.
func TestServiceFromLDAP(t *testing.T) {
	spine := slapdtest.Spine(endpoint)
	reliable := spine.Async()
	reliable.AckRequested, reliable.DuplicateElimination = "always", "always"
	reliable.Retries, reliable.RetryInterval, reliable.PersistDuration = "2", "PT1M", "PT5M"
	reliable.Actor = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
	d := start(t, slapdtest.LDIF([]slapdtest.System{spine}, nil))
	cases := map[string]struct {
		system slapdtest.System
		async  bool
		want   ebxml.Contract
	}{
		"synchronous": {spine, false, ebxml.Contract{CPAID: "S20001A000999", ToParty: "YES-0000806", SyncReply: "none"}},
		"unreliable":  {spine.Async(), true, ebxml.Contract{CPAID: "S20001A000999", ToParty: "YES-0000806", SyncReply: "MSHSignalsOnly"}},
		"reliable": {reliable, true, ebxml.Contract{
			CPAID: "S20001A000999", ToParty: "YES-0000806", SyncReply: "MSHSignalsOnly", AckRequested: true, DuplicateElimination: true,
			Actor: "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH", Retries: 2, RetryInterval: time.Minute, PersistDuration: 5 * time.Minute,
		}},
	}
	for name, c := range cases {
		must(t, d.Replace(slapdtest.LDIF([]slapdtest.System{c.system}, nil)))
		s := d.open(t)
		got, err := s.Service(t.Context())
		must(t, err)
		if got.Endpoint.String() != endpoint || got.ASID != "928942012545" || got.Async != c.async {
			t.Errorf("%s: %+v", name, got)
		}
		if diff := cmp.Diff(c.want, got.Contract); diff != "" {
			t.Errorf("%s: contract (-want +got):\n%s", name, diff)
		}
		recorded := s.ledger.take()
		if len(recorded) != 1 || recorded[0].Purpose != sds.ForService || recorded[0].Result != "found" || recorded[0].Stale ||
			recorded[0].Elapsed <= 0 || recorded[0].Correlation == "" || recorded[0].About != "YES "+cpisQuery {
			t.Errorf("%s: recorded %+v", name, recorded)
		}
	}
}

// What the directory does not have once, or not in a form that is understood, is an error
// and never a guess.
func TestServicesThatCannotBeUsed(t *testing.T) {
	spine := slapdtest.Spine(endpoint)
	change := func(edit func(*slapdtest.System)) []slapdtest.System {
		changed := spine
		edit(&changed)
		return []slapdtest.System{changed}
	}
	second := spine
	second.ASID = "928942012546"
	third := spine
	third.ASID = "928942012547"
	cases := map[string]struct {
		systems []slapdtest.System
		want    sds.Result
	}{
		"none":                       {nil, sds.NoRecord},
		"of another organisation":    {change(func(s *slapdtest.System) { s.Organisation = "YE" }), sds.NoRecord},
		"of another interaction":     {change(func(s *slapdtest.System) { s.Interaction += "x" }), sds.NoRecord},
		"two":                        {[]slapdtest.System{spine, second}, sds.Ambiguous},
		"three":                      {[]slapdtest.System{spine, second, third}, sds.Ambiguous},
		"an ASID of other form":      {change(func(s *slapdtest.System) { s.ASID = "92894201254x" }), sds.Unusable},
		"no party key":               {change(func(s *slapdtest.System) { s.PartyKey = "" }), sds.Unusable},
		"no endpoint":                {change(func(s *slapdtest.System) { s.Endpoint = "" }), sds.Unusable},
		"an endpoint without TLS":    {change(func(s *slapdtest.System) { s.Endpoint = "http://spine.example.invalid/" }), sds.Unusable},
		"an unknown reply mode":      {change(func(s *slapdtest.System) { s.SyncReply = "sometimes" }), sds.Unusable},
		"an unknown acknowledgement": {change(func(s *slapdtest.System) { s.AckRequested = "true" }), sds.Unusable},
		"an unknown elimination":     {change(func(s *slapdtest.System) { s.DuplicateElimination = "yes" }), sds.Unusable},
		"retries that are no number": {change(func(s *slapdtest.System) { s.Retries = "-1" }), sds.Unusable},
		"an interval of months":      {change(func(s *slapdtest.System) { s.RetryInterval = "P1M" }), sds.Unusable},
		"no CPA id where it matters": {change(func(s *slapdtest.System) { s.CPAID, s.SyncReply = "", "MSHSignalsOnly" }), sds.Unusable},
	}
	d := start(t, "")
	for name, c := range cases {
		must(t, d.Replace(slapdtest.LDIF(c.systems, nil)))
		s := d.open(t)
		got, err := s.Service(t.Context())
		if resultOf(t, err) != c.want || got.Endpoint != nil {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if diff := cmp.Diff([]string{string(c.want)}, s.ledger.results()); diff != "" {
			t.Errorf("%s: recorded (-want +got):\n%s", name, diff)
		}
		before := d.searches(t)
		_, err = s.Service(t.Context())
		if resultOf(t, err) != c.want || d.searches(t) != before {
			t.Errorf("%s: asked again at once", name)
		}
	}
}

// Several values where one is needed are ambiguous too, and control characters are not
// passed on.
func TestValuesThatCannotBeUsed(t *testing.T) {
	system := slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil)
	system, _, _ = strings.Cut(system, "\n\n")
	handler := func(attribute string, values ...string) string {
		one := func(name string, values ...string) slapdtest.Attribute {
			return slapdtest.Attribute{Name: name, Values: values}
		}
		return system + "\n\n" + slapdtest.Entry("uniqueIdentifier=mhs,ou=services,o=nhs", one("objectClass", "nhsMhs"), one("uniqueIdentifier", "mhs"),
			one("nhsMhsPartyKey", "YES-0000806"), one("nhsMhsSvcIA", cpisQuery), one(attribute, values...))
	}
	d := start(t, "")
	for name, c := range map[string]struct {
		entries string
		want    sds.Result
	}{
		"two endpoints":       {handler("nhsMhsEndPoint", endpoint, endpoint+"2"), sds.Ambiguous},
		"two modes":           {handler("nhsMHSSyncReplyMode", "none", "MSHSignalsOnly"), sds.Ambiguous},
		"an actor in lines":   {handler("nhsMHSActor", "urn:a\r\nX: y"), sds.Unusable},
		"an actor too long":   {handler("nhsMHSActor", strings.Repeat("a", 1025)), sds.Unusable},
		"a reply beyond size": {handler("nhsMHSActor", strings.Repeat("a", 2<<20)), sds.Unavailable},
		"no handler":          {system + "\n", sds.NoRecord},
	} {
		must(t, d.Replace(c.entries))
		_, err := d.open(t).Service(t.Context())
		if resultOf(t, err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A directory that gives nobody more than one record does not make one of several.
func TestSeveralRecordsBehindALimit(t *testing.T) {
	spine, second := slapdtest.Spine(endpoint), slapdtest.Spine(endpoint)
	second.ASID = "928942012546"
	d := start(t, slapdtest.LDIF([]slapdtest.System{spine, second}, nil), "sizelimit 1")
	_, err := d.open(t).Service(t.Context())
	if resultOf(t, err) != sds.Ambiguous {
		t.Error(err)
	}
}

// The operator may replace an endpoint, and a test environment may refuse one.
func TestEndpointIsReplacedOrRefused(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	replaced := d.open(t, func(o *sds.Options) { o.Endpoints = replacements("https://10.0.0.1/sync") })
	s, err := replaced.Service(t.Context())
	must(t, err)
	if s.Endpoint.String() != "https://10.0.0.1/sync" {
		t.Errorf("the endpoint is %s", s.Endpoint)
	}
	_, err = d.open(t, refuseAll).Service(t.Context())
	if resultOf(t, err) != sds.Unusable {
		t.Error(err)
	}
}

// WRD-SPN-16: whatever is asked about is taken literally. Nothing matches here that a
// value which is not escaped would find.
func TestInjectionFindsNothing(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	for _, value := range []string{
		"*", "Y*", "YES)(objectClass=*", "YES)(|(objectClass=*", "*)(uid=*))(|(uid=*", `YES\2a`, `\2a`, "YES\x00", "YES\x00)(a=*", "(YES", "YES)", "YES\n", "|", "&", "!(YES)",
		"YES,o=nhs", "uid=555000000101", "\xff\xfe", "ＹＥＳ*", strings.Repeat("*", 200),
	} {
		for name, change := range map[string]func(*sds.Options){
			"organisation": func(o *sds.Options) { o.Organisation = value },
			"interaction":  func(o *sds.Options) { o.Interaction = value },
		} {
			_, err := d.open(t, change).Service(t.Context())
			if resultOf(t, err) != sds.NoRecord {
				t.Errorf("%s %q: %v", name, value, err)
			}
		}
		s := d.open(t)
		for name, c := range map[string]struct {
			author [4]string
			want   string
		}{
			"user":         {[4]string{value, nurse.RoleProfile, "RXX", "R0260"}, sds.NoUser},
			"role profile": {[4]string{nurse.UserID, value, "RXX", "R0260"}, sds.NoRoleProfile},
			"organisation": {[4]string{nurse.UserID, nurse.RoleProfile, value, "R0260"}, sds.OtherOrganisation},
			"job role":     {[4]string{nurse.UserID, nurse.RoleProfile, "RXX", value}, sds.OtherJobRole},
		} {
			refusal, err := s.Author(t.Context(), c.author[0], c.author[1], c.author[2], c.author[3])
			if err != nil || refusal != c.want {
				t.Errorf("%s %q: %q, %v", name, value, refusal, err)
			}
		}
	}
	refusal, err := d.open(t).Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "R0260")
	if err != nil || refusal != "" {
		t.Errorf("the nurse: %q, %v", refusal, err)
	}
}

// WRD-IAM-18: a smartcard user's identity, role profile, organisation and job role are
// those of the directory.
func TestAuthors(t *testing.T) {
	change := func(id string, edit func(*slapdtest.Person)) slapdtest.Person {
		p := nurse
		p.UserID, p.RoleProfile = "5550000001"+id, "5550000002"+id
		edit(&p)
		return p
	}
	uk, err := time.LoadLocation("Europe/London")
	must(t, err)
	day := func(days int) string { return time.Now().In(uk).AddDate(0, 0, days).Format("20060102") }
	cases := []struct {
		name   string
		person slapdtest.Person
		role   string
		want   string
	}{
		{"fits", nurse, "R0260", ""},
		{"with the whole job role", nurse, "S8000:G8000:R0260", ""},
		{"with no job role to compare", nurse, "", ""},
		{"with another job role", nurse, "R0261", sds.OtherJobRole},
		{"with another group of the job role", nurse, "S8001:G8000:R0260", sds.OtherJobRole},
		{"with a part of the job role", nurse, "260", sds.OtherJobRole},
		{"with the last two parts of the job role", nurse, "G8000:R0260", sds.OtherJobRole},
		{"inactive", change("02", func(p *slapdtest.Person) { p.Status = "2" }), "R0260", sds.UserInactive},
		{"of no status", change("03", func(p *slapdtest.Person) { p.Status = "" }), "R0260", ""},
		{"closed yesterday", change("04", func(p *slapdtest.Person) { p.Closed = day(-1) }), "R0260", sds.RoleClosed},
		{"closed today", change("05", func(p *slapdtest.Person) { p.Closed = day(0) }), "R0260", sds.RoleClosed},
		{"closed tomorrow", change("06", func(p *slapdtest.Person) { p.Closed = day(1) }), "R0260", ""},
		{"opened today", change("07", func(p *slapdtest.Person) { p.Opened = day(0) }), "R0260", ""},
		{"opened tomorrow", change("08", func(p *slapdtest.Person) { p.Opened = day(1) }), "R0260", sds.RoleClosed},
		{"of no dates", change("09", func(p *slapdtest.Person) { p.Opened = "" }), "R0260", ""},
		{"of another organisation", change("10", func(p *slapdtest.Person) { p.Organisation = "RYY" }), "R0260", sds.OtherOrganisation},
		{"of the organisation of the membership", change("11", func(p *slapdtest.Person) { p.Bare = true }), "R0260", ""},
		{"of another organisation of the membership", change("12", func(p *slapdtest.Person) { p.Bare, p.Organisation = true, "RYY" }), "R0260", sds.OtherOrganisation},
		{"of no job role", change("13", func(p *slapdtest.Person) { p.JobRole = "" }), "R0260", sds.OtherJobRole},
	}
	var all []slapdtest.Person
	for _, c := range cases {
		if !slices.Contains(all, c.person) {
			all = append(all, c.person)
		}
	}
	broken := change("14", func(p *slapdtest.Person) { p.Closed = "31/12/2030" })
	d := start(t, slapdtest.LDIF(nil, append(all, broken)))
	s := d.open(t)
	for _, c := range cases {
		refusal, err := s.Author(t.Context(), c.person.UserID, c.person.RoleProfile, "RXX", c.role)
		if err != nil || refusal != c.want {
			t.Errorf("a nurse %s: %q, %v; want %q", c.name, refusal, err, c.want)
		}
		recorded := s.ledger.take()
		want := c.want
		if want == "" {
			want = "found"
		}
		if len(recorded) != 1 || recorded[0].Purpose != sds.ForAuthor || recorded[0].Result != want || recorded[0].About != c.person.UserID+" "+c.person.RoleProfile {
			t.Errorf("a nurse %s: recorded %+v", c.name, recorded)
		}
	}
	other := cases[7].person
	for name, c := range map[string]struct{ user, profile, want string }{
		"nobody":                      {"555000000999", nurse.RoleProfile, sds.NoUser},
		"a role profile of nobody":    {nurse.UserID, "555000000999", sds.NoRoleProfile},
		"a role profile of another":   {nurse.UserID, other.RoleProfile, sds.NoRoleProfile},
		"a membership for a profile":  {nurse.UserID, "membership-" + nurse.RoleProfile, sds.NoRoleProfile},
		"no user id":                  {"", nurse.RoleProfile, sds.NoUser},
		"no role profile":             {nurse.UserID, "", sds.NoRoleProfile},
		"a user id beyond reason":     {strings.Repeat("5", 257), nurse.RoleProfile, sds.NoUser},
		"a user id of the same value": {strings.ToUpper(nurse.UserID) + " x", nurse.RoleProfile, sds.NoUser},
	} {
		refusal, err := s.Author(t.Context(), c.user, c.profile, "RXX", "R0260")
		if err != nil || refusal != c.want {
			t.Errorf("%s: %q, %v; want %q", name, refusal, err, c.want)
		}
	}
	_, err = s.Author(t.Context(), broken.UserID, broken.RoleProfile, "RXX", "R0260")
	if resultOf(t, err) != sds.Unusable || strings.Contains(err.Error(), broken.UserID) {
		t.Errorf("a date that is none: %v", err)
	}
}

// Only that an author fits is kept, for its time and not beyond.
func TestAuthorsAreKeptForATime(t *testing.T) {
	closed := nurse
	closed.UserID, closed.RoleProfile, closed.Closed = "555000000102", "555000000202", "20200102"
	d := start(t, slapdtest.LDIF(nil, []slapdtest.Person{nurse, closed}))
	s := d.open(t)
	ask := func(p slapdtest.Person) (string, error) {
		return s.Author(t.Context(), p.UserID, p.RoleProfile, "RXX", "R0260")
	}
	for range 3 {
		_, err := ask(nurse)
		must(t, err)
		_, err = ask(closed)
		must(t, err)
	}
	if diff := cmp.Diff([]string{"found", sds.RoleClosed, sds.RoleClosed, sds.RoleClosed}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	must(t, d.Stop())
	s.clock.forward(4 * time.Minute)
	refusal, err := ask(nurse)
	if err != nil || refusal != "" {
		t.Errorf("within its time: %q, %v", refusal, err)
	}
	s.clock.forward(2 * time.Minute)
	_, err = ask(nurse)
	if resultOf(t, err) != sds.Unavailable {
		t.Errorf("beyond its time: %v", err)
	}
	if diff := cmp.Diff([]string{"not available"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// WRD-SPN-15: a directory that is stopped, hangs, comes back, or stays away.
func TestServiceSurvivesAnOutage(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(directory) error }{
		"stopped": {func(d directory) error { return d.Stop() }, func(d directory) error { return d.Resume() }},
		"hung":    {func(d directory) error { return d.Hang() }, func(d directory) error { return d.Continue() }},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
			s := d.open(t)
			expect := func(when string, result sds.Result, recorded ...string) {
				t.Helper()
				began := time.Now()
				got, err := s.Service(t.Context())
				if resultOf(t, err) != result || result == sds.Found && got.Endpoint.String() != endpoint {
					t.Fatalf("%s: %v, want %q", when, err, result)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("%s: it took %s", when, took)
				}
				if diff := cmp.Diff(recorded, s.ledger.results()); diff != "" {
					t.Errorf("%s: recorded (-want +got):\n%s", when, diff)
				}
			}
			settle := func() { // a question that goes on behind those who no longer wait for it
				for began := time.Now(); len(s.ledger.take()) == 0; time.Sleep(20 * time.Millisecond) {
					if time.Since(began) > 10*time.Second {
						t.Fatal("the look-up behind was never recorded")
					}
				}
				s.clock.forward(time.Second)
			}
			expect("at first", sds.Found, "found")
			must(t, outage.begin(d))
			expect("while fresh", sds.Found)
			s.clock.forward(16 * time.Minute)
			_, err := s.Service(t.Context()) // stale at once, or after the failure
			must(t, err)
			if name == "hung" {
				settle()
			}
			s.ledger.take()
			expect("soon after", sds.Found, "stale found")
			s.clock.forward(24 * time.Hour)
			expect("beyond the bound", sds.Unavailable, "not available")
			expect("soon after that", sds.Unavailable)
			must(t, outage.end(d))
			expect("back, but too soon to ask", sds.Unavailable)
			s.clock.forward(31 * time.Second)
			expect("back", sds.Found, "found")
		})
	}
}

// A stale value whose use cannot be recorded is not used; neither is a fresh one.
func TestUnrecordedIsNotUsed(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	s.ledger.fail(errFull)
	_, err := s.Service(t.Context())
	if !errors.Is(err, errFull) {
		t.Errorf("a service: %v", err)
	}
	refusal, err := s.Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "R0260")
	if !errors.Is(err, errFull) {
		t.Errorf("an author: %q, %v", refusal, err)
	}
	s.ledger.fail(nil)
	_, err = s.Service(t.Context())
	must(t, err)
	must(t, d.Stop())
	s.clock.forward(16 * time.Minute)
	_, err = s.Service(t.Context())
	must(t, err)
	s.ledger.fail(errFull)
	got, err := s.Service(t.Context())
	if !errors.Is(err, errFull) || got.Endpoint != nil {
		t.Errorf("a stale service: %v", err)
	}
}

// A definite answer that there is no such service ends the use of what was said before.
func TestARemovedServiceIsNotUsed(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	s := d.open(t)
	_, err := s.Service(t.Context())
	must(t, err)
	must(t, d.Replace(""))
	s.clock.forward(16 * time.Minute)
	_, err = s.Service(t.Context())
	if resultOf(t, err) != sds.NoRecord {
		t.Error(err)
	}
	must(t, d.Stop())
	s.clock.forward(time.Minute)
	_, err = s.Service(t.Context())
	if resultOf(t, err) != sds.Unavailable {
		t.Error(err)
	}
}

// Those who ask the same at the same time share one look-up, which goes on when the first
// of them leaves.
func TestOneLookupForAll(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	before := d.searches(t)
	must(t, d.Hang())
	gone, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	failures := make(chan error, 200)
	all.Go(func() {
		_, err := s.Service(gone)
		if resultOf(t, err) != sds.Unavailable {
			failures <- fmt.Errorf("who left: %w", err)
		}
	})
	time.Sleep(50 * time.Millisecond)
	for range 100 {
		all.Go(func() {
			_, err := s.Service(t.Context())
			failures <- err
			refusal, err := s.Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "R0260")
			if refusal != "" {
				err = errors.New(refusal)
			}
			failures <- err
		})
	}
	time.Sleep(100 * time.Millisecond)
	leave()
	time.Sleep(50 * time.Millisecond)
	must(t, d.Continue())
	all.Wait()
	close(failures)
	for err := range failures {
		must(t, err)
	}
	if n := d.searches(t) - before; n != 4 {
		t.Errorf("%d searches, want 2 for the service and 2 for the author", n)
	}
	if diff := cmp.Diff([]string{"found", "found"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// One connection is reused, and replaced when it has ended while it was idle.
func TestConnectionsAreReused(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	before, err := d.Connections()
	must(t, err)
	for range 5 {
		_, err := s.Service(t.Context())
		must(t, err)
		s.clock.forward(16 * time.Minute)
	}
	after, err := d.Connections()
	must(t, err)
	if after-before != 1 {
		t.Errorf("%d connections for 5 look-ups", after-before)
	}
	must(t, d.Restart())
	_, err = s.Service(t.Context())
	must(t, err)
	if diff := cmp.Diff(slices.Repeat([]string{"found"}, 6), s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// WRD-SPN-13: both sides are verified, and there is no way around it.
func TestTLSIsVerified(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	stranger := newAuthority(t)
	foreign := issue(t, stranger, testpki.Request{CommonName: "ward.test", Client: true})
	for name, c := range map[string]struct {
		change func(*tls.Config)
		says   string
	}{
		"anchors of another authority": {func(c *tls.Config) { c.RootCAs = stranger.Pool() }, "not trusted: the certificate is of no known authority"},
		"another name":                 {func(c *tls.Config) { c.ServerName = "ldap.example.invalid" }, "not trusted: the certificate has another name"},
		"revocation":                   {func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { return errFull } }, "could not be connected to"},
		"our certificate of another":   {func(c *tls.Config) { c.Certificates = []tls.Certificate{foreign.TLSCertificate()} }, "sds.certificate"},
		"no certificate of ours":       {func(c *tls.Config) { c.Certificates = nil }, "sds.certificate"},
	} {
		s := d.open(t, func(o *sds.Options) { c.change(o.LDAP.TLS) })
		_, err := s.Service(t.Context())
		if resultOf(t, err) != sds.Unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
		if diff := cmp.Diff([]string{"not available"}, s.ledger.results()); diff != "" {
			t.Errorf("%s: recorded (-want +got):\n%s", name, diff)
		}
	}
}

// A connection that was trusted once is judged again before it is used again.
func TestRevocationEndsAConnection(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	var revoked error
	s := d.open(t, func(o *sds.Options) { o.LDAP.TLS.VerifyConnection = func(tls.ConnectionState) error { return revoked } })
	_, err := s.Service(t.Context())
	must(t, err)
	revoked = errFull
	s.clock.forward(25 * time.Hour)
	_, err = s.Service(t.Context())
	if resultOf(t, err) != sds.Unavailable {
		t.Error(err)
	}
}

// A question has no more time than its context, whatever the directory does, and an
// outage does not cost each question its time.
func TestDeadlinesAreKept(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	must(t, d.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Service(ctx)
	if resultOf(t, err) != sds.Unavailable || time.Since(began) > 500*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	_, err = s.Service(t.Context()) // waits for the end of the same look-up
	if resultOf(t, err) != sds.Unavailable || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	began = time.Now()
	for i := range 50 {
		_, err = s.Author(t.Context(), fmt.Sprint(i), nurse.RoleProfile, "RXX", "R0260")
		if resultOf(t, err) != sds.Unavailable {
			t.Fatal(err)
		}
	}
	if time.Since(began) > 500*time.Millisecond {
		t.Errorf("50 questions during an outage took %s", time.Since(began))
	}
	if diff := cmp.Diff([]string{"not available"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	must(t, d.Continue())
}

// Closing ends what is under way.
func TestCloseEndsLookups(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	s := d.open(t, func(o *sds.Options) { o.LDAP.SearchTimeout = time.Hour })
	_, err := s.Service(t.Context())
	must(t, err)
	must(t, d.Hang())
	s.clock.forward(25 * time.Hour)
	asked := make(chan error)
	go func() {
		_, err := s.Service(t.Context())
		asked <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Close()
	if resultOf(t, <-asked) != sds.Unavailable {
		t.Error("a look-up went on after the end")
	}
	must(t, d.Continue())
}
