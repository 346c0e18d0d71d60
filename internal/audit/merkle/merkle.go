// Package merkle grows the Merkle tree of RFC 6962, section 2.1, from left to right
// in little memory. Proofs of it are made and checked with tlog.
package merkle

import (
	"crypto/sha256"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge is the right edge of a tree: all that is needed to add a leaf and to know the
// root. The zero Edge is the empty tree. A copy of an Edge is independent of it.
type Edge struct {
	Size int64 // leaves

	// Node[i] is the root of the complete subtree of 1<<i leaves that ends the tree's
	// part of that size; it is there when bit i of Size is set.
	Node [63]tlog.Hash
}

// Add adds a leaf. It appends to hashes those that the leaf completes: of the leaf,
// then of each subtree that ends with it, from the smallest.
func (e *Edge) Add(leaf []byte, hashes []tlog.Hash) []tlog.Hash {
	h := LeafHash(leaf)
	hashes = append(hashes, h)
	level := 0
	for ; e.Size>>level&1 != 0; level++ {
		h = nodeHash(&e.Node[level], &h)
		hashes = append(hashes, h)
	}
	e.Node[level] = h
	e.Size++
	return hashes
}

// Push adds a complete subtree of 1<<level leaves by its root. It is an error if the
// tree has no place for one there.
func (e *Edge) Push(level int, root tlog.Hash) error {
	if level < 0 || level >= len(e.Node) || e.Size&(1<<level-1) != 0 || e.Size > 1<<62-1 {
		return errors.New("merkle: the tree has no place for a subtree of this size")
	}
	e.Size += 1 << level
	for ; e.Size>>level&1 == 0; level++ {
		root = nodeHash(&e.Node[level], &root)
	}
	e.Node[level] = root
	return nil
}

// Root is the hash of the whole tree.
func (e *Edge) Root() tlog.Hash {
	if e.Size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(uint64(e.Size))
	root := e.Node[level]
	for level++; e.Size>>level != 0; level++ {
		if e.Size>>level&1 != 0 {
			root = nodeHash(&e.Node[level], &root)
		}
	}
	return root
}

// LeafHash is the hash of a leaf.
func LeafHash(leaf []byte) tlog.Hash {
	var room [1024]byte // for most leaves
	return sha256.Sum256(append(append(room[:0], 0), leaf...))
}

func nodeHash(left, right *tlog.Hash) tlog.Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}
