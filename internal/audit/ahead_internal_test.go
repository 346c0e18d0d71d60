package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// counted reads rows 0 to n-1, then fails with err, if any. It counts in *ended how often
// a reading has ended.
func counted(n int, err error, ended *int) func(context.Context) iter.Seq2[Row, error] {
	return func(ctx context.Context) iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			defer func() { *ended++ }()
			for seq := range n {
				if ctx.Err() != nil {
					yield(Row{}, ctx.Err())
					return
				}
				if !yield(Row{Seq: int64(seq)}, nil) {
					return
				}
			}
			if err != nil {
				yield(Row{}, err)
			}
		}
	}
}

// What is read ahead is what is read: all rows in their order, then the error, if any.
func TestReadingAheadIsReading(t *testing.T) {
	failure := errors.New("the disc is gone")
	for _, n := range []int{0, 1, rowsAPart - 1, rowsAPart, rowsAPart + 1, 5 * rowsAPart, 10*rowsAPart + 7} {
		for _, want := range []error{nil, failure} {
			t.Run(fmt.Sprintf("%d rows, then %v", n, want), func(t *testing.T) {
				var seqs []int64
				var got error
				ended := 0
				for row, err := range ahead(t.Context(), counted(n, want, &ended)) {
					if err != nil {
						got = err
						continue
					}
					seqs = append(seqs, row.Seq)
				}
				if len(seqs) != n || !slices.IsSorted(seqs) || n > 0 && seqs[n-1] != int64(n-1) {
					t.Errorf("%d rows, want 0 to %d in order", len(seqs), n-1)
				}
				if got != want {
					t.Errorf("the error is %v, want %v", got, want)
				}
				if ended != 1 {
					t.Errorf("%d readings have ended, want one", ended)
				}
			})
		}
	}
}

// Whoever stops early has stopped the reading, too, and can close the store.
func TestReadingAheadEndsWithItsReader(t *testing.T) {
	for _, after := range []int{1, rowsAPart, 3 * rowsAPart} {
		ended, n := 0, 0
		for range ahead(t.Context(), counted(100*rowsAPart, nil, &ended)) {
			n++
			if n == after {
				break
			}
		}
		if ended != 1 {
			t.Errorf("after %d rows %d readings have ended, want one", after, ended)
		}
	}
}

// A reading that is called off never looks like one that came to the end.
func TestReadingAheadThatIsCalledOff(t *testing.T) {
	for _, after := range []int{0, 1, rowsAPart, 2*rowsAPart + 1} {
		ctx, cancel := context.WithCancel(t.Context())
		if after == 0 {
			cancel()
		}
		ended, n := 0, 0
		var last error
		for _, err := range ahead(ctx, counted(100*rowsAPart, nil, &ended)) {
			last = err
			n++
			if n == after {
				cancel()
			}
		}
		cancel()
		if !errors.Is(last, context.Canceled) {
			t.Errorf("called off after %d rows, the last of %d is an error %v", after, n, last)
		}
		if ended != 1 {
			t.Errorf("%d readings have ended, want one", ended)
		}
	}
}
