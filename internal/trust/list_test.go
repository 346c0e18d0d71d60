package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/internal/trust"
)

func contentOf(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}

func derOf(t testing.TB, content []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}

// A file holds one list in DER, or any number in PEM.
func TestFilesThatAreRead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
	root, above, below := contentOf(t, s.path("root")), contentOf(t, s.path("above")), contentOf(t, s.path("below"))
	for name, files := range map[string][][]byte{
		"PEM":              {root, above, below},
		"DER":              {derOf(t, root), derOf(t, above), derOf(t, below)},
		"all in one":       {bytes.Join([][]byte{root, above, below}, nil)},
		"with an epigraph": {root, above, append([]byte("Certificate Revocation List (CRL):\n"), below...)},
		"newest first":     {root, above, below, below},
	} {
		var names []string
		for i, content := range files {
			names = append(names, name+string(rune('0'+i)))
			s.write(t, names[i], content)
		}
		s.holds(t, s.mustOpen(t, names...), trust.Revoked, trust.Current)
	}
}

// Of two lists of one authority the newer one counts.
func TestNewestListCounts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}, ThisUpdate: now.Add(-time.Hour)})
	s.write(t, "newer", contentOf(t, s.path("below")))
	s.below(t, testpki.List{ThisUpdate: now.Add(-9 * day), NextUpdate: now.Add(-2 * day)})
	for _, order := range [][]string{{"newer", "below"}, {"below", "newer"}} {
		s.holds(t, s.mustOpen(t, append(order, "root", "above")...), trust.Revoked, trust.Current)
	}
}

// A file that is not in order is refused as a whole, and the reason says why.
func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	s, stranger := newScene(t), newScene(t)
	good := contentOf(t, s.path("root"))
	der := derOf(t, good)
	cases := map[string]struct {
		content []byte
		says    string
	}{
		"empty":                     {nil, "no revocation list"},
		"text":                      {[]byte("nothing of the kind\n"), "no revocation list"},
		"a certificate":             {s.upper.RootPEM(), "something else"},
		"a certificate beside it":   {append(bytes.Clone(good), s.upper.RootPEM()...), "something else"},
		"cut off":                   {good[:len(good)/2], "not whole"},
		"a second one cut off":      {append(bytes.Clone(good), good[:len(good)/2]...), "not whole"},
		"DER cut off":               {der[:len(der)-1], "no revocation list"},
		"DER with something behind": {append(bytes.Clone(der), 0), "no revocation list"},
		"DER with a changed date":   {bytes.Replace(bytes.Clone(der), []byte("260308"), []byte("270308"), 1), "not signed by it"},
		"too large":                 {make([]byte, trust.MaxFile+1), "larger than"},
		"of another root":           {contentOf(t, stranger.path("root")), "not signed by it"},
		"of the future":             {mustList(t, s, testpki.List{ThisUpdate: now.Add(time.Hour)}), "not valid before"},
		"without an end":            {made(t, s, noNextUpdate), "when the next one is due"},
		"of a part":                 {made(t, s, criticalExtension), "critical extension 2.5.29.28"},
		"with indirect entries":     {made(t, s, criticalEntry), "critical extension 2.5.29.29"},
	}
	for name, c := range cases {
		s.write(t, "bad", c.content)
		_, err := s.open("above", "bad")
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "entry 2 ") {
			t.Errorf("%s: %v, want it to say %q of entry 2", name, err, c.says)
		}
	}
	for name, path := range map[string]string{"absent": s.path("absent"), "a folder": s.dir, "a device": "/dev/zero"} {
		_, err := trust.Open(trust.Options{Files: []string{path}, Now: time.Now})
		if err == nil || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustList(t *testing.T, s *scene, l testpki.List) []byte {
	t.Helper()
	list, err := s.upper.RootCRL(l)
	must(t, err)
	return list
}

// tbsList is a list as RFC 5280 has it, to make what crypto/x509 does not make.
type tbsList struct {
	Version    int
	Signature  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	ThisUpdate time.Time
	NextUpdate time.Time `asn1:"optional"`
	Revoked    []pkix.RevokedCertificate
	Extensions []pkix.Extension `asn1:"tag:0,optional,explicit"`
}

func noNextUpdate(l *tbsList) { l.NextUpdate = time.Time{} }
func criticalExtension(l *tbsList) {
	l.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0x00}}}
}
func criticalEntry(l *tbsList) {
	l.Revoked[0].Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0x00}}}
}

// made is a list of the root in DER that nobody has signed well: reading comes first.
func made(t *testing.T, s *scene, change func(*tbsList)) []byte {
	t.Helper()
	ecdsaWithSHA256 := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	l := tbsList{
		Version: 1, Signature: ecdsaWithSHA256, Issuer: asn1.RawValue{FullBytes: s.upper.Root().RawSubject},
		ThisUpdate: now, NextUpdate: now.Add(day),
		Revoked: []pkix.RevokedCertificate{{SerialNumber: big.NewInt(7), RevocationTime: now}},
	}
	change(&l)
	der, err := asn1.Marshal(struct {
		List      tbsList
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{l, ecdsaWithSHA256, asn1.BitString{Bytes: []byte{1}, BitLength: 8}})
	must(t, err)
	return der
}

// Whatever the serial numbers, exactly the listed ones are refused.
func TestExactlyTheListedSerialsAreRefused(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root.test"}, NotBefore: now.Add(-day), NotAfter: now.Add(day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign, SubjectKeyId: []byte{1},
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	must(t, err)
	authority, err = x509.ParseCertificate(der)
	must(t, err)
	path := t.TempDir() + "/list"
	serial := rapid.Map(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, 2), rapid.SliceOfN(rapid.Byte(), 19, 20)),
		func(b []byte) string { return new(big.Int).SetBytes(b).Text(16) })
	rapid.Check(t, func(r *rapid.T) {
		listed := rapid.SliceOfNDistinct(serial, 0, 40, rapid.ID[string]).Draw(r, "listed")
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(day)}
		is := map[string]bool{}
		for _, text := range listed {
			n, _ := new(big.Int).SetString(text, 16)
			is[text] = true
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: now})
		}
		list, err := x509.CreateRevocationList(rand.Reader, template, authority, key)
		must(t, err)
		must(t, os.WriteFile(path, list, 0o600))
		lists, err := trust.Open(trust.Options{Files: []string{path}, Anchors: []*x509.Certificate{authority}, Now: func() time.Time { return now }})
		must(t, err)
		for _, text := range append(listed, serial.Draw(r, "another")) {
			n, _ := new(big.Int).SetString(text, 16)
			leaf := &x509.Certificate{SerialNumber: n, NotAfter: now.Add(day)}
			got := lists.Check([][]*x509.Certificate{{leaf, authority}}, now)
			if (got == trust.Revoked) != is[text] || got != nil && got != trust.Revoked {
				r.Fatalf("serial %s, listed %t: %v", text, is[text], got)
			}
		}
	})
}

// FuzzParse: no file does more than fail to be read (WRD-SEC-07).
func FuzzParse(f *testing.F) {
	s := newScene(f)
	s.below(f, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf, s.lower.Sub()}})
	below := contentOf(f, s.path("below"))
	f.Add(below)
	f.Add(derOf(f, below))
	f.Add(append(contentOf(f, s.path("root")), below...))
	f.Add(s.upper.RootPEM())
	f.Fuzz(func(t *testing.T, content []byte) {
		n, err := trust.Parse(content)
		if (n == 0) == (err == nil) {
			t.Errorf("%d lists, error %v", n, err)
		}
	})
}
