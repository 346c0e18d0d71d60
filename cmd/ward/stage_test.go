package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Children of the simulator's cast, and one number that fails Modulus 11.
const (
	withPlan      = "9990000042"
	withoutRecord = "9990000034"
	wrongDigit    = "9990000019"
)

// ended is what a run of the program leaves behind.
type ended struct {
	code     int
	out, log string
}

// ward runs the program.
func ward(t *testing.T, args ...string) ended {
	t.Helper()
	var out, log bytes.Buffer
	code := run(t.Context(), args, &out, &log)
	return ended{code, out.String(), log.String()}
}

// expect fails unless the program ended with the code, and holds each text in what
// it printed.
func (e ended) expect(t *testing.T, code int, texts ...string) {
	t.Helper()
	if e.code != code {
		t.Fatalf("exit code %d, expected %d\n%s%s", e.code, code, e.out, e.log)
	}
	for _, text := range texts {
		if !strings.Contains(e.out+e.log, text) {
			t.Errorf("%q is not in what was printed:\n%s%s", text, e.out, e.log)
		}
	}
}

// set sets the stage, without a provider.
func set(t *testing.T, o stage.Options) *stage.Stage {
	t.Helper()
	o.Dir = t.TempDir()
	s, err := stage.Set(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// play lets the provider of the stage answer until the returned function is called,
// or the test ends.
func play(t *testing.T, s *stage.Stage) (stop func()) {
	t.Helper()
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if running == nil {
			return
		}
		stopProvider(t, running)
		running = nil
	}
	t.Cleanup(stop)
	return stop
}

func stopProvider(t *testing.T, running *provider.Provider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := running.Stop(ctx)
	if err != nil {
		t.Error(err)
	}
}

// write writes a file below the folder and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	err := os.WriteFile(path, []byte(content), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// childWith is a child about whom the simulator makes the provider give that code.
func childWith(t *testing.T, s *stage.Stage, code string) string {
	t.Helper()
	for _, child := range s.Children(0) {
		if child.Code == code {
			return child.NHSNumber
		}
	}
	t.Fatalf("no child with %s", code)
	return ""
}
