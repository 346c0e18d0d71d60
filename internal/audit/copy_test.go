package audit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

func mustCopy(t testing.TB, from audit.Reader, to audit.Store, k keys) audit.Copied {
	t.Helper()
	copied, err := audit.Copy(t.Context(), from, to, k.public, origin)
	if err != nil {
		t.Fatalf("Copy: %v (%+v)", err, copied)
	}
	return copied
}

// content is all that a store holds.
type content struct {
	Head   audit.Head
	Rows   []audit.Row
	Terms  []audit.TermRow
	Spans  []audit.Span
	Claims map[audit.ClaimKey]int64
}

func contentOf(t testing.TB, store audit.Reader) content {
	t.Helper()
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := content{Head: head, Rows: allRows(t, store), Claims: map[audit.ClaimKey]int64{}}
	c.Terms, err = store.Terms(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Spans, err = store.Spans(t.Context(), math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	for claim, err := range store.Claims(t.Context(), audit.ClaimKey{}) {
		if err != nil {
			t.Fatal(err)
		}
		c.Claims[claim.Key] = claim.Until
	}
	return c
}

func wantSame(t testing.TB, want, got audit.Reader) {
	t.Helper()
	a, b := contentOf(t, want), contentOf(t, got)
	if !reflect.DeepEqual(a, b) { // which is quicker where there is much
		t.Fatalf("the copy (-original +copy):\n%s", cmp.Diff(a, b))
	}
}

// WRD-AUD-16: a copy, to the same kind of store or another, has the same tree,
// contents, index and claims, verifies by itself, and can be gone on with.
func TestCopyIsTheSameLog(t *testing.T) {
	k := newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	log := openLog(t, k.options(store))
	for i := range int64(101) {
		mustAppend(t, log, sample(i))
		if i%10 == 0 {
			claim := audit.Claim{Client: "ed", IDs: []string{fmt.Sprint(i)}, Until: time.Now().Add(time.Hour)}
			_, err := log.AppendOnce(t.Context(), refused(fmt.Sprint(i)), claim)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, to := range map[string]audit.Store{
		"of the same kind": openStore(t, filepath.Join(t.TempDir(), "copy.db")),
		"of another kind":  new(audittest.Memory),
	} {
		copied := mustCopy(t, store, to, k)
		if copied.Before != 0 || copied.After != log.Size() {
			t.Errorf("%s: %+v", name, copied)
		}
		wantSame(t, store, to)
		mustVerify(t, to, k.public, "")
		again := openLog(t, k.options(to))
		if seq := mustAppend(t, again, sample(200)); seq != log.Size() {
			t.Errorf("%s: the next entry is %d", name, seq)
		}
		mustVerify(t, to, k.public, "")
	}
	closeAll(t, log, store)
}

// A copy is brought up to date again and again, and loses what the store loses.
func TestCopyFollows(t *testing.T) {
	k := newKeys(t)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		store, to := new(audittest.Memory), new(audittest.Memory)
		log := openLog(t, k.options(store))
		for range 12 {
			switch r.IntN(3) {
			case 0:
				for range 3 {
					mustAppend(t, log, sample(log.Size()))
				}
			case 1:
				if log.Size() > 0 {
					removeContent(t, log, store, r.Int64N(log.Size()))
				}
			default:
				mustCopy(t, store, to, k)
				wantSame(t, store, to)
				mustVerify(t, to, k.public, "")
			}
		}
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
}

// removeContent removes the content of an entry, if it has one.
func removeContent(t testing.TB, log *audit.Log, store audit.Reader, seq int64) {
	t.Helper()
	for row, err := range store.Rows(t.Context(), seq, seq+1) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Sealed == nil {
			return
		}
		removal, err := audit.RemovalOf(row)
		if err != nil {
			t.Fatal(err)
		}
		e := audit.Entry{Kind: audit.Erased, Time: time.Now(), Removed: []audit.Range{{First: seq, Last: seq}}, Entries: 1}
		_, err = log.AppendRemoval(t.Context(), e, []audit.Removal{removal})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A copy is of one log, and is nothing until it is whole.
func TestCopyRefuses(t *testing.T) {
	k := newKeys(t)
	log := func(name string, n int) *audittest.Memory {
		store := new(audittest.Memory)
		for range n {
			mustAppendTo(t, k, store, name)
		}
		return store
	}
	store, other := log("this", 7), log("other", 3)
	for _, tt := range []struct {
		name     string
		from, to *audittest.Memory
		want     string
	}{
		{"the copy of another log", store, other, "of another log"},
		{"a newer copy", other, store, "newer"},
	} {
		_, err := audit.Copy(t.Context(), tt.from, tt.to, k.public, origin)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err := audit.Copy(t.Context(), store, new(audittest.Memory), newKeys(t).public, origin)
	if err == nil {
		t.Error("a store that another key signed was copied")
	}

	path, _ := seeded(t, k, 7)
	execute(t, path, "UPDATE entries SET leaf = CAST(replace(leaf, 'SMSP-0000', 'SMSP-0001') AS BLOB) WHERE seq = 3")
	_, err = audit.Copy(t.Context(), openStore(t, path), new(audittest.Memory), k.public, origin)
	var m *audit.Mismatch
	if !errors.As(err, &m) || m.First != 3 {
		t.Errorf("a changed store: %v", err)
	}
}

// meddled is a store of which something is done once a row was read.
type meddled struct {
	audit.Reader
	seq  int64
	once func()
}

func (m *meddled) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		if from <= m.seq && m.seq < to && to > from+1 && m.once != nil {
			m.once()
			m.once = nil
		}
		for row, err := range m.Reader.Rows(ctx, from, to) {
			if !yield(row, err) {
				return
			}
		}
	}
}

// WRD-AUD-16: a copy that is made while content is removed verifies by itself: it also
// has the entry that says what was removed.
func TestCopyDuringARemovalVerifies(t *testing.T) {
	k := newKeys(t)
	store, to := new(audittest.Memory), new(audittest.Memory)
	log := openLog(t, k.options(store))
	for i := range int64(20) {
		mustAppend(t, log, sample(i))
	}
	from := &meddled{Reader: store, seq: 7, once: func() { removeContent(t, log, store, 7) }}
	copied := mustCopy(t, from, to, k)
	if copied.After != log.Size() || copied.Checkpoint.Size != copied.After || from.once != nil {
		t.Errorf("%+v of %d entries", copied, log.Size())
	}
	wantSame(t, store, to)
	mustVerify(t, to, k.public, "")
}
