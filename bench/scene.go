package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// scene is everything that the measurements stand on: folder, certificates,
// configuration, built programs, children, and requests.
type scene struct {
	options  options
	root     string // of the module
	dir      string
	remove   func()
	cores    cores
	stage    *stage.Stage
	settings *config.Settings
	client   *tls.Config // of the load generator
	children []child

	simulatorAddress string
	operations       string       // address of health and metrics; "" for none
	count            atomic.Int64 // of requests, so that no id is used twice

	// question is what Ward is sent; passed is what Ward then sends, and what the
	// others are sent.
	question, passed *form
	ward5, ward25    []byte // answers of Ward about one child of each kind
	spine5, spine25  []byte // replies of the simulator about the same
}

// child is a synthetic child of this bench.
type child struct {
	number   string
	accesses int // in each answer
}

// childCount children are asked about in turn. Every fourth has the longest history
// that there is.
const (
	childCount = 64
	fewAccess  = 5
	mostAccess = 25
)

// cores says which cores whom is bound to, in the notation of taskset; empty for
// no binding.
type cores struct {
	contender, others string
	contenders        int // number of cores
}

func (c cores) String() string {
	if c.contender == "" {
		return fmt.Sprintf("nothing is bound to a core: %d core(s) are shared by all", c.contenders)
	}
	return fmt.Sprintf("the contender alone on core %s, simulator and load generator on core(s) %s", c.contender, c.others)
}

func setScene(ctx context.Context, o options) (*scene, error) {
	s := &scene{options: o, cores: cores{contenders: runtime.NumCPU()}, remove: func() {}}
	err := s.prepare(ctx)
	if err == nil {
		err = s.dress(ctx)
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// prepare makes the folder and the programs.
func (s *scene) prepare(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("the bench must run inside the module: %w", err)
	}
	s.root = strings.TrimSpace(string(root))
	s.dir, err = os.MkdirTemp(s.options.dir, "ward-bench-")
	if err != nil {
		return err
	}
	s.remove = func() { os.RemoveAll(s.dir) }
	build := exec.CommandContext(ctx, "go", "build", "-o", s.dir+string(filepath.Separator), "./cmd/ward", "./cmd/spinesim")
	build.Dir = s.root
	said, err := build.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ward and spinesim cannot be built: %w\n%s", err, said)
	}
	return nil
}

// dress makes the files, and learns from Ward what it sends to the Spine.
func (s *scene) dress(ctx context.Context) error {
	var err error
	set := stage.Options{Dir: s.dir, SpineTLS: s.options.tls, Pattern: patternSync, Limits: "connections = 20000\nconnections_per_address = 20000"}
	if s.options.pattern != "" {
		err = s.forPattern(&set)
	}
	if err != nil {
		return err
	}
	// The simulator is started again and again at the same addresses.
	address, err := stage.FreeAddress()
	if err != nil {
		return err
	}
	management, err := stage.FreeAddress()
	if err != nil {
		return err
	}
	set.Simulator = func(c *spinesim.Config) { c.Address, c.ManagementAddress = address, management }
	s.stage, err = stage.Set(set)
	if err != nil {
		return err
	}
	// Only its address is needed: the simulator runs as a process of its own.
	s.simulatorAddress = s.stage.Simulator.Addr()
	err = s.stage.Close()
	if err != nil {
		return err
	}
	s.children = makeChildren()
	err = s.writeChildren()
	if err != nil {
		return err
	}
	s.settings, err = config.Load(s.stage.WardConfig())
	if err != nil {
		return err
	}
	s.client, err = s.clientTLS()
	if err != nil {
		return err
	}
	s.question, err = s.makeQuestion()
	if err != nil {
		return err
	}
	if s.options.pattern == "" {
		s.passed, err = s.tap(ctx)
	}
	return err
}

// makeChildren takes numbers that the simulator's own children leave free.
func makeChildren() []child {
	var all []child
	for i := 0; len(all) < childCount; i++ {
		for check := range 10 {
			number, err := cpis.ParseNHSNumber(fmt.Sprintf("99905%04d%d", i, check))
			if err != nil || !number.CheckDigitValid() {
				continue
			}
			c := child{number: number.Digits(), accesses: fewAccess}
			if len(all)%4 == 3 {
				c.accesses = mostAccess
			}
			all = append(all, c)
		}
	}
	return all
}

// writeChildren adds the children to the simulator's configuration. The first
// question adds one access to the history; later ones by the same asker do not.
func (s *scene) writeChildren() error {
	f, err := os.OpenFile(s.path("spinesim.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(f, "tls_max = %q\n", s.options.tls)
	for i, c := range s.children {
		fmt.Fprintf(f, "[[children]]\nnhs_number = %q\ngiven = \"Bench%d\"\nfamily = \"Measure\"\nbirth = \"-%dd\"\nsituation = \"for the bench\"\nearlier_accesses = %d\n",
			c.number, i, 1500+i, c.accesses-1)
		fmt.Fprintf(f, "[[children.records]]\nauthority = { code = \"E09X1\", name = \"Westmarch Borough Council\", office_hours = \"tel:02079460101\", emergency_duty = \"tel:02079460102\" }\nlocal_id = \"WBC-%06d\"\nplans = [{ type = \"CPP\", start = \"-95d\" }]\n", i)
	}
	return f.Close()
}

func (s *scene) clientTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.path("client.pem"), s.path("client-key.pem"))
	if err != nil {
		return nil, err
	}
	anchors := x509.NewCertPool()
	anchors.AppendCertsFromPEM(s.stage.Authority.RootPEM())
	version := tlsVersion(s.options.tls)
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      anchors,
		ServerName:   "smsp.example.invalid",
		MinVersion:   version,
		MaxVersion:   version,
	}, nil
}

func tlsVersion(name string) uint16 {
	if name == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// pin binds this process, which is the load generator, to every core but the
// first. Processes started later are bound by whoever starts them.
func (s *scene) pin(ctx context.Context) error {
	_, err := exec.LookPath("taskset")
	if !s.options.pin || err != nil || runtime.NumCPU() < 2 {
		return nil
	}
	last := runtime.NumCPU() - 1
	s.cores = cores{contender: "0", others: "1", contenders: 1}
	if last > 1 {
		s.cores.others = "1-" + strconv.Itoa(last)
	}
	said, err := exec.CommandContext(ctx, "taskset", "-a", "-p", "-c", s.cores.others, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the load generator cannot be bound to its cores: %w: %s", err, said)
	}
	runtime.GOMAXPROCS(last)
	return nil
}

// verifyLog has Ward verify its whole audit log, and returns what it says.
func (s *scene) verifyLog(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, s.path("ward"), "audit", "verify", "-config", s.stage.WardConfig()).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the audit log does not verify after the load: %w: %s", err, said)
	}
	text := strings.TrimSpace(string(said))
	if text == "" {
		return "", errors.New("ward audit verify said nothing")
	}
	return text, nil
}
