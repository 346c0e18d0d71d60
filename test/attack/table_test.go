package attack_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// scene is a provider in this process, with an attacker and a good client.
type scene struct {
	*stage.Stage
	attacker *attacker
	settings *config.ClientSettings
	client   *client.Client
	files    int // descriptors held when nothing is going on
	seen     tally
}

// tally is what the simulator and the audit log have seen.
type tally struct{ read, intents, outcomes, undelivered int }

// fewFiles is by how many descriptors a quiet provider may differ from itself: the
// good client's connection and one to the Spine may be renewed.
const fewFiles = 4

// WRD-SEC-04, WRD-SEC-05, WRD-SEC-06: each attack ends as the table says; the Spine
// is asked as often as it says; the log verifies; nothing is left open; and a good
// client is answered over the connection that it had before.
func TestAttacks(t *testing.T) {
	for _, g := range groups() {
		t.Run(g.title, func(t *testing.T) {
			s := begin(t, g.limits)
			if g.together {
				s.suffer(t, g.attacks...)
				return
			}
			for _, a := range g.attacks {
				t.Run(a.name, func(t *testing.T) { s.suffer(t, a) })
			}
		})
	}
}

func begin(t *testing.T, limits string) *scene {
	t.Helper()
	var clock sync.RWMutex // a Spine that has read a question asks for the time
	s := &scene{Stage: set(t, stage.Options{
		Limits: limits,
		Ward:   attackerTOML + "per_second = 100000\nburst = 100000",
		Simulator: func(c *spinesim.Config) {
			c.Clock = func() time.Time {
				clock.RLock()
				defer clock.RUnlock()
				return time.Now()
			}
		},
	})}
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, running) })
	s.settings, err = config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = client.New(client.Config{
		URL: s.URL, TLS: s.settings.TLS, Username: s.settings.Username,
		Organisation: s.settings.Organisation, Provider: s.settings.Provider,
		Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.attacker = newAttacker(t, s.Stage)
	s.attacker.good = s.good
	s.attacker.hold = func() func() {
		clock.Lock()
		return clock.Unlock
	}
	s.attacker.reached = func(n int) error {
		if !await(func() bool { return int(s.Simulator.Counters().RequestsRead) >= s.seen.read+n }) {
			return fmt.Errorf("%d questions did not reach the Spine", n)
		}
		return nil
	}
	err = s.good()
	if err != nil {
		t.Fatal(err)
	}
	s.files, err = openFiles("self")
	if err != nil {
		t.Fatal(err)
	}
	s.seen = s.tally(t)
	return s
}

func stop(t *testing.T, running *provider.Provider) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	err := running.Stop(ctx)
	if err != nil {
		t.Errorf("stop: %v", err)
	}
}

// good asks a question as it should be asked.
func (s *scene) good() error {
	number, err := cpis.ParseNHSNumber(withPlan)
	if err != nil {
		return err
	}
	r := s.client.Ask(context.Background(), client.Question{
		Number: number, Author: s.settings.Author, AuditIdentities: s.settings.AuditIdentities,
	})
	if r.Answer.Outcome() != cpis.Found {
		return fmt.Errorf("a good question: %s: %w", r.Answer.Outcome(), r.Cause)
	}
	return nil
}

// suffer lets attacks happen at a time and looks at what is left of them.
func (s *scene) suffer(t *testing.T, attacks ...attack) {
	asked := 1
	s.attacker.good = func() error {
		asked++
		return s.good()
	}
	var all sync.WaitGroup
	var sum want
	for _, a := range attacks {
		all.Go(func() {
			err := a.by(s.attacker)
			if err != nil {
				t.Errorf("%s: %v", a.name, err)
			}
		})
		sum.asked += a.want.reaching()
		sum.undelivered = sum.undelivered || a.want.undelivered
	}
	all.Wait()
	s.settles(t)
	err := s.good()
	if err != nil {
		t.Error(err)
	}
	before := s.seen
	await(func() bool { // what is recorded after the end of a connection
		s.seen = s.tally(t)
		err = sum.met(tally{
			read:        s.seen.read - before.read - asked,
			intents:     s.seen.intents - before.intents - asked,
			outcomes:    s.seen.outcomes - before.outcomes - asked,
			undelivered: s.seen.undelivered - before.undelivered,
		})
		return err == nil
	})
	if err != nil {
		t.Error(err)
	}
}

// reaching is how many questions reach the Spine, with the one that shows that a
// connection is kept.
func (w want) reaching() int {
	if w.kept {
		return w.asked + 1
	}
	return w.asked
}

// settles waits until nothing of an attack is open, so that all of it has been dealt
// with.
func (s *scene) settles(t *testing.T) {
	t.Helper()
	files := 0
	settled := await(func() bool {
		var err error
		files, err = openFiles("self")
		return err == nil && files <= s.files+fewFiles
	})
	if !settled {
		t.Errorf("%d file descriptors are open, %d when it was quiet", files, s.files)
	}
}

// met holds what became of attacks against what is wanted.
func (w want) met(got tally) error {
	asked := w.asked
	if asked == many {
		asked = max(got.read, 1)
	}
	if got.read != asked || got.intents != asked || got.outcomes != asked {
		return fmt.Errorf("%d questions at the Spine, %d intents, %d outcomes; want %d", got.read, got.intents, got.outcomes, asked)
	}
	if w.undelivered && got.undelivered != 1 {
		return fmt.Errorf("%d answers recorded as not delivered, want 1", got.undelivered)
	}
	return nil
}

// tally counts, and verifies the log.
func (s *scene) tally(t *testing.T) tally {
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
	_, err = audit.Verify(t.Context(), store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	n := tally{read: int(s.Simulator.Counters().RequestsRead)}
	for record, err := range audit.Entries(t.Context(), store, nil, 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		switch record.Entry.Kind {
		case audit.Intent:
			n.intents++
		case audit.Outcome:
			n.outcomes++
		case audit.Undelivered:
			n.undelivered++
		}
	}
	return n
}
