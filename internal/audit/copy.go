package audit

import (
	"bytes"
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
// checkpoint, so both trees are equal. Until then the copy has its former checkpoint,
// or of a first copy that of the whole, and is refused as a log; Copy goes on from what
// there is, and Covered is what can be made of it.
//
// A copy of a store into an empty one is a backup, a restored backup, or a migration
// to another kind of store.
func Copy(ctx context.Context, from Reader, to Store, known note.Verifiers, origin string) (Copied, error) {
	done, err := CopyEntries(ctx, from, to, known, origin)
	if err != nil {
		return done, err
	}
	_, err = CopyClaims(ctx, from, to, 0)
	return done, err
}

// CopyEntries is Copy without the claims.
func CopyEntries(ctx context.Context, from Reader, to Store, known note.Verifiers, origin string) (Copied, error) {
	return (&copier{from: from, to: to, known: known, origin: origin}).copy(ctx)
}

// Covered is a store as far as its checkpoint goes: the beginning that can be relied on
// of a copy that was being brought up to another log, and was left at that. It is for
// Copy, which reads no more of the head than its size and checkpoint.
func Covered(store Reader, known note.Verifiers, origin string) Reader {
	return covered{store, known, origin}
}

type covered struct {
	Reader
	known  note.Verifiers
	origin string
}

func (s covered) Head(ctx context.Context) (Head, error) {
	head, err := s.Reader.Head(ctx)
	if err != nil || head.Size == 0 {
		return head, err
	}
	c, err := OpenCheckpoint(head.Checkpoint, s.known, s.origin)
	if err != nil {
		return Head{}, fmt.Errorf("the store: %w", err)
	}
	head.Size = min(head.Size, c.Size)
	return head, nil
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
	from    Reader
	to      Store
	known   note.Verifiers
	origin  string
	head    Head
	former  []byte      // checkpoint of the copy until it is whole again
	edge    merkle.Edge // of the copy
	lost    []Range     // of earlier entries, the contents that entries of this copy say were removed
	missing Missing     // contents that were gone when they were to be copied, and are not accounted for yet
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
	begins, err := readEdge(ctx, k.from, have.Size)
	if err != nil {
		return err
	}
	if begins.Root() != k.edge.Root() {
		return errors.New("audit: what the copy holds is not the beginning of the store: it is the copy of another log")
	}
	if have.Size == 0 {
		return nil
	}
	return k.resume(ctx, have)
}

// resume finds what an earlier copy that came to no end added, and did not take away.
func (k *copier) resume(ctx context.Context, have Head) error {
	k.former = have.Checkpoint
	whole, err := OpenCheckpoint(have.Checkpoint, k.known, k.origin)
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	for row, err := range rows(ctx, k.to, whole.Size, have.Size) {
		if err != nil {
			return fmt.Errorf("the copy: %w", err)
		}
		leaf, err := parseRow(row)
		if err != nil {
			return fmt.Errorf("the copy: %w", err)
		}
		k.lose(&leaf.Entry)
	}
	return nil
}

// lose notes what an entry says was removed.
func (k *copier) lose(e *Entry) {
	if e.Kind == Erased || e.Kind == Expired {
		k.lost = append(k.lost, e.Removed...)
	}
}

// entries copies in groups. Nothing is being read of the store while one is committed,
// which may take long. All but the last have the former checkpoint and take nothing
// away, so that what this covers stays whole until there is more that is.
func (k *copier) entries(ctx context.Context) error {
	for {
		g := Group{Base: k.edge.Size, Checkpoint: k.former}
		for row, err := range k.from.Rows(ctx, g.Base, min(g.Base+copied, k.head.Size)) {
			if err != nil {
				return err
			}
			err = k.add(&g, row)
			if err != nil {
				return err
			}
		}
		last := k.edge.Size == k.head.Size
		if !last && len(g.Rows) < copied {
			return missing(k.edge.Size, k.head.Size-1)
		}
		if last && len(g.Rows) == 0 && bytes.Equal(k.former, k.head.Checkpoint) {
			return nil
		}
		if last || k.former == nil {
			g.Checkpoint = k.head.Checkpoint
		}
		err := k.commit(ctx, &g, last)
		if err != nil || last {
			return err
		}
	}
}

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
	default:
		k.lose(e)
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

// commit takes, with the last group, the contents that are gone from what the copy held
// before. Those of the group itself came without them.
func (k *copier) commit(ctx context.Context, g *Group, last bool) error {
	slices.SortFunc(g.Terms, compareTerms)
	if last {
		for _, r := range k.lost {
			err := k.remove(ctx, g, Range{r.First, min(r.Last, g.Base-1)})
			if err != nil {
				return err
			}
		}
		k.lost, k.former = nil, k.head.Checkpoint
	}
	return k.to.Commit(ctx, func(Turn) (Group, error) { return *g, nil })
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

// errHad is what composing a group of claims ends with if the copy has them all.
var errHad = errors.New("audit: the copy has these claims")

// CopyClaims adds to a copy the claims of a store, a part at a time. Where it adds some
// it forgets others that ended before a Unix time, if one is given. It returns when the
// first of the store's ends: what ended before, the store itself has forgotten.
func CopyClaims(ctx context.Context, from Reader, to Store, forget int64) (first int64, err error) {
	head, err := to.Head(ctx)
	if err != nil {
		return 0, err
	}
	var after ClaimKey
	for {
		part, err := claimsAfter(ctx, from, after)
		if err != nil || len(part) == 0 {
			return first, err
		}
		for _, claim := range part {
			if first == 0 || claim.Until < first {
				first = claim.Until
			}
		}
		after = part[len(part)-1].Key
		err = to.Commit(ctx, func(turn Turn) (Group, error) {
			g := Group{Base: head.Size, Checkpoint: head.Checkpoint, Forget: forget}
			g.Claims, err = unclaimed(ctx, turn, part)
			if err == nil && len(g.Claims) == 0 {
				err = errHad
			}
			return g, err
		})
		if err != nil && !errors.Is(err, errHad) {
			return first, err
		}
		if len(part) < copied {
			return first, nil
		}
	}
}

func claimsAfter(ctx context.Context, store Reader, after ClaimKey) ([]ClaimRow, error) {
	var part []ClaimRow
	for claim, err := range store.Claims(ctx, after) {
		if err != nil {
			return nil, err
		}
		part = append(part, claim)
		if len(part) == copied {
			break
		}
	}
	return part, nil
}

// unclaimed are those claims that a store does not have.
func unclaimed(ctx context.Context, turn Turn, claims []ClaimRow) ([]ClaimRow, error) {
	keys := make([]ClaimKey, len(claims))
	for i, c := range claims {
		keys[i] = c.Key
	}
	have, err := turn.Claimed(ctx, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(claims), func(c ClaimRow) bool { return have[c.Key] }), nil
}
