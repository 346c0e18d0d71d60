package postgres

import (
	"context"

	"github.com/wardsmsp/ward/internal/audit"
)

// Setting is a setting of the server as it is for a commit.
func Setting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.writers.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// HoldHead begins a commit and goes silent, until the store is closed.
func HoldHead(ctx context.Context, s *Store) error {
	conn, err := s.writers.Acquire(ctx)
	if err != nil {
		return err
	}
	err = s.moveHead(ctx, conn, audit.Group{})
	context.AfterFunc(ctx, conn.Release)
	return err
}
