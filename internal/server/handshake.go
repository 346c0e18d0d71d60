package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/trust"
)

// handshakes is a listener that completes TLS handshakes before net/http sees a
// connection. net/http would only say in a text that one was refused; here the
// certificate is known, and can be recorded.
type handshakes struct {
	net.Listener // of connections without TLS, of which the number is bounded
	server       *Server
	ready        chan accepted
	running      sync.WaitGroup
	closed       context.Context
	close        context.CancelFunc
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// shakeHands begins to accept connections. Close, and then wait, must follow.
func (s *Server) shakeHands(listener net.Listener) *handshakes {
	fair := &perAddress{Listener: listener, most: s.config.Limits.PerAddress, logger: s.config.Logger, remarks: s.remarks, open: map[netip.Prefix]int{}}
	h := &handshakes{
		Listener: netutil.LimitListener(fair, s.config.Limits.Connections),
		server:   s,
		ready:    make(chan accepted),
	}
	h.closed, h.close = context.WithCancel(context.Background())
	h.running.Go(h.acceptAll)
	return h
}

// Accept returns the next connection whose handshake is complete.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case a := <-h.ready:
		return a.conn, a.err
	case <-h.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close breaks off the handshakes under way.
func (h *handshakes) Close() error {
	h.close()
	return h.Listener.Close()
}

// wait returns when nothing is done any more. It is called after Close.
func (h *handshakes) wait() { h.running.Wait() }

// acceptAll hands errors on, because net/http knows for which of them to wait a
// little and try again, and waits with it.
func (h *handshakes) acceptAll() {
	for {
		conn, err := h.Listener.Accept()
		if err == nil {
			h.running.Go(func() { h.shake(conn) })
		} else if !h.hand(accepted{err: err}) {
			return
		}
	}
}

func (h *handshakes) hand(a accepted) bool {
	select {
	case h.ready <- a:
		return true
	case <-h.closed.Done():
		return false
	}
}

// shake completes one handshake within its time. A connection that is refused gives
// its place back before anything is written about it.
func (h *handshakes) shake(network net.Conn) {
	began := h.server.config.Now()
	conn := tls.Server(network, h.server.config.TLS)
	defer h.server.survive(network)
	ctx, cancel := context.WithTimeout(h.closed, h.server.config.Limits.HeaderTimeout)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	switch {
	case err == nil && h.hand(accepted{conn: conn}):
	case err == nil || h.closed.Err() != nil: // stopping
		network.Close()
	default:
		network.Close()
		h.server.refuseHandshake(conn, err, began)
	}
}

// survive keeps a failure of ours, over what one stranger sent, from ending the
// service of everybody. net/http does the same for what it runs.
func (s *Server) survive(network net.Conn) {
	if recover() == nil {
		return
	}
	// The stack names code, not data; the cause may quote data and is left out.
	s.config.Logger.Error("a TLS handshake made the provider fail", "event", "panic", "stack", string(debug.Stack()))
	network.Close()
}

// refuseHandshake logs why a handshake failed, and records it if it was for its
// certificate (WRD-IAM-04, WRD-AUD-08).
func (s *Server) refuseHandshake(conn *tls.Conn, err error, began time.Time) {
	now := s.config.Now()
	id, remote := s.config.NewID(), conn.RemoteAddr().String()
	certificate, reason := whyRefused(conn, err, now)
	attributes := []any{"event", "connection.refused", "correlation", id, "remote", remote}
	if reason == "" {
		if s.remarks.Allow() {
			s.config.Logger.Warn("a TLS handshake failed", append(attributes, "reason", handshakeFailure(err))...)
		}
		return
	}
	e := audit.Entry{
		Kind:        audit.Refused,
		Time:        now,
		Correlation: id,
		Remote:      remote,
		Outcome:     cpis.Refused.String(),
		Notified:    cpis.NotifiedNo.String(),
		Reason:      string(reason),
		Elapsed:     now.Sub(began),
	}
	if certificate != nil {
		e.Certificate = clients.Fingerprint(certificate)
		attributes = append(attributes, "certificate", e.Certificate)
	}
	if s.remarks.Allow() {
		s.config.Logger.Warn("a TLS handshake was refused", append(attributes, "reason", e.Reason)...)
	}
	if !s.handshakes.Allow() {
		return
	}
	nameCertificate(&e, certificate)
	s.record(context.Background(), e)
}

// Refusals that only this side knows.
const (
	noCertificate trust.Refusal = "no certificate was given"
	notProved     trust.Refusal = "the certificate was given, but the handshake not completed with its key"
)

// whyRefused returns the certificate, if one was given, and a reason if the
// handshake failed for want of a good one.
func whyRefused(conn *tls.Conn, err error, now time.Time) (*x509.Certificate, trust.Refusal) {
	certificate, reason := trust.Reason(err, now)
	if reason != "" {
		return certificate, reason
	}
	given := conn.ConnectionState().PeerCertificates
	if len(given) > 0 {
		return given[0], notProved
	}
	// crypto/tls has no type for this one.
	if err.Error() == "tls: client didn't provide a certificate" {
		return nil, noCertificate
	}
	return nil, ""
}

// handshakeFailure is what crypto/tls says, cut: parts of it are the client's words.
func handshakeFailure(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the handshake was not completed in time"
	}
	text := err.Error()
	return text[:min(len(text), 200)]
}

// nameCertificate names a certificate that the register does not.
func nameCertificate(e *audit.Entry, certificate *x509.Certificate) {
	if certificate == nil {
		return
	}
	e.Subject = certificate.Subject.String()
	e.Serial = certificate.SerialNumber.Text(16)
	e.Issuer = certificate.Issuer.String()
}
