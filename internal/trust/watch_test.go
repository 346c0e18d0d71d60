package trust_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/internal/trust"
)

// watched are lists under watch, at a time that the test sets.
type watched struct {
	*scene
	lists *trust.Lists
	log   logtest.Lines

	mu    sync.Mutex
	clock time.Time
}

func (w *watched) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = at
}

func (w *watched) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// logged are the lines of an event.
func (w *watched) logged(t *testing.T, event string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		must(t, json.Unmarshal([]byte(line), &fields))
		if fields["event"] == event {
			all = append(all, fields)
		}
	}
	return all
}

func (w *watched) await(t *testing.T, event string, lines int) map[string]any {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); len(w.logged(t, event)) < lines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %d lines of %s in\n%s", lines, event, w.log.String())
		}
	}
	return w.logged(t, event)[lines-1]
}

func (w *watched) check() error { return w.lists.Check([][]*x509.Certificate{w.chain}, w.time()) }

func watch(t *testing.T, s *scene, names ...string) *watched {
	t.Helper()
	w := &watched{scene: s, clock: s.now}
	o := trust.Options{Grace: s.grace, Anchors: []*x509.Certificate{s.upper.Root()}, Now: w.time}
	for _, name := range names {
		o.Files = append(o.Files, s.path(name))
	}
	var err error
	w.lists, err = trust.Open(o)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { w.lists.Watch(ctx, slog.New(slog.NewJSONHandler(&w.log, nil)), "clients", time.Millisecond) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	return w
}

// WRD-OPS-06: a list that is replaced comes into force by itself.
func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	w := watch(t, newScene(t), "root", "above", "below")
	must(t, w.check())
	w.below(t, testpki.List{Revoked: []*x509.Certificate{w.client.Leaf}})
	line := w.await(t, "revocation.loaded", 1)
	if line["file"] != w.path("below") || line["side"] != "clients" || w.check() != trust.Revoked {
		t.Errorf("after %v: %v", line, w.check())
	}
	w.below(t, testpki.List{})
	w.await(t, "revocation.loaded", 2)
	must(t, w.check())
}

// A file that is not in order is said so once, and what it held stays in force.
func TestBadFilesChangeNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.below(t, testpki.List{Revoked: []*x509.Certificate{s.client.Leaf}})
	w := watch(t, s, "root", "above", "below")
	if w.check() != trust.Revoked {
		t.Fatal(w.check())
	}
	forger := newScene(t)
	older, err := w.lower.CRL(testpki.List{ThisUpdate: now.Add(-day)})
	must(t, err)
	for i, c := range []struct {
		spoil func()
		says  string
	}{
		{func() { w.write(t, "below", []byte("<html>503</html>")) }, "no revocation list"},
		{func() { w.write(t, "below", contentOf(t, forger.path("below"))) }, "not signed by it"}, // the authority is known by now
		{func() { w.write(t, "below", older) }, "older than the one in use"},
		{func() { must(t, os.Remove(w.path("below"))) }, "is not a file"},
		{func() { must(t, os.Mkdir(w.path("below"), 0o755)) }, "is not a file"},
		// A folder that is removed can be seen to change before it is gone.
		{func() { must(t, os.Rename(w.path("below"), w.path("aside"))) }, "is not a file"},
		{func() { w.write(t, "below", nil) }, "no revocation list"},
	} {
		c.spoil()
		line := w.await(t, "revocation.kept", i+1)
		if !strings.Contains(line["cause"].(string), c.says) || line["file"] != w.path("below") {
			t.Errorf("logged %v, want %q", line, c.says)
		}
		if w.check() != trust.Revoked {
			t.Errorf("%s: judged %v", c.says, w.check())
		}
	}
	time.Sleep(20 * time.Millisecond) // looked at many times more
	if n := len(w.logged(t, "revocation.kept")); n != 7 {
		t.Errorf("%d lines, want 7", n)
	}
	w.below(t, testpki.List{})
	w.await(t, "revocation.loaded", 1)
	must(t, w.check())
}

// WRD-IAM-05: a list that is out of date is told at once, once, as is the end of the
// grace period, and that it is current again.
func TestListsOutOfDateAreTold(t *testing.T) {
	t.Parallel()
	w := watch(t, newScene(t), "root", "above", "below")
	due := now.Add(7 * day)
	long := testpki.List{NextUpdate: now.Add(99 * day)}
	w.root(t, long)
	w.above(t, long)
	w.await(t, "revocation.loaded", 2)
	w.set(due.Add(time.Second))
	line := w.await(t, "revocation.outdated", 1)
	ends, err := time.Parse(time.RFC3339, line["grace_ends"].(string))
	if line["level"] != "ERROR" || line["authority"] != w.lower.Sub().Subject.String() || line["missing"] != false || err != nil || !ends.Equal(due.Add(day)) {
		t.Errorf("logged %v", line)
	}
	must(t, w.check())
	w.set(due.Add(day + time.Second))
	w.await(t, "revocation.refusing", 1)
	if w.check() != trust.NoCurrentList {
		t.Error(w.check())
	}
	w.below(t, long)
	w.await(t, "revocation.restored", 1)
	must(t, w.check())
	if len(w.logged(t, "revocation.outdated")) != 1 || len(w.logged(t, "revocation.refusing")) != 1 {
		t.Error("told more than once")
	}
}

// WRD-IAM-05: that a list is missing is told when it is first needed.
func TestMissingListsAreTold(t *testing.T) {
	t.Parallel()
	w := watch(t, newScene(t), "root", "above")
	w.set(now.Add(time.Second))
	must(t, w.check())
	line := w.await(t, "revocation.outdated", 1)
	if line["missing"] != true || line["authority"] != w.lower.Sub().Subject.String() {
		t.Errorf("logged %v", line)
	}
	both := append(contentOf(t, w.path("above")), contentOf(t, w.path("below"))...)
	w.write(t, "above", both)
	w.await(t, "revocation.restored", 1)
	if w.lists.State() != trust.Current {
		t.Error(w.lists.State())
	}
}
