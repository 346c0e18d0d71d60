// Package sqlite keeps an audit log in an SQLite database.
//
// The database is in WAL mode with synchronous=FULL, so a commit returns after
// the write-ahead log is on stable storage. One process writes; any number may
// read meanwhile.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/wardsmsp/ward/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// schema is kept in the database word for word, and a database with any other
// is refused: a trigger or a view could make it do something else.
var schema = [...]string{
	"CREATE TABLE entries (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL) STRICT",
	"CREATE TABLE open_intents (seq INTEGER PRIMARY KEY) STRICT",
	"CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), note BLOB NOT NULL) STRICT",
}

const (
	applicationID = 0x57415244 // "WARD"
	version       = 1          // of the schema

	readers = 4 // connections for reading
)

// Store is an audit.Store.
type Store struct {
	ReadOnly
	lock *os.File

	mu     sync.Mutex
	writer *sqlite.Conn // nil after a failure: the next commit begins afresh
	closed bool
}

// Open opens the database at path for writing, and makes it if it is not there.
// It is an error if it is already open for writing: a lock on the file
// path + ".lock", which ends with the process, sees to that.
func Open(path string) (*Store, error) {
	held, err := lock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: held}
	s.path = path
	err = s.open()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit store %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	err := create(s.path)
	if err != nil {
		return err
	}
	s.writer, err = openWriter(s.path)
	if err != nil {
		return err
	}
	err = initialise(s.writer)
	if err != nil {
		return err
	}
	s.pool, err = openPool(s.path)
	return err
}

// create makes an empty file that only its owner can read, if none is there,
// and its name durable.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Close()
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func openWriter(path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	err = sqlitex.ExecuteTransient(conn, "PRAGMA synchronous = FULL", nil)
	if err == nil {
		// Bounds what a spike leaves behind in the write-ahead log.
		err = sqlitex.ExecuteTransient(conn, "PRAGMA journal_size_limit = 67108864", nil)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// initialise makes the tables of a new database and refuses one that is not
// ours.
func initialise(conn *sqlite.Conn) error {
	tables, err := sqlitex.ResultInt64(conn.Prep("SELECT count(*) FROM sqlite_schema"))
	if err != nil {
		return err
	}
	if tables > 0 {
		return check(conn)
	}
	script := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	for _, table := range schema {
		script += table + ";"
	}
	return sqlitex.ExecuteScript(conn, script, nil)
}

// check refuses a database that is not an audit store of this version.
func check(conn *sqlite.Conn) error {
	id, err := sqlitex.ResultInt64(conn.Prep("PRAGMA application_id"))
	if err != nil {
		return err
	}
	v, err := sqlitex.ResultInt64(conn.Prep("PRAGMA user_version"))
	if err != nil {
		return err
	}
	if id != applicationID || v != version {
		return fmt.Errorf("it is not an audit store of version %d", version)
	}
	var found []string
	err = sqlitex.Execute(conn, "SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY rowid", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			found = append(found, stmt.ColumnText(0))
			return nil
		},
	})
	if err != nil {
		return err
	}
	if len(found) != len(schema) {
		return errors.New("its schema was changed")
	}
	for i := range schema {
		if found[i] != schema[i] {
			return errors.New("its schema was changed")
		}
	}
	return nil
}

// Close closes the database and gives up the right to write it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.pool != nil {
		err = s.pool.Close()
	}
	if s.writer != nil {
		err = errors.Join(err, s.writer.Close())
	}
	return errors.Join(err, s.lock.Close())
}

// Commit implements audit.Store.
func (s *Store) Commit(ctx context.Context, g audit.Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("audit store: closed")
	}
	if s.writer == nil {
		conn, err := openWriter(s.path)
		if err != nil {
			return fmt.Errorf("audit store: %w", err)
		}
		s.writer = conn
	}
	s.writer.SetInterrupt(ctx.Done())
	err := commit(s.writer, g)
	s.writer.SetInterrupt(nil)
	if err == nil {
		return nil
	}
	if errors.Is(err, audit.ErrMoved) && execute(s.writer, "ROLLBACK") == nil {
		return err
	}
	// Closing the connection ends whatever is left of the transaction.
	err = errors.Join(err, s.writer.Close())
	s.writer = nil
	return fmt.Errorf("audit store: %w", err)
}

func commit(conn *sqlite.Conn, g audit.Group) error {
	err := execute(conn, "BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	size, err := sqlitex.ResultInt64(conn.Prep(sizeQuery))
	if err != nil {
		return err
	}
	if size != g.Base {
		return audit.ErrMoved
	}
	insert := conn.Prep("INSERT INTO entries (seq, leaf, hashes) VALUES (?, ?, ?)")
	var hashes []byte
	for _, row := range g.Rows {
		hashes = hashes[:0]
		for _, hash := range row.Hashes {
			hashes = append(hashes, hash[:]...)
		}
		insert.BindInt64(1, row.Seq)
		insert.BindBytes(2, row.Leaf)
		insert.BindBytes(3, hashes)
		err := run(insert)
		if err != nil {
			return err
		}
	}
	err = each(conn.Prep("INSERT INTO open_intents (seq) VALUES (?)"), g.Opened)
	if err != nil {
		return err
	}
	err = each(conn.Prep("DELETE FROM open_intents WHERE seq = ?"), g.Closed)
	if err != nil {
		return err
	}
	replace := conn.Prep("INSERT OR REPLACE INTO checkpoint (id, note) VALUES (0, ?)")
	replace.BindBytes(1, g.Checkpoint)
	err = run(replace)
	if err != nil {
		return err
	}
	return execute(conn, "COMMIT")
}

func execute(conn *sqlite.Conn, query string) error { return run(conn.Prep(query)) }

func each(stmt *sqlite.Stmt, seqs []int64) error {
	for _, seq := range seqs {
		stmt.BindInt64(1, seq)
		err := run(stmt)
		if err != nil {
			return err
		}
	}
	return nil
}

// run executes a statement that returns no rows.
func run(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	return errors.Join(err, stmt.Reset())
}

// splitHashes reads the concatenated hashes of a row. Bytes that are not whole
// hashes are none, which no row of a log has.
func splitHashes(b []byte) []tlog.Hash {
	if len(b)%tlog.HashSize != 0 {
		return nil
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}
