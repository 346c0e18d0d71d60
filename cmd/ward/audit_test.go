package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/stage"
)

// The keys of a log are made once, the secret one for its owner alone (WRD-SEC-11).
func TestAuditKeygen(t *testing.T) {
	dir := t.TempDir()
	keygen := []string{"audit", "keygen", "-name", "smsp.example.invalid/audit", "-out", dir}
	secret, public := filepath.Join(dir, "audit-key"), filepath.Join(dir, "audit-key.pub")
	e := ward(t, keygen...)
	e.expect(t, exitDone, secret, public)
	key := read(t, secret)
	if strings.Contains(e.out+e.log, strings.TrimSpace(key)) {
		t.Error("the secret key is printed")
	}
	for path, mode := range map[string]os.FileMode{secret: 0o600, public: 0o644} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, error %v", path, info.Mode(), err)
		}
	}

	ward(t, keygen...).expect(t, exitFailed, "audit-key")
	if read(t, secret) != key {
		t.Error("the secret key was replaced")
	}
	ward(t, "audit", "keygen", "-name", "two words", "-out", t.TempDir()).expect(t, exitUsage, "neither spaces nor plus signs")
	ward(t, "audit", "keygen", "-name", "a", "-out", filepath.Join(dir, "absent")).expect(t, exitFailed)
}

// A secret key without its public one would be of no use, and in the way of the next try.
func TestAuditKeygenLeavesNoHalf(t *testing.T) {
	dir := t.TempDir()
	public := write(t, dir, "audit-key.pub", "another log's\n")
	ward(t, "audit", "keygen", "-name", "a", "-out", dir).expect(t, exitFailed, "audit-key.pub")
	_, err := os.Stat(filepath.Join(dir, "audit-key"))
	if !os.IsNotExist(err) || read(t, public) != "another log's\n" {
		t.Error("half a pair was left behind, or a key replaced")
	}
}

// asked is a stage on which some questions were asked and the provider has stopped.
func asked(t *testing.T, numbers ...string) *stage.Stage {
	t.Helper()
	s := set(t, stage.Options{})
	stop := play(t, s)
	for _, number := range numbers {
		ward(t, "ask", "-config", s.ClientConfig(), number)
	}
	stop()
	return s
}

// WRD-AUD-02: a whole log verifies without the service, and while it runs.
func TestAuditVerify(t *testing.T) {
	s := set(t, stage.Options{})
	stop := play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, " entries", "0 questions", "the newest covers 0 entries")
	stop()
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "0 questions")
}

// MSCA-AUD-01b: one flipped bit is found, with its place, in whichever entry it is.
func TestAuditVerifyFindsAFlippedBit(t *testing.T) {
	s := asked(t, withPlan, withoutRecord)
	database := filepath.Join(s.Dir, "audit.db")
	content := []byte(read(t, database))
	// Without the signing key a verification is not recorded, and is made all the same.
	err := os.Chmod(filepath.Join(s.Dir, "audit-key"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	leaves := leaves(t, s)
	for seq, leaf := range leaves {
		flipped := []byte(leaf)
		flipped[len(leaf)/2] ^= 1
		err := os.WriteFile(database, bytes.ReplaceAll(content, []byte(leaf), flipped), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		e := ward(t, "audit", "verify", "-config", s.WardConfig())
		e.expect(t, exitFailed, "DOES NOT VERIFY", fmt.Sprintf(" %d entries before the fault", seq), fmt.Sprintf("entry %d ", seq), "could not be recorded in the log")
		if e.out != "" || strings.Contains(e.log, withPlan) {
			t.Errorf("out %q, log %q", e.out, e.log)
		}
	}
	if len(leaves) < 6 {
		t.Errorf("only %d entries", len(leaves))
	}
}

// WRD-AUD-03: a log from which the newest entries were cut does not pass for whole.
func TestAuditVerifyFindsACut(t *testing.T) {
	s := set(t, stage.Options{})
	stop := play(t, s)
	stop()
	old := read(t, filepath.Join(s.Dir, "audit.db"))
	stop = play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	stop()
	err := os.WriteFile(filepath.Join(s.Dir, "audit.db"), []byte(old), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitFailed, "entries 3 to ", "cut short or replaced")
	ward(t, "serve", "-config", s.WardConfig()).expect(t, exitFailed, "cannot be trusted to go on")
}

func TestAuditVerifyWithoutALog(t *testing.T) {
	s := set(t, stage.Options{})
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitFailed, "audit.db")
	ward(t, "audit", "show", "-config", s.WardConfig()).expect(t, exitFailed, "audit.db")
	bad := write(t, s.Dir, "bad.toml", "[audit]\n")
	ward(t, "audit", "verify", "-config", bad).expect(t, exitFailed, "2 problem(s)", "audit.database", "audit.verifier_key")
}

// The text form has a line for each entry, marked as what it is.
func TestAuditShow(t *testing.T) {
	s := asked(t, withPlan, wrongDigit)
	e := ward(t, "audit", "show", "-config", s.WardConfig())
	e.expect(t, exitDone, "NHS Confidential: Personal Data about a patient", "SEQ")
	lines := strings.Split(strings.TrimSpace(e.out), "\n")[2:]
	// Whether an answer was delivered is not certain when its client leaves at once.
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, " undelivered ") })
	for i, expected := range []string{
		`^\d .* started `,
		`^\d .* configured .* first`,
		`^\d .* intent .* urn:nhs-uk:identity:ods:RXX:ed-nurse-0042 .* 9990000042 `,
		`^\d .* outcome .* 9990000042 .* found .* SMSP-0000 .* yes `,
		`^\d .* refused .* 9990000019 .* input_invalid .* SMSP-0001 .* no `,
		`^\d .* stopped `,
	} {
		if len(lines) != 6 || !regexp.MustCompile(expected).MatchString(lines[i]) {
			t.Fatalf("%d lines, number %d does not match %q:\n%s", len(lines), i, expected, e.out)
		}
	}
	newest := ward(t, "audit", "show", "-n", "2", "-config", s.WardConfig())
	if strings.Count(newest.out, "\n") != 4 || !strings.Contains(newest.out, "stopped") {
		t.Errorf("the newest two:\n%s", newest.out)
	}
}

// Each entry is printed with all its fields, and its leaf as it is hashed.
func TestAuditShowJSON(t *testing.T) {
	s := asked(t, withPlan)
	stored := leaves(t, s)
	e := ward(t, "audit", "show", "-json", "-from", "2", "-n", "2", "-config", s.WardConfig())
	e.expect(t, exitDone)
	lines := jsonLines(t, e.out)
	for i, kind := range []string{"intent", "outcome"} {
		l := lines[i]
		if l.Seq != int64(i+2) || l.State != "whole" || l.Leaf != stored[i+2] || len(lines) != 2 ||
			l.Entry["kind"] != kind || l.Entry["nhs_number"] != withPlan || l.Entry["username"] == nil {
			t.Errorf("line %d: %+v", i+1, l)
		}
	}
}

// What a client sent cannot end a line of the list, add one, or speak to the terminal.
func TestAuditShowIsNotTalkedTo(t *testing.T) {
	s := set(t, stage.Options{})
	appendEntry(t, s, audit.Entry{
		Kind: audit.Refused, Time: time.Now(), Correlation: "X", Reason: "a\tb",
		AuditIdentities: []audit.Identity{{URI: "urn:nhs-uk:identity:ods:RXX:\n9 2026-01-01 outcome \u009b2J \x1b[2J \u202e"}},
	})
	e := ward(t, "audit", "show", "-config", s.WardConfig())
	e.expect(t, exitDone)
	if strings.Count(e.out, "\n") != 3 || strings.ContainsAny(e.out, "\x1b\u009b\u202e\t") {
		t.Errorf("the list says what a client told it to: %q", e.out)
	}
}

// leaves are those of the whole log of a stage, without reading it through the log.
func leaves(t *testing.T, s *stage.Stage) []string {
	t.Helper()
	store, err := sqlite.OpenReadOnly(filepath.Join(s.Dir, "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var all []string
	for row, err := range store.Rows(t.Context(), 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(row.Leaf))
	}
	return all
}

// jsonLine is a line that -json prints.
type jsonLine struct {
	Seq   int64
	State string
	Entry map[string]any
	Leaf  string
}

func jsonLines(t *testing.T, out string) []jsonLine {
	t.Helper()
	var all []jsonLine
	for text := range strings.Lines(out) {
		var l jsonLine
		err := json.Unmarshal([]byte(text), &l)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, l)
	}
	return all
}

// appendEntry writes one entry into the log of a stage, as the provider would.
func appendEntry(t *testing.T, s *stage.Stage, e audit.Entry) {
	t.Helper()
	settings, err := config.Load(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(settings.Audit.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := audit.Open(t.Context(), audit.Options{Store: store, Signer: settings.Signer, Keys: settings.Keys})
	if err != nil {
		t.Fatal(err)
	}
	_, err = log.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	err = log.Close(context.Background())
	if err != nil {
		t.Fatal(err)
	}
}

// Where a log is not shared the provider recovers it by itself.
func TestRecoverIsForSharedLogs(t *testing.T) {
	s := set(t, stage.Options{})
	ward(t, "audit", "recover", "-config", s.WardConfig(), "-instance", "first").expect(t, exitUsage, "the next start of the provider")
}

// IG-3.9.2c: a transaction is shown with the answer as the user saw it then.
func TestAuditShowsTheAnswer(t *testing.T) {
	s := set(t, stage.Options{})
	stop := play(t, s)
	told := ward(t, "ask", "-config", s.ClientConfig(), withPlan)
	stop()
	told.expect(t, exitDone)
	var correlation string
	for _, l := range jsonLines(t, audited(t, s, "show", "-json").out) {
		if l.Entry["kind"] == "outcome" {
			correlation = l.Entry["correlation"].(string)
		}
	}
	e := audited(t, s, "show", "-correlation", correlation)
	e.expect(t, exitDone, "What was told, in the words of ward ask")
	// All but what the client adds of its own: contacts, service desk.
	for _, line := range strings.Split(told.out, "\n") {
		if strings.Contains(line, "Westmarch") && !strings.Contains(e.out, line) {
			t.Errorf("%q was told and is not shown", line)
		}
	}
	// Without the key nobody can tell what was found, and nothing looks like an answer.
	key, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.Dir, "sealing-key", key+"\n")
	e = audited(t, s, "show", "-correlation", correlation)
	e.expect(t, exitDone, "that does not mean that nothing was found")
	if strings.Contains(e.out, "in the words of") || strings.Contains(e.out, withPlan) {
		t.Errorf("an answer is shown without its content:\n%s", e.out)
	}
}

// A key of what is personal can be followed by another, and what was sealed and indexed
// before stays readable.
func TestAuditKeysRotate(t *testing.T) {
	s := asked(t, withPlan)
	for _, kind := range []string{"sealing", "index"} {
		ward(t, "audit", "keygen", "-only", kind, "-out", s.Dir).expect(t, exitDone, "put it first in audit."+kind+"_keys")
		newest, err := filepath.Glob(filepath.Join(s.Dir, kind+"-key-*"))
		if err != nil || len(newest) != 1 {
			t.Fatalf("made %v, %v", newest, err)
		}
		config := strings.Replace(read(t, s.WardConfig()), `["`+kind+`-key"]`, `["`+filepath.Base(newest[0])+`", "`+kind+`-key"]`, 1)
		write(t, s.Dir, "ward.toml", config)
	}
	stop := play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	stop()
	e := audited(t, s, "search", "-nhs", withPlan, "-kind", "outcome")
	e.expect(t, exitDone, "2 of the entries")
	audited(t, s, "search", "-kind", "configured").expect(t, exitDone, "changed")
	// WRD-AUD-09: without the old index key a search says that it is not complete, and a
	// report is not made.
	write(t, s.Dir, "ward.toml", strings.Replace(read(t, s.WardConfig()), `", "index-key"]`, `"]`, 1))
	audited(t, s, "search", "-nhs", withPlan, "-kind", "outcome").expect(t, exitDone, "THE SEARCH IS NOT COMPLETE", "1 of the entries")
	audited(t, s, "subject", "-nhs", withPlan, "-out", filepath.Join(t.TempDir(), "report")).expect(t, exitFailed, "would not be complete")
}
