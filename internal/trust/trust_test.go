package trust_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/internal/trust"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scene is a root, two sub CAs one below the other, and a client's certificate.
type scene struct {
	dir    string
	upper  *testpki.Authority // its sub CA signed that of lower
	lower  *testpki.Authority
	client testpki.Pair
	chain  []*x509.Certificate
	now    time.Time
	grace  time.Duration
}

func newScene(t testing.TB) *scene {
	t.Helper()
	upper, err := testpki.New(now)
	must(t, err)
	lower, err := upper.Below()
	must(t, err)
	client, err := lower.Issue(testpki.Request{CommonName: "ed.test", Client: true})
	must(t, err)
	s := &scene{dir: t.TempDir(), upper: upper, lower: lower, client: client, now: now, grace: day}
	s.chain = []*x509.Certificate{client.Leaf, lower.Sub(), upper.Sub(), upper.Root()}
	s.root(t, testpki.List{})
	s.above(t, testpki.List{})
	s.below(t, testpki.List{})
	return s
}

// root, above and below write the lists of the root and of the two sub CAs.
func (s *scene) root(t testing.TB, l testpki.List) {
	t.Helper()
	list, err := s.upper.RootCRL(l)
	must(t, err)
	s.write(t, "root", list)
}

func (s *scene) above(t testing.TB, l testpki.List) {
	t.Helper()
	list, err := s.upper.CRL(l)
	must(t, err)
	s.write(t, "above", list)
}

func (s *scene) below(t testing.TB, l testpki.List) {
	t.Helper()
	list, err := s.lower.CRL(l)
	must(t, err)
	s.write(t, "below", list)
}

func (s *scene) write(t testing.TB, name string, list []byte) {
	t.Helper()
	must(t, testpki.WriteCRL(s.dir, name, list))
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name+".crl") }

func (s *scene) open(names ...string) (*trust.Lists, error) {
	o := trust.Options{Grace: s.grace, Anchors: []*x509.Certificate{s.upper.Root()}, Now: func() time.Time { return s.now }}
	for _, name := range names {
		o.Files = append(o.Files, s.path(name))
	}
	return trust.Open(o)
}

func (s *scene) mustOpen(t testing.TB, names ...string) *trust.Lists {
	t.Helper()
	lists, err := s.open(names...)
	must(t, err)
	return lists
}

// holds fails unless the chain is judged so now.
func (s *scene) holds(t *testing.T, lists *trust.Lists, want error, state trust.State) {
	t.Helper()
	got := lists.Check([][]*x509.Certificate{s.chain}, s.now)
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Errorf("judged %v, want %v", got, want)
	}
	if lists.State() != state {
		t.Errorf("the lists are %s, want %s", lists.State(), state)
	}
}

// WRD-IAM-04: a certificate is refused if it, or an authority above it, is revoked
// or expired, and for nothing else.
func TestCertificatesAreJudged(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		set  func(*testing.T, *scene)
		want error
	}{
		"nothing is revoked": {set: func(*testing.T, *scene) {}},
		"another certificate of the same authority is revoked": {set: func(t *testing.T, s *scene) {
			other, err := s.lower.Issue(testpki.Request{CommonName: "other.test", Client: true})
			must(t, err)
			s.below(t, testpki.List{Revoked: []*x509.Certificate{other.Leaf}})
		}},
		"the serial number is revoked by another authority": {set: func(t *testing.T, s *scene) {
			s.above(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
		}},
		"the certificate is revoked": {want: trust.Revoked, set: func(t *testing.T, s *scene) {
			s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
		}},
		"the authority that issued it is revoked": {want: trust.AuthorityRevoked, set: func(t *testing.T, s *scene) {
			s.above(t, testpki.List{Revoked: []*x509.Certificate{s.lower.Sub()}})
		}},
		"the authority above is revoked": {want: trust.AuthorityRevoked, set: func(t *testing.T, s *scene) {
			s.root(t, testpki.List{Revoked: []*x509.Certificate{s.upper.Sub()}})
		}},
		"the certificate expires": {want: trust.Expired, set: func(t *testing.T, s *scene) {
			s.now = s.client.Leaf.NotAfter.Add(time.Second)
		}},
		"an authority expires before it": {want: trust.AuthorityExpired, set: func(t *testing.T, s *scene) {
			long, err := s.lower.Issue(testpki.Request{CommonName: "long.test", Client: true, NotAfter: now.Add(50 * 365 * day)})
			must(t, err)
			s.chain[0] = long.Leaf
			s.below(t, testpki.List{NextUpdate: now.Add(50 * 365 * day)})
			s.now = s.lower.Sub().NotAfter.Add(time.Second)
		}},
		"revoked, and the list long out of date": {want: trust.Revoked, set: func(t *testing.T, s *scene) {
			s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}, ThisUpdate: now.Add(-99 * day), NextUpdate: now.Add(-98 * day)})
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			c.set(t, s)
			got := s.mustOpen(t, "root", "above", "below").Check([][]*x509.Certificate{s.chain}, s.now)
			if !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
				t.Errorf("judged %v, want %v", got, c.want)
			}
		})
	}
}

// One chain that may be relied on is enough; none is not.
func TestChains(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
	lists := s.mustOpen(t, "root", "above", "below")
	good, err := s.upper.Issue(testpki.Request{CommonName: "ed.test", Client: true})
	must(t, err)
	goodChain := []*x509.Certificate{good.Leaf, s.upper.Sub(), s.upper.Root()}
	for name, c := range map[string]struct {
		chains [][]*x509.Certificate
		want   error
	}{
		"the second is good": {[][]*x509.Certificate{s.chain, goodChain}, nil},
		"none":               {nil, trust.NotVerified},
		"the anchor alone":   {[][]*x509.Certificate{{s.upper.Root()}}, nil},
	} {
		got := lists.Check(c.chains, now)
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	var none *trust.Lists
	if none.Check([][]*x509.Certificate{s.chain}, now) != nil || none.Check([][]*x509.Certificate{s.chain}, now.Add(500*day)) == nil ||
		none.Check(nil, now) == nil || none.State() != trust.NotChecked {
		t.Error("without lists the expiry alone decides")
	}
}

// WRD-IAM-05: when a list is out of date that shows at once, and certificates are
// refused when the grace period has ended.
func TestListsOutOfDate(t *testing.T) {
	t.Parallel()
	due := now.Add(7 * day)
	cases := map[string]struct {
		grace time.Duration
		at    time.Time
		want  error
		state trust.State
	}{
		"at the last moment":             {day, due, nil, trust.Current},
		"a second later":                 {day, due.Add(time.Second), nil, trust.OutOfDate},
		"at the end of the grace period": {day, due.Add(day), nil, trust.OutOfDate},
		"after it":                       {day, due.Add(day + time.Second), trust.NoCurrentList, trust.Refusing},
		"without a grace period":         {0, due.Add(time.Second), trust.NoCurrentList, trust.Refusing},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.grace = c.grace
			lists := s.mustOpen(t, "root", "above", "below")
			s.now = c.at
			s.holds(t, lists, c.want, c.state)
		})
	}
}

// WRD-IAM-05: a list that is missing counts as out of date since the start, from the
// moment that somebody needs it.
func TestListsMissing(t *testing.T) {
	t.Parallel()
	for _, missing := range [][]string{{"root", "above"}, {"root", "below"}, {"above", "below"}} {
		s := newScene(t)
		lists := s.mustOpen(t, missing...)
		if lists.State() != trust.Current {
			t.Errorf("only %v, and nobody came: %s", missing, lists.State())
		}
		s.now = now.Add(time.Second)
		s.holds(t, lists, nil, trust.OutOfDate)
		s.now = now.Add(day + time.Second)
		s.holds(t, lists, trust.NoCurrentList, trust.Refusing)
	}
	// A list that another key signed in the authority's name is none.
	s, forger := newScene(t), newScene(t)
	forger.below(t, testpki.List{})
	list, err := os.ReadFile(forger.path("below"))
	must(t, err)
	s.write(t, "below", list)
	lists := s.mustOpen(t, "root", "above", "below")
	s.now = now.Add(day + time.Second)
	s.holds(t, lists, trust.NoCurrentList, trust.Refusing)
}

// What TLS is told names the certificates, so that the refusal can be recorded.
func TestVerifyConnection(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	state := tls.ConnectionState{PeerCertificates: s.chain[:3], VerifiedChains: [][]*x509.Certificate{s.chain}}
	must(t, s.mustOpen(t, "root", "above", "below").VerifyConnection(state))
	s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
	leaf, why := trust.Reason(s.mustOpen(t, "root", "above", "below").VerifyConnection(state), now)
	if leaf != s.client.Leaf || why != trust.Revoked {
		t.Errorf("refused %v: %q", leaf, why)
	}
	leaf, why = trust.Reason(errors.New("tls: bad record MAC"), now)
	if leaf != nil || why != "" {
		t.Errorf("an error of another kind is about %v: %q", leaf, why)
	}
}
