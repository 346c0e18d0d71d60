package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// tree follows an export of a range from its header to its end.
type tree struct {
	header     header
	checkpoint audit.Checkpoint
	edge       merkle.Edge
	hashes     []tlog.Hash // of the newest entry
}

// newTree begins with what the header says comes before the range.
func newTree(h header, c audit.Checkpoint) (*tree, error) {
	if h.First < 0 || h.First > h.End || h.End > c.Size {
		return nil, errors.New("the range is not one of the entries that the checkpoint covers")
	}
	t := tree{header: h, checkpoint: c}
	return &t, t.push(0, h.First, h.Before)
}

// push adds the subtrees that hold the leaves from first on and before end.
func (t *tree) push(first, end int64, roots []tlog.Hash) error {
	wrong := errors.New("there are not as many hashes before or after the range as its place in the tree asks for")
	for level := range subtrees(first, end) {
		if len(roots) == 0 {
			return wrong
		}
		err := t.edge.Push(level, roots[0])
		if err != nil {
			return err
		}
		roots = roots[1:]
	}
	if len(roots) > 0 {
		return wrong
	}
	return nil
}

// add adds the next leaf and returns its hash.
func (t *tree) add(leaf []byte) tlog.Hash {
	t.hashes = t.edge.Add(leaf, t.hashes[:0])
	return t.hashes[0]
}

// finish adds what the header says comes after the range, and compares the whole with
// the checkpoint.
func (t *tree) finish() error {
	err := t.push(t.header.End, t.checkpoint.Size, t.header.After)
	if err != nil {
		return err
	}
	if t.edge.Root() != t.checkpoint.Root {
		return fmt.Errorf("entries %d to %d, and the hashes before and after them, are not those of the signed checkpoint",
			t.header.First, t.header.End-1)
	}
	return nil
}

// contents keeps account of those that an export lacks.
type contents struct {
	choice  Contents
	missing audit.Missing
	count   int64
}

// take takes an entry with its content or without.
func (c *contents) take(seq int64, e *audit.Entry, there bool) {
	if c.choice == None {
		return
	}
	if e.HasContent() && !there {
		c.missing.Add(seq, e.Kind.Class())
		c.count++
	}
	c.missing.Account(e)
}

func hash(b []byte) tlog.Hash { return sha256.Sum256(b) }
