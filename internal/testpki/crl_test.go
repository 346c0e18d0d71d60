package testpki_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

// A lower authority has the same root and a chain that is one longer.
func TestBelow(t *testing.T) {
	a := newAuthority(t)
	lower, err := a.Below()
	if err != nil {
		t.Fatal(err)
	}
	lowest, err := lower.Below()
	if err != nil {
		t.Fatal(err)
	}
	pair := issue(t, lowest, testpki.Request{CommonName: "x", Client: true})
	middle := x509.NewCertPool()
	for _, der := range pair.TLSCertificate().Certificate[1:] {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		middle.AddCert(certificate)
	}
	chains, err := pair.Leaf.Verify(x509.VerifyOptions{
		Roots: a.Pool(), Intermediates: middle, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(chains) != 1 || len(chains[0]) != 5 || !chains[0][3].Equal(a.Sub()) || !chains[0][4].Equal(a.Root()) {
		t.Errorf("chains %v", chains)
	}
}

func TestSelfSigned(t *testing.T) {
	a := newAuthority(t)
	pair, err := a.IssueSelfSigned(testpki.Request{CommonName: "x", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	client := testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Server: true}
	serverErr, _ := handshake(a, a, issue(t, a, client), pair)
	if serverErr == nil || len(pair.TLSCertificate().Certificate) != 1 || pair.Leaf.CheckSignature(pair.Leaf.SignatureAlgorithm, pair.Leaf.RawTBSCertificate, pair.Leaf.Signature) != nil {
		t.Errorf("accepted, or not signed by itself: %v", serverErr)
	}
	_, err = a.IssueSelfSigned(testpki.Request{})
	if err == nil {
		t.Error("a request that names nobody was granted")
	}
}

// A list is signed by its authority and holds what was revoked.
func TestCRL(t *testing.T) {
	a := newAuthority(t)
	revoked := issue(t, a, testpki.Request{CommonName: "x", Client: true}).Leaf
	for issuer, make := range map[*x509.Certificate]func(testpki.List) ([]byte, error){a.Sub(): a.CRL, a.Root(): a.RootCRL} {
		content, err := make(testpki.List{Revoked: []*x509.Certificate{revoked}})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		err = testpki.WriteCRL(dir, "a", content)
		if err != nil {
			t.Fatal(err)
		}
		content, err = os.ReadFile(filepath.Join(dir, "a.crl"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(content)
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		err = list.CheckSignatureFrom(issuer)
		if err != nil {
			t.Errorf("the list of %s: %v", issuer.Subject, err)
		}
		if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(revoked.SerialNumber) != 0 ||
			!list.ThisUpdate.Before(now) || list.NextUpdate.Before(now.Add(24*time.Hour)) {
			t.Errorf("the list of %s holds %+v", issuer.Subject, list)
		}
	}
}
