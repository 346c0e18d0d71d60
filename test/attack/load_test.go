package attack_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

const (
	// memoryBound is how much memory the provider may ever have held under attack.
	memoryBound = 256 << 20

	goodRate     = 50 // questions a second of the good client
	goodUnderWay = 64 // questions of the good client at a time; beyond that its rate lags
	attackers    = 24
	strangers    = 4
)

// attackEnv sets for how long the service is attacked.
const attackEnv = "WARD_ATTACK"

func attackFor(t *testing.T) time.Duration {
	t.Helper()
	value := os.Getenv(attackEnv)
	if value == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		t.Fatalf("%s must be a time such as 10m", attackEnv)
	}
	return d
}

// siege is the program under attack, and a good client that asks meanwhile.
type siege struct {
	*stage.Stage
	process  *stage.Process
	client   *client.Client
	settings *config.ClientSettings
	children []spinesim.ChildView // each is asked about once by the good client
	attacker *attacker
	over     atomic.Bool
	attacks  atomic.Int64

	mu       sync.Mutex
	failures []error
}

// WRD-OPS-07, WRD-PERF-05, WRD-SEC-04, WRD-SEC-06, WRD-OPS-19: while one client's
// certificate is in the hands of attackers and strangers knock as well, every
// question of another client is asked once and answered with its own child's answer;
// every attack still ends as the table says, or is turned away for load; and the
// program stays within its memory and closes what it opened.
func TestGoodQuestionsUnderAttack(t *testing.T) {
	duration := attackFor(t)
	program, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := besiege(t, program, 2*int(duration.Seconds()+60)*goodRate)
	files, err := openFiles(strconv.Itoa(s.process.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var others sync.WaitGroup
	others.Go(func() { s.attackAll(duration) })
	asked := s.askAll()
	others.Wait()
	s.client.Close()
	if len(s.failures) > 0 {
		t.Errorf("%d failures, the first: %v", len(s.failures), errors.Join(s.failures[:min(len(s.failures), 10)]...))
	}
	s.checkOnce(t, asked)
	s.checkProcess(t, files)
	err = s.process.Stop()
	if err != nil {
		t.Error(err)
	}
	err = s.Verify(program)
	if err != nil {
		t.Error(err)
	}
	s.checkLog(t, asked)
	t.Logf("%d good questions beside %d attacks", len(asked), s.attacks.Load())
}

// besiege starts the program with a good client that has been answered once.
func besiege(t *testing.T, program string, children int) *siege {
	t.Helper()
	s := &siege{Stage: set(t, stage.Options{
		Generate: children,
		Budget:   30 * time.Second, // the machine may be slow
		Ward:     attackerTOML + "per_second = 200\nburst = 400\nquestions = 32",
	})}
	var err error
	s.process, err = s.StartProcess(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.process.Kill)
	err = s.process.WaitServing()
	if err != nil {
		t.Fatal(err)
	}
	s.settings, err = config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = client.New(client.Config{
		URL: s.URL, TLS: s.settings.TLS, Username: s.settings.Username,
		Organisation: s.settings.Organisation, Provider: s.settings.Provider,
		Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range s.Children(0) {
		if strings.HasPrefix(child.Situation, "generated") {
			s.children = append(s.children, child)
		}
	}
	s.attacker = newAttacker(t, s.Stage)
	s.attacker.crowded = true
	s.attacker.good = func() error { time.Sleep(time.Second); return nil } // it asks anyway
	s.attacker.reached = func(int) error { time.Sleep(200 * time.Millisecond); return nil }
	s.attacker.hold = func() func() { return func() {} } // it answers the good client
	return s
}

func (s *siege) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, err)
}

// attackAll has attackers and strangers at work for so long, and until every attack
// was made at least once.
func (s *siege) attackAll(duration time.Duration) {
	defer s.over.Store(true)
	var all []attack
	for _, g := range groups() {
		for _, a := range g.attacks {
			if !a.want.alone {
				all = append(all, a)
			}
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	end := time.Now().Add(duration)
	var next atomic.Int64
	var working sync.WaitGroup
	for range attackers {
		working.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(all) && time.Now().After(end) {
					return
				}
				s.attack(s.attacker, all[i%len(all)])
			}
		})
	}
	knock := attack{name: "a stranger", want: refused(403), does: says(func(m string) string { return post(m) })}
	for range strangers {
		working.Go(func() {
			for time.Now().Before(end) {
				s.attack(s.attacker.as(s.attacker.stranger), knock)
			}
		})
	}
	working.Wait()
}

func (s *siege) attack(by *attacker, a attack) {
	s.attacks.Add(1)
	err := a.by(by)
	if err != nil {
		s.fail(fmt.Errorf("attack %q: %w", a.name, err))
	}
}

// askAll asks about one child after the other at its rate, whatever became of the
// questions before (open loop), until the attack is over. It returns the children
// who were asked about.
func (s *siege) askAll() []spinesim.ChildView {
	places := make(chan struct{}, goodUnderWay)
	tick := time.NewTicker(time.Second / goodRate)
	defer tick.Stop()
	var all sync.WaitGroup
	n := 0
	for ; n < len(s.children) && !s.over.Load(); n++ {
		<-tick.C
		places <- struct{}{}
		child := s.children[n]
		all.Go(func() {
			defer func() { <-places }()
			err := s.ask(child)
			if err != nil {
				s.fail(fmt.Errorf("a good question: %w", err))
			}
		})
	}
	all.Wait()
	return s.children[:n]
}

// ask asks about a child and looks whether the answer is about it.
func (s *siege) ask(child spinesim.ChildView) error {
	number, err := cpis.ParseNHSNumber(child.NHSNumber)
	if err != nil {
		return err
	}
	r := s.client.Ask(context.Background(), client.Question{
		Number: number, Author: s.settings.Author, AuditIdentities: s.settings.AuditIdentities,
	})
	findings, ok := r.Answer.Findings()
	if !ok || len(findings.Records) != 1 {
		return fmt.Errorf("%s: %w", r.Answer.Outcome(), r.Cause)
	}
	subject := findings.Records[0].Subjects[0]
	if subject.Name.Part("family") != child.Family || findings.Records[0].LocalAuthority.ID.Extension != child.Records[0].AuthorityCode {
		return errors.New("the answer is another child's")
	}
	return nil
}

// checkOnce holds the simulator's count against what was asked (WRD-SAF-04).
func (s *siege) checkOnce(t *testing.T, asked []spinesim.ChildView) {
	t.Helper()
	n := s.Simulator.Counters()
	for _, child := range asked {
		if n.ByNumber[child.NHSNumber] != 1 {
			t.Errorf("a good question reached the Spine %d times", n.ByNumber[child.NHSNumber])
		}
	}
	if n.Duplicates != 0 {
		t.Errorf("%d questions reached the Spine twice", n.Duplicates)
	}
	if len(asked) == 0 || int(n.RequestsRead) == len(asked) {
		t.Error("nobody was attacked, or nobody attacked")
	}
}

// checkProcess looks at what the program holds, and whether it ever failed.
func (s *siege) checkProcess(t *testing.T, before int) {
	t.Helper()
	pid := strconv.Itoa(s.process.PID())
	const spineConnections = 64 // kept to the Spine: spine.connections
	files := 0
	settled := await(func() bool {
		var err error
		files, err = openFiles(pid)
		return err == nil && files <= before+spineConnections+fewFiles
	})
	if !settled {
		t.Errorf("%d file descriptors are open after the attack, %d before", files, before)
	}
	highest, err := highestMemory(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("highest memory %d MiB, %d file descriptors afterwards", highest>>20, files)
	if highest > memoryBound {
		t.Errorf("the program held %d MiB, its bound is %d MiB", highest>>20, memoryBound>>20)
	}
	for _, event := range []string{"panic", "audit.failed", "answer.failed"} {
		if n := s.process.Logged(event); n > 0 {
			t.Errorf("%s was logged %d times:\n%s", event, n, s.process.Tail())
		}
	}
}

// highestMemory is the most that a process ever held in memory, in bytes.
func highestMemory(pid string) (int, error) {
	content, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(content), "VmHWM:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	if !found {
		return 0, errors.New("the system does not say how much memory a process held")
	}
	n, err := strconv.Atoi(kilobytes)
	return n << 10, err
}

// checkLog finds exactly one outcome of each good question in the audit log.
func (s *siege) checkLog(t *testing.T, asked []spinesim.ChildView) {
	t.Helper()
	file, err := config.LoadAudit(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := stores.Read(t.Context(), file.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	outcomes := map[string]int{}
	for record, err := range audit.Entries(t.Context(), store, file.Keys, 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Entry.Kind == audit.Outcome && record.Entry.Client == stage.ClientName {
			outcomes[record.Entry.NHSNumber]++
		}
	}
	for _, child := range asked {
		if outcomes[child.NHSNumber] != 1 {
			t.Errorf("a good question has %d outcomes in the log", outcomes[child.NHSNumber])
		}
	}
}
