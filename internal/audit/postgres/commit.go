package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardsmsp/ward/internal/audit"
)

// Commit implements audit.Store, in two journeys besides those of compose: the first
// waits for the head and locks it, the second adds the group and commits. Once the
// second has begun ctx does not end it, so that its end is in doubt only if the
// connection is lost.
//
// A turn holds one connection. No other commit of this store holds one meanwhile, so
// that compose finds the others to read with.
func (s *Store) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	if s.fenced.Load() {
		return failed(ErrFenced)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	select {
	case s.committing <- struct{}{}:
	case <-ctx.Done():
		return failed(ctx.Err())
	}
	defer func() { <-s.committing }()
	conn, err := s.writers.Acquire(ctx)
	if err != nil {
		return failed(err)
	}
	defer conn.Release() // closes it unless its transaction has ended
	err = s.commit(ctx, conn, compose)
	if err == nil {
		return nil
	}
	if conn.Conn().PgConn().TxStatus() != 'I' && !conn.Conn().IsClosed() {
		_, rolledBack := conn.Exec(ctx, "ROLLBACK")
		if rolledBack != nil {
			conn.Conn().Close(ctx)
		}
	}
	return err
}

func (s *Store) commit(ctx context.Context, conn *pgxpool.Conn, compose func(audit.Turn) (audit.Group, error)) error {
	t, err := s.begin(ctx, conn)
	if errors.Is(err, ErrFenced) {
		s.fenced.Store(true)
	}
	if err != nil {
		return refused(err)
	}
	g, err := compose(t)
	if err == nil {
		err = g.Follows(t.size)
	}
	if err != nil {
		return err
	}
	err = add(ctx, conn, g)
	if err != nil {
		return refused(err)
	}
	return nil
}

// refused says what became of a commit.
func refused(err error) error {
	if isConflict(err) {
		err = fmt.Errorf("%w: %w", audit.ErrConflict, err)
	}
	return failed(err)
}

// begin begins the transaction of a group: with the right to write, which it keeps
// from being taken over until the end, and with the head, for which it waits. The server
// ends the transaction if nothing more comes for silentTime.
func (s *Store) begin(ctx context.Context, conn *pgxpool.Conn) (turn, error) {
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	if s.instance != "" {
		b.Queue("SELECT FROM instances WHERE name = $1 AND run = $2 FOR SHARE", s.instance, s.run)
	}
	b.Queue("SELECT size, note FROM head WHERE id = 0 FOR UPDATE")
	results := conn.SendBatch(ctx, b)
	defer results.Close()
	_, err := results.Exec()
	if err != nil {
		return turn{}, err
	}
	if s.instance != "" {
		held, err := results.Exec()
		if err != nil {
			return turn{}, err
		}
		if held.RowsAffected() == 0 {
			return turn{}, fmt.Errorf("%w (%s)", ErrFenced, s.instance)
		}
	}
	t := turn{conn: conn}
	err = results.QueryRow().Scan(&t.size, &t.note)
	if errors.Is(err, pgx.ErrNoRows) {
		return turn{}, errNoHead
	}
	if err != nil {
		return turn{}, err
	}
	return t, results.Close()
}

// turn is an audit.Turn, within a transaction that has locked the head.
type turn struct {
	conn *pgxpool.Conn
	size int64
	note []byte
}

// Size implements audit.Turn.
func (t turn) Size() int64 { return t.size }

// Checkpoint implements audit.Turn.
func (t turn) Checkpoint(context.Context) ([]byte, error) { return t.note, nil }

// Claimed implements audit.Turn.
func (t turn) Claimed(ctx context.Context, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	wanted := make([][]byte, len(keys))
	for i, key := range keys {
		wanted[i] = key[:]
	}
	rows, err := t.conn.Query(ctx, "SELECT key FROM claims WHERE key = ANY($1)", wanted)
	if err != nil {
		return nil, refused(err)
	}
	claimed := make(map[audit.ClaimKey]bool)
	var key []byte
	_, err = pgx.ForEachRow(rows, []any{&key}, func() error {
		claimed[audit.ClaimKey(key)] = true
		return nil
	})
	if err != nil {
		return nil, refused(err)
	}
	return claimed, nil
}

// add adds a group, moves the head on to its end, and commits.
func add(ctx context.Context, conn *pgxpool.Conn, g audit.Group) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	b := &pgx.Batch{}
	b.Queue("UPDATE head SET size = $1, note = $2 WHERE id = 0 AND size = $3", g.Base+int64(len(g.Rows)), g.Checkpoint, g.Base)
	queueRows(b, g.Rows)
	queueIndex(b, g)
	queueOpen(b, g)
	queueRemovals(b, g.Removals)
	queueClaims(b, g)
	b.Queue("COMMIT")
	results := conn.SendBatch(ctx, b)
	defer results.Close()
	for i := range b.Len() {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if i == 0 && tag.RowsAffected() != 1 {
			return errors.New("the head was not there to be moved, although it was locked: the database was changed")
		}
		if i == b.Len()-1 && tag.String() != "COMMIT" {
			return fmt.Errorf("the server answered COMMIT with %s", tag)
		}
	}
	return results.Close()
}

func queueRows(b *pgx.Batch, rows []audit.Row) {
	if len(rows) == 0 {
		return
	}
	seqs, leaves, hashes := make([]int64, len(rows)), make([][]byte, len(rows)), make([][]byte, len(rows))
	var withContent []int64
	var sealed [][]byte
	for i, row := range rows {
		seqs[i], leaves[i], hashes[i] = row.Seq, row.Leaf, joinHashes(row.Hashes)
		if row.Sealed != nil {
			withContent, sealed = append(withContent, row.Seq), append(sealed, row.Sealed)
		}
	}
	b.Queue("INSERT INTO entries (seq, leaf, hashes) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])", seqs, leaves, hashes)
	if len(sealed) > 0 {
		b.Queue("INSERT INTO content (seq, sealed) SELECT * FROM unnest($1::bigint[], $2::bytea[])", withContent, sealed)
	}
}

// queueIndex adds terms and widens spans.
func queueIndex(b *pgx.Batch, g audit.Group) {
	if len(g.Terms) > 0 {
		blocks, terms, seqs := termColumns(g.Terms)
		b.Queue("INSERT INTO terms (block, term, seq) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])", blocks, terms, seqs)
	}
	for _, span := range g.Spans {
		b.Queue("INSERT INTO spans AS s (span, first, last) VALUES ($1, $2, $3) "+
			"ON CONFLICT (span) DO UPDATE SET first = least(s.first, excluded.first), last = greatest(s.last, excluded.last)",
			span.Number, span.First, span.Last)
	}
}

func termColumns(rows []audit.TermRow) (blocks, terms, seqs []int64) {
	for _, row := range rows {
		blocks, terms, seqs = append(blocks, row.Block()), append(terms, int64(row.Term)), append(seqs, row.Seq)
	}
	return blocks, terms, seqs
}

// queueOpen adds to the open intents, then takes out of them.
func queueOpen(b *pgx.Batch, g audit.Group) {
	if len(g.Opened) > 0 {
		seqs, correlations := openedColumns(g.Opened)
		b.Queue("INSERT INTO opened (seq, correlation) SELECT * FROM unnest($1::bigint[], $2::text[])", seqs, correlations)
	}
	if len(g.Closed) > 0 {
		seqs, correlations := openedColumns(g.Closed)
		b.Queue("DELETE FROM opened o USING unnest($1::bigint[], $2::text[]) AS c (seq, correlation) "+
			"WHERE o.correlation = c.correlation AND o.seq < c.seq", seqs, correlations)
	}
}

func openedColumns(rows []audit.Opened) (seqs []int64, correlations []string) {
	for _, row := range rows {
		seqs, correlations = append(seqs, row.Seq), append(correlations, row.Correlation)
	}
	return seqs, correlations
}

// queueRemovals takes contents and their terms out.
func queueRemovals(b *pgx.Batch, removals []audit.Removal) {
	if len(removals) == 0 {
		return
	}
	var seqs []int64
	var rows []audit.TermRow
	for _, r := range removals {
		seqs = append(seqs, r.Seq)
		for _, term := range r.Terms {
			rows = append(rows, audit.TermRow{Term: term, Seq: r.Seq})
		}
	}
	b.Queue("DELETE FROM content WHERE seq = ANY($1)", seqs)
	blocks, terms, seqs := termColumns(rows)
	b.Queue("DELETE FROM terms t USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r (block, term, seq) "+
		"WHERE t.block = r.block AND t.term = r.term AND t.seq = r.seq", blocks, terms, seqs)
}

// forgotten is how many claims that ended a commit removes besides as many as it
// adds: enough to catch up, few enough not to hold it up.
const forgotten = 16

// queueClaims adds claims, and forgets some that have ended.
func queueClaims(b *pgx.Batch, g audit.Group) {
	if len(g.Claims) == 0 {
		return
	}
	keys, untils := make([][]byte, len(g.Claims)), make([]int64, len(g.Claims))
	for i, claim := range g.Claims {
		keys[i], untils[i] = claim.Key[:], claim.Until
	}
	b.Queue("DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE until < $1 ORDER BY until LIMIT $2)", g.Forget, len(keys)+forgotten)
	b.Queue("INSERT INTO claims (key, until) SELECT * FROM unnest($1::bytea[], $2::bigint[])", keys, untils)
}
