// Package spinesim is a simulator of the Child Protection Information System
// (CP-IS) on the NHS Spine, for tests and demonstrations. It is the other side
// of Ward's wire and shares no codec with it: what one misreads, the other
// does not misread in the same way.
//
// It speaks the synchronous pattern and the asynchronous one, which is ebXML, over
// HTTP/1.1 and mutual TLS, applies the
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
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxConnections is how many connections are served at a time; further ones are
// closed at once.
const maxConnections = 10_000

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
	arrived    *arrivals
	previous   atomic.Pointer[message] // the question before the present one
	chaos      *deck
	dispatch   *dispatch
	cut        context.CancelFunc // ends what is still being posted

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
	replyCAs, err := guardReplies(cfg)
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
		arrived:    newArrivals(cfg.KeepIDs),
		chaos:      newDeck(cfg.Chaos),
		conns:      map[*conn]struct{}{},
		done:       make(chan struct{}),
	}
	posting, cut := context.WithCancel(context.Background())
	s.cut = cut
	s.dispatch = newDispatch(cfg, replyCAs, posting, s.evidence.recordReply)
	err = s.setReplies(cfg.ReplyURLs, cfg.ReplyTo)
	if err != nil {
		return nil, err
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
		s.cut()
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.raw.Close()
	}
	s.mu.Unlock()
	s.cut()
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

// AsyncURL is where to send ebXML requests once started.
func (s *Simulator) AsyncURL() string {
	return "https://" + s.Addr() + s.cfg.AsyncPath
}

// Reset forgets queries, notifications, counters, message ids, replies that wait
// and every access since the start, and plays the configured scripts and chaos anew.
// Connections and reply URLs stay.
func (s *Simulator) Reset() error {
	s.scripts.clear()
	s.dispatch.forget()
	s.chaos.shuffle(s.cfg.Chaos)
	s.store.reset()
	s.evidence.reset()
	s.seen.reset()
	s.arrived.reset()
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
