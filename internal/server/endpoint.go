package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/itk"
)

// serve is the whole path of a request through the client-facing side.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	framed(r)
	x := &exchange{correlation: s.config.NewID(), received: s.config.Now(), w: w, r: r}
	w.Header().Set("X-Correlation-Id", x.correlation)
	defer s.recoverFrom(x)
	if !plainlyFramed(r) {
		w.Header().Set("Connection", "close")
	}
	turnedAway := s.admit(x)
	if turnedAway != nil {
		s.refuse(x, turnedAway)
		return
	}
	if x.document != nil {
		s.describe(x)
		return
	}
	leave, ok := s.enter(x.client)
	if !ok {
		s.refuse(x, busy("too many questions under way"))
		return
	}
	defer leave()
	body, turnedAway := s.readBody(x)
	if turnedAway != nil {
		s.refuse(x, turnedAway)
		return
	}
	s.answer(x, body)
}

// plainlyFramed reports whether there can be no doubt about where the request ends.
// net/http lets chunks override a Content-Length, and HTTP/1.0 ignore chunks, without
// a word to the handler; what follows such a request may not be one (WRD-SEC-05).
func plainlyFramed(r *http.Request) bool {
	return len(r.TransferEncoding) == 0 && r.ProtoAtLeast(1, 1)
}

// enter bounds the questions under way, of one client so that it cannot crowd out
// the others (WRD-OPS-07), and of all.
func (s *Server) enter(client *clients.Client) (leave func(), ok bool) {
	if !client.Enter() {
		return nil, false
	}
	select {
	case s.underWay <- struct{}{}:
		return func() { <-s.underWay; client.Leave() }, true
	default:
		client.Leave()
		return nil, false
	}
}

// recoverFrom keeps a failure of ours from becoming a dropped connection. Once the
// question may have been sent, no fault is used: it would say that nothing was
// asked (WRD-VAL-18).
func (s *Server) recoverFrom(x *exchange) {
	if recover() == nil {
		return
	}
	// net/http would log what a second failure says, which may quote data.
	defer func() { _ = recover() }()
	// The stack names code, not data; the cause may quote data and is left out.
	s.config.Logger.Error("the provider failed", "event", "panic", "correlation", x.correlation, "stack", string(debug.Stack()))
	if x.asked == nil {
		s.fault(x, itk.Internal())
		return
	}
	s.tell(x, *x.asked, cpis.Failed(cpis.InternalAfterSent, "the provider failed after asking"))
}

// copyBody copies in small pieces: io.Copy would make a large buffer for each
// request, and one that is kept would hold one client's message while another's is
// read (H-16).
func copyBody(to io.Writer, from io.Reader) *refusal {
	_, err := io.CopyBuffer(to, from, make([]byte, 4<<10))
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, reason: "the body is too large"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &refusal{status: http.StatusRequestTimeout, reason: "the body did not come in time"}
	default:
		return &refusal{status: http.StatusBadRequest, reason: "the body could not be read"}
	}
}

func (s *Server) answer(x *exchange, body string) {
	request, err := itk.ReadRequest(body, s.config.Limits.Body, x.r.Header.Get("SOAPAction"), s.expect(x.client))
	if err != nil {
		fault := itk.Internal()
		errors.As(err, &fault)
		s.refuseMessage(x, request, fault)
		return
	}
	q := s.question(x, request)
	x.asked = &q
	answer, err := s.config.Gateway.Ask(x.r.Context(), q)
	if err != nil {
		x.asked = nil
		s.config.Logger.Error("a question could not be recorded", "event", "audit.failed", "correlation", x.correlation, "cause", err.Error())
		s.fault(x, itk.Unavailable())
		return
	}
	if answer.Outcome() == cpis.RefusedDuplicate {
		x.asked = nil
		s.fault(x, itk.Replayed())
		return
	}
	s.tell(x, q, answer)
}

// expect completes the expectations with what belongs to the client and to now.
func (s *Server) expect(client *clients.Client) itk.Expectations {
	e := s.config.Expect
	e.Now = s.config.Now()
	e.Usernames = client.Usernames
	e.AuditIdentities = client.AuditIdentities
	e.ASID = client.ASID
	return e
}

func (s *Server) question(x *exchange, request itk.Request) gateway.Question {
	q := gateway.Question{
		Correlation:     x.correlation,
		Received:        x.received,
		Client:          x.client,
		Certificate:     clients.Fingerprint(x.certificate),
		Remote:          x.r.RemoteAddr,
		MessageID:       request.MessageID,
		TrackingID:      request.TrackingID,
		ReplayIDs:       []string{"message " + request.MessageUUID, "tracking " + request.TrackingID},
		ReplayUntil:     request.Expires.Add(s.config.Expect.Skew),
		Username:        request.Username,
		AuditIdentities: request.AuditIdentities,
		Signed:          request.Signed,
		Query:           request.Query,
		BirthDate:       request.BirthDate,
	}
	if request.Invalid != nil {
		q.Invalid = request.Invalid.Rule
	}
	return q
}

// refuseMessage records and answers a message that broke a rule. If it cannot be
// recorded the answer is that of a log that cannot be written.
func (s *Server) refuseMessage(x *exchange, request itk.Request, fault *itk.Fault) {
	e := s.refused(x)
	e.Username = request.Username
	for _, identity := range request.AuditIdentities {
		e.AuditIdentities = append(e.AuditIdentities, audit.Identity{Type: identity.Type, URI: identity.URI})
	}
	e.MessageID = request.MessageID
	e.TrackingID = request.TrackingID
	e.Code = strconv.Itoa(fault.ErrorCode)
	e.Reason = fault.Rule
	if request.Signed {
		e.Reason += "; " + gateway.RemarkSigned
	}
	err := s.record(x.r.Context(), e)
	if err != nil {
		fault = itk.Unavailable()
	}
	s.fault(x, fault)
}

// fault answers a message that is not taken, and ends the connection: a body that is
// no message may have been cut short of what follows it (WRD-SEC-05).
func (s *Server) fault(x *exchange, fault *itk.Fault) {
	content, err := itk.WriteFault(fault, s.config.NewID(), x.correlation)
	if err != nil {
		s.refuse(x, &refusal{status: http.StatusInternalServerError, reason: "a fault could not be written"})
		return
	}
	x.w.Header().Set("Connection", "close")
	s.send(x, http.StatusInternalServerError, content)
	s.config.Logger.Info("message refused", "event", "message.refused", "correlation", x.correlation,
		"client", x.name(), "rule", fault.Rule, "code", fault.ErrorCode, "elapsed_ms", s.elapsed(x))
}

// tell sends an answer that is already recorded.
func (s *Server) tell(x *exchange, q gateway.Question, answer cpis.Answer) {
	now := s.config.Now()
	response := itk.Response{
		MessageID:  s.config.NewID(),
		TrackingID: s.config.NewID(),
		PayloadID:  s.config.NewID(),
		RelatesTo:  q.MessageID,
		Client:     x.client.Organisations[0],
		Provider:   s.config.Provider,
		Payload:    itk.PayloadOf(answer, s.config.Codes, q.Query.Number, now, s.config.NewID()),
	}
	if x.client.TellNotified {
		response.Remarks = itk.RemarksOf(answer, s.config.Codes)
	}
	content, err := itk.WriteResponse(response)
	if err != nil {
		// The Spine gave something that cannot be written. The question was asked,
		// so that the client must hear of a failure and not of a fault.
		s.config.Logger.Error("an answer could not be written", "event", "answer.failed", "correlation", x.correlation, "cause", err.Error())
		s.recordUndelivered(x, q, answer, "the answer could not be written")
		answer = cpis.Failed(cpis.InternalAfterSent, "the answer could not be written")
		response.Payload = itk.PayloadOf(answer, s.config.Codes, q.Query.Number, now, s.config.NewID())
		response.Remarks = itk.Remarks{Notified: response.Remarks.Notified}
		content, err = itk.WriteResponse(response)
	}
	if err != nil {
		// Every part of this answer is our own, so that it cannot come to this.
		s.recordUndelivered(x, q, answer, "the failure could not be written")
		s.hangUp(x)
		return
	}
	delivered := s.send(x, http.StatusOK, content)
	if !delivered {
		s.recordUndelivered(x, q, answer, "answered, delivery not confirmed")
	}
	if answer.Outcome() == cpis.AuditFailedAfter {
		// After sending: a log that just failed may keep the client waiting.
		s.recordUndelivered(x, q, answer, "withheld: the outcome could not be recorded")
	}
	s.config.Logger.Info("question answered", "event", "question.answered", "correlation", x.correlation,
		"client", x.name(), "outcome", answer.Outcome().String(), "code", string(response.Payload.Code),
		"notified", answer.Notified().String(), "reason", answer.Reason(), "delivered", delivered,
		"bytes", len(content), "elapsed_ms", s.elapsed(x))
}

func (s *Server) elapsed(x *exchange) float64 {
	return float64(s.config.Now().Sub(x.received).Microseconds()) / 1000
}

// send writes a SOAP message and reports whether a client that was still there had
// it written to its connection. One that closes as soon as it has read everything
// has had its answer.
func (s *Server) send(x *exchange, status int, content []byte) bool {
	present := x.r.Context().Err() == nil
	header := x.w.Header()
	header.Set("Content-Type", "text/xml; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(content)))
	header.Set("Cache-Control", "no-store")
	control := http.NewResponseController(x.w)
	err := control.SetWriteDeadline(time.Now().Add(s.config.Limits.WriteTimeout))
	if err != nil {
		return false
	}
	x.w.WriteHeader(status)
	_, err = x.w.Write(content)
	if err != nil {
		return false
	}
	err = control.Flush()
	return err == nil && present
}

// hangUp closes the connection without an answer: to the client the outcome is not
// known, which is true.
func (s *Server) hangUp(x *exchange) {
	connection, _, err := http.NewResponseController(x.w).Hijack()
	if err == nil {
		connection.Close()
	}
}

// recordUndelivered notes that a recorded answer did not reach its client, as far
// as we know (WRD-RC-18).
func (s *Server) recordUndelivered(x *exchange, q gateway.Question, answer cpis.Answer, reason string) {
	e := s.refused(x)
	e.Kind = audit.Undelivered
	e.MessageID = q.MessageID
	e.QueryID = q.Query.ID
	e.Outcome = answer.Outcome().String()
	e.Notified = answer.Notified().String()
	e.Reason = reason
	s.record(x.r.Context(), e)
}

// record appends an entry although the client may have gone.
func (s *Server) record(ctx context.Context, e audit.Entry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := s.config.Log.Append(ctx, e)
	if err != nil {
		s.config.Logger.Error("an entry could not be recorded", "event", "audit.failed", "correlation", e.Correlation, "cause", err.Error())
	}
	return err
}

// recordTimeout bounds the wait for an entry that no question depends on.
const recordTimeout = 5 * time.Second
