package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// How long one attempt to empty the write-ahead log waits for those who read: nothing
// can be written meanwhile. At the end there is time for several attempts.
const (
	wipePatience = 200 * time.Millisecond
	lastAttempts = 10
)

var errTraces = errors.New("what was removed from the audit log is gone from the database, but copies may remain in its " +
	"write-ahead log, since somebody has been reading all the time: they go when the log is next written without a reader")

// wipe empties the write-ahead log, which holds the pages of before a removal.
func wipe(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(wipePatience)
	defer conn.SetBlockOnBusy()
	busy := true
	err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			busy = stmt.ColumnBool(0)
			return nil
		},
	})
	if err == nil && busy {
		err = errTraces
	}
	return err
}

// lastWipe empties the write-ahead log before the store is closed.
func (s *Store) lastWipe() error {
	if s.writer == nil {
		return errTraces // the connection failed since
	}
	err := wipe(s.writer)
	for attempt := 1; err != nil && attempt < lastAttempts; attempt++ {
		time.Sleep(wipePatience)
		err = wipe(s.writer)
	}
	return err
}

// Compact writes the database anew. SQLite overwrites what is deleted, but where it
// joins half-empty pages it may leave a copy of a row in a part of a page that it no
// longer uses, so that a row which is removed later can still be found there. Nothing
// else can be written meanwhile, and there must be room for the database twice more.
func (s *Store) Compact(ctx context.Context) error {
	err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.pass()
	s.writer.SetInterrupt(ctx.Done())
	err = execute(s.writer, "VACUUM")
	s.writer.SetInterrupt(nil)
	if err != nil {
		return s.giveUp(err)
	}
	s.traces = wipe(s.writer) != nil
	return nil
}
