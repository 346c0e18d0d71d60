package clients_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/clients"
	"github.com/wardsmsp/ward/internal/itk"
)

// WRD-SUP-01, WRD-SUP-06: the repository's own client asks about every situation,
// understands each as it must, and passes everything that a machine can see. What a
// person has to see stays open until a person has.
func TestOwnClientPasses(t *testing.T) {
	r := newRig(t, func(c *clients.Config) { c.Window = time.Second })
	sdk := r.sdk(t, 10*time.Second)
	var all sync.WaitGroup
	for _, s := range clients.Situations() {
		q := question(t, s.Number)
		all.Go(func() {
			result := sdk.Ask(t.Context(), q)
			if got := result.Answer.Outcome(); got != s.Outcome {
				t.Errorf("%s is understood as %s, want %s: %v", s.ID, got, s.Outcome, result.Cause)
			}
		})
	}
	all.Wait()
	select {
	case <-r.run.Complete():
	case <-time.After(time.Minute):
		t.Fatal("the run is not complete although everything was asked about")
	}
	report := r.report(t, clients.Confirmations{Tester: "Sam Specimen, test manager", Seen: []string{"screen-busy"}, Wrong: map[string]string{"screen-no-record": "a green tick"}})
	var screens []string
	for _, id := range clients.Screens() {
		if id != "screen-busy" && id != "screen-no-record" {
			screens = append(screens, id)
		}
	}
	slices.Sort(screens)
	diff := cmp.Diff(screens, with(report, conform.NotRun))
	if diff != "" {
		t.Errorf("not run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"screen-no-record"}, with(report, conform.Failed)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	for id, got := range map[string]string{"screen-busy": "Sam Specimen, test manager confirms", "screen-no-record": "a green tick", "mutual-tls": "TLS 1.3"} {
		if text := find(t, report, id).Got; !strings.Contains(text, got) {
			t.Errorf("%s says %q, want %q in it", id, text, got)
		}
	}
	for _, secret := range []string{identity, "Imogen", "Hartley", "Hazelbrook", current, "ed-system"} {
		if strings.Contains(r.log.String(), secret) || strings.Contains(text(t, report), secret) {
			t.Errorf("%q reached the log or the report (WRD-IGV-01)", secret)
		}
	}
}

func text(t *testing.T, report conform.Report) string {
	t.Helper()
	var b bytes.Buffer
	err := report.JSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A run in which nothing happened has shown nothing.
func TestNothingAskedShowsNothing(t *testing.T) {
	r := newRig(t, nil)
	report := r.report(t, clients.Confirmations{Tester: "Sam Specimen", Seen: clients.Screens()})
	counts := report.Counts()
	if counts != (conform.Counts{NotRun: len(report.Results)}) || counts.NotRun < 90 {
		t.Errorf("%+v of %d", counts, len(report.Results))
	}
}

// What was asked is not judged before it is known that nothing follows.
func TestStoppedInTheWindow(t *testing.T) {
	r := newRig(t, nil)
	r.sdk(t, time.Minute).Ask(t.Context(), question(t, current))
	report := r.report(t, clients.Confirmations{})
	if got := find(t, report, "plan-current"); got.Status != conform.NotRun || !strings.Contains(got.Got, "before it was known") {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// Asking again is a person's right: after the window it is not held against a client.
func TestAskedAgainLater(t *testing.T) {
	r := newRig(t, func(c *clients.Config) { c.Window = 50 * time.Millisecond })
	for range 2 {
		r.sdk(t, time.Minute).Ask(t.Context(), question(t, current))
		r.settle(t)
		time.Sleep(100 * time.Millisecond)
	}
	report := r.report(t, clients.Confirmations{})
	if got := find(t, report, "plan-current"); got.Status != conform.Passed || !strings.Contains(got.Got, "2 times") {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// A client that waits for ever is let go in the end.
func TestNobodyWaitsForEver(t *testing.T) {
	r := newRig(t, func(c *clients.Config) { c.GiveUp, c.Window = 50*time.Millisecond, time.Millisecond })
	result := r.sdk(t, time.Minute).Ask(t.Context(), question(t, unanswered))
	if got := result.Answer.Outcome(); got != cpis.ProviderNoAnswer {
		t.Errorf("understood as %s", got)
	}
	r.settle(t)
	time.Sleep(20 * time.Millisecond)
	if got := find(t, r.report(t, clients.Confirmations{}), "answer-never"); got.Status != conform.Passed || !strings.Contains(got.Got, "still waiting") {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// A run can be stopped while a client waits.
func TestStopWhileAClientWaits(t *testing.T) {
	r := newRig(t, func(c *clients.Config) { c.GiveUp = time.Hour })
	content := r.message(t, unanswered)
	status := make(chan int, 1)
	go func() { status <- r.post(t, content, nil) }()
	r.await(t, 1)
	r.stop()
	if got := <-status; got != 0 {
		t.Errorf("answered with HTTP %d", got)
	}
	if got := find(t, r.run.Report(clients.Confirmations{}), "answer-never"); got.Status != conform.NotRun {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// WRD-SUP-02: the official numbers have the official codes.
func TestOfficialNumbers(t *testing.T) {
	want := map[string]string{
		"1234567895": "official-smsp-0000", "1111111111": "official-smsp-0001", "2222222222": "official-smsp-0002",
		"3333333333": "official-smsp-0003", "4444444444": "official-smsp-0004", "5555555555": "official-smsp-0005",
		"6666666666": "official-smsp-9999", "7777777777": "official-cpis-9999", "8888888888": "official-cpis-0001",
	}
	r := newRig(t, nil)
	sdk := r.sdk(t, time.Minute)
	for _, s := range clients.Situations() {
		id, official := want[s.Number]
		if !official {
			continue
		}
		code := strings.ToUpper(strings.TrimPrefix(id, "official-"))
		result := sdk.Ask(t.Context(), question(t, s.Number))
		if s.ID != id || string(result.Code) != code {
			t.Errorf("%s is %s with the code %s, want %s", s.Number, s.ID, result.Code, code)
		}
		delete(want, s.Number)
	}
	if len(want) > 0 {
		t.Errorf("not on the list: %v", want)
	}
}

// No number of the list can be a person's, and none stands for two situations.
func TestNumbersOfTheList(t *testing.T) {
	numbers, ids := map[string]bool{}, map[string]bool{}
	for _, s := range clients.Situations() {
		n, err := cpis.ParseNHSNumber(s.Number)
		if err != nil || numbers[s.Number] || ids[s.ID] {
			t.Errorf("%s: %v, or its number or id stands twice", s.ID, err)
		}
		numbers[s.Number], ids[s.ID] = true, true
		official := strings.HasPrefix(s.ID, "official-")
		if !official && !strings.HasPrefix(s.Number, "999") || !n.CheckDigitValid() && s.Number != "1234567895" {
			t.Errorf("the number of %s is not a test number", s.ID)
		}
	}
}

// Every rule on messages has a case.
func TestEveryRuleHasItsDemand(t *testing.T) {
	want := itk.RuleIDs()
	slices.Sort(want)
	got := clients.Demands()
	slices.Sort(got)
	diff := cmp.Diff(slices.Compact(want), got)
	if diff != "" {
		t.Errorf("rules (-of package itk +with a demand):\n%s", diff)
	}
}

// WRD-SUP-05, WRD-SAF-14: what a screen must show is the state with its advice, and
// who was told.
func TestScreensDemandStateAndAdvice(t *testing.T) {
	report := newRig(t, nil).report(t, clients.Confirmations{})
	for id, texts := range map[string][]string{
		"screen-plan-current":     {`"current plan"`, "Phone the local authority", "was told"},
		"screen-plan-ended":       {`"ended plan only"`, "A plan that has ended does not mean there is no risk now"},
		"screen-plan-unborn":      {`"unborn plan"`, "unborn child and not of the person"},
		"screen-no-record":        {`"no record"`, "No record does not mean no risk", "no local authority was told"},
		"screen-busy":             {`"could not be established"`, `Do not treat this as "no record"`, "no local authority was told"},
		"screen-answer-never":     {`"outcome unknown"`, `Do not treat this as "no record"`, "Do not keep checking", "may have been told"},
		"screen-end-date-missing": {"No end date recorded"},
	} {
		want := find(t, report, id).Want
		for _, text := range texts {
			if !strings.Contains(want, text) {
				t.Errorf("%s does not demand %q: %s", id, text, want)
			}
		}
	}
}

// The tester's list has every number with its state.
func TestChecklist(t *testing.T) {
	var b bytes.Buffer
	r := newRig(t, nil)
	err := r.run.Checklist(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range clients.Situations() {
		if !strings.Contains(b.String(), s.Number) {
			t.Errorf("the list lacks %s", s.ID)
		}
	}
	if !strings.Contains(b.String(), unanswered+"  outcome unknown") {
		t.Errorf("the list is\n%s", b.String())
	}
}
