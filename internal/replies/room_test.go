package replies_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/replies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first  = "7A1C0B5E-0000-4000-8000-000000000001"
	second = "7A1C0B5E-0000-4000-8000-000000000002"
)

func newRoom(t *testing.T, change func(*replies.Options)) *replies.Room {
	t.Helper()
	o := replies.Options{Waiting: 8, Remembered: 8, Remember: time.Hour, Now: time.Now}
	if change != nil {
		change(&o)
	}
	r := replies.NewRoom(o)
	t.Cleanup(r.Stop)
	return r
}

func expect(t *testing.T, r *replies.Room, id string) *replies.Expected {
	t.Helper()
	e, err := r.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "c-" + id, Until: time.Now().Add(9 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func deliver(t *testing.T, r *replies.Room, refTo, id string) replies.Fate {
	t.Helper()
	fate, _, err := r.Deliver(t.Context(), refTo, replies.Reply{Action: "REPC_IN000007GB01", MessageID: id})
	if err != nil {
		t.Fatal(err)
	}
	return fate
}

// WRD-SPN-08, WRD-SPN-17: a reply goes to the question that it refers to, whatever
// the case of the id, and the fate of each further one says why nobody took it.
func TestEachReplyHasOneFate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, nil)
		a, b := expect(t, r, first), expect(t, r, "7a1c0b5e-0000-4000-8000-000000000002")
		var fates []replies.Fate
		fates = append(fates,
			deliver(t, r, second, "to the second"),
			deliver(t, r, second, "again"),
			deliver(t, r, "7a1c0b5e-0000-4000-8000-000000000001", "to the first"),
			deliver(t, r, "7A1C0B5E-0000-4000-8000-000000000003", "to nobody"),
			deliver(t, r, "", "without a reference"))
		got, err := a.Wait(t.Context())
		if err != nil || got.MessageID != "to the first" {
			t.Errorf("the first has %+v, %v", got, err)
		}
		got, err = b.Wait(t.Context())
		if err != nil || got.MessageID != "to the second" {
			t.Errorf("the second has %+v, %v", got, err)
		}
		a.Close()
		b.Close()
		fates = append(fates, deliver(t, r, first, "once more"))
		c := expect(t, r, "7A1C0B5E-0000-4000-8000-000000000004")
		_, err = c.Wait(t.Context())
		if !errors.Is(err, replies.ErrNoReply) {
			t.Errorf("without a reply Wait = %v", err)
		}
		c.Close()
		fates = append(fates, deliver(t, r, "7A1C0B5E-0000-4000-8000-000000000004", "too late"))
		want := []replies.Fate{replies.Delivered, replies.Repeated, replies.Delivered, replies.Unasked, replies.Unasked, replies.Repeated, replies.Late}
		if diff := cmp.Diff(want, fates); diff != "" {
			t.Errorf("fates (-want +got):\n%s", diff)
		}
	})
}

// The wait ends as soon as the reply is there, at Until, or with its context.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, nil)
		for name, tt := range map[string]struct {
			reply, cancel, want time.Duration
			err                 error
		}{
			"with the reply":   {reply: time.Second, cancel: time.Minute, want: time.Second},
			"at Until":         {reply: time.Minute, cancel: time.Minute, want: 9 * time.Second, err: replies.ErrNoReply},
			"with its context": {reply: time.Minute, cancel: 2 * time.Second, want: 2 * time.Second, err: context.DeadlineExceeded},
		} {
			e := expect(t, r, name)
			began := time.Now()
			time.AfterFunc(tt.reply, func() { r.Deliver(context.Background(), name, replies.Reply{}) })
			ctx, cancel := context.WithTimeout(t.Context(), tt.cancel)
			_, err := e.Wait(ctx)
			cancel()
			if took := time.Since(began); took != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: after %s, %v", name, took, err)
			}
			e.Close()
			time.Sleep(2 * time.Minute)
		}
	})
}

// A reply that was delivered is never lost: Wait returns it although its context has
// ended, and if nobody waits for it that is told.
func TestReplyAtTheLastMoment(t *testing.T) {
	var untaken []replies.Discard
	r := newRoom(t, func(o *replies.Options) { o.Untaken = func(d replies.Discard) { untaken = append(untaken, d) } })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	e := expect(t, r, first)
	deliver(t, r, first, "r")
	got, err := e.Wait(ended)
	if err != nil || got.MessageID != "r" {
		t.Errorf("Wait = %+v, %v", got, err)
	}
	e.Close()
	e = expect(t, r, second)
	deliver(t, r, second, "unread")
	e.Close()
	e.Close()
	want := []replies.Discard{{Fate: replies.Late, RefTo: second, Correlation: "c-" + second, Reply: replies.Reply{Action: "REPC_IN000007GB01", MessageID: "unread"}}}
	if diff := cmp.Diff(want, untaken); diff != "" {
		t.Errorf("untaken (-want +got):\n%s", diff)
	}
}

// left is an Exchange in which a reply is left for every question.
type left struct{ reply replies.Left }

func (l left) Expect(context.Context, replies.Question, time.Duration) error { return nil }

func (l left) End(context.Context, string, bool) (replies.Left, bool, error) {
	return l.reply, true, nil
}

func (l left) Leave(context.Context, string, replies.Reply) (replies.Fate, string, error) {
	return replies.Unasked, "", nil
}

func (l left) Run(ctx context.Context, _ func(replies.Left)) { <-ctx.Done() }

// WRD-SPN-17, WRD-OPS-19: an answer does not wait until a second reply, which another
// replica received, is on record; but the end of the room does.
func TestAnswerDoesNotWaitForTheRecordOfAnother(t *testing.T) {
	hang := make(chan struct{})
	var untaken []replies.Fate
	r := newRoom(t, func(o *replies.Options) {
		o.Exchange = left{replies.Left{RefTo: first, Reply: replies.Reply{MessageID: "another"}}}
		o.Untaken = func(d replies.Discard) { <-hang; untaken = append(untaken, d.Fate) }
	})
	e := expect(t, r, first)
	deliver(t, r, first, "r")
	_, err := e.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { e.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the answer waits for the record of a reply that nobody took")
	}
	close(hang)
	<-closed
	r.Stop()
	if len(untaken) != 1 || untaken[0] != replies.Repeated {
		t.Errorf("when the room has stopped, told: %v", untaken)
	}
}

// stuck is an Exchange that says nothing about the end of a question.
type stuck struct{ left }

func (stuck) End(ctx context.Context, _ string, _ bool) (replies.Left, bool, error) {
	<-ctx.Done()
	return replies.Left{}, false, ctx.Err()
}

// WRD-AUD-05: where the other replicas cannot be asked, most of the second that is kept
// for recording the outcome is left for that.
func TestStuckExchangeLeavesTimeToRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(o *replies.Options) { o.Exchange = stuck{} })
		e := expect(t, r, first)
		began := time.Now()
		_, err := e.Wait(t.Context())
		e.Close()
		over := time.Since(began) - 9*time.Second
		if !errors.Is(err, replies.ErrNoReply) || over > 300*time.Millisecond {
			t.Errorf("Wait = %v, %s after its end", err, over)
		}
	})
}

// WRD-OPS-19: what waits and what is remembered is bounded.
func TestRoomIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(o *replies.Options) { o.Waiting, o.Remembered = 2, 2 })
		a, b := expect(t, r, "A"), expect(t, r, "B")
		until := time.Now().Add(time.Minute)
		_, err := r.Expect(t.Context(), replies.Question{MessageID: "C", Until: until})
		if !errors.Is(err, replies.ErrFull) {
			t.Errorf("a third question: %v", err)
		}
		_, err = r.Expect(t.Context(), replies.Question{Until: until})
		if err == nil {
			t.Error("a question without an id was taken")
		}
		a.Close()
		b.Close()
		for _, id := range []string{"a", "B"} {
			_, err = r.Expect(t.Context(), replies.Question{MessageID: id, Until: until})
			if !errors.Is(err, replies.ErrUsed) {
				t.Errorf("the id %s again: %v", id, err)
			}
		}
		expect(t, r, "C").Close()
		fates := []replies.Fate{deliver(t, r, "A", ""), deliver(t, r, "B", ""), deliver(t, r, "C", "")}
		time.Sleep(time.Hour + time.Second)
		fates = append(fates, deliver(t, r, "C", ""))
		want := []replies.Fate{replies.Unasked, replies.Late, replies.Late, replies.Unasked}
		if diff := cmp.Diff(want, fates); diff != "" {
			t.Errorf("fates (-want +got):\n%s", diff)
		}
	})
}

// H-16, H-22, WRD-SPN-17: however questions, replies and time interleave, a reply is
// never handed to another question, no question has two, and each has the one fate
// that the order of events gives it.
func TestRepliesMeetTheirQuestions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
		untaken := map[string]int{}
		r := replies.NewRoom(replies.Options{Waiting: 100, Remembered: 100, Remember: 100 * time.Hour, Now: func() time.Time { return now },
			Untaken: func(d replies.Discard) { untaken[d.Reply.MessageID]++ }})
		defer r.Stop()
		type model struct {
			e        *replies.Expected
			until    time.Time
			ended    bool
			answered bool
			has      string
		}
		questions := map[string]*model{}
		delivered := map[string]string{} // question of each reply that was handed over
		returned := map[string]bool{}
		ids := rapid.SampledFrom([]string{"A", "B", "C", "D"})
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		sent := 0
		t.Repeat(map[string]func(*rapid.T){
			"expect": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				until := now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds")) * time.Second)
				e, err := r.Expect(t.Context(), replies.Question{MessageID: id, Correlation: id, Until: until})
				if (err != nil) != (questions[id] != nil) {
					t.Fatalf("Expect(%s) = %v", id, err)
				}
				if err == nil {
					questions[id] = &model{e: e, until: until}
				}
			},
			"deliver": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				sent++
				name := fmt.Sprint(id, sent)
				fate, correlation, err := r.Deliver(t.Context(), id, replies.Reply{MessageID: name})
				q := questions[id]
				want := replies.Delivered
				switch {
				case q == nil:
					want = replies.Unasked
				case q.answered:
					want = replies.Repeated
				case q.ended || !now.Before(q.until):
					want = replies.Late
				}
				if fate != want || err != nil || (correlation == id) != (q != nil) {
					t.Fatalf("Deliver to %s = %s, %q, %v; want %s", id, fate, correlation, err, want)
				}
				if fate == replies.Delivered {
					q.answered = true
					delivered[name] = id
				}
			},
			"wait": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				q := questions[id]
				if q == nil || q.ended {
					return // nobody waits
				}
				reply, err := q.e.Wait(ended)
				if (err == nil) != (q.answered && q.has == "") {
					t.Fatalf("Wait(%s) = %v", id, err)
				}
				if err == nil {
					if delivered[reply.MessageID] != id || returned[reply.MessageID] {
						t.Fatalf("%s was given %s", id, reply.MessageID)
					}
					returned[reply.MessageID] = true
					q.has = reply.MessageID
					return
				}
				q.ended = true
			},
			"close": func(t *rapid.T) {
				q := questions[ids.Draw(t, "id")]
				if q == nil {
					return // nobody waits
				}
				q.e.Close()
				q.ended = true
			},
			"pass": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				for name := range untaken {
					if untaken[name] != 1 || returned[name] {
						t.Fatalf("%s was discarded %d times, used %v", name, untaken[name], returned[name])
					}
				}
			},
		})
		for _, q := range questions {
			q.e.Close()
		}
		for name := range delivered {
			if returned[name] == (untaken[name] == 1) {
				t.Fatalf("%s was used %v, discarded %d times", name, returned[name], untaken[name])
			}
		}
	})
}

// H-16: the same with many at once, for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var discarded sync.Map
	r := newRoom(t, func(o *replies.Options) {
		o.Waiting, o.Remembered = 1000, 1000
		o.Untaken = func(d replies.Discard) { discarded.Store(d.Reply.MessageID, true) }
	})
	var all sync.WaitGroup
	for i := range 200 {
		id := fmt.Sprint("Q", i)
		e := expect(t, r, id)
		var fates sync.Map
		all.Go(func() {
			var senders sync.WaitGroup
			for s := range 3 {
				senders.Go(func() {
					name := fmt.Sprint(id, "-", s)
					fate, _, _ := r.Deliver(t.Context(), id, replies.Reply{MessageID: name})
					fates.Store(name, fate)
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%4)*10*time.Microsecond)
			defer cancel()
			reply, err := e.Wait(ctx)
			e.Close()
			senders.Wait()
			for s := range 3 {
				name := fmt.Sprint(id, "-", s)
				fate, _ := fates.Load(name)
				_, unread := discarded.Load(name)
				used := err == nil && reply.MessageID == name
				if (fate == replies.Delivered) != (used || unread) {
					t.Errorf("%s is %s, used %v, discarded %v", name, fate, used, unread)
				}
			}
		})
	}
	all.Wait()
}
