package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
)

// ReadOnly is an audit.Reader of a database that may be in use by others.
type ReadOnly struct {
	short *pgxpool.Pool // for what takes a moment, so that searches cannot hold up the questions
	long  *pgxpool.Pool
}

// OpenReadOnly opens the database at a connection URL for reading. Its role needs no
// more than the right to read the tables.
func OpenReadOnly(ctx context.Context, url string) (*ReadOnly, error) {
	pool, err := openPool(ctx, url, readers, readTime, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET default_transaction_read_only = on")
		if err != nil {
			return err
		}
		return checkSchema(ctx, conn)
	})
	if err != nil {
		return nil, err
	}
	return &ReadOnly{short: pool, long: pool}, nil
}

// Close closes the connections.
func (r *ReadOnly) Close() error {
	r.long.Close()
	return nil
}

// headQuery reads all of the head in one statement, so in one state of the database.
const headQuery = `SELECT size, note, (SELECT coalesce(max(seq), -1) + 1 FROM entries),
	(SELECT array_agg(seq ORDER BY seq) FROM opened), (SELECT array_agg(correlation ORDER BY seq) FROM opened)
	FROM head WHERE id = 0`

var errNoHead = errors.New("its head is missing: the database was changed")

// Head implements audit.Reader.
func (r *ReadOnly) Head(ctx context.Context) (audit.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	var head audit.Head
	var stored int64
	var seqs []int64
	var correlations []string
	err := r.short.QueryRow(ctx, headQuery).Scan(&head.Size, &head.Checkpoint, &stored, &seqs, &correlations)
	if errors.Is(err, pgx.ErrNoRows) {
		return audit.Head{}, failed(errNoHead)
	}
	if err != nil {
		return audit.Head{}, failed(err)
	}
	if head.Size != stored {
		return audit.Head{}, fmt.Errorf("audit store: it holds %d entries where its head says %d: it was changed", stored, head.Size)
	}
	for i, seq := range seqs {
		head.Open = append(head.Open, audit.Opened{Seq: seq, Correlation: correlations[i]})
	}
	return head, nil
}

// Rows are read a page at a time, and no connection is held while they are looked at.
// A page is as large as fits the memory that it may take, which the size of those
// before it tells.
const (
	firstPage = 32
	maxPage   = 512     // rows
	pageBytes = 1 << 20 // after which a page ends early
)

// Rows implements audit.Reader.
func (r *ReadOnly) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		for limit := firstPage; from < to; {
			page, whole, err := r.page(ctx, from, to, limit)
			if err != nil {
				yield(audit.Row{}, failed(err))
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if whole && len(page) < limit {
				return
			}
			from = page[len(page)-1].Seq + 1
			if whole {
				limit = min(2*limit, maxPage)
			} else {
				limit = len(page)
			}
		}
	}
}

// page reads at most limit rows. It is not whole if it ended early.
func (r *ReadOnly) page(ctx context.Context, from, to int64, limit int) (page []audit.Row, whole bool, err error) {
	const query = "SELECT seq, leaf, hashes, sealed FROM entries LEFT JOIN content USING (seq) WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3"
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rows, err := r.short.Query(ctx, query, from, to, limit)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	size := 0
	for size < pageBytes && rows.Next() {
		var row audit.Row
		var hashes []byte
		err := rows.Scan(&row.Seq, &row.Leaf, &hashes, &row.Sealed)
		if err != nil {
			return nil, false, err
		}
		row.Hashes = splitHashes(hashes)
		page = append(page, row)
		size += len(row.Leaf) + len(row.Sealed)
	}
	rows.Close()
	return page, size < pageBytes, rows.Err()
}

func joinHashes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, hash := range hashes {
		b = append(b, hash[:]...)
	}
	return b
}

// splitHashes reads the concatenated hashes of a row. Bytes that are not whole
// hashes are none, which no row of a log has.
func splitHashes(b []byte) []tlog.Hash {
	if len(b) == 0 || len(b)%tlog.HashSize != 0 {
		return nil
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}
