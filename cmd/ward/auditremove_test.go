package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/stage"
)

// withErasureKey makes the keys of a court and configures the public one. It returns
// the path of the secret one.
func withErasureKey(t *testing.T, s *stage.Stage) string {
	t.Helper()
	court := t.TempDir()
	ward(t, "audit", "order", "-generate", "-name", "court.example.invalid", "-out", court).expect(t, exitDone, "erasure-key", "erasure-key.pub")
	configure(t, s, "erasure_key = \""+filepath.Join(court, "erasure-key.pub")+"\"")
	return filepath.Join(court, "erasure-key")
}

// configure adds a line to the audit part of a stage's configuration.
func configure(t *testing.T, s *stage.Stage, line string) {
	t.Helper()
	content := strings.Replace(read(t, s.WardConfig()), "[audit]\n", "[audit]\n"+line+"\n", 1)
	err := os.WriteFile(s.WardConfig(), []byte(content), 0o600)
	if err != nil {
		t.Fatal(err)
	}
}

// IG-3.9.6a, WRD-AUD-10, WRD-AUD-11: from the order to its end, beside the provider.
func TestAuditErase(t *testing.T) {
	s := set(t, stage.Options{})
	key := withErasureKey(t, s)
	stop := play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	ward(t, "ask", "-config", s.ClientConfig(), withoutRecord).expect(t, exitDone)
	order := filepath.Join(t.TempDir(), "order")
	today := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	e := ward(t, "audit", "order", "-key", key, "-origin", "smsp.example.invalid/audit", "-nhs", withPlan,
		"-authority", "County Court at Example, AB12C00001", "-until", today, "-out", order)
	e.expect(t, exitDone, order)
	if strings.Contains(e.out+e.log, withPlan) {
		t.Error("the number is printed")
	}
	erase := []string{"audit", "erase", "-config", s.WardConfig(), "-order", order}

	ward(t, "audit", "hold", "-config", s.WardConfig(), "-name", "inquest 1", "-nhs", withPlan, "-authority", "the coroner").expect(t, exitDone, "active")
	ward(t, "audit", "holds", "-config", s.WardConfig()).expect(t, exitDone, "inquest 1", "the coroner", withPlan)
	ward(t, erase...).expect(t, exitFailed, `"inquest 1"`)
	ward(t, "audit", "release", "-config", s.WardConfig(), "-name", "inquest 1", "-authority", "the coroner").expect(t, exitDone, "released")

	ward(t, append(erase, "-dry-run")...).expect(t, exitDone, "To be erased")
	if !strings.Contains(ward(t, "audit", "show", "-config", s.WardConfig()).out, withPlan) {
		t.Error("the rehearsal erased")
	}
	ward(t, erase...).expect(t, exitDone, "Erased the content of", "complete")
	ward(t, erase...).expect(t, exitFailed, "carried out before")
	shown := ward(t, "audit", "show", "-config", s.WardConfig()).out
	if strings.Contains(shown, withPlan) || !strings.Contains(shown, withoutRecord) {
		t.Errorf("after the erasure:\n%s", shown)
	}
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies")
	ward(t, "audit", "compact", "-config", s.WardConfig()).expect(t, exitFailed, "stop Ward first")
	stop()
	ward(t, "audit", "compact", "-config", s.WardConfig()).expect(t, exitDone, "written anew")
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies")
	if bytes.Contains([]byte(read(t, filepath.Join(s.Dir, "audit.db"))), []byte(withPlan)) {
		t.Error("the number is in the database")
	}
}

// IG-3.9.6b: without a configured key nobody can erase, and no other key will do.
func TestAuditEraseNeedsTheKey(t *testing.T) {
	s := asked(t, withPlan)
	other := t.TempDir()
	ward(t, "audit", "order", "-generate", "-name", "court.example.invalid", "-out", other).expect(t, exitDone)
	order := filepath.Join(other, "order")
	ward(t, "audit", "order", "-key", filepath.Join(other, "erasure-key"), "-origin", "smsp.example.invalid/audit", "-nhs", withPlan,
		"-authority", "a court", "-until", "2999-12-31", "-out", order).expect(t, exitDone)
	erase := []string{"audit", "erase", "-config", s.WardConfig(), "-order", order}
	ward(t, erase...).expect(t, exitFailed, "audit.erasure_key")
	withErasureKey(t, s)
	ward(t, erase...).expect(t, exitFailed, "not signed with the key")
	ward(t, "audit", "order", "-key", filepath.Join(s.Dir, "ward.toml"), "-out", filepath.Join(other, "x")).expect(t, exitFailed, "-generate")
	ward(t, "audit", "order", "-generate", "-name", "a b", "-out", t.TempDir()).expect(t, exitUsage, "spaces")
}

// MSCA-AUD-01c: nothing expires unless a time is configured.
func TestAuditExpire(t *testing.T) {
	s := set(t, stage.Options{})
	appendEntry(t, s, audit.Entry{Kind: audit.Refused, Time: time.Now().AddDate(-9, 0, 0), Correlation: "X", NHSNumber: withPlan})
	ward(t, "audit", "expire", "-config", s.WardConfig()).expect(t, exitDone, "kept for ever")
	configure(t, s, `retention = { questions = "8y" }`)
	ward(t, "audit", "expire", "-config", s.WardConfig()).expect(t, exitFailed, "the clock says that the newest entry of the log is")
	play(t, s)()
	ward(t, "audit", "expire", "-config", s.WardConfig(), "-dry-run").expect(t, exitDone, "the content of 1 entries to be removed")
	ward(t, "audit", "expire", "-config", s.WardConfig()).expect(t, exitDone, "the content of 1 entries removed")
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies")
}
