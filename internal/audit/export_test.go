package audit

import (
	"strconv"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// AppendLeaf writes a leaf in its version, for tests.
func AppendLeaf(l Leaf) []byte {
	w := writer{altered: l.Entry.Altered}
	l.Entry.visit(&w, l.Version)
	leaf := strconv.AppendInt([]byte(prefixes[l.Version-1]), l.Seq, 10)
	return append(append(leaf, w.buf...), '}')
}

// NewRow is an entry under a sequence number as the log stores it, but for the hashes
// of the tree, and its terms, for tests.
func NewRow(seq int64, e Entry, keys *seal.Keys) (Row, []TermRow) {
	c, err := encode(e, keys)
	if err != nil {
		panic(err)
	}
	var terms []TermRow
	for _, term := range c.terms {
		terms = append(terms, TermRow{term, seq})
	}
	return Row{Seq: seq, Leaf: c.leaf(seq), Sealed: c.sealed}, terms
}
