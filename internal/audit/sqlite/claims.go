package sqlite

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
)

// forgotten is how many claims that ended a commit removes besides as many as it
// adds: enough to catch up, few enough not to hold it up.
const forgotten = 16

// claim adds the claims of a group, and forgets some that have ended.
func claim(conn *sqlite.Conn, g audit.Group) error {
	if len(g.Claims) == 0 {
		return nil
	}
	err := each(conn, "INSERT INTO claims (key, until) VALUES (?, ?)", g.Claims, func(stmt *sqlite.Stmt, c audit.ClaimRow) {
		stmt.BindBytes(1, c.Key[:])
		stmt.BindInt64(2, c.Until)
	})
	if err != nil {
		return err
	}
	return forget(conn, g.Forget, len(g.Claims)+forgotten)
}

// forget removes as many claims as it may of those that ended before a Unix time, the
// first to end first. One statement that does both would make a table of its own for
// the keys in between, at more cost than all the rest, whether there are any or not.
func forget(conn *sqlite.Conn, before int64, most int) error {
	stmt, err := conn.Prepare("SELECT key FROM claims WHERE until < ? ORDER BY until LIMIT ?")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, before)
	stmt.BindInt64(2, int64(most))
	var ended []audit.ClaimKey
	for {
		found, err := stmt.Step()
		if err != nil {
			return err
		}
		if !found {
			break
		}
		var key audit.ClaimKey
		stmt.ColumnBytes(0, key[:])
		ended = append(ended, key)
	}
	return each(conn, "DELETE FROM claims WHERE key = ?", ended, func(stmt *sqlite.Stmt, key audit.ClaimKey) {
		stmt.BindBytes(1, key[:])
	})
}

// Claims implements audit.Reader.
func (r *ReadOnly) Claims(ctx context.Context, after audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	return func(yield func(audit.ClaimRow, error) bool) {
		err := r.claims(ctx, after, func(row audit.ClaimRow) bool { return yield(row, nil) })
		if err != nil {
			yield(audit.ClaimRow{}, err)
		}
	}
}

func (r *ReadOnly) claims(ctx context.Context, after audit.ClaimKey, yield func(audit.ClaimRow) bool) error {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	stmt, err := conn.Prepare("SELECT key, until FROM claims WHERE key > ? ORDER BY key")
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer stmt.Reset()
	stmt.BindBytes(1, after[:])
	return step(stmt, func(stmt *sqlite.Stmt) bool {
		row := audit.ClaimRow{Until: stmt.ColumnInt64(1)}
		stmt.ColumnBytes(0, row.Key[:])
		return yield(row)
	})
}

// turn is an audit.Turn, within a transaction of the connection that writes: readers of
// the log cannot hold up the questions.
type turn struct {
	conn *sqlite.Conn
	size int64
}

// Size implements audit.Turn.
func (t turn) Size() int64 { return t.size }

// Checkpoint implements audit.Turn. The end of the commit's own ctx ends it.
func (t turn) Checkpoint(context.Context) ([]byte, error) {
	var note []byte
	err := sqlitex.Execute(t.conn, "SELECT note FROM checkpoint WHERE id = 0", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		note = column(stmt, 0)
		return nil
	}})
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	return note, nil
}

// Claimed implements audit.Turn. The end of the commit's own ctx ends it.
func (t turn) Claimed(_ context.Context, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	claimed, err := findClaims(t.conn, keys)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	return claimed, nil
}

func findClaims(conn *sqlite.Conn, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	stmt, err := conn.Prepare("SELECT 1 FROM claims WHERE key = ?")
	if err != nil {
		return nil, err
	}
	claimed := make(map[audit.ClaimKey]bool)
	for _, key := range keys {
		stmt.BindBytes(1, key[:])
		found, err := stmt.Step()
		if err != nil {
			return nil, err
		}
		if found {
			claimed[key] = true
		}
		err = stmt.Reset()
		if err != nil {
			return nil, err
		}
	}
	return claimed, nil
}
