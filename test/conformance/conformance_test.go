// Package conformance tries Ward itself with the conformance suite, and the suite with
// providers that are broken on purpose.
package conformance_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
	"github.com/wardsmsp/ward/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ward is a running provider with everything around it.
type ward struct {
	*stage.Stage
	settings providers.Settings
}

// start sets the stage and starts the provider. Both are stopped when the test ends.
func start(t *testing.T) *ward {
	t.Helper()
	s, err := stage.Set(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 15*time.Second)
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

// run tries the provider that the settings name.
func run(t *testing.T, settings providers.Settings, only string, done func(conform.Result)) conform.Report {
	t.Helper()
	suite, err := providers.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return suite.Run(t.Context(), only, done)
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
	for i, r := range report.Results {
		if r.ID == unreachable {
			report.Results[i] = withoutSpine(t)
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
