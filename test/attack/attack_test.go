// Package attack sends the real provider what nobody should send: over HTTP, TLS
// and TCP, too much, too slowly, ambiguously or broken off; one attack at a time,
// and all of them together beside clients that ask as they should (WRD-SEC-01,
// WRD-SEC-04 to WRD-SEC-06, WRD-OPS-07, WRD-OPS-19, WRD-PERF-05).
package attack_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Children of the simulator's cast.
const (
	withPlan = "9990000042"
	slow     = "9990010153" // answered after two seconds
)

// The client whose certificate the attackers hold.
const (
	attackerName = "attacker"
	attackerODS  = "RYY"
	attackerASID = "200000000388"
)

// attackerTOML registers the attackers' client; it can be turned away for load like
// any other.
const attackerTOML = `
[[clients]]
name = "` + attackerName + `"
organisations = ["` + attackerODS + `"]
setting = "walk-in-centre"
certificate_files = ["attacker.pem"]
usernames = ["` + attackerName + `"]
audit_identities = ["urn:nhs-uk:identity:ods:` + attackerODS + `"]
asid = "` + attackerASID + `"
`

// attack is one way to abuse the service.
type attack struct {
	name string // the row of the document
	// does abuses the service and returns the connection whose fate is judged, or nil
	// if the attacker has gone.
	does func(*attacker) (*conn, error)
	want want
}

// by has an attacker make the attack, and says what went otherwise than it should.
func (a attack) by(who *attacker) error {
	c, err := a.does(who)
	if err != nil || c == nil {
		return err
	}
	return a.want.judge(c, who)
}

// want is what must come of an attack.
type want struct {
	statuses []int  // of the HTTP answers, in their order
	kept     bool   // the connection goes on; else the service closes it
	asked    int    // questions that reach the Spine, or many
	method   string // of the request, if the form of its answer depends on it
	note     string // in the document instead of the statuses
	alone    bool   // not to be tried under load, where the limits are others
	// undelivered: the log says of an answer that its delivery is not confirmed.
	undelivered bool
}

// many is a number of questions that depends on the buffers of the machine.
const many = -1

// group is attacks that meet the same limits.
type group struct {
	title    string
	limits   string // TOML
	together bool   // made all at a time, since each takes its time
	attacks  []attack
}

func groups() []group {
	return []group{
		{title: "Where a request ends", attacks: framing()},
		{title: "Request lines and headers", attacks: headers()},
		{title: "Bodies", attacks: bodies()},
		{title: "XML", attacks: documents()},
		{title: "TCP and TLS", attacks: connections()},
		{title: "Senders that are slow", together: true, attacks: delays(), limits: "header_timeout = \"2s\"\nbody_timeout = \"2s\""},
		{title: "Readers that are slow", attacks: readers(), limits: `write_timeout = "2s"`},
		{title: "Idle connections", attacks: floods(), limits: "connections = 16\nidle_timeout = \"3s\""},
		{title: "Connections of one address", attacks: hoards(), limits: "connections_per_address = 16"},
	}
}

// attacker is somebody with a certificate.
type attacker struct {
	address  string
	from     net.Addr // nil for any
	tls      *tls.Config
	stranger *tls.Config // with a certificate that nobody registered
	asker    *client.Client
	// reached waits until so many questions of this attacker have been read by the
	// Spine since its attack began.
	reached func(n int) error
	hold    func() (letGo func()) // keeps the Spine from answering what it reads
	good    func() error          // has the good client ask over its kept connection
	crowded bool                  // with others, so that it may be turned away
}

// newAttacker makes the certificates of the attackers' client and of a stranger.
func newAttacker(t *testing.T, s *stage.Stage) *attacker {
	t.Helper()
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	registered, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "attacker.pem"), filepath.Join(s.Dir, "attacker-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := s.Authority.Issue(testpki.Request{CommonName: "stranger.example.invalid", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{address: s.Address, tls: settings.TLS.Clone(), stranger: settings.TLS.Clone()}
	a.tls.Certificates = []tls.Certificate{registered}
	a.stranger.Certificates = []tls.Certificate{stranger.TLSCertificate()}
	a.asker, err = client.New(client.Config{
		URL: s.URL, TLS: a.tls, Username: attackerName, Organisation: attackerODS, Provider: stage.ProviderODS,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// set sets a stage on which the attackers' client is registered.
func set(t *testing.T, o stage.Options) *stage.Stage {
	t.Helper()
	o.Dir = t.TempDir()
	s, err := stage.Set(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	pair, err := s.Authority.Issue(testpki.Request{CommonName: "attacker.example.invalid", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	err = pair.WriteFiles(s.Dir, "attacker")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// message is a new question that is as it should be, about a child with a plan.
func (a *attacker) message() string { return a.about(withPlan) }

func (a *attacker) about(child string) string {
	number, err := cpis.ParseNHSNumber(child)
	if err != nil {
		panic(err)
	}
	m, err := a.asker.Prepare(client.Question{
		Number: number,
		Author: cpis.System{
			ASID: attackerASID,
			Authorities: []cpis.IndirectAuthority{{
				Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
				Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Perdita"}, {Kind: "family", Text: "Ashgrove"}}},
			}},
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: attackerODS}, Name: "Example Walk-in Centre"},
		},
		AuditIdentities: []cpis.AuditIdentity{{Type: itk.IdentityType, URI: "urn:nhs-uk:identity:ods:" + attackerODS + ":nurse-7"}},
	})
	if err != nil {
		panic(err)
	}
	return string(m.Content)
}

// as is the attacker with another certificate.
func (a *attacker) as(other *tls.Config) *attacker {
	b := *a
	b.tls = other
	return &b
}

// says is an attack that is all in its bytes, in which a question may stand.
func says(text func(question string) string) func(*attacker) (*conn, error) {
	return func(a *attacker) (*conn, error) { return a.say(text(a.message())) }
}

// refused, answered and answeredAndClosed are the commonest ends.
func refused(status int) want { return want{statuses: []int{status}} }

func answered() want { return want{statuses: []int{200}, kept: true, asked: 1} }

func answeredAndClosed() want { return want{statuses: []int{200}, asked: 1} }

// await waits until something holds.
func await(holds func() bool) bool {
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// openFiles is how many file descriptors a process holds.
func openFiles(process string) (int, error) {
	all, err := os.ReadDir(filepath.Join("/proc", process, "fd"))
	return len(all), err
}
