package audittest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
)

// Commit commits a group that was made before.
func Commit(ctx context.Context, store audit.Store, g audit.Group) error {
	return store.Commit(ctx, func(audit.Turn) (audit.Group, error) { return g, nil })
}

// Claimed returns which of some keys are claimed, as the next turn would find it. It
// commits nothing.
func Claimed(ctx context.Context, store audit.Store, keys ...audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	looked := errors.New("no more than looked at")
	var claimed map[audit.ClaimKey]bool
	err := store.Commit(ctx, func(turn audit.Turn) (_ audit.Group, err error) {
		claimed, err = turn.Claimed(ctx, keys)
		return audit.Group{}, errors.Join(looked, err)
	})
	if claimed != nil && errors.Is(err, looked) {
		return claimed, nil
	}
	return nil, err
}

// turns also shows that whoever has the turn can read the store while others wait.
func turns(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	const writers, each = 4, 20
	var within atomic.Int64
	var sizes []int64 // of the turns
	take := func() error {
		return store.Commit(t.Context(), func(turn audit.Turn) (audit.Group, error) {
			if within.Add(1) != 1 {
				t.Error("two writers had their turn at once")
			}
			defer within.Add(-1)
			size := turn.Size()
			sizes = append(sizes, size)
			head, err := store.Head(t.Context())
			if err != nil || head.Size != size {
				t.Errorf("in the turn at %d, Head is %d, %v", size, head.Size, err)
			}
			note, err := turn.Checkpoint(t.Context())
			if err != nil || !bytes.Equal(note, head.Checkpoint) {
				t.Errorf("in the turn at %d, the checkpoint is %q, %v, want %q", size, note, err, head.Checkpoint)
			}
			if size > 0 {
				_, err = store.Hashes(t.Context(), []int64{size - 1})
				if err != nil || len(read(t, store, size-1, size)) != 1 {
					t.Errorf("in the turn at %d, the newest entry cannot be read: %v", size, err)
				}
			}
			return group(size, 1), nil
		})
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				err := take()
				if err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	var want []int64
	var rows []audit.Row
	for size := range int64(writers * each) {
		want, rows = append(want, size), append(rows, group(size, 1).Rows...)
	}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Errorf("sizes of the turns (-want +got):\n%s", diff)
	}
	wantRows(t, store, rows)
}

func waiting(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	taken, let, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- store.Commit(t.Context(), func(audit.Turn) (audit.Group, error) {
			close(taken)
			<-let
			return group(0, 1), nil
		})
	}()
	<-taken
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		given <- store.Commit(ctx, func(audit.Turn) (audit.Group, error) {
			t.Error("two writers had their turn at once")
			return audit.Group{}, nil
		})
	}()
	time.Sleep(10 * time.Millisecond) // it waits by now
	cancel()
	err := <-given
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Commit that was cancelled while it waited = %v", err)
	}
	close(let)
	err = <-done
	if err != nil {
		t.Errorf("the commit for which it waited: %v", err)
	}
	commit(t, store, group(1, 1))
	wantRows(t, store, append(group(0, 1).Rows, group(1, 1).Rows...))
}

func claims(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	one, two, three := audit.KeyOf("c", "1"), audit.KeyOf("c", "2"), audit.KeyOf("c", "3")
	wantClaimed := func(want ...audit.ClaimKey) {
		t.Helper()
		got, err := Claimed(t.Context(), store, one, two, three)
		if err != nil {
			t.Fatalf("Claimed: %v", err)
		}
		wanted := make(map[audit.ClaimKey]bool)
		for _, key := range want {
			wanted[key] = true
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatalf("Claimed (-want +got):\n%s", diff)
		}
		listed := make(map[audit.ClaimKey]bool)
		for claim, err := range store.Claims(t.Context(), audit.ClaimKey{}) {
			if err != nil {
				t.Fatalf("Claims: %v", err)
			}
			listed[claim.Key] = claim.Until%100 == 0 // as given
			for next, err := range store.Claims(t.Context(), claim.Key) {
				if err != nil || bytes.Compare(next.Key[:], claim.Key[:]) <= 0 {
					t.Fatalf("after %x comes %x: %v", claim.Key, next.Key, err)
				}
			}
		}
		if diff := cmp.Diff(wanted, listed); diff != "" {
			t.Fatalf("Claims (-want +got):\n%s", diff)
		}
	}
	wantClaimed()
	g := group(0, 2)
	g.Claims = []audit.ClaimRow{{Key: one, Until: 100}, {Key: two, Until: 200}}
	g.Forget = 50
	commit(t, store, g)
	wantClaimed(one, two)
	elsewhere := group(0, 1)
	elsewhere.Claims = []audit.ClaimRow{{Key: three, Until: 300}}
	err := Commit(t.Context(), store, elsewhere)
	if err == nil {
		t.Fatal("Commit on base 0 succeeded")
	}
	wantClaimed(one, two)
	closed()
	store, closed = open(t)
	defer closed()
	wantClaimed(one, two)
	g = group(2, 1)
	g.Claims = []audit.ClaimRow{{Key: three, Until: 300}}
	g.Forget = 200
	commit(t, store, g)
	wantClaimed(two, three) // two ends at 200, not before it
}
