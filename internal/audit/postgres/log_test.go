//go:build postgres

package postgres_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

const origin = "ward.example/audit"

// keys are those of one log.
type keys struct {
	signer   note.Signer
	public   note.Verifiers
	personal *seal.Keys
}

func newKeys(t testing.TB) keys {
	t.Helper()
	secret, public, err := audit.GenerateKey(origin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return keys{signer, note.VerifierList(verifier), audittest.Keys()}
}

func (k keys) options(store audit.Store, instance string) audit.Options {
	return audit.Options{
		Store: store, Signer: k.signer, Keys: k.personal, Origin: origin, Instance: instance,
		RetryEvery: 50 * time.Millisecond,
		Logger:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func openLog(t testing.TB, options audit.Options) *audit.Log {
	t.Helper()
	log, err := audit.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	return log
}

func entry(kind audit.Kind, correlation string) audit.Entry {
	return audit.Entry{
		Kind: kind, Time: time.Now(), Correlation: correlation, Client: "ed", Organisation: "RXX", Certificate: string(bytes.Repeat([]byte("ab"), 32)),
		Username: "ed-system", NHSNumber: "9990000018", MessageID: correlation + "m", TrackingID: correlation + "t", QueryID: correlation + "q",
		AuditIdentities: []audit.Identity{{Type: "2.16.840.1.113883.2.1.3.2.4.18.27", URI: "urn:nhs-uk:identity:ods:RXX:nurse"}},
		Author:          &audit.Author{Form: "person", UserID: "555000000001", RoleProfile: "555100000001", Name: "A Nurse", Organisation: "RXX"},
	}
}

// storm lets appenders record questions as fast as they can, each an intent that
// claims an id and its outcome, until the test has seen enough, and counts what was
// acknowledged. What has not come in a minute is not going to.
func storm(t testing.TB, logs []*audit.Log, appenders int, enough func() bool) (entries int64, failures []error) {
	t.Helper()
	var n atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for i, log := range logs {
		for j := range appenders {
			wg.Go(func() {
				for k := 0; !enough() && time.Since(began) < time.Minute; k++ {
					correlation := fmt.Sprintf("%d-%d-%d-%d", i, j, k, began.UnixNano())
					_, err := log.AppendOnce(t.Context(), entry(audit.Intent, correlation), audit.Claim{Client: "ed", IDs: []string{correlation}, Until: time.Now()})
					if err == nil {
						n.Add(1)
						_, err = log.Append(t.Context(), entry(audit.Outcome, correlation))
					}
					if err == nil {
						n.Add(1)
					} else {
						mu.Lock()
						failures = append(failures, err)
						mu.Unlock()
					}
				}
			})
		}
	}
	wg.Wait()
	return n.Load(), failures
}

// WRD-AUD-01, MSCA-AUD-03e: several logs write one tree, and none starves.
func TestSeveralWritersMakeOneTree(t *testing.T) {
	k, url := newKeys(t), database(t)
	var logs []*audit.Log
	var queue fairness
	for i := range 3 {
		name := fmt.Sprint("ward-", i)
		logs = append(logs, openLog(t, k.options(queue.watch(open(t, url, name)), name)))
	}
	acknowledged, failures := storm(t, logs, 8, func() bool { return queue.fewest() >= commitsEach })
	if len(failures) > 0 {
		t.Fatalf("%d entries failed, the first: %v", len(failures), failures[0])
	}
	reader, err := postgres.OpenReadOnly(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	report, err := audit.Verify(t.Context(), reader, k.public, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Entries != acknowledged || report.OpenIntents != 0 {
		t.Errorf("%d entries were acknowledged, the store holds %d with %d intents open", acknowledged, report.Entries, report.OpenIntents)
	}
	queue.check(t)
}

// await waits until something has come about, for a minute at most.
func await(what string, done func() bool) error {
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			return errors.New(what + ": not within a minute")
		}
	}
	return nil
}

// fairness is how several writers of one store come to their turns.
type fairness struct {
	turns   atomic.Int64
	writers []*counted
}

// watch adds a writer.
func (f *fairness) watch(store *postgres.Store) *counted {
	w := &counted{Store: store, all: &f.turns}
	f.writers = append(f.writers, w)
	return w
}

// fewest is how many commits the slowest writer has made.
func (f *fairness) fewest() int64 {
	fewest := f.writers[0].commits.Load()
	for _, w := range f.writers {
		fewest = min(fewest, w.commits.Load())
	}
	return fewest
}

// commitsEach is how many commits every writer must come to.
const commitsEach = 100

// check makes sure that each writer came to its turns, that none of them was for nothing,
// and that no writer had to let the others pass again and again: commonly, that is. A
// machine may stop one for a while that is about to wait.
func (f *fairness) check(t *testing.T) {
	t.Helper()
	if f.fewest() < commitsEach {
		t.Fatalf("a writer was starved: it made %d of %d commits in a minute", f.fewest(), f.turns.Load())
	}
	for i, w := range f.writers {
		slices.Sort(w.passed)
		commonly := w.passed[len(w.passed)/2]
		turns, commits := int64(len(w.passed)), w.commits.Load()
		if turns != commits {
			t.Errorf("writer %d had %d turns for %d commits", i, turns, commits)
		}
		if most := int64(2 * len(f.writers)); commonly > most {
			t.Errorf("writer %d was starved: half of its commits let %d of others pass, or more", i, commonly)
		}
		t.Logf("writer %d: %d of %d commits, which commonly let %d of others pass, at most %d", i, commits, f.turns.Load(), commonly, w.passed[len(w.passed)-1])
	}
}

// counted counts commits, and at each turn those that others had since the writer began
// to wait for it.
type counted struct {
	*postgres.Store
	all     *atomic.Int64
	commits atomic.Int64
	passed  []int64 // of the writing goroutine
}

func (c *counted) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	before := c.all.Load()
	err := c.Store.Commit(ctx, func(turn audit.Turn) (audit.Group, error) {
		c.passed = append(c.passed, c.all.Add(1)-before-1)
		return compose(turn)
	})
	if err == nil {
		c.commits.Add(1)
	}
	return err
}

func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 3} {
		for _, appenders := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("writers=%d/appenders=%d", writers, appenders), func(b *testing.B) {
				k := newKeys(b)
				url, err := server.Database()
				if err != nil {
					b.Fatal(err)
				}
				var logs []*audit.Log
				var queue fairness
				for i := range writers {
					name := fmt.Sprint("ward-", i)
					store, err := postgres.Open(b.Context(), url, name)
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { store.Close() })
					logs = append(logs, openLog(b, k.options(queue.watch(store), name)))
				}
				for b.Loop() {
					const d = 4 * time.Second
					before, end := queue.turns.Load(), time.Now().Add(d)
					entries, failures := storm(b, logs, appenders, func() bool { return time.Now().After(end) })
					b.ReportMetric(float64(entries)/d.Seconds(), "entries/s")
					b.ReportMetric(float64(queue.turns.Load()-before)/d.Seconds(), "commits/s")
					b.ReportMetric(float64(len(failures)), "failures")
				}
			})
		}
	}
}
