package clients_test

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/wardsmsp/ward/internal/conform/clients"
)

// WRD-IAM-04: whoever the configuration does not trust, such as the holder of a revoked
// certificate, is refused here too.
func TestCertificatesAreJudgedAsConfigured(t *testing.T) {
	r := newRig(t, func(c *clients.Config) {
		c.TLS.VerifyConnection = func(tls.ConnectionState) error { return errors.New("revoked") }
	})
	c := r.tls.Clone()
	c.MaxVersion = tls.VersionTLS12 // under which the client hears of it in the handshake
	conn, err := tls.Dial("tcp", r.address(), c)
	if err == nil {
		conn.Close()
		t.Error("a certificate that is not trusted was accepted")
	}
}
