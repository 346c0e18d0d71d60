package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hashes reads the hashes of a store's tree, so that the functions of tlog can
// make proofs of it. It reads one row for each hash and checks no hash: whoever
// is given a proof does. It is of use for as long as ctx is.
func Hashes(ctx context.Context, store Reader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index < 0 {
				return nil, fmt.Errorf("audit: there is no hash %d", index)
			}
			level, n := tlog.SplitStoredHashIndex(index)
			// The row of the subtree's last leaf, which completes it.
			seq := (n+1)<<level - 1
			row, err := readRow(ctx, store, seq)
			if err != nil {
				return nil, err
			}
			if len(row.Hashes) != hashCount(seq) {
				return nil, wrongCount(seq)
			}
			hashes[i] = row.Hashes[level]
		}
		return hashes, nil
	})
}
