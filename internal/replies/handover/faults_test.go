//go:build postgres

package handover_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/replies"
)

// A notification that is lost, with its connection or without, delays a reply and no
// more.
func TestLostNotifications(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	all(t, a, b, 1)
	stop := make(chan struct{})
	var killing sync.WaitGroup
	var killed atomic.Int64
	killing.Go(func() {
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		for {
			tag, err := conn.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
			if err != nil {
				t.Error(err)
			}
			killed.Add(tag.RowsAffected())
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	slowest := time.Duration(0)
	began := time.Now()
	for i := 0; (i < 5 || killed.Load() == 0 && time.Since(began) < patience) && !t.Failed(); i++ {
		slowest = max(slowest, all(t, a, b, 10))
	}
	close(stop)
	killing.Wait()
	if killed.Load() == 0 || slowest > 10*time.Second { // a sweep comes later than that
		t.Errorf("%d connections were killed, the slowest reply took %s", killed.Load(), slowest)
	}
	// Once the connections stay up, notifications are heard again: ten replies after one
	// another do not each wait until somebody looks. Until the connections are there,
	// and on a machine that stands still, they do.
	const looking = 2 * time.Second
	quickest := time.Hour
	for end := time.Now().Add(patience); quickest > looking && time.Now().Before(end) && !t.Failed(); {
		began := time.Now()
		for range 10 {
			all(t, a, b, 1)
		}
		quickest = min(quickest, time.Since(began))
	}
	if quickest > looking {
		t.Errorf("ten replies took %s after the connections came back", quickest)
	}
}

// A notification that goes astray, with all connections up: whoever waits looks.
func TestNotificationThatGoesAstray(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	id := newID()
	e := a.expect(t, id, 20*time.Second)
	defer e.Close()
	time.Sleep(500 * time.Millisecond) // it listens, and has looked
	execute(t, url, "CREATE TABLE public.askers AS SELECT message_id, asker FROM ward_replies.waiting; UPDATE ward_replies.waiting SET asker = gen_random_uuid()")
	b.deliver(t, id, "x")
	execute(t, url, "UPDATE ward_replies.waiting w SET asker = o.asker FROM public.askers o WHERE o.message_id = w.message_id")
	began := time.Now()
	reply, err := e.Wait(t.Context())
	if took := time.Since(began); reply.Payload != "x" || err != nil || took > 10*time.Second {
		t.Errorf("%+v, %v after %s", reply, err, took)
	}
}

// A connection that is killed while it is idle in the pool fails one statement at
// most, and nothing that was confirmed is lost.
func TestKilledConnections(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	id := newID()
	e := a.expect(t, id, 20*time.Second)
	defer e.Close()
	execute(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
	fate := replies.Fate("")
	for range 10 {
		var err error
		fate, _, err = b.Deliver(t.Context(), id, replies.Reply{Payload: "x"})
		if err == nil {
			break
		}
	}
	reply, err := e.Wait(t.Context())
	if fate != replies.Delivered || reply.Payload != "x" || err != nil {
		t.Errorf("%s, %+v, %v", fate, reply, err)
	}
}

// WRD-SPN-17: without the database nothing is asked and no reply is confirmed, and
// whoever waits ends without one.
func TestDatabaseThatIsGone(t *testing.T) {
	own, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	url, err := own.Database()
	if err != nil {
		t.Fatal(err)
	}
	keys := newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	id := newID()
	e := a.expect(t, id, 500*time.Millisecond)
	defer e.Close()
	stopped := time.Now()
	err = own.Stop()
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Deliver(t.Context(), id, replies.Reply{})
	if err == nil {
		t.Error("a reply was confirmed")
	}
	began := time.Now()
	_, err = e.Wait(t.Context())
	if took := time.Since(began); !errors.Is(err, replies.ErrNoReply) || took > 10*time.Second {
		t.Errorf("Wait = %v after %s", err, took)
	}
	_, err = a.Expect(t.Context(), replies.Question{MessageID: newID(), Until: time.Now().Add(time.Second)})
	if err == nil {
		t.Error("a question was announced to nobody")
	}
	err = own.Resume()
	if err != nil {
		t.Fatal(err)
	}
	// Connections of before are still in the pools. One that was idle for a second is
	// tried before it is used.
	time.Sleep(time.Until(stopped.Add(time.Second + 100*time.Millisecond)))
	all(t, a, b, 3)
}

// A reply that is left when the wait ends is used, although nobody was notified.
func TestLastLook(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := open(t, url, keys), open(t, url, keys)
	id := newID()
	err := a.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "c"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	reply := replies.Reply{Action: "QUQI_IN010000UK14", MessageID: "M", Payload: "<a/>", Received: time.Date(2026, 3, 1, 9, 0, 0, 5, time.UTC)}
	_, _, err = b.Leave(t.Context(), id, reply)
	if err != nil {
		t.Fatal(err)
	}
	left, found, err := a.End(t.Context(), id, false)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	want := replies.Left{RefTo: id, Correlation: "c", Reply: reply}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, found, err = a.End(t.Context(), id, false)
	if err != nil || found {
		t.Error("it was there twice", err)
	}
}

// WRD-AUD-05: a database that hangs over the table holds up the end of a question no
// longer than its context, although it holds up the fetching of replies too.
func TestEndWhileFetchingHangs(t *testing.T) {
	t.Parallel()
	url := database(t)
	table := open(t, url, newKeys(t))
	var ids []string
	for range 5 {
		id := newID()
		expect(t, table, id)
		ids = append(ids, id)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE ward_replies.waiting IN EXCLUSIVE MODE")
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { table.Run(running, func(replies.Left) {}) })
	defer run.Wait()
	defer stop()
	time.Sleep(500 * time.Millisecond) // by now replies are looked for
	// A machine that stands still may take longer, but not each time.
	const enough = 700 * time.Millisecond
	quickest := time.Hour
	for i := 0; i < len(ids) && quickest > enough; i++ {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		_, _, err = table.End(ctx, ids[i], false)
		quickest = min(quickest, time.Since(began))
		cancel()
		if err == nil {
			t.Error("a question was ended in a table that is locked")
		}
	}
	if quickest > enough {
		t.Errorf("the end took %s, with 200ms to do it in", quickest)
	}
}
