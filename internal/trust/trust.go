// Package trust decides whether a certificate that TLS has verified may be relied
// on, now and for as long as its connection lives: it and the authorities above it
// have not expired, and no revocation list names them. It also says in fixed words
// why a certificate was refused.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Options say which revocation lists there are.
type Options struct {
	Files   []string            // at least one, each of at most MaxFile bytes, in PEM or DER
	Anchors []*x509.Certificate // the trusted authorities, by whom a list is verified as soon as it is read
	Grace   time.Duration       // how long certificates are accepted after the next list was due
	Now     func() time.Time
}

// Lists are the revocation lists of one side, by which every certificate below an
// anchor is judged. Nil lists judge by expiry alone. They may be used by several
// goroutines.
type Lists struct {
	options Options
	opened  time.Time
	files   []*file // of Open, and then of Watch alone

	current atomic.Pointer[snapshot]

	mu       sync.Mutex
	unlisted map[string]string // names of authorities without a list, by their encoded names
}

// snapshot holds the lists in use by the encoded name of their authority: one for
// each of its keys. It is not changed once made.
type snapshot map[string][]*list

// maxUnlisted bounds how many authorities without a list are remembered. There are
// no more than the anchors have signed.
const maxUnlisted = 64

// Open reads the lists. Its error names the first file that is not in order, by its
// place among Files.
func Open(options Options) (*Lists, error) {
	l := &Lists{options: options, opened: options.Now(), unlisted: map[string]string{}}
	for i, path := range options.Files {
		f := &file{path: path}
		err := f.read(l.known(), l.opened)
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", i+1, err)
		}
		l.files = append(l.files, f)
	}
	l.use()
	return l, nil
}

// use puts what the files hold in force.
func (l *Lists) use() {
	s := snapshot{}
	for _, f := range l.files {
		for _, one := range f.lists {
			s.add(one)
		}
	}
	l.current.Store(&s)
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.unlisted, func(issuer, _ string) bool { return len(s[issuer]) > 0 })
}

// add keeps the newest list of each key of an authority.
func (s snapshot) add(one *list) {
	issuer := string(one.signed.RawIssuer)
	for i, other := range s[issuer] {
		if one.isSameSource(other) {
			if one.signed.ThisUpdate.After(other.signed.ThisUpdate) {
				s[issuer][i] = one
			}
			return
		}
	}
	s[issuer] = append(s[issuer], one)
}

// VerifyConnection is for tls.Config. It is called for resumed sessions too, so that
// a certificate that was revoked since is refused.
func (l *Lists) VerifyConnection(state tls.ConnectionState) error {
	now := time.Now
	if l != nil {
		now = l.options.Now
	}
	err := l.Check(state.VerifiedChains, now())
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// Check returns nil if one of the verified chains may be relied on, and otherwise
// the Refusal of the first.
func (l *Lists) Check(chains [][]*x509.Certificate, now time.Time) error {
	var first error = NotVerified
	for i, chain := range chains {
		err := l.checkChain(chain, now)
		if err == nil {
			return nil
		}
		if i == 0 {
			first = err
		}
	}
	return first
}

func (l *Lists) checkChain(chain []*x509.Certificate, now time.Time) error {
	for i, certificate := range chain {
		if now.After(certificate.NotAfter) {
			return either(i == 0, Expired, AuthorityExpired)
		}
		if l == nil || i+1 == len(chain) { // the anchor is trusted as it is
			continue
		}
		issuer := chain[i+1]
		one := l.find(issuer)
		if one == nil {
			l.remember(issuer)
		}
		err := l.checkOne(certificate, one, i == 0, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// checkOne judges a certificate by the list of its issuer. A list that is missing
// counts as due since the start (WRD-IAM-05).
func (l *Lists) checkOne(certificate *x509.Certificate, one *list, isLeaf bool, now time.Time) error {
	due := l.opened
	if one != nil {
		if one.names(certificate) {
			return either(isLeaf, Revoked, AuthorityRevoked)
		}
		due = one.signed.NextUpdate
	}
	if l.judge(due, now) == Refusing {
		return NoCurrentList
	}
	return nil
}

func (l *Lists) find(issuer *x509.Certificate) *list {
	for _, one := range (*l.current.Load())[string(issuer.RawSubject)] {
		if one.isOf(issuer) {
			return one
		}
	}
	return nil
}

func (l *Lists) remember(issuer *x509.Certificate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unlisted) < maxUnlisted {
		l.unlisted[string(issuer.RawSubject)] = issuer.Subject.String()
	}
}

// known are the authorities that a new list can be verified by: the anchors, and
// those by whom the lists in use were verified.
func (l *Lists) known() []*x509.Certificate {
	all := append([]*x509.Certificate(nil), l.options.Anchors...)
	for _, f := range l.files {
		for _, one := range f.lists {
			issuer := one.issuer.Load()
			if issuer != nil {
				all = append(all, issuer)
			}
		}
	}
	return all
}
