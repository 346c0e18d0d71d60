package trust

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

// State is how far revocation lists can be relied on; a later one is worse.
type State uint8

// The states of revocation lists.
const (
	NotChecked State = iota // there are none
	Current
	OutOfDate // the next list is due; certificates are accepted until the grace period ends
	Refusing  // the grace period has ended
)

func (s State) String() string {
	switch s {
	case NotChecked:
		return "not checked"
	case Current:
		return "current"
	case OutOfDate:
		return "out of date"
	default:
		return "refusing"
	}
}

// judge is the state of a list whose successor was due then.
func (l *Lists) judge(due, now time.Time) State {
	switch {
	case !now.After(due):
		return Current
	case !now.After(due.Add(l.options.Grace)):
		return OutOfDate
	default:
		return Refusing
	}
}

// State is the worst state of any list, and of any authority that has none and was
// met above a certificate.
func (l *Lists) State() State {
	if l == nil {
		return NotChecked
	}
	worst := Current
	for _, f := range l.findings() {
		worst = max(worst, f.state)
	}
	return worst
}

// finding is the state of the list of one authority.
type finding struct {
	authority string
	missing   bool
	due       time.Time // when the next list was, or is, due
	state     State
}

func (l *Lists) findings() []finding {
	now := l.options.Now()
	var all []finding
	for _, lists := range *l.current.Load() {
		for _, one := range lists {
			due := one.signed.NextUpdate
			all = append(all, finding{authority: one.signed.Issuer.String(), due: due, state: l.judge(due, now)})
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.unlisted {
		all = append(all, finding{authority: name, missing: true, due: l.opened, state: l.judge(l.opened, now)})
	}
	return all
}

// Watch reads the files again when they change and says at once when a list is out
// of date, until ctx ends. It looks once in every, which should be a few seconds.
// It is called at most once. Side says in each log line whose certificates it is about.
func (l *Lists) Watch(ctx context.Context, logger *slog.Logger, side string, every time.Duration) {
	if l == nil {
		return
	}
	w := watch{lists: l, logger: logger.With("side", side), told: map[string]State{}}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		w.look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

type watch struct {
	lists  *Lists
	logger *slog.Logger
	told   map[string]State // by authority
}

// look is one round. Reading what others wrote must not end the service.
func (w *watch) look() {
	defer func() {
		if recover() != nil {
			// The stack names code, not data.
			w.logger.Error("looking at revocation lists failed", "event", "panic", "stack", string(debug.Stack()))
		}
	}()
	w.reload()
	w.report()
}

func (w *watch) reload() {
	l := w.lists
	for _, f := range l.files {
		if !f.isChanged() {
			continue
		}
		err := f.read(l.known(), l.options.Now())
		if err != nil {
			w.logger.Error("a file of revocation lists is not in order; what it held before stays in force",
				"event", "revocation.kept", "file", f.path, "cause", err.Error())
			continue
		}
		l.use()
		w.logger.Info("revocation lists were read again", "event", "revocation.loaded", "file", f.path, "lists", len(f.lists))
	}
}

// report logs every change of a state once (WRD-IAM-05).
func (w *watch) report() {
	now := map[string]State{}
	for _, f := range w.lists.findings() {
		now[f.authority] = max(now[f.authority], f.state)
		before := max(w.told[f.authority], Current)
		if f.state <= before {
			continue
		}
		ends := f.due.Add(w.lists.options.Grace)
		attributes := []any{"authority", f.authority, "missing", f.missing, "due", f.due.UTC(), "grace_ends", ends.UTC()}
		if f.state == OutOfDate {
			w.logger.Error("a revocation list is out of date; certificates are accepted until the grace period ends",
				append([]any{"event", "revocation.outdated"}, attributes...)...)
		} else {
			w.logger.Error("a revocation list is out of date and the grace period has ended; certificates are refused",
				append([]any{"event", "revocation.refusing"}, attributes...)...)
		}
	}
	for authority, state := range w.told {
		if state > Current && now[authority] <= Current {
			w.logger.Info("the revocation list is current again", "event", "revocation.restored", "authority", authority)
		}
	}
	w.told = now
}
