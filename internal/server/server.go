// Package server is the client-facing listener: mutual TLS, admission, limits, and
// the one endpoint of the service. It knows who is calling before it reads a byte
// of what they say.
package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/handshake"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/trust"
)

// Path is where the service answers.
const Path = "/smsp/cpis"

// Limits bound what the server takes.
type Limits struct {
	Connections   int           // open at a time
	PerAddress    int           // of them from one address
	Questions     int           // under way at a time
	Body          int           // bytes of a request
	Header        int           // bytes of an HTTP header
	HeaderTimeout time.Duration // also of the TLS handshake
	BodyTimeout   time.Duration
	WriteTimeout  time.Duration
	IdleTimeout   time.Duration
	PerSecond     float64 // questions of all clients together
	Burst         int
	RetryAfter    time.Duration // told to those who are turned away
}

// Config is what a Server needs.
type Config struct {
	TLS      *tls.Config  // must require and verify client certificates
	Trust    *trust.Lists // by which they are judged again on open connections; may be nil
	Register *clients.Register
	Gateway  *gateway.Gateway
	Log      gateway.Log
	Limits   Limits
	Expect   itk.Expectations // all but what belongs to a client and a moment
	Provider string           // our ODS code
	Codes    cpis.Codes
	// Documents describe the service, each under the query that asks for it.
	Documents map[string][]byte
	// Place takes a place for a question on its way to the Spine, before anything of it
	// is read, so that a slow Spine does not hold more than it may. Nil if there are
	// always some.
	Place func() (leave func(), ok bool)
	// Spend takes a question of a client from the budgets of the ASIDs that it is asked
	// under, and reports whether it may be asked (TOM-DE-03b). Nil if there are none.
	Spend  func(*clients.Client) bool
	Meter  Meter // nil if nothing is counted
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string // an upper-case UUID, never the same twice
}

// Server answers clients.
type Server struct {
	config Config
	http   *http.Server
	all    *rate.Limiter
	// Audit entries at a bounded rate: about requests under a certificate that is not
	// registered or no longer good, about refused handshakes, in which nobody has
	// proved a key, and about requests turned away for load.
	strangers, handshakes, throttled *rate.Limiter
	remarks                          *rate.Limiter // log lines about refused connections
	framings                         sync.Map      // of the open connections, by net.Conn

	underWay chan struct{}
	draining atomic.Bool
}

// New returns a Server.
func New(config Config) *Server {
	if config.Place == nil {
		config.Place = func() (func(), bool) { return func() {}, true }
	}
	if config.Spend == nil {
		config.Spend = func(*clients.Client) bool { return true }
	}
	if config.Meter == nil {
		config.Meter = uncounted{}
	}
	s := &Server{
		config:     config,
		all:        rate.NewLimiter(rate.Limit(config.Limits.PerSecond), config.Limits.Burst),
		strangers:  rate.NewLimiter(1, 10),
		handshakes: rate.NewLimiter(1, 10),
		remarks:    rate.NewLimiter(10, 100),
		throttled:  rate.NewLimiter(1, 10),
		underWay:   make(chan struct{}, config.Limits.Questions),
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         protocols,
		ReadHeaderTimeout: config.Limits.HeaderTimeout,
		// For what net/http reads and writes when it refuses a request itself; the
		// handler sets deadlines of its own.
		ReadTimeout:    config.Limits.HeaderTimeout + config.Limits.BodyTimeout,
		WriteTimeout:   config.Limits.HeaderTimeout + config.Limits.WriteTimeout,
		IdleTimeout:    config.Limits.IdleTimeout,
		MaxHeaderBytes: config.Limits.Header,
		ConnContext:    s.follow,
		ConnState:      s.state,
		// net/http would answer OPTIONS * itself, to strangers too.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(config.Logger.With("event", "connection.refused").Handler(), slog.LevelWarn),
	}
	return s
}

// Serve answers connections of the listener until Shutdown, and then returns nil.
// It returns when nothing more will be recorded about a handshake.
func (s *Server) Serve(listener net.Listener) error {
	h := handshake.Listen(listener, handshake.Config{
		TLS:         s.config.TLS,
		Connections: s.config.Limits.Connections,
		PerAddress:  s.config.Limits.PerAddress,
		Timeout:     s.config.Limits.HeaderTimeout,
		Logger:      s.config.Logger,
		Remarks:     s.remarks,
		Entries:     s.handshakes,
		Record:      func(e audit.Entry) { s.record(context.Background(), e) },
		Now:         s.config.Now,
		NewID:       s.config.NewID,
	})
	err := s.http.Serve(h) // closes h
	h.Wait()
	if err == http.ErrServerClosed {
		return nil
	}
	return err
}

// Shutdown turns new requests away with 503, waits for those under way until ctx
// ends, and closes every connection (WRD-OPS-12).
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.waitForQuestions(ctx)
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return err
}

// waitForQuestions takes every place, which succeeds when no question holds one.
// Meanwhile net/http still reads requests, so that they hear that nothing was asked.
func (s *Server) waitForQuestions(ctx context.Context) {
	for range cap(s.underWay) {
		select {
		case s.underWay <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// Draining reports whether Shutdown was called.
func (s *Server) Draining() bool { return s.draining.Load() }
