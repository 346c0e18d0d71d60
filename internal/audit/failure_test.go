package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

var errDisk = errors.New("the disk is full")

// faulty is a store whose commits fail as told.
type faulty struct {
	audit.Store
	before atomic.Bool // the commit does not happen
	after  atomic.Bool // the commit happens, and then seems to have failed
	blind  atomic.Bool // the head cannot be read
}

func (f *faulty) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	if f.before.Load() {
		return errDisk
	}
	err := f.Store.Commit(ctx, compose)
	if f.after.Load() {
		return errDisk
	}
	return err
}

func (f *faulty) Head(ctx context.Context) (audit.Head, error) {
	if f.blind.Load() {
		return audit.Head{}, errDisk
	}
	return f.Store.Head(ctx)
}

// WRD-AUD-06: whatever commits fail, before or after they happened, no
// acknowledged entry is lost, no sequence number is given twice or skipped, and
// the log verifies.
func TestFailedCommitsLoseNothing(t *testing.T) {
	k := newKeys(t)
	path := filepath.Join(t.TempDir(), "audit.db")
	sqliteStore := openStore(t, path)
	stores := map[string]func() audit.Store{
		"memory": func() audit.Store { return new(audittest.Memory) },
		"sqlite": func() audit.Store { return sqliteStore }, // goes on with the same log in each run
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				store := &faulty{Store: store()}
				log := openLog(t, k.options(store))
				acknowledged := make(map[int64]string)
				for i := range rapid.IntRange(1, 20).Draw(r, "appends") {
					store.before.Store(rapid.Bool().Draw(r, "before"))
					store.after.Store(rapid.Bool().Draw(r, "after"))
					store.blind.Store(rapid.IntRange(0, 4).Draw(r, "blind") == 0)
					e := refused(fmt.Sprint(i))
					seq, err := log.Append(t.Context(), e)
					failing := store.before.Load() || store.after.Load()
					if failing && err == nil {
						r.Fatal("Append succeeded although the commit failed")
					}
					if (err == nil) != (log.Healthy() == nil) {
						r.Fatalf("after Append = %v, Healthy = %v", err, log.Healthy())
					}
					if err != nil {
						continue
					}
					if _, twice := acknowledged[seq]; twice {
						r.Fatalf("sequence number %d was given twice", seq)
					}
					acknowledged[seq] = e.Correlation
				}
				store.before.Store(false)
				store.after.Store(false)
				store.blind.Store(false)
				mustAppend(t, log, refused("last"))
				mustVerify(t, store, k.public, "")
				for seq, correlation := range acknowledged {
					for record, err := range log.Entries(t.Context(), seq, seq+1) {
						if err != nil || record.Entry.Correlation != correlation {
							r.Fatalf("entry %d is of %q (%v), want %q", seq, record.Entry.Correlation, err, correlation)
						}
						delete(acknowledged, seq)
					}
				}
				if len(acknowledged) > 0 {
					r.Fatalf("acknowledged entries are lost: %v", acknowledged)
				}
				err := log.Close(t.Context())
				if err != nil {
					r.Fatal(err)
				}
			})
		})
	}
}

// WRD-AUD-04: while the store fails every Append fails, and the reason is told.
func TestFailingStoreFailsClosed(t *testing.T) {
	store := &faulty{Store: new(audittest.Memory)}
	log := openLog(t, newKeys(t).options(store))
	mustAppend(t, log, refused(""))
	store.before.Store(true)
	for range 5 {
		_, err := log.Append(t.Context(), refused(""))
		if !errors.Is(err, errDisk) {
			t.Errorf("Append = %v, want the store's error", err)
		}
	}
	if !errors.Is(log.Healthy(), errDisk) {
		t.Errorf("Healthy = %v, want the store's error", log.Healthy())
	}
	err := log.Close(t.Context())
	if !errors.Is(err, errDisk) {
		t.Errorf("Close = %v, want the store's error", err)
	}
}

// A service that is not ready gets no traffic, so the log must find out by
// itself that it can be written again.
func TestRecoversWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: new(audittest.Memory)}
		options := newKeys(t).options(store)
		options.RetryEvery = time.Second
		log := openLog(t, options)
		store.after.Store(true)
		_, err := log.Append(t.Context(), refused(""))
		if err == nil {
			t.Fatal("Append succeeded although the commit failed")
		}
		time.Sleep(10 * time.Second)
		if log.Healthy() == nil {
			t.Error("the log is healthy although the store fails")
		}
		store.after.Store(false)
		time.Sleep(time.Second + time.Millisecond)
		if log.Healthy() != nil {
			t.Errorf("the log is not healthy again: %v", log.Healthy())
		}
		if seq := mustAppend(t, log, refused("")); seq != 1 {
			t.Errorf("the next sequence number is %d, want 1: the first commit did happen", seq)
		}
	})
}

// hanging is a store whose commits do not come to an end.
type hanging struct {
	audit.Store
	until chan struct{} // nil while it does not hang
}

func (h *hanging) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	if h.until != nil {
		<-h.until
	}
	return h.Store.Commit(ctx, compose)
}

// A disc that hangs gives no error, but the log says that it cannot be written.
func TestHangingStoreIsNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{Store: new(audittest.Memory)}
		log := openLog(t, newKeys(t).options(store))
		store.until = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := log.Append(ctx, refused(""))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append = %v, want that its time is up", err)
		}
		time.Sleep(5 * time.Second)
		err = log.Healthy()
		if err == nil || !strings.Contains(err.Error(), "the disc hangs") {
			t.Errorf("Healthy = %v, want that the disc hangs", err)
		}
		close(store.until)
		synctest.Wait()
		if log.Healthy() != nil {
			t.Errorf("Healthy = %v once the commit came to its end", log.Healthy())
		}
	})
}

// A store that changed behind the log's back is not added to.
func TestDoubtfulStoreStopsTheLog(t *testing.T) {
	k := newKeys(t)
	store := &faulty{Store: new(audittest.Memory)}
	log := openLog(t, k.options(store))
	mustAppend(t, log, refused(""))
	err := audittest.Commit(t.Context(), store, audit.Group{Base: 1, Rows: []audit.Row{{Seq: 1, Leaf: []byte("x")}}, Checkpoint: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = log.Append(t.Context(), refused(""))
		if err == nil || !strings.Contains(err.Error(), "not signed by a known key") {
			t.Errorf("Append = %v, want that the checkpoint is not signed", err)
		}
	}
	if rows := allRows(t, store); len(rows) != 2 {
		t.Errorf("the store has %d rows, want 2", len(rows))
	}
}

// MSCA-AUD-03e: a store that lost acknowledged entries while the log was open,
// even if it is whole in itself, is not added to.
func TestOlderStoreStopsTheLog(t *testing.T) {
	k := newKeys(t)
	older := new(audittest.Memory)
	mustAppendTo(t, k, older, "first")
	newer := new(audittest.Memory)
	mustAppendTo(t, k, newer, "first")
	store := &faulty{Store: newer}
	log := openLog(t, k.options(store))
	mustAppend(t, log, refused("second"))
	store.before.Store(true)
	_, err := log.Append(t.Context(), refused("third"))
	if !errors.Is(err, errDisk) {
		t.Fatalf("Append = %v, want the store's error", err)
	}
	store.Store = older
	store.before.Store(false)
	_, err = log.Append(t.Context(), refused("third"))
	if err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("Append = %v, want that the store is older", err)
	}
	if rows := allRows(t, older); len(rows) != 1 {
		t.Errorf("the older store has %d rows, want 1", len(rows))
	}
}

// brokenSigner signs until it breaks, as a key in a device may.
type brokenSigner struct {
	note.Signer
	broken bool
}

func (b *brokenSigner) Sign(text []byte) ([]byte, error) {
	if b.broken {
		return nil, errDisk
	}
	return b.Signer.Sign(text)
}

func TestFailedSignatureWritesNothing(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	signer := &brokenSigner{Signer: k.signer}
	options := k.options(&store)
	options.Signer = signer
	log := openLog(t, options)
	mustAppend(t, log, refused(""))
	signer.broken = true
	_, err := log.Append(t.Context(), refused(""))
	if !errors.Is(err, errDisk) {
		t.Errorf("Append = %v, want the signer's error", err)
	}
	if rows := allRows(t, &store); len(rows) != 1 {
		t.Errorf("the store has %d rows, want 1", len(rows))
	}
	signer.broken = false
	if seq := mustAppend(t, log, refused("")); seq != 1 {
		t.Errorf("the next sequence number is %d, want 1", seq)
	}
	mustVerify(t, &store, k.public, "")
}
