package reading

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/indexkeys"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

const (
	// maxEntries bounds the entries about one person, and the readings in a list.
	maxEntries = 100_000

	transactionsAtOnce = 1000 // are looked for with one search
)

// person is what the log holds about one person: the entries that name them, and the
// rest of their transactions, which may not name them, or no longer do.
type person struct {
	store        audit.Reader
	keys         *seal.Keys
	number       string
	size         int64           // of the log
	records      []audit.Record  // rising, each without leaf, sealed content and detail
	transactions map[string]bool // of the records
}

// about collects what the log holds about a person. An entry whose key is not at hand
// is about them if it has their term.
func (r *Reader) about(ctx context.Context, number string) (*person, error) {
	missing, err := indexkeys.Missing(ctx, r.store, r.keys)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("what is known of this person would not be complete: entries were also indexed under the keys %s; put them back in audit.index_keys",
			strings.Join(missing, ", "))
	}
	s, err := r.search(ctx, Criteria{NHSNumber: number})
	if err != nil {
		return nil, err
	}
	p := &person{store: r.store, keys: r.keys, number: number, size: s.size, transactions: make(map[string]bool)}
	err = p.add(s.newest(ctx, 0, s.size))
	if err != nil {
		return nil, err
	}
	for _, record := range p.records {
		if record.Entry.Correlation != "" {
			p.transactions[transaction(record.Entry.Correlation)] = true
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(p.transactions)), transactionsAtOnce) {
		err := p.add(p.rest(ctx, some))
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(p.records, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	p.records = slices.CompactFunc(p.records, func(a, b audit.Record) bool { return a.Seq == b.Seq })
	return p, nil
}

// add adds entries. A detail, which may be long, is of no use here.
func (p *person) add(records iter.Seq2[audit.Record, error]) error {
	for record, err := range records {
		if err != nil {
			return err
		}
		if len(p.records) == maxEntries {
			return fmt.Errorf("more than %d entries are about this person: ask for help, since that is not usual", maxEntries)
		}
		record.Sealed, record.Leaf, record.Entry.Detail = nil, nil, nil
		p.records = append(p.records, record)
	}
	return nil
}

// rest are the entries of some transactions that do not name somebody else.
func (p *person) rest(ctx context.Context, transactions []string) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		s, err := newSearch(ctx, p.store, p.keys, Criteria{}, p.size)
		if err != nil {
			yield(audit.Record{}, err)
			return
		}
		var terms []seal.Term
		for _, correlation := range transactions {
			terms = append(terms, idTerms(audit.FieldCorrelation, correlation)...)
		}
		s.terms = [][]seal.Term{terms}
		for record, err := range s.newest(ctx, 0, p.size) {
			e := &record.Entry
			wanted := e.Correlation != "" && p.transactions[transaction(e.Correlation)] && is(e.NHSNumber, p.number)
			if (err != nil || wanted) && !yield(record, err) {
				return
			}
		}
	}
}

// before are the entries with a smaller sequence number.
func (p *person) before(seq int64) []audit.Record {
	n, _ := p.find(seq)
	return p.records[:n]
}

// within are the sequence numbers from first to last of entries about the person.
func (p *person) within(first, last int64) []int64 {
	from, _ := p.find(first)
	var seqs []int64
	for _, record := range p.records[from:] {
		if record.Seq > last {
			break
		}
		seqs = append(seqs, record.Seq)
	}
	return seqs
}

func (p *person) find(seq int64) (int, bool) {
	return slices.BinarySearchFunc(p.records, seq, func(r audit.Record, seq int64) int { return cmp.Compare(r.Seq, seq) })
}
