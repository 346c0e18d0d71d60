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
	h, err := r.HandOver(ctx, who, c, form)
	if err != nil {
		return err
	}
	n, err := h.search.oldest(ctx, yield)
	ended := h.Ended(ctx, n, err)
	if errors.Is(err, errStopped) {
		return nil // there is nobody to tell
	}
	return errors.Join(err, ended)
}

// HandOver is an export under way, which may be made by other means than Export.
type HandOver struct {
	reader *Reader
	who    Who
	search *search
	did    detail
}

// HandOver records that the entries which meet the criteria are about to be handed out
// in some form. Until it has returned no error none may be.
func (r *Reader) HandOver(ctx context.Context, who Who, c Criteria, form string) (*HandOver, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	s, err := r.search(ctx, c)
	if err != nil {
		return nil, err
	}
	did := detail{Did: "export", Form: form, Criteria: c, Searched: s.size}
	err = r.record(ctx, who, did, nil)
	if err != nil {
		return nil, err
	}
	return &HandOver{reader: r, who: who, search: s, did: did}, nil
}

// Size is the number of entries of the log when the handing out was recorded.
func (h *HandOver) Size() int64 { return h.search.size }

// Ended records how many entries were handed out, and whether these were all, which
// they were if there was no failure. It does so also when ctx has ended.
func (h *HandOver) Ended(ctx context.Context, entries int, failure error) error {
	did := h.did
	did.Did, did.Whole = "exported", failure == nil
	return h.reader.append(context.WithoutCancel(ctx), h.who, did, did.Criteria.NHSNumber, entries)
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
