package audit

import (
	"context"
	"math/bits"

	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// readEdge reads the edge of the tree of the store's first size entries.
func readEdge(ctx context.Context, store Reader, size int64) (merkle.Edge, error) {
	e := merkle.Edge{Size: size}
	var seqs []int64
	var levels []int
	for level := range e.Node {
		if size>>level&1 != 0 {
			seqs, levels = append(seqs, size>>level<<level-1), append(levels, level)
		}
	}
	hashes, err := readHashes(ctx, store, seqs, levels)
	if err != nil {
		return merkle.Edge{}, err
	}
	for i, level := range levels {
		e.Node[level] = hashes[i]
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
