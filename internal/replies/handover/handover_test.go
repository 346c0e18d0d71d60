//go:build postgres

package handover_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/replies/handover"
)

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
	// On a machine that stands still the end does not get through in its time.
	for end := time.Now().Add(patience); rows(t, url, "ended AND message_id = '"+second+"'") == 0 && time.Now().Before(end); {
		second = newID()
		a.expect(t, second, time.Minute).Close()
	}
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
	for end := time.Now().Add(patience); rows(t, url, "reply IS NOT NULL") > 0 && time.Now().Before(end); { // what is left is fetched
		time.Sleep(10 * time.Millisecond)
	}
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

// rows is how many rows of the table are so.
func rows(t *testing.T, url, condition string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), "SELECT count(*) FROM ward_replies.waiting WHERE "+condition).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
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
	count := func() int { return rows(t, url, "true") }
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
