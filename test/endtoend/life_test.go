package endtoend_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-OPS-12: a stop finishes what is under way and takes nothing new.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w, letGo := startHeld(t, stage.Options{Limits: `header_timeout = "1m"`, Ward: "[operations]\naddress = \"" + address + "\"\n"})
	c := w.client(t)
	early := w.dial(t, w.tls) // connected before the stop, silent until then
	var slowly client.Result
	var question, stopping sync.WaitGroup
	question.Go(func() { slowly = w.ask(t, c, withPlan) })
	await(t, "the question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
	stopping.Go(func() { w.stop(t) })
	await(t, "the stop has begun", func() bool {
		_, state := w.ready(t, address)
		return state["draining"] == true
	})
	late := w.ask(t, w.client(t), withoutRecord)
	if late.Answer.Outcome() != cpis.Overloaded || late.Answer.Notified() != cpis.NotifiedNo {
		t.Errorf("a question during the stop: %s, notified %s", late.Answer.Outcome(), late.Answer.Notified())
	}
	early.send(t, post(4000))
	w.turnedAway(t, early, "draining")
	letGo()
	question.Wait()
	stopping.Wait()
	if slowly.Answer.Outcome() != cpis.Found {
		t.Errorf("the question under way: %s, %v", slowly.Answer.Outcome(), slowly.Cause)
	}
	after := w.ask(t, w.client(t), withPlan)
	if after.Answer.Outcome() != cpis.ProviderUnreachable || after.Answer.Notified() != cpis.NotifiedNo {
		t.Errorf("a question after the stop: %s", after.Answer.Outcome())
	}
	entries := w.entries(t)
	if last := entries[len(entries)-1]; last.Kind != audit.Stopped {
		t.Errorf("the last entry is %s", last.Kind)
	}
	n := kinds(entries)
	if read := int(w.Simulator.Counters().RequestsRead); n[audit.Intent] != read || n[audit.Outcome] != read || n[audit.Started] != 1 {
		t.Errorf("entries %v for %d questions that reached the Spine", n, read)
	}
}

// A stop whose time is over leaves the question open, and the next start closes it
// as unknown: never as an answer, never as nothing (WRD-AUD-05). What is left of it ends
// with the budget of the question at the latest, for which TestMain waits.
func TestStopThatRunsOutOfTime(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Budget: 9 * time.Second})
	var question sync.WaitGroup
	var r client.Result
	question.Go(func() { r = w.ask(t, w.client(t), silent) })
	await(t, "the question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := w.provider.Stop(ended)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	w.provider = nil
	question.Wait()
	if r.Answer.Outcome() != cpis.ProviderNoAnswer || r.Answer.Notified() != cpis.NotifiedMaybe {
		t.Errorf("the client heard %s", r.Answer.Outcome())
	}
	w.start(t)
	w.recovered(t, 1)
}

// recovered fails unless so many questions were closed as unknown after a start.
func (w *ward) recovered(t *testing.T, want int) {
	t.Helper()
	entries := w.entries(t)
	n := 0
	for i, e := range entries {
		if e.Kind != audit.Recovered {
			continue
		}
		n++
		if e.Outcome != "unknown" || e.Notified != "maybe" || e.NHSNumber == "" || len(e.SpineMessageIDs) == 0 {
			t.Errorf("recovered entry %+v", e)
		}
		if entries[i-n].Kind != audit.Started {
			t.Errorf("entry %d before the recovered ones is %s, want started", i-n, entries[i-n].Kind)
		}
	}
	if n != want {
		t.Errorf("%d questions recovered, want %d", n, want)
	}
}

// WRD-AUD-05: a crash leaves intents; the next start says that their outcome is not
// known, once, and then serves.
func TestRestartAfterACrash(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	settings, err := config.Load(w.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(settings.Audit.Database)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.Context(), audit.Options{Store: store, Signer: settings.Signer, Keys: settings.Keys, Checkpoints: settings.Audit.Checkpoints})
	if err != nil {
		t.Fatal(err)
	}
	for _, correlation := range []string{"A", "B", "C"} {
		intent := audit.Entry{Kind: audit.Intent, Time: time.Now(), Correlation: correlation, NHSNumber: withPlan, SpineMessageIDs: []string{"X"}}
		_, err = log.Append(t.Context(), intent)
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = log.Append(t.Context(), audit.Entry{Kind: audit.Outcome, Time: time.Now(), Correlation: "B", Outcome: "found", Notified: "yes"})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(log.Close(t.Context()), store.Close()) // a crash writes nothing more
	if err != nil {
		t.Fatal(err)
	}

	w.start(t)
	w.recovered(t, 2)
	if n := w.Simulator.Counters().Connections; n != 0 {
		t.Error("a recovered question was asked again (WRD-SAF-02)")
	}
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("%s: %v", r.Answer.Outcome(), r.Cause)
	}
	w.stop(t)
	w.start(t)
	w.recovered(t, 2)
}

// WRD-SAF-04, WRD-RC-18: a client that goes away stops nothing that was begun. The
// outcome is recorded, and that nobody heard it.
func TestClientGoesAwayDuringTheQuestion(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]string{"answered": withPlan, "never answered": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, letGo := startHeld(t, stage.Options{Budget: 5 * time.Second})
			c := w.dial(t, w.tls)
			c.send(t, whole(w.message(t, number)))
			await(t, "the question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
			c.NetConn().(*net.TCPConn).SetLinger(0) // from then on nothing can be written to it
			c.Close()
			letGo()
			var mine []audit.Entry
			await(t, "what became of it is recorded", func() bool {
				mine = nil
				for _, e := range w.entries(t) {
					if e.Kind == audit.Intent && e.NHSNumber == number {
						mine = readStory(t, w).entries[e.Correlation]
					}
				}
				return len(mine) == 3
			})
			outcome, undelivered := mine[1], mine[2]
			if outcome.Kind != audit.Outcome || undelivered.Kind != audit.Undelivered || undelivered.Outcome != outcome.Outcome ||
				undelivered.Notified != outcome.Notified || undelivered.MessageID != outcome.MessageID || outcome.MessageID == "" {
				t.Errorf("entries %+v", mine)
			}
			if want := map[string]string{withPlan: "yes", silent: "maybe"}[number]; outcome.Notified != want {
				t.Errorf("notified %s, want %s", outcome.Notified, want)
			}
		})
	}
}

// A client that goes away before its request is whole has asked nothing, and is in the
// log all the same (WRD-AUD-08).
func TestClientGoesAwayBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	message := whole(w.message(t, withPlan))
	for name, sent := range map[string]string{"half a header": message[:40], "half a body": message[:len(message)-1]} {
		t.Run(name, func(t *testing.T) {
			c := w.dial(t, w.tls)
			c.send(t, sent)
			c.Close()
		})
	}
	await(t, "the broken header and the broken body are recorded", func() bool { return kinds(w.entries(t))[audit.Refused] == 2 })
	w.nothingAsked(t)
}

// WRD-OPS-08: health says what is wrong and sends no question to the Spine.
func TestHealth(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w, letGo := startHeld(t, stage.Options{Ward: "[operations]\naddress = \"" + address + "\"\n"})
	get := func(path string) (int, map[string]any) {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var state map[string]any
		json.Unmarshal(body, &state)
		return response.StatusCode, state
	}
	if status, _ := get("/livez"); status != http.StatusOK {
		t.Errorf("livez: %d", status)
	}
	began := time.Now()
	for range 20 {
		status, state := get("/readyz")
		if status != http.StatusOK || state["status"] != "ready" || state["spine"] != "reachable" || state["audit_log"] != "writing" || state["draining"] != false {
			t.Fatalf("readyz: %d %v", status, state)
		}
	}
	allowed := 1 + int64(time.Since(began)/(10*time.Second)) // it looks that often
	if n := w.Simulator.Counters(); n.Handshakes < 1 || n.Handshakes > allowed || n.RequestsBegun != 0 {
		t.Errorf("health made %d handshakes and %d requests, want 1 to %d and 0", n.Handshakes, n.RequestsBegun, allowed)
	}
	if status, _ := get("/"); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	// During a stop it is alive and not ready.
	var question, stopping sync.WaitGroup
	question.Go(func() { w.ask(t, w.client(t), withPlan) })
	await(t, "the question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
	stopping.Go(func() { w.stop(t) })
	await(t, "not ready", func() bool {
		status, state := get("/readyz")
		return status == http.StatusServiceUnavailable && state["status"] == "not ready" && state["draining"] == true
	})
	if status, _ := get("/livez"); status != http.StatusOK {
		t.Errorf("livez during a stop: %d", status)
	}
	letGo()
	question.Wait()
	stopping.Wait()
}

// The Spine out of reach is no reason to take questions away from this provider: it
// is alive, degraded, and answers that nothing was sent.
func TestHealthWithoutTheSpine(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, stage.Options{Ward: "[operations]\naddress = \"" + address + "\"\n"})
	w.Simulator.Close(t.Context())
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"degraded"`) || !strings.Contains(string(body), "out of reach") {
		t.Errorf("readyz: %d %s", response.StatusCode, body)
	}
}

// The production program holds no simulator and nobody's throw-away keys.
func TestProductionBinaryHasNoSimulator(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/wardsmsp/ward/cmd/ward")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 50 {
		t.Fatalf("%d packages", len(packages))
	}
	for _, name := range packages {
		for _, forbidden := range []string{"/spinesim", "/testpki", "/stage", "/internal/reference", "testing"} {
			if strings.HasSuffix(name, forbidden) {
				t.Errorf("cmd/ward depends on %s", name)
			}
		}
	}
}

// WRD-RC-14: the notification entry is left out for a client that does not want it;
// the code alone then says as much as it can.
func TestWithoutTheNotificationEntry(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Client: "notification_spec_off = true"})
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found || onTheWire(r.Raw) != "" {
		t.Errorf("%s, entry %q", r.Answer.Outcome(), onTheWire(r.Raw))
	}
	err := w.Simulator.Play(spinesim.Script{Steps: []spinesim.Step{{Behaviour: "fault-101"}}})
	if err != nil {
		t.Fatal(err)
	}
	r = w.ask(t, w.client(t), withPlan)
	if r.Answer.Notified() != cpis.NotifiedMaybe || onTheWire(r.Raw) != "" {
		t.Errorf("notified %s, entry %q", r.Answer.Notified(), onTheWire(r.Raw))
	}
}
