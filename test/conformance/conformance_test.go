// Package conformance tries Ward itself with the conformance suite, and the suite with
// providers that are broken on purpose.
package conformance_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// ward is a running provider with everything around it.
type ward struct {
	*stage.Stage
	settings providers.Settings
}

// authorRefused is a child about whom the simulator answers with a code that the
// provider of these tests is told to take as "the author was refused": no published
// document says which code that is.
const (
	authorRefused     = "9990010242"
	authorRefusedCode = "GE002"
)

// start sets the stage and starts the provider. Both are stopped when the test ends.
// What is given is TOML of the client's registration.
func start(t *testing.T, client ...string) *ward {
	t.Helper()
	s, err := stage.Set(stage.Options{Dir: t.TempDir(), Client: strings.Join(client, "\n")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	replaceIn(t, s.WardConfig(), "[spine]\n", "[spine]\nauthor_error_codes = [\""+authorRefusedCode+"\"]\n")
	replaceIn(t, s.ClientConfig(), "[[conform.children]]\n",
		"[[conform.children]]\nnhs_number = \""+authorRefused+"\"\ncode = \"SMSP-0005\"\n[[conform.children]]\n")
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		err := running.Stop(ctx)
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	file, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := providers.Configured(file)
	if err != nil {
		t.Fatal(err)
	}
	return &ward{Stage: s, settings: settings}
}

// replaceIn changes the first place of a file where a text stands.
func replaceIn(t *testing.T, path, old, new string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(content), old)
	if !found {
		t.Fatalf("%s has no %s", path, old)
	}
	err = os.WriteFile(path, []byte(before+new+after), 0o644)
	if err != nil {
		t.Fatal(err)
	}
}

// run tries the provider that the settings name.
func run(t *testing.T, settings providers.Settings, only string, done func(conform.Result)) conform.Report {
	t.Helper()
	suite, err := providers.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	report, err := suite.Run(t.Context(), only, done)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// unreachable is the case for which the Spine must be out of reach.
const unreachable = "C-SMSP-0004"

// Ward passes every case. The Spine hears of no conversation that must be refused, and
// once of each question that one asks (WRD-SAF-04). docs/conformance.md says so.
func TestWardConforms(t *testing.T) {
	t.Parallel()
	w := start(t)
	asks := map[string]int{}
	conversations := 0
	for _, c := range providers.Cases() {
		asks[c.ID] = c.Asks
		if c.Conversation {
			conversations++
		}
	}
	if conversations < 250 {
		t.Errorf("%d conversations", conversations)
	}
	read, begun := 0, int64(0)
	report := run(t, w.settings, "", func(r conform.Result) {
		now := w.Simulator.Counters()
		read += asks[r.ID]
		begun += int64(asks[r.ID])
		if int(now.RequestsRead) != read || now.RequestsBegun != begun {
			t.Errorf("%s: the Spine has read %d questions of %d begun, want %d", r.ID, now.RequestsRead, now.RequestsBegun, read)
			read, begun = int(now.RequestsRead), now.RequestsBegun
		}
	})
	smartcards := byID(smartcardRun(t, forSmartcards))
	for i, r := range report.Results {
		switch {
		case r.ID == unreachable:
			report.Results[i] = withoutSpine(t)
		case strings.HasPrefix(r.ID, forSmartcards):
			report.Results[i] = smartcards[r.ID]
		}
	}
	for _, r := range report.Results {
		if r.Status != conform.Passed {
			t.Errorf("%s %s: want %s, got %s", r.ID, r.Status, r.Want, r.Got)
		}
	}
	if len(report.Results) != len(providers.Cases()) {
		t.Errorf("%d results of %d cases", len(report.Results), len(providers.Cases()))
	}
	checkDocument(t, report)
}

// WRD-IAM-12, MSCA-AUD-04a: Ward fails no case either if the tester is registered with
// another access method. What is for other testers is not run.
func TestWardConformsForEveryAccessMethod(t *testing.T) {
	t.Parallel()
	for method, report := range map[string]conform.Report{"unattended": unattendedRun(t), "smartcard": smartcardRun(t, "")} {
		for _, r := range report.Results {
			if r.Status == conform.Failed || r.Status == conform.Differs {
				t.Errorf("%s: %s %s: want %s, got %s", method, r.ID, r.Status, r.Want, r.Got)
			}
		}
		for id, status := range map[string]conform.Status{
			"N36-no-user": conform.NotRun, "A1-no-role-profile": conform.NotRun, "A1-identity-only": conform.NotRun, "C-SMSP-0000": conform.Passed,
		} {
			if got := byID(report)[id].Status; got != status {
				t.Errorf("%s: %s %s, want %s", method, id, got, status)
			}
		}
		if byID(report)["N36-smartcard-no-role-profile"].Status == conform.Passed != (method == "smartcard") {
			t.Errorf("%s: a smartcard's case is %s", method, byID(report)["N36-smartcard-no-role-profile"].Status)
		}
	}
}

// forSmartcards begins the ids of the cases that a tester of users with smartcards has.
const forSmartcards = "N36-smartcard-"

// smartcardRun and unattendedRun try Ward as a tester with that access method.
func smartcardRun(t *testing.T, only string) conform.Report {
	t.Helper()
	w := start(t, `access_method = "smartcard"`)
	w.settings.AccessMethod, w.settings.ASID = "smartcard", ""
	return run(t, w.settings, only, func(conform.Result) {})
}

func unattendedRun(t *testing.T) conform.Report {
	t.Helper()
	w := start(t, `access_method = "unattended"`)
	w.settings.AccessMethod, w.settings.UserID, w.settings.RoleProfile = "unattended", "", ""
	return run(t, w.settings, "", func(conform.Result) {})
}

func byID(report conform.Report) map[string]conform.Result {
	results := map[string]conform.Result{}
	for _, r := range report.Results {
		results[r.ID] = r
	}
	return results
}

// withoutSpine is the one conversation that needs a provider whose Spine is away.
func withoutSpine(t *testing.T) conform.Result {
	t.Helper()
	w := start(t)
	err := w.Simulator.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.settings.Children[cpis.CodeNotConnected] = w.settings.Children[cpis.CodeSuccess]
	return run(t, w.settings, unreachable, func(conform.Result) {}).Results[0]
}
