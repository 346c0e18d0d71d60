// Package subjectaccess makes the report that a person gets about themselves: every entry of
// the audit log that is about them, in plain words (MSCA-ORG-04a).
package subjectaccess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/indexkeys"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Request says whose report it is, and who makes it.
type Request struct {
	NHSNumber string // ten digits
	Mask      bool   // leave out the names and identities of staff (WRD-AUD-13)
	Operator  string // who makes the report
	Purpose   string // as they say
	Origin    string // of the log
	Now       time.Time
}

// Report is what the log holds about one person. Its JSON is for machines.
type Report struct {
	Version   int       `json:"version"` // 1
	NHSNumber string    `json:"nhs_number"`
	Log       string    `json:"log"` // the origin
	Made      time.Time `json:"made"`
	Masked    bool      `json:"masked,omitempty"` // names of staff were left out
	Searched  int64     `json:"searched"`         // the entries 0 to Searched - 1 of the log were searched

	// Terms are the keyed terms of the person, 16 hexadecimal digits each. An entry of
	// the log is about them if its sealed content carries one of these, so that a full
	// export shows whether the report is complete.
	Terms   []string `json:"terms"`
	Entries []Entry  `json:"entries"`
}

// Entry is one entry of the log that is about the person.
type Entry struct {
	Seq          int64     `json:"seq"`
	Time         time.Time `json:"time"`
	Kind         string    `json:"kind"`
	What         string    `json:"what"`            // in plain words
	Authority    string    `json:"local_authority"` // whether it was told, in plain words; "" where that is no matter
	Who          []string  `json:"who,omitempty"`   // staff; empty in a masked report
	Role         string    `json:"role,omitempty"`  // of who asked
	Organisation string    `json:"organisation,omitempty"`
	Purpose      string    `json:"purpose,omitempty"` // of a reading
	State        string    `json:"state"`             // whole, locked or removed: whether more is known
}

// maxEntries bounds a report.
const maxEntries = 100_000

// reading is what is recorded of a report.
type reading struct {
	Did      string `json:"did"`
	Criteria struct {
		NHSNumber string `json:"nhs_number"`
	} `json:"criteria"`
	Searched int64      `json:"searched"`
	Masked   bool       `json:"masked"`
	Shown    [][2]int64 `json:"shown,omitempty"`
}

// Make collects the report about a person and records that it was made, with the
// choice of masking. What cannot be recorded is not returned. The entry that records it
// is not part of the report.
func Make(ctx context.Context, log *audit.Log, store audit.Reader, keys *seal.Keys, q Request) (Report, error) {
	number, err := cpis.ParseNHSNumber(q.NHSNumber)
	if err != nil {
		return Report{}, errors.New("the NHS number must have ten digits")
	}
	q.NHSNumber = number.Digits()
	if q.Operator == "" {
		return Report{}, errors.New("whoever reads the audit log must be named")
	}
	missing, err := indexkeys.Missing(ctx, store, keys)
	if err != nil {
		return Report{}, err
	}
	if len(missing) > 0 {
		return Report{}, fmt.Errorf("the report would not be complete: entries were also indexed under the keys %s; put them back in audit.index_keys", strings.Join(missing, ", "))
	}
	head, err := store.Head(ctx)
	if err != nil {
		return Report{}, err
	}
	c := collector{store: store, keys: keys, number: q.NHSNumber, size: head.Size, found: make(map[int64]audit.Record)}
	err = c.collect(ctx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Version: 1, NHSNumber: q.NHSNumber, Log: q.Origin, Made: q.Now.UTC(), Masked: q.Mask, Searched: head.Size}
	for _, term := range audit.TermsOf(keys, audit.FieldNHSNumber, q.NHSNumber) {
		r.Terms = append(r.Terms, fmt.Sprintf("%016x", uint64(term)))
	}
	for _, record := range c.records() {
		r.Entries = append(r.Entries, describe(record, q.Mask))
	}
	err = r.record(ctx, log, q)
	if err != nil {
		return Report{}, fmt.Errorf("the report could not be recorded in the audit log, so nothing is shown: %w", err)
	}
	return r, nil
}

func (r *Report) record(ctx context.Context, log *audit.Log, q Request) error {
	did := reading{Did: "subject", Searched: r.Searched, Masked: q.Mask}
	did.Criteria.NHSNumber = r.NHSNumber
	for _, e := range r.Entries {
		n := len(did.Shown)
		if n > 0 && did.Shown[n-1][1] == e.Seq-1 {
			did.Shown[n-1][1] = e.Seq
		} else {
			did.Shown = append(did.Shown, [2]int64{e.Seq, e.Seq})
		}
	}
	detail, err := json.Marshal(did)
	if err != nil {
		return err
	}
	if len(detail) > audit.MaxDetail {
		return errors.New("the entries are too many for one report")
	}
	_, err = log.Append(ctx, audit.Entry{Kind: audit.Read, Time: q.Now, Operator: q.Operator, Purpose: q.Purpose,
		NHSNumber: r.NHSNumber, Entries: len(r.Entries), Detail: detail})
	return err
}

// Seqs are the sequence numbers of the entries, rising.
func (r *Report) Seqs() []int64 {
	seqs := make([]int64, len(r.Entries))
	for i, e := range r.Entries {
		seqs[i] = e.Seq
	}
	return seqs
}

// collector finds the entries that are about one person.
type collector struct {
	store  audit.Reader
	keys   *seal.Keys
	number string
	size   int64 // of the log
	found  map[int64]audit.Record
}

func (c *collector) collect(ctx context.Context) error {
	err := c.inline(ctx)
	if err != nil {
		return err
	}
	err = c.find(ctx, audit.TermsOf(c.keys, audit.FieldNHSNumber, c.number), func(r audit.Record) bool {
		return r.State == audit.Locked || r.State == audit.Whole && r.Entry.NHSNumber == c.number
	})
	if err != nil {
		return err
	}
	// Other entries of the same questions that do not name the person, or no longer do.
	for _, correlation := range c.correlations() {
		err := c.find(ctx, audit.TermsOf(c.keys, audit.FieldCorrelation, correlation), func(r audit.Record) bool {
			return r.Entry.Correlation == correlation && (r.Entry.NHSNumber == "" || r.Entry.NHSNumber == c.number)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// correlations are those of the questions that were found.
func (c *collector) correlations() []string {
	var all []string
	for _, record := range c.found {
		if record.Entry.Correlation != "" {
			all = append(all, record.Entry.Correlation)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inline finds the entries of the earlier forms, which have no terms and stand first.
func (c *collector) inline(ctx context.Context) error {
	for record, err := range audit.Entries(ctx, c.store, c.keys, 0, c.size) {
		if err != nil {
			return err
		}
		leaf, err := audit.ParseLeaf(record.Leaf)
		if err != nil {
			return err
		}
		if leaf.Version > 2 {
			return nil
		}
		if record.Entry.NHSNumber == c.number {
			c.found[record.Seq] = record
		}
	}
	return nil
}

// find adds the entries with one of some terms that are wanted.
func (c *collector) find(ctx context.Context, terms []seal.Term, wanted func(audit.Record) bool) error {
	for seq, err := range audit.Found(ctx, c.store, [][]seal.Term{terms}, 0, c.size) {
		if err != nil {
			return err
		}
		record, err := audit.EntryAt(ctx, c.store, c.keys, seq)
		if err != nil {
			return err
		}
		if wanted(record) {
			record.Sealed, record.Leaf, record.Entry.Detail = nil, nil, nil
			c.found[seq] = record
		}
		if len(c.found) > maxEntries {
			return fmt.Errorf("more than %d entries are about this person: ask for help, since that is not usual", maxEntries)
		}
	}
	return nil
}

// records are those that were found, in their order.
func (c *collector) records() []audit.Record {
	var all []audit.Record
	for _, record := range c.found {
		all = append(all, record)
	}
	slices.SortFunc(all, func(a, b audit.Record) int { return int(min(max(a.Seq-b.Seq, -1), 1)) })
	return all
}
