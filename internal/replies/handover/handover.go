// Package handover hands replies over between the replicas of a provider, through a
// table in the database of their audit log: the Spine delivers a reply to any of them.
//
// Each question has a row from before its message leaves until some time after its
// end. The database alone decides, by its own clock and the lock on that row, whether
// a reply is in time and the first. Notifications make it fast; what they miss, or
// what the engine does not know of them, is found by looking.
package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/replies"
)

const (
	connections   = 4               // beside the one that listens
	statementTime = 2 * time.Second // for a statement
	pollEvery     = 250 * time.Millisecond
	sweepEvery    = 10 * time.Second
	// sweepAfter is how long after its time a reply that nobody fetched is given up:
	// by then whoever asked has ended, or was ended.
	sweepAfter = 30 * time.Second
	atOnce     = 100 // rows with replies fetched by one statement
)

// Options say which table is used and how.
type Options struct {
	URL      string        // of the database of the audit log
	Instance string        // the name of this replica, for who looks into the table
	Keys     *seal.Keys    // the same in all replicas: replies are sealed with them
	Remember time.Duration // for how long ended questions are remembered
	Logger   *slog.Logger
}

// Table is a replies.Exchange.
type Table struct {
	options Options
	pool    *pgxpool.Pool
	asker   uuid.UUID // names this process
	waiting atomic.Int64
	wake    chan struct{}

	mu sync.Mutex
	// fetching is closed when what is being fetched was given out, nil if nothing is:
	// End finds a reply either in the table or, once that is over, in its room.
	fetching chan struct{}
}

// Open opens the table, and makes it if it is not there. Close must follow.
func Open(ctx context.Context, options Options) (*Table, error) {
	config, err := poolConfig(options.URL)
	if err != nil {
		return nil, failed(err)
	}
	err = create(ctx, config.ConnConfig)
	if err != nil {
		return nil, failed(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failed(err)
	}
	t := &Table{options: options, pool: pool, asker: uuid.New(), wake: make(chan struct{}, 1)}
	err = t.check(ctx)
	if err != nil {
		pool.Close()
		return nil, failed(err)
	}
	return t, nil
}

// Close closes the connections. Run must have ended.
func (t *Table) Close() { t.pool.Close() }

func failed(err error) error { return fmt.Errorf("hand-over of replies: %w", err) }

// Expect implements replies.Exchange. How long the question waits is counted by the
// database, so that the clocks of the replicas do not matter.
func (t *Table) Expect(ctx context.Context, q replies.Question, life time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	_, err := t.pool.Exec(ctx, `INSERT INTO waiting (message_id, asker, instance, correlation, until, answered, ended)
		VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second', false, false)`,
		q.MessageID, t.asker, t.options.Instance, q.Correlation, life.Seconds())
	if err != nil {
		return failed(err)
	}
	t.waiting.Add(1)
	return nil
}

// End implements replies.Exchange.
func (t *Table) End(ctx context.Context, messageID string, answered bool) (replies.Left, bool, error) {
	t.waiting.Add(-1)
	left, err := t.take(ctx, `UPDATE waiting w SET ended = true, answered = w.answered OR $2, reply = NULL
		FROM (SELECT message_id, reply FROM waiting WHERE message_id = $1 FOR UPDATE) o
		WHERE w.message_id = o.message_id RETURNING w.message_id, w.correlation, o.reply`, messageID, answered)
	if err != nil {
		return replies.Left{}, false, err
	}
	if len(left) == 0 {
		t.awaitFetched(ctx)
		return replies.Left{}, false, nil
	}
	return left[0], true, nil
}

// awaitFetched waits until what is not in the table any more, because it was fetched
// just now, is in its room.
func (t *Table) awaitFetched(ctx context.Context) {
	t.mu.Lock()
	fetching := t.fetching
	t.mu.Unlock()
	if fetching == nil {
		return
	}
	select {
	case <-fetching:
	case <-ctx.Done():
	}
}

// Leave implements replies.Exchange.
func (t *Table) Leave(ctx context.Context, refTo string, reply replies.Reply) (replies.Fate, string, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	sealed, err := t.seal(refTo, reply)
	if err != nil {
		return "", "", failed(err)
	}
	var asker uuid.UUID
	var correlation string
	err = t.pool.QueryRow(ctx, `UPDATE waiting SET reply = $2, answered = true
		WHERE message_id = $1 AND NOT answered AND NOT ended AND until > now() RETURNING asker, correlation`, refTo, sealed).Scan(&asker, &correlation)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return t.refused(ctx, refTo)
	case err != nil:
		return "", "", failed(err)
	}
	// It is in the table. A notification that fails makes it a little later.
	_, err = t.pool.Exec(ctx, "SELECT pg_notify($1, '')", channel(asker))
	if err != nil {
		t.options.Logger.Warn("another instance could not be notified of a reply; it will look for it", "event", "replies.notify", "cause", err.Error())
	}
	return replies.Delivered, correlation, nil
}

// refused says why a reply was not taken. What it reads of a row never becomes untrue.
func (t *Table) refused(ctx context.Context, refTo string) (replies.Fate, string, error) {
	var answered bool
	var correlation string
	err := t.pool.QueryRow(ctx, "SELECT answered, correlation FROM waiting WHERE message_id = $1", refTo).Scan(&answered, &correlation)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return replies.Unasked, "", nil
	case err != nil:
		return "", "", failed(err)
	case answered:
		return replies.Repeated, correlation, nil
	default:
		return replies.Late, correlation, nil
	}
}

// take runs a statement that takes replies out of rows, and opens them. One that does
// not open is only logged: whoever asked has no reply, as if none had come.
func (t *Table) take(ctx context.Context, statement string, args ...any) ([]replies.Left, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	rows, err := t.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, failed(err)
	}
	var all []replies.Left
	var left replies.Left
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&left.RefTo, &left.Correlation, &sealed}, func() error {
		if sealed == nil {
			return nil
		}
		var wrong error
		left.Reply, wrong = t.open(left.RefTo, sealed)
		if wrong != nil {
			t.options.Logger.Error("a reply that another instance received cannot be opened; all need the same audit.sealing_keys",
				"event", "replies.unreadable", "correlation", left.Correlation, "cause", wrong.Error())
			return nil
		}
		all = append(all, left)
		return nil
	})
	if err != nil {
		return nil, failed(err)
	}
	return all, nil
}

// content is what is sealed. The id binds a reply to its row.
type content struct {
	RefTo string
	Reply replies.Reply
}

func (t *Table) seal(refTo string, reply replies.Reply) ([]byte, error) {
	plain, err := json.Marshal(content{refTo, reply})
	if err != nil {
		return nil, err
	}
	return t.options.Keys.Seal(plain, nil)
}

func (t *Table) open(refTo string, sealed []byte) (replies.Reply, error) {
	plain, err := t.options.Keys.Open(sealed)
	if err != nil {
		return replies.Reply{}, err
	}
	var c content
	err = json.Unmarshal(plain, &c)
	if err != nil || c.RefTo != refTo {
		// What the decoder says may quote the reply.
		return replies.Reply{}, errors.New("it is not a reply to this message: the table was changed")
	}
	return c.Reply, nil
}

// channel is where a process is notified.
func channel(asker uuid.UUID) string {
	return "ward_replies_" + strings.ReplaceAll(asker.String(), "-", "")
}
