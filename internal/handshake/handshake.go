// Package handshake accepts connections whose clients have proved with mutual TLS who
// they are. It bounds how many are open, and says of those that are refused why.
package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/trust"
)

// Config is what a Listener needs.
type Config struct {
	TLS         *tls.Config   // must require and verify client certificates
	Connections int           // open at a time
	PerAddress  int           // of them from one address
	Timeout     time.Duration // of a handshake
	Logger      *slog.Logger
	Remarks     *rate.Limiter // of log lines about connections that are refused
	Entries     *rate.Limiter // of audit entries about them: nobody has proved a key
	// Record records a refusal for a certificate (WRD-IAM-04, WRD-AUD-08).
	Record func(audit.Entry)
	Now    func() time.Time
	NewID  func() string
}

// Listener completes TLS handshakes before net/http sees a connection. net/http would
// only say in a text that one was refused; here the certificate is known, and can be
// recorded.
type Listener struct {
	net.Listener // of connections without TLS, of which the number is bounded
	config       Config
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

// Listen begins to accept the connections of a listener. Close, and then Wait, must
// follow.
func Listen(listener net.Listener, config Config) *Listener {
	fair := &perAddress{Listener: listener, most: config.PerAddress, logger: config.Logger, remarks: config.Remarks, open: map[netip.Prefix]int{}}
	l := &Listener{
		Listener: netutil.LimitListener(fair, config.Connections),
		config:   config,
		ready:    make(chan accepted),
	}
	l.closed, l.close = context.WithCancel(context.Background())
	l.running.Go(l.acceptAll)
	return l
}

// Accept returns the next connection whose handshake is complete.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close breaks off the handshakes under way.
func (l *Listener) Close() error {
	l.close()
	return l.Listener.Close()
}

// Wait returns when nothing is done any more, and nothing more will be recorded. It is
// called after Close.
func (l *Listener) Wait() { l.running.Wait() }

// acceptAll hands errors on, because net/http knows for which of them to wait a
// little and try again, and waits with it.
func (l *Listener) acceptAll() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.running.Go(func() { l.shake(conn) })
		} else if !l.hand(accepted{err: err}) {
			return
		}
	}
}

func (l *Listener) hand(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.closed.Done():
		return false
	}
}

// shake completes one handshake within its time. A connection that is refused gives
// its place back before anything is written about it.
func (l *Listener) shake(network net.Conn) {
	began := l.config.Now()
	conn := tls.Server(network, l.config.TLS)
	defer l.survive(network)
	ctx, cancel := context.WithTimeout(l.closed, l.config.Timeout)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	switch {
	case err == nil && l.hand(accepted{conn: conn}):
	case err == nil || l.closed.Err() != nil: // stopping
		network.Close()
	default:
		network.Close()
		l.refuse(conn, err, began)
	}
}

// survive keeps a failure of ours, over what one stranger sent, from ending the
// service of everybody. net/http does the same for what it runs.
func (l *Listener) survive(network net.Conn) {
	if recover() == nil {
		return
	}
	// The stack names code, not data; the cause may quote data and is left out.
	l.config.Logger.Error("a TLS handshake made the provider fail", "event", "panic", "stack", string(debug.Stack()))
	network.Close()
}

// refuse logs why a handshake failed, and records it if it was for its
// certificate (WRD-IAM-04, WRD-AUD-08).
func (l *Listener) refuse(conn *tls.Conn, err error, began time.Time) {
	now := l.config.Now()
	id, remote := l.config.NewID(), conn.RemoteAddr().String()
	certificate, reason := whyRefused(conn, err, now)
	attributes := []any{"event", "connection.refused", "correlation", id, "remote", remote}
	if reason == "" {
		if l.config.Remarks.Allow() {
			l.config.Logger.Warn("a TLS handshake failed", append(attributes, "reason", handshakeFailure(err))...)
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
	if l.config.Remarks.Allow() {
		l.config.Logger.Warn("a TLS handshake was refused", append(attributes, "reason", e.Reason)...)
	}
	if !l.config.Entries.Allow() {
		return
	}
	NameCertificate(&e, certificate)
	l.config.Record(e)
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

// NameCertificate names in an entry a certificate that no register does.
func NameCertificate(e *audit.Entry, certificate *x509.Certificate) {
	if certificate == nil {
		return
	}
	e.Subject = certificate.Subject.String()
	e.Serial = certificate.SerialNumber.Text(16)
	e.Issuer = certificate.Issuer.String()
}
