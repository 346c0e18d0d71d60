package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/wardsmsp/ward/internal/audit"
)

// forgotten is how many claims that ended a commit removes besides as many as it
// adds: enough to catch up, few enough not to hold it up.
const forgotten = 16

// claim adds the claims of a group, and forgets some that have ended.
func claim(conn *sqlite.Conn, g audit.Group) error {
	if len(g.Claims) == 0 {
		return nil
	}
	err := each(conn, "INSERT INTO claims (key, until) VALUES (?, ?)", g.Claims, func(stmt *sqlite.Stmt, c audit.ClaimRow) {
		stmt.BindBytes(1, c.Key[:])
		stmt.BindInt64(2, c.Until)
	})
	if err != nil {
		return err
	}
	return execute(conn, "DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE until < ? ORDER BY until LIMIT ?)",
		g.Forget, len(g.Claims)+forgotten)
}

// Claimed implements audit.Store. It reads over the connection that writes, so that
// readers of the log cannot hold up the questions.
func (s *Store) Claimed(ctx context.Context, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.ready()
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	s.writer.SetInterrupt(ctx.Done())
	claimed, err := findClaims(s.writer, keys)
	s.writer.SetInterrupt(nil)
	if err != nil {
		return nil, s.giveUp(err)
	}
	return claimed, nil
}

func findClaims(conn *sqlite.Conn, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	stmt, err := conn.Prepare("SELECT 1 FROM claims WHERE key = ?")
	if err != nil {
		return nil, err
	}
	claimed := make(map[audit.ClaimKey]bool)
	for _, key := range keys {
		stmt.BindBytes(1, key[:])
		found, err := stmt.Step()
		if err != nil {
			return nil, err
		}
		if found {
			claimed[key] = true
		}
		err = stmt.Reset()
		if err != nil {
			return nil, err
		}
	}
	return claimed, nil
}
