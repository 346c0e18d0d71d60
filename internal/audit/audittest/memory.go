// Package audittest helps to test audit stores and what uses them.
package audittest

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Memory is an audit.Store that is durable for as long as it is referred to.
// Its zero value is empty.
type Memory struct {
	mu     sync.Mutex
	turn   chan struct{} // holds one while somebody commits; nil until the first does
	head   audit.Head
	rows   []audit.Row
	terms  map[audit.TermRow]bool
	spans  map[int64]audit.Span
	claims map[audit.ClaimKey]int64
}

// Head implements audit.Reader.
func (m *Memory) Head(ctx context.Context) (audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	head := m.head
	head.Open = slices.Clone(m.head.Open)
	return head, ctx.Err()
}

// Rows implements audit.Reader.
func (m *Memory) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		m.mu.Lock()
		to := min(to, int64(len(m.rows)))
		rows := slices.Clone(m.rows[min(max(from, 0), max(to, 0)):max(to, 0)])
		m.mu.Unlock()
		for _, row := range rows {
			err := ctx.Err()
			if err != nil {
				yield(audit.Row{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Commit implements audit.Store.
func (m *Memory) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	turns := m.turns()
	select {
	case turns <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turns }()
	err := ctx.Err()
	if err != nil {
		return err
	}
	size := m.head.Size // of whoever has the turn
	g, err := compose(turn{m, size})
	if err == nil {
		err = g.Follows(size)
	}
	if err != nil {
		return err
	}
	m.add(g)
	return nil
}

func (m *Memory) turns() chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turn == nil {
		m.turn = make(chan struct{}, 1)
	}
	return m.turn
}

func (m *Memory) add(g audit.Group) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(m.rows, g.Rows...)
	m.head.Size += int64(len(g.Rows))
	m.head.Checkpoint = g.Checkpoint
	m.head.Open = slices.DeleteFunc(append(m.head.Open, g.Opened...), func(o audit.Opened) bool {
		return slices.ContainsFunc(g.Closed, func(c audit.Opened) bool { return c.Correlation == o.Correlation && o.Seq < c.Seq })
	})
	m.index(g)
	maps.DeleteFunc(m.claims, func(_ audit.ClaimKey, until int64) bool { return until < g.Forget })
	for _, claim := range g.Claims {
		if m.claims == nil {
			m.claims = make(map[audit.ClaimKey]int64)
		}
		m.claims[claim.Key] = claim.Until
	}
}

// index adds what makes entries found, and takes away contents with their terms.
func (m *Memory) index(g audit.Group) {
	if m.terms == nil {
		m.terms, m.spans = make(map[audit.TermRow]bool), make(map[int64]audit.Span)
	}
	for _, term := range g.Terms {
		m.terms[term] = true
	}
	for _, span := range g.Spans {
		have, ok := m.spans[span.Number]
		if ok {
			span.First, span.Last = min(span.First, have.First), max(span.Last, have.Last)
		}
		m.spans[span.Number] = span
	}
	for _, removal := range g.Removals {
		m.rows[removal.Seq].Sealed = nil
		for _, term := range removal.Terms {
			delete(m.terms, audit.TermRow{Term: term, Seq: removal.Seq})
		}
	}
}

// Find implements audit.Reader.
func (m *Memory) Find(ctx context.Context, all [][]seal.Term, from, to int64, limit int) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []int64
	for seq := min(to, m.head.Size) - 1; seq >= max(from, 0) && len(found) < limit; seq-- {
		has := func(term seal.Term) bool { return m.terms[audit.TermRow{Term: term, Seq: seq}] }
		if !slices.ContainsFunc(all, func(any []seal.Term) bool { return !slices.ContainsFunc(any, has) }) {
			found = append(found, seq)
		}
	}
	return found, ctx.Err()
}

// Terms implements audit.Reader.
func (m *Memory) Terms(ctx context.Context, block int64) ([]audit.TermRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var terms []audit.TermRow
	for term := range m.terms {
		if term.Block() == block {
			terms = append(terms, term)
		}
	}
	slices.SortFunc(terms, func(a, b audit.TermRow) int {
		return cmp.Or(cmp.Compare(a.Term, b.Term), cmp.Compare(a.Seq, b.Seq))
	})
	return terms, ctx.Err()
}

// Hashes implements audit.Reader.
func (m *Memory) Hashes(ctx context.Context, seqs []int64) ([][]tlog.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([][]tlog.Hash, len(seqs))
	for i, seq := range seqs {
		if seq < 0 || seq >= int64(len(m.rows)) {
			return nil, audit.NoEntry(seq)
		}
		all[i] = m.rows[seq].Hashes
	}
	return all, ctx.Err()
}

// Claims implements audit.Reader.
func (m *Memory) Claims(_ context.Context, after audit.ClaimKey) iter.Seq2[audit.ClaimRow, error] {
	return func(yield func(audit.ClaimRow, error) bool) {
		m.mu.Lock()
		claims := maps.Clone(m.claims)
		m.mu.Unlock()
		keys := slices.SortedFunc(maps.Keys(claims), func(a, b audit.ClaimKey) int { return bytes.Compare(a[:], b[:]) })
		for _, key := range keys {
			if bytes.Compare(key[:], after[:]) <= 0 {
				continue
			}
			if !yield(audit.ClaimRow{Key: key, Until: claims[key]}, nil) {
				return
			}
		}
	}
}

// Spans implements audit.Reader.
func (m *Memory) Spans(ctx context.Context, since, until int64) ([]audit.Span, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var spans []audit.Span
	for _, span := range m.spans {
		if span.Last >= since && span.First < until {
			spans = append(spans, span)
		}
	}
	slices.SortFunc(spans, func(a, b audit.Span) int { return cmp.Compare(a.Number, b.Number) })
	return spans, ctx.Err()
}

// turn is an audit.Turn.
type turn struct {
	m    *Memory
	size int64
}

// Size implements audit.Turn.
func (t turn) Size() int64 { return t.size }

// Checkpoint implements audit.Turn.
func (t turn) Checkpoint(ctx context.Context) ([]byte, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.m.head.Checkpoint, ctx.Err()
}

// Claimed implements audit.Turn.
func (t turn) Claimed(ctx context.Context, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	claimed := make(map[audit.ClaimKey]bool)
	for _, key := range keys {
		_, ok := t.m.claims[key]
		if ok {
			claimed[key] = true
		}
	}
	return claimed, ctx.Err()
}
