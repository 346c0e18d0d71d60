package provider_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
