// Package platform simulates what stands on the national API platform and
// beside the Spine: the Spine Directory Service (SDS) over FHIR and as LDIF
// for a directory server, the token endpoint, the Personal Demographics
// Service (PDS) over FHIR, and the place where revocation lists are fetched.
//
// It is the other side of Ward's clients and shares no code with them. It is
// strict in what it accepts, keeps count of what it was asked, and fails on
// request in every way that a client must survive. It holds invented people
// alone and refuses a configuration that looks like production.
// docs/simulator.md describes it.
package platform

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Paths of the services, as on the national platform.
const (
	directoryPath = "/spine-directory/FHIR/R4"
	patientPath   = "/personal-demographics/FHIR/R4"
	tokenPath     = "/oauth2/token"
	crlPath       = "/crl"
)

// Limits of a connection.
const (
	maxConnections = 1_000
	maxHeaders     = 64 << 10
	maxBody        = 64 << 10 // bytes of a request's body
	requestTimeout = 30 * time.Second
	writeTimeout   = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
)

// Application is a client of the national platform.
type Application struct {
	APIKey string // of the header apikey, and iss and sub of an assertion

	// KeyID and PublicKey verify its assertions; empty for an application that
	// asks the directory alone. An application with two keys is listed twice.
	KeyID     string
	PublicKey *rsa.PublicKey // 2048 bits or more
}

// Config is everything a platform needs. Zero values have the defaults that
// the comments give; Certificate has none.
type Config struct {
	// Address is host:port of all services over TLS; default 127.0.0.1:0.
	// PlainAddress is host:port of the revocation lists over plain HTTP, as
	// they are fetched in fact; empty for none. A host that is not loopback
	// needs AllowNonLoopback.
	Address, PlainAddress string
	AllowNonLoopback      bool

	// ManagementAddress is host:port of the management interface, which must be
	// loopback; empty for none.
	ManagementAddress string

	// Certificate is the server's. The platform knows its clients by key and
	// token and asks for no certificate.
	Certificate tls.Certificate

	// Spine is the simulated Spine beside the platform: its children are known
	// to PDS too, and directory records without an address have its URL. Nil
	// for none.
	Spine *spinesim.Simulator

	Applications []Application

	// Directory holds the records of SDS; the Spine's own, SpineRecords, if it
	// has no system.
	Directory     Directory
	DirectoryMode Mode // default Strict

	// People are known to PDS besides People and the Spine's children. A person
	// given here comes before another of the same number.
	People []Person

	// TokenLife is how long a token is valid; default 599 s.
	TokenLife time.Duration

	// RateLimit is the number of PDS requests that an application may send in
	// any second; 0 for no limit. The real one is 5.
	RateLimit int

	// CRLs are revocation lists by name, in DER or PEM.
	CRLs map[string][]byte

	// Scripts are played from the start and again after each Reset.
	Scripts []Script

	// KeepRequests bounds the requests remembered (the newest); default 10,000.
	KeepRequests int

	// Clock gives the time; default time.Now. Log receives one line per start
	// and refusal to start; default none.
	Clock func() time.Time
	Log   *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if len(c.Directory.Systems) == 0 {
		spine := SpineRecords(SyncContract())
		c.Directory.Systems = spine.Systems
		c.Directory.Endpoints = append(spine.Endpoints, c.Directory.Endpoints...)
	}
	if c.DirectoryMode == "" {
		c.DirectoryMode = Strict
	}
	if c.TokenLife == 0 {
		c.TokenLife = 599 * time.Second
	}
	if c.KeepRequests == 0 {
		c.KeepRequests = 10_000
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Platform is one simulated platform. Its methods may be called from several
// goroutines.
type Platform struct {
	cfg       Config
	scripts   *scripts
	evidence  *evidence
	tokens    *tokens
	register  *register
	directory *directory
	lists     *lists

	mu        sync.Mutex
	started   bool
	servers   []*http.Server
	addresses [3]string // of TLS, plain HTTP and management
	open      atomic.Int64
	running   sync.WaitGroup
	done      chan struct{} // closed when Close begins
	closing   sync.Once
}

// New makes a platform that does not listen yet. It returns an error, a
// sentence, for a configuration that is incomplete or looks like production.
func New(cfg Config) (*Platform, error) {
	cfg = cfg.withDefaults()
	p, err := newPlatform(cfg)
	if err != nil {
		cfg.Log.Error("platform refused its configuration", "error", err)
		return nil, err
	}
	return p, nil
}

func newPlatform(cfg Config) (*Platform, error) {
	err := guard(cfg)
	if err != nil {
		return nil, err
	}
	p := &Platform{
		cfg:      cfg,
		scripts:  newScripts(),
		evidence: newEvidence(cfg.KeepRequests),
		tokens:   newTokens(cfg),
		lists:    newLists(),
		done:     make(chan struct{}),
	}
	p.register, err = newRegister(cfg)
	if err != nil {
		return nil, err
	}
	p.directory = &directory{mode: cfg.DirectoryMode, records: cfg.Directory}
	return p, p.playConfigured()
}

func (p *Platform) playConfigured() error {
	for name, list := range p.cfg.CRLs {
		err := p.SetCRL(name, list)
		if err != nil {
			return err
		}
	}
	for _, script := range p.cfg.Scripts {
		err := p.Play(script)
		if err != nil {
			return err
		}
	}
	return nil
}

// Start listens and serves until Close. It may be called once.
func (p *Platform) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return errors.New("the platform was started before")
	}
	p.started = true
	secure := &tls.Config{Certificates: []tls.Certificate{p.cfg.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	plain := http.NewServeMux()
	plain.HandleFunc(crlPath+"/{key}", p.serve(CRL, http.MethodGet, p.list))
	plain.HandleFunc("/", p.serve(Other, "", nowhere))
	for i, s := range []struct {
		address string
		tls     *tls.Config
		handler http.Handler
	}{
		{p.cfg.Address, secure, p.services()},
		{p.cfg.PlainAddress, nil, plain},
		{p.cfg.ManagementAddress, nil, http.NewCrossOriginProtection().Handler(p.managementHandler())},
	} {
		if s.address == "" {
			continue
		}
		var err error
		p.addresses[i], err = p.listen(s.address, s.tls, s.handler)
		if err != nil {
			for _, server := range p.servers {
				server.Close()
			}
			return err
		}
	}
	p.cfg.Log.Info("platform started", "address", p.addresses[0], "lists", p.addresses[1], "management", p.addresses[2])
	return nil
}

// services are all that the platform offers over TLS.
func (p *Platform) services() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(directoryPath+"/Device", p.serve(Device, http.MethodGet, p.device))
	mux.HandleFunc(directoryPath+"/Endpoint", p.serve(Endpoint, http.MethodGet, p.endpoint))
	mux.HandleFunc(tokenPath, p.serve(Token, http.MethodPost, p.token))
	mux.HandleFunc(patientPath+"/Patient/{key}", p.serve(Patient, http.MethodGet, p.patient))
	mux.HandleFunc(crlPath+"/{key}", p.serve(CRL, http.MethodGet, p.list))
	mux.HandleFunc("/", p.serve(Other, "", nowhere))
	return mux
}

func (p *Platform) listen(address string, secure *tls.Config, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", address, err)
	}
	bound := listener.Addr().String()
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		ConnState:         p.limitConnections,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // handshakes that clients break off
	}
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true) // a reset needs the connection to itself
	p.servers = append(p.servers, server)
	p.running.Go(func() {
		err := server.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			p.cfg.Log.Error("platform ended", "error", err)
		}
	})
	return bound, nil
}

// limitConnections closes what comes beyond the limit at once.
func (p *Platform) limitConnections(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if p.open.Add(1) > maxConnections {
			c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		p.open.Add(-1)
	}
}

// Close stops listening, lets replies in progress end until ctx does, and then
// cuts what remains. Stalled replies are cut at once.
func (p *Platform) Close(ctx context.Context) error {
	p.closing.Do(func() { close(p.done) })
	p.mu.Lock()
	servers := p.servers
	p.mu.Unlock()
	var failed error
	for _, server := range servers {
		err := server.Shutdown(ctx)
		if err != nil {
			failed = err
			server.Close()
		}
	}
	p.running.Wait()
	return failed
}

func (p *Platform) address(i int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addresses[i]
}

// Addr is host:port of the services over TLS once started.
func (p *Platform) Addr() string { return p.address(0) }

// ManagementAddr is the management interface's host:port once started, empty
// if there is none.
func (p *Platform) ManagementAddr() string { return p.address(2) }

// DirectoryURL is the base of SDS: Device and Endpoint are below it.
func (p *Platform) DirectoryURL() string { return "https://" + p.Addr() + directoryPath }

// PatientURL is the base of PDS: Patient is below it.
func (p *Platform) PatientURL() string { return "https://" + p.Addr() + patientPath }

// TokenURL is the token endpoint, the audience of assertions.
func (p *Platform) TokenURL() string { return "https://" + p.Addr() + tokenPath }

// CRLURL is where the list of that name is fetched: over plain HTTP if the
// platform serves that, else over TLS.
func (p *Platform) CRLURL(name string) string {
	plain := p.address(1)
	if plain != "" {
		return "http://" + plain + crlPath + "/" + name + ".crl"
	}
	return "https://" + p.Addr() + crlPath + "/" + name + ".crl"
}

// Reset forgets requests, counters, tokens and the ids of assertions, brings
// back the configured directory, mode and lists, and plays the configured
// scripts anew. Connections stay.
func (p *Platform) Reset() error {
	p.scripts.clear()
	p.evidence.reset()
	p.tokens.reset()
	p.lists.reset()
	p.directory.change(func(d *directory) { d.mode, d.records = p.cfg.DirectoryMode, p.cfg.Directory })
	return p.playConfigured()
}
