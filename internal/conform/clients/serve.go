package clients

import (
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/server"
)

// serve takes one request. As with `ward serve`, not a byte of its body is read
// before the machine that sent it is known.
func (r *Run) serve(w http.ResponseWriter, request *http.Request) {
	client, ok := r.identify(request)
	if !ok {
		r.stranger()
		r.refuse(w, http.StatusForbidden)
		return
	}
	if r.full() || !r.enter() {
		r.turnAway()
		r.send(w, busy())
		return
	}
	m := message{at: r.config.Now(), situation: -1, broken: len(itk.RuleIDs())}
	// Deferred, so that the message is remembered whatever becomes of its answer.
	defer func() { r.leave(m) }()
	m.form = wrongForm(request)
	body, status := r.read(w, request)
	if status != 0 {
		m.unread, m.status = true, status
		r.refuse(w, status)
		r.log(request, m)
		return
	}
	reply, err := r.decide(request, client, body, &m)
	if err != nil {
		// Every part of every answer is our own, so that it cannot come to this.
		r.config.Logger.Error("an answer could not be written", "event", "conform.failed", "cause", err.Error())
		reply.status = http.StatusInternalServerError
	}
	r.deliver(w, request, &m, reply)
	r.log(request, m)
}

func (r *Run) identify(request *http.Request) (*clients.Client, bool) {
	if request.TLS == nil || len(request.TLS.VerifiedChains) == 0 {
		return nil, false
	}
	return r.config.Register.Identify(request.TLS.PeerCertificates[0])
}

// wrongForm says what is wrong with an HTTP request, or "". Ward itself takes some of
// it; other providers need not.
func wrongForm(request *http.Request) string {
	mediaType, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	switch {
	case request.Method != http.MethodPost:
		return "the method is not POST"
	case request.URL.Path != server.Path:
		return "the path is not " + server.Path
	case request.Header.Get("Content-Encoding") != "":
		return "the body is encoded"
	case err != nil || mediaType != "text/xml":
		return "the media type is not text/xml"
	default:
		return ""
	}
}

// read reads the body within the limits of size and time, or says with which status
// the request is refused unread.
func (r *Run) read(w http.ResponseWriter, request *http.Request) (body string, status int) {
	mediaType, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	switch {
	case request.URL.Path != server.Path:
		return "", http.StatusNotFound
	case request.Method != http.MethodPost:
		return "", http.StatusMethodNotAllowed
	case request.Header.Get("Content-Encoding") != "" || err != nil || !strings.HasSuffix(mediaType, "xml"):
		return "", http.StatusUnsupportedMediaType
	}
	control := http.NewResponseController(w)
	err = control.SetReadDeadline(time.Now().Add(r.config.Limits.BodyTimeout))
	if err != nil {
		return "", http.StatusInternalServerError
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, request.Body, int64(r.config.Limits.Body)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", http.StatusRequestEntityTooLarge
	case err != nil:
		return "", http.StatusBadRequest
	}
	// A deadline left here would pass for a client that went away.
	err = control.SetReadDeadline(time.Time{})
	if err != nil {
		return "", http.StatusInternalServerError
	}
	return string(content), 0
}

// decide judges a message and chooses the answer: a fault if it breaks a rule, as
// with `ward serve`, or else what its number stands for.
func (r *Run) decide(request *http.Request, client *clients.Client, body string, m *message) (reply, error) {
	expect := r.config.Expect
	expect.Now = r.config.Now()
	expect.Usernames, expect.AuditIdentities, expect.ASID = client.Usernames, client.AuditIdentities, client.ASID
	read, err := itk.ReadRequest(body, r.config.Limits.Body, request.Header.Get("SOAPAction"), expect)
	s := r.scene(client, read)
	if err != nil {
		fault := itk.Internal()
		errors.As(err, &fault)
		m.broken, m.diagnostic = fault.At(), fault.Diagnostic
		return s.faults(fault)
	}
	m.plainID = hl7.IsUUID(read.MessageID)
	m.hint = strings.Contains(body, "schemaLocation")
	m.messageID, m.trackingID = read.MessageUUID, read.TrackingID
	if read.Invalid != nil {
		m.invalid = read.Invalid.Rule
	} else {
		m.author = client.Refuses(read.Query.Author, read.AuditIdentities)
		m.situation = r.find(read.Query.Number)
		m.unlisted = m.situation < 0
	}
	m.reused = r.remember(m.messageID, m.trackingID, read.Query.ID)
	switch {
	case m.reused == "message id" || m.reused == "tracking id":
		return s.faults(itk.Replayed())
	case m.invalid != "" || m.unlisted:
		return s.tells(cpis.Failed(cpis.InputInvalid, ""))
	case m.author != "":
		return s.tells(cpis.Failed(cpis.AuthorRejected, ""))
	default:
		m.served = true
		return r.situations[m.situation].answer(s)
	}
}

// refuse answers without a body and reads no more of the connection.
func (r *Run) refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	control := http.NewResponseController(w)
	control.SetWriteDeadline(time.Now().Add(r.config.Limits.WriteTimeout))
	w.WriteHeader(status)
	// net/http would otherwise read what is left of the body, to throw it away.
	control.SetReadDeadline(time.Now())
}

// deliver answers in the manner that the reply asks for, and notes whether the client
// was still there.
func (r *Run) deliver(w http.ResponseWriter, request *http.Request, m *message, reply reply) {
	wait := time.Duration(0)
	switch reply.manner {
	case slowly:
		wait = r.config.Slow
	case never:
		wait = r.config.GiveUp
	}
	if wait > 0 {
		select {
		case <-request.Context().Done():
			m.gaveUp = true
			return
		case <-r.stopping:
			r.hangUp(w)
			return
		case <-time.After(wait):
		}
	}
	m.gaveUp = request.Context().Err() != nil
	if reply.manner == closed || reply.manner == never {
		r.hangUp(w)
		return
	}
	m.status = reply.status
	r.send(w, reply)
}

// send writes a reply, or the first half of one that is to be cut off: net/http closes
// a connection on which less was written than was declared.
func (r *Run) send(w http.ResponseWriter, reply reply) {
	header := w.Header()
	for name, values := range reply.header {
		header[name] = values
	}
	if header.Get("Content-Type") == "" && len(reply.content) > 0 {
		header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	header.Set("Content-Length", strconv.Itoa(len(reply.content)))
	header.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	err := control.SetWriteDeadline(time.Now().Add(r.config.Limits.WriteTimeout))
	if err != nil {
		return
	}
	w.WriteHeader(reply.status)
	content := reply.content
	if reply.manner == cutOff {
		content = content[:len(content)/2]
	}
	w.Write(content)
	control.Flush()
}

// hangUp closes the connection without an answer.
func (r *Run) hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		connection.Close()
	}
}

// log tells whoever runs the test what came, in fixed words: no number and no text of
// the message.
func (r *Run) log(request *http.Request, m message) {
	situation := "none"
	if m.situation >= 0 {
		situation = r.situations[m.situation].id
	}
	r.config.Logger.Info("message received", "event", "conform.message", "situation", situation, "status", m.status,
		"wrong", m.wrong(), "gave_up", m.gaveUp, "tls", tls.VersionName(request.TLS.Version),
		"message_id", m.messageID, "tracking_id", m.trackingID, "elapsed_ms", float64(r.config.Now().Sub(m.at).Microseconds())/1000)
}

// wrong says in fixed words what is wrong with a message, "nothing" if nothing is.
func (m message) wrong() string {
	ids := itk.RuleIDs()
	switch {
	case m.form != "":
		return m.form
	case m.broken >= 0 && m.broken < len(ids):
		return "rule " + ids[m.broken] + ": " + m.diagnostic
	case m.invalid != "":
		return "payload: " + m.invalid
	case m.author != "":
		return "author: " + m.author
	case m.reused != "":
		return "an earlier message had the same " + m.reused
	case m.unlisted:
		return "the number is not on the list"
	default:
		return "nothing"
	}
}
