package reading

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

const (
	scanSize = 1 << 10 // rows read at once where there are no terms to find them by

	// maxTransactions bounds how many transactions one message id may belong to. Only
	// a client that uses an id again and again comes near it.
	maxTransactions = 1000
)

// search looks for the entries that meet some criteria among the first size of a log.
type search struct {
	store        audit.Reader
	keys         *seal.Keys
	criteria     Criteria // in their normal form
	size         int64
	terms        [][]seal.Term
	transactions map[string]bool // that have the message of the criteria
	parts        []part          // of the log, where entries may meet them; rising
}

// part is a run of entries, of which those that are not old are found by their terms.
type part struct {
	from, to int64
	old      bool
}

// newSearch prepares a search. Entries of the first two versions of the form have no
// terms. They are the beginning of a log, and are read one by one.
func newSearch(ctx context.Context, store audit.Reader, keys *seal.Keys, c Criteria, size int64) (*search, error) {
	s := &search{store: store, keys: keys, criteria: c, size: size}
	old, err := oldEntries(ctx, store, size)
	if err != nil {
		return nil, err
	}
	if c.Message != "" {
		err := s.findTransactions(ctx, old)
		if err != nil {
			return nil, err
		}
	}
	s.terms = c.terms(keys, slices.Sorted(maps.Keys(s.transactions)))
	from, to := c.From, size
	if c.To > 0 {
		to = min(to, c.To)
	}
	s.parts = []part{{from, min(to, old), true}}
	spans, err := s.spans(ctx)
	if err != nil {
		return nil, err
	}
	for _, span := range spans {
		s.parts = append(s.parts, part{from: max(from, old, span.First), to: min(to, span.Last+1)})
	}
	return s, nil
}

// findTransactions finds the transactions to which a message belongs. The entries that
// end a transaction do not carry the ids with which it began.
func (s *search) findTransactions(ctx context.Context, old int64) error {
	message := Criteria{Message: s.criteria.Message}
	first := &search{store: s.store, keys: s.keys, criteria: message, size: s.size, terms: message.terms(s.keys, nil)}
	first.parts = []part{{0, old, true}, {old, s.size, false}}
	s.transactions = make(map[string]bool)
	for record, err := range first.newest(ctx, 0, s.size) {
		if err != nil {
			return err
		}
		if record.Entry.Correlation != "" {
			s.transactions[transaction(record.Entry.Correlation)] = true
		}
		if len(s.transactions) > maxTransactions {
			return fmt.Errorf("more than %d transactions have this message id, which is more than can be searched at once; "+
				"search by client and time instead, or by correlation", maxTransactions)
		}
	}
	return nil
}

// spans are the runs of entries in which some may be of the right time.
func (s *search) spans(ctx context.Context) ([]audit.Range, error) {
	if s.criteria.Since.IsZero() && s.criteria.Until.IsZero() {
		return []audit.Range{{First: 0, Last: s.size - 1}}, nil
	}
	since, until := int64(0), int64(1)<<62
	if !s.criteria.Since.IsZero() {
		since = s.criteria.Since.UnixMilli()
	}
	if !s.criteria.Until.IsZero() {
		until = s.criteria.Until.UnixMilli() + 1 // it may be later than the millisecond
	}
	stored, err := s.store.Spans(ctx, since, until)
	if err != nil {
		return nil, err
	}
	var runs []audit.Range
	for _, span := range stored {
		first := span.Number * audit.SpanSize
		if len(runs) > 0 && runs[len(runs)-1].Last == first-1 {
			runs[len(runs)-1].Last += audit.SpanSize
		} else {
			runs = append(runs, audit.Range{First: first, Last: first + audit.SpanSize - 1})
		}
	}
	return runs, nil
}

// newest returns the entries that meet the criteria with from <= seq < to, falling.
func (s *search) newest(ctx context.Context, from, to int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, p := range slices.Backward(s.parts) {
			p.from, p.to = max(p.from, from), min(p.to, to)
			look := s.find
			if p.old || len(s.terms) == 0 {
				look = s.scan
			}
			if !look(ctx, p, yield) {
				return
			}
		}
	}
}

// find yields what is found by its terms.
func (s *search) find(ctx context.Context, p part, yield func(audit.Record, error) bool) (more bool) {
	for seq, err := range audit.Found(ctx, s.store, s.terms, p.from, p.to) {
		var record audit.Record
		if err == nil {
			record, err = audit.EntryAt(ctx, s.store, s.keys, seq)
		}
		if (err != nil || s.meets(record)) && !yield(record, err) || err != nil {
			return false
		}
	}
	return true
}

// scan yields what is found by looking at every entry.
func (s *search) scan(ctx context.Context, p part, yield func(audit.Record, error) bool) (more bool) {
	for p.from < p.to {
		from, next := max(p.from, p.to-scanSize), max(p.from, p.to-scanSize)
		var met []audit.Record
		for record, err := range audit.Entries(ctx, s.store, s.keys, from, p.to) {
			if err == nil && record.Seq != next {
				err = audit.NoEntry(next)
			}
			if err != nil {
				yield(audit.Record{}, err)
				return false
			}
			next++
			if s.meets(record) {
				met = append(met, record)
			}
		}
		if next < p.to {
			yield(audit.Record{}, audit.NoEntry(next))
			return false
		}
		for _, record := range slices.Backward(met) {
			if !yield(record, nil) {
				return false
			}
		}
		p.to = from
	}
	return true
}

// oldEntries is how many of the first size entries of a log are of the first two
// versions of the form.
func oldEntries(ctx context.Context, store audit.Reader, size int64) (int64, error) {
	first, last := int64(0), size // the first that is not old is in this run, or is after it
	for at := int64(0); first < last; at = (first + last) / 2 {
		record, err := audit.EntryAt(ctx, store, nil, at)
		if err != nil {
			return 0, err
		}
		leaf, err := audit.ParseLeaf(record.Leaf)
		if err != nil {
			return 0, fmt.Errorf("audit: entry %d cannot be read: %w", at, err)
		}
		if leaf.Version < 3 {
			first = at + 1
		} else {
			last = at
		}
	}
	return first, nil
}
