package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
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
	return mutualTLS(certificate, anchors, lists), lists
}

// mutualTLS is for a listener.
func mutualTLS(certificate tls.Certificate, anchors []*x509.Certificate, lists *trust.Lists) *tls.Config {
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
	}
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
	c.holds(certificateKey, inText(fingerprints(pair.Certificate)))
	c.holds(keyKey, "spki:"+hash(pair.Leaf.RawSubjectPublicKeyInfo))
	return pair, true
}

// anchors reads every certificate in a file of PEM blocks, of which there must be one.
func (c *checker) anchors(key, path string) []*x509.Certificate {
	content, ok := c.file(key, path)
	if !ok {
		return nil
	}
	var all []*x509.Certificate
	var raw [][]byte
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err == nil && block.Type == "CERTIFICATE" {
			all, raw = append(all, certificate), append(raw, certificate.Raw)
		}
	}
	if len(all) == 0 {
		c.problems.add(key, "holds no certificate in PEM")
	}
	c.holds(key, inText(fingerprints(raw)))
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
	s.Store = c.store(s.Audit)
	s.Store.Instance = c.instance(s.Audit)
	s.Copy = c.copy(s.Audit)
	s.Audit.Copy.Database = s.Copy.Database
	s.Audit.Checkpoints = c.paths(s.Audit.Checkpoints)
	c.checkpoints(s.Audit.Checkpoints)
	s.Remote.Destinations = c.destinations(s.Audit.Destinations)
	s.Remote.Witnesses = c.witnesses(s.Audit.Witnesses)
	positive(c, "audit.checkpoint_every", s.Audit.Every)
	s.Signer = c.signer(s.Audit.SigningKey)
	s.Keys = c.personalKeys(s.Audit)
	s.Verifier = c.verifier(s.Audit.VerifierKey)
	if s.Verifier != nil {
		c.holds("audit.verifier_key", keyName(s.Verifier))
	}
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
	c.holds(key, keyName(verifier))
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
	c.holds("audit.sealing_keys", inText(ids(sealing)))
	c.holds("audit.index_keys", inText(ids(index)))
	if len(c.problems) > before {
		return nil
	}
	keys, err := seal.NewKeys(sealing, index)
	if err != nil {
		c.problems.add("audit.sealing_keys", "names the same key twice")
	}
	return keys
}

// ids name keys without telling anything about them.
func ids[K interface{ ID() string }](keys []K) []string {
	all := []string{}
	for _, key := range keys {
		all = append(all, key.ID())
	}
	return all
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

// Store says where the audit log is kept: in one of two kinds of database.
type Store struct {
	Database string // path of an SQLite database
	Postgres string // connection URL of a PostgreSQL database, with a password
	Instance string // which of the instances that share the latter this one is
}

// store reads where the audit log is kept.
func (c *checker) store(a Audit) Store {
	switch {
	case a.Database == "" && a.Postgres == "":
		c.problems.add("audit.database", "is missing; name the file of the audit log, or in audit.postgres a file with the URL of a PostgreSQL database")
	case a.Database != "" && a.Postgres != "":
		c.problems.add("audit.postgres", "cannot be used together with audit.database; remove one of them")
	case a.Postgres == "":
		return Store{Database: c.path(a.Database)}
	}
	if a.Postgres == "" {
		return Store{}
	}
	return Store{Postgres: c.connection("audit.postgres", a.Postgres)}
}

// copy reads where a second copy of the audit log is kept.
func (c *checker) copy(a Audit) Store {
	positive(c, "audit.copy.every", a.Copy.Every)
	if a.Copy.Late < a.Copy.Every {
		c.problems.add("audit.copy.late", "must be at least audit.copy.every, %s", a.Copy.Every)
	}
	switch {
	case a.Copy.Database == "" && a.Copy.Postgres == "":
		return Store{}
	case a.Copy.Database != "" && a.Copy.Postgres != "":
		c.problems.add("audit.copy.postgres", "cannot be used together with audit.copy.database; remove one of them")
	case a.Copy.Postgres != "" && a.Postgres != "":
		c.problems.add("audit.copy.postgres", "is for a log in audit.database; PostgreSQL keeps copies of its own, by streaming replication")
	case a.Copy.Postgres != "":
		return Store{Postgres: c.connection("audit.copy.postgres", a.Copy.Postgres)}
	case a.Database != "" && sameFile(c.path(a.Copy.Database), c.path(a.Database)):
		c.problems.add("audit.copy.database", "is the log itself; name a file on another disc")
	default:
		return Store{Database: c.path(a.Copy.Database)}
	}
	return Store{}
}

// sameFile reports whether two paths lead to one file, there or not.
func sameFile(a, b string) bool {
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	if errOne == nil && errOther == nil {
		return os.SameFile(one, other)
	}
	return filepath.Clean(a) == filepath.Clean(b)
}

// connection reads the URL of a PostgreSQL database.
func (c *checker) connection(key, path string) string {
	content, ok := c.secret(key, path)
	if !ok {
		return ""
	}
	connection := strings.TrimSpace(string(content))
	err := postgres.CheckURL(connection)
	if err != nil {
		c.problems.add(key, "names a file whose URL cannot be used: %v", err)
		return ""
	}
	c.holds(key, placeOf(connection))
	return connection
}

// placeOf is the part of a connection URL that says where the database is. All else may
// hold a password.
func placeOf(connection string) string {
	u, err := url.Parse(connection)
	if err != nil { // it was checked before
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

var instanceForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// IsInstance reports whether a name has the form of those of instances.
func IsInstance(name string) bool { return instanceForm.MatchString(name) }

// instance is the name of this instance, "" where there is but one.
func (c *checker) instance(a Audit) string {
	if a.Postgres == "" {
		if a.Instance != "" {
			c.problems.add("audit.instance", "is for a log that several instances share in audit.postgres; remove it")
		}
		return ""
	}
	name := a.Instance
	if name == "" {
		name, _ = os.Hostname() // what is wrong with it is told below
	}
	if !IsInstance(name) {
		c.problems.add("audit.instance", "must be a name of letters, digits, '.', '-' and '_' that no other instance has")
	}
	return name
}

// AuditFile is the part of a configuration that reading the audit log needs: no
// certificate, and no secret key to verify it.
type AuditFile struct {
	Store       Store
	Checkpoints []string // folders
	Verifier    note.Verifier
	Keys        *seal.Keys  // nil where one cannot be read: the log can then be verified all the same
	ODSCode     string      // the provider's
	Live        bool        // real people are asked about
	Signer      note.Signer // nil where it cannot be read: nothing can then be recorded, so nothing but that be read
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
	a := &AuditFile{Store: c.store(file.Audit), Checkpoints: c.paths(file.Audit.Checkpoints)}
	a.ODSCode, a.Live = file.ODSCode, file.Environment == "live"
	a.Verifier = c.verifier(file.Audit.VerifierKey)
	a.Keys = (&checker{folder: c.folder}).personalKeys(file.Audit)
	a.Signer = (&checker{folder: c.folder}).signer(file.Audit.SigningKey)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return a, nil
}

func (c *checker) signer(path string) note.Signer {
	key, ok := c.secret("audit.signing_key", path)
	if !ok {
		return nil
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(key)))
	if err != nil {
		c.problems.add("audit.signing_key", "is not a signing key; make one with: ward audit keygen")
		return nil
	}
	c.holds("audit.signing_key", keyName(signer))
	return signer
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
