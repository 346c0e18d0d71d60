package xmlstrict

import (
	"errors"
	"unicode/utf8"
)

// Writer builds one document in memory, without white space between elements.
// Its first error sticks and is reported by Bytes. It checks that the document
// is well formed; that each prefix is declared is left to the caller, who does
// it with attributes named xmlns and xmlns:prefix.
type Writer struct {
	buffer     []byte
	open       []span // names of the open elements
	attributes []span // names on the start tag being written
	inTag      bool   // the last start tag is not closed
	rooted     bool   // the root has been started
	err        error
}

func (w *Writer) at(s span) []byte { return w.buffer[s.start:s.end] }

// NewWriter returns a writer with room for capacity bytes.
func NewWriter(capacity int) *Writer {
	return &Writer{
		buffer:     make([]byte, 0, capacity),
		open:       make([]span, 0, 24),
		attributes: make([]span, 0, 8),
	}
}

var (
	errDeclaration = errors.New("xml: the declaration does not come first")
	errRoot        = errors.New("xml: there is not exactly one root element")
	errUnbalanced  = errors.New("xml: the elements are not balanced")
	errOutside     = errors.New("xml: text outside the root element")
	errAttribute   = errors.New("xml: an attribute outside a start tag, without value or repeated")
	errName        = errors.New("xml: a malformed name")
	errCharacter   = errors.New("xml: a character that XML cannot carry")
)

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Declaration writes the XML declaration, which must come first.
func (w *Writer) Declaration() {
	if len(w.buffer) > 0 {
		w.fail(errDeclaration)
	}
	w.buffer = append(w.buffer, `<?xml version="1.0" encoding="UTF-8"?>`...)
}

// Start opens an element. The name is written as it is, prefix included; attrs
// are names and values in turn.
func (w *Writer) Start(name string, attrs ...string) {
	if len(w.open) == 0 && w.rooted {
		w.fail(errRoot)
	}
	w.rooted = true
	w.closeTag()
	w.buffer = append(w.buffer, '<')
	w.open = append(w.open, w.name(name))
	w.inTag = true
	w.attributes = w.attributes[:0]
	if len(attrs)%2 != 0 {
		w.fail(errAttribute)
		return
	}
	for i := 0; i < len(attrs); i += 2 {
		w.Attr(attrs[i], attrs[i+1])
	}
}

// Attr adds an attribute to the start tag just opened.
func (w *Writer) Attr(name, value string) {
	if !w.inTag {
		w.fail(errAttribute)
		return
	}
	for _, other := range w.attributes {
		if string(w.at(other)) == name {
			w.fail(errAttribute)
		}
	}
	w.buffer = append(w.buffer, ' ')
	w.attributes = append(w.attributes, w.name(name))
	w.buffer = append(w.buffer, '=', '"')
	w.escape(value, true)
	w.buffer = append(w.buffer, '"')
}

// Text writes character data.
func (w *Writer) Text(s string) {
	if len(w.open) == 0 {
		w.fail(errOutside)
	}
	if s == "" {
		return
	}
	w.closeTag()
	w.escape(s, false)
}

// End closes the innermost open element, as an empty-element tag if nothing
// was written into it.
func (w *Writer) End() {
	if len(w.open) == 0 {
		w.fail(errUnbalanced)
		return
	}
	name := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	if w.inTag {
		w.inTag = false
		w.buffer = append(w.buffer, '/', '>')
		return
	}
	w.buffer = append(w.buffer, '<', '/')
	w.buffer = append(w.buffer, w.at(name)...)
	w.buffer = append(w.buffer, '>')
}

// Empty writes an element without content.
func (w *Writer) Empty(name string, attrs ...string) {
	w.Start(name, attrs...)
	w.End()
}

// Leaf writes an element that holds nothing but text.
func (w *Writer) Leaf(name, text string) {
	w.Start(name)
	w.Text(text)
	w.End()
}

// Bytes returns the document, or says why there is none: an element left open,
// no root, a malformed name, a character that XML cannot carry.
func (w *Writer) Bytes() ([]byte, error) {
	switch {
	case w.err != nil:
		return nil, w.err
	case len(w.open) > 0:
		return nil, errUnbalanced
	case !w.rooted:
		return nil, errRoot
	}
	return w.buffer, nil
}

func (w *Writer) closeTag() {
	if w.inTag {
		w.buffer = append(w.buffer, '>')
		w.inTag = false
	}
}

// name appends a qualified name.
func (w *Writer) name(name string) span {
	end := ncName(name, 0)
	ok := end > 0
	if ok && end < len(name) && name[end] == ':' {
		after := end + 1
		end = ncName(name, after)
		ok = end > after
	}
	if !ok || end < len(name) {
		w.fail(errName)
		name = ""
	}
	start := len(w.buffer)
	w.buffer = append(w.buffer, name...)
	return span{start, len(w.buffer)}
}

// escape appends s so that every parser reads it back as it is: also line ends
// and, in attribute values, tabs, which a parser would otherwise normalise.
func (w *Writer) escape(s string, attribute bool) {
	start := 0 // of what is not yet appended
	for i := 0; ; {
		for i < len(s) && !is(s[i], escaped) {
			i++
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || !isChar(r) {
				w.fail(errCharacter)
			}
			i += size
			continue
		}
		if forbiddenAt(s, i) {
			w.fail(errCharacter)
		}
		written := escapeOf(c, attribute)
		if written != "" {
			w.buffer = append(w.buffer, s[start:i]...)
			w.buffer = append(w.buffer, written...)
			start = i + 1
		}
		i++
	}
	w.buffer = append(w.buffer, s[start:]...)
}

// escapeOf returns what stands for an ASCII character, empty if it stands for
// itself.
func escapeOf(c byte, attribute bool) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\r':
		return "&#13;"
	}
	if !attribute {
		return ""
	}
	switch c {
	case '"':
		return "&quot;"
	case '\t':
		return "&#9;"
	case '\n':
		return "&#10;"
	}
	return ""
}
