package replies

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/ebxml"
)

// The names of messages between message handlers, and of the errors that Ward sends.
const (
	messageError   = "MessageError"
	acknowledgment = "Acknowledgment"

	errorExpired      = "TimeToLiveExpired"
	errorNotSupported = "NotSupported"
	errorUnknown      = "Unknown"
)

// skew is how far the clocks of the Spine and of this machine may be apart before a
// reply counts as expired.
const skew = 5 * time.Second

// deliverTimeout bounds how long a reply takes to be handed over to another replica.
const deliverTimeout = 5 * time.Second

// unreadable answers what has no ebXML header that an answer could refer to.
const unreadable = `<?xml version="1.0" encoding="UTF-8"?><SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body>` +
	`<SOAP:Fault><faultcode>SOAP:Client</faultcode><faultstring>The message is not an ebXML message that is known here.</faultstring></SOAP:Fault>` +
	`</SOAP:Body></SOAP:Envelope>`

// receive judges one message. It confirms one only when it has been handed over, or
// when it is on record that nobody took it.
func (s *Server) receive(x *exchange, body string) {
	m, err := ebxml.Read(x.r.Header.Get("Content-Type"), body, ebxml.Limits{Bytes: s.config.Limits.Body})
	switch {
	case err != nil:
		s.misunderstood(x, m.Header, err)
	case m.Kind == ebxml.Fault:
		s.misunderstood(x, m.Header, errors.New("a SOAP fault that answers no request"))
	case m.Kind == ebxml.Acknowledgment:
		// Whether our message was taken is told by its HTTP answer, or by the reply.
		s.config.Logger.Debug("an acknowledgement came", "event", "reply.acknowledgment", "correlation", x.id)
		s.answer(x, http.StatusAccepted, "", nil)
	case isOver(m.Header.TimeToLive, x.received):
		s.expired(x, m)
	default:
		s.deliver(x, m)
	}
}

func isOver(limit, now time.Time) bool { return !limit.IsZero() && now.After(limit.Add(skew)) }

func (s *Server) deliver(x *exchange, m ebxml.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), deliverTimeout)
	defer cancel()
	fate, correlation, err := s.config.Room.Deliver(ctx, m.Header.RefToMessageID, x.reply(m))
	if err != nil {
		s.config.Logger.Error("a reply could not be handed over", "event", "reply.failed", "correlation", x.id, "cause", err.Error())
		s.refuse(x, &refusal{http.StatusServiceUnavailable, "the reply could not be handed over"})
		return
	}
	if fate != Delivered {
		d := x.discard(fate, m)
		d.Correlation = correlation
		s.discard(x, d, func() { s.confirm(x, m) })
		return
	}
	s.delivered.Add(1)
	s.confirm(x, m)
	s.config.Logger.Info("a reply was handed over", "event", "reply.delivered", "correlation", correlation,
		"bytes", len(m.Payload), "elapsed_ms", float64(s.config.Now().Sub(x.received).Microseconds())/1000)
}

// discard records, and answers only if that is durable: the message may be sent again
// otherwise.
func (s *Server) discard(x *exchange, d Discard, answer func()) {
	err := s.config.Discards.Record(x.r.Context(), d)
	if err != nil {
		x.w.Header().Set("Retry-After", "5")
		s.answer(x, http.StatusServiceUnavailable, "", nil)
		return
	}
	answer()
}

// confirm says that a message was taken, in the way that it asks for. The answer is
// the same whatever became of it: it must not be sent again.
func (s *Server) confirm(x *exchange, m ebxml.Message) {
	if !m.Header.AckRequested || m.Kind == ebxml.MessageError {
		s.answer(x, http.StatusAccepted, "", nil)
		return
	}
	contentType, content, err := ebxml.WriteAcknowledgment(m.Header, s.config.NewID(), s.config.Now())
	s.answerWith(x, contentType, content, err)
}

// expired answers a message that is too old as ebXML wants: it is not delivered
// although somebody may still wait.
func (s *Server) expired(x *exchange, m ebxml.Message) {
	s.discard(x, x.discard(Expired, m), func() {
		s.complain(x, m.Header, ebxml.Error{Code: errorExpired, Description: "The message came after its time to live."})
	})
}

// misunderstood answers what cannot be taken as a message. It is recorded at a bounded
// rate, since it can be anything.
func (s *Server) misunderstood(x *exchange, h ebxml.Header, cause error) {
	d := x.discard(NotUnderstood, ebxml.Message{Header: h})
	d.Detail = cause.Error() // a fixed text
	if s.unread.Allow() {
		_ = s.config.Discards.Record(x.r.Context(), d) // has logged why; nothing is confirmed
	} else {
		s.config.Discards.count(NotUnderstood)
	}
	switch {
	case h.MessageID == "":
		x.w.Header().Set("Connection", "close")
		s.answer(x, http.StatusInternalServerError, "text/xml; charset=utf-8", []byte(unreadable))
	case errors.Is(cause, ebxml.ErrKind):
		s.complain(x, h, ebxml.Error{Code: errorNotSupported, Description: "Messages of this kind are not taken."})
	default:
		s.complain(x, h, ebxml.Error{Code: errorUnknown, Description: "The message is not as it must be."})
	}
}

// complain answers with an error message, but never one that answers such a message.
func (s *Server) complain(x *exchange, h ebxml.Header, e ebxml.Error) {
	if h.Action == messageError || h.Action == acknowledgment {
		s.answer(x, http.StatusAccepted, "", nil)
		return
	}
	contentType, content, err := ebxml.WriteErrors(h, s.config.NewID(), s.config.Now(), []ebxml.Error{e})
	s.answerWith(x, contentType, content, err)
}

// answerWith answers with a message of ours.
func (s *Server) answerWith(x *exchange, contentType string, content []byte, err error) {
	if err != nil {
		s.config.Logger.Error("an answer to a reply could not be written", "event", "reply.failed", "correlation", x.id, "cause", err.Error())
		s.answer(x, http.StatusInternalServerError, "", nil)
		return
	}
	s.answer(x, http.StatusOK, contentType, content)
}

func (x *exchange) reply(m ebxml.Message) Reply {
	r := Reply{Action: m.Header.Action, MessageID: m.Header.MessageID, Payload: m.Payload, Received: x.received}
	if m.Kind == ebxml.MessageError {
		r.Action, r.Payload, r.Errors = messageError, "", m.Errors
	}
	return r
}

func (x *exchange) discard(fate Fate, m ebxml.Message) Discard {
	return Discard{
		Fate:        fate,
		RefTo:       m.Header.RefToMessageID,
		Reply:       x.reply(m),
		Remote:      x.r.RemoteAddr,
		Certificate: clients.Fingerprint(x.certificate),
	}
}
