package audittest

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

func removes(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	first := group(0, 4)
	first.Terms = []audit.TermRow{{Term: -5, Seq: 0}, {Term: -5, Seq: 2}, {Term: 7, Seq: 0}, {Term: 7, Seq: 2}}
	commit(t, store, first)
	second := group(4, 1)
	second.Removals = []audit.Removal{{Seq: 2, Terms: []seal.Term{-5}}}
	commit(t, store, second)
	closed()
	store, closed = open(t)
	defer closed()
	want := append(first.Rows, second.Rows...)
	want[2].Sealed = nil
	wantRows(t, store, want)
	wantTerms(t, store, 0, []audit.TermRow{{Term: -5, Seq: 0}, {Term: 7, Seq: 0}, {Term: 7, Seq: 2}})
	wantFound(t, store, [][]seal.Term{{-5}}, 0, 5, 9, 0)
}

func wantTerms(t *testing.T, store audit.Store, block int64, want []audit.TermRow) {
	t.Helper()
	got, err := store.Terms(t.Context(), block)
	if err != nil {
		t.Fatalf("Terms: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Terms(%d) (-want +got):\n%s", block, diff)
	}
}

func wantFound(t *testing.T, store audit.Store, all [][]seal.Term, from, to int64, limit int, want ...int64) {
	t.Helper()
	got, err := store.Find(t.Context(), all, from, to, limit)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Find(%v, %d, %d, %d) (-want +got):\n%s", all, from, to, limit, diff)
	}
}

func finds(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	wantFound(t, store, [][]seal.Term{{1}}, 0, math.MaxInt64, 9)
	g := group(0, 10)
	for seq := range int64(10) {
		g.Terms = append(g.Terms, audit.TermRow{Term: 1, Seq: seq})
	}
	g.Terms = append(g.Terms, audit.TermRow{Term: 2, Seq: 3}, audit.TermRow{Term: 2, Seq: 8},
		audit.TermRow{Term: 3, Seq: 8}, audit.TermRow{Term: math.MaxInt64, Seq: 1}, audit.TermRow{Term: math.MaxInt64, Seq: 3})
	commit(t, store, g)
	tests := []struct {
		all      [][]seal.Term
		from, to int64
		limit    int
		want     []int64
	}{
		{[][]seal.Term{{2}}, 0, 10, 9, []int64{8, 3}},
		{[][]seal.Term{{2}}, math.MinInt64, math.MaxInt64, 9, []int64{8, 3}},
		{[][]seal.Term{{2}}, 4, 10, 9, []int64{8}},
		{[][]seal.Term{{2}}, 0, 8, 9, []int64{3}},
		{[][]seal.Term{{2}}, 0, 10, 1, []int64{8}},
		{[][]seal.Term{{2}}, 8, 3, 9, nil},
		{[][]seal.Term{{4}}, 0, 10, 9, nil},
		{[][]seal.Term{{2, math.MaxInt64}}, 0, 10, 9, []int64{8, 3, 1}},
		{[][]seal.Term{{2}, {math.MaxInt64}}, 0, 10, 9, []int64{3}},
		{[][]seal.Term{{1}, {2}, {3, 4}}, 0, 10, 9, []int64{8}},
		{[][]seal.Term{{1}, {4}}, 0, 10, 9, nil},
		{[][]seal.Term{{1}}, 0, 10, 3, []int64{9, 8, 7}},
	}
	for _, tt := range tests {
		wantFound(t, store, tt.all, tt.from, tt.to, tt.limit, tt.want...)
	}
}

// findsAcrossBlocks fills a little more than two blocks.
func findsAcrossBlocks(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	const step = audit.BlockSize / 2
	size := int64(0)
	for size < 2*audit.BlockSize+step {
		g := audit.Group{Base: size, Checkpoint: []byte("c")}
		for seq := size; seq < size+step; seq++ {
			g.Rows = append(g.Rows, audit.Row{Seq: seq, Leaf: []byte("l")})
		}
		g.Terms = []audit.TermRow{{Term: 1, Seq: size}, {Term: 1, Seq: size + step - 1}, {Term: 2, Seq: size + step - 1}}
		commit(t, store, g)
		size += step
	}
	wantFound(t, store, [][]seal.Term{{1}}, 1, size, 4, 5*step-1, 4*step, 4*step-1, 3*step)
	wantFound(t, store, [][]seal.Term{{1}}, 1, 3*step, 9, 3*step-1, 2*step, 2*step-1, step, step-1)
	wantFound(t, store, [][]seal.Term{{1}, {2}}, 0, size, 9, 5*step-1, 4*step-1, 3*step-1, 2*step-1, step-1)
	wantTerms(t, store, 1, []audit.TermRow{{Term: 1, Seq: 2 * step}, {Term: 1, Seq: 3*step - 1}, {Term: 1, Seq: 3 * step},
		{Term: 1, Seq: 4*step - 1}, {Term: 2, Seq: 3*step - 1}, {Term: 2, Seq: 4*step - 1}})
	wantTerms(t, store, 3, nil)
}

func spans(t *testing.T, open func(*testing.T) (audit.Store, func())) {
	store, closed := open(t)
	defer closed()
	first, second := group(0, 2), group(2, 2)
	first.Spans = []audit.Span{{Number: 0, First: 100, Last: 200}}
	second.Spans = []audit.Span{{Number: 0, First: 50, Last: 150}, {Number: 1, First: 300, Last: 400}}
	commit(t, store, first)
	commit(t, store, second)
	tests := []struct {
		since, until int64
		want         []audit.Span
	}{
		{math.MinInt64, math.MaxInt64, []audit.Span{{Number: 0, First: 50, Last: 200}, {Number: 1, First: 300, Last: 400}}},
		{200, 300, []audit.Span{{Number: 0, First: 50, Last: 200}}},
		{201, 300, nil},
		{201, 301, []audit.Span{{Number: 1, First: 300, Last: 400}}},
		{0, 51, []audit.Span{{Number: 0, First: 50, Last: 200}}},
		{0, 50, nil},
	}
	for _, tt := range tests {
		got, err := store.Spans(t.Context(), tt.since, tt.until)
		if err != nil {
			t.Fatalf("Spans: %v", err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Spans(%d, %d) (-want +got):\n%s", tt.since, tt.until, diff)
		}
	}
}
