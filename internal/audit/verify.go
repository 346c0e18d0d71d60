package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
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
	Exported    int       // exported checkpoints that agree with them
	Newest      int64     // entries covered by the newest exported checkpoint
}

// Verify checks a whole store, which may be in use meanwhile: that the rows are
// numbered from 0 without a gap, each leaf is well-formed and of its place, the
// stored hashes are those of the leaves, the open intents are those without an
// outcome, the checkpoint is signed by a known key and is that of all entries,
// and every checkpoint in the directories dirs of exported ones is signed and is
// that of the first entries. It needs nothing but the store, the directories and
// the public keys.
//
// If something is wrong the error is a *Mismatch with the first place, or says
// which checkpoint cannot be trusted. The report counts what was right.
func Verify(ctx context.Context, store Reader, known note.Verifiers, origin string, dirs []string) (Report, error) {
	v := verifier{open: make(map[string][]int64)}
	err := v.verify(ctx, store, known, origin, dirs)
	var m *Mismatch
	if errors.As(err, &m) {
		v.report.Entries = min(v.report.Entries, max(0, m.First))
	}
	return v.report, err
}

type verifier struct {
	edge     edge
	open     map[string][]int64
	exported []exported // those still to be compared
	agreed   int64      // entries covered by the last exported checkpoint that agreed
	report   Report
}

func (v *verifier) verify(ctx context.Context, store Reader, known note.Verifiers, origin string, dirs []string) error {
	// Read before the store, which must then be at least as new.
	for _, dir := range dirs {
		exported, err := readExported(dir, known, origin)
		if err != nil {
			return err
		}
		v.exported = append(v.exported, exported...)
	}
	sortBySize(v.exported)
	if n := len(v.exported); n > 0 {
		v.report.Newest = v.exported[n-1].Size
	}
	head, err := store.Head(ctx)
	if err != nil {
		return err
	}
	err = v.compareExported()
	if err != nil {
		return err
	}
	for row, err := range rows(ctx, store, math.MinInt64, head.Size) {
		if err != nil {
			return err
		}
		err = v.entry(row)
		if err != nil {
			return err
		}
	}
	return v.finish(head, known, origin)
}

// entry checks the next row.
func (v *verifier) entry(row Row) error {
	seq := v.edge.size
	switch {
	case row.Seq < seq:
		return &Mismatch{First: row.Seq, Last: row.Seq, Reason: "does not belong to the log"}
	case row.Seq > seq:
		return missing(seq, row.Seq-1)
	}
	e, err := parseRow(row)
	if err != nil {
		return err
	}
	hashes, err := v.edge.add(row.Leaf)
	if err != nil {
		return err
	}
	if !slices.Equal(hashes, row.Hashes) {
		return &Mismatch{First: seq, Last: seq, Reason: "does not have the hashes stored with it: it or they were changed"}
	}
	switch {
	case e.Kind == Intent:
		v.open[e.Correlation] = append(v.open[e.Correlation], seq)
	case e.Kind.closes():
		delete(v.open, e.Correlation)
	}
	v.report.Entries = v.edge.size
	return v.compareExported()
}

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
	for len(v.exported) > 0 && v.exported[0].Size == v.edge.size {
		root, err := v.edge.root()
		if err != nil {
			return err
		}
		if root != v.exported[0].Root {
			return &Mismatch{First: v.agreed, Last: max(v.agreed, v.edge.size-1),
				Reason: "not those of the exported checkpoint " + v.exported[0].file}
		}
		v.agreed = v.edge.size
		v.report.Exported++
		v.exported = v.exported[1:]
	}
	return nil
}

// finish checks what can be known only at the end.
func (v *verifier) finish(head Head, known note.Verifiers, origin string) error {
	size := v.edge.size
	if size < head.Size {
		return missing(size, head.Size-1)
	}
	if len(v.exported) > 0 {
		newest := v.exported[len(v.exported)-1]
		return &Mismatch{First: size, Last: newest.Size - 1, Reason: fmt.Sprintf(
			"missing although the exported checkpoint %s covers them: the store was cut short or replaced by an older copy", newest.file)}
	}
	root, err := v.edge.root()
	if err != nil {
		return err
	}
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
	open := slices.Sorted(flatten(maps.Values(v.open)))
	v.report.OpenIntents = len(open)
	if !slices.Equal(open, head.Open) {
		seq := firstDifference(open, head.Open)
		return &Mismatch{First: seq, Last: seq, Reason: "is wrongly in or missing from the list of open intents"}
	}
	v.report.Root = root
	return nil
}

func flatten(lists iter.Seq[[]int64]) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for list := range lists {
			for _, v := range list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// firstDifference returns the smallest number that is in only one of two lists
// that rise and differ.
func firstDifference(a, b []int64) int64 {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case len(a) == 0:
		return b[0]
	case len(b) == 0:
		return a[0]
	}
	return min(a[0], b[0])
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
