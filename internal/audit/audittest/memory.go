// Package audittest helps to test audit stores and what uses them.
package audittest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wardsmsp/ward/internal/audit"
)

// Memory is an audit.Store that is durable for as long as it is referred to.
// Its zero value is empty.
type Memory struct {
	mu     sync.Mutex
	head   audit.Head
	rows   []audit.Row
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
		rows := m.rows // never changed, only added to
		m.mu.Unlock()
		for _, row := range rows {
			if row.Seq < from || row.Seq >= to {
				continue
			}
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
func (m *Memory) Commit(ctx context.Context, g audit.Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := ctx.Err()
	if err != nil {
		return err
	}
	if g.Base != m.head.Size {
		return audit.ErrMoved
	}
	m.rows = append(m.rows, g.Rows...)
	m.head.Size += int64(len(g.Rows))
	m.head.Checkpoint = g.Checkpoint
	m.head.Open = slices.DeleteFunc(append(m.head.Open, g.Opened...), func(seq int64) bool {
		return slices.Contains(g.Closed, seq)
	})
	maps.DeleteFunc(m.claims, func(_ audit.ClaimKey, until int64) bool { return until < g.Forget })
	for _, claim := range g.Claims {
		if m.claims == nil {
			m.claims = make(map[audit.ClaimKey]int64)
		}
		m.claims[claim.Key] = claim.Until
	}
	return nil
}

// Claimed implements audit.Store.
func (m *Memory) Claimed(ctx context.Context, keys []audit.ClaimKey) (map[audit.ClaimKey]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	claimed := make(map[audit.ClaimKey]bool)
	for _, key := range keys {
		_, ok := m.claims[key]
		if ok {
			claimed[key] = true
		}
	}
	return claimed, ctx.Err()
}
