package standby_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/logtest"
)

const origin = "ward.example/audit"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a log in one place and where its copy is.
type site struct {
	log         *audit.Log
	store       *sqlite.Store
	known       note.Verifiers
	path, other string
	said        logtest.Lines
}

func newSite(t *testing.T) *site {
	t.Helper()
	signerKey, verifierKey, err := audit.GenerateKey(origin, rand.Reader)
	must(t, err)
	signer, err := note.NewSigner(signerKey)
	must(t, err)
	verifier, err := note.NewVerifier(verifierKey)
	must(t, err)
	s := &site{known: note.VerifierList(verifier), path: filepath.Join(t.TempDir(), "audit.db"), other: filepath.Join(t.TempDir(), "copy.db")}
	s.store, err = sqlite.Open(s.path)
	must(t, err)
	s.log, err = audit.Open(t.Context(), audit.Options{
		Store: s.store, Signer: signer, Keys: audittest.Keys(), Origin: origin, CheckpointEvery: time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	return s
}

func (s *site) close(t *testing.T) {
	t.Helper()
	must(t, s.log.Close(t.Context()))
	must(t, s.store.Close())
}

func (s *site) config() standby.Config {
	return standby.Config{
		Read:   func(context.Context) (stores.Reader, error) { return sqlite.OpenReadOnly(s.path) },
		Make:   func(context.Context) (stores.Store, error) { return sqlite.Open(s.other) },
		Known:  s.known,
		Origin: origin,
		Every:  time.Second,
		Late:   30 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&s.said, nil)),
	}
}

// reading is config with another store in front of the log's.
func (s *site) reading(through func(stores.Reader) stores.Reader) standby.Config {
	config := s.config()
	read := config.Read
	config.Read = func(ctx context.Context) (stores.Reader, error) {
		from, err := read(ctx)
		return through(from), err
	}
	return config
}

// ask appends the intents of n questions, whose ids it claims.
func (s *site) ask(t *testing.T, name string, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint(name, i)
		_, err := s.log.AppendOnce(t.Context(), audit.Entry{Kind: audit.Intent, Time: time.Now(), Client: "ed", Correlation: id, NHSNumber: "9990000018"},
			audit.Claim{Client: "ed", IDs: []string{"message " + id}, Until: time.Now().Add(time.Hour)})
		must(t, err)
	}
}

// equal fails unless the copy verifies, and holds the very rows and claims of the log.
func (s *site) equal(t *testing.T) {
	t.Helper()
	copied, err := sqlite.OpenReadOnly(s.other)
	must(t, err)
	defer copied.Close()
	report, err := audit.Verify(t.Context(), copied, s.known, origin, nil)
	must(t, err)
	if report.Entries != s.log.Size() {
		t.Errorf("the copy has %d entries, the log %d", report.Entries, s.log.Size())
	}
	if diff := cmp.Diff(contentOf(t, s.store), contentOf(t, copied)); diff != "" {
		t.Errorf("(-log +copy):\n%s", diff)
	}
}

type content struct {
	Rows   []audit.Row
	Claims map[audit.ClaimKey]int64
}

func contentOf(t *testing.T, store audit.Reader) content {
	t.Helper()
	c := content{Claims: map[audit.ClaimKey]int64{}}
	for row, err := range store.Rows(t.Context(), math.MinInt64, math.MaxInt64) {
		must(t, err)
		c.Rows = append(c.Rows, row)
	}
	for claim, err := range store.Claims(t.Context(), audit.ClaimKey{}) {
		must(t, err)
		c.Claims[claim.Key] = claim.Until
	}
	return c
}

// count is how often the operational log holds an event.
func (s *site) count(event string) int {
	n := 0
	for _, word := range strings.Fields(s.said.String()) {
		if word == "event="+event {
			n++
		}
	}
	return n
}

// says waits until the operational log holds an event so many times.
func (s *site) says(t *testing.T, event string, times int) {
	t.Helper()
	for began := time.Now(); s.count(event) < times; time.Sleep(time.Second) {
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("the log does not say %s %d times:\n%s", event, times, &s.said)
		}
	}
}

// whole waits until the copy has all that the log has.
func (s *site) whole(t *testing.T, c *standby.Copy) {
	t.Helper()
	for began := time.Now(); c.State().Entries != s.log.Size(); time.Sleep(time.Second) {
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("the copy has %d entries of %d:\n%s", c.State().Entries, s.log.Size(), &s.said)
		}
	}
}

// WRD-AUD-16: what is recorded is in the second place soon after, with what keeps
// messages from being used again, and all of it when the log is closed.
func TestCopyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ask(t, "before", 100)
		c := standby.Start(s.config())
		defer c.Stop()
		for i := range 3 {
			s.ask(t, fmt.Sprint("round", i, "-"), 40)
			s.whole(t, c)
			synctest.Wait()
			s.equal(t)
		}
		if state := c.State(); state.Late || time.Since(state.Whole) > 5*time.Second {
			t.Errorf("%+v, want one that is kept", state)
		}
		s.ask(t, "last", 10)
		must(t, s.log.Close(t.Context()))
		c.Stop()
		s.equal(t)
		c.Stop() // again
		must(t, s.store.Close())
		for _, line := range strings.Split(strings.TrimSpace(s.said.String()), "\n") {
			if !strings.Contains(line, "event=audit.copy_begun") {
				t.Errorf("it says %s", line)
			}
		}
	})
}

// slowClaims is a store that takes a second to read its claims.
type slowClaims struct{ stores.Reader }

func (s slowClaims) Claims(ctx context.Context, after audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	time.Sleep(time.Second)
	return s.Reader.Claims(ctx, after)
}

// WRD-AUD-16: where there are so many claims that they are not brought each time, they
// follow their entries all the same, also when no other entry comes.
func TestClaimsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.close(t)
		s.ask(t, "before", 20)
		c := standby.Start(s.reading(func(r stores.Reader) stores.Reader { return slowClaims{r} }))
		defer c.Stop()
		s.whole(t, c)
		s.ask(t, "after", 20)
		began := time.Now()
		s.whole(t, c)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the entries were there after %v", took)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		s.equal(t)
	})
}

// noClaims is a store whose claims cannot be read, which takes a second to find out.
type noClaims struct{ stores.Reader }

func (noClaims) Claims(context.Context, audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	return func(yield func(audit.ClaimRow, error) bool) {
		time.Sleep(time.Second)
		yield(audit.ClaimRow{}, errors.New("input/output error"))
	}
}

// WRD-AUD-16: a copy that has the entries and cannot get the claims is not kept, however
// seldom it is tried.
func TestClaimsThatCannotBeBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.close(t)
		s.ask(t, "before", 20)
		c := standby.Start(s.reading(func(r stores.Reader) stores.Reader { return noClaims{r} }))
		defer c.Stop()
		s.says(t, "audit.copy_late", 1)
		if !strings.Contains(s.said.String(), "input/output error") || s.count("audit.copy_kept") > 0 || c.State().Entries != 20 {
			t.Errorf("%+v, and it says:\n%s", c.State(), &s.said)
		}
	})
}

// WRD-AUD-16: what takes long is the entries, not the claims: these follow soon after,
// however long a first copy took.
func TestClaimsFollowALongCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.close(t)
		s.ask(t, "before", 20)
		config := s.config()
		makeCopy := config.Make
		var slow atomic.Bool
		slow.Store(true)
		config.Make = func(ctx context.Context) (stores.Store, error) {
			if slow.Swap(false) {
				time.Sleep(10 * time.Minute)
			}
			return makeCopy(ctx)
		}
		c := standby.Start(config)
		defer c.Stop()
		s.says(t, "audit.copy_late", 1)
		if !strings.Contains(s.said.String(), "it is much, or the place hangs") {
			t.Errorf("it says:\n%s", &s.said)
		}
		time.Sleep(10 * time.Minute)
		s.ask(t, "after", 20)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.equal(t)
	})
}

// WRD-AUD-16: a copy that is lost is told of, and the log goes on; when the place is
// there again the copy gets what it lacks, or is begun anew.
func TestLossOfTheCopyIsTold(t *testing.T) {
	for _, loss := range []struct {
		name       string
		lose, mend func(t *testing.T, s *site, away *atomic.Bool)
		begun      int // how often the copy is begun
	}{
		{"the place is away", func(_ *testing.T, _ *site, away *atomic.Bool) { away.Store(true) },
			func(_ *testing.T, _ *site, away *atomic.Bool) { away.Store(false) }, 1},
		{"something else is there", func(t *testing.T, s *site, _ *atomic.Bool) {
			remove(t, s.other)
			must(t, os.WriteFile(s.other, []byte(strings.Repeat("something else ", 1000)), 0o600))
		}, func(t *testing.T, s *site, _ *atomic.Bool) { remove(t, s.other) }, 2},
		{"the log of another is there", func(t *testing.T, s *site, _ *atomic.Bool) {
			other := newSite(t)
			other.ask(t, "other", 30)
			other.close(t)
			remove(t, s.other)
			must(t, os.Rename(other.path, s.other))
		}, func(t *testing.T, s *site, _ *atomic.Bool) { remove(t, s.other) }, 2},
	} {
		t.Run(loss.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				defer s.close(t)
				s.ask(t, "before", 20)
				var away atomic.Bool
				config := s.config()
				makeCopy := config.Make
				config.Make = func(ctx context.Context) (stores.Store, error) {
					if away.Load() {
						return nil, errors.New("no such host")
					}
					return makeCopy(ctx)
				}
				c := standby.Start(config)
				defer c.Stop()
				s.whole(t, c)
				synctest.Wait()
				loss.lose(t, s, &away)
				s.ask(t, "meanwhile", 20)
				s.says(t, "audit.copy_late", 1)
				if state := c.State(); !state.Late {
					t.Errorf("%+v, want one that is late", state)
				}
				s.ask(t, "after", 20)
				time.Sleep(time.Minute)
				synctest.Wait()
				loss.mend(t, s, &away)
				s.says(t, "audit.copy_kept", 1)
				s.whole(t, c)
				c.Stop()
				s.equal(t)
				for event, want := range map[string]int{"audit.copy_begun": loss.begun, "audit.copy_late": 1, "audit.copy_kept": 1} {
					if n := s.count(event); n != want {
						t.Errorf("%s is said %d times, want %d:\n%s", event, n, want, &s.said)
					}
				}
			})
		})
	}
}

// A file that was taken away is not written to for long by the one who has it open.
func TestCopyThatWasTakenAwayIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.close(t)
		s.ask(t, "before", 20)
		c := standby.Start(s.config())
		defer c.Stop()
		s.whole(t, c)
		synctest.Wait()
		remove(t, s.other)
		s.says(t, "audit.copy_begun", 2)
		c.Stop()
		s.equal(t)
	})
}

// WRD-AUD-16: a copy that could not get the last entries is told of.
func TestLastEntriesThatTheCopyLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ask(t, "before", 20)
		var away atomic.Bool
		config := s.config()
		makeCopy := config.Make
		config.Make = func(ctx context.Context) (stores.Store, error) {
			store, err := makeCopy(ctx)
			return failing{store, &away}, err
		}
		c := standby.Start(config)
		s.whole(t, c)
		synctest.Wait()
		away.Store(true)
		s.ask(t, "last", 20)
		s.close(t)
		c.Stop()
		if s.count("audit.copy_left") != 1 || !strings.Contains(s.said.String(), "input/output error") {
			t.Errorf("it says:\n%s", &s.said)
		}
	})
}

// failing is a store whose commits fail from when the place is away.
type failing struct {
	stores.Store
	away *atomic.Bool
}

func (f failing) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	if f.away.Load() {
		return errors.New("input/output error")
	}
	return f.Store.Commit(ctx, compose)
}

// A disc that hangs holds up neither the log nor the stop, and is told of.
func TestCopyThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ask(t, "before", 20)
		hangs := make(chan struct{})
		config := s.config()
		config.Make = func(context.Context) (stores.Store, error) {
			<-hangs
			return nil, errors.New("input/output error")
		}
		c := standby.Start(config)
		s.says(t, "audit.copy_late", 1)
		s.ask(t, "meanwhile", 20)
		s.close(t)
		began := time.Now()
		c.Stop()
		c.Stop() // again
		if took := time.Since(began); took > 10*time.Second || s.count("audit.copy_left") != 1 {
			t.Errorf("the stop took %v, and says:\n%s", took, &s.said)
		}
		close(hangs)
	})
}

// Nothing is to be stopped where no copy is kept.
func TestNoCopy(*testing.T) { (*standby.Copy)(nil).Stop() }

// remove removes a database, with the files that SQLite keeps beside it.
func remove(t *testing.T, path string) {
	t.Helper()
	all, err := filepath.Glob(path + "*")
	must(t, err)
	for _, one := range all {
		must(t, os.Remove(one))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
