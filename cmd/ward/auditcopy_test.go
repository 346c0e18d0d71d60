package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

func removeLog(t *testing.T, s *stage.Stage) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "audit.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		err := os.Remove(file)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TOM-IO-01: a backup is made while the provider runs, is brought up to date later, and
// a provider goes on over it after everything else is gone.
func TestBackupIsRestored(t *testing.T) {
	s := asked(t, withPlan)
	backup := filepath.Join(t.TempDir(), "backup.db")
	stop := play(t, s)
	e := ward(t, "audit", "backup", "-config", s.WardConfig(), "-out", backup)
	e.expect(t, exitDone, "Copied 7 entries to the 0 that were there")
	stop()
	e = ward(t, "audit", "backup", "-config", s.WardConfig(), "-out", backup)
	e.expect(t, exitDone, "Copied 2 entries to the 7 that were there")

	removeLog(t, s)
	e = ward(t, "audit", "restore", "-config", s.WardConfig(), "-from", backup)
	e.expect(t, exitDone, "Copied 9 entries", "No exported checkpoint covers more")
	play(t, s)()
	e = ward(t, "audit", "verify", "-config", s.WardConfig())
	e.expect(t, exitDone, "verifies: 12 entries")
}

// WRD-AUD-16: the copy in a second place that the provider keeps takes the place of a log
// that was lost, with nothing missing.
func TestSecondCopyIsRestored(t *testing.T) {
	second := filepath.Join(t.TempDir(), "copy.db")
	s := asked(t, withPlan)
	settings, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(s.WardConfig(), append(settings, "\n[audit.copy]\ndatabase = \""+second+"\"\n"...), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	play(t, s)()
	removeLog(t, s)
	e := ward(t, "audit", "restore", "-config", s.WardConfig(), "-from", second)
	e.expect(t, exitDone, "Copied 8 entries", "No exported checkpoint covers more")
	play(t, s)()
	e = ward(t, "audit", "verify", "-config", s.WardConfig())
	e.expect(t, exitDone, "verifies: 11 entries")
}

// WRD-AUD-03: a copy that lacks entries which were covered by a checkpoint is moved to
// the place of a lost log as one that does not verify, and gone on with only on demand.
func TestOlderCopyIsMoved(t *testing.T) {
	s := asked(t, withPlan)
	older := filepath.Join(t.TempDir(), "older.db")
	ward(t, "audit", "backup", "-config", s.WardConfig(), "-out", older).expect(t, exitDone)
	play(t, s)()
	removeLog(t, s)
	settings := read(t, s.WardConfig())
	kept := write(t, s.Dir, "kept.toml", strings.Replace(settings, `database = "audit.db"`, `database = "`+older+`"`, 1))

	ward(t, "audit", "migrate", "-config", kept, "-to", s.WardConfig()).expect(t, exitFailed, "the new log does not verify")
	ward(t, "audit", "restore", "-config", s.WardConfig()).expect(t, exitFailed, "-accept-loss")
	ward(t, "audit", "restore", "-config", s.WardConfig(), "-accept-loss", "-reason", "disc lost").expect(t, exitDone, "The log goes on with entry 6")
	play(t, s)()
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies: 9 entries")
}

// WRD-AUD-03: a backup that lacks entries which were covered by a checkpoint is gone on
// with only on demand, and the log says what is missing.
func TestRestoreOfAnOlderBackup(t *testing.T) {
	s := asked(t, withPlan)
	backup := filepath.Join(t.TempDir(), "backup.db")
	ward(t, "audit", "backup", "-config", s.WardConfig(), "-out", backup).expect(t, exitDone)
	play(t, s)()
	removeLog(t, s)

	e := ward(t, "audit", "restore", "-config", s.WardConfig(), "-from", backup)
	e.expect(t, exitFailed, "the backup holds 6 entries", "covers 8", "-accept-loss")
	_, err := os.Stat(filepath.Join(s.Dir, "audit.db"))
	if err == nil {
		t.Error("a refused restore left a database")
	}
	e = ward(t, "audit", "restore", "-config", s.WardConfig(), "-from", backup, "-accept-loss", "-reason", "disc lost")
	e.expect(t, exitDone, "The log goes on with entry 6")
	play(t, s)()
	e = ward(t, "audit", "verify", "-config", s.WardConfig())
	e.expect(t, exitDone, "verifies: 9 entries")
	lost, err := filepath.Glob(filepath.Join(s.Dir, "checkpoints", "lost-*"))
	if err != nil || len(lost) == 0 {
		t.Errorf("%d checkpoints of lost entries were kept, %v", len(lost), err)
	}
	e = ward(t, "audit", "show", "-config", s.WardConfig(), "-from", "6", "-n", "1")
	e.expect(t, exitDone, "restored")
}

// A log moves to another store with its tree, and not while its provider runs.
func TestLogIsMigrated(t *testing.T) {
	s := asked(t, withPlan)
	content, err := os.ReadFile(s.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(s.Dir, "next.toml")
	err = os.WriteFile(next, []byte(strings.Replace(string(content), `"audit.db"`, `"next.db"`, 1)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	stop := play(t, s)
	e := ward(t, "audit", "migrate", "-config", s.WardConfig(), "-to", next)
	e.expect(t, exitFailed, "another process")
	stop()
	e = ward(t, "audit", "migrate", "-config", s.WardConfig(), "-to", next)
	e.expect(t, exitDone, "both trees are equal: 7 entries")
	ward(t, "audit", "verify", "-config", next).expect(t, exitDone, "verifies: 7 entries")
}
