package postgres

import (
	"context"
	"time"
)

// Setting is a setting of the server as it is for a commit.
func Setting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.writers.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// Silent makes the server end the transactions of a store that lie idle for longer than
// some time, over the connections that it has now.
func Silent(ctx context.Context, s *Store, limit time.Duration) error {
	for range writers {
		conn, err := s.writers.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // not before all are there
		_, err = conn.Exec(ctx, "SELECT set_config('idle_in_transaction_session_timeout', $1, false)", milliseconds(limit))
		if err != nil {
			return err
		}
	}
	return nil
}
