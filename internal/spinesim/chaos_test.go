package spinesim_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// thirty disturbs 30 of 100 replies, some of each kind.
func thirty(seed uint64) spinesim.Chaos {
	return spinesim.Chaos{
		Seed: seed, Duplicate: 6, Reorder: 5, Lose: 4, FlipBits: 5, WrongReference: 4, TruncateMIME: 3, OtherBoundary: 3,
		HoldFor: 2, HoldAtMost: 100 * time.Millisecond,
		Delays: []spinesim.DelayShare{{Share: 10, Delay: time.Millisecond}, {Share: 2, Delay: 5 * time.Millisecond}},
	}
}

var shares = map[spinesim.Disturbance]int{
	spinesim.Undisturbed: 70, spinesim.Duplicate: 6, spinesim.Reorder: 5, spinesim.Lose: 4, spinesim.FlipBits: 5,
	spinesim.WrongReference: 4, spinesim.TruncateMIME: 3, spinesim.OtherBoundary: 3,
}

// story is what a simulator remembers of its replies, in the order of the questions.
func story(t *testing.T, s *spinesim.Simulator) []string {
	t.Helper()
	told := map[string]string{}
	for _, r := range s.Replies() {
		told[r.QuestionID] = fmt.Sprintf("%s %s %s", r.Chaos, r.Delay, r.Fate)
	}
	var lines []string
	for _, q := range s.Received() {
		lines = append(lines, told[q.MessageID])
	}
	return lines
}

// Of each hundred replies exactly the shares are disturbed, and the same ones for the
// same seed. What the simulator remembers of each is what arrived.
func TestChaosIsReproducibleAndRemembered(t *testing.T) {
	var stories [][]string
	for _, seed := range []uint64{7, 7, 8} {
		box := newInbox(t)
		s := startAsync(t, func(c *spinesim.Config) { c.Chaos = thirty(seed) }, box)
		c := newClient(t)
		questions := map[string]bool{}
		for range 200 {
			r := ebRequest{query: query{number: "9990000042"}}.withDefaults()
			questions[r.messageID] = true
			askAsync(t, s, c, r)
		}
		settle(t, s)
		checkArrived(t, box, s.Replies(), questions)
		n := s.Counters()
		for d, share := range shares {
			name := string(d)
			if d == spinesim.Undisturbed {
				name = "undisturbed"
			}
			if got := n.RepliesByChaos[name]; got != int64(2*share) {
				t.Errorf("%d replies %s, want %d", got, name, 2*share)
			}
		}
		if n.Processed != 200 || n.ProcessedAgain != 0 || n.Posts != int64(box.count()) || n.RepliesByFate["delivered"] != 192 || n.RepliesByFate["lost"] != 8 {
			t.Errorf("%+v, %d posted", n, box.count())
		}
		stories = append(stories, story(t, s))
	}
	if diff := cmp.Diff(stories[0], stories[1]); diff != "" {
		t.Errorf("the same seed, another story:\n%s", diff)
	}
	if cmp.Equal(stories[0], stories[2]) {
		t.Error("another seed, the same story")
	}
}

// checkArrived compares what arrived with what was remembered.
func checkArrived(t *testing.T, box *inbox, replies []spinesim.Reply, questions map[string]bool) {
	t.Helper()
	arrived := map[string][]posted{}
	for _, p := range box.all {
		_, after, _ := strings.Cut(p.body, "<eb:MessageId>")
		arrived[after[:36]] = append(arrived[after[:36]], p)
	}
	for _, r := range replies {
		got := arrived[r.MessageID]
		want := 1
		switch r.Chaos {
		case spinesim.Duplicate:
			want = 2
		case spinesim.Lose:
			want = 0
		}
		if len(got) != want || len(r.Posts) != want || !questions[r.QuestionID] {
			t.Errorf("%d arrived of %+v", len(got), r)
			continue
		}
		for _, p := range got {
			_, after, _ := strings.Cut(p.body, "<eb:RefToMessageId>")
			whole := strings.HasSuffix(p.body, "\r\n----=_MIME-Boundary--\r\n")
			own := p.header.Get("Content-Type") == ebContentType
			wants := [4]bool{r.Chaos != spinesim.WrongReference, r.Chaos != spinesim.TruncateMIME, r.Chaos != spinesim.OtherBoundary, r.Chaos != spinesim.FlipBits}
			if got := [4]bool{after[:36] == r.QuestionID, whole, own, utf8.ValidString(p.body)}; got != wants || after[:36] != r.RefToMessageID || p.err != nil {
				t.Errorf("%s: reference, end, boundary and text are as they should be: %v, want %v", r.Chaos, got, wants)
			}
		}
	}
}

// A reordered reply is overtaken by as many as the chaos says, or goes when its time is
// over.
func TestReorderedRepliesAreOvertaken(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, func(c *spinesim.Config) { c.Chaos = spinesim.Chaos{Reorder: 100, HoldAtMost: 20 * time.Millisecond} }, box)
	c := newClient(t)
	ask := func() string {
		r := ebRequest{}.withDefaults()
		askAsync(t, s, c, r)
		return r.messageID
	}
	refersTo := func() string {
		_, after, _ := strings.Cut(box.next(t).body, "<eb:RefToMessageId>")
		return after[:36]
	}
	disturb := func(c spinesim.Chaos) {
		err := s.Disturb(c)
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if alone := ask(); refersTo() != alone || time.Since(began) < 20*time.Millisecond {
		t.Errorf("nobody overtook, and it went after %s", time.Since(began))
	}
	disturb(spinesim.Chaos{Reorder: 100, HoldFor: 3, HoldAtMost: time.Minute})
	before := s.Held()
	held := ask()
	await(t, "the reply is held", func() bool { return s.Held() > before })
	disturb(spinesim.Chaos{})
	for i := range 3 {
		if asked, came := ask(), refersTo(); came != asked {
			t.Errorf("reply %d is to %s, the question was %s", i+1, came, asked)
		}
	}
	if got := refersTo(); got != held {
		t.Errorf("then came the reply to %s, held was %s", got, held)
	}
}

// A step may ask for a disturbance of its own.
func TestStepsMayAskForChaos(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	c := newClient(t)
	questions := map[string]bool{}
	kinds := []spinesim.Disturbance{spinesim.Lose, spinesim.Duplicate, spinesim.FlipBits, spinesim.WrongReference, spinesim.TruncateMIME, spinesim.OtherBoundary, spinesim.Reorder, spinesim.Undisturbed}
	var script spinesim.Script
	for _, d := range kinds {
		script.Steps = append(script.Steps, spinesim.Step{Behaviour: "found", Chaos: d})
	}
	play(t, s, script)
	for range kinds {
		r := ebRequest{}.withDefaults()
		questions[r.messageID] = true
		askAsync(t, s, c, r)
	}
	settle(t, s)
	checkArrived(t, box, s.Replies(), questions)
	n := s.Counters()
	for _, d := range kinds[:7] {
		if n.RepliesByChaos[string(d)] != 1 {
			t.Errorf("%d replies met %s", n.RepliesByChaos[string(d)], d)
		}
	}
}

// Behaviours that post in a way of their own are not disturbed.
func TestChaosLeavesOddPostsAlone(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, func(c *spinesim.Config) { c.Chaos = spinesim.Chaos{Lose: 100} }, box)
	play(t, s, steps("found-twice", "found"))
	c := newClient(t)
	askAsync(t, s, c, ebRequest{})
	askAsync(t, s, c, ebRequest{})
	settle(t, s)
	n := s.Counters()
	if box.count() != 2 || n.RepliesByChaos["lose"] != 1 || n.RepliesByFate["lost"] != 1 {
		t.Errorf("%d posted, %+v", box.count(), n)
	}
}

func TestSenselessChaosIsRefused(t *testing.T) {
	s := startAsync(t, nil)
	for _, c := range []spinesim.Chaos{
		{Lose: -1}, {Lose: 101}, {Lose: 60, Duplicate: 60}, {HoldFor: -1}, {HoldAtMost: 2 * time.Hour},
		{Delays: []spinesim.DelayShare{{Share: 101}}}, {Delays: []spinesim.DelayShare{{Share: 60}, {Share: 60}}}, {Delays: []spinesim.DelayShare{{Share: 1, Delay: -1}}},
	} {
		if s.Disturb(c) == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// Many questions at once: every reply reaches its own question, and nothing is asked
// twice.
func TestManyAsyncQuestionsAtOnce(t *testing.T) {
	box, other := newInbox(t), newInbox(t)
	s := startAsync(t, func(c *spinesim.Config) {
		c.Generate = 400
		c.Chaos = spinesim.Chaos{Seed: 1, Duplicate: 10, Reorder: 10, HoldAtMost: 50 * time.Millisecond, Delays: []spinesim.DelayShare{{Share: 50, Delay: 3 * time.Millisecond}}}
	}, box, other)
	c := newClient(t)
	children := s.Children(0)
	children = children[len(children)-400:]
	var mu sync.Mutex
	asked := map[string]string{} // number by message id
	var all sync.WaitGroup
	for worker := range 20 {
		all.Go(func() {
			for _, child := range children[20*worker : 20*worker+20] {
				r := ebRequest{query: query{number: child.NHSNumber}}.withDefaults()
				mu.Lock()
				asked[r.messageID] = child.NHSNumber
				mu.Unlock()
				answer, _, err := r.send(c, s)
				if err != nil || answer.StatusCode != 202 {
					t.Errorf("%v", err)
				}
			}
		})
	}
	all.Wait()
	settle(t, s)
	answered := map[string]int{}
	for _, p := range append(box.all, other.all...) {
		_, after, _ := strings.Cut(p.body, "<eb:RefToMessageId>")
		answered[after[:36]]++
		if number := asked[after[:36]]; number == "" || !strings.Contains(p.body, `extension="`+number+`"`) {
			t.Errorf("a reply to %s is about somebody else", after[:36])
		}
	}
	n := s.Counters()
	if len(answered) != 400 || n.Processed != 400 || n.ProcessedAgain != 0 || n.Posts != 440 || box.count() != 220 || other.count() != 220 {
		t.Errorf("%d answered, %d posted, %d and %d arrived", len(answered), n.Posts, box.count(), other.count())
	}
}
