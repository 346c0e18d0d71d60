package audit

import (
	"context"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of the Merkle tree: all that is needed to add a leaf
// and to know the root. node[i] is the root of the complete subtree of 1<<i
// leaves that ends the tree's part of that size; it is there when bit i of size
// is set. A copy of an edge is independent of it.
type edge struct {
	size int64
	node [63]tlog.Hash
}

// ReadHashes makes the edge a tlog.HashReader for the hashes that it holds.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if e.size>>level != n+1 || n&1 != 0 {
			return nil, fmt.Errorf("audit: hash %d of level %d is not on the edge of a tree of %d", n, level, e.size)
		}
		hashes[i] = e.node[level]
	}
	return hashes, nil
}

// add adds a leaf. It returns the hashes that the leaf completes: of the leaf,
// then of each subtree that ends with it, from the smallest.
func (e *edge) add(leaf []byte) ([]tlog.Hash, error) {
	hashes, err := tlog.StoredHashes(e.size, leaf, e)
	if err != nil {
		return nil, err
	}
	e.node[len(hashes)-1] = hashes[len(hashes)-1]
	e.size++
	return hashes, nil
}

func (e *edge) root() (tlog.Hash, error) { return tlog.TreeHash(e.size, e) }

// readEdge reads the edge of the tree of the store's first size entries.
func readEdge(ctx context.Context, store Reader, size int64) (edge, error) {
	e := edge{size: size}
	for level := range e.node {
		if size>>level&1 == 0 {
			continue
		}
		last := size>>level<<level - 1
		row, err := readRow(ctx, store, last)
		if err != nil {
			return edge{}, err
		}
		if len(row.Hashes) != hashCount(last) {
			return edge{}, wrongCount(last)
		}
		e.node[level] = row.Hashes[level]
	}
	return e, nil
}

func wrongCount(seq int64) error {
	return &Mismatch{First: seq, Last: seq, Reason: "does not have the number of hashes that its place in the tree asks for"}
}

// hashCount is the number of hashes stored with the entry seq.
func hashCount(seq int64) int { return 1 + bits.TrailingZeros64(uint64(seq+1)) }

func readRow(ctx context.Context, store Reader, seq int64) (Row, error) {
	for row, err := range store.Rows(ctx, seq, seq+1) {
		return row, err
	}
	return Row{}, &Mismatch{First: seq, Last: seq, Reason: "is missing"}
}
