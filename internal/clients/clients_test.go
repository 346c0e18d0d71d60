package clients_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ours     = "urn:nhs-uk:identity:ods:RZZ99"
	user     = "999000111222"
	profile  = "999000111333"
	asid     = "999000444555"
	toolkit  = "2.16.840.1.113883.2.1.3.2.4.18.27"
	nobodyIn = ""
)

func organisation(code string) cpis.Organisation {
	return cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: code}}
}

func system(change func(*cpis.System)) cpis.Author {
	s := cpis.System{ASID: asid, Authorities: []cpis.IndirectAuthority{{}}, Maintaining: organisation("RZZ99")}
	if change != nil {
		change(&s)
	}
	return s
}

func person(ids ...string) cpis.Author {
	p := cpis.Person{Represented: organisation("RZZ99")}
	for i, root := range []string{cpis.OIDUserID, cpis.OIDRoleProfile}[:len(ids)] {
		p.IDs = append(p.IDs, cpis.Identifier{Root: root, Extension: ids[i]})
	}
	return p
}

// identities are pairs of type and URI.
func identities(pairs ...string) []cpis.AuditIdentity {
	var all []cpis.AuditIdentity
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, cpis.AuditIdentity{Type: pair[0], URI: pair[1]})
	}
	return all
}

// N36: which author may ask under which audit identities (WRD-IAM-12 to
// WRD-IAM-17, WRD-RC-08, MSCA-AUD-04a).
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	named := identities(toolkit, ours+":nurse-7")
	card := identities(toolkit, ours+":nurse-7", cpis.OIDUserID, user, cpis.OIDRoleProfile, profile)
	with := func(base []cpis.AuditIdentity, more ...string) []cpis.AuditIdentity {
		return append(slices.Clone(base), identities(more...)...)
	}
	cases := map[string]struct {
		method     clients.AccessMethod
		author     cpis.Author
		identities []cpis.AuditIdentity
		allowed    bool
	}{
		"attended, system":                       {clients.Attended, system(nil), named, true},
		"attended, organisation in lower case":   {clients.Attended, system(func(s *cpis.System) { s.Maintaining = organisation("rzz99") }), named, true},
		"attended, user by default type":         {clients.Attended, system(nil), identities("", ours+":ward-3:nurse-7"), true},
		"attended, user by SDS id":               {clients.Attended, system(nil), identities(toolkit, ours, cpis.OIDUserID, user), true},
		"attended, person":                       {clients.Attended, person(user), named, true},
		"attended, organisation only":            {clients.Attended, system(nil), identities(toolkit, ours), false},
		"attended, empty user":                   {clients.Attended, system(nil), identities(toolkit, ours+":"), false},
		"attended, empty SDS id":                 {clients.Attended, system(nil), identities(toolkit, ours, cpis.OIDUserID, ""), false},
		"attended, nobody":                       {clients.Attended, system(nil), nil, false},
		"another organisation":                   {clients.Attended, system(func(s *cpis.System) { s.Maintaining = organisation("RYY") }), named, false},
		"no organisation":                        {clients.Attended, system(func(s *cpis.System) { s.Maintaining = cpis.Organisation{} }), named, false},
		"another ASID":                           {clients.Attended, system(func(s *cpis.System) { s.ASID = "999000444556" }), named, false},
		"nobody responsible":                     {clients.Attended, system(func(s *cpis.System) { s.Authorities = nil }), named, false},
		"neither person nor system":              {clients.Attended, nil, named, false},
		"unattended, organisation only":          {clients.Unattended, system(nil), identities(toolkit, ours), true},
		"unattended, person":                     {clients.Unattended, person(user, profile), card, false},
		"unattended, system identity":            {clients.Unattended, system(nil), identities(toolkit, ours+":triage"), true},
		"smartcard":                              {clients.Smartcard, person(user, profile), card, true},
		"smartcard as a system":                  {clients.Smartcard, system(nil), card, false},
		"smartcard without role profile":         {clients.Smartcard, person(user), card, false},
		"smartcard, identities without user":     {clients.Smartcard, person(user, profile), identities(toolkit, ours+":x", cpis.OIDRoleProfile, profile), false},
		"smartcard, identities without profile":  {clients.Smartcard, person(user, profile), identities(toolkit, ours+":x", cpis.OIDUserID, user), false},
		"smartcard, another user":                {clients.Smartcard, person(user, profile), identities(cpis.OIDUserID, "999000111223", cpis.OIDRoleProfile, profile), false},
		"smartcard, another profile":             {clients.Smartcard, person(user, profile), identities(cpis.OIDUserID, user, cpis.OIDRoleProfile, "999000111334"), false},
		"smartcard, the same user twice":         {clients.Smartcard, person(user, profile), with(card, cpis.OIDUserID, user), true},
		"smartcard, a second user":               {clients.Smartcard, person(user, profile), with(card, cpis.OIDUserID, "999000111223"), false},
		"smartcard, a second profile":            {clients.Smartcard, person(user, profile), with(card, cpis.OIDRoleProfile, "999000111334"), false},
		"attended person, another user":          {clients.Attended, person(user), with(named, cpis.OIDUserID, "999000111223"), false},
		"attended person, another role profile":  {clients.Attended, person(user, profile), with(named, cpis.OIDRoleProfile, "999000111334"), false},
		"attended person, profile not in author": {clients.Attended, person(user), with(named, cpis.OIDRoleProfile, profile), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := clients.Client{Organisations: []string{"RYX", "RZZ99"}, Method: c.method, ASID: asid}
			author := c.author
			if author == nil {
				author = neither{system(nil)}
			}
			reason := client.Refuses(author, c.identities)
			if (reason == "") != c.allowed {
				t.Errorf("refused for %q, want it allowed: %t", reason, c.allowed)
			}
			for _, secret := range []string{"nurse-7", user, asid, "RZZ99"} {
				if strings.Contains(reason, secret) {
					t.Errorf("the reason %q quotes the message", reason)
				}
			}
		})
	}
}

// neither is an author of a third kind, by way of embedding.
type neither struct{ cpis.Author }

var pki = sync.OnceValues(func() ([2]testpki.Pair, error) {
	var pairs [2]testpki.Pair
	authority, err := testpki.New(time.Now())
	if err != nil {
		return pairs, err
	}
	for i := range pairs {
		pairs[i], err = authority.Issue(testpki.Request{CommonName: "x", DNSNames: []string{"ED.example.invalid", "second.example.invalid"}[i:], Client: true})
		if err != nil {
			return pairs, err
		}
	}
	return pairs, nil
})

// WRD-IAM-02: a certificate belongs to one client or to none.
func TestIdentify(t *testing.T) {
	t.Parallel()
	pairs, err := pki()
	if err != nil {
		t.Fatal(err)
	}
	first, second := pairs[0].Leaf, pairs[1].Leaf
	key := sha256.Sum256(first.RawSubjectPublicKeyInfo)
	cases := map[string]struct {
		a, b string // matches of two clients
		of   *x509.Certificate
		want string
	}{
		"by certificate":              {"sha256:" + clients.Fingerprint(first), "dns:x", first, "a"},
		"by certificate, in capitals": {"SHA256:" + strings.ToUpper(clients.Fingerprint(first)), "dns:x", first, "a"},
		"by key":                      {"spki:" + hex.EncodeToString(key[:]), "dns:x", first, "a"},
		"by name":                     {"dns:x", "dns:ed.EXAMPLE.invalid", first, "b"},
		"by a second name":            {"dns:second.example.invalid", "dns:x", first, "a"},
		"another certificate":         {"sha256:" + clients.Fingerprint(first), "dns:x", second, nobodyIn},
		"a part of a name":            {"dns:example.invalid", "dns:d.example.invalid", first, nobodyIn},
		"two clients":                 {"sha256:" + clients.Fingerprint(first), "dns:ed.example.invalid", first, nobodyIn},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			register, err := clients.NewRegister([]*clients.Client{
				{Name: "a", Certificates: []string{c.a}}, {Name: "b", Certificates: []string{c.b}},
			})
			if err != nil {
				t.Fatal(err)
			}
			got, ok := register.Identify(c.of)
			if ok != (c.want != nobodyIn) || ok && got.Name != c.want {
				t.Errorf("identified %v, want %q", got, c.want)
			}
		})
	}
	_, err = clients.NewRegister([]*clients.Client{{Name: "a", Certificates: []string{"dns:x"}}, {Name: "b", Certificates: []string{"DNS:X"}}})
	if err == nil {
		t.Error("two clients with one certificate were registered")
	}
}

// WRD-OPS-07: the rate and the number of questions under way are the client's own.
func TestLimitsAreTheClientsOwn(t *testing.T) {
	t.Parallel()
	busy := &clients.Client{Name: "busy", PerSecond: 0.001, Burst: 3, Questions: 4, Certificates: []string{"dns:a"}}
	calm := &clients.Client{Name: "calm", PerSecond: 0.001, Burst: 3, Questions: 4, Certificates: []string{"dns:b"}}
	_, err := clients.NewRegister([]*clients.Client{busy, calm})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if got := busy.Allow(); got != (i < 3) {
			t.Errorf("question %d allowed: %t", i+1, got)
		}
	}
	if !calm.Allow() {
		t.Error("one client's rate used up another's")
	}
	var entered atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if busy.Enter() {
				entered.Add(1)
			}
		})
	}
	all.Wait()
	if entered.Load() != 4 || !calm.Enter() {
		t.Errorf("%d questions under way, want 4, and another client's besides", entered.Load())
	}
	busy.Leave()
	if !busy.Enter() || busy.Enter() {
		t.Error("a place that was left was not free, or more than it")
	}
}
