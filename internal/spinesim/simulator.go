// Package spinesim is a simulator of the Child Protection Information System
// (CP-IS) on the NHS Spine, for tests and demonstrations. It is the other side
// of Ward's wire and shares no codec with it: what one misreads, the other
// does not misread in the same way.
//
// It speaks the synchronous pattern over HTTP/1.1 and mutual TLS, applies the
// checks that Spine applies to a request, keeps synthetic children with their
// plans and access histories, counts the notifications that local authorities
// would have received, and misbehaves on request in every way that a client
// must survive. It never holds information about a real person and refuses a
// configuration that looks like production. docs/simulator.md describes it.
package spinesim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// TestASID is the accredited system id that stands for Spine in public test data.
const TestASID = "928942012545"

// DefaultPath is where queries are received unless the configuration says otherwise.
const DefaultPath = "/sync-service"

// maxConnections is how many connections are served at a time; further ones are
// closed at once.
const maxConnections = 10_000

// Refusal says how a request that violates one of Spine's checks is answered.
type Refusal string

// The two refusals.
const (
	RefuseWithFault Refusal = "fault"   // SOAP fault 200, the check's symbol in its description
	RefuseWithError Refusal = "mcci-ae" // MCCI_IN010000UK13 AE, the check's symbol as display name
)

// Config is everything a simulator needs. Zero values have the defaults that
// the comments give; Certificate and ClientCAs have none.
type Config struct {
	// Address is host:port of the protocol; default 127.0.0.1:0. A host that
	// is not loopback needs AllowNonLoopback.
	Address          string
	AllowNonLoopback bool

	// ManagementAddress is host:port of the management interface, which must be
	// loopback; empty for none.
	ManagementAddress string

	// Path of the query service; default DefaultPath.
	Path string

	// Certificate is the server's; ClientCAs is the PEM of the authorities whose
	// client certificates are accepted. MaxTLSVersion is tls.VersionTLS12 or
	// tls.VersionTLS13, the default.
	Certificate   tls.Certificate
	ClientCAs     []byte
	MaxTLSVersion uint16

	// ASID is the simulator's accredited system id; default TestASID.
	ASID string

	// Generate is the number of children added to the cast, each derived from
	// its number.
	Generate int

	// Seed fixes the message ids that the simulator makes; 0 for random ones.
	Seed uint64

	// Children are added to the cast; Scripts are played from the start and
	// again after each Reset.
	Children []Child
	Scripts  []Script

	// Refusal answers violated checks; default RefuseWithFault.
	Refusal Refusal

	// Delay is waited before every reply; default none.
	Delay time.Duration

	// KeepQueries and KeepNotifications bound the evidence kept (the newest);
	// default 200,000 each. KeepIDs bounds the memory of HL7 ids; default 1,000,000.
	KeepQueries, KeepNotifications, KeepIDs int

	// Clock gives the time; default time.Now. Log receives one line per start
	// and refusal to start; default none.
	Clock func() time.Time
	Log   *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.Path == "" {
		c.Path = DefaultPath
	}
	if c.MaxTLSVersion == 0 {
		c.MaxTLSVersion = tls.VersionTLS13
	}
	if c.ASID == "" {
		c.ASID = TestASID
	}
	if c.Refusal == "" {
		c.Refusal = RefuseWithFault
	}
	if c.KeepQueries == 0 {
		c.KeepQueries = 200_000
	}
	if c.KeepNotifications == 0 {
		c.KeepNotifications = 200_000
	}
	if c.KeepIDs == 0 {
		c.KeepIDs = 1_000_000
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Simulator is one simulated Spine. Its methods may be called from several
// goroutines.
type Simulator struct {
	cfg        Config
	tls        *tls.Config
	behaviours map[Behaviour]behaviour
	ids        *idSource
	store      *store
	scripts    *scripts
	evidence   *evidence
	seen       *idMemory
	previous   atomic.Pointer[message] // the question before the present one

	listener   net.Listener
	management *http.Server
	mgmtAddr   net.Addr
	connected  atomic.Uint64 // connections accepted so far, the source of their numbers

	mu      sync.Mutex
	closing bool
	conns   map[*conn]struct{}
	running sync.WaitGroup
	done    chan struct{} // closed when Close begins
}

// New makes a simulator that does not listen yet. It returns an error, a
// sentence, for a configuration that is incomplete or looks like production.
func New(cfg Config) (*Simulator, error) {
	cfg = cfg.withDefaults()
	clientCAs, err := guard(cfg)
	if err != nil {
		cfg.Log.Error("simulator refused its configuration", "error", err)
		return nil, err
	}
	behaviours := behavioursByName()
	s := &Simulator{
		cfg:        cfg,
		behaviours: behaviours,
		ids:        newIDSource(cfg.Seed),
		scripts:    newScripts(behaviours),
		evidence:   newEvidence(cfg.KeepQueries, cfg.KeepNotifications),
		seen:       newIDMemory(cfg.KeepIDs),
		conns:      map[*conn]struct{}{},
		done:       make(chan struct{}),
	}
	s.tls = &tls.Config{
		Certificates: []tls.Certificate{cfg.Certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clientCAs,
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   cfg.MaxTLSVersion,
		NextProtos:   []string{"http/1.1"},
	}
	s.store, err = newStore(cfg, behaviours)
	if err != nil {
		return nil, err
	}
	err = s.playConfigured()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Simulator) playConfigured() error {
	for _, script := range s.cfg.Scripts {
		err := s.Play(script)
		if err != nil {
			return err
		}
	}
	return nil
}

// Start listens and serves until Close. It may be called once.
func (s *Simulator) Start() error {
	if s.listener != nil {
		return errors.New("the simulator was started before")
	}
	listener, err := net.Listen("tcp", s.cfg.Address)
	if err != nil {
		return fmt.Errorf("listen for queries: %w", err)
	}
	s.listener = listener
	if s.cfg.ManagementAddress != "" {
		err = s.startManagement()
		if err != nil {
			listener.Close()
			return err
		}
	}
	s.running.Add(1)
	go s.accept()
	s.cfg.Log.Info("simulator started", "address", s.Addr(), "management", s.ManagementAddr())
	return nil
}

func (s *Simulator) accept() {
	defer s.running.Done()
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(5 * time.Millisecond): // out of descriptors: try again
				continue
			}
		}
		c := s.track(raw)
		if c == nil {
			raw.Close()
			continue
		}
		go func() {
			defer s.running.Done()
			defer s.forget(c)
			c.serve()
		}()
	}
}

// track returns nil when the simulator is closing or has too many connections.
func (s *Simulator) track(raw net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.conns) == maxConnections {
		return nil
	}
	c := &conn{sim: s, raw: raw, number: s.connected.Add(1)}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	return c
}

func (s *Simulator) forget(c *conn) {
	c.raw.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Close stops listening, lets replies in progress end until ctx does, and then
// cuts what remains. Stalled connections are cut at once.
func (s *Simulator) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.done)
	for c := range s.conns {
		if c.waiting.Load() {
			c.raw.Close()
		}
	}
	s.mu.Unlock()
	if s.listener != nil {
		s.listener.Close()
	}
	if s.management != nil {
		s.management.Close()
	}
	finished := make(chan struct{})
	go func() {
		s.running.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.raw.Close()
	}
	s.mu.Unlock()
	<-finished
	return ctx.Err()
}

// Addr is the protocol's host:port once started.
func (s *Simulator) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// ManagementAddr is the management interface's host:port once started, empty
// if there is none.
func (s *Simulator) ManagementAddr() string {
	if s.mgmtAddr == nil {
		return ""
	}
	return s.mgmtAddr.String()
}

// URL is where to send queries once started.
func (s *Simulator) URL() string {
	return "https://" + s.Addr() + s.cfg.Path
}

// Reset forgets queries, notifications, counters, message ids and every access
// since the start, and plays the configured scripts anew. Connections stay.
func (s *Simulator) Reset() error {
	s.scripts.clear()
	s.store.reset()
	s.evidence.reset()
	s.seen.reset()
	s.previous.Store(nil)
	return s.playConfigured()
}

var errTooLarge = errors.New("the message is larger than the limit")

// readAllLimited reads r to its end into buf, which it may reuse; errTooLarge
// beyond limit bytes.
func readAllLimited(r io.Reader, buf []byte, limit int) ([]byte, error) {
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return buf, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
