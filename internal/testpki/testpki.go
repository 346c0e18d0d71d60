// Package testpki makes throw-away certificates for tests and the demonstration.
//
// It is not for production: keys are made in memory by whoever asks, nothing is
// revoked, and anyone who holds an [Authority] can issue anything. cmd/ward must
// never depend on this package.
//
// The shape is that of the NHS: a root signs a sub CA, the sub CA signs
// endpoint certificates for both ends, and a file holds the leaf followed by
// the sub CA, while the peer trusts the root alone.
package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authorityLife is how long the root and the sub CA are valid on either side
// of the time given to [New], so that expired and future leaves can be issued.
const authorityLife = 10 * 365 * 24 * time.Hour

// Authority is a root CA and the sub CA below it. Two authorities are strangers
// to each other: a certificate of one is refused by whoever trusts the other.
// It may be used by several goroutines.
type Authority struct {
	now     time.Time
	root    *x509.Certificate
	sub     *x509.Certificate
	subKey  crypto.Signer
	rootPEM []byte
	subPEM  []byte
}

// New makes a root and a sub CA, valid around now.
func New(now time.Time) (*Authority, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the root's key: %w", err)
	}
	rootTemplate, err := authorityTemplate("Ward test root", now)
	if err != nil {
		return nil, err
	}
	root, err := sign(rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("sign the root: %w", err)
	}
	subKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the sub CA's key: %w", err)
	}
	subTemplate, err := authorityTemplate("Ward test sub CA", now)
	if err != nil {
		return nil, err
	}
	subTemplate.MaxPathLenZero = true
	sub, err := sign(subTemplate, root, subKey.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("sign the sub CA: %w", err)
	}
	return &Authority{
		now:     now,
		root:    root,
		sub:     sub,
		subKey:  subKey,
		rootPEM: certificatePEM(root),
		subPEM:  certificatePEM(sub),
	}, nil
}

// RootPEM is the root certificate: what the other side is to trust.
func (a *Authority) RootPEM() []byte {
	return append([]byte(nil), a.rootPEM...)
}

// Pool holds the root alone, for tls.Config's RootCAs or ClientCAs.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// WriteRoot writes the root as dir/name.pem.
func (a *Authority) WriteRoot(dir, name string) error {
	return os.WriteFile(filepath.Join(dir, name+".pem"), a.rootPEM, 0o644)
}

// Request says what an endpoint certificate is to contain.
type Request struct {
	CommonName string
	DNSNames   []string
	IPs        []net.IP

	// Server and Client are the usages; at least one must be set.
	Server, Client bool

	// NotBefore and NotAfter default to an hour before and a year after the
	// authority's time.
	NotBefore, NotAfter time.Time

	// RSA asks for an RSA-2048 key instead of ECDSA P-256.
	RSA bool
}

// Issue makes a key and signs a certificate for it. It returns an error when
// the request names nobody, no usage, or a life that ends before it begins.
func (a *Authority) Issue(r Request) (Pair, error) {
	if r.CommonName == "" && len(r.DNSNames) == 0 && len(r.IPs) == 0 {
		return Pair{}, errors.New("the certificate request names nobody")
	}
	if !r.Server && !r.Client {
		return Pair{}, errors.New("the certificate request has neither the server nor the client usage")
	}
	if r.NotBefore.IsZero() {
		r.NotBefore = a.now.Add(-time.Hour)
	}
	if r.NotAfter.IsZero() {
		r.NotAfter = a.now.Add(365 * 24 * time.Hour)
	}
	if r.NotAfter.Before(r.NotBefore) {
		return Pair{}, errors.New("the certificate request ends before it begins")
	}
	key, err := newKey(r.RSA)
	if err != nil {
		return Pair{}, fmt.Errorf("make the key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return Pair{}, err
	}
	leaf, err := sign(leafTemplate(r, serial), a.sub, key.Public(), a.subKey)
	if err != nil {
		return Pair{}, fmt.Errorf("sign the certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode the key: %w", err)
	}
	return Pair{
		CertPEM: append(certificatePEM(leaf), a.subPEM...),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Leaf:    leaf,
		chain:   [][]byte{leaf.Raw, a.sub.Raw},
		key:     key,
	}, nil
}

// Pair is an endpoint certificate and its key.
type Pair struct {
	CertPEM []byte // the leaf followed by the sub CA
	KeyPEM  []byte // PKCS#8, not encrypted
	Leaf    *x509.Certificate

	chain [][]byte
	key   crypto.Signer
}

// TLSCertificate is the pair in the form that tls.Config wants.
func (p Pair) TLSCertificate() tls.Certificate {
	return tls.Certificate{Certificate: p.chain, PrivateKey: p.key, Leaf: p.Leaf}
}

// WriteFiles writes dir/name.pem, readable by all, and dir/name-key.pem,
// readable by the owner alone.
func (p Pair) WriteFiles(dir, name string) error {
	err := os.WriteFile(filepath.Join(dir, name+".pem"), p.CertPEM, 0o644)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+"-key.pem"), p.KeyPEM, 0o600)
}

func authorityTemplate(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Ward, for tests only"}},
		NotBefore:             now.Add(-authorityLife),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, nil
}

func leafTemplate(r Request, serial *big.Int) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: r.CommonName, Organization: []string{"Ward, for tests only"}},
		DNSNames:              r.DNSNames,
		IPAddresses:           r.IPs,
		NotBefore:             r.NotBefore,
		NotAfter:              r.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if r.RSA {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if r.Server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return t
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
