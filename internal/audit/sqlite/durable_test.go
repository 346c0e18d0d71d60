package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// WRD-AUD-04, WRD-AUD-06: each commit is synchronised, on the first connection
// and on the one opened after a failure.
func TestWriterSynchronisesEachCommit(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		err := audittest.Commit(t.Context(), s, audit.Group{Checkpoint: []byte("c")})
		if err != nil {
			t.Fatal(err)
		}
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
			var got string
			err := sqlitex.ExecuteTransient(s.writer, "PRAGMA "+pragma, &sqlitex.ExecOptions{
				ResultFunc: func(stmt *sqlite.Stmt) error {
					got = stmt.ColumnText(0)
					return nil
				},
			})
			if err != nil || got != want {
				t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = s.Commit(ctx, func(audit.Turn) (audit.Group, error) {
			cancel()
			return audit.Group{Checkpoint: []byte("d")}, nil
		})
		if err == nil || s.writer != nil {
			t.Fatalf("Commit whose context ends in its turn = %v, and the connection was kept: %t", err, s.writer != nil)
		}
	}
}

// WRD-AUD-06: what an earlier process left in the write-ahead log, perhaps without
// having been able to synchronise it, is in the database itself, and synchronised,
// before anything is added.
func TestOpenCarriesTheWriteAheadLogOver(t *testing.T) {
	dir := t.TempDir()
	path, crashed, alone := filepath.Join(dir, "audit.db"), filepath.Join(dir, "crashed.db"), filepath.Join(dir, "alone.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = audittest.Commit(t.Context(), s, audit.Group{Rows: []audit.Row{{Leaf: []byte("leaf")}}, Checkpoint: []byte("c")})
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, path, crashed)
	copyFile(t, path+"-wal", crashed+"-wal")
	again, err := Open(crashed)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	copyFile(t, crashed, alone)
	reader, err := OpenReadOnly(alone)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	head, err := reader.Head(t.Context())
	if err != nil || head.Size != 1 {
		t.Errorf("the database alone holds %d entries (%v), want 1", head.Size, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
