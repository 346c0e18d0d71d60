package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
)

// orphans finds what belongs to no entry, which no reading of entries meets: what is
// numbered before the first or behind the last of them, and what has a number that
// such a reading does not ask for.
var orphans = [...]struct{ table, query string }{
	{"content", "SELECT seq FROM content WHERE seq < 0 OR seq >= (" + sizeQuery + ") LIMIT 1"},
	{"terms", "SELECT seq FROM terms WHERE block < 0 LIMIT 1"},
	{"terms", "SELECT seq FROM terms WHERE block >= ((" + sizeQuery + ") + :block - 1) / :block AND block > 0 LIMIT 1"},
	{"terms", "SELECT seq FROM terms WHERE block = ((" + sizeQuery + ") - 1) / :block AND seq >= (" + sizeQuery + ") LIMIT 1"},
	{"spans", "SELECT span * :span FROM spans WHERE span < 0 OR span * :span >= (" + sizeQuery + ") OR first > last LIMIT 1"},
	{"opened", "SELECT seq FROM opened WHERE seq < 0 OR seq >= (" + sizeQuery + ") LIMIT 1"},
}

// Check implements audit.Checker. It reads all of the file.
func (r *ReadOnly) Check(ctx context.Context) (err error) {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	end := sqlitex.Transaction(conn) // all of it is of one state
	defer end(&err)
	for _, o := range orphans {
		err := noOrphan(conn, o.table, o.query)
		if err != nil {
			return err
		}
	}
	others, err := number(conn, "SELECT count(*) FROM checkpoint WHERE id <> 0")
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	if others > 0 {
		return fmt.Errorf("audit store: the database holds %d signed checkpoints besides its own", others)
	}
	return whole(conn)
}

func noOrphan(conn *sqlite.Conn, table, query string) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer stmt.Reset()
	for i := range stmt.BindParamCount() {
		switch stmt.BindParamName(i + 1) {
		case ":block":
			stmt.BindInt64(i+1, audit.BlockSize)
		case ":span":
			stmt.BindInt64(i+1, audit.SpanSize)
		}
	}
	found, err := stmt.Step()
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	if !found {
		return nil
	}
	seq := stmt.ColumnInt64(0)
	return &audit.Mismatch{First: seq, Last: seq, Reason: "is not there, but something in the table " + table + " belongs to it"}
}

// whole is SQLite's own check of the file: that its trees are in order, its indexes
// those of their tables, and no page is of two of them.
func whole(conn *sqlite.Conn) error {
	var damage string
	err := sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(1)", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			damage = stmt.ColumnText(0)
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	if damage != "ok" {
		return fmt.Errorf("audit store: the database is damaged: %.500s", damage)
	}
	return nil
}
