package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

func lastDay() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// MSCA-AUD-03e, WRD-AUD-01: whatever is appended, with the log closed and
// opened again in between, the entries are numbered from 0 without a gap, the tree is
// that of RFC 6962 computed as its text says, the open intents are those
// without an outcome, and the log verifies.
func TestAnyHistoryVerifies(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := newKeys(t)
		dir := t.TempDir()
		checkpoints := filepath.Join(dir, "checkpoints")
		mkdir(t, checkpoints)
		store := openStore(t, filepath.Join(dir, "audit.db"))
		defer store.Close()
		want := int64(0)
		for range rapid.IntRange(1, 3).Draw(r, "sessions") {
			options := k.options(store)
			options.Checkpoints = dirs(checkpoints)
			options.Now = lastDay // no entry is of a later one, so the clock never went back
			log := openLog(t, options)
			for _, e := range rapid.SliceOfN(entries(), 0, 9).Draw(r, "entries") {
				if seq := mustAppend(t, log, e); seq != want {
					r.Fatalf("the sequence number is %d, want %d", seq, want)
				}
				want++
			}
			wantOpen(r, log)
			err := log.Close(t.Context())
			if err != nil {
				r.Fatal(err)
			}
		}
		var leaves [][]byte
		for i, row := range allRows(t, store) {
			if row.Seq != int64(i) {
				r.Fatalf("row %d has the sequence number %d", i, row.Seq)
			}
			leaves = append(leaves, row.Leaf)
		}
		report := mustVerify(t, store, k.public, checkpoints)
		if report.Entries != want || report.Newest != report.Entries || report.Root != root(leaves) {
			r.Fatalf("report %+v, want %d entries with the root %v", report, want, root(leaves))
		}
		head, err := store.Head(t.Context())
		if err != nil {
			r.Fatal(err)
		}
		c, err := audit.OpenCheckpoint(head.Checkpoint, k.public, origin)
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(audit.Checkpoint{Origin: origin, Size: want, Root: root(leaves)}, c); diff != "" {
			r.Fatalf("checkpoint (-want +got):\n%s", diff)
		}
	})
}

// wantOpen checks the open intents against the definition: an intent is open
// until an outcome or recovered entry with its correlation follows.
func wantOpen(r *rapid.T, log *audit.Log) {
	var all, want []audit.Entry
	for record, err := range log.Entries(context.Background(), 0, log.Size()) {
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, record.Entry)
	}
	for i, e := range all {
		closed := slices.ContainsFunc(all[i:], func(later audit.Entry) bool {
			return (later.Kind == audit.Outcome || later.Kind == audit.Recovered) && later.Correlation == e.Correlation
		})
		if e.Kind == audit.Intent && !closed {
			want = append(want, e)
		}
	}
	open, err := log.OpenIntents(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	if diff := cmp.Diff(want, open); diff != "" {
		r.Fatalf("open intents (-want +got):\n%s", diff)
	}
}

// MSCA-AUD-03e: many appenders at once.
func TestConcurrentAppends(t *testing.T) {
	const appenders, each = 64, 50
	k := newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	log := openLog(t, k.options(store))
	seen := make([]atomic.Int32, appenders*each)
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				e := refused(fmt.Sprint(a, "/", i))
				seq, err := log.Append(t.Context(), e)
				if err != nil {
					t.Error(err)
					return
				}
				seen[seq].Add(1)
				for record, err := range log.Entries(t.Context(), seq, seq+1) {
					if err != nil || record.Entry.Correlation != e.Correlation {
						t.Errorf("entry %d is of %q (%v), want %q", seq, record.Entry.Correlation, err, e.Correlation)
					}
				}
			}
		})
	}
	wg.Wait()
	for seq := range seen {
		if n := seen[seq].Load(); n != 1 {
			t.Fatalf("sequence number %d was given %d times", seq, n)
		}
	}
	if report := mustVerify(t, store, k.public, ""); report.Entries != appenders*each {
		t.Errorf("the log has %d entries, want %d", report.Entries, appenders*each)
	}
	closeAll(t, log, store)
}

// Verify and Entries work on a log in use (WRD-AUD-02).
func TestVerifyWhileAppending(t *testing.T) {
	k := newKeys(t)
	path, checkpoints := seeded(t, k, 0)
	store := openStore(t, path)
	options := k.options(store)
	options.Checkpoints, options.CheckpointEvery = dirs(checkpoints), time.Millisecond
	log := openLog(t, options)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for a := range int64(4) {
		wg.Go(func() {
			for i := a * 1_000_000; ; i++ {
				select {
				case <-stop:
					return
				default:
					_, err := log.Append(t.Context(), sample(i))
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 10 {
		mustVerify(t, store, k.public, checkpoints)
	}
	close(stop)
	wg.Wait()
	closeAll(t, log, store)
}

// Two logs on one store, as two replicas on one database would be, make one
// tree: whoever comes second begins again on what the first added.
func TestTwoWritersMakeOneTree(t *testing.T) {
	const each = 100
	k := newKeys(t)
	var store audittest.Memory
	logs := []*audit.Log{openLog(t, k.options(&store)), openLog(t, k.options(&store))}
	var wg sync.WaitGroup
	for i, log := range logs {
		wg.Go(func() {
			for n := range int64(each) {
				_, err := log.Append(t.Context(), sample(n+int64(i)*1_000_000))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if report := mustVerify(t, &store, k.public, ""); report.Entries != 2*each {
		t.Errorf("the log has %d entries, want %d", report.Entries, 2*each)
	}
}

// groups is a store that remembers what was committed.
type groups struct {
	audittest.Memory
	all []audit.Group
}

func (g *groups) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	return g.Memory.Commit(ctx, func(turn audit.Turn) (audit.Group, error) {
		group, err := compose(turn)
		g.all = append(g.all, group)
		return group, err
	})
}

// An outcome closes the intents that are open, and is then done with them.
func TestIntentsCloseOnce(t *testing.T) {
	var store groups
	log := openLog(t, newKeys(t).options(&store))
	for _, kind := range []audit.Kind{audit.Intent, audit.Intent, audit.Outcome, audit.Outcome, audit.Intent, audit.Undelivered, audit.Recovered} {
		mustAppend(t, log, audit.Entry{Kind: kind, Time: full.Time, Correlation: "c"})
	}
	type change struct {
		Opened []audit.Opened
		Closed []audit.Opened
	}
	var got []change
	for _, g := range store.all[1:] { // the first is of the empty log
		got = append(got, change{g.Opened, g.Closed})
	}
	opened := func(seq int64) change { return change{Opened: []audit.Opened{{Seq: seq, Correlation: "c"}}} }
	closed := func(seq int64) change { return change{Closed: []audit.Opened{{Seq: seq, Correlation: "c"}}} }
	want := []change{opened(0), opened(1), closed(2), closed(3), opened(4), {}, closed(6)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes of the open intents (-want +got):\n%s", diff)
	}
	open, err := log.OpenIntents(t.Context())
	if err != nil || len(open) > 0 {
		t.Errorf("%d intents are open, %v", len(open), err)
	}
}

// gate is a store whose commits wait until they are let through.
type gate struct {
	audittest.Memory
	entered chan int      // the number of rows of the commit that waits
	let     chan struct{} // lets it through
}

func newGate() *gate { return &gate{entered: make(chan int), let: make(chan struct{})} }

func (g *gate) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	return g.Memory.Commit(ctx, func(turn audit.Turn) (audit.Group, error) {
		group, err := compose(turn)
		if err != nil || len(group.Rows) == 0 {
			return group, err
		}
		select {
		case g.entered <- len(group.Rows):
		case <-ctx.Done():
			return group, ctx.Err()
		}
		select {
		case <-g.let:
		case <-ctx.Done():
			return group, ctx.Err()
		}
		return group, nil
	})
}

// check is mustAppend for other goroutines than the test's.
func check(t *testing.T, log *audit.Log, e audit.Entry) {
	_, err := log.Append(t.Context(), e)
	if err != nil {
		t.Errorf("Append: %v", err)
	}
}

// WRD-AUD-04: Append does not return before the commit has.
func TestAppendReturnsAfterTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		log := openLog(t, newKeys(t).options(store))
		returned := false
		go func() {
			check(t, log, refused(""))
			returned = true
		}()
		<-store.entered
		synctest.Wait()
		if returned {
			t.Error("Append returned while the commit was under way")
		}
		store.let <- struct{}{}
		synctest.Wait()
		if !returned {
			t.Error("Append did not return after the commit")
		}
	})
}

// What arrives during a commit shares the next one, up to MaxGroup.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		options := newKeys(t).options(store)
		options.MaxGroup, options.MaxWait = 4, time.Second
		log := openLog(t, options)
		start := time.Now()
		go check(t, log, refused("first"))
		groups := []int{<-store.entered}
		for range 6 {
			go check(t, log, refused("later"))
		}
		synctest.Wait()
		for range 2 {
			store.let <- struct{}{}
			groups = append(groups, <-store.entered)
		}
		store.let <- struct{}{}
		synctest.Wait()
		if diff := cmp.Diff([]int{1, 4, 2}, groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		if waited := time.Since(start); waited != options.MaxWait {
			// Only the last waits for more, being smaller than the one before.
			t.Errorf("the groups waited %v for more", waited)
		}
	})
}

// A lone appender is not made to wait for others.
func TestLoneAppendDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := newKeys(t).options(new(audittest.Memory))
		options.MaxWait = time.Hour
		log := openLog(t, options)
		start := time.Now()
		for range 3 {
			mustAppend(t, log, refused(""))
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("three appends waited %v", waited)
		}
	})
}

func TestFullQueueIsAnErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		options := newKeys(t).options(store)
		options.MaxQueue = 2
		log := openLog(t, options)
		for range 3 { // one in the commit, two in the queue
			go check(t, log, refused(""))
			synctest.Wait()
			select {
			case <-store.entered:
			default:
			}
		}
		_, err := log.Append(t.Context(), refused(""))
		if !errors.Is(err, audit.ErrBusy) {
			t.Errorf("Append to a full queue = %v, want ErrBusy", err)
		}
		store.let <- struct{}{}
		<-store.entered
		store.let <- struct{}{}
		synctest.Wait()
		if log.Size() != 3 {
			t.Errorf("the log has %d entries, want 3", log.Size())
		}
	})
}

// An entry whose caller went away is not written if its commit had not begun.
func TestAppendHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		log := openLog(t, newKeys(t).options(store))
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, 2)
		go func() { _, errs[0] = log.Append(ctx, refused("in the commit")) }()
		<-store.entered
		go func() { _, errs[1] = log.Append(ctx, refused("in the queue")) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		for i, want := range []string{"whether the entry was recorded is not known", "the entry was not recorded"} {
			if !errors.Is(errs[i], context.Canceled) || !strings.Contains(errs[i].Error(), want) {
				t.Errorf("Append %d = %v, want that %s", i, errs[i], want)
			}
		}
		_, err := log.Append(ctx, refused("after"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Append with an ended context = %v", err)
		}
		store.let <- struct{}{}
		synctest.Wait()
		rows := allRows(t, store)
		if len(rows) != 1 || !strings.Contains(string(rows[0].Leaf), "in the commit") {
			t.Errorf("the log has %d entries, want only the one in the commit", len(rows))
		}
	})
}

// WRD-OPS-12: what waits at Close is written; what comes after is refused.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		log := openLog(t, newKeys(t).options(store))
		go check(t, log, refused(""))
		<-store.entered
		for range 4 { // wait for the next commit
			go check(t, log, refused(""))
		}
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- log.Close(t.Context()) }()
		synctest.Wait()
		_, err := log.Append(t.Context(), refused(""))
		if !errors.Is(err, audit.ErrClosed) {
			t.Errorf("Append after Close = %v, want ErrClosed", err)
		}
		store.let <- struct{}{}
		<-store.entered
		store.let <- struct{}{}
		err = <-closed
		if err != nil {
			t.Errorf("Close: %v", err)
		}
		synctest.Wait()
		if log.Size() != 5 {
			t.Errorf("the log has %d entries, want 5", log.Size())
		}
		err = log.Close(t.Context())
		if err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

// A store that hangs does not hold Close beyond its context, and the entries
// that wait get an error.
func TestCloseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGate()
		log := openLog(t, newKeys(t).options(store))
		errs := make([]error, 3)
		for i := range errs {
			go func() { _, errs[i] = log.Append(t.Context(), refused("")) }()
		}
		<-store.entered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := log.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want that its context ended", err)
		}
		synctest.Wait()
		for _, err := range errs {
			if err == nil {
				t.Error("an entry was acknowledged that was not written")
			}
		}
	})
}

// WRD-AUD-05: what became of a question whose content cannot be read, since its key is
// not at hand, is recorded all the same, and the log verifies.
func TestAnEntryMadeOfALockedOneHasNoContent(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	log := openLog(t, k.options(&store))
	locked := audit.Entry{Kind: audit.Recovered, Time: time.Now(), Correlation: "c"}
	locked.Content[0] = 1 // that of the intent
	mustAppend(t, log, locked)
	for record, err := range log.Entries(t.Context(), 0, 1) {
		if err != nil || record.State != audit.Whole || record.Entry.HasContent() {
			t.Errorf("entry %d: %v, %v", record.Seq, record.State, err)
		}
	}
	mustVerify(t, &store, k.public, "")
}
