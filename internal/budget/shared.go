package budget

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardsmsp/ward/internal/audit/postgres"
)

const (
	connections = 2                      // of one instance to the database
	askTime     = 500 * time.Millisecond // for the database to lease
	retryTime   = time.Second            // after it did not
	longest     = 100 * time.Millisecond // for which a lease is good
)

// Shared returns the budgets of a provider of which there are several instances, over
// the PostgreSQL database of their audit log, in whose schema it makes a table if that
// is not there. The instances must have the same limits.
//
// Each instance leases a few questions at a time, so that not every question costs a
// round trip. While the database is out of reach the budgets are spent: how much the
// others ask is not known, and nothing could be recorded either.
func Shared(ctx context.Context, url string, limits []Limit, logger *slog.Logger) (*Set, error) {
	config, err := postgres.Pool(url, connections, askTime)
	if err != nil {
		return nil, fmt.Errorf("budgets: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &Set{budgets: map[string]budget{}, close: pool.Close}
	err = prepare(ctx, pool, limits)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("the budgets cannot be shared; the role of audit.postgres must be able to SELECT, INSERT and UPDATE the table budgets, or to make it: %w", err)
	}
	for _, l := range limits {
		s.budgets[l.ASID] = newShared(pool, l, logger)
	}
	return s, nil
}

const createTable = `CREATE TABLE budgets (
	asid text PRIMARY KEY,
	tokens double precision NOT NULL,
	taken integer NOT NULL,
	at timestamp with time zone NOT NULL)`

// prepare makes the table and the rows that are not there.
func prepare(ctx context.Context, pool *pgxpool.Pool, limits []Limit) error {
	err := postgres.Together(ctx, func() error { return create(ctx, pool) })
	if err != nil {
		return err
	}
	for _, l := range limits {
		_, err = pool.Exec(ctx, "INSERT INTO budgets (asid, tokens, taken, at) VALUES ($1, 1, 0, now()) ON CONFLICT (asid) DO NOTHING", l.ASID)
		if err != nil {
			return err
		}
	}
	return nil
}

func create(ctx context.Context, pool *pgxpool.Pool) error {
	var exists bool
	err := pool.QueryRow(ctx, "SELECT to_regclass('budgets') IS NOT NULL").Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = pool.Exec(ctx, createTable)
	return err
}

// shared is the part of one instance in a budget that several share.
//
// The row is a bucket of tokens, filled and emptied by the database's clock. What an
// instance has leased it must spend soon, or else several could save up and spend
// together: the tokens of a lease are good for a time counted from before they were
// asked for. In any second then at most the bucket, what flows in during that second,
// and what flowed in during one such time before are spent. The bucket is smaller than
// the burst by the last of these, so that the sum is PerSecond + Burst.
type shared struct {
	pool   *pgxpool.Pool
	limit  Limit
	logger *slog.Logger

	good   time.Duration // of a lease
	bucket float64       // what the row holds at most
	most   int           // of a lease

	mu      sync.Mutex
	held    int       // leased and not spent
	used    int       // spent of the last lease
	until   time.Time // when what is held is lost
	refused time.Time // until when there is nothing to be had
	row     float64   // what the row held at the last lease
	failing bool
}

func newShared(pool *pgxpool.Pool, l Limit, logger *slog.Logger) *shared {
	good := min(longest.Seconds(), float64(l.Burst-1)/(2*l.PerSecond))
	return &shared{
		pool: pool, limit: l, logger: logger,
		good:   time.Duration(good * float64(time.Second)),
		bucket: float64(l.Burst) - good*l.PerSecond,
		most:   max(1, int(good*l.PerSecond)),
	}
}

func (s *shared) spend() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.held > 0 && now.Before(s.until) {
		s.held--
		s.used++
		return true
	}
	if now.Before(s.refused) {
		return false
	}
	return s.lease(now)
}

// lease leases tokens, the first of which is spent at once.
func (s *shared) lease(now time.Time) bool {
	want := max(1, s.used)
	if s.held == 0 { // all of the last one was spent in time
		want = min(2*want, s.most)
	}
	s.held, s.used = 0, 0
	taken, left, err := s.take(want)
	s.note(err)
	s.row = left
	switch {
	case err != nil:
		s.refused = time.Now().Add(retryTime)
		return false
	case taken == 0:
		next := time.Duration((1 - left) / s.limit.PerSecond * float64(time.Second))
		s.refused = time.Now().Add(max(next, s.good/10))
		return false
	}
	s.held, s.used, s.until = taken-1, 1, now.Add(s.good)
	return true
}

// refill is what the row holds now. A row whose time is to come was written by a
// transaction that began later and was faster, or before the clock was set back.
const refill = "least($2, tokens + $3 * greatest(0, extract(epoch FROM now() - at)::double precision))"

const take = `UPDATE budgets SET
	taken = least($4, floor(` + refill + `)),
	tokens = ` + refill + ` - least($4, floor(` + refill + `)),
	at = CASE WHEN at > now() + interval '2 seconds' THEN now() ELSE greatest(at, now()) END
	WHERE asid = $1 RETURNING taken, tokens`

// take takes up to want tokens from the row, and says what it still holds.
func (s *shared) take(want int) (taken int, left float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	err = s.pool.QueryRow(ctx, take, s.limit.ASID, s.bucket, s.limit.PerSecond, float64(want)).Scan(&taken, &left)
	return taken, left, err
}

// note logs that the database is out of reach, and that it is back, once each.
func (s *shared) note(err error) {
	if err != nil && !s.failing {
		s.logger.Error("the budget of an ASID cannot be shared: requests are turned away", "event", "budget.failed", "asid", s.limit.ASID, "cause", err.Error())
	}
	if err == nil && s.failing {
		s.logger.Info("the budget of an ASID can be shared again", "event", "budget.restored", "asid", s.limit.ASID)
	}
	s.failing = err != nil
}

func (s *shared) left() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.row + float64(s.held)
}
