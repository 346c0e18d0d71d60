package audit

import (
	"context"
	"iter"
)

// Of what is read ahead there are at most this many parts of this many rows, besides
// the one that is being read and the one that is being looked at.
const (
	partsAhead = 2
	rowsAPart  = 64
)

// ahead reads rows in a goroutine of its own, so that the store is read while what was
// read before is looked at. The goroutine has ended when the sequence has; read gets
// the context that ends it.
func ahead(ctx context.Context, read func(context.Context) iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	type part struct {
		rows []Row
		err  error // after the rows
	}
	return func(yield func(Row, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		parts := make(chan part, partsAhead)
		defer func() {
			cancel()
			for range parts { // until the goroutine has ended
			}
		}()
		go func() {
			defer close(parts)
			var p part
			for row, err := range read(ctx) {
				if p.err = err; err != nil {
					break
				}
				p.rows = append(p.rows, row)
				if len(p.rows) < rowsAPart {
					continue
				}
				select {
				case parts <- p:
				case <-ctx.Done():
					return
				}
				p = part{rows: make([]Row, 0, rowsAPart)}
			}
			select {
			case parts <- p:
			case <-ctx.Done():
			}
		}()
		for p := range parts {
			for _, row := range p.rows {
				if !yield(row, nil) {
					return
				}
			}
			if p.err != nil {
				yield(Row{}, p.err)
				return
			}
		}
		if err := ctx.Err(); err != nil { // what was read before it ended may be lost
			yield(Row{}, err)
		}
	}
}
