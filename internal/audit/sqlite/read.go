package sqlite

import (
	"context"
	"fmt"
	"iter"
	"os"

	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
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

// prepare checks a connection, and gives it room for what lies between the root and the
// leaves of a long index: a search goes down it once for each block.
func prepare(conn *sqlite.Conn) error {
	err := check(conn)
	if err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(conn, "PRAGMA cache_size = -16384", nil) // KiB
}

func openPool(path string) (*sqlitex.Pool, error) {
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags:       sqlite.OpenReadOnly,
		PoolSize:    readers,
		PrepareConn: prepare,
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

// headQuery reads all of the head in one statement, so in one state of the
// database: the size and the checkpoint are the same in every row, and there is
// a row for each open intent, or one with NULL.
const headQuery = `SELECT (` + sizeQuery + `), (SELECT note FROM checkpoint WHERE id = 0), opened.seq, opened.correlation
	FROM (SELECT 1) LEFT JOIN opened ORDER BY opened.seq`

// Head implements audit.Reader.
func (r *ReadOnly) Head(ctx context.Context) (audit.Head, error) {
	var head audit.Head
	first := true
	err := r.query(ctx, headQuery, nil, func(stmt *sqlite.Stmt) bool {
		if first {
			head.Size = stmt.ColumnInt64(0)
			if !stmt.ColumnIsNull(1) {
				head.Checkpoint = column(stmt, 1)
			}
			first = false
		}
		if !stmt.ColumnIsNull(2) {
			head.Open = append(head.Open, audit.Opened{Seq: stmt.ColumnInt64(2), Correlation: stmt.ColumnText(3)})
		}
		return true
	})
	return head, err
}

// Rows implements audit.Reader.
func (r *ReadOnly) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		const query = "SELECT seq, leaf, hashes, sealed FROM entries LEFT JOIN content USING (seq) WHERE seq >= ? AND seq < ? ORDER BY seq"
		err := r.query(ctx, query, []int64{from, to}, func(stmt *sqlite.Stmt) bool {
			row := audit.Row{
				Seq:    stmt.ColumnInt64(0),
				Leaf:   column(stmt, 1),
				Hashes: splitHashes(column(stmt, 2)),
			}
			if !stmt.ColumnIsNull(3) {
				row.Sealed = column(stmt, 3)
			}
			return yield(row, nil)
		})
		if err != nil {
			yield(audit.Row{}, err)
		}
	}
}

// Hashes implements audit.Reader.
func (r *ReadOnly) Hashes(ctx context.Context, seqs []int64) ([][]tlog.Hash, error) {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	all := make([][]tlog.Hash, len(seqs))
	for i, seq := range seqs {
		found := false
		err := run(conn, "SELECT hashes FROM entries WHERE seq = ?", []int64{seq}, func(stmt *sqlite.Stmt) bool {
			all[i], found = splitHashes(column(stmt, 0)), true
			return true
		})
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, audit.NoEntry(seq)
		}
	}
	return all, nil
}

// query calls row for each row of the result until it returns false.
func (r *ReadOnly) query(ctx context.Context, query string, args []int64, row func(*sqlite.Stmt) bool) error {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	return run(conn, query, args, row)
}

// run calls row for each row of the result until it returns false.
func run(conn *sqlite.Conn, query string, args []int64, row func(*sqlite.Stmt) bool) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return fmt.Errorf("audit store: %w", err)
	}
	defer stmt.Reset()
	for i, arg := range args {
		stmt.BindInt64(i+1, arg)
	}
	return step(stmt, row)
}

// step calls row for each row of a statement whose parameters are bound, until it
// returns false.
func step(stmt *sqlite.Stmt, row func(*sqlite.Stmt) bool) error {
	for {
		found, err := stmt.Step()
		if err != nil {
			return fmt.Errorf("audit store: %w", err)
		}
		if !found || !row(stmt) {
			return nil
		}
	}
}

func column(stmt *sqlite.Stmt, i int) []byte {
	b := make([]byte, stmt.ColumnLen(i))
	stmt.ColumnBytes(i, b)
	return b
}
