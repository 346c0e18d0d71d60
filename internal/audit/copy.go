package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// copied is how many entries one commit of a copy holds.
const copied = 2048

// Copied is what Copy did.
type Copied struct {
	Before, After int64 // entries in the copy
	Checkpoint    Checkpoint
}

// Copy brings a store up to another one, which may be in use meanwhile, of the same
// kind or not: it adds the entries that are missing, with their terms and spans, takes
// away the contents that the other has lost since, and adds the claims. What is in the
// copy already must be the beginning of the other. Every entry that is added is
// checked, and at the end the root of the copy is that of the other's signed
// checkpoint, so both trees are equal. Until then the copy has the checkpoint of the
// whole and is refused as a log; Copy goes on from what there is.
//
// A copy of a store into an empty one is a backup, a restored backup, or a migration
// to another kind of store.
func Copy(ctx context.Context, from Reader, to Store, known note.Verifiers, origin string) (Copied, error) {
	return (&copier{from: from, to: to, known: known, origin: origin, withClaims: true}).copy(ctx)
}

// CopyEntries is Copy without the claims, of which all must be read each time: it costs
// little where few entries are missing.
func CopyEntries(ctx context.Context, from Reader, to Store, known note.Verifiers, origin string) (Copied, error) {
	return (&copier{from: from, to: to, known: known, origin: origin}).copy(ctx)
}

func (k *copier) copy(ctx context.Context) (Copied, error) {
	c, err := k.look(ctx)
	if err != nil {
		return Copied{}, err
	}
	err = k.begin(ctx)
	if err != nil {
		return Copied{}, err
	}
	done := Copied{Before: k.edge.Size, Checkpoint: c}
	for {
		err = k.entries(ctx)
		if err != nil {
			return done, err
		}
		done.After = k.edge.Size
		if k.edge.Root() != c.Root || k.edge.Size != c.Size {
			return done, &Mismatch{First: done.Before, Last: max(done.Before, c.Size-1), Reason: "not those of the signed checkpoint"}
		}
		if k.missing.Mismatch() == nil {
			return done, nil
		}
		// What was removed while this ran is accounted for by an entry that came
		// meanwhile, without which the copy would not verify.
		c, err = k.look(ctx)
		if err != nil {
			return done, err
		}
		if c.Size == done.After {
			return done, nil // it is for Verify to say what is wrong
		}
		done.Checkpoint = c
	}
}

// copier copies the entries that a head covers.
type copier struct {
	from       Reader
	to         Store
	known      note.Verifiers
	origin     string
	withClaims bool
	head       Head
	edge       merkle.Edge // of the copy
	lost       []Range     // of earlier entries, the contents that entries of this copy say were removed
	missing    Missing     // contents that were gone when they were to be copied, and are not accounted for yet
}

// look finds out what there is to be copied, and opens its checkpoint.
func (k *copier) look(ctx context.Context) (Checkpoint, error) {
	head, err := k.from.Head(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := OpenCheckpoint(head.Checkpoint, k.known, k.origin)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the store: %w", err)
	}
	if c.Size != head.Size {
		return Checkpoint{}, fmt.Errorf("audit: the store holds %d entries but its checkpoint covers %d", head.Size, c.Size)
	}
	k.head = head
	return c, nil
}

// begin checks that what the copy holds is the beginning of the store.
func (k *copier) begin(ctx context.Context) error {
	have, err := k.to.Head(ctx)
	if err != nil {
		return err
	}
	if have.Size > k.head.Size {
		return fmt.Errorf("audit: the copy holds %d entries, the store %d: is it the copy of another, or newer?", have.Size, k.head.Size)
	}
	k.edge, err = readEdge(ctx, k.to, have.Size)
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	err = beginsWith(ctx, k.from, k.head.Size, Checkpoint{Size: have.Size, Root: k.edge.Root()})
	if err != nil {
		return errors.New("audit: what the copy holds is not the beginning of the store: it is the copy of another log")
	}
	return nil
}

// entries copies in groups. The last also brings the claims, if they are copied.
func (k *copier) entries(ctx context.Context) error {
	g := k.group()
	for row, err := range rows(ctx, k.from, k.edge.Size, k.head.Size) {
		if err != nil {
			return err
		}
		err = k.add(&g, row)
		if err != nil {
			return err
		}
		if len(g.Rows) == copied {
			err := k.commit(ctx, &g)
			if err != nil {
				return err
			}
			g = k.group()
		}
	}
	if k.edge.Size < k.head.Size {
		return missing(k.edge.Size, k.head.Size-1)
	}
	if k.withClaims {
		err := k.claims(ctx, &g)
		if err != nil {
			return err
		}
	}
	return k.commit(ctx, &g)
}

func (k *copier) group() Group { return Group{Base: k.edge.Size, Checkpoint: k.head.Checkpoint} }

func (k *copier) add(g *Group, row Row) error {
	leaf, err := parseRow(row)
	if err != nil {
		return err
	}
	if row.Seq != k.edge.Size {
		return missing(k.edge.Size, row.Seq-1)
	}
	hashes := k.edge.Add(row.Leaf, nil)
	if !slices.Equal(hashes, row.Hashes) {
		return &Mismatch{First: row.Seq, Last: row.Seq, Reason: "does not have the hashes stored with it: it or they were changed"}
	}
	g.Rows = append(g.Rows, row)
	err = g.index(row, leaf)
	if err != nil {
		return err
	}
	if leaf.Entry.HasContent() && row.Sealed == nil {
		k.missing.Add(row.Seq, leaf.Entry.Kind.Class())
	}
	k.missing.Account(&leaf.Entry)
	switch e := &leaf.Entry; {
	case e.Kind == Intent:
		g.Opened = append(g.Opened, Opened{row.Seq, e.Correlation})
	case e.Kind.closes():
		g.Closed = append(g.Closed, Opened{row.Seq, e.Correlation})
	case e.Kind == Erased || e.Kind == Expired:
		k.lost = append(k.lost, e.Removed...)
	}
	return nil
}

// index adds the terms and the time of an entry, which need no key.
func (g *Group) index(row Row, leaf Leaf) error {
	terms, err := leaf.terms(row)
	if err != nil {
		return err
	}
	for _, term := range terms {
		g.Terms = append(g.Terms, TermRow{term, row.Seq})
	}
	if leaf.Version > 2 {
		g.Spans = widen(g.Spans, row.Seq, leaf.Entry.Time.UnixMilli())
	}
	return nil
}

// commit also takes from what the copy held before the contents that are gone. Those
// of the group itself came without them.
func (k *copier) commit(ctx context.Context, g *Group) error {
	slices.SortFunc(g.Terms, compareTerms)
	for _, r := range k.lost {
		err := k.remove(ctx, g, Range{r.First, min(r.Last, g.Base-1)})
		if err != nil {
			return err
		}
	}
	k.lost = nil
	return k.to.Commit(ctx, func(turn Turn) (Group, error) {
		err := g.unclaimed(ctx, turn)
		return *g, err
	})
}

// unclaimed leaves out the claims that the copy has.
func (g *Group) unclaimed(ctx context.Context, turn Turn) error {
	var claims []ClaimRow
	for batch := range slices.Chunk(g.Claims, copied) {
		keys := make([]ClaimKey, len(batch))
		for i, c := range batch {
			keys[i] = c.Key
		}
		have, err := turn.Claimed(ctx, keys)
		if err != nil {
			return err
		}
		for _, c := range batch {
			if !have[c.Key] {
				claims = append(claims, c)
			}
		}
	}
	g.Claims = claims
	return nil
}

// remove removes from the copy what of a run of its entries the store has no content
// for any more.
func (k *copier) remove(ctx context.Context, g *Group, r Range) error {
	for row, err := range rows(ctx, k.to, r.First, r.Last+1) {
		if err != nil {
			return err
		}
		if row.Sealed == nil {
			continue
		}
		original, err := readRow(ctx, k.from, row.Seq)
		if err != nil {
			return err
		}
		if original.Sealed != nil {
			continue // under a hold, or of another class
		}
		removal, err := RemovalOf(row)
		if err != nil {
			return err
		}
		g.Removals = append(g.Removals, removal)
	}
	return nil
}

// claims adds all claims of the store. The copy may forget what the store has.
func (k *copier) claims(ctx context.Context, g *Group) error {
	for claim, err := range k.from.Claims(ctx) {
		if err != nil {
			return err
		}
		if len(g.Claims) == 0 || claim.Until < g.Forget {
			g.Forget = claim.Until
		}
		g.Claims = append(g.Claims, claim)
	}
	return nil
}
