package testpki_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func newAuthority(t *testing.T) *testpki.Authority {
	t.Helper()
	a, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *testpki.Authority, r testpki.Request) testpki.Pair {
	t.Helper()
	p, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// handshake returns what each side says of a mutual TLS handshake in memory.
func handshake(serverTrusts, clientTrusts *testpki.Authority, server, client testpki.Pair) (serverErr, clientErr error) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	s := tls.Server(near, &tls.Config{
		Certificates: []tls.Certificate{server.TLSCertificate()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    serverTrusts.Pool(),
		MaxVersion:   tls.VersionTLS12, // in 1.3 the client finishes before it is judged
		Time:         func() time.Time { return now },
	})
	c := tls.Client(far, &tls.Config{
		Certificates: []tls.Certificate{client.TLSCertificate()},
		RootCAs:      clientTrusts.Pool(),
		ServerName:   "spine.test",
		Time:         func() time.Time { return now },
	})
	done := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err != nil {
			near.Close()
		}
		done <- err
	}()
	clientErr = c.Handshake()
	if clientErr != nil {
		far.Close()
	}
	return <-done, clientErr
}

func TestMutualTLSTrustsOnlyItsOwnAuthority(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	server := testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Server: true}
	client := testpki.Request{CommonName: "ward.test", Client: true}
	expired := client
	expired.NotBefore, expired.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	future := client
	future.NotBefore = now.Add(time.Hour)
	wrongUse := testpki.Request{CommonName: "ward.test", Server: true}
	wrongName := testpki.Request{CommonName: "other.test", DNSNames: []string{"other.test"}, Server: true}

	tests := []struct {
		name           string
		server, client testpki.Pair
		ok             bool
	}{
		{"both of one authority", issue(t, ours, server), issue(t, ours, client), true},
		{"RSA keys", issue(t, ours, with(server, rsaKey)), issue(t, ours, with(client, rsaKey)), true},
		{"client of another authority", issue(t, ours, server), issue(t, theirs, client), false},
		{"server of another authority", issue(t, theirs, server), issue(t, ours, client), false},
		{"client expired", issue(t, ours, server), issue(t, ours, expired), false},
		{"client not yet valid", issue(t, ours, server), issue(t, ours, future), false},
		{"client without the client usage", issue(t, ours, server), issue(t, ours, wrongUse), false},
		{"server of another name", issue(t, ours, wrongName), issue(t, ours, client), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serverErr, clientErr := handshake(ours, ours, tt.server, tt.client)
			if ok := serverErr == nil && clientErr == nil; ok != tt.ok {
				t.Errorf("handshake succeeded = %v, want %v (server: %v, client: %v)", ok, tt.ok, serverErr, clientErr)
			}
		})
	}
}

func rsaKey(r *testpki.Request) { r.RSA = true }

func with(r testpki.Request, change func(*testpki.Request)) testpki.Request {
	change(&r)
	return r
}

func TestKeyIsPKCS8AndChainHoldsTheSubCA(t *testing.T) {
	a := newAuthority(t)
	for _, useRSA := range []bool{false, true} {
		p := issue(t, a, testpki.Request{CommonName: "x", Client: true, RSA: useRSA})
		block, rest := pem.Decode(p.KeyPEM)
		if block == nil || len(rest) != 0 || block.Type != "PRIVATE KEY" {
			t.Fatal("the key file is not one PKCS#8 block")
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		k, isRSA := key.(*rsa.PrivateKey)
		if isRSA != useRSA {
			t.Errorf("RSA key = %v, want %v", isRSA, useRSA)
		}
		if isRSA && k.N.BitLen() != 2048 {
			t.Errorf("RSA key of %d bits, want 2048", k.N.BitLen())
		}
		if n := bytes.Count(p.CertPEM, []byte("BEGIN CERTIFICATE")); n != 2 {
			t.Errorf("%d certificates in the chain, want leaf and sub CA", n)
		}
		pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pair.Certificate[0], p.Leaf.Raw) {
			t.Error("the first certificate of the file is not the leaf")
		}
	}
}

func TestFilesKeepTheKeyFromOthers(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t)
	err := issue(t, a, testpki.Request{CommonName: "x", Client: true}).WriteFiles(dir, "client")
	if err != nil {
		t.Fatal(err)
	}
	err = a.WriteRoot(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client-key.pem"))
	if err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "client-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file mode %v, want 0600", info.Mode().Perm())
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(root, a.RootPEM()) {
		t.Error("the root's file differs from RootPEM")
	}
}

func TestSenselessRequestsAreRefused(t *testing.T) {
	a := newAuthority(t)
	for name, r := range map[string]testpki.Request{
		"nobody":                {Client: true},
		"no usage":              {CommonName: "x"},
		"ends before it begins": {CommonName: "x", Client: true, NotBefore: now, NotAfter: now.Add(-time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Issue(r)
			if err == nil {
				t.Error("issued")
			}
		})
	}
}
