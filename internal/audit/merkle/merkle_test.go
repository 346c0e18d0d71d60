package merkle_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// WRD-AUD-01: the tree is that of tlog, an implementation which this one shares
// nothing with, at every size.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	var e merkle.Edge
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, reader)
		if err != nil || e.Root() != want || e.Size != n {
			t.Fatalf("the root of %d leaves is %v, want %v (%v)", n, e.Root(), want, err)
		}
		leaf := bytes.Repeat([]byte(fmt.Sprint(n)), int(n*n/16))
		added, err := tlog.StoredHashes(n, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		got := e.Add(leaf, nil)
		if !slices.Equal(got, added) {
			t.Fatalf("leaf %d completes %v, want %v", n, got, added)
		}
		stored = append(stored, added...)
	}
}

// A tree that is put together of subtrees is the one that grew leaf by leaf.
func TestPush(t *testing.T) {
	const size = 77
	var whole merkle.Edge
	subtrees := make(map[[2]int]tlog.Hash) // by level and end
	for i := range size {
		for level, h := range whole.Add([]byte{byte(i)}, nil) {
			subtrees[[2]int{level, i + 1}] = h
		}
	}
	for first := range size + 1 {
		var e merkle.Edge
		for at := 0; at < size; {
			level := 0
			for end := at + 2<<level; at%(2<<level) == 0 && (at >= first && end <= size || end <= first); end = at + 2<<level {
				level++
			}
			at += 1 << level
			err := e.Push(level, subtrees[[2]int{level, at}])
			if err != nil {
				t.Fatal(err)
			}
		}
		if e.Root() != whole.Root() || e.Size != size {
			t.Errorf("divided at %d: another root", first)
		}
	}
	e := merkle.Edge{Size: 6}
	for _, level := range []int{-1, 2, 63} {
		err := e.Push(level, tlog.Hash{})
		if err == nil || e.Size != 6 {
			t.Errorf("a subtree of level %d was added to 6 leaves", level)
		}
	}
	e = merkle.Edge{Size: 1<<62 - 1<<61}
	if e.Push(62, tlog.Hash{}) == nil {
		t.Error("more leaves than can be")
	}
}
