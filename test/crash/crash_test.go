// Package crash kills the real program at random moments under load, and holds
// what it told and what it asked against what it recorded (WRD-AUD-04 to
// WRD-AUD-06, WRD-SAF-04).
package crash_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// roundsEnv sets how often the program is killed.
const roundsEnv = "WARD_CRASH_ROUNDS"

func rounds(t *testing.T) int {
	t.Helper()
	value := os.Getenv(roundsEnv)
	switch {
	case value == "":
		return 8
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a positive number", roundsEnv)
	}
	return n
}

// campaign is one stage, one database and everything learnt over all rounds.
type campaign struct {
	kind    kind
	stage   *stage.Stage
	program string
	random  *rand.Rand
	numbers *stage.Numbers
	ledger  *ledger
	asked   map[string]bool // query ids that reached the Spine
	seen    int64           // sequence of the last query taken from the simulator

	born                   bool // a run has served, so that there is a log
	delivered, killedEarly int
	earlier                [][]byte // messages of the last round
	replayed               int      // messages that were sent again, and refused
}

// TestKilledAtAnyInstant kills the provider again and again with SIGKILL over a
// growing audit log. After each kill:
//
//   - every answer that a client received whole has its outcome in the log (WRD-AUD-05);
//   - every question that reached the Spine has its intent in the log (WRD-AUD-04);
//   - no question reached the Spine twice (WRD-SAF-04), although each round sends
//     messages of the round before again (WRD-VAL-16, WRD-VAL-17);
//   - `ward audit verify` succeeds (WRD-AUD-06);
//   - the checkpoint that was exported before the kill before is proved to be of the
//     first entries of the one exported last, and this of the first of the store's
//     (WRD-AUD-03);
//   - each intent that the kill left open is closed by exactly one "recovered"
//     entry of a later run, before that run records a new intent (WRD-AUD-05);
//   - a reply that nobody took is one to a question that was asked (WRD-SPN-17).
func TestKilledAtAnyInstant(t *testing.T) {
	program := build(t)
	for _, k := range append(kinds(), asynchronous()) {
		t.Run(k.name, func(t *testing.T) {
			n := rounds(t)
			n = min(n, max(6, n/k.share)) // fewer may all be killed before anything happens
			logs := (n + perLog - 1) / perLog
			for i := range logs {
				t.Run(fmt.Sprintf("log%d", i+1), func(t *testing.T) { newCampaign(t, program, k, 500*perLog).run(t, (n+i)/logs) })
			}
		})
	}
}

// perLog is how many rounds are over one log. Each verifies the whole of it, so that a
// long campaign would do little else.
const perLog = 100

// run kills the program n times, and up to three times as often until the kills have met
// something: a campaign in which nothing was under way proves nothing. Each of those is
// left more time than the one before, which a busy machine may need.
func (c *campaign) run(t *testing.T, n int) {
	began := time.Now()
	kills := 0
	for kills < n || kills < 3*n && !c.met() {
		kills++
		if kills > n {
			c.kind.longest = min(2*c.kind.longest, 10*time.Second)
		}
		err := c.round(t)
		if err != nil {
			t.Fatalf("round %d: %v", kills, err)
		}
	}
	err := c.finish(t)
	if err != nil {
		t.Fatalf("after the last round: %v", err)
	}
	l := c.ledger
	t.Logf("%d kills (%d before the program served) in %s: %d answers delivered whole, %d questions at the Spine, %d entries, %d intents, %d of them found open and recovered; %d replays refused, %d replies discarded",
		kills, c.killedEarly, time.Since(began).Round(time.Millisecond), c.delivered, len(c.asked), l.next, len(l.intents), l.recovered, c.replayed, l.discarded)
	if !c.met() {
		t.Error("the kills met no question under way, or no message was sent again")
	}
}

// met reports whether there was everything that the kills are to meet. In a campaign of
// few rounds there need not have been all of it.
func (c *campaign) met() bool {
	whole := c.kind.share == 1
	return len(c.asked) > 0 && c.ledger.recovered > 0 && (!whole || c.delivered > 0 && c.replayed > 0)
}

func build(t *testing.T) string {
	t.Helper()
	program, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func newCampaign(t *testing.T, program string, k kind, children int) *campaign {
	t.Helper()
	options := stage.Options{
		Dir:      t.TempDir(),
		Generate: children,
		Simulator: func(config *spinesim.Config) {
			config.KeepQueries = 50_000 // of one round, at most
		},
	}
	k.set(t, &options)
	s, err := stage.Set(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &campaign{
		kind:    k,
		stage:   s,
		program: program,
		random:  rand.New(rand.NewPCG(seed, 0)),
		numbers: new(stage.Numbers),
		ledger:  newLedger(s.Dir),
		asked:   map[string]bool{},
	}
}

// start starts the program over the log as it is. It does not outlive the test.
func (c *campaign) start(t *testing.T) (*stage.Process, error) {
	p, err := c.stage.StartProcess(c.program)
	if err != nil {
		return nil, err
	}
	t.Cleanup(p.Kill)
	return p, nil
}

// round starts the program over what the round before left behind, kills it a moment
// later, and checks. In one round of four the time runs from the start of
// the process, so that the kill can also hit opening and recovery.
func (c *campaign) round(t *testing.T) error {
	clients, err := newLoad(c.stage, c.numbers, c.earlier)
	if err != nil {
		return err
	}
	w, err := c.start(t)
	if err != nil {
		return err
	}
	early := c.random.IntN(4) == 0
	if !early {
		err = w.WaitServing()
		if err != nil {
			return err
		}
	}
	clients.begin(16 + c.random.IntN(17))
	time.Sleep(time.Millisecond + time.Duration(c.random.Int64N(int64(c.kind.longest))))
	w.Kill()
	answers := clients.end()
	c.earlier = clients.sent
	c.replayed += clients.replayed
	if w.Served() {
		c.born = true
	} else {
		c.killedEarly++
	}
	err = c.check(answers)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, w.Tail())
	}
	return nil
}

// check holds the answers and the simulator's evidence against the log, of which
// only the new entries are read, and lets the program verify the whole of it.
func (c *campaign) check(answers []answer) error {
	// Taken before the log is read: a request that the kernel still holds is
	// counted in the next round, by when its intent must be there all the same.
	queries := c.newQueries()
	// A program that was killed before it said that it serves, so perhaps before its log
	// was made, has as a rule neither told nor asked anything; if it has, there is a log.
	if !c.born && len(answers)+len(queries) == 0 {
		return nil
	}
	err := c.ledger.read()
	if err != nil {
		return err
	}
	for _, a := range answers {
		err = c.ledger.confirm(a)
		if err != nil {
			return err
		}
	}
	c.delivered += len(answers)
	for _, q := range queries {
		err = c.confirmQuery(q)
		if err != nil {
			return err
		}
	}
	return c.stage.Verify(c.program)
}

// newQueries lists the queries that the simulator received since the last call.
func (c *campaign) newQueries() []spinesim.Query {
	all := c.stage.Simulator.Received()
	i := len(all)
	for i > 0 && all[i-1].Sequence > c.seen {
		i--
	}
	if len(all) > 0 {
		c.seen = all[len(all)-1].Sequence
	}
	return all[i:]
}

func (c *campaign) confirmQuery(q spinesim.Query) error {
	if c.asked[q.QueryID] {
		return fmt.Errorf("the query %s reached the Spine twice", q.QueryID)
	}
	c.asked[q.QueryID] = true
	return c.ledger.confirmIntent(q)
}

// finish starts the program once more, stops it in order, and expects that no
// question is left open.
func (c *campaign) finish(t *testing.T) error {
	w, err := c.start(t)
	if err != nil {
		return err
	}
	err = w.WaitServing()
	if err != nil {
		return err
	}
	err = w.Stop()
	if err != nil {
		return err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err = c.check(nil)
		if err != nil {
			return err
		}
		// What the last program sent may still be on its way through the kernel.
		if c.stage.Simulator.Counters().RequestsRead == int64(len(c.asked)) || time.Now().After(end) {
			break
		}
	}
	if len(c.ledger.open) > 0 {
		return fmt.Errorf("%d questions are still open after a restart", len(c.ledger.open))
	}
	received := c.stage.Simulator.Counters()
	if received.Duplicates > 0 || received.RequestsRead != int64(len(c.asked)) {
		return fmt.Errorf("the Spine read %d requests, %d of them duplicates, and remembers %d queries",
			received.RequestsRead, received.Duplicates, len(c.asked))
	}
	return nil
}

// TestKilledWhileTheLogIsMade kills the program at its first start ever, 1 to 60 ms
// after it began. Whatever that leaves behind, the next start serves over it, and the
// log verifies (WRD-AUD-06).
func TestKilledWhileTheLogIsMade(t *testing.T) {
	program := build(t)
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			c := newCampaign(t, program, k, 0)
			for range max(1, rounds(t)/4) {
				err := c.firstStart(t)
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (c *campaign) firstStart(t *testing.T) error {
	err := c.forget()
	if err != nil {
		return err
	}
	first, err := c.start(t)
	if err != nil {
		return err
	}
	after := time.Duration(1+c.random.IntN(60)) * time.Millisecond
	time.Sleep(after)
	first.Kill()
	second, err := c.start(t)
	if err != nil {
		return err
	}
	err = second.WaitServing()
	if err != nil {
		return fmt.Errorf("after a first start killed after %s: %w", after, err)
	}
	err = second.Stop()
	if err != nil {
		return err
	}
	return c.stage.Verify(c.program)
}

// forget removes the log of the stage.
func (c *campaign) forget() error {
	return errors.Join(c.kind.forget(c.stage.Dir), removeAll(filepath.Join(c.stage.Dir, "checkpoints", "*")))
}

func removeAll(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range paths {
		err := os.Remove(path)
		if err != nil {
			return err
		}
	}
	return nil
}
