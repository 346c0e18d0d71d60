package provider_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setStage(t *testing.T, o stage.Options) *stage.Stage {
	t.Helper()
	o.Dir = t.TempDir()
	s, err := stage.Set(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func start(t *testing.T, s *stage.Stage) (*provider.Provider, error) {
	t.Helper()
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	return provider.Start(t.Context(), settings, slog.New(slog.DiscardHandler), "test")
}

func stop(t *testing.T, p *provider.Provider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := p.Stop(ctx)
	if err != nil {
		t.Error(err)
	}
}

// A start that fails says what to do, and holds on to nothing: once the cause is
// gone the next one succeeds.
func TestStartThatFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	cases := map[string]struct {
		options stage.Options
		spoil   func(t *testing.T, s *stage.Stage) (repair func())
		says    string
	}{
		"the address is taken": {
			spoil: func(t *testing.T, s *stage.Stage) func() {
				l, err := net.Listen("tcp", s.Address)
				if err != nil {
					t.Fatal(err)
				}
				return func() { l.Close() }
			},
			says: "listen.address",
		},
		"the operations address is taken": {
			options: stage.Options{Ward: "[operations]\naddress = \"" + taken.Addr().String() + "\""},
			spoil: func(t *testing.T, s *stage.Stage) func() {
				return func() {
					content, err := os.ReadFile(s.WardConfig())
					if err == nil {
						err = os.WriteFile(s.WardConfig(), []byte(strings.Replace(string(content), "[operations]\naddress = \""+taken.Addr().String()+"\"", "", 1)), 0o644)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			},
			says: "operations.address",
		},
		"the audit log is no database": {
			spoil: func(t *testing.T, s *stage.Stage) func() {
				path := filepath.Join(s.Dir, "audit.db")
				err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600)
				if err != nil {
					t.Fatal(err)
				}
				return func() { os.Remove(path) }
			},
			says: "audit log",
		},
		"another one is running": {
			spoil: func(t *testing.T, s *stage.Stage) func() {
				running, err := start(t, s)
				if err != nil {
					t.Fatal(err)
				}
				return func() { stop(t, running) }
			},
			says: "audit log",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, c.options)
			repair := c.spoil(t, s)
			p, err := start(t, s)
			if err == nil {
				stop(t, p)
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error %q does not mention %s", err, c.says)
			}
			repair()
			p, err = start(t, s)
			if err != nil {
				t.Fatalf("after the cause was gone: %v", err)
			}
			stop(t, p)
		})
	}
}

// Serving, and a stop, are no failure.
func TestStopIsNoFailure(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	p, err := start(t, s)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.Failed():
		t.Errorf("failed while serving: %v", err)
	default:
	}
	if p.Address().String() != s.Address {
		t.Errorf("serving at %s, want %s", p.Address(), s.Address)
	}
	stop(t, p)
	select {
	case err := <-p.Failed():
		t.Errorf("a stop is no failure: %v", err)
	default:
	}
}

// WRD-SPN-04: ids are upper-case UUIDs and differ.
func TestNewID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$`)
	seen := map[string]bool{}
	for range 10_000 {
		id := provider.NewID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("id %s, seen before: %t", id, seen[id])
		}
		seen[id] = true
	}
}

// entries are what the audit log of a stage holds of some kinds.
func entries(t *testing.T, s *stage.Stage, kinds ...audit.Kind) []audit.Entry {
	t.Helper()
	file, err := config.LoadAudit(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := stores.Read(t.Context(), file.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var list []audit.Entry
	for record, err := range audit.Entries(t.Context(), store, file.Keys, 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(kinds, record.Entry.Kind) {
			list = append(list, record.Entry)
		}
	}
	return list
}

func mustStart(t *testing.T, s *stage.Stage) *provider.Provider {
	t.Helper()
	p, err := start(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// WRD-AUD-07: the log tells a run that stopped in order from one that was cut off, that
// failed, or that never served.
func TestLifeOfTheProviderIsRecorded(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	stop(t, mustStart(t, s)) // in order
	mustStart(t, s).Kill()

	failed := mustStart(t, s)
	failed.BreakListener()
	<-failed.Failed()
	stop(t, failed)

	config, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	spoilt := string(config) + "\n[operations]\naddress = \"" + taken.Addr().String() + "\"\n"
	err = os.WriteFile(s.WardConfig(), []byte(spoilt), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = start(t, s)
	if err == nil {
		t.Fatal("started at an address that is taken")
	}
	err = os.WriteFile(s.WardConfig(), config, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, mustStart(t, s))

	var got []string
	for _, e := range entries(t, s, audit.Started, audit.Stopped) {
		reason, _, _ := strings.Cut(e.Reason, ": ")
		got = append(got, string(e.Kind)+" "+reason)
	}
	want := []string{
		"started ", "stopped ",
		"started ", // and killed
		"started the run before did not stop in order", "stopped a failure ended serving",
		"started ", "stopped the start failed",
		"started ", "stopped ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// IG-3.9.11: a start records the configuration in force, unless it is the one that was
// recorded last, and says who runs it and what changed.
func TestConfigurationIsRecorded(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	stop(t, mustStart(t, s))
	stop(t, mustStart(t, s))
	content, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(s.WardConfig(), append(content, "\n[log]\nlevel = \"warn\"\n"...), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, mustStart(t, s))
	list := entries(t, s, audit.Configured)
	if len(list) != 2 {
		t.Fatalf("%d entries of three starts, want 2", len(list))
	}
	for i, want := range []struct{ reason, detail string }{
		{"first", `"log.level":"info"`},
		{"changed", `"changed":[{"setting":"log.level","old":"info","new":"warn"}]`},
	} {
		e := list[i]
		if e.Reason != want.reason || e.Operator == "" || !strings.Contains(string(e.Detail), want.detail) {
			t.Errorf("entry %d: %s by %q: %s", i, e.Reason, e.Operator, e.Detail)
		}
	}
}

// IG-3.9.11: where the last recorded configuration cannot be read any more, the start
// says that it was not compared.
func TestUnreadableConfigurationIsNotCompared(t *testing.T) {
	t.Parallel()
	s := setStage(t, stage.Options{})
	stop(t, mustStart(t, s))
	key, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(s.Dir, "sealing-key"), []byte(key), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, mustStart(t, s))
	list := entries(t, s, audit.Configured)
	if len(list) != 2 || list[1].Reason != "not compared" || list[0].Detail != nil {
		t.Errorf("entries %+v", list)
	}
}

// WRD-OPS-12: whoever asks the directory when the provider has ended is told that it is
// asked nothing more, and ends nothing with it.
func TestLookUpAfterTheEnd(t *testing.T) {
	s := setStage(t, stage.Options{Ward: `
[sds]
url = "ldaps://127.0.0.1:1"
organisation = "YES"
certificate = "ward-spine.pem"
key = "ward-spine-key.pem"
ca = "ca.pem"
`})
	p, err := start(t, s)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, p)
	err = p.LookUp(t.Context())
	if err == nil {
		t.Error("a look-up after the end")
	}
}
