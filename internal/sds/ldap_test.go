//go:build ldap

package sds_test

import (
	"crypto/tls"
	"slices"
	"strings"
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
		ConnectTimeout: 10 * time.Second, SearchTimeout: 10 * time.Second, Connections: 4,
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
			recorded[0].Elapsed <= 0 || recorded[0].Correlation == "" {
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
