package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/logtest"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readEndpoints reads DIR/endpoints.json, and refuses any key that is not in the contract.
func readEndpoints(t *testing.T, dir string) endpoints {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	var e endpoints
	err = errors.Join(json.Unmarshal(content, &keys), json.Unmarshal(content, &e))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"smsp", "to", "username", "audit_identity", "asid", "organisation", "spine", "spine_management"} {
		text, _ := keys[key].(string)
		if text == "" {
			t.Errorf("endpoints.json lacks %s", key)
		}
	}
	for _, listed := range keys["children"].([]any) {
		child := listed.(map[string]any)
		for _, key := range []string{"nhs_number", "situation", "code"} {
			text, _ := child[key].(string)
			if text == "" {
				t.Errorf("a child lacks %s: %v", key, child)
			}
		}
	}
	return e
}

// The command-line contract of -once: every seeded question is asked, each answer
// shown and expected, the audit log verified, and everything kept under DIR.
func TestOnce(t *testing.T) {
	for pattern, empty := range map[string]string{"sync": "SMSP-0002", "async": "CPIS-9999"} {
		t.Run(pattern, func(t *testing.T) { once(t, pattern, empty) })
	}
}

// once demonstrates a pattern, in which an empty answer has a code of its own.
func once(t *testing.T, pattern, empty string) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	out, log := &logtest.Lines{}, &logtest.Lines{}
	err := run(t.Context(), []string{"-once", "-pattern", pattern, "-dir", dir}, out, log)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, log)
	}
	for _, name := range []string{"ca.pem", "client.pem", "client-key.pem", "ward.toml", "client.toml", "spinesim.toml", "audit.db", "endpoints.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := readEndpoints(t, dir)
	var numbers []string
	codes := map[string]bool{}
	for _, c := range e.Children {
		numbers = append(numbers, c.NHSNumber)
		codes[c.Code] = true
		if !strings.Contains(out.String(), "=== "+c.NHSNumber+": "+c.Situation+"\n=== expected "+c.Code+", answered "+c.Code+"\n") {
			t.Errorf("%s is not shown as answered with %s", c.NHSNumber, c.Code)
		}
	}
	for _, code := range []string{"SMSP-0000", "CPIS-0001", "SMSP-0002", "CPIS-9999", "SMSP-9999"} {
		if !codes[code] {
			t.Errorf("no child for %s", code)
		}
	}
	if !slices.ContainsFunc(e.Children, func(c child) bool { return c.NHSNumber == "9990010668" && c.Code == empty }) {
		t.Errorf("an empty answer is not expected as %s in the pattern %s", empty, pattern)
	}
	for _, b := range spinesim.Behaviours() {
		if b.NHSNumber != "" && !slices.Contains(numbers, b.NHSNumber) {
			t.Errorf("no child for the behaviour %s", b.Name)
		}
	}
	for _, text := range []string{"The audit log verifies", "0 questions left open", "Robin Fennimore", "This is not real information"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not shown", text)
		}
	}
}

// demonstration is a running one.
type demonstration struct {
	out  *logtest.Lines
	stop context.CancelFunc
	err  chan error
}

func start(t *testing.T, args ...string) *demonstration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	d := &demonstration{out: &logtest.Lines{}, stop: stop, err: make(chan error, 1)}
	go func() { d.err <- run(ctx, args, d.out, d.out) }()
	return d
}

// wait waits until the condition holds, while the demonstration runs.
func (d *demonstration) wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		select {
		case err := <-d.err:
			t.Fatalf("it ended before %s: %v\n%s", what, err, d.out)
		default:
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("no %s\n%s", what, d.out)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// endpoints.json appears when a question is answered and not before, at each start
// in the same folder; and without -once the demonstration stays up until told to end.
func TestStaysUpAndSaysWhenReady(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "endpoints.json")
	for range 2 {
		if exists(ready) {
			t.Fatal("endpoints.json is there before anything is")
		}
		d := start(t, "-dir", dir)
		d.wait(t, "endpoints.json", func() bool { return exists(ready) })
		askNow(t, dir)
		d.wait(t, "advice what to try next", func() bool { return strings.Contains(d.out.String(), "Stop with Ctrl-C") })
		askNow(t, dir)
		if !strings.Contains(d.out.String(), "Robin Fennimore") || !strings.Contains(d.out.String(), "ward ask -config "+dir+"/client.toml") {
			t.Errorf("no answer or no advice is shown:\n%s", d.out)
		}
		d.stop()
		err := <-d.err
		if err != nil {
			t.Fatal(err)
		}
	}
}

// askNow asks about every everyday situation with what the folder holds.
func askNow(t *testing.T, dir string) {
	t.Helper()
	settings, err := config.LoadClient(filepath.Join(dir, "client.toml"))
	if err != nil {
		t.Fatal(err)
	}
	e := readEndpoints(t, dir)
	if diff := cmp.Diff([]string{e.SMSP, e.Username, e.AuditIdentity, e.Organisation, e.ASID},
		[]string{settings.URL, settings.Username, settings.AuditIdentity, settings.Organisation, settings.System.ASID}); diff != "" {
		t.Errorf("endpoints.json and client.toml differ:\n%s", diff)
	}
	asker, err := client.New(client.Config{
		URL: e.SMSP, To: e.To, TLS: settings.TLS, Username: e.Username, Organisation: e.Organisation, Provider: settings.Provider,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	for _, c := range e.Children[:4] {
		number, err := cpis.ParseNHSNumber(c.NHSNumber)
		if err != nil {
			t.Fatal(err)
		}
		r := asker.Ask(t.Context(), client.Question{Number: number, Author: settings.Author, AuditIdentities: settings.AuditIdentities})
		if got := (cpis.Codes{}).Of(r.Answer.Outcome()); string(got) != c.Code {
			t.Errorf("%s: expected %s, answered %s: %v", c.Situation, c.Code, got, r.Cause)
		}
	}
}

// -addr is where the provider answers; one that is taken is an error, and no file
// says that anything is ready.
func TestAddress(t *testing.T) {
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = run(ctx, []string{"-dir", dir, "-addr", address}, &logtest.Lines{}, &logtest.Lines{})
	if err == nil || exists(filepath.Join(dir, "endpoints.json")) {
		t.Errorf("a taken address: error %v", err)
	}
	free.Close()
	d := start(t, "-dir", dir, "-addr", address)
	d.wait(t, "endpoints.json", func() bool { return exists(filepath.Join(dir, "endpoints.json")) })
	if e := readEndpoints(t, dir); e.SMSP != "https://"+address+"/smsp/cpis" || e.To != e.SMSP {
		t.Errorf("it answers at %s", e.SMSP)
	}
	askNow(t, dir)
	d.stop()
	err = <-d.err
	if err != nil {
		t.Fatal(err)
	}
}

// A folder that no demonstration used keeps its audit log; what a killed one left
// behind is cleared.
func TestClearsOnlyWhatADemonstrationLeft(t *testing.T) {
	for _, used := range []bool{false, true} {
		dir := t.TempDir()
		names := []string{"audit.db", "audit.db-wal", "checkpoints", "endpoints.json"}
		for _, name := range names {
			touch(t, dir, name)
		}
		if used {
			touch(t, dir, "spinesim.toml")
		}
		err := clearEarlier(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if exists(filepath.Join(dir, name)) == used {
				t.Errorf("used by a demonstration: %t; %s still there: %t", used, name, !used)
			}
		}
	}
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	err := os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	if err != nil {
		t.Fatal(err)
	}
}

// Without -dir nothing is left behind.
func TestLeavesNoTemporaryFolder(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	d := start(t)
	d.wait(t, "advice what to try next", func() bool { return strings.Contains(d.out.String(), "Stop with Ctrl-C") })
	d.stop()
	err := <-d.err
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestBadCommandLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends one that starts after all
	defer cancel()
	for _, args := range [][]string{{"-pattern", "pigeon"}, {"-pattern", "sds"}, {"-twice"}, {"once"}, {"-addr", "nowhere", "-dir", t.TempDir()}} {
		err := run(ctx, args, &logtest.Lines{}, &logtest.Lines{})
		if err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	help := &logtest.Lines{}
	err := run(ctx, []string{"-h"}, &logtest.Lines{}, help)
	if err != nil || !strings.Contains(help.String(), "-once") {
		t.Errorf("help: %v %s", err, help)
	}
}
