// Package removal takes out of the audit log what the law says must go, and nothing
// else: on a signed order (IG-3.9.6), or because its time of retention has ended
// (MSCA-AUD-01c); never what a legal hold covers (WRD-AUD-11). Nothing else in Ward
// removes anything from the log.
//
// What goes is the content of an entry, which is all that is personal in it, with its
// keyed terms. The leaf stays, and so the log goes on to verify. The entry that says
// what was removed lands in the transaction that removes it, so a run that is killed
// leaves a whole log and the next one goes on.
package removal

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Remover removes contents from one log. It is for one goroutine.
type Remover struct {
	Log      *audit.Log   // records what was done; nil will do for a rehearsal
	Store    audit.Reader // of the log
	Keys     *seal.Keys   // all that there are
	Origin   string       // of the log
	Operator string       // who acts
	Now      func() time.Time

	holds holds
}

const (
	maxRemovals = 1000 // contents that go in one transaction
	atOnce      = 500  // terms that are looked for at a time
	maxTurns    = 100  // how often others may come first
)

// found returns the entries with one of some terms, the newest first.
func (r *Remover) found(ctx context.Context, terms []seal.Term, from, to int64) iter.Seq2[int64, error] {
	return audit.Found(ctx, r.Store, [][]seal.Term{terms}, from, to)
}

// entry is what is decided about: an entry without what is long.
type entry struct {
	audit.Entry
	seq   int64
	state audit.State
	terms []seal.Term // keyed, of its content
}

// read reads some entries.
func (r *Remover) read(ctx context.Context, from, to int64) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for record, err := range audit.Entries(ctx, r.Store, r.Keys, from, to) {
			e := entry{Entry: record.Entry, seq: record.Seq, state: record.State}
			if err == nil && record.Sealed != nil {
				e.terms, err = seal.Terms(record.Sealed)
			}
			if e.Kind != audit.Held {
				e.Detail = nil
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (r *Remover) readOne(ctx context.Context, seq int64) (entry, error) {
	for e, err := range r.read(ctx, seq, seq+1) {
		return e, err
	}
	return entry{}, fmt.Errorf("entry %d is missing: run: ward audit verify", seq)
}

// removable reports whether an entry has something that can be removed.
func (e *entry) removable() bool {
	return e.state == audit.Whole && e.HasContent() || e.state == audit.Locked
}

// transactions returns, by correlation, all entries with from <= seq < to of the
// transactions to which some entries belong.
func (r *Remover) transactions(ctx context.Context, entries []entry, from, to int64) (map[string][]entry, error) {
	all := make(map[string][]entry)
	var terms []seal.Term
	for i, e := range entries {
		_, have := all[e.Correlation]
		if e.Correlation != "" && !have {
			all[e.Correlation] = nil
			terms = append(terms, audit.TermsOf(r.Keys, audit.FieldCorrelation, e.Correlation)...)
		}
		if len(terms) == 0 || len(terms) < atOnce && i < len(entries)-1 {
			continue
		}
		for seq, err := range r.found(ctx, terms, from, to) {
			if err != nil {
				return nil, err
			}
			e, err := r.readOne(ctx, seq)
			if err != nil {
				return nil, err
			}
			_, wanted := all[e.Correlation]
			if wanted {
				all[e.Correlation] = append(all[e.Correlation], e)
			}
		}
		terms = terms[:0]
	}
	return all, nil
}

// turn is a claim that only one act can have: a hold, a release or a removal that
// knows of the same acts before it. So nothing is removed that was held since the
// holds were looked at, by whomever. It is taken before they are.
func (r *Remover) turn(ctx context.Context) (audit.Claim, error) {
	var terms []seal.Term
	for _, kind := range []audit.Kind{audit.Held, audit.Released, audit.Erased, audit.Expired} {
		terms = append(terms, audit.TermsOf(r.Keys, audit.FieldKind, string(kind))...)
	}
	newest := int64(-1)
	seqs, err := r.Store.Find(ctx, [][]seal.Term{terms}, 0, math.MaxInt64, 1)
	if err != nil {
		return audit.Claim{}, err
	}
	if len(seqs) > 0 {
		newest = seqs[0]
	}
	return audit.Claim{IDs: []string{fmt.Sprintf("act after entry %d", newest)}, Until: r.Now().Add(24 * time.Hour)}, nil
}

// openIntents are the questions that are under way or were left open, among the first
// size entries.
func (r *Remover) openIntents(ctx context.Context) (open map[int64]bool, size int64, err error) {
	head, err := r.Store.Head(ctx)
	if err != nil {
		return nil, 0, err
	}
	open = make(map[int64]bool)
	for _, o := range head.Open {
		open[o.Seq] = true
	}
	return open, head.Size, nil
}
