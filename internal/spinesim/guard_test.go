package spinesim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/testpki"
)

// selfSigned is a certificate with that subject and DNS name.
func selfSigned(t *testing.T, subject pkix.Name, dnsName string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Now().Add(time.Hour)}
	if dnsName != "" {
		template.DNSNames = []string{dnsName}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func asPEM(c tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

// A configuration that looks like production is refused by a sentence that
// says why.
func TestProductionIsRefused(t *testing.T) {
	record := []spinesim.Record{{
		Authority: spinesim.LocalAuthority{Code: "X1", Name: "Council", EmergencyDuty: "tel:1"},
		Plans:     []spinesim.Plan{{Type: spinesim.ChildProtection, Start: "-1d"}},
	}}
	child := func(change func(*spinesim.Child)) []spinesim.Child {
		c := spinesim.Child{NHSNumber: "9990000344", Given: "A", Family: "B", Birth: "-9d", Records: record}
		change(&c)
		return []spinesim.Child{c}
	}
	tests := []struct {
		name   string
		change func(*spinesim.Config)
		says   string // a piece of the sentence
	}{
		{"address of the NHS", func(c *spinesim.Config) { c.Address, c.AllowNonLoopback = "cpis.nhs.uk:443", true }, "domain of the NHS"},
		{"address of Spine", func(c *spinesim.Config) {
			c.Address, c.AllowNonLoopback = "msg.spine2.ncrs.nhs.uk.:443", true
		}, "domain of the NHS"},
		{"address reachable from elsewhere", func(c *spinesim.Config) { c.Address = "0.0.0.0:0" }, "allow_non_loopback"},
		{"address of all interfaces", func(c *spinesim.Config) { c.Address = ":0" }, "allow_non_loopback"},
		{"management reachable from elsewhere", func(c *spinesim.Config) { c.ManagementAddress, c.AllowNonLoopback = "0.0.0.0:0", true }, "management address"},
		{"management of the NHS", func(c *spinesim.Config) { c.ManagementAddress = "a.nhs.uk:1" }, "domain of the NHS"},
		{"address without port", func(c *spinesim.Config) { c.Address = "localhost" }, "host:port"},
		{"server's DNS name", func(c *spinesim.Config) { c.Certificate = selfSigned(t, pkix.Name{}, "x.thirdparty.NHS.uk") }, "domain of the NHS"},
		{"server's common name", func(c *spinesim.Config) {
			c.Certificate = selfSigned(t, pkix.Name{CommonName: "msg.int.spine2.ncrs.nhs.uk"}, "")
		}, "domain of the NHS"},
		{"server's organisation", func(c *spinesim.Config) {
			c.Certificate = selfSigned(t, pkix.Name{CommonName: "x", Organization: []string{"nhs"}}, "")
		}, "organisation"},
		{"client authority's name", func(c *spinesim.Config) {
			c.ClientCAs = asPEM(selfSigned(t, pkix.Name{CommonName: "ca.ncrs.nhs.uk"}, ""))
		}, "domain of the NHS"},
		{"client authority's organisation", func(c *spinesim.Config) {
			c.ClientCAs = asPEM(selfSigned(t, pkix.Name{CommonName: "NHS Root", Organization: []string{"NHS"}}, ""))
		}, "organisation"},
		{"second client authority's name", func(c *spinesim.Config) {
			c.ClientCAs = append(pki().authority.RootPEM(), asPEM(selfSigned(t, pkix.Name{CommonName: "mail.nhs.net"}, ""))...)
		}, "domain of the NHS"},
		{"somebody's ASID", func(c *spinesim.Config) { c.ASID = "200000000183" }, "might be somebody's"},
		{"ASID that is none", func(c *spinesim.Config) { c.ASID = "9999" }, "might be somebody's"},
		{"real child", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.NHSNumber = "4010232137" })
		}, "outside the test range"},
		{"number that fails Modulus 11", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.NHSNumber = "9990000345" })
		}, "Modulus 11"},

		{"no certificate", func(c *spinesim.Config) { c.Certificate = tls.Certificate{} }, "server certificate is missing"},
		{"no client authorities", func(c *spinesim.Config) { c.ClientCAs = nil }, "client authorities are missing"},
		{"a key among the authorities", func(c *spinesim.Config) { c.ClientCAs = pki().client.KeyPEM }, "PRIVATE KEY"},
		{"path of the asynchronous pattern without slash", func(c *spinesim.Config) { c.AsyncPath = "x" }, "slash"},
		{"one path for both patterns", func(c *spinesim.Config) { c.AsyncPath = spinesim.DefaultPath }, "synchronous one"},
		{"unknown refusal of ebXML", func(c *spinesim.Config) { c.AsyncRefusal = "mcci-ae" }, "message-error"},
		{"unknown immediate answer", func(c *spinesim.Config) { c.Immediate = "explode" }, "explode"},
		{"unknown demand of the contract", func(c *spinesim.Config) { c.Contract.AckRequested = "sometimes" }, "sometimes"},
		{"unknown reply mode", func(c *spinesim.Config) { c.Contract.SyncReply = "responseOnly" }, "reply mode"},
		{"acknowledgements that cannot be given", func(c *spinesim.Config) {
			c.Contract.AckRequested, c.Contract.SyncReply = spinesim.Always, spinesim.SyncReplyNone
		}, "HTTP answer alone"},
		{"negative retries", func(c *spinesim.Config) { c.Contract.Retries = -1 }, "contract is negative"},
		{"chaos above 100", func(c *spinesim.Config) { c.Chaos.Lose = 101 }, "between 0 and 100"},
		{"reply URL of the NHS", func(c *spinesim.Config) { c.ReplyURLs = []string{"https://x.nhs.uk/"} }, "must not post there"},
		{"reply URL elsewhere", func(c *spinesim.Config) { c.ReplyURLs = []string{"https://192.0.2.1/"} }, "allow_non_loopback"},
		{"reply URL without TLS", func(c *spinesim.Config) { c.ReplyURLs = []string{"http://127.0.0.1/"} }, "https"},
		{"reply URL that is not there", func(c *spinesim.Config) { c.ReplyTo = 1 }, "no reply URL 1"},
		{"reply certificate's organisation", func(c *spinesim.Config) {
			c.ReplyCertificate = selfSigned(t, pkix.Name{CommonName: "x", Organization: []string{"NHS"}}, "")
		}, "reply certificate belongs"},
		{"reply authority's name", func(c *spinesim.Config) {
			c.ReplyCAs = asPEM(selfSigned(t, pkix.Name{CommonName: "ca.nhs.uk"}, ""))
		}, "reply authority's certificate"},
		{"path without slash", func(c *spinesim.Config) { c.Path = "x" }, "slash"},
		{"unknown refusal", func(c *spinesim.Config) { c.Refusal = "no" }, "mcci-ae"},
		{"unknown TLS version", func(c *spinesim.Config) { c.MaxTLSVersion = tls.VersionTLS11 }, "1.2 or 1.3"},
		{"negative count", func(c *spinesim.Config) { c.Generate = -1 }, "negative"},
		{"more children than numbers", func(c *spinesim.Config) { c.Generate = 900_000 }, "more than the test range"},
		{"unknown behaviour in a script", func(c *spinesim.Config) { c.Scripts = []spinesim.Script{steps("explode")} }, "explode"},
		{"a child twice", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.NHSNumber = "9990000018" })
		}, "two children"},
		{"unknown behaviour of a child", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.Behaviour = "explode" })
		}, "explode"},
		{"handshake behaviour of a child", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.Behaviour = "accept-stall" })
		}, "accept-stall"},
		{"child without a name", func(c *spinesim.Config) { c.Children = child(func(c *spinesim.Child) { c.Given = "" }) }, "lacks given name"},
		{"a day that is none", func(c *spinesim.Config) { c.Children = child(func(c *spinesim.Child) { c.Birth = "soon" }) }, `"soon"`},
		{"a time that is none", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.Birth = "-1dT2500" })
		}, "HHmm"},
		{"authority without telephone", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) {
				c.Records = []spinesim.Record{{Authority: spinesim.LocalAuthority{Code: "X", Name: "Y"}, Plans: record[0].Plans}}
			})
		}, "no telephone number"},
		{"no plan", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) { c.Records = []spinesim.Record{{Authority: record[0].Authority}} })
		}, "one to three plans"},
		{"unborn child's plan without end", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) {
				c.Records = []spinesim.Record{{Authority: record[0].Authority, Plans: []spinesim.Plan{{Type: spinesim.UnbornChild, Start: "-1d"}}}}
			})
		}, "without an end"},
		{"unknown plan", func(c *spinesim.Config) {
			c.Children = child(func(c *spinesim.Child) {
				c.Records = []spinesim.Record{{Authority: record[0].Authority, Plans: []spinesim.Plan{{Type: "ABC", Start: "-1d"}}}}
			})
		}, "CPP, LAC and UCP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			tt.change(&cfg)
			_, err := spinesim.New(cfg)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("refused, but by: %v", err)
			}
		})
	}
}

// What merely resembles production is accepted.
func TestTestConfigurationsAreAccepted(t *testing.T) {
	for name, change := range map[string]func(*spinesim.Config){
		"IPv6 loopback":         func(c *spinesim.Config) { c.Address = "[::1]:0" },
		"localhost":             func(c *spinesim.Config) { c.Address = "localhost:0" },
		"elsewhere, if allowed": func(c *spinesim.Config) { c.Address, c.AllowNonLoopback = "0.0.0.0:0", true },
		"an invented ASID":      func(c *spinesim.Config) { c.ASID = "999912345678" },
		"a name that holds the word": func(c *spinesim.Config) {
			c.Certificate = selfSigned(t, pkix.Name{CommonName: "spine-nhs.uk.test"}, "notnhs.uk")
		},
		"a child of the test range": func(c *spinesim.Config) {
			c.Children = []spinesim.Child{{NHSNumber: "9990000344", Situation: "no record"}}
		},
		"certificates of testpki": func(c *spinesim.Config) {
			p, err := pki().authority.Issue(testpki.Request{CommonName: "spine.test", Server: true, RSA: true})
			if err != nil {
				t.Fatal(err)
			}
			c.Certificate = p.TLSCertificate()
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			change(&cfg)
			_, err := spinesim.New(cfg)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
