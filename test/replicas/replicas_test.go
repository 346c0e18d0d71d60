//go:build postgres

// Package replicas runs several real providers over one PostgreSQL database, kills
// them and the database, cuts the connections between them, and holds what they told
// and asked against the log that they share (WRD-AUD-04 to WRD-AUD-06, WRD-OPS-01).
package replicas_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// program is the path of the provider's, which all tests run.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ward-replicas-")
	if err == nil {
		defer os.RemoveAll(dir)
		program, err = stage.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// campaignEnv sets for how long the replicas are disturbed.
const campaignEnv = "WARD_REPLICAS"

func campaignFor(t *testing.T) time.Duration {
	t.Helper()
	value := os.Getenv(campaignEnv)
	if value == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		t.Fatalf("%s must be a time such as 10m", campaignEnv)
	}
	return d
}

// cluster is one database, before which stands a proxy, and the providers over it.
type cluster struct {
	server    *pgtest.Server
	proxy     *pgtest.Proxy
	stage     *stage.Stage
	instances []*stage.Stage
	processes []*stage.Process
	random    *rand.Rand
	recovered bool // a provider that was killed left questions open
}

// three are the options of a cluster of three.
func three() stage.Options {
	return stage.Options{
		Generate:  1000, // of other children no record is held
		Replicas:  []string{"second", "third"},
		Simulator: func(config *spinesim.Config) { config.KeepQueries = 1_000_000 },
	}
}

func newCluster(t *testing.T, options stage.Options) *cluster {
	t.Helper()
	c := &cluster{}
	var err error
	c.server, err = pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.server.Close() })
	c.proxy, err = c.server.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.proxy.Close() })
	direct, err := c.server.Database()
	if err != nil {
		t.Fatal(err)
	}
	url, err := c.proxy.URL(direct)
	if err != nil {
		t.Fatal(err)
	}
	options.Dir, options.Postgres = t.TempDir(), url
	c.stage, err = stage.Set(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stage.Close() })
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c.random = rand.New(rand.NewPCG(seed, 0))
	c.instances = append([]*stage.Stage{c.stage}, c.stage.Replicas...)
	c.processes = make([]*stage.Process, len(c.instances))
	for i := range c.instances { // all at once, over an empty database
		c.start(t, i)
	}
	for _, process := range c.processes {
		err := process.WaitServing()
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	process, err := c.instances[i].StartProcess(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	c.processes[i] = process
}

// stop stops all processes in order. One whose database was away for its last entries
// may say so.
func (c *cluster) stop(t *testing.T) {
	t.Helper()
	for _, process := range c.processes {
		err := process.Stop()
		if err != nil {
			t.Error(err)
		}
	}
}

// recover runs `ward audit recover`.
func (c *cluster) recover(name string) (string, error) {
	out, err := exec.Command(program, "audit", "recover", "-config", c.stage.WardConfig(), "-instance", name).CombinedOutput()
	return string(out), err
}

// TestThreeReplicasShareOneLog asks three providers at once, and sends messages again
// to another one than first, while by turns one provider is killed and started again,
// the database crashes and comes back, and the connections to it are cut.
//
//   - Every answer that a client received whole has its outcome in the log (WRD-AUD-05).
//   - Every question that reached the Spine has its intent in the log (WRD-AUD-04).
//   - No question reached the Spine twice, whichever provider was sent it (WRD-OPS-01,
//     WRD-VAL-16).
//   - Sequence numbers have no gap and none is there twice, and `ward audit verify`
//     succeeds (MSCA-AUD-03e, WRD-AUD-06).
//   - What a provider left open is closed by itself alone, at its next start, before it
//     records a new intent; nobody else touches it (WRD-AUD-05).
//   - Each provider answers again by itself once it can.
func TestThreeReplicasShareOneLog(t *testing.T) {
	c := newCluster(t, three())
	l := newLoad(t, c.instances)
	l.begin()
	disturbances := map[string]int{}
	end := time.Now().Add(campaignFor(t))
	kinds := []string{"kill", "crash", "cut each", "cut early"}
	// A kill can hit a moment at which the provider has no question under way.
	const most = 40
	for i := 0; i < len(kinds) || time.Now().Before(end) || i < most && !(c.recovered && l.refusedAgain()); i++ {
		time.Sleep(time.Second)
		kind := kinds[i%len(kinds)]
		c.disturb(t, kind)
		disturbances[kind]++
		l.answersEverywhere(t)
	}
	l.end()
	c.stop(t)
	if t.Failed() {
		return
	}
	err := c.stage.Verify(program)
	if err != nil {
		t.Fatal(err)
	}
	book := newLedger(c.stage)
	c.check(t, book, l.answers)
	c.closeAll(t, book)
	t.Logf("%v: %d answers delivered whole, %d failures told, %d questions at the Spine, %d entries, %d intents, %d of them recovered after a kill; %d messages sent again were refused",
		disturbances, len(l.answers), l.faults, len(c.stage.Simulator.Received()), book.next, len(book.intents), len(book.recovered), l.replayed)
	if len(l.answers) == 0 || l.replayed == 0 || len(book.recovered) == 0 {
		t.Error("a campaign in which nothing was under way, or nothing was sent again, proves nothing")
	}
}

// disturb does one thing, under load, and undoes it.
func (c *cluster) disturb(t *testing.T, kind string) {
	t.Helper()
	switch kind {
	case "kill":
		i := c.random.IntN(len(c.processes))
		c.processes[i].Kill()
		time.Sleep(300 * time.Millisecond)
		c.start(t, i)
		err := c.processes[i].WaitServing()
		if err != nil {
			t.Fatal(err)
		}
		c.recovered = c.recovered || c.processes[i].Logged("audit.recovered") > 0
	case "crash":
		err := c.server.Restart()
		if err != nil {
			t.Fatal(err)
		}
	case "cut each": // after some bytes more, each open connection and each new one
		var messages atomic.Int64
		every := int64(20 + c.random.IntN(200))
		c.proxy.Allow(func(m pgtest.Message) int {
			if messages.Add(1)%every == 0 {
				return m.Size / 2
			}
			return pgtest.Whole
		})
		time.Sleep(2 * time.Second)
		c.proxy.Allow(nil)
	case "cut early": // no connection gets far
		c.proxy.Allow(func(m pgtest.Message) int {
			left := m.Connection*997%30_000 - m.Before
			if left < m.Size {
				return max(0, left)
			}
			return pgtest.Whole
		})
		c.proxy.Cut()
		time.Sleep(2 * time.Second)
		c.proxy.Allow(nil)
	}
}

// check holds what was delivered and what the Spine was asked against the log.
func (c *cluster) check(t *testing.T, book *ledger, answers []answer) {
	t.Helper()
	err := book.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		err := book.confirm(a)
		if err != nil {
			t.Fatal(err)
		}
	}
	asked := map[string]bool{}
	for _, q := range c.stage.Simulator.Received() {
		if asked[q.QueryID] {
			t.Fatalf("the query %s reached the Spine twice", q.QueryID)
		}
		asked[q.QueryID] = true
		err := book.confirmIntent(q)
		if err != nil {
			t.Fatal(err)
		}
	}
	counted := c.stage.Simulator.Counters()
	if counted.Duplicates > 0 || counted.RequestsRead != int64(len(asked)) {
		t.Errorf("the Spine read %d requests, %d of them duplicates, and remembers %d queries", counted.RequestsRead, counted.Duplicates, len(asked))
	}
}

// closeAll closes what the outages of the database left open, as if no provider came
// back.
func (c *cluster) closeAll(t *testing.T, book *ledger) {
	t.Helper()
	left := map[string]int{}
	for _, intent := range book.open {
		left[intent.instance]++
	}
	book.final = true
	for _, each := range c.instances {
		name := each.Instance()
		out, err := c.recover(name)
		if err != nil || !strings.HasPrefix(out, fmt.Sprintf("%d question(s) of the instance %s ", left[name], name)) {
			t.Errorf("recover %s, of which %d questions are open: %v\n%s", name, left[name], err, out)
		}
	}
	err := book.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(book.open) > 0 {
		t.Errorf("%d questions are still open", len(book.open))
	}
	err = c.stage.Verify(program)
	if err != nil {
		t.Error(err)
	}
}

// `ward audit recover` takes the name of an instance over: a process that runs under it
// all the same asks and tells nothing more, and the others are not disturbed.
func TestRecoverFencesTheInstance(t *testing.T) {
	c := newCluster(t, three())
	l := newLoad(t, c.instances)
	for i := range c.instances {
		if !l.ask(i) {
			t.Fatalf("%s does not answer", c.instances[i].Instance())
		}
	}
	asked := len(c.stage.Simulator.Received())
	out, err := c.recover("third")
	if err != nil || !strings.HasPrefix(out, "0 question(s)") {
		t.Fatalf("recover: %v\n%s", err, out)
	}
	for i, want := range []bool{true, true, false} {
		if l.ask(i) != want {
			t.Errorf("%s answers: %v, want %v", c.instances[i].Instance(), !want, want)
		}
	}
	if n := len(c.stage.Simulator.Received()) - asked; n != 2 {
		t.Errorf("%d questions were asked, want 2", n)
	}
	err = c.processes[2].Stop()
	if err == nil || !strings.Contains(err.Error(), "another process has taken over the name") {
		t.Errorf("the process that was fenced stopped with %v", err)
	}
}
