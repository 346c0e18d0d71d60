package testpki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// List says what a revocation list is to contain.
type List struct {
	Revoked []*x509.Certificate

	// ThisUpdate and NextUpdate default to a minute before and a week after the
	// authority's time.
	ThisUpdate, NextUpdate time.Time
}

// CRL makes a revocation list of the sub CA, in PEM.
func (a *Authority) CRL(l List) ([]byte, error) { return a.list(a.sub, l) }

// RootCRL makes a revocation list of the root, in PEM.
func (a *Authority) RootCRL(l List) ([]byte, error) { return a.list(a.root, l) }

func (a *Authority) list(by issuer, l List) ([]byte, error) {
	if l.ThisUpdate.IsZero() {
		l.ThisUpdate = a.now.Add(-time.Minute)
	}
	if l.NextUpdate.IsZero() {
		l.NextUpdate = a.now.Add(7 * 24 * time.Hour)
	}
	template := &x509.RevocationList{Number: big.NewInt(l.ThisUpdate.UnixNano()), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	for _, certificate := range l.Revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: certificate.SerialNumber, RevocationTime: l.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.certificate, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign the revocation list: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}

// WriteCRL writes a list as dir/name.crl, in one step: it is never there in part.
func WriteCRL(dir, name string, list []byte) error {
	path := filepath.Join(dir, name+".crl")
	err := os.WriteFile(path+".new", list, 0o644)
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
