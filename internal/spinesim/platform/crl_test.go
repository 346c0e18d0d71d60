package platform_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/testpki"
)

// firstList and secondList are two lists of one authority, in DER.
var (
	firstList  = sync.OnceValue(func() []byte { return derList(testpki.List{}) })
	secondList = sync.OnceValue(func() []byte { return derList(testpki.List{Revoked: []*x509.Certificate{keys().server.Leaf}}) })
)

func derList(l testpki.List) []byte {
	content, err := keys().authority.CRL(l)
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(content)
	return block.Bytes
}

// A list is served in DER under its name, over TLS or plain HTTP, until it is
// replaced or removed.
func TestRevocationLists(t *testing.T) {
	for name, plain := range map[string]string{"over TLS": "", "over plain HTTP": "127.0.0.1:0"} {
		t.Run(name, func(t *testing.T) {
			c := start(t, func(cfg *platform.Config) {
				cfg.PlainAddress, cfg.CRLs = plain, map[string][]byte{"ca": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: firstList()})}
			})
			if strings.HasPrefix(c.CRLURL("ca"), "http://") != (plain != "") {
				t.Errorf("served at %s", c.CRLURL("ca"))
			}
			expect := func(name string, status int, body []byte) {
				t.Helper()
				r := c.get(c.CRLURL(name))
				if r.status != status || body != nil && string(r.body) != string(body) {
					t.Errorf("%s: status %d, %d bytes", name, r.status, len(r.body))
				}
				if status == 200 && r.header.Get("Content-Type") != "application/pkix-crl" {
					t.Errorf("as %s", r.header.Get("Content-Type"))
				}
			}
			expect("ca", 200, firstList())
			expect("other", 404, nil)
			err := c.SetCRL("ca", secondList())
			if err != nil {
				t.Fatal(err)
			}
			expect("ca", 200, secondList())
			c.RemoveCRL("ca")
			expect("ca", 404, nil)
			err = c.Reset()
			if err != nil {
				t.Fatal(err)
			}
			expect("ca", 200, firstList())
			if r := c.get(strings.TrimSuffix(c.CRLURL("ca"), ".crl")); r.status != 404 {
				t.Errorf("without .crl: status %d", r.status)
			}
			requests := c.Requests()
			if len(requests) != 2 || requests[0].List != "ca" || requests[1].List != "" {
				t.Errorf("remembered %+v", requests)
			}
		})
	}
}

// What is no list, or looks real, is not served.
func TestWrongLists(t *testing.T) {
	c := start(t, nil)
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "ca.ncrs.nhs.uk"}, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	realLooking, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now()}, issuer, keys().mine)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, list string
		content    []byte
		says       string
	}{
		{"not a list", "ca", []byte("x"), "cannot be read"},
		{"a certificate", "ca", keys().server.CertPEM, "cannot be read"},
		{"a name with a slash", "a/b", firstList(), "other signs"},
		{"no name", "", firstList(), "other signs"},
		{"issued by the NHS", "ca", realLooking, "domain of the NHS"},
	} {
		err := c.SetCRL(tt.list, tt.content)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for i := range 101 {
		err = c.SetCRL("ca-"+big.NewInt(int64(i)).String(), firstList())
	}
	if err == nil || !strings.Contains(err.Error(), "100") {
		t.Errorf("the 101st list: %v", err)
	}
}
