// Package xmlstrict is the one door for XML: a strict, namespace-aware reader
// that turns a whole document into a compact tree, and a small writer.
//
// The reader accepts XML 1.0 (names as in the fifth edition) with Namespaces
// in XML 1.0, in UTF-8, and less than those allow: no document type
// declaration, no processing instruction, no entity but the five predefined
// ones, no xml:id, and no namespace name that is not a URI reference. It reads
// nothing but the string that it is given and never accepts what libxml2
// refuses, as long as Limits.Depth is at most 256, Limits.Name at most 50,000
// and Limits.Value at most 10,000,000, which are libxml2's own limits.
//
// Strings in the tree are parts of the document, copied only where line ends,
// white space in attribute values, references, comments or CDATA sections make
// the value differ from what is written. The tree therefore keeps the document
// in memory.
package xmlstrict

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Limits bound what one document may cost. A limit of zero allows nothing.
// The search for duplicate attributes takes time in the square of Attributes;
// a few dozen are plenty. Besides, at most 256 namespace declarations may be in
// scope at one place.
type Limits struct {
	Bytes      int // whole document
	Depth      int // nested elements
	Elements   int // in the document
	Attributes int // on one element, namespace declarations included
	Name       int // bytes of one qualified name
	Value      int // bytes of one attribute value or one run of text
}

// Error says where and why a document is refused. Reason is a fixed sentence
// that never quotes the document.
type Error struct {
	Line     int // from 1; CR LF, CR and LF each end a line
	Column   int // from 1, in bytes
	Reason   string
	TooLarge bool // a limit is exceeded; otherwise the document is wrong
}

func (e *Error) Error() string {
	return fmt.Sprintf("XML line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Parse reads a whole document. The error, if any, is always an *Error.
func Parse(doc string, limits Limits) (*Document, error) {
	if len(doc) > min(limits.Bytes, math.MaxInt32-1) {
		return nil, &Error{Line: 1, Column: 1, Reason: "the document is larger than allowed", TooLarge: true}
	}
	// In UTF-8 a whole document can be checked at the speed of memory, and
	// everything after may rely on it.
	if !utf8.ValidString(doc) {
		return nil, refusal(doc, firstInvalid(doc), "the document is not UTF-8")
	}
	p := parser{doc: doc, limits: limits, tree: newDocument(doc)}
	p.open = p.openSpace[:0]
	p.bindings = p.bindingSpace[:0]
	p.attributeOffsets = p.offsetSpace[:0]
	p.run = run{source: doc, joined: p.joinedSpace[:0]}
	err := p.document()
	if err != nil {
		return nil, err
	}
	return p.tree, nil
}

func firstInvalid(doc string) int {
	for i, r := range doc {
		if r != utf8.RuneError {
			continue
		}
		_, size := utf8.DecodeRuneInString(doc[i:])
		if size == 1 {
			return i
		}
	}
	return len(doc)
}

func refusal(doc string, offset int, reason string) *Error {
	line, column := position(doc, offset)
	return &Error{Line: line, Column: column, Reason: reason}
}

// position turns an offset into a line and a column in bytes, both from 1.
func position(doc string, offset int) (line, column int) {
	line, start := 1, 0
	for i := 0; i < offset; {
		end := strings.IndexAny(doc[i:offset], "\r\n")
		if end < 0 {
			break
		}
		i += end + 1
		if doc[i-1] == '\r' && i < len(doc) && doc[i] == '\n' {
			i++
		}
		if i > offset { // between the two bytes of one line end
			break
		}
		line, start = line+1, i
	}
	return line, offset - start + 1
}
