package audit_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// WRD-AUD-01, WRD-AUD-03: a store in a doubtful state is not gone on with, and
// the reason says what is wrong.
func TestOpenRefusesDoubtfulStores(t *testing.T) {
	k := newKeys(t)
	path, checkpoints := seeded(t, k, 7)
	whole := readFile(t, path)
	tests := []struct {
		name, change string
		options      func(*audit.Options)
		want         string
	}{
		{"signed by another key", "", func(o *audit.Options) { o.Signer = newKeys(t).signer }, "not signed by a known key"},
		{"of another log", "", func(o *audit.Options) { o.Origin = "other.example/audit" }, `of the log "ward.example/audit", not "other.example/audit"`},
		{"no checkpoint", "DELETE FROM checkpoint", nil, "not signed by a known key"},
		{"a changed checkpoint", "UPDATE checkpoint SET note = CAST(replace(note, char(10)||'7'||char(10), char(10)||'6'||char(10)) AS BLOB)", nil, "not signed by a known key"},
		{"the newest entry removed", "DELETE FROM entries WHERE seq = 6", nil, "holds 6 entries but its checkpoint covers 7"},
		{"an entry added", "INSERT INTO entries SELECT 7, leaf, hashes FROM entries WHERE seq = 6", nil, "holds 8 entries but its checkpoint covers 7"},
		{"all entries removed", "DELETE FROM entries", nil, "holds 0 entries but its checkpoint covers 7"},
		{"everything removed", "DELETE FROM entries; DELETE FROM checkpoint; DELETE FROM opened", nil, "cut short or replaced by an older copy"},
		{"a hash on the edge of the tree changed", "UPDATE entries SET hashes = zeroblob(64) WHERE seq = 5", nil, "another root"},
		{"a hash on the edge of the tree missing", "UPDATE entries SET hashes = zeroblob(32) WHERE seq = 5", nil, "entry 5 does not have the number of hashes"},
		{"an entry on the edge of the tree missing", "DELETE FROM entries WHERE seq = 5", nil, "entry 5 is missing"},
		{"an open intent that is none", "INSERT INTO opened VALUES (5, 'c')", nil, "entry 5 is in the list of open intents but is not that intent"},
		{"an open intent that is not there", "INSERT INTO opened VALUES (50, 'c')", nil, "entry 50 is missing"},
		{"no directory for checkpoints", "", func(o *audit.Options) { o.Checkpoints = dirs(checkpoints + "/none") }, "no such file or directory"},
		{"no store", "", func(o *audit.Options) { o.Store = nil }, "needs a store, a signer and keys"},
		{"no keys", "", func(o *audit.Options) { o.Keys = nil }, "needs a store, a signer and keys"},
		{"no signer", "", func(o *audit.Options) { o.Signer = nil }, "needs a store, a signer and keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.db")
			writeFile(t, path, whole)
			execute(t, path, tt.change)
			options := k.options(openStore(t, path))
			options.Checkpoints = dirs(checkpoints)
			if strings.HasPrefix(tt.want, "not signed") || strings.HasPrefix(tt.want, "of the log") {
				options.Checkpoints = nil // whose checkpoints would be refused first
			}
			if tt.options != nil {
				tt.options(&options)
			}
			_, err := audit.Open(t.Context(), options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want that %s", err, tt.want)
			}
		})
	}
}

// The exported checkpoints are held against the store.
func TestOpenRefusesForeignExports(t *testing.T) {
	k := newKeys(t)
	log, other := new(audittest.Memory), new(audittest.Memory)
	for range 7 {
		mustAppendTo(t, k, log, "this")
		mustAppendTo(t, k, other, "other")
	}
	head, err := other.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustAppendTo(t, k, log, "one more")
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"of other entries", head.Checkpoint, "/checkpoint-x: the store's first 7 entries are not those of the checkpoint"},
		{"not signed", []byte("ward.example/audit\n7\n"), "checkpoint-x: audit: the checkpoint is not signed"},
		{"far too long", make([]byte, 1<<20), "checkpoint-x: audit: the checkpoint is not signed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options := k.options(log)
			dir := t.TempDir()
			options.Checkpoints = dirs(dir)
			writeFile(t, filepath.Join(dir, "checkpoint-x"), tt.content)
			_, err := audit.Open(t.Context(), options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want that %s", err, tt.want)
			}
		})
	}
}

// mustAppendTo opens a log on a store, appends one entry and closes it.
func mustAppendTo(t *testing.T, k keys, store audit.Store, correlation string) {
	t.Helper()
	log := openLog(t, k.options(store))
	mustAppend(t, log, refused(correlation))
	err := log.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// WRD-AUD-01: checkpoints go out on schedule and at Close, the newest under a
// name of its own, the history bounded.
func TestExportOfCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		dir := t.TempDir()
		options := k.options(&store)
		options.Checkpoints, options.CheckpointEvery, options.CheckpointKeep = dirs(dir), time.Minute, 3
		log := openLog(t, options)
		wantExported(t, k, dir, 0, 1) // at Open
		mustAppend(t, log, refused(""))
		wantExported(t, k, dir, 0, 1)
		time.Sleep(time.Minute + time.Second)
		wantExported(t, k, dir, 1, 2)
		time.Sleep(time.Hour) // nothing new, nothing exported
		wantExported(t, k, dir, 1, 2)
		for size := range int64(5) {
			mustAppend(t, log, refused(""))
			time.Sleep(time.Minute)
			wantExported(t, k, dir, size+2, min(3, int(size)+3))
		}
		if e := log.Exported()[0]; e.Name != dir || e.Size != 6 || e.Err != nil || time.Since(e.Time) > time.Minute {
			t.Errorf("Exported = %+v", e)
		}
		mustAppend(t, log, refused(""))
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantExported(t, k, dir, 7, 3)
	})
}

// WRD-AUD-03: the newest of the history are those of most entries, also where an
// earlier one was written by a clock that was ahead.
func TestHistoryIsKeptBySize(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	dir := t.TempDir()
	options := k.options(&store)
	options.Checkpoints, options.CheckpointKeep = dirs(dir), 2
	for n, year := range []int{2030, 2031, 2026, 2027} {
		options.Now = func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
		log := openLog(t, options)
		for log.Size() < int64(10*(n+1)) {
			mustAppend(t, log, refused(""))
		}
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, "checkpoint-2027*"))
	if err != nil || len(kept) != 2 {
		t.Errorf("the history keeps %v of the last run, %v", kept, err)
	}
}

// wantExported checks the newest exported checkpoint and the length of the history.
func wantExported(t *testing.T, k keys, dir string, size int64, history int) {
	t.Helper()
	c, err := audit.OpenCheckpoint(readFile(t, filepath.Join(dir, "checkpoint")), k.public, origin)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != size || len(files) != history+1 {
		t.Errorf("the newest exported checkpoint covers %d entries beside %d older, want %d and %d", c.Size, len(files)-1, size, history)
	}
}

// A directory that cannot be written is said and tried again, and does not stop
// the log.
func TestExportThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		var logged bytes.Buffer
		options := k.options(&store)
		dir := filepath.Join(t.TempDir(), "checkpoints")
		options.Checkpoints = dirs(dir)
		options.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		mkdir(t, dir)
		log := openLog(t, options)
		err := os.RemoveAll(dir)
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, log, refused(""))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if !errors.Is(log.Exported()[0].Err, os.ErrNotExist) || !strings.Contains(logged.String(), "a checkpoint was not exported") {
			t.Errorf("Exported = %+v, and logged %q", log.Exported(), logged.String())
		}
		mustAppend(t, log, refused(""))
		if log.Healthy() != nil {
			t.Errorf("Healthy = %v", log.Healthy())
		}
		mkdir(t, dir)
		time.Sleep(time.Minute)
		if diff := cmp.Diff(int64(2), log.Exported()[0].Size); diff != "" || log.Exported()[0].Err != nil {
			t.Errorf("Exported = %+v", log.Exported())
		}
		wantExported(t, k, dir, 2, 1)
	})
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	err := os.Mkdir(dir, 0o755)
	if err != nil {
		t.Fatal(err)
	}
}
