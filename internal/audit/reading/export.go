package reading

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/wardsmsp/ward/internal/audit"
)

// exportSize is how much of the log an export looks through at once.
const exportSize = 1 << 12

// Export returns every entry that meets the criteria, the oldest first, to be handed
// out in some form. It is recorded twice: before the first entry is returned, and with
// the number of entries when it has ended, in whatever way. It ends at the first error.
func (r *Reader) Export(ctx context.Context, who Who, c Criteria, form string) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		err := r.export(ctx, who, c, form, func(record audit.Record) bool { return yield(record, nil) })
		if err != nil {
			yield(audit.Record{}, err)
		}
	}
}

// errStopped ends an export of which no more is wanted.
var errStopped = errors.New("no more is wanted")

func (r *Reader) export(ctx context.Context, who Who, c Criteria, form string, yield func(audit.Record) bool) error {
	c, err := c.normal()
	if err != nil {
		return err
	}
	s, err := r.search(ctx, c)
	if err != nil {
		return err
	}
	did := detail{Did: "export", Form: form, Criteria: c, Searched: s.size}
	err = r.record(ctx, who, did, nil)
	if err != nil {
		return err
	}
	n, err := s.oldest(ctx, yield)
	did.Did, did.Whole = "exported", err == nil
	// Whatever ended it, what was handed out is recorded.
	ended := r.append(context.WithoutCancel(ctx), who, did, c.NHSNumber, n)
	if errors.Is(err, errStopped) {
		return nil // there is nobody to tell
	}
	return errors.Join(err, ended)
}

// oldest yields the entries that meet the criteria, rising, and returns how many.
func (s *search) oldest(ctx context.Context, yield func(audit.Record) bool) (n int, err error) {
	end := s.size
	if s.criteria.To > 0 {
		end = min(end, s.criteria.To)
	}
	for from := s.criteria.From; from < end; from += exportSize {
		var met []audit.Record
		for record, err := range s.newest(ctx, from, from+exportSize) {
			if err != nil {
				return n, err
			}
			met = append(met, record)
		}
		for _, record := range slices.Backward(met) {
			n++
			if !yield(record) {
				return n, errStopped
			}
		}
	}
	return n, nil
}
