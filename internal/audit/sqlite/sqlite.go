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
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
)

const (
	applicationID = 0x57415244 // "WARD"

	readers = 4 // connections for reading
)

// Store is an audit.Store.
type Store struct {
	ReadOnly
	lock *os.File // nil in a store that was joined

	turn   chan struct{} // holds one while somebody uses what follows
	writer *sqlite.Conn  // nil after a failure: the next commit begins afresh
	traces bool          // what was removed is still to be found in the write-ahead log
	wiped  time.Time     // when that was last tried
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
	s := &Store{lock: held, turn: make(chan struct{}, 1)}
	s.path = path
	err = create(path)
	if err == nil {
		err = s.open(context.Background(), bringUp) // nobody else writes
	}
	if err == nil {
		err = settle(s.writer)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// settle copies the write-ahead log into the database and synchronises that. An
// earlier process may have written what it then could not synchronise, so what is read
// now may not be on the disc, and a system that failed to write it once does not try
// again by itself. Whatever is added next must not stand on that. Who reads an older
// state just now is not waited for, and keeps what came after it from being copied.
func settle(conn *sqlite.Conn) error {
	return sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(PASSIVE)", nil)
}

// Join opens a database that is there for writing, beside the process that has it
// open, if one has. Each commit is made on what the store then holds, so that neither
// disturbs the other; but who joins must not take the questions that are open for
// abandoned. A database of an earlier version is refused: to bring it up to date would
// stop a provider of that version which has it open. A lock that the other holds is
// waited for until ctx ends.
func Join(ctx context.Context, path string) (*Store, error) {
	_, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	s := &Store{turn: make(chan struct{}, 1)}
	s.path = path
	err = s.open(ctx, current)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// open opens the connections, once one that writes has made sure that the database is
// what it should be.
func (s *Store) open(ctx context.Context, ensure func(*sqlite.Conn) error) (err error) {
	s.writer, err = openWriter(s.path)
	if err != nil {
		return err
	}
	s.writer.SetInterrupt(ctx.Done())
	err = ensure(s.writer)
	if err == nil {
		// Once more, since of a database that was empty SQLite believes that it is in
		// WAL mode even if that could not be written.
		err = inWAL(s.writer)
	}
	s.writer.SetInterrupt(nil)
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
	err = inWAL(conn)
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "PRAGMA synchronous = FULL", nil)
	}
	if err == nil {
		// 16 MiB: the last pages change with every commit, and each transfer to the
		// database costs two more synchronisations.
		err = sqlitex.ExecuteTransient(conn, "PRAGMA wal_autocheckpoint = 4096", nil)
	}
	if err == nil {
		// What is deleted is overwritten, always: an insertion moves what is to be
		// removed one day, too.
		err = sqlitex.ExecuteTransient(conn, "PRAGMA secure_delete = ON", nil)
	}
	if err == nil {
		// Bounds what a spike leaves behind in the write-ahead log.
		err = sqlitex.ExecuteTransient(conn, "PRAGMA journal_size_limit = 67108864", nil)
	}
	if err == nil {
		err = holdMemory(conn)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// scratch is within the class of sizes, from 8 to 16 KiB, to which what SQLite needs to
// part a full page belongs.
const scratch = 12 << 10

// holdMemory keeps a block of that size in use as long as the connection is open, as the
// argument of a statement that never runs. The allocator unmaps its memory as soon as no
// block of a class is in use, and maps it anew for the next: without this, several times
// for each entry, which took more than half as long as all else.
func holdMemory(conn *sqlite.Conn) error {
	stmt, err := conn.Prepare("SELECT ?")
	if err != nil {
		return err
	}
	stmt.BindBytes(1, make([]byte, scratch))
	return nil
}

// inWAL refuses a database that was not brought into WAL mode: SQLite goes on in the
// mode of before, in which a loss of power may take a commit back, and a disturbed one
// locks readers out.
func inWAL(conn *sqlite.Conn) error {
	var mode string
	err := sqlitex.ExecuteTransient(conn, "PRAGMA journal_mode", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			mode = stmt.ColumnText(0)
			return nil
		},
	})
	if err == nil && mode != "wal" {
		err = fmt.Errorf("it cannot be brought into WAL mode (it is in mode %q); end what else has it open, see to its disc, and start again", mode)
	}
	return err
}

// Close closes the database and gives up the right to write it.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer s.pass()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.pool != nil {
		err = s.pool.Close()
	}
	if s.traces {
		err = errors.Join(err, s.lastWipe())
	}
	if s.writer != nil {
		err = errors.Join(err, s.writer.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// take waits for the turn to use the writing connection, and makes sure that there is
// one.
func (s *Store) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("audit store: %w", ctx.Err())
	}
	err := s.ready()
	if err != nil {
		s.pass()
		return fmt.Errorf("audit store: %w", err)
	}
	return nil
}

// pass ends a turn.
func (s *Store) pass() { <-s.turn }

// ready makes a new writing connection after a failure.
func (s *Store) ready() error {
	if s.closed {
		return errors.New("closed")
	}
	if s.writer != nil {
		return nil
	}
	var err error
	s.writer, err = openWriter(s.path)
	return err
}

// wipeEvery is how often it is tried again to wipe removed contents out of the
// write-ahead log: while somebody reads for long it cannot be done, and waits a moment.
const wipeEvery = 10 * time.Second

// Commit implements audit.Store. Whoever joined the store waits for its lock, which
// SQLite gives to no one in particular.
func (s *Store) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.pass()
	s.writer.SetInterrupt(ctx.Done())
	size, err := begin(s.writer)
	if err != nil {
		return s.giveUp(err)
	}
	g, err := compose(turn{s.writer, size})
	if err == nil {
		err = g.Follows(size)
	}
	if err != nil {
		return s.rollBack(err)
	}
	err = add(s.writer, g)
	if err != nil {
		return s.giveUp(err)
	}
	s.writer.SetInterrupt(nil)
	s.traces = s.traces || len(g.Removals) > 0
	if len(g.Removals) > 0 || s.traces && time.Since(s.wiped) > wipeEvery {
		s.traces, s.wiped = wipe(s.writer) != nil, time.Now()
	}
	return nil
}

// rollBack ends a transaction in which nothing was written.
func (s *Store) rollBack(err error) error {
	s.writer.SetInterrupt(nil)
	failed := execute(s.writer, "ROLLBACK")
	if failed != nil {
		return s.giveUp(errors.Join(err, failed))
	}
	return err
}

// giveUp closes the writing connection after an error, which ends whatever is left
// of a transaction.
func (s *Store) giveUp(err error) error {
	s.writer.SetInterrupt(nil)
	err = errors.Join(err, s.writer.Close())
	s.writer = nil
	return fmt.Errorf("audit store: %w", err)
}

// begin begins a transaction that no other writer can disturb, and returns how many
// entries the store holds.
func begin(conn *sqlite.Conn) (size int64, err error) {
	err = execute(conn, "BEGIN IMMEDIATE")
	if err != nil {
		return 0, err
	}
	return number(conn, sizeQuery)
}

// add adds a group and commits.
func add(conn *sqlite.Conn, g audit.Group) error {
	for _, step := range []func() error{
		func() error { return addRows(conn, g.Rows) },
		func() error { return addTerms(conn, g.Terms) },
		func() error { return addSpans(conn, g.Spans) },
		func() error { return addOpened(conn, g.Opened) },
		func() error { return closeOpened(conn, g.Closed) },
		func() error { return remove(conn, g.Removals) },
		func() error { return claim(conn, g) },
	} {
		err := step()
		if err != nil {
			return err
		}
	}
	err := execute(conn, "INSERT OR REPLACE INTO checkpoint (id, note) VALUES (0, ?)", g.Checkpoint)
	if err != nil {
		return err
	}
	return execute(conn, "COMMIT")
}

func addRows(conn *sqlite.Conn, rows []audit.Row) error {
	var hashes []byte
	err := each(conn, "INSERT INTO entries (seq, leaf, hashes) VALUES (?, ?, ?)", rows, func(stmt *sqlite.Stmt, row audit.Row) {
		hashes = hashes[:0]
		for _, hash := range row.Hashes {
			hashes = append(hashes, hash[:]...)
		}
		stmt.BindInt64(1, row.Seq)
		stmt.BindBytes(2, row.Leaf)
		stmt.BindBytes(3, hashes)
	})
	if err != nil {
		return err
	}
	sealed := slices.DeleteFunc(slices.Clone(rows), func(row audit.Row) bool { return row.Sealed == nil })
	return each(conn, "INSERT INTO content (seq, sealed) VALUES (?, ?)", sealed, func(stmt *sqlite.Stmt, row audit.Row) {
		stmt.BindInt64(1, row.Seq)
		stmt.BindBytes(2, row.Sealed)
	})
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
