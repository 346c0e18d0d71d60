package platform_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// A configuration that looks like production, or cannot work, is refused by a
// sentence that says why.
func TestProductionIsRefused(t *testing.T) {
	realLooking := func(subject pkix.Name, dnsNames ...string) tls.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Now().Add(time.Hour), DNSNames: dnsNames}
		der, err := x509.CreateCertificate(rand.Reader, template, template, keys().mine.Public(), keys().mine)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: keys().mine}
	}
	person := func(change func(*platform.Person)) func(*platform.Config) {
		return func(c *platform.Config) {
			p := platform.Person{NHSNumber: "9990030146"}
			change(&p)
			c.People = []platform.Person{p}
		}
	}
	directory := func(change func(*platform.Directory)) func(*platform.Config) {
		return func(c *platform.Config) {
			c.Directory = records()
			change(&c.Directory)
		}
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*platform.Config)
		says   string // a piece of the sentence
	}{
		{"address of the NHS", func(c *platform.Config) { c.Address, c.AllowNonLoopback = "api.service.nhs.uk:443", true }, "domain of the NHS"},
		{"address reachable from elsewhere", func(c *platform.Config) { c.Address = "0.0.0.0:0" }, "allow_non_loopback"},
		{"plain address of the NHS", func(c *platform.Config) { c.PlainAddress, c.AllowNonLoopback = "crl.nhs.uk:80", true }, "domain of the NHS"},
		{"plain address reachable from elsewhere", func(c *platform.Config) { c.PlainAddress = "0.0.0.0:0" }, "allow_non_loopback"},
		{"management reachable from elsewhere", func(c *platform.Config) { c.ManagementAddress, c.AllowNonLoopback = "0.0.0.0:0", true }, "management address"},
		{"no certificate", func(c *platform.Config) { c.Certificate = tls.Certificate{} }, "certificate is missing"},
		{"certificate of the NHS", func(c *platform.Config) {
			c.Certificate = realLooking(pkix.Name{CommonName: "x"}, "api.service.nhs.uk")
		}, "domain of the NHS"},
		{"certificate of its organisation", func(c *platform.Config) {
			c.Certificate = realLooking(pkix.Name{CommonName: "x", Organization: []string{"NHS"}})
		}, "organisation"},

		{"real person", person(func(p *platform.Person) { p.NHSNumber = "4010232137" }), "outside the test range"},
		{"number that fails Modulus 11", person(func(p *platform.Person) { p.NHSNumber = "9990030147" }), "Modulus 11"},
		{"superseded by a real person", person(func(p *platform.Person) { p.State, p.ReplacedBy = platform.Superseded, "4010232137" }), "outside the test range"},
		{"superseded by nobody", person(func(p *platform.Person) { p.State = platform.Superseded }), "outside the test range"},
		{"replaced but not superseded", person(func(p *platform.Person) { p.ReplacedBy = robin }), "not superseded"},
		{"unknown state", person(func(p *platform.Person) { p.State = "x" }), "the states are"},
		{"unknown security", person(func(p *platform.Person) { p.Security = "x" }), "the codes are"},
		{"birth date that is none", person(func(p *platform.Person) { p.Birth = "31/12/2015" }), "birth date"},
		{"behaviour of another service", person(func(p *platform.Person) { p.Behaviour = "no-address" }), "does not have"},
		{"person twice", func(c *platform.Config) {
			c.People = []platform.Person{{NHSNumber: "9990030146"}, {NHSNumber: "9990030146"}}
		}, "two people"},

		{"real endpoint", directory(func(d *platform.Directory) { d.Endpoints[0].Address = "https://msg.spine2.ncrs.nhs.uk/sync" }), "domain of the NHS"},
		{"real FQDN", directory(func(d *platform.Directory) { d.Endpoints[0].FQDN = "x.thirdparty.nhs.uk" }), "domain of the NHS"},
		{"endpoint that is no URL", directory(func(d *platform.Directory) { d.Endpoints[0].Address = "localhost" }), "not a URL"},
		{"endpoint without CPA id", directory(func(d *platform.Directory) { d.Endpoints[0].CPAID = "" }), "lacks"},
		{"id that would be another name in LDAP", directory(func(d *platform.Directory) { d.Endpoints[0].ID = "a,ou=people" }), "other signs"},
		{"ASID that is none", directory(func(d *platform.Directory) { d.Systems[0].ASID = "1" }), "twelve digits"},
		{"ASID twice", directory(func(d *platform.Directory) { d.Systems[1].ASID = d.Systems[0].ASID }), "two systems"},
		{"record twice", directory(func(d *platform.Directory) { d.Endpoints[1].ID = d.Endpoints[0].ID }), "two directory records"},
		{"system without interactions", directory(func(d *platform.Directory) { d.Systems[0].Interactions = nil }), "lacks"},
		{"interaction that is none", directory(func(d *platform.Directory) { d.Systems[0].Interactions = []string{"a b"} }), "interaction"},
		{"user id that is none", directory(func(d *platform.Directory) { d.Staff[0].UserID = "x" }), "user id"},
		{"user twice", directory(func(d *platform.Directory) { d.Staff[1].UserID = d.Staff[0].UserID }), "twice"},
		{"role profile twice", directory(func(d *platform.Directory) { d.Staff[0].Roles[1].Profile = d.Staff[0].Roles[0].Profile }), "twice"},
		{"close date that is none", directory(func(d *platform.Directory) { d.Staff[0].Roles[1].Closed = "2025-01-31" }), "yyyyMMdd"},
		{"unknown mode", func(c *platform.Config) { c.DirectoryMode = "x" }, "strict, random nor failing"},

		{"application without key", func(c *platform.Config) { c.Applications[0].APIKey = "" }, "no API key"},
		{"key id without public key", func(c *platform.Config) { c.Applications[0].PublicKey = nil }, "the other way round"},
		{"public key without id", func(c *platform.Config) { c.Applications[0].KeyID = "" }, "the other way round"},
		{"short key", func(c *platform.Config) { c.Applications[0].PublicKey = &short.PublicKey }, "2048 bits"},
		{"key id twice", func(c *platform.Config) { c.Applications[2].KeyID = kid }, "two public keys"},
		{"token without life", func(c *platform.Config) { c.TokenLife = time.Millisecond }, "less than a second"},
		{"negative rate", func(c *platform.Config) { c.RateLimit = -1 }, "negative"},
		{"rate without end", func(c *platform.Config) { c.RateLimit = 1_000_000 }, "rate limit"},
		{"list that is none", func(c *platform.Config) { c.CRLs = map[string][]byte{"ca": nil} }, "cannot be read"},
		{"script that cannot be played", func(c *platform.Config) { c.Scripts = []platform.Script{once(platform.Token, "explode")} }, "explode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			tt.change(&cfg)
			p, err := platform.New(cfg)
			if err == nil || p != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
		})
	}
	cfg := testConfig()
	cfg.Directory = records()
	_, err = platform.New(cfg)
	if err != nil {
		t.Errorf("the configuration that all these change is refused itself: %v", err)
	}
}

// A platform starts once, and an address that is taken is said.
func TestStart(t *testing.T) {
	c := start(t, nil)
	err := c.Start()
	if err == nil {
		t.Error("started twice")
	}
	cfg := testConfig()
	cfg.ManagementAddress = c.Addr()
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Start()
	if err == nil {
		t.Error("listens where another does")
	}
	err = p.Close(t.Context())
	if err != nil {
		t.Error(err)
	}
}
