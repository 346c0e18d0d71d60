package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

func claimOf(client string, ids ...string) audit.Claim {
	return audit.Claim{Client: client, IDs: ids, Until: time.Now().Add(10 * time.Minute)}
}

func appendOnce(t testing.TB, log *audit.Log, c audit.Claim) error {
	t.Helper()
	_, err := log.AppendOnce(t.Context(), refused("r"), c)
	if err != nil && !errors.Is(err, audit.ErrClaimed) {
		t.Fatalf("AppendOnce: %v", err)
	}
	return err
}

// WRD-VAL-16: whichever of a message's ids was claimed before, by the same client,
// nothing is recorded.
func TestClaimedIDRecordsNothing(t *testing.T) {
	k := newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	log := openLog(t, k.options(store))
	cases := []struct {
		name  string
		claim audit.Claim
		taken bool
	}{
		{"the first", claimOf("ed", "m1", "t1"), false},
		{"both again", claimOf("ed", "m1", "t1"), true},
		{"one again", claimOf("ed", "m1", "t2"), true},
		{"the other again", claimOf("ed", "m2", "t1"), true},
		{"what a refused entry named is not claimed", claimOf("ed", "m2", "t2"), false},
		{"the same ids of another client", claimOf("ambulance", "m1", "t1"), false},
		{"no boundary is lost between client and id", claimOf("edm", "1", "t3"), false},
		{"no id at all", claimOf("ed"), false},
	}
	want := int64(0)
	for _, c := range cases {
		err := appendOnce(t, log, c.claim)
		if errors.Is(err, audit.ErrClaimed) != c.taken {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.taken {
			want++
		}
		if log.Size() != want {
			t.Errorf("%s: the log has %d entries, want %d", c.name, log.Size(), want)
		}
	}
	mustVerify(t, store, k.public, "")
	closeAll(t, log, store)
}

// WRD-VAL-17: claims survive a restart.
func TestClaimSurvivesARestart(t *testing.T) {
	k := newKeys(t)
	path := filepath.Join(t.TempDir(), "audit.db")
	store := openStore(t, path)
	log := openLog(t, k.options(store))
	if err := appendOnce(t, log, claimOf("ed", "m1")); err != nil {
		t.Fatal(err)
	}
	closeAll(t, log, store)
	store = openStore(t, path)
	log = openLog(t, k.options(store))
	if err := appendOnce(t, log, claimOf("ed", "m1")); err == nil {
		t.Error("the id could be claimed again after a restart")
	}
	closeAll(t, log, store)
}

// A claim is forgotten once it has ended, and not before (WRD-VAL-17), and what is
// kept does not grow with what is claimed.
func TestClaimIsForgottenOnceItHasEnded(t *testing.T) {
	k := newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	var now atomic.Int64
	now.Store(time.Now().Unix())
	options := k.options(store)
	options.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	options.Uptime = func() time.Duration { return time.Duration(now.Load()) * time.Second }
	log := openLog(t, options)
	until := time.Unix(now.Load(), 0).Add(10 * time.Minute)
	for i := range 100 {
		claim := audit.Claim{Client: "ed", IDs: []string{fmt.Sprint("m", i)}, Until: until}
		if err := appendOnce(t, log, claim); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() int {
		var keys []audit.ClaimKey
		for i := range 100 {
			keys = append(keys, audit.KeyOf("ed", fmt.Sprint("m", i)))
		}
		claimed, err := audittest.Claimed(t.Context(), store, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return len(claimed)
	}
	later := audit.Claim{Client: "ed", Until: until.Add(24 * time.Hour)}
	for i, step := range []struct {
		after time.Duration
		keep  bool
	}{{10 * time.Minute, true}, {time.Minute, true}, {2 * time.Hour, false}} {
		now.Add(int64(step.after / time.Second))
		for j := range 20 {
			later.IDs = []string{fmt.Sprint("later", i, j)}
			if err := appendOnce(t, log, later); err != nil {
				t.Fatal(err)
			}
		}
		if left := stored(); step.keep && left != 100 || !step.keep && left != 0 {
			t.Errorf("step %d: %d claims are kept", i, left)
		}
	}
	closeAll(t, log, store)
}

// WRD-VAL-16 and WRD-OPS-01: of any number of messages with one id, sent at the
// same time to several writers of one store, exactly one is recorded.
func TestOfManyClaimsOfOneIDOneIsRecorded(t *testing.T) {
	k := newKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		var store audittest.Memory
		writers := rapid.IntRange(1, 3).Draw(t, "writers")
		ids := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 40).Draw(t, "ids")
		var logs []*audit.Log
		for range writers {
			log, err := audit.Open(context.Background(), k.options(&store))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close(context.Background())
			logs = append(logs, log)
		}
		var recorded [5]atomic.Int64
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				claim := claimOf("ed", fmt.Sprint("m", id))
				_, err := logs[i%writers].AppendOnce(context.Background(), refused("r"), claim)
				if err == nil {
					recorded[id].Add(1)
				} else if !errors.Is(err, audit.ErrClaimed) {
					t.Errorf("AppendOnce: %v", err)
				}
			})
		}
		wg.Wait()
		total := int64(0)
		for id := range recorded {
			n := recorded[id].Load()
			total += n
			if n > 1 {
				t.Errorf("id %d was recorded %d times", id, n)
			}
		}
		_, err := audit.Verify(context.Background(), &store, k.public, origin, nil)
		if err != nil {
			t.Error(err)
		}
		head, err := store.Head(context.Background())
		if err != nil || head.Size != total {
			t.Errorf("the store holds %d entries, %d were acknowledged (%v)", head.Size, total, err)
		}
	})
}

func TestMalformedClaimsAreAnError(t *testing.T) {
	k := newKeys(t)
	log := openLog(t, k.options(&audittest.Memory{}))
	for what, ids := range map[string][]string{"too many": {"1", "2", "3", "4", "5"}, "one twice": {"1", "2", "1"}} {
		_, err := log.AppendOnce(t.Context(), refused("r"), claimOf("ed", ids...))
		if err == nil || errors.Is(err, audit.ErrClaimed) {
			t.Errorf("%s: AppendOnce = %v", what, err)
		}
	}
	if log.Size() != 0 {
		t.Error("something was recorded")
	}
}
