package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// framing counts what happens on one connection. A request of which bytes came, but
// which never became one that a handler could see, was refused by net/http or was not
// completed: that is in the log too (WRD-AUD-08).
type framing struct {
	began atomic.Int64 // Unix milliseconds at which the newest request began
	open  atomic.Bool  // a request has begun that no handler has seen
}

type framingKey struct{}

// follow makes the framing of a new connection known to its requests and its states.
func (s *Server) follow(ctx context.Context, conn net.Conn) context.Context {
	f := &framing{}
	s.framings.Store(conn, f)
	return context.WithValue(ctx, framingKey{}, f)
}

// framed says that the request has become one.
func framed(r *http.Request) {
	f, ok := r.Context().Value(framingKey{}).(*framing)
	if ok {
		f.open.Store(false)
	}
}

// state follows the states of a connection.
func (s *Server) state(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive:
		f, ok := s.framings.Load(conn)
		if ok {
			f.(*framing).began.Store(s.config.Now().UnixMilli())
			f.(*framing).open.Store(true)
		}
	case http.StateClosed, http.StateHijacked:
		f, ok := s.framings.LoadAndDelete(conn)
		if ok && f.(*framing).open.Load() && !s.draining.Load() {
			s.refuseFraming(conn, time.UnixMilli(f.(*framing).began.Load()))
		}
	}
}

// refuseFraming records that no request came of what was sent.
func (s *Server) refuseFraming(conn net.Conn, began time.Time) {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return
	}
	x := &exchange{correlation: s.config.NewID(), received: began, r: &http.Request{RemoteAddr: conn.RemoteAddr().String()}}
	given := secured.ConnectionState().PeerCertificates
	if len(given) > 0 {
		x.certificate = given[0]
		x.client, _ = s.config.Register.Identify(given[0])
	}
	const reason = "HTTP that could not be read, or was not completed"
	if s.remarks.Allow() {
		s.config.Logger.Warn("a request was refused before it was one", "event", "connection.refused", "correlation", x.correlation,
			"remote", x.r.RemoteAddr, "client", x.name(), "reason", reason)
	}
	if !s.handshakes.Allow() {
		return
	}
	e := s.refused(x)
	e.Reason = reason
	s.record(context.Background(), e)
}
