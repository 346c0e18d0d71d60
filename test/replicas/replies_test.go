//go:build postgres

package replicas_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// What becomes of a reply that the Spine posts to one replica while another one waits
// for it (WRD-SPN-17, WRD-OPS-19). A reply is the provider's once it is confirmed, by
// status 202 or an acknowledgement: it is in the database then, or with whoever waits.
// Before that it is the Spine's. By the contract that the directory publishes the Spine
// posts it once: if the replica that it reaches is dead, the Spine has lost it, and the
// question ends as unknown although nobody here lost anything.

// Which replica is which.
const (
	first  = 0
	second = 1
)

// budget is what the replicas have for a question where some get no reply; 9 s elsewhere.
const budget = 5 * time.Second

// two are the options of a cluster of two over the asynchronous pattern.
func two() stage.Options {
	return stage.Options{Pattern: "async", Generate: 6000, Replicas: []string{"second"}}
}

// repliesTo has the Spine post all replies to one instance.
func (c *cluster) repliesTo(t *testing.T, instance int) {
	t.Helper()
	err := c.stage.Simulator.SetReplyTo(instance + 1)
	if err != nil {
		t.Fatal(err)
	}
}

// repliesInTurn has the Spine post replies to each instance in turn.
func (c *cluster) repliesInTurn(t *testing.T) { c.repliesTo(t, -1) }

// delayed has the Spine keep replies back, as many for each of some times.
func (c *cluster) delayed(t *testing.T, times ...time.Duration) {
	t.Helper()
	var delays []spinesim.DelayShare
	for _, d := range times {
		delays = append(delays, spinesim.DelayShare{Share: 100 / len(times), Delay: d})
	}
	err := c.stage.Simulator.Disturb(spinesim.Chaos{Seed: c.random.Uint64(), Delays: delays})
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// processed waits until the Spine has processed so many questions more, all told.
func (c *cluster) processed(t *testing.T, questions int64) {
	t.Helper()
	await(t, "the questions reach the Spine", func() bool { return c.stage.Simulator.Counters().Processed >= questions })
}

// posted is how many replies were confirmed by whom they were posted to.
func (c *cluster) posted() int64 {
	return c.stage.Simulator.Counters().RepliesByFate[string(spinesim.Delivered)]
}

// noMoreReplies waits until none is on its way.
func (c *cluster) noMoreReplies(t *testing.T) {
	t.Helper()
	await(t, "the Spine has posted all replies", func() bool { return c.stage.Simulator.PendingReplies() == 0 })
}

// replies are those of the Spine by the number that was asked about.
func (c *cluster) replies() map[string]spinesim.Reply {
	all := map[string]spinesim.Reply{}
	for _, r := range c.stage.Simulator.Replies() {
		all[r.NHSNumber] = r
	}
	return all
}

// confirmed reports whether a replica has confirmed the reply.
func confirmed(r spinesim.Reply) bool {
	for _, p := range r.Posts {
		if p.Status/100 == 2 {
			return true
		}
	}
	return false
}

// again starts an instance again, and waits until it serves.
func (c *cluster) again(t *testing.T, instance int) {
	t.Helper()
	c.start(t, instance)
	err := c.processes[instance].WaitServing()
	if err != nil {
		t.Fatal(err)
	}
}

// finish stops the replicas, verifies the log, and holds everything that was told
// against it.
func (c *cluster) finish(t *testing.T, book *ledger, all []told) {
	t.Helper()
	c.noMoreReplies(t)
	c.stop(t)
	err := c.stage.Verify(program)
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, book, answersOf(all))
	again := c.stage.Simulator.Counters().ProcessedAgain
	if again != 0 {
		t.Errorf("%d questions were processed again", again)
	}
}

// byNumber are entries by the number that their question is about.
func (l *ledger) byNumber(entries map[string]audit.Entry) map[string]audit.Entry {
	numbers := map[string]audit.Entry{}
	for _, i := range l.intents {
		e, ok := entries[i.Correlation]
		if ok {
			numbers[i.NHSNumber] = e
		}
	}
	return numbers
}

// reasons counts discarded replies by how their reason begins.
func (l *ledger) reasons() map[string]int {
	counts := map[string]int{}
	for _, e := range l.discarded {
		reason, _, _ := strings.Cut(e.Reason, ":")
		counts[reason]++
	}
	return counts
}

// lost checks that the questions of an instance which was killed ended either before
// that, rightly, or as unknown, with perhaps a notification. It returns how many are
// unknown.
func lost(t *testing.T, book *ledger, all []told) (unknown int) {
	t.Helper()
	outcomes, recovered := book.byNumber(book.outcomes), book.byNumber(book.recovered)
	for _, each := range all {
		number := each.child.NHSNumber
		outcome, ended := outcomes[number]
		e, open := recovered[number]
		if each.result.Answer.Outcome() == cpis.Found {
			right(t, []told{each})
		}
		switch {
		case ended == open:
			t.Errorf("%s: an outcome %v, recovered %v", number, ended, open)
		case ended && outcome.Outcome != cpis.Found.String():
			t.Errorf("%s: its question ended as %s (%s)", number, outcome.Outcome, outcome.Reason)
		case open:
			unknown++
			if e.Notified != cpis.NotifiedMaybe.String() || e.Outcome != cpis.OutcomeUnknown.String() {
				t.Errorf("%s: recovered as %s, notified %s", number, e.Outcome, e.Notified)
			}
		}
	}
	return unknown
}

// WRD-SPN-17, WRD-OPS-19, H-16: two replicas are asked, and every reply is posted to the
// one that did not ask; then to each in turn, while both are asked. Every answer is that
// of the child which was asked about, and nothing is discarded or asked again.
func TestRepliesReachTheReplicaThatDidNotAsk(t *testing.T) {
	c := newCluster(t, two())
	a := newAsking(t, c)
	const connections, each = 8, 20
	var all []told
	for _, asked := range []int{first, second} {
		c.repliesTo(t, 1-asked)
		a.over(asked, connections, each)
		some := a.end()
		right(t, some)
		c.noMoreReplies(t)
		replies, other := c.replies(), c.stage.Simulator.ReplyURLs()[1-asked]
		for _, one := range some {
			posts := replies[one.child.NHSNumber].Posts
			if len(posts) != 1 || posts[0].URL != other {
				t.Errorf("the reply about %s was posted to %v, want %s", one.child.NHSNumber, posts, other)
			}
		}
		all = append(all, some...)
	}
	c.repliesInTurn(t)
	a.over(first, connections, each)
	a.over(second, connections, each)
	some := a.end()
	right(t, some)
	all = append(all, some...)

	book := newLedger(c.stage)
	c.finish(t, book, all)
	const questions = 4 * connections * each
	processed := c.stage.Simulator.Counters().Processed
	if len(all) != questions || processed != questions || len(book.intents) != questions || len(book.outcomes) != questions ||
		len(book.open)+len(book.recovered)+len(book.discarded) != 0 {
		t.Errorf("of %d questions %d were told and %d processed; %d intents, %d outcomes, %d open, %d recovered, %v discarded",
			questions, len(all), processed, len(book.intents), len(book.outcomes), len(book.open), len(book.recovered), book.reasons())
	}
	t.Logf("%d questions, of which %d had their reply at the other replica by order", questions, 2*connections*each)
}

// WRD-AUD-05, WRD-SPN-17: a replica is killed while questions of its own and of the other
// one wait for replies. Its own end as unknown, when it starts again or by `ward audit
// recover`; each reply to one of them is recorded as discarded, with its correlation,
// whichever replica it reached, before the start or after it. The questions of the other
// one are all answered, although some of their replies reach the one that has just
// started.
func TestTheAskingReplicaIsKilled(t *testing.T) {
	c := newCluster(t, two())
	a := newAsking(t, c)
	const each = 60
	var all []told
	killed := map[string]bool{} // numbers whose reply was posted after the kill
	ask := func(delays ...time.Duration) (posted int64) {
		c.repliesTo(t, second)
		c.delayed(t, delays...)
		posted = c.posted()
		a.burst(first, each)
		a.burst(second, each)
		c.processed(t, int64(len(all)+2*each))
		c.processes[first].Kill()
		return posted
	}
	// end waits until everybody is told, and the late replies are discarded.
	end := func(at time.Time, before int, start func()) {
		some := a.end()
		c.noMoreReplies(t)
		start()
		right(t, of(second, some))
		replies, late := c.replies(), 0
		for _, one := range of(first, some) {
			number := one.child.NHSNumber
			if replies[number].Posts[0].Time.After(at) {
				killed[number] = true
				late++
			}
		}
		await(t, "late replies are discarded", func() bool {
			return c.processes[first].Logged("reply.discarded")+c.processes[second].Logged("reply.discarded")-before >= late
		})
		all = append(all, some...)
	}

	posted := ask(1500*time.Millisecond, 3*time.Second)
	at := time.Now()
	await(t, "replies to the killed replica reach the other", func() bool { return c.posted() >= posted+each/2 })
	c.again(t, first)
	c.repliesTo(t, first)
	end(at, 0, func() {})

	ask(1500 * time.Millisecond)
	at = time.Now()
	before := c.processes[second].Logged("reply.discarded")
	out, err := c.recover(c.instances[first].Instance())
	if err != nil {
		t.Fatalf("recover: %v\n%s", err, out)
	}
	end(at, before, func() { c.again(t, first) })

	book := newLedger(c.stage)
	book.final = true // at the second kill: no start came before the recovery
	c.finish(t, book, all)
	unknown := lost(t, book, of(first, all))
	discarded := map[string]int{} // by correlation
	for _, e := range book.discarded {
		discarded[e.Correlation]++
		if !strings.HasPrefix(e.Reason, "late:") || e.Notified != cpis.NotifiedMaybe.String() {
			t.Errorf("discarded: %s, notified %s", e.Reason, e.Notified)
		}
	}
	recovered := book.byNumber(book.recovered)
	for number := range killed {
		if discarded[recovered[number].Correlation] != 1 {
			t.Errorf("%s: its reply came after the kill, and %d are recorded as discarded", number, discarded[recovered[number].Correlation])
		}
	}
	if len(book.recovered) != unknown || len(book.discarded) > unknown || len(book.open) > 0 {
		t.Errorf("%d recovered and %d discarded, although the killed replica left %d; %d are open", len(book.recovered), len(book.discarded), unknown, len(book.open))
	}
	t.Logf("of %d questions of the killed replica %d are unknown, and %d replies discarded; %d of the other one were answered",
		2*each, unknown, len(book.discarded), 2*each)
	if len(killed) < each/6 { // enough for the kill to have met something: some had their reply by then
		t.Errorf("only %d questions waited when their replica was killed", len(killed))
	}
}

// WRD-SPN-17, WRD-OPS-19: the replica to which all replies are posted is killed. What it
// had confirmed is in the database, and reaches the other replica: first all replies,
// while that one cannot even look, then some of them. What it had not confirmed the
// Spine has lost, since by this contract it posts once: those questions end as unknown
// within their budget (WRD-RC-07). Later ones, whose replies go to the replica that
// lives, are answered.
func TestTheReceivingReplicaIsKilled(t *testing.T) {
	options := two()
	options.Budget = budget
	c := newCluster(t, options)
	a := newAsking(t, c)
	c.repliesTo(t, second)
	const some, many, own = 60, 120, 30
	c.delayed(t, 1500*time.Millisecond)
	a.burst(first, some)
	c.processed(t, some)
	asker := c.processes[first].PID()
	err := syscall.Kill(asker, syscall.SIGSTOP)
	if err != nil {
		t.Fatal(err)
	}
	before := c.posted()
	await(t, "the second replica confirms all replies", func() bool { return c.posted() == some })
	c.processes[second].Kill()
	err = syscall.Kill(asker, syscall.SIGCONT)
	if err != nil {
		t.Fatal(err)
	}
	all := a.end()
	right(t, all)
	t.Logf("%d replies were confirmed by a replica that was killed before the one that waited could look", some-before)

	c.again(t, second)
	// The last half comes long after the kill, and for a question whose reply is lost the
	// budget has to pass anyway.
	c.delayed(t, 1000*time.Millisecond, 1250*time.Millisecond, 3000*time.Millisecond, 3250*time.Millisecond)
	a.burst(first, many)
	a.burst(second, own)
	c.processed(t, some+many+own)
	await(t, "some replies are confirmed", func() bool { return c.posted() >= some+(many+own)/3 })
	c.processes[second].Kill()
	struck := a.end()
	c.noMoreReplies(t)

	c.repliesTo(t, first)
	c.delayed(t, 0)
	a.over(first, 8, 5)
	later := a.end()
	right(t, later)
	c.again(t, second)
	all = append(append(all, struck...), later...)
	book := newLedger(c.stage)
	c.finish(t, book, all)

	replies, outcomes := c.replies(), book.byNumber(book.outcomes)
	kept, unknown := 0, 0
	for _, each := range of(first, struck) {
		number := each.child.NHSNumber
		outcome := outcomes[number]
		switch {
		case confirmed(replies[number]) || outcome.Outcome == cpis.Found.String(): // the kill can hit between the two
			kept++
			right(t, []told{each})
		case outcome.Outcome == cpis.AsyncNoReply.String() || outcome.Outcome == cpis.AsyncNotAcked.String():
			unknown++
			if each.result.Code != "CPIS-9999" || outcome.Notified != cpis.NotifiedMaybe.String() || each.took > 2*budget {
				t.Errorf("%s: told %s after %v, notified %s", number, each.result.Code, each.took, outcome.Notified)
			}
		default:
			t.Errorf("%s: ended as %q (%s)", number, outcome.Outcome, outcome.Reason)
		}
	}
	mine := lost(t, book, of(second, struck))
	if mine != len(book.recovered) || len(book.open)+len(book.discarded) > 0 {
		t.Errorf("%d recovered, %d of them of the killed replica; %d open, %v discarded", len(book.recovered), mine, len(book.open), book.reasons())
	}
	t.Logf("of %d questions that waited at the other replica %d were answered, and %d had their reply lost by the Spine; of %d of its own %d are unknown",
		many, kept, unknown, own, mine)
	if kept == 0 || unknown == 0 {
		t.Error("the kill came too early or too late to prove anything")
	}
}

// WRD-SPN-17: where the contract has replies acknowledged, the Spine posts again what
// nobody acknowledged. Once whoever balances its load knows which replica lives, no
// question of the other one is lost at all; a reply that came twice is discarded.
func TestTheSpinePostsAgainWhatAKilledReplicaDidNotAcknowledge(t *testing.T) {
	options := two()
	options.Simulator = func(config *spinesim.Config) {
		config.Contract.AckRequested, config.Contract.DuplicateElimination = spinesim.Always, spinesim.Always
		config.Contract.Retries, config.Contract.RetryInterval = 100, 200*time.Millisecond
		config.Contract.PersistDuration = time.Minute
	}
	c := newCluster(t, options)
	a := newAsking(t, c)
	c.repliesTo(t, second)
	const many = 120
	c.delayed(t, 500*time.Millisecond, 750*time.Millisecond, 2000*time.Millisecond, 2250*time.Millisecond)
	a.burst(first, many)
	c.processed(t, many)
	await(t, "some replies are acknowledged", func() bool { return c.posted() >= many/3 })
	c.processes[second].Kill()
	time.Sleep(300 * time.Millisecond)
	c.repliesTo(t, first)
	all := a.end()
	right(t, all)
	c.noMoreReplies(t)
	again := 0
	for _, r := range c.replies() {
		if len(r.Posts) > 1 {
			again++
		}
	}
	c.again(t, second)
	book := newLedger(c.stage)
	c.finish(t, book, all)
	reasons := book.reasons()
	if reasons["repeated"] != len(book.discarded) || len(book.discarded) > again || len(book.outcomes) != many || len(book.recovered) > 0 {
		t.Errorf("%d replies were posted again and %v discarded; %d outcomes, %d recovered", again, reasons, len(book.outcomes), len(book.recovered))
	}
	t.Logf("%d questions were answered, %d of them since the Spine posted again; discarded %v", len(all), again, reasons)
	if again == 0 {
		t.Error("no reply was posted again, which proves nothing")
	}
}

// WRD-AUD-05, WRD-SPN-17: the database crashes and comes back while two replicas are
// asked and their replies come to each in turn. Each question has one outcome or is
// recovered, and no answer is that of another child.
func TestTheDatabaseRestartsWhileRepliesAreHandedOver(t *testing.T) {
	options := two()
	options.Budget = budget
	c := newCluster(t, options)
	a := newAsking(t, c)
	c.repliesInTurn(t)
	c.delayed(t, 0, 50*time.Millisecond)
	stop := make(chan struct{})
	for instance := range c.instances {
		a.until(stop, instance, 8)
	}
	for range 2 {
		time.Sleep(time.Second)
		err := c.server.Restart()
		if err != nil {
			t.Fatal(err)
		}
		for instance := range c.instances {
			found := a.found(instance)
			await(t, "an instance answers again", func() bool { return a.found(instance) > found })
		}
	}
	close(stop)
	all := a.end()
	outcomes := map[cpis.Outcome]int{}
	for _, each := range all {
		outcomes[each.result.Answer.Outcome()]++
		if each.result.Answer.Outcome() == cpis.Found {
			right(t, []told{each})
		}
	}
	book := newLedger(c.stage)
	c.finish(t, book, all)
	c.closeAll(t, book)
	if len(book.outcomes)+len(book.recovered) != len(book.intents) {
		t.Errorf("%d intents, but %d outcomes and %d recovered", len(book.intents), len(book.outcomes), len(book.recovered))
	}
	t.Logf("told %v; %d intents, %d outcomes, %d recovered, discarded %v", outcomes, len(book.intents), len(book.outcomes), len(book.recovered), book.reasons())
	if outcomes[cpis.Found] == len(all) || outcomes[cpis.NoRecord] > 0 {
		t.Errorf("told %v", outcomes)
	}
}
