package server

import (
	"cmp"
	"crypto/x509"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/handshake"
	"github.com/wardsmsp/ward/internal/trust"
)

// exchange is one request and what is known of it so far.
type exchange struct {
	correlation string
	received    time.Time
	w           http.ResponseWriter
	r           *http.Request
	certificate *x509.Certificate
	client      *clients.Client
	document    []byte            // what is wanted instead of an answer
	asked       *gateway.Question // set once the question may have been sent
}

// refusal is an HTTP answer without a body of SOAP: nothing was asked.
type refusal struct {
	status int
	reason string // fixed, for the log
	text   string // body, if any
	load   bool   // turned away for load
	class  Class  // NotHTTP if empty
}

// admit decides, before a byte of the body is read, whether it will be: who is
// calling, then load, then the form of the HTTP request (WRD-IAM-02).
func (s *Server) admit(x *exchange) *refusal {
	turnedAway := s.identify(x)
	if turnedAway != nil {
		return turnedAway
	}
	switch {
	case s.draining.Load():
		return busy(Draining, "draining")
	case !x.client.Allow():
		return busy(ClientRate, "over the client's rate")
	case !s.all.Allow():
		return busy(Rate, "over the rate of all clients")
	case x.r.URL.Path != Path:
		return &refusal{status: http.StatusNotFound, reason: "no such path"}
	case asksForDocument(x.r):
		return s.findDocument(x)
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		return &refusal{status: http.StatusMethodNotAllowed, reason: "the method is not POST"}
	case x.r.ContentLength > int64(s.config.Limits.Body):
		return &refusal{status: http.StatusRequestEntityTooLarge, reason: "the body is too large"}
	case x.r.Header.Get("Content-Encoding") != "":
		return &refusal{status: http.StatusUnsupportedMediaType, reason: "the body is encoded"}
	case !isXML(x.r.Header.Get("Content-Type")):
		return &refusal{status: http.StatusUnsupportedMediaType, reason: "the media type is not XML"}
	default:
		return nil
	}
}

// identify sets who is calling. It judges the chain that TLS has verified once more,
// because a connection can outlive a certificate, or its revocation (WRD-IAM-04).
func (s *Server) identify(x *exchange) *refusal {
	if x.r.TLS == nil || len(x.r.TLS.VerifiedChains) == 0 {
		return &refusal{status: http.StatusForbidden, reason: string(trust.NotVerified), class: Unidentified}
	}
	x.certificate = x.r.TLS.PeerCertificates[0]
	err := s.config.Trust.Check(x.r.TLS.VerifiedChains, s.config.Now())
	if err != nil {
		return &refusal{status: http.StatusForbidden, reason: err.Error(), class: Unidentified}
	}
	client, ok := s.config.Register.Identify(x.certificate)
	if !ok {
		return &refusal{status: http.StatusForbidden, reason: "the certificate is not registered", class: Unidentified}
	}
	x.client = client
	return nil
}

func isXML(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch mediaType {
	case "text/xml", "application/xml", "application/soap+xml":
		return true
	default:
		return false
	}
}

func busy(class Class, reason string) *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable,
		reason: reason,
		text:   "The service is busy. Nothing was asked of CP-IS. The request may be sent again with a new message id.\n",
		load:   true,
		class:  class,
	}
}

// refuse answers without SOAP, closes the connection, and reads no more of it.
func (s *Server) refuse(x *exchange, r *refusal) {
	s.recordRefusal(x, r)
	header := x.w.Header()
	header.Set("Connection", "close")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(r.text)))
	if r.status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(int(max(s.config.Limits.RetryAfter, time.Second)/time.Second)))
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	control := http.NewResponseController(x.w)
	control.SetWriteDeadline(time.Now().Add(s.config.Limits.WriteTimeout))
	x.w.WriteHeader(r.status)
	x.w.Write([]byte(r.text))
	// net/http would otherwise read what is left of the body, to throw it away.
	control.SetReadDeadline(time.Now())
	s.config.Meter.TurnedAway(x.name(), cmp.Or(r.class, NotHTTP))
	s.config.Logger.Info("request refused", "event", "request.refused", "correlation", x.correlation,
		"client", x.name(), "status", r.status, "reason", r.reason)
}

// recordRefusal writes an audit entry, at a bounded rate where a caller could
// otherwise fill the log at will. Nothing was disclosed, so that a log that cannot
// be written does not change the answer.
func (s *Server) recordRefusal(x *exchange, r *refusal) {
	if x.client == nil && !s.strangers.Allow() || r.load && !s.throttled.Allow() {
		return
	}
	e := s.refused(x)
	e.Reason = r.reason
	if r.load {
		e.Outcome = cpis.Overloaded.String()
	}
	e.Code = "HTTP " + strconv.Itoa(r.status)
	s.record(x.r.Context(), e)
}

// refused is the audit entry of a request that was turned away before anything
// was asked.
func (s *Server) refused(x *exchange) audit.Entry {
	e := audit.Entry{
		Kind:        audit.Refused,
		Time:        s.config.Now(),
		Correlation: x.correlation,
		Remote:      x.r.RemoteAddr,
		Outcome:     cpis.Refused.String(),
		Notified:    cpis.NotifiedNo.String(),
		Elapsed:     s.config.Now().Sub(x.received),
	}
	if x.certificate != nil {
		e.Certificate = clients.Fingerprint(x.certificate)
	}
	if x.client != nil {
		e.Client = x.client.Name
		e.Organisation = x.client.Organisations[0]
	} else {
		handshake.NameCertificate(&e, x.certificate)
	}
	return e
}

func (x *exchange) name() string {
	if x.client == nil {
		return ""
	}
	return x.client.Name
}

// readBody reads the whole body within its limits of size and time.
func (s *Server) readBody(x *exchange) (string, *refusal) {
	control := http.NewResponseController(x.w)
	err := control.SetReadDeadline(time.Now().Add(s.config.Limits.BodyTimeout))
	if err != nil {
		return "", &refusal{status: http.StatusInternalServerError, reason: "no time limit could be set", class: Broken}
	}
	var body strings.Builder
	body.Grow(int(max(x.r.ContentLength, 0)))
	reason := copyBody(&body, http.MaxBytesReader(x.w, x.r.Body, int64(s.config.Limits.Body)))
	if reason != nil {
		return "", reason
	}
	// The handler's own time is bounded by the request's budget; a deadline left
	// here would pass for a client that went away.
	err = control.SetReadDeadline(time.Time{})
	if err != nil {
		return "", &refusal{status: http.StatusInternalServerError, reason: "no time limit could be set", class: Broken}
	}
	return body.String(), nil
}
