package audit

import "math"

// removed keeps account of contents that are not there. Entries of one class that
// follow each other are kept as one run, so that years that have expired need little
// memory.
type removed struct{ runs map[Class][]Range }

// add says that the content of an entry is not there, or not any more.
func (r *removed) add(seq int64, class Class) {
	if r.runs == nil {
		r.runs = make(map[Class][]Range)
	}
	runs := r.runs[class]
	if n := len(runs); n > 0 && runs[n-1].Last == seq-1 {
		runs[n-1].Last = seq
		return
	}
	r.runs[class] = append(runs, Range{seq, seq})
}

// account takes off what an entry says was removed.
func (r *removed) account(e *Entry) {
	for class, runs := range r.runs {
		if e.Class != "" && e.Class != class {
			continue
		}
		for _, gone := range e.Removed {
			runs = without(runs, gone)
		}
		r.runs[class] = runs
	}
}

// without takes one run off others.
func without(runs []Range, gone Range) []Range {
	var kept []Range
	for i, run := range runs {
		if run.Last < gone.First || run.First > gone.Last {
			if kept != nil {
				kept = append(kept, run)
			}
			continue
		}
		if kept == nil {
			kept = append(make([]Range, 0, len(runs)+1), runs[:i]...)
		}
		if run.First < gone.First {
			kept = append(kept, Range{run.First, gone.First - 1})
		}
		if run.Last > gone.Last {
			kept = append(kept, Range{gone.Last + 1, run.Last})
		}
	}
	if kept == nil {
		return runs
	}
	return kept
}

func (r *removed) empty() bool {
	for _, runs := range r.runs {
		if len(runs) > 0 {
			return false
		}
	}
	return true
}

// mismatch is the first content that is not accounted for.
func (r *removed) mismatch() error {
	least := int64(math.MaxInt64)
	for _, runs := range r.runs {
		for _, run := range runs {
			least = min(least, run.First)
		}
	}
	return &Mismatch{First: least, Last: least, Reason: "has lost its content although no entry says that it was removed"}
}
