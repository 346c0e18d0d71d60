package audit

import (
	"errors"
	"fmt"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// sealContent writes and seals what of an entry is personal; nil if nothing is.
func (e *Entry) sealContent(keys *seal.Keys, terms []seal.Term) (sealed []byte, altered bool, err error) {
	w := writer{buf: append(make([]byte, 0, 512+len(e.Detail)), '{'), bare: true}
	e.visitContent(&w)
	if w.bare {
		return nil, w.altered, nil
	}
	sealed, err = keys.Seal(append(w.buf, '}'), terms)
	if err != nil {
		return nil, false, fmt.Errorf("audit: %w", err)
	}
	return sealed, w.altered, nil
}

// ParseContent reads an opened content into the entry that its leaf gave. Errors
// never quote the content.
func (e *Entry) ParseContent(content []byte) error {
	r := reader{leaf: string(content), bare: true}
	r.expect("{")
	e.visitContent(&r)
	r.expect("}")
	if r.at < len(content) {
		r.fail("text follows the content")
	}
	if r.err != nil {
		return fmt.Errorf("audit: content, byte %d: %w", r.at, r.err)
	}
	return nil
}

// State says whether what is personal in an entry can be read. Only of Whole is what
// is missing in an entry missing.
type State uint8

// The states of a content.
const (
	// Sealed is the zero State: there is a content, and it was not opened.
	Sealed State = iota
	// Whole: the entry is all there is.
	Whole
	// Locked: the key of the content is not at hand.
	Locked
	// Removed: the content was destroyed on an order, or its time of retention has
	// ended.
	Removed
)

// String names the state.
func (s State) String() string {
	switch s {
	case Whole:
		return "whole"
	case Locked:
		return "locked"
	case Removed:
		return "removed"
	default:
		return "sealed"
	}
}

// open opens the content of a row into its entry. That the content is the one to
// which the leaf commits is the verifier's matter, but a content that does not open
// with its key is an error here.
func (l *Leaf) open(row Row, keys *seal.Keys) (State, error) {
	switch {
	case !l.Entry.HasContent():
		return Whole, nil
	case row.Sealed == nil:
		return Removed, nil
	case keys == nil:
		return Sealed, nil
	}
	content, err := keys.Open(row.Sealed)
	if errors.Is(err, seal.ErrNoKey) {
		return Locked, nil
	}
	if err == nil {
		err = l.Entry.ParseContent(content)
	}
	if err != nil {
		return Sealed, &Mismatch{First: row.Seq, Last: row.Seq, Reason: "cannot be opened: " + err.Error()}
	}
	return Whole, nil
}
