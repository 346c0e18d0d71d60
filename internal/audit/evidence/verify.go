package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// Error is the first place at which an export is not what it should be. It quotes
// nothing of the entries.
type Error struct {
	Line  int64 // from 1
	Entry int64 // -1 if it is not about one entry
	Err   error
}

func (e *Error) Error() string {
	if e.Entry < 0 {
		return fmt.Sprintf("evidence: line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("evidence: line %d, entry %d: %v", e.Line, e.Entry, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Report is what Verify found. After an error it says how far it came, and proves
// nothing.
type Report struct {
	Checkpoint audit.Checkpoint // signed by a known key; against which all was verified
	Selection  bool             // the entries were chosen: nothing shows that none is missing
	Contents   Contents         // how much the export says goes with the entries

	First, End       int64     // the range, or that within which the selected are
	Entries          int64     // in it, each proved to be in the log
	Earliest, Latest time.Time // of the entries; zero without any

	Included int64 // contents that are there, and are those of their entries
	Opened   int64 // of these, those that are there to be read, as they were sealed

	// Contents that are not there, where they go with the entries: those of which a
	// later entry of the export says that they were removed, and the others. In an
	// export that reaches the end of the log there are no others.
	Removed, Unaccounted int64
}

// Verify checks an export, of a range or of a selection, against the log's public keys
// and its origin: that the checkpoint is signed, each entry has the one form and its
// place, all are those of the checkpoint's tree, each content is the one to which its
// entry commits, and opens with its key to what stands beside it. It reads as a stream
// and needs the same memory however long it is.
//
// If something is wrong the error is an *Error, or that of the reader.
func Verify(r io.Reader, known note.Verifiers, origin string) (Report, error) {
	v := verifier{in: bufio.NewReaderSize(r, 1<<16), entry: -1}
	err := v.verify(known, origin)
	var failed *readError
	if errors.As(err, &failed) {
		return v.report, fmt.Errorf("evidence: the export cannot be read: %w", failed.err)
	}
	if err != nil {
		return v.report, &Error{v.number, v.entry, err}
	}
	return v.report, nil
}

// readError is an error of the reader, not of what was read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

type verifier struct {
	in      *bufio.Reader
	long    []byte // a line that does not fit into the buffer of in
	number  int64  // of the line
	entry   int64  // of which it is; -1 if that is not known
	line    line
	leaves  audit.LeafReader
	version int // of the newest leaf
	tree    *tree
	lacking contents
	report  Report
}

func (v *verifier) verify(known note.Verifiers, origin string) error {
	first, err := v.next()
	if err != nil {
		return err
	}
	err = v.begin(first, known, origin)
	if err != nil {
		return err
	}
	v.lacking.choice = v.report.Contents
	for {
		v.entry = -1
		b, err := v.next()
		if err != nil {
			return err
		}
		if v.ends(b) {
			return v.end(b)
		}
		if v.tree != nil {
			v.entry = v.tree.edge.Size
		}
		err = v.read(b)
		if err != nil {
			return err
		}
	}
}

// next returns the next line without its newline.
func (v *verifier) next() ([]byte, error) {
	v.number++
	b, err := v.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		b, err = v.nextLong(b)
	}
	switch {
	case err == nil:
		return b[:len(b)-1], nil
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errors.New("the line is longer than any that Ward writes")
	case errors.Is(err, io.EOF):
		return nil, errors.New("the export is cut off here")
	}
	return nil, &readError{err}
}

// nextLong reads the rest of a line.
func (v *verifier) nextLong(b []byte) ([]byte, error) {
	err := bufio.ErrBufferFull
	v.long = append(v.long[:0], b...)
	for errors.Is(err, bufio.ErrBufferFull) && len(v.long) < maxLine {
		b, err = v.in.ReadSlice('\n')
		v.long = append(v.long, b...)
	}
	return v.long, err
}

// begin reads the first line.
func (v *verifier) begin(b []byte, known note.Verifiers, origin string) error {
	var h header
	var s selectionHeader
	v.report.Selection = bytes.HasPrefix(b, []byte(`{"ward_export":1,"selection":true,`))
	into := any(&h)
	if v.report.Selection {
		into = &s
	}
	err := json.Unmarshal(b, into)
	if err != nil {
		return errors.New("this is not an export of an audit log")
	}
	again, err := appendJSON(into)
	if err != nil || !bytes.Equal(b, again[:len(again)-1]) {
		return errors.New("this is not an export of an audit log, or not written as it should be")
	}
	if v.report.Selection {
		h = header{Version: s.Version, Contents: s.Contents, Checkpoint: s.Checkpoint}
	}
	if h.Version != version || h.Contents != Sealed && h.Contents != None && h.Contents != Opened {
		return errors.New("this is an export of a form that is not known")
	}
	c, err := openCheckpoint([]byte(h.Checkpoint), known, origin)
	if err != nil {
		return err
	}
	v.report.Checkpoint, v.report.Contents = c, h.Contents
	if v.report.Selection {
		return nil
	}
	v.report.First, v.report.End = h.First, h.First
	v.tree, err = newTree(h, c)
	return err
}

// ends reports whether the last line is due.
func (v *verifier) ends(b []byte) bool {
	if v.tree != nil {
		return v.tree.edge.Size == v.tree.header.End
	}
	return bytes.HasPrefix(b, []byte(`{"entries":`))
}

// read checks the line of an entry.
func (v *verifier) read(b []byte) error {
	err := v.line.read(b, v.tree == nil, v.report.Contents)
	if err != nil {
		return err
	}
	leaf, err := v.leaves.Read(v.line.leaf)
	if err != nil {
		return err
	}
	if leaf.Version < v.version && (v.version > 2 || leaf.Version > 2) {
		return errors.New("it is of an earlier form than the entry before it")
	}
	v.version = leaf.Version
	if v.tree != nil {
		err = v.follows(leaf)
	} else {
		err = v.selected(leaf)
	}
	if err != nil {
		return err
	}
	return v.take(leaf)
}

// follows checks the next entry of a range.
func (v *verifier) follows(leaf *audit.Leaf) error {
	if leaf.Seq != v.entry {
		return fmt.Errorf("entry %d stands in its place", leaf.Seq)
	}
	if v.tree.add(v.line.leaf) != v.line.hash {
		return errors.New("it does not have the hash that stands with it: it or the hash was changed")
	}
	return nil
}

// selected checks an entry of a selection.
func (v *verifier) selected(leaf *audit.Leaf) error {
	v.entry = leaf.Seq
	if v.report.Entries == 0 {
		v.report.First = leaf.Seq
	} else if leaf.Seq < v.report.End {
		return errors.New("it does not stand in order")
	}
	c := v.report.Checkpoint
	if leaf.Seq >= c.Size {
		return errors.New("the checkpoint does not cover it")
	}
	err := tlog.CheckRecord(v.line.proof, c.Size, c.Root, leaf.Seq, merkle.LeafHash(v.line.leaf))
	if err != nil {
		return errors.New("it is not that of the signed checkpoint: it or its proof was changed")
	}
	return nil
}

// take checks the content of an entry and counts.
func (v *verifier) take(leaf *audit.Leaf) error {
	e, r := &leaf.Entry, &v.report
	if v.line.sealed != nil {
		if hash(v.line.sealed) != e.Content {
			return errContent
		}
		r.Included++
	}
	if v.line.content != nil {
		r.Opened++
	}
	v.lacking.take(leaf.Seq, e, v.line.sealed != nil)
	if r.Entries == 0 || e.Time.Before(r.Earliest) {
		r.Earliest = e.Time
	}
	if r.Entries == 0 || e.Time.After(r.Latest) {
		r.Latest = e.Time
	}
	r.Entries++
	r.End = leaf.Seq + 1
	return nil
}

// end checks the last line, and what can be known only then.
func (v *verifier) end(b []byte) error {
	if string(b)+"\n" != string(appendTrailer(nil, v.report.Entries)) {
		return fmt.Errorf("it is not the last line of an export of %d entries", v.report.Entries)
	}
	_, err := v.in.Peek(1)
	if err == nil {
		return errors.New("more follows the last line")
	}
	if !errors.Is(err, io.EOF) {
		return &readError{err}
	}
	v.report.Unaccounted = v.lacking.missing.Count()
	v.report.Removed = v.lacking.count - v.report.Unaccounted
	if v.tree == nil {
		return nil
	}
	err = v.tree.finish()
	if err != nil {
		return err
	}
	if v.report.End == v.report.Checkpoint.Size {
		return v.lacking.missing.Mismatch()
	}
	return nil
}
