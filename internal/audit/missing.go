package audit

import (
	"cmp"
	"slices"
)

// Missing keeps account of contents that are not there though their leaves commit to
// them, until an entry says that they were removed. Its zero value is empty. It needs
// memory for runs of entries, not for entries: a log of which years have expired
// needs little more than another.
type Missing struct {
	runs map[Class][]Range // by rising First, apart from each other
}

// Add says that the content of an entry is not there.
func (m *Missing) Add(seq int64, class Class) {
	if m.runs == nil {
		m.runs = make(map[Class][]Range)
	}
	runs := m.runs[class]
	if n := len(runs); n > 0 && runs[n-1].Last == seq-1 {
		runs[n-1].Last = seq
		return
	}
	at, _ := slices.BinarySearchFunc(runs, seq, byLast)
	m.runs[class] = slices.Insert(runs, at, Range{seq, seq})
}

// Account takes off what an entry says was removed.
func (m *Missing) Account(e *Entry) {
	if e.Kind != Erased && e.Kind != Expired {
		return
	}
	for class, runs := range m.runs {
		if e.Class != "" && e.Class != class {
			continue
		}
		for _, gone := range e.Removed {
			runs = without(runs, gone)
		}
		m.runs[class] = runs
	}
}

// without takes one run off others, in place if it can.
func without(runs []Range, gone Range) []Range {
	from, _ := slices.BinarySearchFunc(runs, gone.First, byLast)
	to := from
	var rest []Range
	for ; to < len(runs) && runs[to].First <= gone.Last; to++ {
		if runs[to].First < gone.First {
			rest = append(rest, Range{runs[to].First, gone.First - 1})
		}
		if runs[to].Last > gone.Last {
			rest = append(rest, Range{gone.Last + 1, runs[to].Last})
		}
	}
	return slices.Replace(runs, from, to, rest...)
}

func byLast(run Range, seq int64) int { return cmp.Compare(run.Last, seq) }

// Count is how many contents are not accounted for.
func (m *Missing) Count() int64 {
	var n int64
	for _, runs := range m.runs {
		for _, run := range runs {
			n += run.Last - run.First + 1
		}
	}
	return n
}

// Mismatch returns nil, or the first content that is not accounted for.
func (m *Missing) Mismatch() error {
	first := int64(-1)
	for _, runs := range m.runs {
		if len(runs) > 0 && (first < 0 || runs[0].First < first) {
			first = runs[0].First
		}
	}
	if first < 0 {
		return nil
	}
	return &Mismatch{First: first, Last: first, Reason: "has lost its content although no entry says that it was removed"}
}
