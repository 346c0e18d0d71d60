package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/removal"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/trust"
)

// suites are the cipher suites of TLS 1.2 on both sides: forward secret, with
// authenticated encryption. TLS 1.3 brings its own.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}
}

// listen sets up the client-facing side: mutual TLS always, and no way to turn
// verification off (WRD-IAM-01, WRD-IAM-06, WRD-IAM-07).
func (c *checker) listen(l Listen) (*tls.Config, *trust.Lists) {
	c.address("listen.address", l.Address)
	certificate, ok := c.keyPair("listen.certificate", l.Certificate, "listen.key", l.Key)
	anchors := c.anchors("listen.client_ca", l.ClientCA)
	lists := c.revoked("listen.client_crls", l.ClientCRLs, anchors, "listen.revocation_grace", l.RevocationGrace)
	if !ok || anchors == nil {
		return nil, lists
	}
	return &tls.Config{
		Certificates:     []tls.Certificate{certificate},
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ClientCAs:        pool(anchors),
		VerifyConnection: lists.VerifyConnection,
		MinVersion:       tls.VersionTLS12,
		CipherSuites:     suites(),
		NextProtos:       []string{"http/1.1"},
		// An answer is one piece; small records would only make more of it.
		DynamicRecordSizingDisabled: true,
	}, lists
}

func (c *checker) keyPair(certificateKey, certificatePath, keyKey, keyPath string) (tls.Certificate, bool) {
	certificatePEM, readCertificate := c.file(certificateKey, certificatePath)
	keyPEM, readKey := c.secret(keyKey, keyPath)
	if !readCertificate || !readKey {
		return tls.Certificate{}, false
	}
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		c.problems.add(certificateKey, "and its key do not make a pair: check that both are PEM files of the same certificate, the leaf first")
		return tls.Certificate{}, false
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		c.problems.add(certificateKey, "expired on %s; renew it", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
		return tls.Certificate{}, false
	}
	if time.Now().Before(pair.Leaf.NotBefore) {
		c.problems.add(certificateKey, "is not valid before %s; check it, and the clock", pair.Leaf.NotBefore.UTC().Format(time.DateOnly))
		return tls.Certificate{}, false
	}
	return pair, true
}

// anchors reads every certificate in a file of PEM blocks, of which there must be one.
func (c *checker) anchors(key, path string) []*x509.Certificate {
	content, ok := c.file(key, path)
	if !ok {
		return nil
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err == nil && block.Type == "CERTIFICATE" {
			all = append(all, certificate)
		}
	}
	if len(all) == 0 {
		c.problems.add(key, "holds no certificate in PEM")
	}
	return all
}

func pool(anchors []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, anchor := range anchors {
		p.AddCert(anchor)
	}
	return p
}

// Limits of revocation lists. A longer grace period would be no check.
const (
	maxLists = 16 // files on one side
	maxGrace = 7 * 24 * time.Hour
)

// revoked reads revocation lists. None are configured by leaving them out.
func (c *checker) revoked(key string, paths []string, anchors []*x509.Certificate, graceKey string, grace time.Duration) *trust.Lists {
	if grace < 0 || grace > maxGrace {
		c.problems.add(graceKey, "must be between 0s and %s", maxGrace)
	}
	if len(paths) == 0 {
		return nil
	}
	if len(paths) > maxLists {
		c.problems.add(key, "must name at most %d files; one file in PEM may hold several lists", maxLists)
		return nil
	}
	o := trust.Options{Anchors: anchors, Grace: grace, Now: time.Now}
	for _, path := range paths {
		o.Files = append(o.Files, c.path(path))
	}
	lists, err := trust.Open(o)
	if err != nil {
		c.problems.add(key, "%v", err)
	}
	return lists
}

func (c *checker) file(key, path string) ([]byte, bool) {
	if path == "" {
		c.problems.add(key, "is missing; name a file")
		return nil, false
	}
	content, err := readFile(c.path(path))
	if err != nil {
		// The value is not repeated: it may be a key in the place of its path.
		c.problems.add(key, "cannot be read; it must name a file that exists and may be read, from the folder %s", c.folder)
		return nil, false
	}
	return content, true
}

// secret reads a file that nobody else may read (WRD-SEC-11).
func (c *checker) secret(key, path string) ([]byte, bool) {
	content, ok := c.file(key, path)
	if !ok {
		return nil, false
	}
	info, err := os.Stat(c.path(path))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		c.problems.add(key, "may be read by others; run: chmod 600 %s", c.path(path))
		return nil, false
	}
	return content, true
}

func (c *checker) audit(s *Settings) {
	s.Audit.Database = c.path(s.Audit.Database)
	s.Store = Store{Database: s.Audit.Database}
	s.Audit.Checkpoints = c.path(s.Audit.Checkpoints)
	if s.Audit.Database == "" {
		c.problems.add("audit.database", "is missing; name the file of the audit log")
	}
	if s.Audit.Checkpoints != "" {
		info, err := os.Stat(s.Audit.Checkpoints)
		if err != nil || !info.IsDir() {
			c.problems.add("audit.checkpoints", "must be an existing folder; run: mkdir -p %s", s.Audit.Checkpoints)
		}
	}
	positive(c, "audit.checkpoint_every", s.Audit.Every)
	key, ok := c.secret("audit.signing_key", s.Audit.SigningKey)
	if ok {
		signer, err := note.NewSigner(strings.TrimSpace(string(key)))
		if err != nil {
			c.problems.add("audit.signing_key", "is not a signing key; make one with: ward audit keygen")
		}
		s.Signer = signer
	}
	s.Keys = c.personalKeys(s.Audit)
	s.Verifier = c.verifier(s.Audit.VerifierKey)
	if s.Signer != nil && s.Verifier != nil && (s.Signer.Name() != s.Verifier.Name() || s.Signer.KeyHash() != s.Verifier.KeyHash()) {
		c.problems.add("audit.verifier_key", "is not the counterpart of audit.signing_key")
	}
	s.Erasure = c.erasure(s.Audit.ErasureKey, s.Signer)
	s.Retention = c.retention(s.Audit.Retention)
}

// erasure reads the public key of erasure orders. The secret one must not be within
// reach of who runs the service, so the log's own key will not do (IG-3.9.6a).
func (c *checker) erasure(path string, own note.Signer) note.Verifier {
	const key = "audit.erasure_key"
	if path == "" {
		return nil
	}
	content, ok := c.file(key, path)
	if !ok {
		return nil
	}
	_, err := note.NewSigner(strings.TrimSpace(string(content)))
	if err == nil {
		c.problems.add(key, "is a secret key, which must be kept elsewhere: take it away and name the public key that was made with it")
		return nil
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(content)))
	if err != nil {
		c.problems.add(key, "is not the public key of erasure orders; it was written by: ward audit order -generate")
		return nil
	}
	if own != nil && signs(own, verifier) {
		c.problems.add(key, "is the log's own key; it must be that of somebody who does not run this service")
		return nil
	}
	return verifier
}

// signs reports whether a signer has the secret key of a verifier, whatever their names.
func signs(signer note.Signer, verifier note.Verifier) bool {
	text := []byte("whose key is this?\n")
	signature, err := signer.Sign(text)
	return err == nil && verifier.Verify(text, signature)
}

func (c *checker) retention(r Retention) map[audit.Class]removal.Period {
	periods := make(map[audit.Class]removal.Period)
	for class, text := range map[audit.Class]string{
		audit.Questions: r.Questions, audit.Readings: r.Readings, audit.Operations: r.Operations,
	} {
		if text == "" {
			continue
		}
		period, err := removal.ParsePeriod(text)
		if err != nil {
			c.problems.add("audit.retention."+string(class), "%v", err)
			continue
		}
		periods[class] = period
	}
	return periods
}

// maxKeys is how many keys of each kind may be configured: a search looks for what it
// seeks under each index key.
const maxKeys = 64

// personalKeys reads the keys of what is personal in the audit log.
func (c *checker) personalKeys(a Audit) *seal.Keys {
	before := len(c.problems)
	sealing := readKeys(c, "audit.sealing_keys", a.SealingKeys, seal.ParseSealingKey)
	index := readKeys(c, "audit.index_keys", a.IndexKeys, seal.ParseIndexKey)
	if len(c.problems) > before {
		return nil
	}
	keys, err := seal.NewKeys(sealing, index)
	if err != nil {
		c.problems.add("audit.sealing_keys", "names the same key twice")
	}
	return keys
}

func readKeys[K any](c *checker, key string, paths []string, parse func(string) (K, error)) []K {
	if len(paths) == 0 || len(paths) > maxKeys {
		c.problems.add(key, "must name 1 to %d files, the newest first; make one with: ward audit keygen", maxKeys)
		return nil
	}
	var keys []K
	for _, path := range paths {
		content, ok := c.secret(key, path)
		if !ok {
			continue
		}
		parsed, err := parse(string(content))
		if err != nil {
			c.problems.add(key, "names a file that is not such a key; make one with: ward audit keygen")
			continue
		}
		keys = append(keys, parsed)
	}
	return keys
}

// Store says where the audit log is kept.
type Store struct {
	Database string // path of an SQLite database
}

// AuditFile is the part of a configuration that reading the audit log needs: no
// signing key and no certificate.
type AuditFile struct {
	Store       Store
	Checkpoints string
	Verifier    note.Verifier
	Keys        *seal.Keys // nil where one cannot be read: the log can then be verified all the same
}

// LoadAudit reads the audit part of the configuration file of `ward serve`, so
// that a log can be checked where nothing else of the service is in order: settings
// that it does not know are no matter here.
func LoadAudit(path string) (*AuditFile, error) {
	var file File
	_, err := decode(path, &file)
	if err != nil {
		return nil, err
	}
	c := &checker{folder: filepath.Dir(path)}
	a := &AuditFile{Store: Store{Database: c.path(file.Audit.Database)}, Checkpoints: c.path(file.Audit.Checkpoints)}
	if a.Store.Database == "" {
		c.problems.add("audit.database", "is missing; name the file of the audit log")
	}
	a.Verifier = c.verifier(file.Audit.VerifierKey)
	a.Keys = (&checker{folder: c.folder}).personalKeys(file.Audit)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return a, nil
}

func (c *checker) verifier(path string) note.Verifier {
	key, ok := c.file("audit.verifier_key", path)
	if !ok {
		return nil
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		c.problems.add("audit.verifier_key", "is not a verifier key; it was written by: ward audit keygen")
		return nil
	}
	return verifier
}
