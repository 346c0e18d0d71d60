package replies

import (
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/handshake"
	"github.com/wardsmsp/ward/internal/trust"
)

// exchange is one request and what is known of it so far.
type exchange struct {
	id          string
	received    time.Time
	w           http.ResponseWriter
	r           *http.Request
	certificate *x509.Certificate
	isPeer      bool
}

// refusal is an HTTP answer to what was not read as a message.
type refusal struct {
	status int
	reason string // a fixed text, for the log
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{id: s.config.NewID(), received: s.config.Now(), w: w, r: r}
	defer s.recoverFrom(x)
	// Chunks can override a Content-Length, and what follows such a request may not be
	// one (WRD-SEC-05).
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		w.Header().Set("Connection", "close")
	}
	turnedAway := s.admit(x)
	if turnedAway != nil {
		s.refuse(x, turnedAway)
		return
	}
	select {
	case s.underWay <- struct{}{}:
		defer func() { <-s.underWay }()
	default:
		s.refuse(x, &refusal{http.StatusServiceUnavailable, "too many deliveries under way"})
		return
	}
	body, turnedAway := s.readBody(x)
	if turnedAway != nil {
		s.refuse(x, turnedAway)
		return
	}
	s.receive(x, body)
}

// recoverFrom keeps a failure of ours from becoming a dropped connection. The reply
// may be sent again: it was not confirmed.
func (s *Server) recoverFrom(x *exchange) {
	if recover() == nil {
		return
	}
	// net/http would log what a second failure says, which may quote data.
	defer func() { _ = recover() }()
	// The stack names code, not data; the cause may quote data and is left out.
	s.config.Logger.Error("the provider failed over a reply", "event", "panic", "correlation", x.id, "stack", string(debug.Stack()))
	s.answer(x, http.StatusInternalServerError, "", nil)
}

// admit decides, before a byte of the body is read, whether it will be (WRD-IAM-02).
func (s *Server) admit(x *exchange) *refusal {
	turnedAway := s.identify(x)
	if turnedAway != nil {
		return turnedAway
	}
	switch {
	case s.draining.Load():
		return &refusal{http.StatusServiceUnavailable, "draining"}
	case x.r.URL.Path != s.config.Path:
		return &refusal{http.StatusNotFound, "no such path"}
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		return &refusal{http.StatusMethodNotAllowed, "the method is not POST"}
	case x.r.ContentLength > int64(s.config.Limits.Body):
		return &refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
	case x.r.Header.Get("Content-Encoding") != "":
		return &refusal{http.StatusUnsupportedMediaType, "the body is encoded"}
	case !isMessage(x.r.Header.Get("Content-Type")):
		return &refusal{http.StatusUnsupportedMediaType, "the media type is not that of a message"}
	default:
		return nil
	}
}

// identify judges the chain that TLS has verified once more, because a connection can
// outlive a certificate, or its revocation (WRD-IAM-04), and whether its leaf is the
// Spine's: others have certificates of the same authority.
func (s *Server) identify(x *exchange) *refusal {
	if x.r.TLS == nil || len(x.r.TLS.VerifiedChains) == 0 {
		return &refusal{http.StatusForbidden, string(trust.NotVerified)}
	}
	x.certificate = x.r.TLS.PeerCertificates[0]
	err := s.config.Trust.Check(x.r.TLS.VerifiedChains, s.config.Now())
	if err != nil {
		return &refusal{http.StatusForbidden, err.Error()}
	}
	x.isPeer = slices.ContainsFunc(clients.Matches(x.certificate), func(match string) bool { return s.peers[match] })
	if !x.isPeer {
		return &refusal{http.StatusForbidden, "the certificate is not that of a peer that may deliver replies"}
	}
	return nil
}

func isMessage(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "multipart/related" || mediaType == "text/xml")
}

// refuse answers without a message, closes the connection, and reads no more of it.
func (s *Server) refuse(x *exchange, r *refusal) {
	entries := s.unread
	if !x.isPeer {
		entries = s.strangers
	}
	if entries.Allow() {
		s.record(x.r.Context(), s.refused(x, r))
	}
	header := x.w.Header()
	header.Set("Connection", "close")
	if r.status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "5")
	}
	s.answer(x, r.status, "", nil)
	// net/http would otherwise read what is left of the body, to throw it away.
	http.NewResponseController(x.w).SetReadDeadline(time.Now())
	if s.remarks.Allow() {
		s.config.Logger.Warn("a delivery was refused", "event", "reply.refused", "correlation", x.id,
			"remote", x.r.RemoteAddr, "status", r.status, "reason", r.reason)
	}
}

func (s *Server) refused(x *exchange, r *refusal) audit.Entry {
	e := audit.Entry{
		Kind:        audit.Refused,
		Time:        s.config.Now(),
		Correlation: x.id,
		Remote:      x.r.RemoteAddr,
		Outcome:     cpis.Refused.String(),
		Code:        "HTTP " + strconv.Itoa(r.status),
		Reason:      r.reason,
		Elapsed:     s.config.Now().Sub(x.received),
	}
	if x.certificate != nil {
		e.Certificate = clients.Fingerprint(x.certificate)
	}
	if x.isPeer { // it may have brought an answer, which says that somebody was
		e.Notified = cpis.NotifiedMaybe.String()
	} else {
		e.Notified = cpis.NotifiedNo.String()
		handshake.NameCertificate(&e, x.certificate)
	}
	return e
}

// readBody reads the whole body within its limits of size and time.
func (s *Server) readBody(x *exchange) (string, *refusal) {
	control := http.NewResponseController(x.w)
	err := control.SetReadDeadline(time.Now().Add(s.config.Limits.Timeout))
	if err != nil {
		return "", &refusal{http.StatusInternalServerError, "no time limit could be set"}
	}
	var body strings.Builder
	body.Grow(int(max(x.r.ContentLength, 0)))
	// In small pieces, since io.Copy would make a large buffer for each request.
	_, err = io.CopyBuffer(&body, http.MaxBytesReader(x.w, x.r.Body, int64(s.config.Limits.Body)), make([]byte, 4<<10))
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return "", &refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return "", &refusal{http.StatusRequestTimeout, "the body did not come in time"}
	case err != nil:
		return "", &refusal{http.StatusBadRequest, "the body could not be read"}
	}
	err = control.SetReadDeadline(time.Time{})
	if err != nil {
		return "", &refusal{http.StatusInternalServerError, "no time limit could be set"}
	}
	return body.String(), nil
}

// answer writes an HTTP answer, with a body if content is not nil.
func (s *Server) answer(x *exchange, status int, contentType string, content []byte) {
	header := x.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if content != nil {
		header.Set("Content-Type", contentType)
	}
	http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(s.config.Limits.Timeout))
	x.w.WriteHeader(status)
	x.w.Write(content) // whoever is gone by now sends again what needs an answer
}
