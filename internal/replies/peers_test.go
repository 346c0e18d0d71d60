package replies_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/testpki"
)

// WRD-IAM-02, WRD-IAM-04: only the Spine delivers, by whichever form its certificate is
// named; no byte of a stranger's body is read.
func TestOnlyPeersDeliver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		peer   func(r *rig) string
		status int
	}{
		"certificate": {func(r *rig) string { return "SHA256:" + strings.ToUpper(clients.Fingerprint(r.spine.Leaf)) }, http.StatusAccepted},
		"key": {func(r *rig) string {
			sum := sha256.Sum256(r.spine.Leaf.RawSubjectPublicKeyInfo)
			return "spki:" + hex.EncodeToString(sum[:])
		}, http.StatusAccepted},
		"name":                {func(*rig) string { return "dns:spine.test" }, http.StatusAccepted},
		"another name":        {func(*rig) string { return "dns:other.test" }, http.StatusForbidden},
		"the common name":     {func(*rig) string { return "dns:spine" }, http.StatusForbidden},
		"another certificate": {func(*rig) string { return "sha256:" + strings.Repeat("0", 64) }, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			other := newRigOf(t, r, tt.peer(r))
			ref := newID()
			e := other.expect(t, ref)
			contentType, body := message{id: newID(), refTo: ref, action: success}.write(t)
			got := send(t, other.client(t, r.spine), http.MethodPost, other.url(), contentType, bytes.NewReader(body))
			if got.status != tt.status || got.body != "" {
				t.Errorf("%+v", got)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := e.Wait(ended)
			if (err == nil) != (tt.status == http.StatusAccepted) {
				t.Errorf("Wait = %v", err)
			}
			if tt.status == http.StatusAccepted {
				return
			}
			entry := other.book.all(t, 1)[0]
			if entry.Kind != audit.Refused || entry.Code != "HTTP 403" || entry.Notified != "no" || entry.Certificate != clients.Fingerprint(r.spine.Leaf) ||
				!strings.Contains(entry.Subject, "spine.test") || entry.Serial == "" || entry.Issuer == "" || entry.Notified != "no" {
				t.Errorf("%+v", entry)
			}
		})
	}
}

// newRigOf is a rig with the authority and the Spine of another, and this peer.
func newRigOf(t *testing.T, r *rig, peer string) *rig {
	t.Helper()
	ours := r.issue(t, testpki.Request{CommonName: "ward.test", DNSNames: []string{"ward.test"}, Server: true})
	other := newRig(t, func(c *replies.Config, _ *replies.Options) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{ours.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: r.pki.Pool()}
		c.Peers = []string{peer}
	})
	other.pki, other.spine = r.pki, r.spine
	return other
}

// WRD-IAM-02: a stranger is answered before the body, which need not come.
func TestStrangersBodyIsNotRead(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := newRig(t, nil)
	stranger := r.issue(t, testpki.Request{CommonName: "hospital.test", Client: true})
	conn, err := tls.Dial("tcp", r.address, &tls.Config{RootCAs: r.pki.Pool(), ServerName: "ward.test", Certificates: []tls.Certificate{stranger.TLSCertificate()}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience)) // shorter than the listener's own patience
	io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: ward.test\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
		t.Errorf("%s, %v", got, err)
	}
	for range 30 {
		send(t, r.client(t, stranger), http.MethodPost, r.url(), "text/xml", strings.NewReader("<a/>"))
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if allowed := 20 + time.Since(began)/time.Second; len(r.book.entries) < 10 || len(r.book.entries) > int(allowed) {
		t.Errorf("%d entries about strangers", len(r.book.entries))
	}
}

// WRD-IAM-04: certificates are judged at the handshake and again at each request, since
// a connection can outlive one.
func TestCertificatesThatAreNotGood(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	stranger, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		pairs  []testpki.Pair
		reason string
	}{
		{nil, "no certificate was given"},
		{[]testpki.Pair{foreign}, "the certificate is of no known authority"},
		{[]testpki.Pair{r.issue(t, testpki.Request{CommonName: "spine.test", Client: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})}, "the certificate has expired"},
		{[]testpki.Pair{r.issue(t, testpki.Request{CommonName: "spine.test", Server: true})}, "the certificate is for another purpose"},
	} {
		_, err := r.client(t, tt.pairs...).Post(r.url(), "text/xml", strings.NewReader("<a/>"))
		if err == nil {
			t.Errorf("accepted where %s", tt.reason)
		}
		entry := r.book.all(t, i+1)[i]
		if entry.Kind != audit.Refused || entry.Reason != tt.reason {
			t.Errorf("%+v, want %s", entry, tt.reason)
		}
	}
	c := r.client(t, r.spine)
	contentType, body := message{id: newID(), refTo: newID(), action: success}.write(t)
	got := send(t, c, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
	r.pass(2 * 365 * 24 * time.Hour)
	later := send(t, c, http.MethodPost, r.url(), contentType, bytes.NewReader(body))
	entry := r.book.all(t, 6)[5]
	if got.status != http.StatusAccepted || later.status != http.StatusForbidden || entry.Reason != "the certificate has expired" {
		t.Errorf("%+v, later %+v, %+v", got, later, entry)
	}
}

// WRD-OPS-19: what is no delivery is refused by its form.
func TestRequestsThatAreNoDeliveries(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, path, contentType string
		body                      io.Reader
		headers                   []string
		status                    int
	}{
		"another method":     {"GET", path, "text/xml", nil, nil, 405},
		"another path":       {"POST", "/smsp/cpis", "text/xml", strings.NewReader("<a/>"), nil, 404},
		"another media type": {"POST", path, "application/json", strings.NewReader("{}"), nil, 415},
		"no media type":      {"POST", path, "", strings.NewReader("<a/>"), nil, 415},
		"an encoded body":    {"POST", path, "text/xml", strings.NewReader("<a/>"), []string{"Content-Encoding", "gzip"}, 415},
		// A client that waits to be let loses no answer to a connection that closes.
		"a large body":        {"POST", path, "text/xml", strings.NewReader(strings.Repeat("a", 64<<10+1)), []string{"Expect", "100-continue"}, 413},
		"a large chunked one": {"POST", path, "text/xml", io.MultiReader(strings.NewReader(strings.Repeat("a", 64<<10+1))), nil, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			got := send(t, r.client(t, r.spine), tt.method, "https://"+r.address+tt.path, tt.contentType, tt.body, tt.headers...)
			if got.status != tt.status {
				t.Errorf("%+v", got)
			}
			entry := r.book.all(t, 1)[0]
			if entry.Kind != audit.Refused || entry.Subject != "" || entry.Certificate == "" {
				t.Errorf("%+v", entry)
			}
		})
	}
}

// A body that does not come in time gives its place back.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *replies.Config, _ *replies.Options) {
		c.Limits.Timeout, c.Limits.Deliveries = 2*time.Second, 1 // in which the handshake is made as well
	})
	reader, writer := io.Pipe()
	defer writer.Close()
	got := send(t, r.client(t, r.spine), http.MethodPost, r.url(), "text/xml", reader)
	if got.status != http.StatusRequestTimeout {
		t.Errorf("%+v", got)
	}
	if got = r.deliver(t, message{id: newID(), refTo: newID(), action: success}); got.status != http.StatusAccepted {
		t.Errorf("after it: %+v", got)
	}
}
