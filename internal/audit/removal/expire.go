package removal

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Expiry is what was removed since its time of retention had ended, or would be.
type Expiry struct {
	Before  time.Time // what is older goes
	Entries int       // that lost their content
	Held    int       // that are kept under a hold
	Waiting int       // older ones that wait for the rest of their transaction
}

// Expire removes the contents of the entries of a class that are older than a period,
// with their whole transactions; a rehearsal does nothing. It looks through all older
// entries, 1024 in a transaction.
func (r *Remover) Expire(ctx context.Context, class audit.Class, period Period, rehearsal bool) (Expiry, error) {
	if class != audit.Questions && class != audit.Readings && class != audit.Operations || period < 1 {
		return Expiry{}, fmt.Errorf("entries of the class %q are kept for ever", class)
	}
	x := Expiry{Before: period.Before(r.Now().UTC())}
	spans, err := r.Store.Spans(ctx, math.MinInt64, x.Before.UnixMilli())
	if err != nil {
		return x, err
	}
	for _, span := range spans {
		err := r.inTurn(ctx, func(turn audit.Claim, active []Hold) error {
			return r.expireSpan(ctx, &x, class, span.Number, turn, active, rehearsal)
		})
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

// expireSpan removes what is to go of one span.
func (r *Remover) expireSpan(ctx context.Context, x *Expiry, class audit.Class, number int64, turn audit.Claim, active []Hold, rehearsal bool) error {
	var all []entry // of the class, that have a content or had one
	for e, err := range r.read(ctx, number*audit.SpanSize, (number+1)*audit.SpanSize) {
		if err != nil {
			return err
		}
		if e.Kind.Class() == class && e.HasContent() {
			all = append(all, e)
		}
	}
	old := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.removable() || !e.Time.Before(x.Before) })
	if len(old) == 0 {
		return nil
	}
	transactions, err := r.transactions(ctx, old)
	if err != nil {
		return err
	}
	open, _, err := r.openIntents(ctx)
	if err != nil {
		return err
	}
	stays := func(e entry) bool { return open[e.seq] || !e.Time.Before(x.Before) }
	going := make(map[int64]bool)
	held, waiting := 0, 0
	for _, e := range old {
		whole := append(slices.Clone(transactions[e.Correlation]), e)
		switch {
		case slices.ContainsFunc(whole, stays):
			waiting++
		case coveredBy(active, whole...) != "":
			held++
		default:
			going[e.seq] = true
		}
	}
	if len(going) > 0 && !rehearsal {
		err := r.expireNow(ctx, class, turn, all, going)
		if err != nil {
			return err
		}
	}
	x.Entries += len(going)
	x.Held += held
	x.Waiting += waiting
	return nil
}

// expireNow removes the contents of those of all that are to go, and says so. A run
// of entries may take in others of another class, and such as never had a content. It
// ends at one whose content is gone already: if no entry says why, none must now.
func (r *Remover) expireNow(ctx context.Context, class audit.Class, turn audit.Claim, all []entry, going map[int64]bool) error {
	e := audit.Entry{Kind: audit.Expired, Time: r.Now(), Operator: r.Operator, Class: class, Entries: len(going)}
	var removals []audit.Removal
	apart := true
	for _, gone := range all {
		if !going[gone.seq] {
			apart = true
			continue
		}
		removals = append(removals, audit.Removal{Seq: gone.seq, Terms: gone.terms})
		if apart {
			e.Removed = append(e.Removed, audit.Range{First: gone.seq})
		}
		e.Removed[len(e.Removed)-1].Last = gone.seq
		apart = false
	}
	_, err := r.Log.AppendRemoval(ctx, e, removals, turn)
	return err
}
