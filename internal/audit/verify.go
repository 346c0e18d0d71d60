package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// Mismatch is the first place at which a log is not what it was.
type Mismatch struct {
	First, Last int64  // the entries in doubt; equal for one entry
	Reason      string // goes on from "entry 7" or "entries 7 to 9"
}

func (m *Mismatch) Error() string {
	if m.First == m.Last {
		return fmt.Sprintf("audit: entry %d %s", m.First, m.Reason)
	}
	return fmt.Sprintf("audit: entries %d to %d: %s", m.First, m.Last, m.Reason)
}

// Report is what Verify found. After an error it says how far it came.
type Report struct {
	Entries     int64     // entries that are as they were when they were written
	Root        tlog.Hash // of the tree, if all is right
	OpenIntents int       // intents among them without an outcome
	Removed     int64     // entries among them whose content was removed, as the log says
	Exported    int       // exported checkpoints that agree with them
	Newest      int64     // entries covered by the newest exported checkpoint
}

// Verify checks a whole store, which may be in use meanwhile: that the rows are
// numbered from 0 without a gap, each leaf is well-formed and of its place, the
// stored hashes are those of the leaves, each content is the one to which its leaf
// commits or was removed as a later entry says, terms, spans and open intents are
// those of the entries and nothing belongs to none, the checkpoint is signed by a known key and is that of all
// entries, and every checkpoint in the directories dirs of exported ones is signed
// and is that of the first entries. It needs nothing but the store, the
// directories and the public keys, and reads nothing personal.
//
// If something is wrong the error is a *Mismatch with the first place, or says
// which checkpoint cannot be trusted. The report counts what was right.
func Verify(ctx context.Context, store Reader, known note.Verifiers, origin string, dirs []string) (Report, error) {
	v := verifier{store: store, open: make(map[string][]int64)}
	err := v.verify(ctx, known, origin, dirs)
	var m *Mismatch
	if errors.As(err, &m) {
		v.report.Entries = min(v.report.Entries, max(0, m.First))
	}
	return v.report, err
}

type verifier struct {
	store     Reader
	leaves    LeafReader
	edge      merkle.Edge
	hashes    []tlog.Hash // of the newest entry
	version   int         // of the newest leaf
	open      map[string][]int64
	missing   Missing // contents that are not yet accounted for
	accounted accounted
	index     index      // of the block that is being read
	exported  []Exported // those still to be compared
	agreed    int64      // entries covered by the last exported checkpoint that agreed
	report    Report
}

func (v *verifier) verify(ctx context.Context, known note.Verifiers, origin string, dirs []string) error {
	// Read before the store, which must then be at least as new.
	for _, dir := range dirs {
		exported, err := ReadExported(dir, known, origin)
		if err != nil {
			return err
		}
		v.exported = append(v.exported, exported...)
	}
	sortBySize(v.exported)
	if n := len(v.exported); n > 0 {
		v.report.Newest = v.exported[n-1].Size
	}
	err := v.compareExported()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	checked := make(chan error, 1)
	go func() { checked <- v.check(ctx) }()
	err = v.entries(ctx, known, origin)
	if err != nil { // says more than what the other may have found
		cancel()
		<-checked
		return err
	}
	return <-checked
}

// entries checks the entries, and whatever is kept for them.
func (v *verifier) entries(ctx context.Context, known note.Verifiers, origin string) error {
	for {
		head, err := v.upToHead(ctx)
		if err != nil {
			return err
		}
		err = v.finish(head, known, origin)
		if err != nil {
			return err
		}
		err = v.index.compare(ctx, v)
		if err != nil {
			return err
		}
		lost := v.missing.Mismatch()
		if lost == nil {
			return nil
		}
		// What was removed while this ran is accounted for by an entry that came
		// meanwhile.
		now, err := v.store.Head(ctx)
		if err != nil {
			return err
		}
		if now.Size == head.Size {
			return lost
		}
	}
}

// check looks for what belongs to no entry. It reads nothing of the verifier but the
// store.
func (v *verifier) check(ctx context.Context) error {
	checker, ok := v.store.(Checker)
	if !ok {
		return nil
	}
	return checker.Check(ctx)
}

// upToHead checks what is there now and was not checked before.
func (v *verifier) upToHead(ctx context.Context) (Head, error) {
	head, err := v.store.Head(ctx)
	if err != nil {
		return Head{}, err
	}
	from := v.edge.Size
	if from == 0 {
		from = math.MinInt64
		v.accounted.since = head.Size
	}
	read := func(ctx context.Context) iter.Seq2[Row, error] { return rows(ctx, v.store, from, head.Size) }
	for row, err := range ahead(ctx, read) {
		if err != nil {
			return Head{}, fmt.Errorf("audit: reading goes no further than entry %d of %d: %w", v.edge.Size, head.Size, err)
		}
		err = v.entry(ctx, row)
		if err != nil {
			return Head{}, err
		}
	}
	if v.edge.Size < head.Size {
		return Head{}, missing(v.edge.Size, head.Size-1)
	}
	return head, nil
}

// entry checks the next row.
func (v *verifier) entry(ctx context.Context, row Row) error {
	seq := v.edge.Size
	switch {
	case row.Seq < seq:
		return &Mismatch{First: row.Seq, Last: row.Seq, Reason: "does not belong to the log"}
	case row.Seq > seq:
		return missing(seq, row.Seq-1)
	}
	leaf, err := readLeaf(&v.leaves, row)
	if err != nil {
		return err
	}
	if leaf.Version < v.version && (v.version > 2 || leaf.Version > 2) {
		return &Mismatch{First: seq, Last: seq, Reason: "is of an earlier form than the entry before it"}
	}
	v.version = leaf.Version
	v.hashes = v.edge.Add(row.Leaf, v.hashes[:0])
	if !slices.Equal(v.hashes, row.Hashes) {
		return &Mismatch{First: seq, Last: seq, Reason: "does not have the hashes stored with it: it or they were changed"}
	}
	err = v.content(row, leaf)
	if err != nil {
		return err
	}
	switch e := &leaf.Entry; {
	case e.Kind == Intent:
		correlation := strings.Clone(e.Correlation) // which else would keep the whole leaf
		v.open[correlation] = append(v.open[correlation], seq)
	case e.Kind.closes():
		delete(v.open, e.Correlation)
	default:
		v.missing.Account(e)
		v.accounted.add(seq, e)
	}
	v.report.Entries = v.edge.Size
	err = v.index.add(ctx, v, row, leaf)
	if err != nil {
		return err
	}
	return v.compareExported()
}

// content checks the content of a row against its leaf.
func (v *verifier) content(row Row, leaf *Leaf) error {
	switch {
	case !leaf.Entry.HasContent() && row.Sealed == nil:
	case !leaf.Entry.HasContent():
		return &Mismatch{First: row.Seq, Last: row.Seq, Reason: "has a content that does not belong to it"}
	case row.Sealed == nil:
		v.missing.Add(row.Seq, leaf.Entry.Kind.Class())
		v.report.Removed++
	case sha256.Sum256(row.Sealed) != leaf.Entry.Content:
		return &Mismatch{First: row.Seq, Last: row.Seq, Reason: "does not have the content that belongs to it: it was changed"}
	}
	return nil
}

// NoEntry is the error of a store that lacks an entry.
func NoEntry(seq int64) error { return missing(seq, seq) }

func missing(first, last int64) error {
	reason := "is missing"
	if first != last {
		reason = "are missing"
	}
	return &Mismatch{First: first, Last: last, Reason: reason}
}

// compareExported compares the exported checkpoints of as many entries as were
// read so far.
func (v *verifier) compareExported() error {
	for len(v.exported) > 0 && v.exported[0].Size == v.edge.Size {
		if v.edge.Root() != v.exported[0].Root {
			return &Mismatch{First: v.agreed, Last: max(v.agreed, v.edge.Size-1),
				Reason: "not those of the exported checkpoint " + v.exported[0].Path}
		}
		v.agreed = v.edge.Size
		v.report.Exported++
		v.exported = v.exported[1:]
	}
	return nil
}

// finish checks what can be known only at the end.
func (v *verifier) finish(head Head, known note.Verifiers, origin string) error {
	size := v.edge.Size
	if len(v.exported) > 0 {
		newest := v.exported[len(v.exported)-1]
		return &Mismatch{First: size, Last: newest.Size - 1, Reason: fmt.Sprintf(
			"missing although the exported checkpoint %s covers them: the store was cut short or replaced by an older copy", newest.Path)}
	}
	root := v.edge.Root()
	c, err := OpenCheckpoint(head.Checkpoint, known, origin)
	if err != nil {
		return fmt.Errorf("the store: %w", err)
	}
	switch {
	case c.Size < size:
		return &Mismatch{First: c.Size, Last: size - 1, Reason: "not covered by the signed checkpoint: added without the log"}
	case c.Size > size:
		return missing(size, c.Size-1)
	case c.Root != root:
		return &Mismatch{First: v.agreed, Last: max(v.agreed, size-1), Reason: "not those of the signed checkpoint"}
	}
	open := v.opened()
	v.report.OpenIntents = len(open)
	if !slices.Equal(open, head.Open) {
		seq := firstDifference(open, head.Open)
		return &Mismatch{First: seq, Last: seq, Reason: "is wrongly in or missing from the list of open intents"}
	}
	v.report.Root = root
	return nil
}

// opened lists the intents that the entries leave open.
func (v *verifier) opened() []Opened {
	var open []Opened
	for correlation, seqs := range v.open {
		for _, seq := range seqs {
			open = append(open, Opened{seq, correlation})
		}
	}
	slices.SortFunc(open, func(a, b Opened) int { return cmp.Compare(a.Seq, b.Seq) })
	return open
}

// firstDifference returns the smallest sequence number of what is in only one of two
// lists that rise and differ.
func firstDifference(a, b []Opened) int64 {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case len(a) == 0:
		return b[0].Seq
	case len(b) == 0:
		return a[0].Seq
	}
	return min(a[0].Seq, b[0].Seq)
}

// rowsAtOnce bounds how long a store is asked to keep one reading open.
const rowsAtOnce = 4096

// rows returns the rows with from <= seq < to, reading them a part at a time:
// rows never change, and a store whose reading stays open for long may be
// unable to reclaim space.
func rows(ctx context.Context, store Reader, from, to int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for more := true; more; {
			n := 0
			for row, err := range store.Rows(ctx, from, to) {
				if !yield(row, err) || err != nil {
					return
				}
				from = row.Seq + 1
				n++
				if n == rowsAtOnce {
					break
				}
			}
			more = n == rowsAtOnce
		}
	}
}
