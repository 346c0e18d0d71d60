//go:build postgres

package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/postgres"
)

// one is a group of one entry, on what a writer finds in its turn.
func one(turn audit.Turn) (audit.Group, error) {
	size := turn.Size()
	return audit.Group{Base: size, Rows: []audit.Row{{Seq: size, Leaf: []byte("l")}}, Checkpoint: []byte("c")}, nil
}

// WRD-OPS-01: of several instances that commit as fast as they can each has its turn,
// however slow one is to come back.
func TestInstancesTakeTurns(t *testing.T) {
	url := database(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var queue fairness
	pauses := []time.Duration{0, 0, 2 * time.Millisecond}
	for i := range pauses {
		queue.watch(open(t, url, string(rune('a'+i))))
	}
	var wg sync.WaitGroup
	for i, pause := range pauses {
		wg.Go(func() {
			for queue.fewest() < commitsEach && !t.Failed() {
				err := queue.writers[i].Commit(ctx, one)
				if err != nil {
					t.Errorf("Commit: %v", err)
					return
				}
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	queue.check(t)
	head, err := open(t, url, "d").Head(t.Context())
	if err != nil || head.Size != queue.turns.Load() {
		t.Errorf("the store holds %d entries, want %d, %v", head.Size, queue.turns.Load(), err)
	}
}

// never is no limit to how long a transaction may lie idle.
const never = 0

// hold takes the turn of a store until let is closed. It returns once it has it.
func hold(t *testing.T, store *postgres.Store, let <-chan struct{}) (done <-chan error) {
	t.Helper()
	taken, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- store.Commit(t.Context(), func(turn audit.Turn) (audit.Group, error) {
			close(taken)
			<-let
			return one(turn)
		})
	}()
	select {
	case <-taken:
	case err := <-ended:
		t.Fatalf("Commit ended before its turn: %v", err)
	}
	return ended
}

// WRD-OPS-01: a writer that stalls in its turn loses it, and has written nothing.
func TestAWriterThatStallsLosesItsTurn(t *testing.T) {
	url := database(t)
	stalling, other := open(t, url, "ward-1"), open(t, url, "ward-2")
	setting, err := postgres.Setting(t.Context(), stalling, "idle_in_transaction_session_timeout")
	if err != nil || setting != "5s" {
		t.Errorf("the limit is %s, %v", setting, err)
	}
	const limit = 300 * time.Millisecond
	err = postgres.Silent(t.Context(), stalling, limit)
	if err != nil {
		t.Fatal(err)
	}
	let := make(chan struct{})
	began := time.Now()
	done := hold(t, stalling, let)
	// However late it is: before let is closed nothing else ends the turn.
	err = audittest.Commit(t.Context(), other, audit.Group{Checkpoint: []byte("other")})
	if took := time.Since(began); err != nil || took < limit {
		t.Errorf("Commit behind one that stalls = %v after %s", err, took)
	}
	close(let)
	err = <-done
	if err == nil {
		t.Error("the one that stalled could commit")
	}
	head, err := other.Head(t.Context())
	if err != nil || head.Size != 0 || string(head.Checkpoint) != "other" {
		t.Errorf("the head is %d, %q, %v", head.Size, head.Checkpoint, err)
	}
	err = postgres.Silent(t.Context(), stalling, never)
	if err != nil {
		t.Fatal(err)
	}
	err = stalling.Commit(t.Context(), one)
	if err != nil {
		t.Errorf("the next Commit of the one that stalled: %v", err)
	}
}

// The end of ctx also ends the waiting for another instance, of which nothing stays
// behind that would take a turn later.
func TestWaitingForAnotherInstanceEnds(t *testing.T) {
	url := database(t)
	holding, waiting := open(t, url, "ward-1"), open(t, url, "ward-2")
	err := postgres.Silent(t.Context(), holding, never)
	if err != nil {
		t.Fatal(err)
	}
	let := make(chan struct{})
	done := hold(t, holding, let)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = waiting.Commit(ctx, func(turn audit.Turn) (audit.Group, error) {
		t.Error("two instances had their turn at once")
		return one(turn)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit while another has its turn = %v", err)
	}
	close(let)
	err = <-done
	if err != nil {
		t.Errorf("the commit of the other: %v", err)
	}
	err = waiting.Commit(t.Context(), one)
	if err != nil {
		t.Errorf("the next Commit: %v", err)
	}
}
