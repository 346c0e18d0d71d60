package audittest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
)

// TestStore checks that a store keeps what audit.Store promises. Each test
// calls open with a new empty place; opening the same place again after the
// returned store was closed must show what was committed there.
func TestStore(t *testing.T, place func(t *testing.T) (open func(t *testing.T) (store audit.Store, closed func()))) {
	tests := []struct {
		name string
		test func(t *testing.T, open func(t *testing.T) (audit.Store, func()))
	}{
		{"a new store is empty", newIsEmpty},
		{"a commit is read back as it was given", readsBack},
		{"a commit outlives the store", outlives},
		{"a commit on another base writes nothing", wrongBase},
		{"a commit that fails leaves nothing of itself", noPart},
		{"a cancelled commit leaves nothing of itself or all", cancelled},
		{"an empty commit renews the checkpoint", emptyCommit},
		{"rows are read within the limits and in order", ranges},
		{"reading may stop early and nest", earlyStop},
		{"of commits on one base only one succeeds", race},
		{"the head belongs to one commit", oneCommit},
		{"claims come and go with their commit", claims},
		{"a content that is removed goes with its terms, and nothing else", removes},
		{"entries are found by their terms, the newest first", finds},
		{"terms are found across blocks", findsAcrossBlocks},
		{"spans grow with their entries", spans},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, place(t)) })
	}
}

// group makes a group of n rows with contents that show where they belong.
func group(base int64, n int) audit.Group {
	g := audit.Group{Base: base, Checkpoint: fmt.Appendf(nil, "checkpoint %d", base+int64(n))}
	for i := range int64(n) {
		row := audit.Row{Seq: base + i, Leaf: fmt.Appendf(nil, "leaf %d \x00\xff", base+i)}
		if i%2 == 0 {
			row.Sealed = fmt.Appendf(nil, "sealed %d \x00\xff", base+i)
		}
		for level := range 1 + i%3 {
			row.Hashes = append(row.Hashes, tlog.RecordHash(fmt.Append(nil, base+i, level)))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// opened are intents with correlations that show where they belong.
func opened(seqs ...int64) []audit.Opened {
	var open []audit.Opened
	for _, seq := range seqs {
		open = append(open, audit.Opened{Seq: seq, Correlation: fmt.Sprint("c", seq)})
	}
	return open
}

func commit(t *testing.T, store audit.Store, g audit.Group) {
	t.Helper()
	err := store.Commit(t.Context(), g)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func wantHead(t *testing.T, store audit.Store, want audit.Head) {
	t.Helper()
	got, err := store.Head(t.Context())
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Head (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, store audit.Store, from, to int64) []audit.Row {
	t.Helper()
	var rows []audit.Row
	for row, err := range store.Rows(t.Context(), from, to) {
		if err != nil {
			t.Fatalf("Rows: %v", err)
		}
		rows = append(rows, row)
	}
	return rows
}

func wantRows(t *testing.T, store audit.Store, want []audit.Row) {
	t.Helper()
	if diff := cmp.Diff(want, read(t, store, math.MinInt64, math.MaxInt64)); diff != "" {
		t.Fatalf("Rows (-want +got):\n%s", diff)
	}
}

func newIsEmpty(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	wantHead(t, store, audit.Head{})
	wantRows(t, store, nil)
}

func readsBack(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	first, second := group(0, 5), group(5, 3)
	first.Opened = opened(1, 3, 4)
	second.Opened = append(opened(5), audit.Opened{Seq: 6, Correlation: "c4"}, audit.Opened{Seq: 7, Correlation: "c3"})
	// 6 is closed in the group that opens it; 7 opens the correlation of 3 again.
	second.Closed = []audit.Opened{{Seq: 4, Correlation: "c3"}, {Seq: 8, Correlation: "c4"}}
	commit(t, store, first)
	wantHead(t, store, audit.Head{Size: 5, Checkpoint: first.Checkpoint, Open: opened(1, 3, 4)})
	commit(t, store, second)
	want := append(opened(1, 5), audit.Opened{Seq: 7, Correlation: "c3"})
	wantHead(t, store, audit.Head{Size: 8, Checkpoint: second.Checkpoint, Open: want})
	wantRows(t, store, append(first.Rows, second.Rows...))
	hashes, err := store.Hashes(t.Context(), []int64{7, 0, 5, 0})
	if err != nil {
		t.Fatalf("Hashes: %v", err)
	}
	wantHashes := [][]tlog.Hash{second.Rows[2].Hashes, first.Rows[0].Hashes, second.Rows[0].Hashes, first.Rows[0].Hashes}
	if diff := cmp.Diff(wantHashes, hashes); diff != "" {
		t.Errorf("Hashes (-want +got):\n%s", diff)
	}
	_, err = store.Hashes(t.Context(), []int64{0, 8})
	if err == nil {
		t.Error("Hashes of an entry that is not there succeeded")
	}
}

func outlives(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	g := group(0, 3)
	g.Opened = opened(2)
	commit(t, store, g)
	closed()
	store, closed = open(t)
	defer closed()
	wantHead(t, store, audit.Head{Size: 3, Checkpoint: g.Checkpoint, Open: opened(2)})
	wantRows(t, store, g.Rows)
	commit(t, store, group(3, 1))
}

func wrongBase(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	g := group(0, 3)
	commit(t, store, g)
	for _, base := range []int64{0, 2, 4} {
		err := store.Commit(t.Context(), group(base, 2))
		if !errors.Is(err, audit.ErrMoved) {
			t.Errorf("Commit on base %d = %v, want ErrMoved", base, err)
		}
	}
	wantHead(t, store, audit.Head{Size: 3, Checkpoint: g.Checkpoint})
	wantRows(t, store, g.Rows)
	commit(t, store, group(3, 1)) // and the store goes on working
}

func noPart(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	g := group(0, 2)
	commit(t, store, g)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := store.Commit(ctx, group(2, 3))
	if err == nil || errors.Is(err, audit.ErrMoved) {
		t.Fatalf("Commit with a cancelled context = %v, want its error", err)
	}
	wantHead(t, store, audit.Head{Size: 2, Checkpoint: g.Checkpoint})
	wantRows(t, store, g.Rows)
	commit(t, store, group(2, 1))
}

func cancelled(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	var want []audit.Row
	for range 20 {
		g := group(int64(len(want)), 50)
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // some time during the commit
		err := store.Commit(ctx, g)
		head, headErr := store.Head(t.Context())
		if headErr != nil {
			t.Fatal(headErr)
		}
		switch {
		case head.Size == g.Base+50:
			want = append(want, g.Rows...)
		case head.Size != g.Base || err == nil:
			t.Fatalf("Commit of 50 on %d = %v, leaving %d", g.Base, err, head.Size)
		}
	}
	wantRows(t, store, want)
}

func emptyCommit(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	commit(t, store, audit.Group{Checkpoint: []byte("of nothing")})
	wantHead(t, store, audit.Head{Checkpoint: []byte("of nothing")})
	g := group(0, 2)
	commit(t, store, g)
	commit(t, store, audit.Group{Base: 2, Checkpoint: []byte("again")})
	wantHead(t, store, audit.Head{Size: 2, Checkpoint: []byte("again")})
	wantRows(t, store, g.Rows)
}

func ranges(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	g := group(0, 10)
	commit(t, store, g)
	for _, r := range []struct{ from, to, first, end int64 }{
		{0, 10, 0, 10}, {3, 7, 3, 7}, {-5, 2, 0, 2}, {8, 99, 8, 10},
		{4, 4, 0, 0}, {5, 3, 0, 0}, {10, 20, 0, 0}, {math.MinInt64, math.MaxInt64, 0, 10},
	} {
		want := append([]audit.Row(nil), g.Rows[r.first:r.end]...)
		if diff := cmp.Diff(want, read(t, store, r.from, r.to)); diff != "" {
			t.Errorf("Rows(%d, %d) (-want +got):\n%s", r.from, r.to, diff)
		}
	}
}

func earlyStop(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	commit(t, store, group(0, 10))
	for range 100 { // more often than a store has connections
		for outer, err := range store.Rows(t.Context(), 0, 10) {
			if err != nil {
				t.Fatal(err)
			}
			inner := read(t, store, outer.Seq, outer.Seq+1)
			if len(inner) != 1 {
				t.Fatalf("a nested reading found %d rows, want 1", len(inner))
			}
			if outer.Seq == 3 {
				break
			}
		}
	}
	commit(t, store, group(10, 1))
}

func race(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	for base := range int64(20) {
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = store.Commit(t.Context(), group(base, 1)) })
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			switch {
			case err == nil:
				good++
			case !errors.Is(err, audit.ErrMoved):
				t.Errorf("Commit = %v, want nil or ErrMoved", err)
			}
		}
		if good != 1 {
			t.Fatalf("%d of 4 commits on base %d succeeded, want 1", good, base)
		}
	}
}

func oneCommit(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	const commits = 200
	done := make(chan error, 1)
	go func() {
		for base := range int64(commits) {
			g := group(base, 1)
			g.Opened = opened(base)
			if base > 0 {
				g.Closed = []audit.Opened{{Seq: base, Correlation: opened(base - 1)[0].Correlation}}
			}
			err := store.Commit(context.Background(), g)
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		head, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if head.Size > 0 {
			want := audit.Head{Size: head.Size, Checkpoint: fmt.Appendf(nil, "checkpoint %d", head.Size), Open: opened(head.Size - 1)}
			if diff := cmp.Diff(want, head); diff != "" {
				t.Fatalf("Head (-want +got):\n%s", diff)
			}
		}
		if head.Size == commits {
			break
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
}

func claims(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	one, two, three := audit.KeyOf("c", "1"), audit.KeyOf("c", "2"), audit.KeyOf("c", "3")
	wantClaimed := func(want ...audit.ClaimKey) {
		t.Helper()
		got, err := store.Claimed(t.Context(), []audit.ClaimKey{one, two, three})
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
		for claim, err := range store.Claims(t.Context()) {
			if err != nil {
				t.Fatalf("Claims: %v", err)
			}
			listed[claim.Key] = claim.Until%100 == 0 // as given
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
	moved := group(0, 1)
	moved.Claims = []audit.ClaimRow{{Key: three, Until: 300}}
	err := store.Commit(t.Context(), moved)
	if !errors.Is(err, audit.ErrMoved) {
		t.Fatalf("Commit on base 0 = %v, want ErrMoved", err)
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
