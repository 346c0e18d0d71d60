package audit

import "math"

// removed keeps account of contents that are not there. Runs of entries of one class
// whose contents are all gone are kept as one, so that a log of which years have
// expired needs no more memory than another.
type removed struct {
	runs map[Class][]Range
	last map[Class]int64 // the newest entry of each class whose content is there
}

// add says that the content of an entry is not there. Entries come in their order.
func (r *removed) add(seq int64, class Class) {
	runs := r.runs[class]
	if len(runs) > 0 && r.joins(class, runs[len(runs)-1]) {
		runs[len(runs)-1].Last = seq
		return
	}
	r.append(seq, class)
}

// append says that a content which was there is there no more.
func (r *removed) append(seq int64, class Class) {
	if r.runs == nil {
		r.runs = make(map[Class][]Range)
	}
	r.runs[class] = append(r.runs[class], Range{seq, seq})
}

// present says that the content of an entry is there, which ends a run.
func (r *removed) present(seq int64, class Class) {
	if r.last == nil {
		r.last = make(map[Class]int64)
	}
	r.last[class] = seq
}

// joins reports whether no content of the class is there after a run.
func (r *removed) joins(class Class, run Range) bool {
	last, ok := r.last[class]
	return !ok || last < run.Last
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
