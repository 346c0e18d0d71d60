package removal

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/indexkeys"
)

// What an erased entry says of the run to which it belongs.
const (
	partOf   = "part"     // more is to follow
	complete = "complete" // the order is carried out, and cannot be used again
)

// Erasure is what was erased on an order, or would be.
type Erasure struct {
	Entries  int  // that lost their content
	Inline   int  // of an earlier form of the log, which have no content apart from the tree: they cannot be erased
	Locked   int  // whose sealing key is not at hand, so that it is not certain whose they are
	Open     int  // questions that are under way or were left open: to be erased once they are closed
	Complete bool // the order is carried out
}

// Erase carries out an order, whose file must be signed with the key. It may be called
// again with the same order until it is complete; a rehearsal does nothing. It is an
// error if a hold covers anything that would go.
func (r *Remover) Erase(ctx context.Context, file []byte, key note.Verifier, rehearsal bool) (Erasure, error) {
	o, err := ReadOrder(file, key)
	if err != nil {
		return Erasure{}, err
	}
	if o.Origin != r.Origin {
		return Erasure{}, fmt.Errorf("the order is for the log %q; this is %q", o.Origin, r.Origin)
	}
	err = o.timely(r.Now())
	if err != nil {
		return Erasure{}, err
	}
	missing, err := indexkeys.Missing(ctx, r.Store, r.Keys)
	if err != nil {
		return Erasure{}, err
	}
	if len(missing) > 0 {
		return Erasure{}, fmt.Errorf("entries were also indexed under the keys %s, and would not be found: put them back in audit.index_keys", strings.Join(missing, ", "))
	}
	inline, err := r.inline(ctx, o)
	if err != nil {
		return Erasure{}, err
	}
	erasure := Erasure{Inline: inline}
	for more := true; more && err == nil; {
		err = r.inTurn(ctx, func(turn audit.Claim, active []Hold) error {
			plan, err := r.plan(ctx, o, digest(file), active)
			if err != nil {
				return err
			}
			now := plan.entries[:min(len(plan.entries), maxRemovals)]
			more = len(now) < len(plan.entries)
			left := plan.locked + plan.open
			if rehearsal {
				erasure.Entries, more = len(plan.entries), false
			} else if len(now) > 0 || left == 0 {
				err = r.eraseNow(ctx, o, digest(file), key, turn, now, !more && left == 0)
			}
			if err != nil {
				return err
			}
			erasure.Locked, erasure.Open = plan.locked, plan.open
			if !rehearsal {
				erasure.Entries += len(now)
				erasure.Complete = !more && left == 0
			}
			return nil
		})
	}
	return erasure, err
}

// signedBy is the detail of an erased entry: the key that the order was signed with. Who
// acts could have configured one of their own.
type signedBy struct {
	Key string `json:"signed_by"` // its name, "+" and its key hash
}

// eraseNow removes some contents and says so.
func (r *Remover) eraseNow(ctx context.Context, o Order, digest string, key note.Verifier, turn audit.Claim, entries []entry, last bool) error {
	detail, err := json.Marshal(signedBy{fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())})
	if err != nil {
		return err
	}
	e := audit.Entry{
		Kind: audit.Erased, Time: r.Now(), Operator: r.Operator, Authority: o.Authority, Order: digest,
		Entries: len(entries), Reason: partOf, Detail: detail,
	}
	if last {
		e.Reason = complete
	}
	var removals []audit.Removal
	for _, gone := range entries {
		removals = append(removals, audit.Removal{Seq: gone.seq, Terms: gone.terms})
		n := len(e.Removed)
		if n > 0 && e.Removed[n-1].Last == gone.seq-1 {
			e.Removed[n-1].Last = gone.seq
		} else {
			e.Removed = append(e.Removed, audit.Range{First: gone.seq, Last: gone.seq})
		}
	}
	_, err = r.Log.AppendRemoval(ctx, e, removals, turn)
	return err
}

// plan is what an order is about.
type plan struct {
	entries []entry // to lose their content, in their order
	locked  int
	open    int
}

// plan finds the entries of an order. It is an error if the order was carried out, or
// if a hold covers any of them.
func (r *Remover) plan(ctx context.Context, o Order, digest string, active []Hold) (plan, error) {
	err := r.unused(ctx, digest)
	if err != nil {
		return plan{}, err
	}
	// Of one state of the log: a question that is asked meanwhile is neither among those
	// under way nor among those to be erased.
	open, size, err := r.openIntents(ctx)
	if err != nil {
		return plan{}, err
	}
	var p plan
	var theirs []entry // with those that stay
	from, to := o.bounds()
	to = min(to, size)
	for seq, err := range r.found(ctx, audit.TermsOf(r.Keys, audit.FieldNHSNumber, o.NHSNumber), from, to) {
		if err != nil {
			return plan{}, err
		}
		e, err := r.readOne(ctx, seq)
		if err != nil {
			return plan{}, err
		}
		switch {
		case !e.removable() || e.state == audit.Whole && e.NHSNumber != o.NHSNumber:
			continue // it was removed meanwhile, or another number has the same term
		case e.state == audit.Locked:
			p.locked++
		case open[seq]:
			p.open++
		default:
			p.entries = append(p.entries, e)
		}
		theirs = append(theirs, e)
	}
	slices.Reverse(p.entries)
	transactions, err := r.transactions(ctx, theirs, 0, math.MaxInt64)
	if err != nil {
		return plan{}, err
	}
	for _, e := range theirs {
		hold := coveredBy(active, append(slices.Clone(transactions[e.Correlation]), e)...)
		if hold != "" {
			return plan{}, fmt.Errorf("the legal hold %q covers entries of this order: nothing more is erased until it is released", hold)
		}
	}
	return p, nil
}

// unused reports whether an order was carried out before.
func (r *Remover) unused(ctx context.Context, digest string) error {
	for seq, err := range r.found(ctx, audit.TermsOf(r.Keys, audit.FieldKind, string(audit.Erased)), 0, math.MaxInt64) {
		if err != nil {
			return err
		}
		e, err := r.readOne(ctx, seq)
		if err != nil {
			return err
		}
		if e.Kind == audit.Erased && e.Order == digest && e.Reason == complete {
			return fmt.Errorf("the order was carried out before, as entry %d says: ask for a new one", seq)
		}
	}
	return nil
}

// inline counts the entries of an order that are of an earlier form. They stand before
// all others.
func (r *Remover) inline(ctx context.Context, o Order) (int, error) {
	n := 0
	from, to := o.bounds()
	for record, err := range audit.Entries(ctx, r.Store, nil, 0, to) {
		if err != nil {
			return 0, err
		}
		leaf, err := audit.ParseLeaf(record.Leaf)
		if err != nil {
			return 0, err
		}
		if leaf.Version > 2 {
			break
		}
		if leaf.Seq >= from && leaf.Entry.NHSNumber == o.NHSNumber {
			n++
		}
	}
	return n, nil
}

// bounds are the entries of an order, as from <= seq < to.
func (o Order) bounds() (from, to int64) {
	if o.Entries == nil {
		return 0, math.MaxInt64
	}
	return o.Entries.First, min(o.Entries.Last, math.MaxInt64-1) + 1
}
