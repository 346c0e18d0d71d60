package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/stage"
)

// audited runs a command of the audit log of a stage.
func audited(t *testing.T, s *stage.Stage, command string, args ...string) ended {
	t.Helper()
	return ward(t, append([]string{"audit", command, "-config", s.WardConfig()}, args...)...)
}

// IG-3.9.3a, IG-3.9.3b: what was shown of a person is found under their number while
// the provider runs, and so is, from then on, that it was looked for, by whom, and why.
func TestAuditSearch(t *testing.T) {
	t.Setenv("SUDO_USER", "pat.officer")
	s := set(t, stage.Options{})
	stop := play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	ward(t, "ask", "-config", s.ClientConfig(), withoutRecord).expect(t, exitDone)
	e := audited(t, s, "search", "-nhs", "999 000 0042", "-reason", "complaint 17")
	e.expect(t, exitDone, confidential, " intent ", " outcome ", "ed-nurse-0042", withPlan)
	if strings.Contains(e.out, withoutRecord) || strings.Contains(e.out, " read ") {
		t.Errorf("the search shows more than was sought:\n%s", e.out)
	}
	e = audited(t, s, "search", "-nhs", withPlan, "-json")
	e.expect(t, exitDone)
	lines := jsonLines(t, e.out)
	found := make(map[any]int)
	for _, l := range lines {
		found[l.Entry["kind"]]++
	}
	read := lines[0]
	if found["intent"] != 1 || found["outcome"] != 1 || found["read"] != 1 || read.Entry["kind"] != "read" ||
		read.Entry["operator"] != operatorName(t) || read.Entry["purpose"] != "complaint 17" || read.Entry["remote"] == nil {
		t.Errorf("the second search finds %v, first of all %v", found, read)
	}
	audited(t, s, "search", "-user", operatorName(t), "-kind", "read", "-since", "2020-01-01").expect(t, exitDone, "2 of the entries")
	stop()
	// The last search showed readings about this one person, and counts among them.
	audited(t, s, "search", "-nhs", withPlan, "-kind", "read").expect(t, exitDone, "3 of the entries")
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "The audit log verifies")
}

// operatorName is who the commands take to be running them.
func operatorName(t *testing.T) string {
	t.Helper()
	who, err := operator("")
	if err != nil {
		t.Fatal(err)
	}
	before := os.Getenv("SUDO_USER")
	if os.Getuid() == 0 && before != "" && who.Operator != before {
		t.Errorf("%s is taken for %q", before, who.Operator)
	}
	return who.Operator
}

// Every criterion of the command line finds the question that meets it, and finds
// nothing for one that does not (MSCA-AUD-05a).
func TestAuditSearchCriteria(t *testing.T) {
	s := asked(t, withPlan, wrongDigit)
	lines := jsonLines(t, audited(t, s, "show", "-json").out)
	intent := lines[2]
	when, err := time.Parse(time.RFC3339, intent.Entry["time"].(string))
	if err != nil {
		t.Fatal(err)
	}
	text := func(key string) string { return intent.Entry[key].(string) }
	for _, test := range []struct{ flag, meets, fails string }{
		{"-nhs", withPlan, withoutRecord},
		{"-user", text("username"), "nobody"},
		{"-client", text("client"), "elsewhere"},
		{"-org", text("organisation"), "ZZZ"},
		{"-message", "urn:uuid:" + strings.ToLower(text("message_id")), "urn:uuid:" + text("correlation")},
		{"-message", text("tracking_id"), "x"},
		{"-correlation", text("correlation"), text("message_id")},
		{"-kind", "intent", "erased"},
		{"-since", when.Format(time.DateOnly), when.Add(time.Hour).Format(time.RFC3339)},
		{"-until", when.Add(time.Millisecond).Format(time.RFC3339Nano), when.Format("2006-01-02T15:04")},
		{"-from", "1", "1000"},
		{"-to", "3", "1"},
	} {
		e := audited(t, s, "search", "-json", test.flag, test.meets)
		e.expect(t, exitDone)
		if !strings.Contains(e.out, `{"seq":2,"state":"whole","entry":{"kind":"intent"`) {
			t.Errorf("%s %s does not find the question:\n%s%s", test.flag, test.meets, e.out, e.log)
		}
		e = audited(t, s, "search", test.flag, test.fails)
		e.expect(t, exitDone)
		if strings.Contains(e.out, " intent ") {
			t.Errorf("%s %s finds the question:\n%s", test.flag, test.fails, e.out)
		}
	}
	audited(t, s, "search", "-outcome", "found").expect(t, exitDone, "1 of the entries", "SMSP-0000")
	audited(t, s, "search", "-authority", "Nobody").expect(t, exitDone, "No entry meets the criteria; all ", "cannot be found by a person's number or name")
	audited(t, s, "search", "-kind", "erased").expect(t, exitDone, "No entry meets the criteria; all ")
}

// Pages go on where the one before ended, although each is itself recorded.
func TestAuditSearchPages(t *testing.T) {
	s := asked(t, withPlan, withoutRecord)
	cursor := regexp.MustCompile(`-cursor (\S+)`)
	var kinds []any
	args := []string{"-n", "2", "-json", "-to", "5"}
	for range 9 {
		e := audited(t, s, "search", args...)
		e.expect(t, exitDone)
		for _, l := range jsonLines(t, e.out) {
			kinds = append(kinds, l.Seq)
		}
		next := cursor.FindStringSubmatch(e.log)
		if next == nil {
			break
		}
		args = append(args[:5], "-cursor", next[1])
	}
	got, err := json.Marshal(kinds)
	if err != nil || string(got) != "[4,3,2,1,0]" {
		t.Errorf("the pages show %s", got)
	}
	audited(t, s, "search", "-cursor", "AAAA").expect(t, exitFailed, "the cursor is not one of this search")
}

// A number need not be seen in the list of processes.
func TestAuditSearchReadsTheNumber(t *testing.T) {
	s := asked(t, withPlan)
	for input, test := range map[string]struct {
		code int
		says string
	}{
		"999 000 0042\n": {exitDone, "2 of the entries"},
		"":               {exitUsage, "there is no NHS number on standard input"},
		"99900000\n":     {exitUsage, "ten digits"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.WriteString(input)
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		stdin := os.Stdin
		os.Stdin = r
		e := audited(t, s, "search", "-nhs", "-", "-to", "4", "-kind", "intent")
		if test.code == exitDone {
			e.expect(t, exitDone, "1 of the entries")
		} else {
			e.expect(t, test.code, test.says)
		}
		os.Stdin = stdin
		r.Close()
	}
}

// Rule 3: what cannot be recorded is not shown, by whichever command.
func TestNothingIsShownThatCannotBeRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		spoil    func(t *testing.T, s *stage.Stage)
		says     string
		patience time.Duration // a minute if 0
	}{
		"no signing key": {func(t *testing.T, s *stage.Stage) {
			remove(t, filepath.Join(s.Dir, "audit-key"))
		}, "that needs audit.signing_key", 0},
		"a signing key that others can read": {func(t *testing.T, s *stage.Stage) {
			err := os.Chmod(filepath.Join(s.Dir, "audit-key"), 0o644)
			if err != nil {
				t.Fatal(err)
			}
		}, "that needs audit.signing_key", 0},
		"no sealing key": {func(t *testing.T, s *stage.Stage) {
			remove(t, filepath.Join(s.Dir, "sealing-key"))
		}, "audit.sealing_keys", 0},
		"a log that was cut short": {func(t *testing.T, s *stage.Stage) {
			err := os.WriteFile(filepath.Join(s.Dir, "checkpoints", "checkpoint"), []byte("cut\n"), 0o644)
			if err != nil {
				t.Fatal(err)
			}
		}, "cannot be written", 0},
		"a log that another has locked": {func(t *testing.T, s *stage.Stage) {
			conn, err := zombiezen.OpenConn(filepath.Join(s.Dir, "audit.db"), zombiezen.OpenReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			err = sqlitex.ExecuteTransient(conn, "BEGIN IMMEDIATE", nil)
			if err != nil {
				t.Fatal(err)
			}
		}, "cannot be opened", 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := asked(t, withPlan)
			before := leaves(t, s)
			test.spoil(t, s)
			for _, args := range [][]string{{"search", "-nhs", withPlan}, {"viewers", "-nhs", withPlan}, {"show"}, {"show", "-json"}, {"export", "-open"}} {
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(test.patience, time.Minute))
				var out, log strings.Builder
				code := run(ctx, append([]string{"audit", args[0], "-config", s.WardConfig()}, args[1:]...), &out, &log)
				cancel()
				if code != exitFailed || out.Len() > 0 || !strings.Contains(log.String(), test.says) || strings.Contains(log.String(), withPlan) {
					t.Errorf("%v: exit code %d, printed %q, log %q", args, code, out.String(), log.String())
				}
			}
			if after := leaves(t, s); len(after) != len(before) {
				t.Errorf("%d entries, before %d", len(after), len(before))
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	err := os.Remove(path)
	if err != nil {
		t.Fatal(err)
	}
}

// Rule 2: an entry that cannot be read never looks as if there were no patient.
func TestAuditShowsWhatItCannotRead(t *testing.T) {
	s := asked(t, withPlan)
	correlation := jsonLines(t, audited(t, s, "show", "-json", "-from", "2", "-n", "1").out)[0].Entry["correlation"].(string)
	key, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(s.Dir, "sealing-key"), []byte(key+"\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	e := audited(t, s, "show", "-from", "2", "-n", "2")
	e.expect(t, exitDone)
	if strings.Count(e.out, "[key not at hand]") != 4 || strings.Contains(e.out, withPlan) {
		t.Errorf("entries under another key are shown as\n%s", e.out)
	}
	audited(t, s, "search", "-nhs", withPlan, "-kind", "outcome").expect(t, exitDone, "[key not at hand]", "found", "1 of the entries")
	audited(t, s, "show", "-correlation", correlation).expect(t, exitDone, "key not at hand. Who asked", "does not mean that nothing was found")
}

// IG-3.9.15: one view has each step of a transaction with all that is known of it.
func TestAuditShowTransaction(t *testing.T) {
	s := asked(t, withPlan, withoutRecord)
	intent := jsonLines(t, audited(t, s, "show", "-json", "-from", "2", "-n", "1").out)[0].Entry
	e := audited(t, s, "show", "-correlation", "uuid:"+strings.ToLower(intent["correlation"].(string)))
	e.expect(t, exitDone, confidential, "a question was about to be sent to the Spine", "how the question ended", withPlan, "SMSP-0000",
		intent["message_id"].(string), intent["tracking_id"].(string), "Spine message ids", "Audit identity", "Author", "Authority notified")
	if strings.Contains(e.out, withoutRecord) || strings.Index(e.out, "about to be sent") > strings.Index(e.out, "how the question ended") {
		t.Errorf("the transaction is shown as\n%s", e.out)
	}
	audited(t, s, "show", "-correlation", "none").expect(t, exitDone, "No entry has this correlation; the whole log was searched")
}

// What a client sent can neither end a line, add one, nor speak to the terminal, in any
// form in which entries are shown; the leaf keeps its bytes.
func TestAuditOutputIsNotTalkedTo(t *testing.T) {
	s := set(t, stage.Options{})
	hostile := "a\tb \x1b[2J \u009b2J \u202e \U000e0001 <&>"
	appendEntry(t, s, audit.Entry{
		Kind: audit.Refused, Time: time.Now(), Correlation: "X", Reason: hostile, Username: "u\n9 2026-01-01 " + hostile,
		Detail: json.RawMessage(`{"told":"\u009b2J","raw":"` + "\u009b2J\u202e" + `"}`),
	})
	stored := leaves(t, s)
	for _, args := range [][]string{{"show", "-n", "1"}, {"search", "-kind", "refused"}, {"show", "-correlation", "X"},
		{"search", "-json", "-correlation", "x"}} {
		e := audited(t, s, args[0], args[1:]...)
		e.expect(t, exitDone)
		if strings.ContainsAny(e.out, "\x1b\u009b\u202e\t\U000e0001") {
			t.Errorf("%v says what a client told it to: %q", args, e.out)
		}
	}
	lines := jsonLines(t, audited(t, s, "search", "-json", "-correlation", "x").out)
	if len(lines) != 1 || lines[0].Leaf != stored[0] || lines[0].Entry["reason"] != hostile {
		t.Errorf("%+v, stored %q", lines, stored)
	}
}

// A verification is recorded with what came of it, also a failed one (IG-3.9.3b).
func TestAuditVerifyIsRecorded(t *testing.T) {
	s := asked(t, withPlan)
	n := len(leaves(t, s))
	audited(t, s, "verify", "-reason", "monthly").expect(t, exitDone, "The audit log verifies")
	conn, err := zombiezen.OpenConn(filepath.Join(s.Dir, "audit.db"), zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, "DELETE FROM terms", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	audited(t, s, "verify").expect(t, exitFailed, "DOES NOT VERIFY", "is not in the index")
	for i, l := range jsonLines(t, audited(t, s, "show", "-json", "-n", "2").out) {
		detail, ok := l.Entry["detail"].(map[string]any)
		if l.Entry["kind"] != "verified" || l.Entry["operator"] != operatorName(t) || !ok {
			t.Fatalf("%v", l.Entry)
		}
		if i == 0 && (l.Entry["reason"] != "the log verifies" || l.Entry["entries"] != float64(n) || l.Entry["purpose"] != "monthly" || detail["root"] == nil) ||
			i == 1 && (l.Entry["reason"] != "the log does not verify" || detail["fault"] == nil) {
			t.Errorf("%v", l.Entry)
		}
	}
}

// A number is read as people write it, from either place, by every command.
func TestNumberFrom(t *testing.T) {
	for _, tt := range []struct{ given, input, want string }{
		{"999 000 0042", "", "9990000042"},
		{"-", "999 000 0042\nmore", "9990000042"},
		{"-", " 9990000042", "9990000042"},
		{"", "9990000042", ""},
	} {
		got, err := numberFrom(tt.given, strings.NewReader(tt.input))
		if err != nil || got != tt.want {
			t.Errorf("%q with %q on standard input is %q, %v", tt.given, tt.input, got, err)
		}
	}
	_, err := numberFrom("-", strings.NewReader("\n"))
	if err == nil {
		t.Error("nothing on standard input is a number")
	}
}

// Rule 3: to look behind the end of the log does not look as if there were no entries.
func TestShowBehindTheEndSaysSo(t *testing.T) {
	s := asked(t, withPlan)
	for _, from := range []string{"5000", "9223372036854775807"} {
		audited(t, s, "show", "-from", from).expect(t, exitDone, "The log has no entry "+from+" yet")
	}
}

// A log in PostgreSQL is not taken for a file that is not there.
func TestCompactOfAnotherStore(t *testing.T) {
	s := asked(t, withPlan)
	content, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(s.WardConfig())
	err = os.WriteFile(filepath.Join(folder, "postgres-url"), []byte("postgres://ward:secret@127.0.0.1/ward"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	shared := regexp.MustCompile(`(?m)^database *=.*$`).ReplaceAllString(string(content), `postgres = "postgres-url"`)
	path := filepath.Join(folder, "shared.toml")
	err = os.WriteFile(path, []byte(shared), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ward(t, "audit", "compact", "-config", path).expect(t, exitFailed, "compacted with its own tools")
}
