package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/stage"
)

// lines is a log that may be read while it is written.
type lines struct{ logtest.Lines }

// wait waits until the text is in the log.
func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	for start := time.Now(); !strings.Contains(l.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%s is not in the log:\n%s", text, l)
		}
	}
}

// WRD-OPS-12: when told to stop, serve finishes what is under way, records the stop
// and ends with 0.
func TestServeStopsInOrder(t *testing.T) {
	s := set(t, stage.Options{})
	ctx, stop := context.WithCancel(t.Context())
	log := &lines{}
	code := make(chan int)
	go func() { code <- run(ctx, []string{"serve", "-config", s.WardConfig()}, os.Stdout, log) }()
	log.wait(t, `"event":"provider.started"`)

	answered := make(chan ended)
	const slow = "9990010153" // answered after two seconds
	go func() { answered <- ward(t, "ask", "-config", s.ClientConfig(), slow) }()
	for start := time.Now(); s.Simulator.Counters().RequestsRead == 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatal("the question did not reach the Spine")
		}
	}
	stop()
	(<-answered).expect(t, exitDone, "999 001 0153")
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d\n%s", got, log)
	}
	if strings.Contains(log.String(), slow) {
		t.Error("the log names a patient")
	}
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "0 questions")
	ward(t, "audit", "show", "-n", "2", "-config", s.WardConfig()).expect(t, exitDone, "stopped", "verified")
}

// WRD-OPS-15: a bad configuration is refused with all its faults, and nothing starts.
func TestServeWithABadConfiguration(t *testing.T) {
	s := set(t, stage.Options{})
	file := read(t, s.WardConfig())
	for old, new := range map[string]string{
		`environment = "test"`: `environment = "later"`, `key = "ward-key.pem"`: `key = "absent.pem"`, `setting = "emergency-department"`: `setting = "school"`,
	} {
		file = strings.Replace(file, old, new, 1)
	}
	path := write(t, s.Dir, "bad.toml", "colour = \"blue\"\n"+file)
	keys := []string{"4 problem(s)", "\nenvironment: ", "\nlisten.key: ", "\nclients.demo-ed.setting: ", "\ncolour: "}
	ward(t, "serve", "-config", path).expect(t, exitFailed, keys...)
	e := ward(t, "config", "check", path)
	e.expect(t, exitFailed, keys...)
	if e.out != "" {
		t.Errorf("problems on standard output: %s", e.out)
	}
	_, err := os.Stat(s.Dir + "/audit.db")
	if !os.IsNotExist(err) {
		t.Error("an audit log was opened")
	}
}

func TestConfigCheck(t *testing.T) {
	s := set(t, stage.Options{Pattern: "sync"})
	ward(t, "config", "check", s.WardConfig()).expect(t, exitDone, "is in order", "environment test", "2 client(s)", "pattern sync", s.Simulator.Addr())
	ward(t, "config", "check", s.Dir+"/absent.toml").expect(t, exitFailed, "no such file")
	ward(t, "serve", "-config", s.Dir+"/absent.toml").expect(t, exitFailed, "no such file")
}

// WRD-SPN-05: where the directory names the Spine, there is no endpoint to be told.
func TestConfigOfADirectory(t *testing.T) {
	budget := "[[budgets]]\nasid = \"" + stage.ProviderASID + "\"\nper_second = 5\nrequested = 5\njustification = \"busy hour\"\napproved_by = \"A. Approver\"\napproved_on = \"2026-03-14\"\n"
	s := set(t, stage.Options{Pattern: "sds", Ward: budget})
	says := "as the directory " + s.Platform.DirectoryURL() + " says"
	ward(t, "config", "check", s.WardConfig()).expect(t, exitDone, "is in order", "pattern sds, Spine: "+says)
	ward(t, "config", "budget-notice", s.WardConfig()).expect(t, exitDone, "Spine service: "+says)
}

// An address that is taken ends serving before it begins, and the log stays whole.
func TestServeOnATakenAddress(t *testing.T) {
	s := set(t, stage.Options{})
	taken, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ward(t, "serve", "-config", s.WardConfig()).expect(t, exitFailed, "listen.address")
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone)
}
