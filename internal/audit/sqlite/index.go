package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// blocksAtOnce is how many blocks one statement of a search looks into, at most.
const blocksAtOnce = 64

// Find implements audit.Reader. It asks block by block, from the newest, and for more
// and more blocks at once: a frequent term is found in the first, a rare one in few.
func (r *ReadOnly) Find(ctx context.Context, all [][]seal.Term, from, to int64, limit int) ([]int64, error) {
	conn, err := r.pool.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	defer r.pool.Put(conn)
	size, err := number(conn, sizeQuery)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	from, to = max(from, 0), min(to, size)
	query, args := findQuery(all)
	var found []int64
	for blocks := int64(1); from < to && len(found) < limit; blocks = min(2*blocks, blocksAtOnce) {
		newest := (to - 1) / audit.BlockSize
		oldest := max(newest-blocks+1, from/audit.BlockSize)
		first := max(from, oldest*audit.BlockSize)
		args[0], args[1], args[2], args[3], args[4] = newest, oldest, first, to, int64(limit-len(found))
		err := run(conn, query, args, func(stmt *sqlite.Stmt) bool {
			found = append(found, stmt.ColumnInt64(0))
			return true
		})
		if err != nil {
			return nil, err
		}
		to = first
	}
	return found, nil
}

// findQuery is the query for some blocks. Its first arguments are the newest and the
// oldest of them, the limits of the sequence numbers, and how many are wanted.
func findQuery(all [][]seal.Term) (query string, args []int64) {
	var b strings.Builder
	args = make([]int64, 5, 8)
	b.WriteString("WITH RECURSIVE b (n) AS (SELECT ?1 UNION ALL SELECT n - 1 FROM b WHERE n > ?2) " +
		"SELECT DISTINCT t.seq FROM b CROSS JOIN terms t WHERE t.block = b.n AND t.seq >= ?3 AND t.seq < ?4")
	for i, any := range all {
		if i == 0 {
			b.WriteString(" AND t.term IN (")
		} else {
			b.WriteString(" AND EXISTS (SELECT 1 FROM terms o WHERE o.block = b.n AND o.seq = t.seq AND o.term IN (")
		}
		for j, term := range any {
			if j > 0 {
				b.WriteByte(',')
			}
			args = append(args, int64(term))
			fmt.Fprintf(&b, "?%d", len(args))
		}
		b.WriteByte(')')
		if i > 0 {
			b.WriteByte(')')
		}
	}
	b.WriteString(" ORDER BY t.seq DESC LIMIT ?5")
	return b.String(), args
}

// Terms implements audit.Reader.
func (r *ReadOnly) Terms(ctx context.Context, block int64) ([]audit.TermRow, error) {
	var terms []audit.TermRow
	err := r.query(ctx, "SELECT term, seq FROM terms WHERE block = ? ORDER BY term, seq", []int64{block}, func(stmt *sqlite.Stmt) bool {
		if len(terms) == cap(terms) { // a block has some 280,000: growing by less than double would copy them five times
			terms = slices.Grow(terms, max(256, len(terms)))
		}
		terms = append(terms, audit.TermRow{Term: seal.Term(stmt.ColumnInt64(0)), Seq: stmt.ColumnInt64(1)})
		return true
	})
	return terms, err
}

// Spans implements audit.Reader.
func (r *ReadOnly) Spans(ctx context.Context, since, until int64) ([]audit.Span, error) {
	var spans []audit.Span
	const query = "SELECT span, first, last FROM spans WHERE last >= ? AND first < ? ORDER BY span"
	err := r.query(ctx, query, []int64{since, until}, func(stmt *sqlite.Stmt) bool {
		spans = append(spans, audit.Span{Number: stmt.ColumnInt64(0), First: stmt.ColumnInt64(1), Last: stmt.ColumnInt64(2)})
		return true
	})
	return spans, err
}

func addTerms(conn *sqlite.Conn, terms []audit.TermRow) error {
	return each(conn, "INSERT INTO terms (block, term, seq) VALUES (?, ?, ?)", terms, func(stmt *sqlite.Stmt, t audit.TermRow) {
		stmt.BindInt64(1, t.Block())
		stmt.BindInt64(2, int64(t.Term))
		stmt.BindInt64(3, t.Seq)
	})
}

func addSpans(conn *sqlite.Conn, spans []audit.Span) error {
	const query = "INSERT INTO spans (span, first, last) VALUES (?, ?, ?) " +
		"ON CONFLICT (span) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)"
	return each(conn, query, spans, func(stmt *sqlite.Stmt, s audit.Span) {
		stmt.BindInt64(1, s.Number)
		stmt.BindInt64(2, s.First)
		stmt.BindInt64(3, s.Last)
	})
}

func addOpened(conn *sqlite.Conn, opened []audit.Opened) error {
	return each(conn, "INSERT INTO opened (seq, correlation) VALUES (?, ?)", opened, func(stmt *sqlite.Stmt, o audit.Opened) {
		stmt.BindInt64(1, o.Seq)
		stmt.BindText(2, o.Correlation)
	})
}

func closeOpened(conn *sqlite.Conn, closed []audit.Opened) error {
	return each(conn, "DELETE FROM opened WHERE correlation = ? AND seq < ?", closed, func(stmt *sqlite.Stmt, c audit.Opened) {
		stmt.BindText(1, c.Correlation)
		stmt.BindInt64(2, c.Seq)
	})
}

// remove takes contents and their terms out. What they occupied is overwritten.
func remove(conn *sqlite.Conn, removals []audit.Removal) error {
	if len(removals) == 0 {
		return nil
	}
	var terms []audit.TermRow
	for _, r := range removals {
		for _, term := range r.Terms {
			terms = append(terms, audit.TermRow{Term: term, Seq: r.Seq})
		}
	}
	err := each(conn, "DELETE FROM content WHERE seq = ?", removals, func(stmt *sqlite.Stmt, r audit.Removal) {
		stmt.BindInt64(1, r.Seq)
	})
	if err != nil {
		return err
	}
	return each(conn, "DELETE FROM terms WHERE block = ? AND term = ? AND seq = ?", terms, func(stmt *sqlite.Stmt, t audit.TermRow) {
		stmt.BindInt64(1, t.Block())
		stmt.BindInt64(2, int64(t.Term))
		stmt.BindInt64(3, t.Seq)
	})
}

// each runs a statement that returns no rows once for each item.
func each[T any](conn *sqlite.Conn, query string, items []T, bind func(*sqlite.Stmt, T)) error {
	if len(items) == 0 {
		return nil
	}
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	for _, item := range items {
		bind(stmt, item)
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
