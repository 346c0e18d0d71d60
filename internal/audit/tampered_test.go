package audit_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// tampered is what a store holds, to be changed as nobody should.
type tampered struct {
	head  audit.Head
	rows  []audit.Row
	terms []audit.TermRow // all of one block
	spans []audit.Span
}

// Find implements audit.Reader; verifying finds nothing by its terms.
func (s *tampered) Find(context.Context, [][]seal.Term, int64, int64, int) ([]int64, error) {
	return nil, errors.ErrUnsupported
}

// Hashes implements audit.Reader; verifying reads whole rows.
func (s *tampered) Hashes(context.Context, []int64) ([][]tlog.Hash, error) {
	return nil, errors.ErrUnsupported
}

// Claims implements audit.Reader; verifying reads none.
func (s *tampered) Claims(context.Context, audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	return nil
}

func (s *tampered) Terms(context.Context, int64) ([]audit.TermRow, error) { return s.terms, nil }

func (s *tampered) Spans(context.Context, int64, int64) ([]audit.Span, error) { return s.spans, nil }

func (s *tampered) Head(context.Context) (audit.Head, error) { return s.head, nil }

func (s *tampered) Rows(_ context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		for _, row := range s.rows {
			if row.Seq >= from && row.Seq < to && !yield(row, nil) {
				return
			}
		}
	}
}

// load reads a whole store; copies of it can be changed on their own.
func load(t *testing.T, path string) *tampered {
	t.Helper()
	store, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	terms, err := store.Terms(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	spans, err := store.Spans(t.Context(), math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return &tampered{head, allRows(t, store), terms, spans}
}

func (s *tampered) copy() *tampered {
	c := &tampered{s.head, slices.Clone(s.rows), slices.Clone(s.terms), slices.Clone(s.spans)}
	c.head.Checkpoint = slices.Clone(s.head.Checkpoint)
	c.head.Open = slices.Clone(s.head.Open)
	for i := range c.rows {
		c.rows[i].Leaf = slices.Clone(c.rows[i].Leaf)
		c.rows[i].Sealed = slices.Clone(c.rows[i].Sealed)
		c.rows[i].Hashes = slices.Clone(c.rows[i].Hashes)
	}
	return c
}

// rehash makes the stored hashes those of the leaves, as someone would who
// knows how the log works but has no key.
func (s *tampered) rehash(t *testing.T) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			found = append(found, hashes[i])
		}
		return found, nil
	})
	for i := range s.rows {
		added, err := tlog.StoredHashes(int64(i), s.rows[i].Leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		s.rows[i].Hashes = added
		hashes = append(hashes, added...)
	}
	s.head.Size = int64(len(s.rows))
}

// renumber gives the rows and their leaves the sequence numbers of their places.
func (s *tampered) renumber(t *testing.T) {
	for i := range s.rows {
		leaf, err := audit.ParseLeaf(s.rows[i].Leaf)
		if err != nil {
			t.Fatal(err)
		}
		leaf.Seq, s.rows[i].Seq = int64(i), int64(i)
		s.rows[i].Leaf = audit.AppendLeaf(leaf)
	}
}

// history is a log of 11 entries with checkpoints exported at 0, 4, 8 and 11.
func history(t *testing.T) (store *tampered, k keys, checkpoints string) {
	t.Helper()
	k = newKeys(t)
	path, checkpoints := seeded(t, k, 4)
	extend(t, k, path, checkpoints, 4)
	extend(t, k, path, checkpoints, 3)
	return load(t, path), k, checkpoints
}

// newRow is a row that nobody appended.
func newRow(t *testing.T, seq int64) audit.Row {
	row, _ := audit.NewRow(seq, refused(""), audittest.Keys())
	return row
}

// opened are open intents of sample entries.
func opened(seqs ...int64) []audit.Opened {
	var open []audit.Opened
	for _, seq := range seqs {
		open = append(open, audit.Opened{Seq: seq, Correlation: sample(seq).Correlation})
	}
	return open
}
