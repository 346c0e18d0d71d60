// Package postgres keeps an audit log in a PostgreSQL database, to which several
// instances of the provider write at once.
//
// Every commit is one transaction that first locks the head, for which the others wait
// in the order in which they came, and then adds what its writer makes of the state
// that it finds. Only plain features are used: tables, primary keys and row locks.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	writers = 3 // connections for commits, one at a time, and what goes before them
	readers = 4 // connections for searches

	writeTime  = 10 * time.Second // for a statement of a commit
	readTime   = time.Minute      // for a statement of a search
	silentTime = 5 * time.Second  // for which a transaction may lie idle
)

// ErrFenced means that another process has taken over the name of this instance.
var ErrFenced = errors.New("another process has taken over the name of this instance; give each replica an audit.instance of its own, and restart this one")

// Store is an audit.Store.
type Store struct {
	ReadOnly
	writers  *pgxpool.Pool
	instance string // "" in a store that was joined
	run      uuid.UUID
	fenced   atomic.Bool

	committing chan struct{} // holds one while a commit is under way
}

// Open opens the database at a connection URL for the instance of a name, and makes
// the tables if they are not there. Whoever opened it under the same name before can
// commit nothing more.
func Open(ctx context.Context, url, instance string) (*Store, error) {
	if instance == "" {
		return nil, errors.New("audit store: an instance needs a name")
	}
	s, err := Make(ctx, url)
	if err != nil {
		return nil, err
	}
	s.instance, s.run = instance, uuid.New()
	_, err = s.writers.Exec(ctx, "INSERT INTO instances (name, run) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET run = excluded.run", instance, s.run)
	if err != nil {
		return nil, errors.Join(failed(err), s.Close())
	}
	return s, nil
}

// Make opens a database for writing as Join does, and makes the tables if they are not
// there.
func Make(ctx context.Context, url string) (*Store, error) {
	config, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	err = create(ctx, config.ConnConfig)
	if err != nil {
		return nil, failed(err)
	}
	return open(ctx, url)
}

// Join opens a database that holds a log for writing, beside the instances that have
// it open.
func Join(ctx context.Context, url string) (*Store, error) { return open(ctx, url) }

func open(ctx context.Context, url string) (*Store, error) {
	reading, err := openPool(ctx, url, readers, readTime, checkSchema)
	if err != nil {
		return nil, err
	}
	writing, err := openPool(ctx, url, writers, writeTime, func(ctx context.Context, conn *pgx.Conn) error {
		err := checkDurable(ctx, conn)
		if err != nil {
			return err
		}
		return checkSchema(ctx, conn)
	})
	if err != nil {
		reading.Close()
		return nil, err
	}
	return &Store{
		ReadOnly:   ReadOnly{short: writing, long: reading},
		writers:    writing,
		committing: make(chan struct{}, 1),
	}, nil
}

// openPool opens at most size connections, each of which is checked, and tries one.
func openPool(ctx context.Context, url string, size int32, statement time.Duration, check func(context.Context, *pgx.Conn) error) (*pgxpool.Pool, error) {
	config, err := Pool(url, size, statement)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	config.AfterConnect = check
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err = pool.Ping(ctx)
	if err != nil {
		pool.Close()
		return nil, failed(err)
	}
	return pool, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	s.writers.Close()
	return s.ReadOnly.Close()
}

func failed(err error) error { return fmt.Errorf("audit store: %w", err) }

// conflict reports whether a transaction was rolled back for another's sake, so that
// it has written nothing and may be tried again.
func conflict(code string) bool { return code == "40001" || code == "40P01" }

func isConflict(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && conflict(refused.Code)
}
