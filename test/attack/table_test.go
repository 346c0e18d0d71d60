package attack_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
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
			for _, a := range g.attacks {
				t.Run(a.name, func(t *testing.T) { s.suffer(t, a) })
			}
		})
	}
}

func begin(t *testing.T, limits string) *scene {
	t.Helper()
	s := &scene{Stage: set(t, stage.Options{Limits: limits, Ward: attackerTOML + "per_second = 100000\nburst = 100000"})}
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

// suffer lets one attack happen and looks at what is left of it.
func (s *scene) suffer(t *testing.T, a attack) {
	asked := 0
	s.attacker.good = func() error {
		asked++
		return s.good()
	}
	c, err := a.does(s.attacker)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		err = a.want.judge(c, s.attacker)
		if err != nil {
			t.Error(err)
		}
	}
	s.settles(t)
	err = s.good()
	if err != nil {
		t.Error(err)
	}
	before := s.seen
	s.seen = s.tally(t)
	s.compare(t, a.want, tally{
		read:        s.seen.read - before.read - asked - 1,
		intents:     s.seen.intents - before.intents - asked - 1,
		outcomes:    s.seen.outcomes - before.outcomes - asked - 1,
		undelivered: s.seen.undelivered - before.undelivered,
	})
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

// compare holds what became of an attack against what is wanted.
func (s *scene) compare(t *testing.T, w want, got tally) {
	t.Helper()
	want := w.asked
	if w.kept {
		want++ // the question that shows it
	}
	if w.asked == many {
		want = max(got.read, 1)
	}
	if got.read != want || got.intents != want || got.outcomes != want {
		t.Errorf("%d questions at the Spine, %d intents, %d outcomes; want %d", got.read, got.intents, got.outcomes, want)
	}
	if w.undelivered && got.undelivered != 1 {
		t.Errorf("%d answers recorded as not delivered, want 1", got.undelivered)
	}
}

// tally counts, and verifies the log.
func (s *scene) tally(t *testing.T) tally {
	t.Helper()
	file, err := config.LoadAudit(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.OpenReadOnly(file.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = audit.Verify(t.Context(), store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	n := tally{read: int(s.Simulator.Counters().RequestsRead)}
	for record, err := range audit.Entries(t.Context(), store, 0, math.MaxInt64) {
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
