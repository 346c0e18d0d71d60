package replies

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/handshake"
	"github.com/wardsmsp/ward/internal/trust"
)

// Limits bound what the listener takes.
type Limits struct {
	Connections int           // open at a time
	PerAddress  int           // of them from one address
	Deliveries  int           // under way at a time
	Body        int           // bytes of a message
	Header      int           // bytes of an HTTP header
	Timeout     time.Duration // each: of the TLS handshake, to receive the header, the body, to send the answer
	IdleTimeout time.Duration // of a connection
}

// Config is what a Server needs.
type Config struct {
	TLS      *tls.Config  // must require and verify client certificates
	Trust    *trust.Lists // by which they are judged again at each request; may be nil
	Peers    []string     // who may deliver: "sha256:HEX", "spki:HEX" or "dns:NAME" of a certificate
	Path     string       // where messages are delivered
	Room     *Room
	Discards *Discards
	Log      Log
	Limits   Limits
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string // an upper-case UUID, never the same twice
}

// Server is the message handler to which the Spine delivers its replies: ebXML over
// HTTP and mutual TLS. It knows who delivers before it reads a byte of what is
// delivered.
type Server struct {
	config Config
	peers  map[string]bool
	http   *http.Server
	// Audit entries at a bounded rate: about callers who are not the Spine, about
	// refused handshakes, and about what the Spine sent that is not taken as a message.
	strangers, handshakes, unread *rate.Limiter
	remarks                       *rate.Limiter // log lines about refused connections

	underWay  chan struct{}
	draining  atomic.Bool
	delivered atomic.Uint64
}

// New returns a Server.
func New(config Config) *Server {
	s := &Server{
		config:     config,
		peers:      map[string]bool{},
		strangers:  rate.NewLimiter(1, 10),
		handshakes: rate.NewLimiter(1, 10),
		unread:     rate.NewLimiter(1, 10),
		remarks:    rate.NewLimiter(10, 100),
		underWay:   make(chan struct{}, config.Limits.Deliveries),
	}
	for _, peer := range config.Peers {
		s.peers[strings.ToLower(peer)] = true
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         protocols,
		ReadHeaderTimeout: config.Limits.Timeout,
		// For what net/http reads and writes when it refuses a request itself; the
		// handler sets deadlines of its own.
		ReadTimeout:    2 * config.Limits.Timeout,
		WriteTimeout:   2 * config.Limits.Timeout,
		IdleTimeout:    config.Limits.IdleTimeout,
		MaxHeaderBytes: config.Limits.Header,
		// net/http would answer OPTIONS * itself, to strangers too.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(config.Logger.With("event", "connection.refused").Handler(), slog.LevelWarn),
	}
	return s
}

// Serve answers connections of the listener until Shutdown, and then returns nil.
// It returns when nothing more will be recorded about a handshake.
func (s *Server) Serve(listener net.Listener) error {
	l := handshake.Listen(listener, handshake.Config{
		TLS:         s.config.TLS,
		Connections: s.config.Limits.Connections,
		PerAddress:  s.config.Limits.PerAddress,
		Timeout:     s.config.Limits.Timeout,
		Logger:      s.config.Logger,
		Remarks:     s.remarks,
		Entries:     s.handshakes,
		Record:      func(e audit.Entry) { s.record(context.Background(), e) },
		Now:         s.config.Now,
		NewID:       s.config.NewID,
	})
	err := s.http.Serve(l) // closes l
	l.Wait()
	if err == http.ErrServerClosed {
		return nil
	}
	return err
}

// Shutdown turns new deliveries away with 503, waits for those under way until ctx
// ends, and closes every connection (WRD-OPS-12). It belongs after the questions have
// ended: until then their replies come here.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return err
}

// Delivered is how many replies were handed to their questions.
func (s *Server) Delivered() uint64 { return s.delivered.Load() }

// record appends an entry although the peer may have gone.
func (s *Server) record(ctx context.Context, e audit.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := s.config.Log.Append(ctx, e)
	if err != nil {
		s.config.Logger.Error("an entry could not be recorded", "event", "audit.failed", "correlation", e.Correlation, "cause", err.Error())
	}
}
