package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// maxStep is how far a clock may go back before the log says so: a machine that
// keeps its time is set right by less.
const maxStep = time.Second

// clock is what a log makes of the clock of its machine, which somebody may set back
// or ahead.
//
// Claims must not be forgotten on the word of a clock that was set ahead, or a
// message could be asked about again once it is put right (WRD-VAL-17). So claims are
// forgotten by a time of their own, which never gains more than a second on each that
// really passes. A claim of a question is then kept for at least half of the time for
// which it was made, which is longer than its message can be used.
type clock struct {
	newest time.Time     // what the clock said at the newest commit, or the newest entry of an earlier run
	sure   time.Time     // claims that ended before may be forgotten
	uptime time.Duration // when that was so
}

// at is what is made of the clock later on.
func (c clock) at(now time.Time, uptime time.Duration) clock {
	now = now.Round(0) // the time of day, which time.Time would otherwise overlook
	sure := c.sure.Add(2 * (uptime - c.uptime))
	if now.Before(sure) {
		sure = now
	}
	return clock{now, sure, uptime}
}

// startClock takes the newest entry's time for what the clock said last. A clock that
// is ahead of it may be right, after a long rest, or wrong.
func (l *Log) startClock(ctx context.Context) (clock, error) {
	c := clock{sure: l.options.Now(), uptime: l.options.Uptime()}
	if l.state.Size == 0 {
		return c, nil
	}
	row, err := readRow(ctx, l.options.Store, l.state.Size-1)
	if err != nil {
		return clock{}, err
	}
	leaf, err := parseRow(row)
	if err != nil {
		return clock{}, err
	}
	c.newest = leaf.Entry.Time
	if c.newest.Before(c.sure) {
		c.sure = c.newest
	}
	return c, nil
}

// stepped is an entry that says how far the clock went back between two commits, nil
// if it did not. The order of the entries does not depend on the clock.
func stepped(before, after clock, instance string, keys *seal.Keys) (*pending, error) {
	back := before.newest.Sub(after.newest)
	if before.newest.IsZero() || back <= maxStep {
		return nil, nil
	}
	e := Entry{Kind: Stepped, Time: after.newest, Instance: instance, Reason: fmt.Sprintf("the clock went back by %ds", back/time.Second)}
	err := e.check()
	if err != nil {
		return nil, err
	}
	return newPending(e, keys)
}
