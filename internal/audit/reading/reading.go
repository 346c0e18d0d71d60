// Package reading reads the audit log for people: it searches it, shows entries and
// whole transactions, and lists who asked about a person and who saw what the log holds
// about them. Every reading is itself recorded in the log, with who read, what
// for, by which criteria, and which entries they were shown, before anything is handed
// out (IG-3.9.3b). What cannot be recorded is not shown.
package reading

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/indexkeys"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Reader reads a log. It may be used by several goroutines.
type Reader struct {
	store audit.Reader
	keys  *seal.Keys
	log   Recorder
	now   func() time.Time
}

// New returns a Reader of a log: of its store, with its keys.
func New(store audit.Reader, keys *seal.Keys, log Recorder) *Reader {
	return &Reader{store: store, keys: keys, log: log, now: time.Now}
}

// Who reads, and what for.
type Who struct {
	Operator string // required
	Purpose  string // as they say
	Remote   string // their network address or machine
}

// The sizes of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Page says which part of what a search finds is wanted.
type Page struct {
	Limit  int    // entries, at most MaxLimit; 0 means DefaultLimit
	Cursor string // Next of the page before; "" for the first page
}

// Result is one page of what a search found.
type Result struct {
	Records  []audit.Record // the newest first
	Next     string         // the cursor of the next page, "" if this is the last
	Searched int64          // entries of the log, from the first on, that were searched

	// Missing are the ids of index keys that are not at hand although the log was
	// indexed under them: what was, could not be found by a person.
	Missing []string
}

// Search returns one page of the entries that meet the criteria. No page shows an entry
// twice or leaves one out, whatever is recorded meanwhile.
//
// An entry whose content cannot be read, since it was destroyed or its key is not at
// hand, is returned with its State where it is found by what else is sought.
func (r *Reader) Search(ctx context.Context, who Who, c Criteria, page Page) (Result, error) {
	c, err := c.normal()
	if err != nil {
		return Result{}, err
	}
	switch {
	case page.Limit < 0 || page.Limit > MaxLimit:
		return Result{}, fmt.Errorf("a page has 1 to %d entries", MaxLimit)
	case page.Limit == 0:
		page.Limit = DefaultLimit
	}
	name, err := c.name(r.keys)
	if err != nil {
		return Result{}, err
	}
	head, err := r.store.Head(ctx)
	if err != nil {
		return Result{}, err
	}
	at := cursor{size: head.Size, before: head.Size}
	if page.Cursor != "" {
		at, err = parseCursor(page.Cursor, name, head.Size)
		if err != nil {
			return Result{}, err
		}
	}
	s, err := newSearch(ctx, r.store, r.keys, c, at.size)
	if err != nil {
		return Result{}, err
	}
	result := Result{Searched: at.size}
	if c.NHSNumber != "" || c.User != "" || c.Authority != "" {
		result.Missing, err = indexkeys.Missing(ctx, r.store, r.keys)
		if err != nil {
			return Result{}, err
		}
	}
	for record, err := range s.newest(ctx, 0, at.before) {
		if err != nil {
			return Result{}, err
		}
		if len(result.Records) == page.Limit {
			result.Next = cursor{at.size, result.Records[page.Limit-1].Seq}.encode(name)
			break
		}
		result.Records = append(result.Records, record)
	}
	did := detail{Did: "search", Criteria: c, Searched: at.size}
	if page.Cursor != "" {
		did.Before = &at.before
	}
	err = r.record(ctx, who, did, result.Records)
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

// Transaction returns the entries of one transaction, the oldest first (IG-3.9.15).
func (r *Reader) Transaction(ctx context.Context, who Who, correlation string) ([]audit.Record, error) {
	c, err := Criteria{Correlation: correlation}.normal()
	if err != nil {
		return nil, err
	}
	if c.Correlation == "" {
		return nil, errors.New("name the transaction by its correlation")
	}
	s, err := r.search(ctx, c)
	if err != nil {
		return nil, err
	}
	var records []audit.Record
	for record, err := range s.newest(ctx, 0, s.size) {
		if err != nil {
			return nil, err
		}
		if len(records) == MaxLimit {
			return nil, fmt.Errorf("more than %d entries have this correlation, which no transaction has; search for it instead", MaxLimit)
		}
		records = append(records, record)
	}
	slices.Reverse(records)
	err = r.record(ctx, who, detail{Did: "transaction", Criteria: c, Searched: s.size}, records)
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Show returns n entries, at most MaxLimit, from a sequence number on, or as many as
// there are; the newest n if from is negative.
func (r *Reader) Show(ctx context.Context, who Who, from int64, n int) ([]audit.Record, error) {
	return r.show(ctx, who, "show", from, n)
}

// Prove returns one entry of which a proof is to be handed out, and records that.
func (r *Reader) Prove(ctx context.Context, who Who, seq int64) (audit.Record, error) {
	if seq < 0 {
		return audit.Record{}, errors.New("sequence numbers count from 0")
	}
	records, err := r.show(ctx, who, "prove", seq, 1)
	switch {
	case err != nil:
		return audit.Record{}, err
	case len(records) == 0:
		return audit.Record{}, fmt.Errorf("the log has no entry %d", seq)
	}
	return records[0], nil
}

func (r *Reader) show(ctx context.Context, who Who, did string, from int64, n int) ([]audit.Record, error) {
	if n < 1 || n > MaxLimit {
		return nil, fmt.Errorf("from 1 to %d entries can be shown at once", MaxLimit)
	}
	head, err := r.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if from < 0 {
		from = max(0, head.Size-int64(n))
	}
	from = min(from, math.MaxInt64-MaxLimit)
	to := min(head.Size, from+int64(n))
	var records []audit.Record
	for record, err := range audit.Entries(ctx, r.store, r.keys, from, to) {
		if err == nil && record.Seq != from+int64(len(records)) {
			err = audit.NoEntry(from + int64(len(records)))
		}
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if int64(len(records)) < to-from {
		return nil, audit.NoEntry(from + int64(len(records)))
	}
	err = r.record(ctx, who, detail{Did: did, Criteria: Criteria{From: from, To: from + int64(n)}, Searched: head.Size}, records)
	if err != nil {
		return nil, err
	}
	return records, nil
}

// search prepares a search of the whole log as it is now.
func (r *Reader) search(ctx context.Context, c Criteria) (*search, error) {
	head, err := r.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	return newSearch(ctx, r.store, r.keys, c, head.Size)
}
