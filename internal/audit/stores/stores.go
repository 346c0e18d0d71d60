// Package stores opens the store of an audit log, of whichever kind the configuration
// names.
package stores

import (
	"context"
	"io"
	"os"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
)

// Store is a store that is closed after its log.
type Store interface {
	audit.Store
	io.Closer
}

// Reader is a store for reading.
type Reader interface {
	audit.Reader
	io.Closer
}

// Open opens a store for the provider, and makes it if it is not there. An SQLite
// store is refused while another provider has it open; in PostgreSQL the name of the
// instance is taken over from whoever has it.
func Open(ctx context.Context, c config.Store) (Store, error) {
	if c.Postgres != "" {
		return postgres.Open(ctx, c.Postgres, c.Instance)
	}
	return sqlite.Open(c.Database)
}

// Make opens a store for a copy of a log, and makes it if it is not there. An SQLite
// store is refused while another process has it open; in PostgreSQL no instance loses
// its name.
func Make(ctx context.Context, c config.Store) (Store, error) {
	if c.Postgres != "" {
		return postgres.Make(ctx, c.Postgres)
	}
	info, err := os.Stat(c.Database)
	if err == nil && info.Size() > 0 { // to open it for writing would change it, whatever it is
		is, err := sqlite.OpenReadOnly(c.Database)
		if err != nil {
			return nil, err
		}
		err = is.Close()
		if err != nil {
			return nil, err
		}
	}
	return sqlite.Open(c.Database)
}

// Join opens a store that is there, for a few entries beside a provider that may be
// running. It waits for the other until ctx ends.
func Join(ctx context.Context, c config.Store) (Store, error) {
	if c.Postgres != "" {
		return postgres.Join(ctx, c.Postgres)
	}
	return sqlite.Join(ctx, c.Database)
}

// Read opens a store for reading.
func Read(ctx context.Context, c config.Store) (Reader, error) {
	if c.Postgres != "" {
		return postgres.OpenReadOnly(ctx, c.Postgres)
	}
	return sqlite.OpenReadOnly(c.Database)
}
