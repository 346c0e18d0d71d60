package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
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
		err := s.Commit(t.Context(), audit.Group{Checkpoint: []byte("c")})
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
		cancel()
		err = s.Commit(ctx, audit.Group{})
		if err == nil || s.writer != nil {
			t.Fatalf("Commit with an ended context = %v, and the connection was kept", err)
		}
	}
}
