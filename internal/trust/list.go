package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// MaxFile bounds a file of revocation lists, in bytes: about 200,000 revoked
// certificates.
const MaxFile = 8 << 20

// tolerance is how far the clock of an authority may be ahead of ours.
const tolerance = 5 * time.Minute

// list is one certificate revocation list (RFC 5280, section 5).
type list struct {
	signed  *x509.RevocationList // without its entries
	serials map[string]struct{}

	issuer atomic.Pointer[x509.Certificate] // by whom its signature was verified last
}

// parse reads the lists in a file: one in DER, or any number in PEM.
func parse(content []byte) ([]*list, error) {
	if !bytes.Contains(content, []byte("-----BEGIN ")) {
		one, err := parseOne(content)
		if err != nil {
			return nil, err
		}
		return []*list{one}, nil
	}
	var all []*list
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			return nil, errors.New("holds something else than revocation lists")
		}
		one, err := parseOne(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	// A block that was cut off is passed over by the PEM reader.
	if len(all) != bytes.Count(content, []byte("-----BEGIN ")) {
		return nil, errors.New("holds a PEM block that is not whole")
	}
	return all, nil
}

func parseOne(der []byte) (*list, error) {
	signed, err := x509.ParseRevocationList(der)
	if err != nil || len(signed.Raw) != len(der) {
		return nil, errors.New("holds no revocation list in PEM or DER")
	}
	if signed.NextUpdate.IsZero() {
		return nil, errors.New("holds a revocation list that does not say when the next one is due")
	}
	// Lists of a part of the certificates, or of changes alone, mark themselves by
	// critical extensions: they would pass for complete (RFC 5280, section 5.2).
	for _, extension := range signed.Extensions {
		if extension.Critical {
			return nil, fmt.Errorf("holds a revocation list with the critical extension %s; only complete lists of one authority are read", extension.Id)
		}
	}
	one := &list{signed: withoutEntries(signed), serials: make(map[string]struct{}, len(signed.RevokedCertificateEntries))}
	for _, entry := range signed.RevokedCertificateEntries {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return nil, fmt.Errorf("holds an entry with the critical extension %s; only complete lists of one authority are read", extension.Id)
			}
		}
		one.serials[string(entry.SerialNumber.Bytes())] = struct{}{}
	}
	return one, nil
}

// withoutEntries keeps what is needed to verify a list, and not what takes many
// times its own size.
func withoutEntries(l *x509.RevocationList) *x509.RevocationList {
	return &x509.RevocationList{
		RawTBSRevocationList: l.RawTBSRevocationList,
		RawIssuer:            l.RawIssuer,
		Issuer:               l.Issuer,
		AuthorityKeyId:       l.AuthorityKeyId,
		Signature:            l.Signature,
		SignatureAlgorithm:   l.SignatureAlgorithm,
		ThisUpdate:           l.ThisUpdate,
		NextUpdate:           l.NextUpdate,
	}
}

func (one *list) names(certificate *x509.Certificate) bool {
	_, named := one.serials[string(certificate.SerialNumber.Bytes())]
	return named
}

// isOf reports whether the authority signed the list. To verify the signature
// takes long where the list is long.
func (one *list) isOf(issuer *x509.Certificate) bool {
	if last := one.issuer.Load(); last != nil && last.Equal(issuer) {
		return true
	}
	of, is := one.signed.AuthorityKeyId, issuer.SubjectKeyId
	if len(of) > 0 && len(is) > 0 && !bytes.Equal(of, is) || one.signed.CheckSignatureFrom(issuer) != nil {
		return false
	}
	one.issuer.Store(issuer)
	return true
}

// isSameSource reports whether two lists are of the same key of one authority.
func (one *list) isSameSource(other *list) bool {
	return bytes.Equal(one.signed.RawIssuer, other.signed.RawIssuer) && bytes.Equal(one.signed.AuthorityKeyId, other.signed.AuthorityKeyId)
}

// file is a file of lists and what it held when it was last in order.
type file struct {
	path  string
	lists []*list
	seen  os.FileInfo // when it was last read, whatever came of it
}

// read reads the file. If it is not in order, the lists stay those that it held
// before.
func (f *file) read(known []*x509.Certificate, now time.Time) error {
	content, info, err := readFile(f.path)
	f.seen = info
	if err != nil {
		return err
	}
	lists, err := parse(content)
	if err != nil {
		return err
	}
	for _, one := range lists {
		err = f.accept(one, known, now)
		if err != nil {
			return err
		}
	}
	f.lists = lists
	return nil
}

// accept says what is wrong with a list that can be told before it is needed. One
// of an authority that is not known yet is verified by the chain in which that
// appears.
func (f *file) accept(one *list, known []*x509.Certificate, now time.Time) error {
	name := one.signed.Issuer.String()
	if one.signed.ThisUpdate.After(now.Add(tolerance)) {
		return fmt.Errorf("holds a list of %s that is not valid before %s; check it, and the clock", name, one.signed.ThisUpdate.Format(time.RFC3339))
	}
	for _, other := range f.lists {
		if one.isSameSource(other) && one.signed.ThisUpdate.Before(other.signed.ThisUpdate) {
			return fmt.Errorf("holds a list of %s that is older than the one in use", name)
		}
	}
	authorities := slices.DeleteFunc(slices.Clone(known), func(a *x509.Certificate) bool {
		return !bytes.Equal(a.RawSubject, one.signed.RawIssuer)
	})
	if len(authorities) > 0 && !slices.ContainsFunc(authorities, one.isOf) {
		return fmt.Errorf("holds a list of %s that was not signed by it", name)
	}
	return nil
}

func readFile(path string) ([]byte, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, errUnreadable
	}
	if !info.Mode().IsRegular() {
		return nil, info, errUnreadable
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, info, errUnreadable
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, info, errUnreadable
	}
	if len(content) > MaxFile {
		return nil, info, fmt.Errorf("is larger than %d bytes", MaxFile)
	}
	return content, info, nil
}

// errUnreadable does not repeat the path: it may be a key in the place of one.
var errUnreadable = errors.New("is not a file that can be read")

// isChanged reports whether the file has changed since it was read, or was not
// there then or now.
func (f *file) isChanged() bool {
	info, err := os.Stat(f.path)
	if err != nil || f.seen == nil {
		return (err == nil) != (f.seen != nil)
	}
	return !os.SameFile(info, f.seen) || info.Size() != f.seen.Size() || !info.ModTime().Equal(f.seen.ModTime())
}
