// Package stage sets up everything on one machine: throw-away certificates,
// configuration files, the simulator, and a place for the provider. The
// demonstration, the tests and the benchmarks stand on it; no production program
// does.
package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/testpki"
)

// The parties of the stage. All are invented.
const (
	ProviderODS   = "Y99"
	ProviderASID  = "200000000183"
	ClientName    = "demo-ed"
	ClientODS     = "RXX"
	ClientASID    = "200000000290"
	Username      = "demo-ed-system"
	AuditIdentity = "urn:nhs-uk:identity:ods:RXX:ed-nurse-0042"

	// OtherUsername is registered for another client.
	OtherUsername = "demo-maternity-system"
)

// Options say what differs from one stage to another.
type Options struct {
	Dir      string        // everything is kept here; it must exist
	Address  string        // of the provider; a free port on loopback if empty
	Budget   time.Duration // for one question; 9 s
	Generate int           // synthetic children besides the cast
	Pattern  string        // of the Spine: "sync", "async", or "sds", as the directory says; what WARD_PATTERN says, or sync
	Listed   string        // pattern that the directory's record names: "sync" or "async"; the Pattern, async with "sds"
	SpineTLS string        // highest version towards the Spine, "1.2" or "1.3"; 1.2
	Postgres string        // connection URL of the database of the audit log; SQLite if empty
	Replicas []string      // names of more instances of the provider, which share that database
	// Directory is what the provider asks: "" for none, "fhir" for that of the platform,
	// "ldap" for the one that a test runs, see LDAP; fhir with the Pattern "sds".
	Directory string
	// Demographics lets the platform verify the numbers that the client asks about.
	Demographics bool
	// Simulator and Platform may change the configuration of either before it is made.
	Simulator func(*spinesim.Config)
	Platform  func(*platform.Config)
	// Questions are how many its one client may have under way; 256.
	Questions int
	// Ward, Limits, SpineSettings and Client are TOML that is added to the provider's
	// configuration: at its end, to its limits, to its section of the Spine, and to its
	// one client.
	Ward, Limits, SpineSettings, Client string
}

// Stage is a set stage with a running simulator.
type Stage struct {
	Dir       string
	URL       string // of the provider's endpoint
	Address   string // of the provider
	Pattern   string // in which the Spine is asked, whoever says so: sync or async
	Directed  bool   // it is the directory that says where and how
	Simulator *spinesim.Simulator
	Platform  *platform.Platform // nil if the provider asks neither directory nor demographics
	Authority *testpki.Authority
	Replicas  []*Stage // the same, each with another instance of the provider

	instance string // name of the provider; "" if it is the only one, or the first
	replies  string // address at which it takes the Spine's asynchronous replies
}

func (o Options) withDefaults() Options {
	o.Budget = cmp.Or(o.Budget, 9*time.Second)
	o.SpineTLS = cmp.Or(o.SpineTLS, "1.2")
	o.Questions = cmp.Or(o.Questions, 256)
	o.Pattern = cmp.Or(o.Pattern, os.Getenv("WARD_PATTERN"), "sync")
	if o.Pattern == "sds" {
		o.Listed, o.Directory = cmp.Or(o.Listed, "async"), cmp.Or(o.Directory, "fhir")
	}
	o.Listed = cmp.Or(o.Listed, o.Pattern)
	return o
}

// Set writes the files and starts the simulator.
func Set(o Options) (*Stage, error) {
	authority, err := testpki.New(time.Now())
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Stage{Dir: o.Dir, Authority: authority, Pattern: o.Listed, Directed: o.Pattern == "sds"}
	s.Address, err = resolve(o.Address)
	if err != nil {
		return nil, err
	}
	s.URL = urlOf(s.Address)
	s.replies, err = FreeAddress()
	if err != nil {
		return nil, err
	}
	err = s.issue()
	if err != nil {
		return nil, err
	}
	err = s.startSimulator(o)
	if err != nil {
		return nil, err
	}
	err = s.startPlatform(o)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Replicas {
		replica := *s
		replica.instance = name
		replica.Address, err = FreeAddress()
		if err != nil {
			return nil, err
		}
		replica.URL = urlOf(replica.Address)
		replica.replies, err = FreeAddress()
		if err != nil {
			return nil, err
		}
		s.Replicas = append(s.Replicas, &replica)
	}
	return s, errors.Join(s.makeAuditKeys(), s.writeFiles(o), s.expectReplies())
}

// expectReplies tells the simulator where each instance takes replies, in turn.
func (s *Stage) expectReplies() error { return s.Simulator.SetReplyURLs(s.replyURLs()...) }

func (s *Stage) replyURLs() []string {
	var urls []string
	for _, each := range append([]*Stage{s}, s.Replicas...) {
		urls = append(urls, "https://"+each.replies+"/replies")
	}
	return urls
}

// SpineURL is where the simulator takes questions in this stage's pattern.
func (s *Stage) SpineURL() string {
	if s.Pattern == "async" {
		return s.Simulator.AsyncURL()
	}
	return s.Simulator.URL()
}

// Children is the simulator's cast, with the codes that belong to this stage's pattern.
func (s *Stage) Children(limit int) []spinesim.ChildView {
	children := s.Simulator.Children(limit)
	for i := range children {
		if s.Pattern == "async" {
			children[i].Code = children[i].AsyncCode
		}
	}
	return children
}

func urlOf(address string) string { return "https://" + address + "/smsp/cpis" }

// resolve gives an address with port 0 a real one, and checks that it is free.
func resolve(address string) (string, error) {
	if address == "" {
		return FreeAddress()
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (s *Stage) issue() error {
	err := s.Authority.WriteRoot(s.Dir, "ca")
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(host); ip != nil {
		addresses = append(addresses, ip)
	}
	for name, request := range map[string]testpki.Request{
		"ward":       {CommonName: "smsp.example.invalid", DNSNames: []string{"smsp.example.invalid", "localhost"}, IPs: addresses, Server: true},
		"ward-spine": {CommonName: "smsp-out.example.invalid", DNSNames: []string{"smsp-out.example.invalid"}, Client: true},
		"spinesim":   {CommonName: "simulator.example.invalid", DNSNames: []string{"simulator.example.invalid", "localhost"}, IPs: addresses, Server: true, Client: true},
		"client":     {CommonName: "ed.example.invalid", DNSNames: []string{"ed.example.invalid"}, Client: true},
	} {
		pair, err := s.Authority.Issue(request)
		if err != nil {
			return err
		}
		err = pair.WriteFiles(s.Dir, name)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) makeAuditKeys() error {
	signer, verifier, err := audit.GenerateKey("smsp.example.invalid/audit", rand.Reader)
	if err != nil {
		return err
	}
	sealing, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		return err
	}
	index, err := seal.GenerateIndexKey(rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(s.Dir, "sealing-key"), []byte(sealing+"\n"), 0o600),
		os.WriteFile(filepath.Join(s.Dir, "index-key"), []byte(index+"\n"), 0o600),
		os.WriteFile(filepath.Join(s.Dir, "audit-key"), []byte(signer+"\n"), 0o600),
		os.WriteFile(filepath.Join(s.Dir, "audit-key.pub"), []byte(verifier+"\n"), 0o644),
		os.MkdirAll(filepath.Join(s.Dir, "checkpoints"), 0o755),
	)
}

// WardConfig and ClientConfig are the paths of the configuration files.
func (s *Stage) WardConfig() string   { return filepath.Join(s.Dir, s.file("ward")) }
func (s *Stage) ClientConfig() string { return filepath.Join(s.Dir, s.file("client")) }

// file is the name of a configuration file of this instance.
func (s *Stage) file(name string) string {
	if s.instance != "" {
		name += "-" + s.instance
	}
	return name + ".toml"
}

// StartProvider runs the provider in this process.
func (s *Stage) StartProvider(ctx context.Context, logger *slog.Logger) (*provider.Provider, error) {
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		return nil, err
	}
	return provider.Start(ctx, settings, logger, "stage")
}

// Close stops the simulator and the platform.
func (s *Stage) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.Platform == nil {
		return s.Simulator.Close(ctx)
	}
	return errors.Join(s.Simulator.Close(ctx), s.Platform.Close(ctx))
}

// simulatorPair is the certificate that the simulators show.
func (s *Stage) simulatorPair() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(filepath.Join(s.Dir, "spinesim.pem"), filepath.Join(s.Dir, "spinesim-key.pem"))
}

func (s *Stage) startSimulator(o Options) error {
	pair, err := s.simulatorPair()
	if err != nil {
		return err
	}
	c := spinesim.Config{
		ManagementAddress: "127.0.0.1:0",
		Certificate:       pair,
		ClientCAs:         s.Authority.RootPEM(),
		Generate:          o.Generate,
	}
	if o.Simulator != nil {
		o.Simulator(&c)
	}
	s.Simulator, err = spinesim.New(c)
	if err != nil {
		return fmt.Errorf("the simulator: %w", err)
	}
	return s.Simulator.Start()
}
