package endtoend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/stage"
)

// What the audit log says of look-ups in the directory.
const (
	serviceFound = "directory, service: found"
	serviceGone  = "directory, service: not available"
	serviceStale = "directory, service, what it said before: found"
)

// directed sets the stage of a provider who asks the directory where the Spine is, by
// settings of its section.
func directed(t *testing.T, settings string, o stage.Options) *ward {
	t.Helper()
	o.Pattern = "sds"
	w := set(t, o)
	w.configure(t, "[sds]\n", "[sds]\n"+settings+"\n")
	return w
}

// lookedUp is what was looked up for a question, between its intent and its outcome.
func (w *ward) lookedUp(t *testing.T, r client.Result) (lookUps []string, outcome audit.Entry) {
	t.Helper()
	entries := w.transaction(t, r.Correlation)
	last := len(entries) - 1
	if last < 1 || entries[0].Kind != audit.Intent || entries[last].Kind != audit.Outcome {
		t.Fatalf("the audit log holds %v for %q (%v)", kinds(entries), r.Correlation, r.Cause)
	}
	for _, e := range entries[1:last] {
		if e.Kind != audit.LookedUp || e.Client != stage.ClientName || e.Organisation != stage.ClientODS {
			t.Errorf("%s of the client %q between intent and outcome", e.Kind, e.Client)
		}
		lookUps = append(lookUps, e.Reason)
	}
	return lookUps, entries[last]
}

// expectLookUps compares what was looked up for a question.
func (w *ward) expectLookUps(t *testing.T, r client.Result, want ...string) {
	t.Helper()
	got, _ := w.lookedUp(t, r)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
}

// refused fails unless a question ended with an outcome of which everybody says the
// same, and nobody was notified.
func (w *ward) refused(t *testing.T, r client.Result, want cpis.Outcome) {
	t.Helper()
	_, outcome := w.lookedUp(t, r)
	checkRefused(t, r, outcome, want)
}

func checkRefused(t *testing.T, r client.Result, outcome audit.Entry, want cpis.Outcome) {
	t.Helper()
	if r.Answer.Outcome() != want || r.Answer.Notified() != cpis.NotifiedNo || onTheWire(r.Raw) != "no" || string(r.Code) != code(want) {
		t.Errorf("told %s, %s, notified %s; want %s", r.Code, r.Answer.Outcome(), r.Answer.Notified(), want)
	}
	if outcome.Outcome != want.String() || outcome.Code != code(want) || outcome.Notified != "no" || len(outcome.SpineMessageIDs) != 0 || outcome.Reason == "" {
		t.Errorf("the log says %s, %s, notified %s, ids %v, %q", outcome.Outcome, outcome.Code, outcome.Notified, outcome.SpineMessageIDs, outcome.Reason)
	}
}

// untouched fails if anything reached the Spine beyond so many questions.
func (w *ward) untouched(t *testing.T, questions int) {
	t.Helper()
	c := w.Simulator.Counters()
	if c.RequestsBegun != int64(questions) || questions == 0 && c.Connections != 0 {
		t.Errorf("%d questions reached the Spine over %d connections, want %d", c.RequestsBegun, c.Connections, questions)
	}
}

func (w *ward) found(t *testing.T, c *client.Client) client.Result {
	t.Helper()
	r := w.ask(t, c, withPlan)
	if r.Answer.Outcome() != cpis.Found || r.Answer.Notified() != cpis.NotifiedYes {
		t.Fatalf("%s, %v", r.Answer.Outcome(), r.Cause)
	}
	return r
}

// patterns are those in which the Spine took questions, in their order.
func (w *ward) patterns() []string {
	var all []string
	for _, q := range w.Simulator.Received() {
		pattern := q.Pattern
		if pattern == "" {
			pattern = "sync"
		}
		all = append(all, pattern)
	}
	return all
}

// WRD-SPN-05: the directory's record says where and in which pattern the Spine is asked.
// WRD-SPN-15, IG-3.9.2a: it is looked up once and kept, and that is recorded.
func TestDirectoryNamesTheSpine(t *testing.T) {
	t.Parallel()
	for _, listed := range []string{"sync", "async"} {
		t.Run(listed, func(t *testing.T) {
			t.Parallel()
			w := start(t, stage.Options{Pattern: "sds", Listed: listed})
			c := w.client(t)
			w.expectLookUps(t, w.found(t, c), serviceFound)
			w.expectLookUps(t, w.found(t, c))
			r := w.ask(t, c, withoutRecord)
			if r.Answer.Outcome() != cpis.NoRecord {
				t.Errorf("%s, %v", r.Answer.Outcome(), r.Cause)
			}
			if diff := cmp.Diff([]string{listed, listed, listed}, w.patterns()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if n := w.Platform.Counters().Requests; n[platform.Device] != 1 || n[platform.Endpoint] != 1 {
				t.Errorf("the directory was asked %v", n)
			}
		})
	}
}

// A directory that is down when the provider starts keeps nobody from starting, and
// everybody from asking, until it is back.
func TestDirectoryDownAtTheStart(t *testing.T) {
	t.Parallel()
	w := directed(t, `negative = "50ms"`, stage.Options{})
	must(t, w.Platform.SetMode(platform.Failing))
	w.start(t)
	c := w.client(t)
	r := w.ask(t, c, withPlan)
	w.refused(t, r, cpis.DirectoryFailed)
	w.expectLookUps(t, r, serviceGone)
	w.untouched(t, 0)
	must(t, w.Platform.SetMode(platform.Strict))
	time.Sleep(100 * time.Millisecond)
	w.expectLookUps(t, w.found(t, c), serviceFound)
	w.untouched(t, 1)
}

// WRD-SPN-15: what the directory said is used on while it is away, each use is recorded,
// and beyond the bound there is no more asking.
func TestDirectoryGoesAway(t *testing.T) {
	t.Parallel()
	const bound = 4 * time.Second
	w := directed(t, fmt.Sprintf("cache = %q\nstale = %q\nnegative = %q\npatience = %q", "100ms", bound, "50ms", "2s"), stage.Options{})
	w.start(t)
	c := w.client(t)
	before := time.Now()
	w.found(t, c)
	said := time.Now() // at the latest
	must(t, w.Platform.Play(platform.Script{Service: platform.Device, Steps: []platform.Step{{Behaviour: "reset", Every: true}}}))
	time.Sleep(150 * time.Millisecond)
	asked := 1
	for ; time.Since(said) < bound-time.Second; time.Sleep(100 * time.Millisecond) {
		asked += w.askStale(t, c, before.Add(bound))
	}
	time.Sleep(bound - time.Since(said))
	w.refused(t, w.ask(t, c, withPlan), cpis.DirectoryFailed)
	w.untouched(t, asked)
	must(t, w.Platform.Play(platform.Script{Service: platform.Device}))
	time.Sleep(100 * time.Millisecond)
	w.expectLookUps(t, w.found(t, c), serviceFound)
}

// askStale asks while the directory is away: what it said before must be used if the
// answer comes before the end of that. It returns how many questions reached the Spine.
func (w *ward) askStale(t *testing.T, c *client.Client, until time.Time) int {
	t.Helper()
	r := w.ask(t, c, withPlan)
	found, within := r.Answer.Outcome() == cpis.Found, time.Now().Before(until)
	got, _ := w.lookedUp(t, r)
	if within && !found || found && !slices.Contains(got, serviceStale) {
		t.Errorf("%s, looked up %v", r.Answer.Outcome(), got)
	}
	if found {
		return 1
	}
	w.refused(t, r, cpis.DirectoryFailed)
	return 0
}

// WRD-SPN-05: questions follow the record when it changes, in either direction.
func TestRecordChangesThePattern(t *testing.T) {
	t.Parallel()
	w := directed(t, "cache = \"50ms\"\npatience = \"15s\"", stage.Options{Listed: "sync"})
	w.start(t)
	c := w.client(t)
	order := []string{"sync", "async", "sync", "async"}
	for _, pattern := range order {
		must(t, w.Platform.SetDirectory(w.Records(pattern)))
		time.Sleep(100 * time.Millisecond)
		w.expectLookUps(t, w.found(t, c), serviceFound)
	}
	if diff := cmp.Diff(order, w.patterns()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if n := w.Simulator.Counters().Duplicates; n != 0 {
		t.Errorf("%d ids were used twice", n)
	}
}

// A record that says nothing that can be used is no route, and ends the use of what was
// said before: nothing is guessed, and nothing asked.
func TestRecordsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := directed(t, "cache = \"1ms\"\nnegative = \"1ms\"\npatience = \"15s\"", stage.Options{Listed: "async"})
	w.start(t)
	c := w.client(t)
	w.found(t, c)
	change := func(change func(*platform.Directory)) platform.Directory {
		d := w.Records("async")
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		directory platform.Directory
		says      string
	}{
		"no system":          {change(func(d *platform.Directory) { d.Systems = nil }), "no record"},
		"no message handler": {change(func(d *platform.Directory) { d.Endpoints = nil }), "no record"},
		"two systems": {change(func(d *platform.Directory) {
			d.Systems = append(d.Systems, d.Systems[0])
			d.Systems[1].ASID = "999900000099"
		}), "several records"},
		"not an https address":  {change(func(d *platform.Directory) { d.Endpoints[0].Address = "http://localhost/ask" }), "a record not usable"},
		"a word not understood": {change(func(d *platform.Directory) { d.Endpoints[0].Contract.DuplicateElimination = "sometimes" }), "a record not usable"},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, w.Platform.SetDirectory(c.directory))
			time.Sleep(5 * time.Millisecond)
			r := w.ask(t, w.client(t), withPlan)
			w.refused(t, r, cpis.DirectoryFailed)
			w.expectLookUps(t, r, "directory, service: "+c.says)
		})
	}
	w.untouched(t, 1)
}

// Whatever the directory's services do, a question ends with an answer of the Spine or
// with SMSP-0004 and nothing asked; only an answer that can be relied on is a route.
func TestDirectoryMisbehaves(t *testing.T) {
	t.Parallel()
	harmless := []platform.Behaviour{platform.AsHeld, "slow-drip"}
	for _, service := range []platform.Service{platform.Device, platform.Endpoint} {
		t.Run(string(service), func(t *testing.T) {
			t.Parallel()
			w := directed(t, fmt.Sprintf("cache = \"1ms\"\nstale = \"1ms\"\nnegative = \"1ms\"\nsearch_timeout = %q", enough), stage.Options{})
			w.start(t)
			c := w.client(t)
			behaviours := platform.Behaviours()
			slices.SortStableFunc(behaviours, func(a, b platform.BehaviourInfo) int { return int(timeFor(b.Name) - timeFor(a.Name)) })
			asked, limit := 0, enough
			for _, b := range behaviours {
				if len(b.Services) > 0 && !slices.Contains(b.Services, service) {
					continue
				}
				if timeFor(b.Name) != limit { // once: those that are to be too slow are the last
					w.stop(t)
					w.configure(t, fmt.Sprintf("search_timeout = %q", limit), fmt.Sprintf("search_timeout = %q", timeFor(b.Name)))
					limit = timeFor(b.Name)
					w.start(t)
					c = w.client(t) // without a connection to the one before
				}
				must(t, w.Platform.Play(platform.Script{Service: service, Steps: []platform.Step{{Behaviour: b.Name, Delay: delayOf(b.Name), Every: true}}}))
				time.Sleep(5 * time.Millisecond)
				r := w.ask(t, c, withPlan)
				if slices.Contains(harmless, b.Name) {
					asked++
					if r.Answer.Outcome() != cpis.Found {
						t.Errorf("%s: %s, %v", b.Name, r.Answer.Outcome(), r.Cause)
					}
					continue
				}
				if r.Answer.Outcome() != cpis.DirectoryFailed {
					t.Errorf("%s: %s", b.Name, r.Answer.Outcome())
				}
				w.refused(t, r, cpis.DirectoryFailed)
			}
			w.untouched(t, asked)
			if n := w.Platform.Counters().Requests[platform.Other]; n != 0 {
				t.Errorf("%d redirects were followed", n)
			}
		})
	}
}

// enough is time for what is not to be too slow.
const enough = 9 * time.Second

// timeFor is what a service is given: little only if it lets all of it pass.
func timeFor(b platform.Behaviour) time.Duration {
	switch b {
	case "slow", "hang", "stall-after-headers", "stall-in-body":
		return 1500 * time.Millisecond
	default:
		return enough
	}
}

// delayOf lets what is to be too slow be that, and what drips arrive.
func delayOf(b platform.Behaviour) time.Duration {
	switch b {
	case "slow":
		return 3 * time.Second
	case "slow-drip":
		return time.Millisecond
	default:
		return 0
	}
}

// The operator's map comes before the address in the directory, which is not always what
// is to be dialled; to dial it is another's business.
func TestEndpointOfTheOperator(t *testing.T) {
	t.Parallel()
	const listed = "https://spine.example.invalid/reliable"
	for name, replaced := range map[string]bool{"replaced": true, "as listed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := directed(t, "", stage.Options{})
			d := w.Records("async")
			d.Endpoints[0].Address = listed
			must(t, w.Platform.SetDirectory(d))
			if replaced {
				w.configure(t, "[sds]\n", fmt.Sprintf("[sds]\nendpoints = { %q = %q }\n", listed, w.SpineURL()))
			}
			w.start(t)
			r := w.ask(t, w.client(t), withPlan)
			w.expectLookUps(t, r, serviceFound)
			if want := map[bool]cpis.Outcome{true: cpis.Found, false: cpis.NotSent}[replaced]; r.Answer.Outcome() != want {
				t.Errorf("%s, want %s (%v)", r.Answer.Outcome(), want, r.Cause)
			}
			if strings.Contains(w.log.String(), withPlan) {
				t.Error("the operational log holds the number")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
