package audittest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
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
		{"a group that does not follow on what is there writes nothing", wrongBase},
		{"a commit whose group cannot be made writes nothing", noGroup},
		{"a commit that fails leaves nothing of itself", noPart},
		{"a cancelled commit leaves nothing of itself or all", cancelled},
		{"an empty commit renews the checkpoint", emptyCommit},
		{"rows are read within the limits and in order", ranges},
		{"reading may stop early and nest", earlyStop},
		{"writers take turns", turns},
		{"the end of ctx ends the waiting for a turn", waiting},
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
	err := Commit(t.Context(), store, g)
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
		err := Commit(t.Context(), store, group(base, 2))
		if err == nil || !strings.Contains(err.Error(), "holds 3 entries where the group follows on") {
			t.Errorf("Commit on base %d = %v, want that the store holds 3", base, err)
		}
	}
	wantHead(t, store, audit.Head{Size: 3, Checkpoint: g.Checkpoint})
	wantRows(t, store, g.Rows)
	commit(t, store, group(3, 1)) // and the store goes on working
}

func noGroup(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	g := group(0, 3)
	commit(t, store, g)
	unmade := errors.New("the group cannot be made")
	for range 10 { // more often than a store has connections
		err := store.Commit(t.Context(), func(audit.Turn) (audit.Group, error) { return group(3, 1), unmade })
		if !errors.Is(err, unmade) {
			t.Fatalf("Commit = %v, want the error of what makes the group", err)
		}
	}
	wantHead(t, store, audit.Head{Size: 3, Checkpoint: g.Checkpoint})
	wantRows(t, store, g.Rows)
	commit(t, store, group(3, 1))
}

func noPart(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	g := group(0, 2)
	commit(t, store, g)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Commit(ctx, store, group(2, 3))
	if err == nil {
		t.Fatal("Commit with a cancelled context succeeded")
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
		err := Commit(ctx, store, g)
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
			err := Commit(context.Background(), store, g)
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
