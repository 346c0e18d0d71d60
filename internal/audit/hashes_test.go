package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// grown commits the rows of a log of n entries to a store and returns their leaves.
func grown(t *testing.T, store audit.Store, n int) [][]byte {
	t.Helper()
	log := openLog(t, newKeys(t).options(store))
	for i := range n {
		mustAppend(t, log, refused(fmt.Sprint(i)))
	}
	err := log.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var leaves [][]byte
	for _, row := range allRows(t, store) {
		leaves = append(leaves, row.Leaf)
	}
	return leaves
}

// WRD-AUD-01: from the rows of a store every proof can be made that the tree
// allows, of each entry and of each earlier size.
func TestProofsFromAStore(t *testing.T) {
	const n = 34
	var store audittest.Memory
	leaves := grown(t, &store, n)
	hashes := audit.Hashes(t.Context(), &store)
	for size := int64(1); size <= n; size++ {
		whole := root(leaves[:size])
		got, err := tlog.TreeHash(size, hashes)
		if err != nil || got != whole {
			t.Fatalf("the root of %d entries is %v (%v), want %v", size, got, err, whole)
		}
		for i := range size {
			record, err := tlog.ProveRecord(size, i, hashes)
			if err != nil {
				t.Fatal(err)
			}
			err = tlog.CheckRecord(record, size, whole, i, tlog.RecordHash(leaves[i]))
			if err != nil {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
			tree, err := tlog.ProveTree(size, i+1, hashes)
			if err != nil {
				t.Fatal(err)
			}
			err = tlog.CheckTree(tree, size, whole, i+1, root(leaves[:i+1]))
			if err != nil {
				t.Errorf("%d entries of %d: %v", i+1, size, err)
			}
		}
	}
}

// A hash that a store does not hold is an error, never a wrong hash.
func TestHashesThatAreNotThere(t *testing.T) {
	var store audittest.Memory
	grown(t, &store, 3)
	hashes := audit.Hashes(t.Context(), &store)
	for _, index := range []int64{-1, tlog.StoredHashIndex(0, 3), tlog.StoredHashIndex(1, 1), tlog.StoredHashIndex(40, 0)} {
		_, err := hashes.ReadHashes([]int64{0, index})
		if err == nil {
			t.Errorf("hash %d was read", index)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := audit.Hashes(ctx, &store).ReadHashes([]int64{0})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of ctx: %v", err)
	}
	var short audittest.Memory
	err = audittest.Commit(t.Context(), &short, audit.Group{Rows: []audit.Row{{Seq: 0}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Hashes(t.Context(), &short).ReadHashes([]int64{0})
	var m *audit.Mismatch
	if !errors.As(err, &m) {
		t.Errorf("a row without its hashes: %v", err)
	}
}
