package server_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// A failure of ours in the handshake of one caller, before anybody knows who it is,
// is logged without its cause and ends nothing but that connection.
func TestHandshakeThatPanicsEndsNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fails := true
	r.listening.VerifyConnection = func(tls.ConnectionState) error {
		if fails {
			fails = false
			panic("broken by CN=somebody")
		}
		return nil
	}
	c, err := tls.Dial("tcp", r.address, r.tls)
	if err == nil {
		// TLS 1.3 lets the client believe that it is done before the server is.
		c.SetReadDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if err == nil {
		t.Error("the connection goes on")
	}
	c, err = tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatalf("the next caller: %v", err)
	}
	c.Close()
	text := r.log.String()
	if !strings.Contains(text, `"event":"panic"`) || strings.Contains(text, "somebody") {
		t.Errorf("the log says\n%s", text)
	}
}
