package xmlstrict

import (
	"strings"
	"unicode/utf8"
)

// run gathers one value from its parts. A single part is kept as it stands in
// the document; only when there are several are they copied.
type run struct {
	source     string
	start, end int    // the single part
	joined     []byte // used again for each value
	copied     bool
	form       Form
}

// add appends what stands in the source from start to end.
func (r *run) add(start, end int) {
	switch {
	case start == end:
	case r.copied:
		r.joined = append(r.joined, r.source[start:end]...)
	case r.start == r.end:
		r.start, r.end = start, end
	default:
		r.copy()
		r.joined = append(r.joined, r.source[start:end]...)
	}
}

func (r *run) addRune(c rune) {
	if !r.copied {
		r.copy()
	}
	r.joined = utf8.AppendRune(r.joined, c)
}

func (r *run) copy() {
	r.joined = append(r.joined[:0], r.source[r.start:r.end]...)
	r.copied = true
}

func (r *run) length() int {
	if r.copied {
		return len(r.joined)
	}
	return r.end - r.start
}

// take returns the value and makes room for the next.
func (r *run) take() string {
	value := r.source[r.start:r.end]
	if r.copied {
		value = string(r.joined)
	}
	r.start, r.end, r.copied, r.form = 0, 0, false, 0
	return value
}

// mark notes what decorates the current run of text and its element.
func (p *parser) mark(form Form) {
	if len(p.open) > 0 {
		p.run.form |= form
		p.tree.nodes[p.open[len(p.open)-1].node].form |= form
	}
}

// text reads character data up to the next "<".
func (p *parser) text() *Error {
	doc := p.doc
	start := p.pos // of what is not yet added to the run
	i := start
	for {
		for i < len(doc) && !is(doc[i], textStop) {
			i++
		}
		if i >= len(doc) {
			return p.refuse(i, "the document ends inside an element")
		}
		switch doc[i] {
		case '<':
			p.run.add(start, i)
			p.pos = i
			return p.checkRun()
		case '&':
			p.run.add(start, i)
			r, end := reference(doc, i)
			if end < 0 {
				return p.refuse(i, reasonReference)
			}
			p.run.addRune(r)
			p.mark(HasReference)
			i, start = end, end
		case '\r':
			p.run.add(start, i)
			i++
			start = i
			if i >= len(doc) || doc[i] != '\n' {
				p.run.addRune('\n')
			}
		case ']':
			if strings.HasPrefix(doc[i:], "]]>") {
				return p.refuse(i, "the end of a CDATA section stands in text")
			}
			i++
		default:
			if forbiddenAt(doc, i) {
				return p.refuse(i, reasonCharacter)
			}
			i++
		}
	}
}

// checkRun holds the run of text gathered so far against its limit.
func (p *parser) checkRun() *Error {
	if p.run.length() > p.limits.Value {
		return p.tooLarge(p.pos, "a text is longer than allowed")
	}
	return nil
}

// cdata reads a CDATA section.
func (p *parser) cdata() *Error {
	start := p.pos
	if len(p.open) == 0 {
		return p.refuse(start, "a CDATA section stands outside the root element")
	}
	p.pos += len("<![CDATA[")
	length := strings.Index(p.doc[p.pos:], "]]>")
	if length < 0 {
		return p.refuse(start, "a CDATA section is not closed")
	}
	end := p.pos + length
	bad := firstForbidden(p.doc[:end], p.pos)
	if bad >= 0 {
		return p.refuse(bad, reasonCharacter)
	}
	p.mark(HasCDATA)
	for p.pos < end {
		length := strings.IndexByte(p.doc[p.pos:end], '\r')
		if length < 0 {
			break
		}
		p.run.add(p.pos, p.pos+length)
		p.pos += length + 1
		if p.doc[p.pos] != '\n' {
			p.run.addRune('\n')
		}
	}
	p.run.add(p.pos, end)
	p.pos = end + len("]]>")
	return p.checkRun()
}

// flush ends the run of text before a start or end tag.
func (p *parser) flush() {
	if p.run.length() == 0 {
		p.run.form = 0
		return
	}
	n := node{
		kind:  textNode,
		form:  p.run.form,
		start: int32(p.run.start),
		end:   int32(p.run.end),
		next:  int32(len(p.tree.nodes) + 1),
	}
	copied := p.run.copied
	text := p.run.take()
	if copied {
		n.kind = copiedNode
		n.space = int32(len(p.tree.copied))
		p.tree.copied = append(p.tree.copied, text)
	}
	if !allSpace(text) {
		p.tree.nodes[p.open[len(p.open)-1].node].written = true
	}
	p.tree.nodes = append(p.tree.nodes, n)
}

// firstForbidden returns the offset of the first character at or after from
// that XML does not allow, or -1.
func firstForbidden(s string, from int) int {
	for i := from; i < len(s); i++ {
		if is(s[i], plainStop) && forbiddenAt(s, i) {
			return i
		}
	}
	return -1
}

// reference reads the reference at i, which holds an ampersand. It returns the
// character and the offset after the semicolon, or -1 where there is neither a
// predefined entity nor a reference to an allowed character.
func reference(s string, i int) (r rune, end int) {
	s = s[:min(len(s), i+maxReference)]
	length := strings.IndexByte(s[i:], ';')
	if length < 0 {
		return 0, -1
	}
	end = i + length + 1
	name := s[i+1 : end-1]
	switch name {
	case "amp":
		return '&', end
	case "lt":
		return '<', end
	case "gt":
		return '>', end
	case "quot":
		return '"', end
	case "apos":
		return '\'', end
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, -1
	}
	base := rune(10)
	digits, ok = strings.CutPrefix(digits, "x")
	if ok {
		base = 16
	}
	r, ok = number(digits, base)
	if !ok || !isChar(r) {
		return 0, -1
	}
	return r, end
}

// maxReference is more bytes than any reference needs, some leading zeros
// included.
const maxReference = 32

func number(digits string, base rune) (n rune, ok bool) {
	for i := range len(digits) {
		c := digits[i]
		digit := rune(-1)
		switch {
		case c >= '0' && c <= '9':
			digit = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			digit = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			digit = rune(c-'A') + 10
		}
		if digit < 0 {
			return 0, false
		}
		n = n*base + digit
		if n > utf8.MaxRune {
			return 0, false
		}
	}
	return n, digits != ""
}
