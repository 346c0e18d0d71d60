package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hashes reads the hashes of a store's tree, so that the functions of tlog can
// make proofs of it. It checks no hash: whoever is given a proof does. It is of use for
// as long as ctx is.
func Hashes(ctx context.Context, store Reader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		seqs, levels := make([]int64, len(indexes)), make([]int, len(indexes))
		for i, index := range indexes {
			if index < 0 {
				return nil, fmt.Errorf("audit: there is no hash %d", index)
			}
			level, n := tlog.SplitStoredHashIndex(index)
			// The row of the subtree's last leaf, which completes it.
			seqs[i], levels[i] = (n+1)<<level-1, level
		}
		return readHashes(ctx, store, seqs, levels)
	})
}

// readHashes reads of each row the hash of one level.
func readHashes(ctx context.Context, store Reader, seqs []int64, levels []int) ([]tlog.Hash, error) {
	stored, err := store.Hashes(ctx, seqs)
	if err != nil {
		return nil, err
	}
	hashes := make([]tlog.Hash, len(seqs))
	for i, seq := range seqs {
		if len(stored[i]) != hashCount(seq) {
			return nil, wrongCount(seq)
		}
		hashes[i] = stored[i][levels[i]]
	}
	return hashes, nil
}
