package audit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// index follows what a store must hold beside the entries for them to be found: the
// terms of one block, and all spans.
type index struct {
	block int64
	terms []TermRow
	late  map[int64]bool // entries of the block whose content went after it was read
	spans []Span
}

// add takes the next entry. Entries of the first two versions are found without an
// index.
func (x *index) add(ctx context.Context, v *verifier, row Row, leaf *Leaf) error {
	if row.Seq/BlockSize != x.block {
		err := x.compareTerms(ctx, v)
		if err != nil {
			return err
		}
		x.block, x.terms, x.late = row.Seq/BlockSize, x.terms[:0], nil
	}
	terms, err := leaf.terms(row)
	if err != nil {
		return err
	}
	for _, term := range terms {
		x.terms = append(x.terms, TermRow{term, row.Seq})
	}
	if leaf.Version > 2 {
		x.spans = widen(x.spans, row.Seq, leaf.Entry.Time.UnixMilli())
	}
	return nil
}

// terms are those that a store must hold for a row. Entries of the first two versions
// are found without.
func (l *Leaf) terms(row Row) ([]seal.Term, error) {
	if l.Version < 3 {
		return nil, nil
	}
	terms := l.Entry.publicTerms()
	if row.Sealed == nil {
		return terms, nil
	}
	personal, err := seal.Terms(row.Sealed)
	if err != nil {
		return nil, &Mismatch{First: row.Seq, Last: row.Seq, Reason: "has a content that cannot be read: " + err.Error()}
	}
	return set(append(terms, personal...)), nil
}

// RemovalOf takes its content from a row. Of the keyed terms it leaves those that by
// chance are also terms of the leaf.
func RemovalOf(row Row) (Removal, error) {
	leaf, err := parseRow(row)
	if err != nil {
		return Removal{}, err
	}
	personal, err := seal.Terms(row.Sealed)
	if err != nil {
		return Removal{}, &Mismatch{First: row.Seq, Last: row.Seq, Reason: "has a content that cannot be read: " + err.Error()}
	}
	public := leaf.Entry.publicTerms()
	return Removal{Seq: row.Seq, Terms: slices.DeleteFunc(personal, func(t seal.Term) bool { return slices.Contains(public, t) })}, nil
}

// compare holds what was collected, and not compared yet, against what is stored.
func (x *index) compare(ctx context.Context, v *verifier) error {
	err := x.compareTerms(ctx, v)
	if err != nil {
		return err
	}
	return x.compareSpans(ctx, v)
}

func (x *index) compareTerms(ctx context.Context, v *verifier) error {
	stored, err := v.store.Terms(ctx, x.block)
	if err != nil {
		return fmt.Errorf("audit: the index of entries %d to %d cannot be read: %w", x.block*BlockSize, (x.block+1)*BlockSize-1, err)
	}
	slices.SortFunc(x.terms, compareTerms)
	want := x.terms
	for _, have := range stored {
		for len(want) > 0 && compareTerms(want[0], have) < 0 {
			err := x.lost(ctx, v, want[0])
			if err != nil {
				return err
			}
			want = want[1:]
		}
		switch {
		case len(want) > 0 && want[0] == have:
			want = want[1:]
		case have.Seq < v.edge.Size || have.Block() != x.block: // others have come since
			return &Mismatch{First: have.Seq, Last: have.Seq, Reason: "is in the index for what is not in it"}
		}
	}
	for _, missing := range want {
		err := x.lost(ctx, v, missing)
		if err != nil {
			return err
		}
	}
	return nil
}

// lost decides about a term that is not stored: its content may have been removed
// since it was read.
func (x *index) lost(ctx context.Context, v *verifier, term TermRow) error {
	row, err := readRow(ctx, v.store, term.Seq)
	if err != nil {
		return err
	}
	leaf, err := parseRow(row)
	if err != nil {
		return err
	}
	if leaf.Entry.HasContent() && row.Sealed == nil && !slices.Contains(leaf.Entry.publicTerms(), term.Term) {
		if !x.late[row.Seq] {
			class := leaf.Entry.Kind.Class()
			if !v.accounted.has(row.Seq, class) {
				v.missing.Add(row.Seq, class)
			}
			if x.late == nil {
				x.late = make(map[int64]bool)
			}
			x.late[row.Seq] = true
		}
		return nil
	}
	return &Mismatch{First: term.Seq, Last: term.Seq, Reason: "is not in the index for what is in it: it would not be found"}
}

func (x *index) compareSpans(ctx context.Context, v *verifier) error {
	stored, err := v.store.Spans(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		return fmt.Errorf("audit: the times of the entries cannot be read: %w", err)
	}
	want := x.spans
	for _, have := range stored {
		first := have.Number * SpanSize
		if first >= v.edge.Size {
			break // it has come since
		}
		wrong := &Mismatch{First: first, Last: min(first+SpanSize, v.edge.Size) - 1, Reason: "have other times than the store says: they would not be found"}
		if len(want) == 0 || have.Number < want[0].Number {
			return wrong
		}
		if have.Number > want[0].Number {
			break
		}
		if have.First > want[0].First || have.Last < want[0].Last {
			return wrong
		}
		if have != want[0] {
			widest, err := widened(ctx, v, want[0])
			if err != nil {
				return err
			}
			if have.First < widest.First || have.Last > widest.Last {
				return wrong
			}
		}
		want = want[1:]
	}
	if len(want) > 0 {
		first := want[0].Number * SpanSize
		return &Mismatch{First: first, Last: min(first+SpanSize, v.edge.Size) - 1, Reason: "are in no span: they would not be found by time"}
	}
	return nil
}

// widened is a span with those of its entries that have come since.
func widened(ctx context.Context, v *verifier, span Span) (Span, error) {
	now, err := v.store.Head(ctx)
	if err != nil {
		return Span{}, err
	}
	spans := []Span{span}
	for row, err := range rows(ctx, v.store, v.edge.Size, min(now.Size, (span.Number+1)*SpanSize)) {
		if err != nil {
			return Span{}, err
		}
		leaf, err := parseRow(row)
		if err != nil {
			return Span{}, err
		}
		spans = widen(spans, row.Seq, leaf.Entry.Time.UnixMilli())
	}
	return spans[0], nil
}
