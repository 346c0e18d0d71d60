package audit

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// WRD-AUD-10: what an entry says was removed is taken off, of its class and before it
// alone, whatever lies between.
func TestRemovedIsAccountedFor(t *testing.T) {
	const other = BlockSize * 3
	type step struct {
		missing int64 // an entry of Questions without its content, or
		reading int64 // one of Readings, or
		by      int64 // an entry that says what was removed
		class   Class
		gone    []Range
	}
	tests := map[string]struct {
		steps []step
		left  int64 // the first not accounted for; -1 if none
	}{
		"nothing":                       {nil, -1},
		"one":                           {[]step{{missing: 7}, {by: 8, gone: []Range{{7, 7}}}}, -1},
		"the first of all":              {[]step{{missing: 0}, {by: 8, gone: []Range{{0, 0}}}}, -1},
		"one without an entry":          {[]step{{missing: 7}}, 7},
		"one beside what was removed":   {[]step{{missing: 7}, {by: 9, gone: []Range{{6, 6}, {8, 8}}}}, 7},
		"told before":                   {[]step{{by: 6, gone: []Range{{7, 7}}}, {missing: 7}}, 7},
		"a range beyond everything":     {[]step{{missing: 7}, {missing: other}, {by: 8, gone: []Range{{7, math.MaxInt64}}}}, -1},
		"of another class":              {[]step{{missing: 7}, {by: 8, class: Readings, gone: []Range{{7, 7}}}}, 7},
		"of its class":                  {[]step{{missing: 7}, {by: 8, class: Questions, gone: []Range{{7, 7}}}}, -1},
		"one class of two":              {[]step{{missing: 6}, {reading: 7}, {by: 8, class: Questions, gone: []Range{{6, 7}}}}, 7},
		"with another entry between":    {[]step{{missing: 5}, {missing: 7}, {by: 8, gone: []Range{{5, 5}, {7, 7}}}}, -1},
		"the middle of a run":           {[]step{{missing: 5}, {missing: 6}, {missing: 7}, {by: 8, gone: []Range{{6, 6}}}, {by: 9, gone: []Range{{7, 7}}}}, 5},
		"across blocks":                 {[]step{{missing: 5}, {missing: other}, {missing: other + 1}, {by: other + 2, gone: []Range{{5, other}}}}, other + 1},
		"twice":                         {[]step{{missing: 5}, {by: 8, gone: []Range{{5, 5}}}, {by: 9, gone: []Range{{5, 5}}}}, -1},
		"a range that is none":          {[]step{{missing: 5}, {by: 8, gone: []Range{{6, 4}}}}, 5},
		"the ends of words of the bits": {[]step{{missing: 63}, {missing: 64}, {missing: 127}, {by: 200, gone: []Range{{63, 126}}}}, 127},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var r Missing
			for _, s := range tt.steps {
				switch {
				case s.by > 0:
					r.Account(&Entry{Kind: Erased, Class: s.class, Removed: s.gone})
				case s.reading > 0:
					r.Add(s.reading, Readings)
				default:
					r.Add(s.missing, Questions)
				}
			}
			checkLeft(t, &r, tt.left)
		})
	}
}

func checkLeft(t *testing.T, r *Missing, want int64) {
	t.Helper()
	err := r.Mismatch()
	if (err == nil) != (want < 0) || (r.Count() == 0) != (want < 0) {
		t.Fatalf("%d are left, %v, want the first left to be %d", r.Count(), err, want)
	}
	if want < 0 {
		return
	}
	m := err.(*Mismatch)
	if m.First != want || m.Last != want {
		t.Errorf("the first left is %d, want %d", m.First, want)
	}
}

// A content that went after its entry was read may have been told of by an entry that
// was read before that was noticed.
func TestRemovedMeanwhileIsAccountedFor(t *testing.T) {
	a := accounted{since: 10}
	a.add(9, &Entry{Kind: Erased, Removed: []Range{{4, 4}}}) // its content would not have been read
	a.add(12, &Entry{Kind: Expired, Class: Questions, Removed: []Range{{1, 3}, {20, 20}}})
	a.add(13, &Entry{Kind: Outcome, Removed: []Range{{5, 5}}})
	for _, tt := range []struct {
		seq   int64
		class Class
		want  bool
	}{{3, Questions, true}, {1, Questions, true}, {2, Readings, false}, {20, Questions, false}, {4, Questions, false}, {5, Questions, false}, {0, Questions, false}} {
		if got := a.has(tt.seq, tt.class); got != tt.want {
			t.Errorf("has(%d, %s) = %v", tt.seq, tt.class, got)
		}
	}
}

// The bits say what a plain set says.
func TestRemovedIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64Range(BlockSize-100, BlockSize+100), rapid.Int64Range(0, 4*BlockSize))
		var r Missing
		set := make(map[int64]Class)
		class := rapid.SampledFrom([]Class{Questions, Readings})
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			seq := place.Draw(t, "seq")
			if rapid.Bool().Draw(t, "add") {
				_, ok := set[seq]
				if !ok {
					set[seq] = class.Draw(t, "class")
					r.Add(seq, set[seq])
				}
				continue
			}
			e := Entry{Kind: Expired, Class: rapid.SampledFrom([]Class{"", Questions, Readings}).Draw(t, "of"),
				Removed: []Range{{place.Draw(t, "first"), place.Draw(t, "last")}}}
			r.Account(&e)
			for s, c := range set {
				if s >= e.Removed[0].First && s <= e.Removed[0].Last && (e.Class == "" || e.Class == c) {
					delete(set, s)
				}
			}
		}
		if r.Count() != int64(len(set)) {
			t.Fatalf("%d are left, want %d", r.Count(), len(set))
		}
		if len(set) == 0 {
			return
		}
		var left []int64
		for s := range set {
			left = append(left, s)
		}
		if got := r.Mismatch().(*Mismatch).First; got != slices.Min(left) {
			t.Fatalf("the first left is %d, want %d", got, slices.Min(left))
		}
	})
}
