// Package testpki makes throw-away certificates for tests and the demonstration.
//
// It is not for production: keys are made in memory by whoever asks, and anyone
// who holds an [Authority] can issue and revoke anything. cmd/ward must never
// depend on this package.
//
// The shape is that of the NHS: a root signs a sub CA, the sub CA signs
// endpoint certificates for both ends, and a file holds the leaf followed by
// the sub CA, while the peer trusts the root alone. [Authority.Below] makes the
// chain longer.
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
	now    time.Time
	root   issuer
	sub    issuer
	middle []*x509.Certificate // between the sub CA and the root, the lowest first
}

// issuer is a CA certificate and its key.
type issuer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// New makes a root and a sub CA, valid around now.
func New(now time.Time) (*Authority, error) {
	root, err := newIssuer("Ward test root", now, nil)
	if err != nil {
		return nil, fmt.Errorf("make the root: %w", err)
	}
	sub, err := newIssuer("Ward test sub CA", now, &root)
	if err != nil {
		return nil, fmt.Errorf("make the sub CA: %w", err)
	}
	return &Authority{now: now, root: root, sub: sub}, nil
}

// Below makes an authority of the same root with one more sub CA, which a signed.
func (a *Authority) Below() (*Authority, error) {
	sub, err := newIssuer(fmt.Sprintf("Ward test sub CA, level %d", len(a.middle)+2), a.now, &a.sub)
	if err != nil {
		return nil, fmt.Errorf("make the lower sub CA: %w", err)
	}
	middle := append([]*x509.Certificate{a.sub.certificate}, a.middle...)
	return &Authority{now: a.now, root: a.root, sub: sub, middle: middle}, nil
}

// Root and Sub are the certificates of the root and of the sub CA that signs.
func (a *Authority) Root() *x509.Certificate { return a.root.certificate }
func (a *Authority) Sub() *x509.Certificate  { return a.sub.certificate }

// RootPEM is the root certificate: what the other side is to trust.
func (a *Authority) RootPEM() []byte { return certificatePEM(a.root.certificate) }

// Pool holds the root alone, for tls.Config's RootCAs or ClientCAs.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.certificate)
	return pool
}

// WriteRoot writes the root as dir/name.pem.
func (a *Authority) WriteRoot(dir, name string) error {
	return os.WriteFile(filepath.Join(dir, name+".pem"), a.RootPEM(), 0o644)
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
	key, leaf, err := a.prepare(r)
	if err != nil {
		return Pair{}, err
	}
	signed, err := sign(leaf, a.sub.certificate, key.Public(), a.sub.key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign the certificate: %w", err)
	}
	return newPair(key, append([]*x509.Certificate{signed, a.sub.certificate}, a.middle...))
}

// IssueSelfSigned makes a certificate that nobody but its own key has signed.
func (a *Authority) IssueSelfSigned(r Request) (Pair, error) {
	key, leaf, err := a.prepare(r)
	if err != nil {
		return Pair{}, err
	}
	signed, err := sign(leaf, leaf, key.Public(), key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign the certificate: %w", err)
	}
	return newPair(key, []*x509.Certificate{signed})
}

func (a *Authority) prepare(r Request) (crypto.Signer, *x509.Certificate, error) {
	if r.CommonName == "" && len(r.DNSNames) == 0 && len(r.IPs) == 0 {
		return nil, nil, errors.New("the certificate request names nobody")
	}
	if !r.Server && !r.Client {
		return nil, nil, errors.New("the certificate request has neither the server nor the client usage")
	}
	if r.NotBefore.IsZero() {
		r.NotBefore = a.now.Add(-time.Hour)
	}
	if r.NotAfter.IsZero() {
		r.NotAfter = a.now.Add(365 * 24 * time.Hour)
	}
	if r.NotAfter.Before(r.NotBefore) {
		return nil, nil, errors.New("the certificate request ends before it begins")
	}
	key, err := newKey(r.RSA)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	return key, leafTemplate(r, serial), nil
}

func newPair(key crypto.Signer, chain []*x509.Certificate) (Pair, error) {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode the key: %w", err)
	}
	p := Pair{
		KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Leaf:   chain[0],
		key:    key,
	}
	for _, certificate := range chain {
		p.CertPEM = append(p.CertPEM, certificatePEM(certificate)...)
		p.chain = append(p.chain, certificate.Raw)
	}
	return p, nil
}

// Pair is an endpoint certificate and its key.
type Pair struct {
	CertPEM []byte // the leaf followed by the sub CAs
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

// newIssuer makes a CA below another, or a root.
func newIssuer(name string, now time.Time, above *issuer) (issuer, error) {
	key, err := newKey(false)
	if err != nil {
		return issuer{}, err
	}
	template, err := authorityTemplate(name, now)
	if err != nil {
		return issuer{}, err
	}
	if above == nil {
		above = &issuer{certificate: template, key: key}
	}
	certificate, err := sign(template, above.certificate, key.Public(), above.key)
	return issuer{certificate: certificate, key: key}, err
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
