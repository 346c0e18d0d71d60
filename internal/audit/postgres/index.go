package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// blocksAtOnce is how many blocks one statement of a search looks into.
const blocksAtOnce = 256

// Find implements audit.Reader. It asks for some blocks at a time, from the newest.
func (r *ReadOnly) Find(ctx context.Context, all [][]seal.Term, from, to int64, limit int) ([]int64, error) {
	query, args := findQuery(all)
	from = max(from, 0)
	var size int64
	err := r.long.QueryRow(ctx, "SELECT size FROM head WHERE id = 0").Scan(&size)
	if err != nil {
		return nil, failed(err)
	}
	to = min(to, size)
	var found []int64
	for from < to && len(found) < limit {
		oldest := max((to-1)/audit.BlockSize-blocksAtOnce+1, from/audit.BlockSize)
		first := max(from, oldest*audit.BlockSize)
		args[0], args[1], args[2] = first, to, limit-len(found)
		seqs, err := collect(ctx, r, pgx.RowTo[int64], query, args...)
		if err != nil {
			return nil, err
		}
		found = append(found, seqs...)
		to = first
	}
	return found, nil
}

// findQuery is the query for some blocks. Its first three arguments are the limits of
// the sequence numbers, and how many are wanted.
func findQuery(all [][]seal.Term) (query string, args []any) {
	args = make([]any, 3)
	var b strings.Builder
	fmt.Fprintf(&b, `SELECT f.seq FROM generate_series($1::bigint / %d, ($2::bigint - 1) / %d) AS b (block),
		LATERAL (SELECT DISTINCT t.seq FROM terms t WHERE t.block = b.block AND t.seq >= $1 AND t.seq < $2`, audit.BlockSize, audit.BlockSize)
	for i, terms := range all {
		args = append(args, termNumbers(terms))
		if i == 0 {
			fmt.Fprintf(&b, " AND t.term = ANY($%d)", len(args))
		} else {
			fmt.Fprintf(&b, " AND EXISTS (SELECT FROM terms o WHERE o.block = b.block AND o.seq = t.seq AND o.term = ANY($%d))", len(args))
		}
	}
	b.WriteString(" ORDER BY t.seq DESC LIMIT $3) f ORDER BY f.seq DESC LIMIT $3")
	return b.String(), args
}

func termNumbers(terms []seal.Term) []int64 {
	numbers := make([]int64, len(terms))
	for i, term := range terms {
		numbers[i] = int64(term)
	}
	return numbers
}

// Terms implements audit.Reader.
func (r *ReadOnly) Terms(ctx context.Context, block int64) ([]audit.TermRow, error) {
	return collect(ctx, r, func(row pgx.CollectableRow) (t audit.TermRow, err error) {
		err = row.Scan((*int64)(&t.Term), &t.Seq)
		return t, err
	}, "SELECT term, seq FROM terms WHERE block = $1 ORDER BY term, seq", block)
}

// Spans implements audit.Reader.
func (r *ReadOnly) Spans(ctx context.Context, since, until int64) ([]audit.Span, error) {
	return collect(ctx, r, func(row pgx.CollectableRow) (s audit.Span, err error) {
		err = row.Scan(&s.Number, &s.First, &s.Last)
		return s, err
	}, "SELECT span, first, last FROM spans WHERE last >= $1 AND first < $2 ORDER BY span", since, until)
}

// Hashes implements audit.Reader.
func (r *ReadOnly) Hashes(ctx context.Context, seqs []int64) ([][]tlog.Hash, error) {
	type stored struct {
		seq    int64
		hashes []byte
	}
	rows, err := collect(ctx, r, func(row pgx.CollectableRow) (s stored, err error) {
		err = row.Scan(&s.seq, &s.hashes)
		return s, err
	}, "SELECT seq, hashes FROM entries WHERE seq = ANY($1)", seqs)
	if err != nil {
		return nil, err
	}
	all := make([][]tlog.Hash, len(seqs))
	for i, seq := range seqs {
		at := slices.IndexFunc(rows, func(s stored) bool { return s.seq == seq })
		if at < 0 {
			return nil, audit.NoEntry(seq)
		}
		all[i] = splitHashes(rows[at].hashes)
	}
	return all, nil
}

// Claims implements audit.Reader. There are about as many as questions of an hour and
// more, so they are read at once.
func (r *ReadOnly) Claims(ctx context.Context, after audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	return func(yield func(audit.ClaimRow, error) bool) {
		for {
			page, err := collect(ctx, r, func(row pgx.CollectableRow) (c audit.ClaimRow, err error) {
				var key []byte
				err = row.Scan(&key, &c.Until)
				copy(c.Key[:], key)
				return c, err
			}, "SELECT key, until FROM claims WHERE key > $1 ORDER BY key LIMIT $2", after[:], claimsAPage)
			if err != nil {
				yield(audit.ClaimRow{}, err)
				return
			}
			for _, claim := range page {
				if !yield(claim, nil) {
					return
				}
			}
			if len(page) < claimsAPage {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}

// claimsAPage bounds what is read of the claims at a time.
const claimsAPage = 4096

// collect reads all rows of a query, nil if there are none.
func collect[T any](ctx context.Context, r *ReadOnly, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rows, err := r.long.Query(ctx, query, args...)
	if err != nil {
		return nil, failed(err)
	}
	all, err := pgx.AppendRows([]T(nil), rows, scan)
	if err != nil {
		return nil, failed(err)
	}
	return all, nil
}
