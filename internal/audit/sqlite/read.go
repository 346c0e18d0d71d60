package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/wardsmsp/ward/internal/audit"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const sizeQuery = "SELECT coalesce(max(seq), -1) + 1 FROM entries"

// ReadOnly is an audit.Reader of a database that may be in use by another
// process.
type ReadOnly struct {
	path string
	pool *sqlitex.Pool
}

// OpenReadOnly opens the database at path for reading. SQLite shares it with
// the writer through the files path + "-wal" and path + "-shm" beside it, so
// the reader needs the same rights to the directory as the writer.
func OpenReadOnly(path string) (*ReadOnly, error) {
	_, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	pool, err := openPool(path)
	if err != nil {
		return nil, fmt.Errorf("audit store %s: %w", path, err)
	}
	return &ReadOnly{path: path, pool: pool}, nil
}

func openPool(path string) (*sqlitex.Pool, error) {
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags:       sqlite.OpenReadOnly,
		PoolSize:    readers,
		PrepareConn: check,
	})
	if err != nil {
		return nil, err
	}
	conn, err := pool.Take(context.Background()) // checks that it is ours
	if err != nil {
		pool.Close()
		return nil, err
	}
	pool.Put(conn)
	return pool, nil
}

// Close closes the database.
func (r *ReadOnly) Close() error { return r.pool.Close() }

// Head implements audit.Reader.
func (r *ReadOnly) Head(ctx context.Context) (audit.Head, error) {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return audit.Head{}, fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	err = execute(conn, "BEGIN")
	if err != nil {
		return audit.Head{}, fmt.Errorf("audit store: %w", err)
	}
	head, err := readHead(conn)
	if !conn.AutocommitEnabled() { // an interrupt may have ended the transaction
		conn.SetInterrupt(nil)
		err = errors.Join(err, execute(conn, "ROLLBACK"))
	}
	if err != nil {
		return audit.Head{}, fmt.Errorf("audit store: %w", err)
	}
	return head, nil
}

func readHead(conn *sqlite.Conn) (audit.Head, error) {
	var head audit.Head
	var err error
	head.Size, err = sqlitex.ResultInt64(conn.Prep(sizeQuery))
	if err != nil {
		return head, err
	}
	err = sqlitex.Execute(conn, "SELECT note FROM checkpoint WHERE id = 0", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			head.Checkpoint = column(stmt, 0)
			return nil
		},
	})
	if err != nil {
		return head, err
	}
	err = sqlitex.Execute(conn, "SELECT seq FROM open_intents ORDER BY seq", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			head.Open = append(head.Open, stmt.ColumnInt64(0))
			return nil
		},
	})
	return head, err
}

// Rows implements audit.Reader.
func (r *ReadOnly) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		conn, err := r.pool.Take(ctx)
		if err != nil {
			yield(audit.Row{}, fmt.Errorf("audit store: %w", err))
			return
		}
		defer r.pool.Put(conn)
		stmt := conn.Prep("SELECT seq, leaf, hashes FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq")
		defer stmt.Reset()
		stmt.BindInt64(1, from)
		stmt.BindInt64(2, to)
		for {
			found, err := stmt.Step()
			if err != nil {
				yield(audit.Row{}, fmt.Errorf("audit store: %w", err))
				return
			}
			if !found {
				return
			}
			row := audit.Row{Seq: stmt.ColumnInt64(0), Leaf: column(stmt, 1), Hashes: splitHashes(column(stmt, 2))}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func column(stmt *sqlite.Stmt, i int) []byte {
	b := make([]byte, stmt.ColumnLen(i))
	stmt.ColumnBytes(i, b)
	return b
}
