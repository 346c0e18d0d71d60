package xmlstrict

import "strings"

type parser struct {
	doc    string
	pos    int
	limits Limits
	tree   *Document

	elements int
	open     []openElement
	bindings []binding
	run      run
	// Offsets of the attributes of the start tag being read, for errors.
	attributeOffsets []int

	// Enough for ordinary messages, allocated with the parser.
	openSpace    [20]openElement
	bindingSpace [12]binding
	offsetSpace  [8]int
	joinedSpace  [128]byte
}

// openElement is an element whose end tag has not been read.
type openElement struct {
	node     int
	name     span // as written
	bindings int  // how many namespace bindings were in scope before it
}

func (p *parser) refuse(offset int, reason string) *Error {
	return refusal(p.doc, offset, reason)
}

func (p *parser) tooLarge(offset int, reason string) *Error {
	err := refusal(p.doc, offset, reason)
	err.TooLarge = true
	return err
}

// at reports whether the text ahead begins with s.
func (p *parser) at(s string) bool { return strings.HasPrefix(p.doc[p.pos:], s) }

// skipSpace reports whether there was white space.
func (p *parser) skipSpace() bool {
	doc, i := p.doc, p.pos
	for i < len(doc) && is(doc[i], space) {
		i++
	}
	skipped := i > p.pos
	p.pos = i
	return skipped
}

// The result of document is an error and not an *Error, so that nil is nil.
func (p *parser) document() error {
	if p.at("\uFEFF") {
		p.pos += len("\uFEFF")
	}
	err := p.declaration()
	if err != nil {
		return err
	}
	err = p.miscellany()
	if err != nil {
		return err
	}
	err = p.root()
	if err != nil {
		return err
	}
	err = p.miscellany()
	if err != nil {
		return err
	}
	if p.pos < len(p.doc) {
		return p.refuse(p.pos, "something other than white space and comments follows the root element")
	}
	return nil
}

// miscellany skips what may stand around the root: white space and comments.
func (p *parser) miscellany() *Error {
	for {
		p.skipSpace()
		if !p.at("<!--") {
			return nil
		}
		err := p.comment()
		if err != nil {
			return err
		}
	}
}

// root reads the root element to its end tag.
func (p *parser) root() *Error {
	if p.pos >= len(p.doc) {
		return p.refuse(p.pos, "the document has no root element")
	}
	if p.doc[p.pos] != '<' {
		return p.refuse(p.pos, "something other than white space and comments precedes the root element")
	}
	err := p.markup()
	for err == nil && len(p.open) > 0 {
		err = p.text()
		if err == nil {
			err = p.markup()
		}
	}
	return err
}

// markup reads one construct that begins with "<".
func (p *parser) markup() *Error {
	next := byte(0)
	if p.pos+1 < len(p.doc) {
		next = p.doc[p.pos+1]
	}
	switch next {
	case '/':
		return p.endTag()
	case '!':
		switch {
		case p.at("<!--"):
			return p.comment()
		case p.at("<![CDATA["):
			return p.cdata()
		case p.at("<!DOCTYPE"):
			return p.refuse(p.pos, "a document type declaration is not allowed")
		}
		return p.refuse(p.pos, "malformed markup")
	case '?':
		return p.refuse(p.pos, "a processing instruction is not allowed")
	}
	return p.startTag()
}

// comment reads a comment, inside or outside the root.
func (p *parser) comment() *Error {
	start := p.pos
	length := strings.Index(p.doc[start+len("<!--"):], "--")
	if length < 0 {
		return p.refuse(start, "a comment is not closed")
	}
	end := start + len("<!--") + length
	bad := firstForbidden(p.doc[:end], start)
	if bad >= 0 {
		return p.refuse(bad, reasonCharacter)
	}
	p.pos = end
	if !p.at("-->") {
		return p.refuse(end, "two hyphens stand inside a comment")
	}
	p.pos += len("-->")
	p.mark(HasComment)
	return nil
}

// endTag closes the innermost open element.
func (p *parser) endTag() *Error {
	start := p.pos
	if len(p.open) == 0 {
		return p.refuse(start, "an end tag has no start tag")
	}
	p.flush()
	top := p.open[len(p.open)-1]
	p.pos += len("</")
	name := p.doc[top.name.start:top.name.end]
	if !p.at(name) {
		return p.refuse(start, reasonEndTag)
	}
	p.pos += len(name)
	p.skipSpace()
	if p.pos >= len(p.doc) || p.doc[p.pos] != '>' {
		return p.refuse(start, reasonEndTag)
	}
	p.pos++
	p.tree.nodes[top.node].next = int32(len(p.tree.nodes))
	p.open = p.open[:len(p.open)-1]
	p.bindings = p.bindings[:top.bindings]
	return nil
}

const (
	reasonCharacter = "a character that XML does not allow"
	reasonEndTag    = "an end tag does not match its start tag"
	reasonReference = "a reference that is neither a predefined entity nor a character"
)
