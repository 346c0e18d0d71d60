//go:build postgres

package handover_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/replies/handover"
)

// server is one for all tests of the package, each of which has a database of its own.
var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	server, err = pgtest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Close()
	code := m.Run()
	err = goleak.Find()
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func database(t testing.TB) string {
	t.Helper()
	url, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func execute(t *testing.T, url, script string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	sealing, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	index, err := seal.GenerateIndexKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.ParseSealingKey(sealing)
	if err != nil {
		t.Fatal(err)
	}
	i, err := seal.ParseIndexKey(index)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys([]seal.SealingKey{s}, []seal.IndexKey{i})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// open opens the table for an instance of its own.
func open(t testing.TB, url string, keys *seal.Keys) *handover.Table {
	t.Helper()
	return openAs(t, url, keys, newID())
}

func openAs(t testing.TB, url string, keys *seal.Keys, instance string) *handover.Table {
	t.Helper()
	table, err := handover.Open(t.Context(), handover.Options{URL: url, Instance: instance, Keys: keys, Remember: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

// replica is a room over the table, and what nobody took there.
type replica struct {
	*replies.Room
	mu      sync.Mutex
	untaken []replies.Discard
}

func newReplica(t testing.TB, url string, keys *seal.Keys) *replica {
	t.Helper()
	r := &replica{}
	r.Room = replies.NewRoom(replies.Options{Waiting: 1000, Remembered: 1000, Remember: time.Hour, Now: time.Now, Exchange: open(t, url, keys),
		Untaken: func(d replies.Discard) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.untaken = append(r.untaken, d)
		}})
	t.Cleanup(r.Stop)
	return r
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

func (r *replica) expect(t *testing.T, id string, life time.Duration) *replies.Expected {
	t.Helper()
	e, err := r.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id, Until: time.Now().Add(life)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (r *replica) deliver(t *testing.T, refTo, payload string) replies.Fate {
	t.Helper()
	fate, correlation, err := r.Deliver(t.Context(), refTo, replies.Reply{Action: "REPC_IN000007GB01", Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	if fate != replies.Unasked && correlation != "of "+refTo {
		t.Errorf("%s: correlation %q", fate, correlation)
	}
	return fate
}

// all asks many questions of one replica whose replies reach the other, and returns
// how long the slowest took.
func all(t *testing.T, asker, receiver *replica, many int) time.Duration {
	t.Helper()
	var running sync.WaitGroup
	var mu sync.Mutex
	var slowest time.Duration
	for range many {
		id := newID()
		e := asker.expect(t, id, 20*time.Second)
		running.Go(func() {
			defer e.Close()
			began := time.Now()
			fate, _, err := receiver.Deliver(t.Context(), id, replies.Reply{Payload: "for " + id})
			if fate != replies.Delivered || err != nil {
				t.Errorf("Deliver = %s, %v", fate, err)
			}
			reply, err := e.Wait(t.Context())
			if reply.Payload != "for "+id || err != nil {
				t.Errorf("Wait = %+v, %v", reply, err)
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(began))
		})
	}
	running.Wait()
	return slowest
}

// WRD-SPN-08: two replicas that ask at once, each receiving the other's replies, all
// of which reach the question that they answer.
func TestRepliesReachTheOtherReplica(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	var both sync.WaitGroup
	both.Go(func() { all(t, a, b, 50) })
	both.Go(func() { all(t, b, a, 50) })
	both.Wait()
	if len(a.untaken)+len(b.untaken) > 0 {
		t.Errorf("untaken %+v %+v", a.untaken, b.untaken)
	}
}

// WRD-SPN-17: the fate of a reply is the same whichever replica receives it.
func TestFatesAtTheOtherReplica(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	first, second, third := newID(), newID(), newID()
	e := a.expect(t, first, time.Minute)
	fates := []replies.Fate{b.deliver(t, first, "one"), b.deliver(t, first, "two")}
	_, err := e.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fates = append(fates, b.deliver(t, first, "three"), a.deliver(t, first, "four"))
	e.Close()
	fates = append(fates, b.deliver(t, first, "five"), a.deliver(t, first, "six"))
	a.expect(t, second, time.Minute).Close()
	fates = append(fates, b.deliver(t, second, ""), a.deliver(t, second, ""))
	fast := a.expect(t, third, 50*time.Millisecond)
	defer fast.Close()
	time.Sleep(100 * time.Millisecond)
	fates = append(fates, b.deliver(t, third, ""), a.deliver(t, third, ""), b.deliver(t, newID(), ""))
	want := []replies.Fate{replies.Delivered, replies.Repeated, replies.Repeated, replies.Repeated, replies.Repeated, replies.Repeated,
		replies.Late, replies.Late, replies.Late, replies.Late, replies.Unasked}
	if diff := cmp.Diff(want, fates); diff != "" {
		t.Errorf("fates (-want +got):\n%s", diff)
	}
}

// H-16, WRD-SPN-17: replies to the same question race at both replicas, against each
// other and against the end of the wait. One is used at most, and each that was
// delivered is either used or told as untaken once.
func TestRepliesThatRace(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	used := map[string]bool{}
	delivered := map[string]bool{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range 60 {
		id := newID()
		e := a.expect(t, id, time.Minute)
		for n, r := range []*replica{a, b, b} {
			running.Go(func() {
				name := fmt.Sprint(id, n)
				fate, _, err := r.Deliver(t.Context(), id, replies.Reply{Payload: name})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				delivered[name] = fate == replies.Delivered
			})
		}
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%10)*time.Millisecond)
			defer cancel()
			reply, err := e.Wait(ctx)
			e.Close()
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			used[reply.Payload] = true
			if !strings.HasPrefix(reply.Payload, id) {
				t.Error("a reply was handed to another question")
			}
		})
	}
	running.Wait()
	time.Sleep(time.Second) // what is left is fetched
	a.Stop()
	b.Stop()
	untaken := map[string]int{}
	for _, d := range append(a.untaken, b.untaken...) {
		untaken[d.Reply.Payload]++
	}
	for name, was := range delivered {
		told := untaken[name]
		if used[name] {
			told++
		}
		if was && told != 1 || !was && told != 0 {
			t.Errorf("delivered %v, used %v, untaken %d times", was, used[name], untaken[name])
		}
	}
}

// A notification that is lost, with its connection or without, delays a reply and no
// more.
func TestLostNotifications(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := newReplica(t, url, keys), newReplica(t, url, keys)
	all(t, a, b, 1)
	stop := make(chan struct{})
	var killing sync.WaitGroup
	killed := 0
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
			killed += int(tag.RowsAffected())
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	slowest := time.Duration(0)
	for range 5 {
		slowest = max(slowest, all(t, a, b, 10))
	}
	close(stop)
	killing.Wait()
	if killed == 0 || slowest > 2*time.Second {
		t.Errorf("%d connections were killed, the slowest reply took %s", killed, slowest)
	}
	// Once the connections stay up, notifications are heard again.
	time.Sleep(1500 * time.Millisecond)
	began := time.Now()
	for range 10 {
		all(t, a, b, 1)
	}
	if took := time.Since(began); took > 10*200*time.Millisecond {
		t.Errorf("ten replies took %s after the connections came back", took)
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
	if took := time.Since(began); reply.Payload != "x" || err != nil || took > 3*time.Second {
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
	if took := time.Since(began); !errors.Is(err, replies.ErrNoReply) || took > 3*time.Second {
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

// WRD-SPN-17, WRD-AUD-05: a replica that starts again ends what it left open when it
// was killed, and nothing of another one: replies that were left for it are told at
// once, and those that come from then on are late.
func TestAnInstanceThatStartsAgainEndsWhatItLeft(t *testing.T) {
	url, keys := database(t), newKeys(t)
	killed, other := openAs(t, url, keys, "first"), openAs(t, url, keys, "second")
	again := openAs(t, url, keys, "first")
	const many = 103 // more than are fetched at once
	for i := range many {
		expect(t, killed, fmt.Sprint("left ", i))
		leave(t, other, fmt.Sprint("left ", i), replies.Delivered)
	}
	expect(t, killed, "open")
	expect(t, other, "of another")
	expect(t, again, "of now")
	told := map[string]bool{}
	err := handover.Succeed(t.Context(), again, func(l replies.Left) {
		if l.Correlation != "of "+l.RefTo || told[l.RefTo] {
			t.Errorf("%s was told with %q, or again", l.RefTo, l.Correlation)
		}
		told[l.RefTo] = true
	})
	if err != nil || len(told) != many {
		t.Errorf("%d replies were told, want %d: %v", len(told), many, err)
	}
	leave(t, other, "open", replies.Late)
	leave(t, other, "left 0", replies.Repeated)
	leave(t, again, "of another", replies.Delivered)
	leave(t, other, "of now", replies.Delivered)
}

func expect(t *testing.T, table *handover.Table, id string) {
	t.Helper()
	err := table.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}

func leave(t *testing.T, table *handover.Table, refTo string, want replies.Fate) {
	t.Helper()
	fate, _, err := table.Leave(t.Context(), refTo, replies.Reply{Payload: "x"})
	if err != nil || fate != want {
		t.Errorf("a reply to %q is %q, want %q: %v", refTo, fate, want, err)
	}
}

// WRD-AUD-05: a database that hangs over the table holds up the end of a question no
// longer than its context, although it holds up the fetching of replies too.
func TestEndWhileFetchingHangs(t *testing.T) {
	t.Parallel()
	url := database(t)
	table := open(t, url, newKeys(t))
	id := newID()
	err := table.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "c"}, time.Minute)
	if err != nil {
		t.Fatal(err)
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
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err = table.End(ctx, id, false)
	if err == nil || time.Since(began) > 700*time.Millisecond {
		t.Errorf("End = %v after %s, with 200ms to do it in", err, time.Since(began))
	}
}

// WRD-SPN-17, WRD-OPS-19: what a replica that died left behind is told by another one,
// once, and its rows do not stay.
func TestSweeping(t *testing.T) {
	url, keys := database(t), newKeys(t)
	dead, b, c := open(t, url, keys), open(t, url, keys), open(t, url, keys)
	for _, id := range []string{"answered", "unanswered", "waiting"} {
		err := dead.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := b.Leave(t.Context(), "answered", replies.Reply{Payload: "x"})
	if err != nil {
		t.Fatal(err)
	}
	sweep := func() (told []replies.Left) {
		for _, table := range []*handover.Table{b, c} {
			err := handover.Sweep(t.Context(), table, 30*time.Second, func(l replies.Left) { told = append(told, l) })
			if err != nil {
				t.Fatal(err)
			}
		}
		return told
	}
	count := func() (rows int) {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		err = conn.QueryRow(t.Context(), "SELECT count(*) FROM ward_replies.waiting").Scan(&rows)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if told := sweep(); len(told) != 0 || count() != 3 {
		t.Errorf("in time: %+v, %d rows", told, count())
	}
	execute(t, url, "UPDATE ward_replies.waiting SET until = now() - interval '1 minute' WHERE message_id <> 'waiting'")
	want := []replies.Left{{RefTo: "answered", Correlation: "of answered", Reply: replies.Reply{Payload: "x"}}}
	if diff := cmp.Diff(want, sweep()); diff != "" || count() != 3 {
		t.Errorf("%d rows (-want +got):\n%s", count(), diff)
	}
	var fates []replies.Fate
	for _, id := range []string{"answered", "unanswered"} {
		fate, _, err := c.Leave(t.Context(), id, replies.Reply{})
		if err != nil {
			t.Fatal(err)
		}
		fates = append(fates, fate)
	}
	if diff := cmp.Diff([]replies.Fate{replies.Repeated, replies.Late}, fates); diff != "" {
		t.Errorf("fates (-want +got):\n%s", diff)
	}
	execute(t, url, "UPDATE ward_replies.waiting SET until = now() - interval '61 minutes' WHERE message_id <> 'waiting'")
	if told := sweep(); len(told) != 0 || count() != 1 {
		t.Errorf("at last: %+v, %d rows", told, count())
	}
}

// WRD-SEC-11: who reads the table, or a dump of it, reads no reply, and whoever swaps
// or forges one gets it to nobody.
func TestNothingIsReadableInTheTable(t *testing.T) {
	url, keys := database(t), newKeys(t)
	a, b := open(t, url, keys), open(t, url, keys)
	const secret = "Robin Fennimore 9990000018"
	for _, id := range []string{"A", "B", "C"} {
		err := a.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "c"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = b.Leave(t.Context(), id, replies.Reply{Action: "REPC_IN000007GB01", Payload: strings.Repeat(secret, 10)})
		if err != nil {
			t.Fatal(err)
		}
	}
	dump, err := server.Dump(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Fennimore", "9990000018", "REPC_IN", fmt.Sprintf("%x", "Fennimore")} {
		if bytes.Contains(dump, []byte(part)) {
			t.Errorf("the table holds %s", part)
		}
	}
	if !bytes.Contains(dump, []byte("ward_replies.waiting")) {
		t.Error("the dump has no such table")
	}
	execute(t, url, `UPDATE ward_replies.waiting SET reply = (SELECT reply FROM ward_replies.waiting WHERE message_id = 'A') WHERE message_id = 'B';
		UPDATE ward_replies.waiting SET reply = '\x00' WHERE message_id = 'C'`)
	for id, want := range map[string]bool{"A": true, "B": false, "C": false} {
		_, found, err := a.End(t.Context(), id, false)
		if found != want || err != nil {
			t.Errorf("the reply to %s: %v, %v", id, found, err)
		}
	}
}

// The table needs no right on the log, and does not get in its way.
func TestRightsThatAreNeeded(t *testing.T) {
	owner, keys := database(t), newKeys(t)
	store, err := postgres.Open(t.Context(), owner, "setup")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	as := func(role string) string { return strings.Replace(owner, "postgres@", role+"@", 1) }
	execute(t, owner, "CREATE ROLE nobody LOGIN; CREATE ROLE ward LOGIN")
	options := handover.Options{URL: as("nobody"), Keys: keys, Remember: time.Hour, Logger: slog.New(slog.DiscardHandler)}
	_, err = handover.Open(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("without the right to make it: %v", err)
	}
	open(t, owner, keys)
	_, err = handover.Open(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "the schema ward_replies cannot be used") {
		t.Errorf("without any right: %v", err)
	}
	execute(t, owner, "GRANT USAGE ON SCHEMA ward_replies TO ward; GRANT SELECT, INSERT, UPDATE, DELETE ON ward_replies.waiting TO ward")
	a, b := newReplica(t, as("ward"), keys), newReplica(t, as("ward"), keys)
	all(t, a, b, 3)
	err = store.Check(t.Context())
	if err != nil {
		t.Error(err)
	}
	options.URL = owner + "&search_path=" + strings.Repeat("a", 60)
	_, err = handover.Open(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "at most 55 letters") {
		t.Errorf("with a long search_path: %v", err)
	}
}

// Replicas that start together over an empty database make one table.
func TestManyMakeTheTableAtOnce(t *testing.T) {
	url, keys := database(t), newKeys(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			table, err := handover.Open(t.Context(), handover.Options{URL: url, Keys: keys, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			table.Close()
		})
	}
	all.Wait()
}
