package audit

import (
	"context"
	"iter"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// foundAtOnce is how many entries a store is asked for at a time.
const foundAtOnce = 1 << 8

// Found returns the sequence numbers, falling, of all entries with from <= seq < to that
// have one term of each list. The sequence ends at the first error.
func Found(ctx context.Context, store Reader, all [][]seal.Term, from, to int64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for {
			seqs, err := store.Find(ctx, all, from, to, foundAtOnce)
			if err != nil {
				yield(0, err)
				return
			}
			for _, seq := range seqs {
				if !yield(seq, nil) {
					return
				}
			}
			if len(seqs) < foundAtOnce {
				return
			}
			to = seqs[len(seqs)-1]
		}
	}
}

// EntryAt returns one entry of a store, opened if there are keys.
func EntryAt(ctx context.Context, store Reader, keys *seal.Keys, seq int64) (Record, error) {
	row, err := readRow(ctx, store, seq)
	if err != nil {
		return Record{}, err
	}
	return ReadRow(row, keys)
}
