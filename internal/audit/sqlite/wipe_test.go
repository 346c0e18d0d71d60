package sqlite_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// mark stands in a content, at its beginning, middle and end.
func mark(seq int64) []byte { return fmt.Appendf(nil, "<content %08d>", seq) }

// marked is a content of a certain length with marks.
func marked(seq int64, length int) []byte {
	m := mark(seq)
	content := bytes.Repeat([]byte{'-'}, length)
	copy(content, m)
	copy(content[(length-len(m))/2:], m)
	copy(content[length-len(m):], m)
	return content
}

// traces are the files of a database, together.
func traces(t *testing.T, path string) []byte {
	t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}

// WRD-AUD-10: what is removed is nowhere in the files of the database.
func TestRemovedContentLeavesNoTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	store := open(t, path)
	guest, err := sqlite.Join(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, guest)
	size := fill(t, store, 200)
	gone := make(map[int64]bool)
	for seq := int64(3); seq < 200; seq += 17 {
		remove(t, guest, size, seq)
		gone[seq] = true
		size++
		look(t, path, gone)
	}
	if !bytes.Contains(traces(t, path), mark(4)) {
		t.Error("the content of entry 4, which was not removed, is not to be found: the test looks for the wrong thing")
	}
}

// WRD-AUD-10: nor is it after compaction in whichever order most of a log was removed,
// and however pages were joined and parted meanwhile. The store is the same after it.
func TestCompactionLeavesNoTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	store := open(t, path)
	size := fill(t, store, 800)
	order := rand.New(rand.NewPCG(1, 2)).Perm(int(size))
	gone := make(map[int64]bool)
	for len(order) > 100 {
		var seqs []int64
		for _, seq := range order[:20] {
			seqs = append(seqs, int64(seq))
			gone[int64(seq)] = true
		}
		remove(t, store, size, seqs...)
		order = order[20:]
		size++
	}
	before := rowsOf(t, store)
	err := store.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	look(t, path, gone)
	if diff := cmp.Diff(before, rowsOf(t, store)); diff != "" {
		t.Errorf("the rows after compaction (-before +after):\n%s", diff)
	}
	closeStore(t, store)
	remove(t, open(t, path), size, int64(order[0]))
}

// WRD-AUD-10: while somebody reads, the write-ahead log cannot be emptied. That is told
// at the end, and holds nothing up for long.
func TestReaderKeepsTraces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	store := open(t, path)
	size := fill(t, store, 40)
	reader, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, reader)
	for range reader.Rows(t.Context(), 0, 40) {
		remove(t, store, size, 5)
		if !bytes.Contains(traces(t, path), mark(5)) {
			t.Fatal("nothing was left of a content that somebody may be reading")
		}
		err = store.Close()
		break
	}
	if err == nil || !strings.Contains(err.Error(), "write-ahead log") {
		t.Errorf("Close = %v, want an error about the write-ahead log", err)
	}
	store = open(t, path)
	remove(t, store, size+1, 6)
	look(t, path, map[int64]bool{5: true, 6: true})
}

// fill adds entries with marked contents of all lengths.
func fill(t *testing.T, store *sqlite.Store, entries int64) (size int64) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for size < entries {
		g := audit.Group{Base: size, Checkpoint: []byte("c")}
		for range min(10, entries-size) {
			g.Rows = append(g.Rows, audit.Row{Seq: size, Leaf: []byte("leaf"), Sealed: marked(size, 60+random.IntN(1+random.IntN(12000)))})
			for i := range 3 {
				g.Terms = append(g.Terms, audit.TermRow{Term: term(size, i), Seq: size})
			}
			size++
		}
		commit(t, store, g)
	}
	return size
}

// remove commits one entry that removes the contents of others.
func remove(t *testing.T, store *sqlite.Store, base int64, seqs ...int64) {
	t.Helper()
	g := audit.Group{Base: base, Checkpoint: []byte("c"), Rows: []audit.Row{{Seq: base, Leaf: []byte("removed")}}}
	for _, seq := range seqs {
		g.Removals = append(g.Removals, audit.Removal{Seq: seq, Terms: []seal.Term{term(seq, 0), term(seq, 1), term(seq, 2)}})
	}
	commit(t, store, g)
}

func rowsOf(t *testing.T, store *sqlite.Store) []audit.Row {
	t.Helper()
	var rows []audit.Row
	for row, err := range store.Rows(t.Context(), 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func look(t *testing.T, path string, gone map[int64]bool) {
	t.Helper()
	all := traces(t, path)
	contents, terms := 0, 0
	for seq := range gone {
		if bytes.Contains(all, mark(seq)) {
			contents++
		}
		for i := range 3 {
			if bytes.Contains(all, termBytes(seq, i)) {
				terms++
			}
		}
	}
	if contents > 0 || terms > 0 {
		t.Errorf("of %d removed contents %d are still in the files, and %d of their terms", len(gone), contents, terms)
	}
}

// term is a term of which the bytes are not found by chance.
func term(seq int64, i int) seal.Term {
	r := rand.New(rand.NewPCG(uint64(seq), uint64(i)))
	return seal.Term(r.Uint64() | 1<<62)
}

func termBytes(seq int64, i int) []byte {
	t := uint64(term(seq, i))
	var b []byte
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(t>>shift))
	}
	return b
}

func commit(t *testing.T, store *sqlite.Store, g audit.Group) {
	t.Helper()
	err := audittest.Commit(t.Context(), store, g)
	if err != nil {
		t.Fatal(err)
	}
}
