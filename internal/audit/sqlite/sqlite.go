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
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
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
		// 16 MiB: the last pages change with every commit, and each transfer to the
		// database costs two more synchronisations.
		err = sqlitex.ExecuteTransient(conn, "PRAGMA wal_autocheckpoint = 4096", nil)
	}
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
	tables, err := number(conn, "SELECT count(*) FROM sqlite_schema")
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
	id, err := number(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	v, err := number(conn, "PRAGMA user_version")
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
	if !slices.Equal(found, schema[:]) {
		return errors.New("its schema was changed")
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
	size, err := number(conn, sizeQuery)
	if err != nil {
		return err
	}
	if size != g.Base {
		return audit.ErrMoved
	}
	err = insert(conn, g.Rows)
	if err != nil {
		return err
	}
	for _, seq := range g.Opened {
		err := execute(conn, "INSERT INTO open_intents (seq) VALUES (?)", seq)
		if err != nil {
			return err
		}
	}
	for _, seq := range g.Closed {
		err := execute(conn, "DELETE FROM open_intents WHERE seq = ?", seq)
		if err != nil {
			return err
		}
	}
	err = execute(conn, "INSERT OR REPLACE INTO checkpoint (id, note) VALUES (0, ?)", g.Checkpoint)
	if err != nil {
		return err
	}
	return execute(conn, "COMMIT")
}

func insert(conn *sqlite.Conn, rows []audit.Row) error {
	stmt, err := conn.Prepare("INSERT INTO entries (seq, leaf, hashes) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	var hashes []byte
	for _, row := range rows {
		hashes = hashes[:0]
		for _, hash := range row.Hashes {
			hashes = append(hashes, hash[:]...)
		}
		stmt.BindInt64(1, row.Seq)
		stmt.BindBytes(2, row.Leaf)
		stmt.BindBytes(3, hashes)
		_, err := stmt.Step()
		if err != nil {
			return err
		}
		err = stmt.Reset()
		if err != nil {
			return err
		}
	}
	return nil
}

// execute runs a statement that returns no rows.
func execute(conn *sqlite.Conn, query string, args ...any) error {
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args})
}

// number runs a query for one number.
func number(conn *sqlite.Conn, query string) (int64, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	return sqlitex.ResultInt64(stmt)
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
