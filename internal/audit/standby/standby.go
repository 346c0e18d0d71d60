// Package standby keeps a copy of an audit log in a second place while the log is
// written, and says so when it cannot (WRD-AUD-16). Nothing waits for the copy: it is
// behind the log by as much as came since the last look.
package standby

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
)

// Config says what is copied, and where to.
type Config struct {
	Read   func(context.Context) (stores.Reader, error) // opens the log, for the copy alone
	Make   func(context.Context) (stores.Store, error)  // opens the copy, and makes it if it is not there
	Known  note.Verifiers
	Origin string        // of the log's checkpoints
	Every  time.Duration // how soon new entries are looked for
	Late   time.Duration // for how long the copy may lack entries before it counts as late
	Logger *slog.Logger
}

// openEvery is how often the copy is opened anew: a file that was taken away is not
// missed by whoever has it open.
const openEvery = time.Minute

// Claims, of which all must be read to find those that are new, are brought so often
// that it takes at most one part in so many of the time.
const claimsPart = 20

// patience bounds the last look at the end. A disc that hangs knows no bound.
const patience = 5 * time.Second

// State is how the copy stands.
type State struct {
	Entries int64     // in the copy, when it was last known
	Whole   time.Time // when it last had all entries that the log had
	Late    bool      // that is too long ago
}

// Copy is the copy of a log that is being kept. It is safe for concurrent use.
type Copy struct {
	config  Config
	end     func()
	running sync.WaitGroup
	stopped sync.Once

	// Of the goroutine that keeps the copy alone. Both stores are open, or neither.
	from   stores.Reader
	to     stores.Store
	opened time.Time
	claims claims

	mu      sync.Mutex
	entries int64
	whole   time.Time
	began   time.Time // the look that is under way
	failure error     // of the last look, nil if it went well
}

// claims is how the claims of the copy stand.
type claims struct {
	owed    bool      // entries were copied without theirs
	due     time.Time // when they may be brought
	failure error     // when that was tried last, nil if it went well
	forget  int64     // those of the copy that end before this Unix time may go
}

// Start begins to keep a copy, until Stop. It counts as whole until Config.Late has
// passed.
func Start(config Config) *Copy {
	ctx, end := context.WithCancel(context.Background())
	c := &Copy{config: config, end: end, whole: time.Now()}
	c.running.Go(func() { c.keep(ctx) })
	c.running.Go(func() { c.watch(ctx) })
	return c
}

// Stop brings the copy what the log has got meanwhile, and ends. If that takes too long
// it returns all the same. Nil, and one that was stopped before, need no more.
func (c *Copy) Stop() {
	if c != nil {
		c.stopped.Do(c.stop)
	}
}

func (c *Copy) stop() {
	c.end()
	ended := make(chan struct{})
	go func() {
		c.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2 * patience):
		c.left(errors.New("a call to it has not come back"))
	}
}

// left says that the copy ends without the log's last entries.
func (c *Copy) left(err error) {
	c.config.Logger.Error("the second copy of the audit log lacks the last entries", "event", "audit.copy_left", "error", err)
}

// State says how the copy stands.
func (c *Copy) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return State{Entries: c.entries, Whole: c.whole, Late: time.Since(c.whole) > c.config.Late}
}

// watch says when the copy becomes late, and when it is kept again. It looks from
// outside, since a disc that hangs never returns from a call.
func (c *Copy) watch(ctx context.Context) {
	late := false
	for wait(ctx, c.config.Every) {
		c.mu.Lock()
		now, failure, since, began := time.Since(c.whole) > c.config.Late, c.failure, c.whole, c.began
		c.mu.Unlock()
		if now == late {
			continue
		}
		late = now
		if !late {
			c.config.Logger.Info("the second copy of the audit log is kept again", "event", "audit.copy_kept")
			continue
		}
		if failure == nil {
			failure = fmt.Errorf("what was begun at %s has not ended: it is much, or the place hangs", began.UTC().Format(time.RFC3339))
		}
		c.config.Logger.Error("the second copy of the audit log is not kept: if the log is lost now, so is what came since",
			"event", "audit.copy_late", "since", since.UTC().Format(time.RFC3339), "error", failure)
	}
}

func (c *Copy) keep(ctx context.Context) {
	for wait(ctx, c.config.Every) {
		_ = c.look(ctx) // watch tells
	}
	// The last entries are those of the stop itself.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	c.claims.due = time.Time{}
	err := c.look(last)
	if err != nil {
		c.left(err)
	}
	c.close()
}

// wait reports whether a time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look brings the copy what it lacks. After a failure it is opened anew.
func (c *Copy) look(ctx context.Context) error {
	began := time.Now()
	c.mu.Lock()
	c.began = began
	c.mu.Unlock()
	err := c.catchUp(ctx)
	if err == nil {
		err = c.bringClaims(ctx)
	}
	if err != nil {
		c.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	if err == nil {
		c.whole = began
	}
	return err
}

// catchUp brings the entries.
func (c *Copy) catchUp(ctx context.Context) error {
	if c.to != nil && time.Since(c.opened) > openEvery {
		c.close()
	}
	if c.to == nil {
		err := c.open(ctx)
		if err != nil {
			return err
		}
	} else {
		head, err := c.from.Head(ctx)
		if err != nil || head.Size == c.State().Entries {
			return err
		}
	}
	copied, err := audit.CopyEntries(ctx, c.from, c.to, c.config.Known, c.config.Origin)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.entries = copied.After
	c.mu.Unlock()
	c.claims.owed = c.claims.owed || copied.Before < copied.After
	if copied.Before == 0 && copied.After > 0 {
		c.claims = claims{owed: true} // none are there
		c.config.Logger.Warn("the second copy of the audit log held nothing and was begun", "event", "audit.copy_begun", "entries", copied.After)
	}
	return nil
}

// bringClaims brings the claims that followed the entries, if it is time.
func (c *Copy) bringClaims(ctx context.Context) error {
	if !c.claims.owed {
		return nil
	}
	began := time.Now()
	if began.Before(c.claims.due) {
		return c.claims.failure
	}
	first, err := audit.CopyClaims(ctx, c.from, c.to, c.claims.forget)
	c.claims.due, c.claims.failure = time.Now().Add(claimsPart*time.Since(began)), err
	if err != nil {
		return err
	}
	c.claims.owed, c.claims.forget = false, first
	return nil
}

func (c *Copy) open(ctx context.Context) error {
	from, err := c.config.Read(ctx)
	if err != nil {
		return err
	}
	to, err := c.config.Make(ctx)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	c.from, c.to, c.opened = from, to, time.Now()
	c.claims.owed = true // for all that is known
	return nil
}

func (c *Copy) close() {
	if c.to == nil {
		return
	}
	err := errors.Join(c.to.Close(), c.from.Close())
	if err != nil {
		c.config.Logger.Warn("the second copy of the audit log was not closed", "event", "audit.copy_closed", "error", err)
	}
	c.from, c.to = nil, nil
}
