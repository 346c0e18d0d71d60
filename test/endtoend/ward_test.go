// Package endtoend asks the real provider real questions over mutual TLS, with the
// simulator as the Spine and SQLite under the audit log, and holds what each party
// says against what the others saw.
package endtoend_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/telemetry"
	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Children of the simulator's cast.
const (
	withPlan      = "9990000042"
	withoutRecord = "9990000034"
	silent        = "9990010722" // read and never answered
)

// ward is a running provider with everything around it.
type ward struct {
	*stage.Stage
	provider *provider.Provider
	log      *lines
	settings *config.ClientSettings
	tls      *tls.Config // of the registered client
}

// set sets the stage without starting the provider.
func set(t *testing.T, o stage.Options) *ward {
	t.Helper()
	o.Dir = t.TempDir()
	o.Budget = cmp.Or(o.Budget, 20*time.Second) // no pause of a busy machine is as long
	s, err := stage.Set(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	return &ward{Stage: s, log: &lines{}, settings: settings, tls: settings.TLS}
}

// start sets the stage and starts the provider, which is stopped when the test ends.
func start(t *testing.T, o stage.Options) *ward {
	t.Helper()
	w := set(t, o)
	w.start(t)
	return w
}

func (w *ward) start(t *testing.T) {
	t.Helper()
	running, err := w.StartProvider(t.Context(), telemetry.NewLogger(w.log, slog.LevelDebug, "json"))
	if err != nil {
		t.Fatal(err)
	}
	w.provider = running
	t.Cleanup(func() { w.stop(t) })
}

// startHeld is start with a Spine that reads questions and does nothing about them until
// the returned function is called.
func startHeld(t *testing.T, o stage.Options) (w *ward, letGo func()) {
	t.Helper()
	if o.Simulator != nil {
		t.Fatal("a Spine that is held has settings of its own")
	}
	var clock sync.RWMutex // a Spine that has read a question asks for the time
	o.Simulator = func(c *spinesim.Config) {
		c.Clock = func() time.Time {
			clock.RLock()
			defer clock.RUnlock()
			return time.Now()
		}
	}
	o.Budget = cmp.Or(o.Budget, patience)
	o.SpineSettings += fmt.Sprintf("first_byte_timeout = %q\n", o.Budget)
	w = start(t, o)
	clock.Lock()
	letGo = sync.OnceFunc(clock.Unlock)
	t.Cleanup(letGo)
	return w, letGo
}

// stop stops the provider once.
func (w *ward) stop(t *testing.T) {
	t.Helper()
	if w.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	err := w.provider.Stop(ctx)
	if err != nil {
		t.Errorf("stop: %v", err)
	}
	w.provider = nil
}

// configure changes text that stands in the provider's configuration.
func (w *ward) configure(t *testing.T, old, new string) {
	t.Helper()
	content, err := os.ReadFile(w.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		t.Fatalf("%q does not stand in the configuration", old)
	}
	err = os.WriteFile(w.WardConfig(), []byte(strings.Replace(string(content), old, new, 1)), 0o644)
	if err != nil {
		t.Fatal(err)
	}
}

// spineAt makes the provider dial another URL than the simulator's, whoever named that.
func (w *ward) spineAt(t *testing.T, url string) {
	t.Helper()
	if w.Directed {
		w.configure(t, "[sds]\n", fmt.Sprintf("[sds]\nendpoints = { %q = %q }\n", w.SpineURL(), url))
		return
	}
	w.configure(t, fmt.Sprintf("endpoint = %q", w.SpineURL()), fmt.Sprintf("endpoint = %q", url))
}

// client is the SDK as the registered client.
func (w *ward) client(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{
		URL: w.settings.URL, TLS: w.tls, Username: w.settings.Username,
		Organisation: w.settings.Organisation, Provider: w.settings.Provider, Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (w *ward) question(t *testing.T, number string) client.Question {
	t.Helper()
	n, err := cpis.ParseNHSNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	return client.Question{Number: n, Author: w.settings.Author, AuditIdentities: w.settings.AuditIdentities}
}

func (w *ward) ask(t *testing.T, c *client.Client, number string) client.Result {
	t.Helper()
	return c.Ask(t.Context(), w.question(t, number))
}

// message is a new request about a child, as bytes.
func (w *ward) message(t *testing.T, number string) []byte {
	t.Helper()
	m, err := w.client(t).Prepare(w.question(t, number))
	if err != nil {
		t.Fatal(err)
	}
	return m.Content
}

// as is the TLS configuration of somebody with another certificate.
func (w *ward) as(t *testing.T, authority *testpki.Authority, r testpki.Request) *tls.Config {
	t.Helper()
	r.Client = true
	pair, err := authority.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	c := w.tls.Clone()
	c.Certificates = []tls.Certificate{pair.TLSCertificate()}
	return c
}

// code is the response code of an outcome.
func code(o cpis.Outcome) string {
	var codes cpis.Codes
	return string(codes.Of(o))
}

// entries reads the audit log, which may be in use, and verifies it.
func (w *ward) entries(t *testing.T) []audit.Entry {
	t.Helper()
	file, err := config.LoadAudit(w.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := stores.Read(t.Context(), file.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = audit.Verify(t.Context(), store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Entry
	for record, err := range audit.Entries(t.Context(), store, file.Keys, 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record.Entry)
	}
	return all
}

// transaction is what the audit log holds under one correlation.
func (w *ward) transaction(t *testing.T, correlation string) []audit.Entry {
	t.Helper()
	var all []audit.Entry
	for _, e := range w.entries(t) {
		if e.Correlation == correlation && correlation != "" {
			all = append(all, e)
		}
	}
	return all
}

// kinds counts the entries of each kind.
func kinds(all []audit.Entry) map[audit.Kind]int {
	n := map[audit.Kind]int{}
	for _, e := range all {
		n[e.Kind]++
	}
	return n
}

// logged waits until so many lines of an event are logged: those about an answer follow
// it.
func (w *ward) logged(t *testing.T, event string, lines int) []map[string]any {
	t.Helper()
	await(t, "log lines "+event, func() bool { return len(w.log.of(t, event)) >= lines })
	return w.log.of(t, event)
}

// await waits for what must come.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// lines is an operational log that a test can read.
type lines struct{ logtest.Lines }

// of returns the lines of one event.
func (l *lines) of(t *testing.T, event string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		err := json.Unmarshal([]byte(line), &fields)
		if err != nil {
			t.Fatalf("a log line is not JSON: %s", line)
		}
		if fields["event"] == event {
			all = append(all, fields)
		}
	}
	return all
}

var notificationEntry = regexp.MustCompile(`key="urn:x-cpis-smsp:notification" value="([a-z]+)"`)

// onTheWire is the notification entry of a reply in the words of the audit log.
func onTheWire(raw []byte) string {
	found := notificationEntry.FindSubmatch(raw)
	if found == nil {
		return ""
	}
	return map[string]string{"notified": "yes", "none": "no", "unknown": "maybe"}[string(found[1])]
}

// lost is the outcome of a question of which the Spine says nothing.
func (w *ward) lost() string {
	if w.Pattern == "async" {
		return cpis.AsyncNotAcked.String()
	}
	return cpis.SentNoAnswer.String()
}
