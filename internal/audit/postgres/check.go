package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/audit"
)

// orphan is a query for the number of something in a table that belongs to no entry,
// NULL if there is none.
type orphan struct {
	table string
	each  int64 // entries that share one such number
	query string
	args  []any
}

// orphans are the queries for a log of some size. Each looks at an end of a primary
// key, into one block of terms, or at a table that is small, so that a long log costs
// no more. What lies between the ends is under the number of an entry, where reading
// meets it.
func orphans(size int64) []orphan {
	blocks := (size + audit.BlockSize - 1) / audit.BlockSize
	spans := (size + audit.SpanSize - 1) / audit.SpanSize
	return []orphan{
		{"content", 1, "SELECT min(seq) FROM content WHERE seq < 0", nil},
		{"content", 1, "SELECT min(seq) FROM content WHERE seq >= $1", []any{size}},
		{"terms", 1, "SELECT (SELECT seq FROM terms WHERE block < 0 ORDER BY block, term, seq LIMIT 1)", nil},
		{"terms", 1, "SELECT (SELECT seq FROM terms WHERE block >= $1 ORDER BY block, term, seq LIMIT 1)", []any{blocks}},
		{"terms", 1, "SELECT min(seq) FROM terms WHERE block = $1 AND seq >= $2", []any{blocks - 1, size}},
		// A span that begins at the end of time is one that Spans does not return.
		{"spans", audit.SpanSize, "SELECT min(span) FROM spans WHERE span < 0 OR span >= $1 OR first = $2", []any{spans, int64(math.MaxInt64)}},
		{"opened", 1, "SELECT min(seq) FROM opened WHERE seq < 0 OR seq >= $1", []any{size}},
	}
}

// Check implements audit.Checker. Whether the files of the server are in order is for
// its own tools to say.
func (r *ReadOnly) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	// All of it is of one state.
	tx, err := r.long.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return failed(err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var heads, versions, size int64
	err = tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM head), (SELECT count(*) FROM version), (SELECT size FROM head WHERE id = 0)").Scan(&heads, &versions, &size)
	if err != nil {
		return failed(err)
	}
	if heads != 1 || versions != 1 {
		return fmt.Errorf("audit store: its tables head and version have %d and %d rows, where each has one: the database was changed", heads, versions)
	}
	for _, o := range orphans(size) {
		err := o.look(ctx, tx)
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *orphan) look(ctx context.Context, tx pgx.Tx) error {
	var found *int64
	err := tx.QueryRow(ctx, o.query, o.args...).Scan(&found)
	if err != nil {
		return failed(err)
	}
	if found == nil {
		return nil
	}
	seq := min(max(*found, math.MinInt64/o.each), math.MaxInt64/o.each) * o.each
	return &audit.Mismatch{First: seq, Last: seq, Reason: "is not there, but something in the table " + o.table + " belongs to it"}
}
