package handover

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/replies"
)

// Run implements replies.Exchange.
func (t *Table) Run(ctx context.Context, arrived func(replies.Left)) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { t.listen(ctx) })
	all.Go(func() { t.fetchAlways(ctx, arrived) })
	all.Go(func() { t.sweepAlways(ctx, arrived) })
}

// change reports whether a state that is logged once has changed.
type change struct{ failing bool }

func (c *change) to(err error) bool {
	changed := c.failing != (err != nil)
	c.failing = err != nil
	return changed
}

// fetchAlways fetches when it is notified, and looks of itself while somebody waits.
func (t *Table) fetchAlways(ctx context.Context, arrived func(replies.Left)) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var state change
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-ticker.C:
			if t.waiting.Load() == 0 {
				continue
			}
		}
		err := t.fetch(ctx, arrived)
		if ctx.Err() == nil && state.to(err) {
			t.note(err, "replies that other instances received cannot be fetched", "replies that other instances received can be fetched again")
		}
	}
}

func (t *Table) note(err error, bad, good string) {
	if err != nil {
		t.options.Logger.Error(bad, "event", "replies.handover", "cause", err.Error())
		return
	}
	t.options.Logger.Info(good, "event", "replies.handover")
}

// fetch takes what is left for the questions of this process.
func (t *Table) fetch(ctx context.Context, arrived func(replies.Left)) error {
	for more := true; more; {
		var err error
		more, err = t.fetchSome(ctx, arrived)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) fetchSome(ctx context.Context, arrived func(replies.Left)) (more bool, err error) {
	fetching := make(chan struct{})
	defer close(fetching)
	t.setFetching(fetching)
	defer t.setFetching(nil)
	// What was taken is given out although ctx has ended meanwhile.
	all, err := t.take(context.WithoutCancel(ctx), `UPDATE waiting w SET reply = NULL
		FROM (SELECT message_id, reply FROM waiting WHERE asker = $1 AND reply IS NOT NULL LIMIT $2 FOR UPDATE) o
		WHERE w.message_id = o.message_id RETURNING w.message_id, w.correlation, o.reply`, t.asker, atOnce)
	for _, left := range all {
		arrived(left)
	}
	return len(all) == atOnce, err
}

func (t *Table) setFetching(fetching chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetching = fetching
}

// sweepAlways clears away what nobody will end any more, whoever asked.
func (t *Table) sweepAlways(ctx context.Context, arrived func(replies.Left)) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	var state change
	err := t.succeed(ctx, arrived)
	if ctx.Err() == nil && state.to(err) {
		t.note(err, "questions that an earlier process of this instance left open cannot be ended; they end with their time", "")
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := t.sweep(ctx, sweepAfter, arrived)
		if ctx.Err() == nil && state.to(err) {
			t.note(err, "ended questions cannot be cleared away", "ended questions can be cleared away again")
		}
	}
}

// succeed ends at once what an earlier process of this instance has left: nobody waits
// there, and one that still ran could record nothing more, so that it could tell
// nothing. Replies to its questions are late from now on.
func (t *Table) succeed(ctx context.Context, arrived func(replies.Left)) error {
	err := t.endOpen(ctx)
	if err != nil {
		return err
	}
	for more := true; more; {
		all, err := t.take(context.WithoutCancel(ctx), `UPDATE waiting w SET reply = NULL, ended = true
			FROM (SELECT message_id, reply FROM waiting WHERE instance = $1 AND asker <> $2 AND reply IS NOT NULL LIMIT $3 FOR UPDATE SKIP LOCKED) o
			WHERE w.message_id = o.message_id RETURNING w.message_id, w.correlation, o.reply`, t.options.Instance, t.asker, atOnce)
		if err != nil {
			return err
		}
		for _, left := range all {
			arrived(left)
		}
		more = len(all) == atOnce
	}
	return nil
}

// endOpen ends those questions of an earlier process to which there is no reply yet.
func (t *Table) endOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	_, err := t.pool.Exec(ctx, `UPDATE waiting SET ended = true
		WHERE instance = $1 AND asker <> $2 AND reply IS NULL AND NOT ended`, t.options.Instance, t.asker)
	return err
}

// sweep gives out the replies that a process which is gone has left behind, and
// removes what need not be remembered any more.
func (t *Table) sweep(ctx context.Context, after time.Duration, arrived func(replies.Left)) error {
	all, err := t.take(context.WithoutCancel(ctx), `UPDATE waiting w SET reply = NULL, ended = true
		FROM (SELECT message_id, reply FROM waiting WHERE reply IS NOT NULL AND until < now() - $1 * interval '1 second' LIMIT $2 FOR UPDATE SKIP LOCKED) o
		WHERE w.message_id = o.message_id RETURNING w.message_id, w.correlation, o.reply`, after.Seconds(), atOnce)
	if err != nil {
		return err
	}
	for _, left := range all {
		arrived(left)
	}
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	_, err = t.pool.Exec(ctx, `DELETE FROM waiting WHERE message_id IN
		(SELECT message_id FROM waiting WHERE reply IS NULL AND until < now() - $1 * interval '1 second' LIMIT 10000)`, t.options.Remember.Seconds())
	return err
}

// Times of the connection that listens.
const (
	listenAgain = time.Second
	stillThere  = 30 * time.Second // after which a silent connection is tried
)

// listen keeps a connection of its own for notifications. Without one replies are
// found by looking, so that its loss is no more than a remark.
func (t *Table) listen(ctx context.Context) {
	var state change
	for ctx.Err() == nil {
		err := t.listenOnce(ctx, func() {
			if state.to(nil) {
				t.options.Logger.Info("replies of other instances are notified again", "event", "replies.listen")
			}
		})
		if ctx.Err() == nil && state.to(err) {
			t.options.Logger.Warn("replies of other instances are not notified; they are looked for instead", "event", "replies.listen", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

func (t *Table) listenOnce(ctx context.Context, listening func()) error {
	conn, err := pgx.ConnectConfig(ctx, t.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(ctx)
	}()
	_, err = conn.Exec(ctx, "LISTEN "+channel(t.asker))
	if err != nil {
		return err
	}
	listening()
	for {
		t.look() // also for what was missed before
		err := waitForNotification(ctx, conn)
		if err != nil {
			return err
		}
	}
}

// waitForNotification returns when there is one, or the connection was tried.
func waitForNotification(ctx context.Context, conn *pgx.Conn) error {
	silent, cancel := context.WithTimeout(ctx, stillThere)
	defer cancel()
	_, err := conn.WaitForNotification(silent)
	if err == nil || silent.Err() == nil || ctx.Err() != nil {
		return err
	}
	trying, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	return conn.Ping(trying)
}

// look makes fetchAlways fetch now.
func (t *Table) look() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
