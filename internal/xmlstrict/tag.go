package xmlstrict

import "strings"

// startTag reads a start tag or an empty-element tag.
func (p *parser) startTag() *Error {
	start := p.pos
	p.flush()
	if len(p.open) > 0 {
		p.tree.nodes[p.open[len(p.open)-1].node].form |= HasElements
	}
	p.elements++
	if p.elements > p.limits.Elements {
		return p.tooLarge(start, "the document has more elements than allowed")
	}
	if len(p.open) >= p.limits.Depth {
		return p.tooLarge(start, "elements are nested deeper than allowed")
	}
	p.pos++
	nameStart := p.pos
	_, prefix, local, err := p.qualifiedName()
	if err != nil {
		return err
	}
	nameEnd := p.pos
	outer := len(p.bindings)
	first := len(p.tree.attributes)
	empty, err := p.attributes(outer)
	if err != nil {
		return err
	}
	err = p.resolveAttributes(first)
	if err != nil {
		return err
	}
	space, ok := p.resolve(prefix)
	if !ok {
		return p.refuse(start, reasonPrefix)
	}
	index := len(p.tree.nodes)
	p.tree.nodes = append(p.tree.nodes, node{
		start:          int32(nameEnd - len(local)),
		end:            int32(nameEnd),
		space:          space,
		offset:         int32(start),
		next:           int32(index + 1),
		attributes:     int32(first),
		attributeCount: int32(len(p.tree.attributes) - first),
	})
	if empty {
		p.bindings = p.bindings[:outer]
		return nil
	}
	p.open = append(p.open, openElement{node: index, name: span{nameStart, nameEnd}, bindings: outer})
	return nil
}

// qualifiedName reads NCName or NCName:NCName.
func (p *parser) qualifiedName() (name, prefix, local string, err *Error) {
	start := p.pos
	end := ncName(p.doc, start)
	if end == start {
		return "", "", "", p.refuse(start, reasonName)
	}
	local = p.doc[start:end]
	if end < len(p.doc) && p.doc[end] == ':' {
		prefix = local
		after := end + 1
		end = ncName(p.doc, after)
		if end == after || end < len(p.doc) && p.doc[end] == ':' {
			return "", "", "", p.refuse(start, reasonName)
		}
		local = p.doc[after:end]
	}
	if end-start > p.limits.Name {
		return "", "", "", p.tooLarge(start, "a name is longer than allowed")
	}
	p.pos = end
	return p.doc[start:end], prefix, local, nil
}

// attributes reads the rest of a start tag. Namespace declarations become
// bindings, the others are stored with their prefix in the place of the
// namespace until all declarations are known.
func (p *parser) attributes(outer int) (empty bool, err *Error) {
	p.attributeOffsets = p.attributeOffsets[:0]
	for count := 0; ; count++ {
		spaced := p.skipSpace()
		switch {
		case p.at(">"):
			p.pos++
			return false, nil
		case p.at("/>"):
			p.pos += len("/>")
			return true, nil
		case p.pos >= len(p.doc):
			return false, p.refuse(p.pos, "a start tag is not closed")
		case !spaced:
			return false, p.refuse(p.pos, "a start tag is malformed")
		case count >= p.limits.Attributes:
			return false, p.tooLarge(p.pos, "an element has more attributes than allowed")
		}
		err := p.attribute(outer)
		if err != nil {
			return false, err
		}
	}
}

func (p *parser) attribute(outer int) *Error {
	start := p.pos
	name, prefix, local, err := p.qualifiedName()
	if err != nil {
		return err
	}
	p.skipSpace()
	if !p.at("=") {
		return p.refuse(p.pos, "an attribute has no value")
	}
	p.pos++
	p.skipSpace()
	value, referenced, err := p.attributeValue()
	if err != nil {
		return err
	}
	if len(value) > p.limits.Value {
		return p.tooLarge(start, "an attribute value is longer than allowed")
	}
	switch {
	case name == "xmlns":
		return p.bind(outer, start, "", value)
	case prefix == "xmlns":
		return p.bind(outer, start, local, value)
	case name == "xml:id":
		// It would make the identifier's form and uniqueness our concern.
		return p.refuse(start, "the attribute xml:id is not allowed")
	}
	p.attributeOffsets = append(p.attributeOffsets, start)
	p.tree.attributes = append(p.tree.attributes, Attribute{
		Name: Name{Space: prefix, Local: local}, Value: value, Referenced: referenced,
	})
	return nil
}

// resolveAttributes replaces the prefixes of the last start tag's attributes
// by their namespaces. Attributes without prefix are in no namespace. Two
// attributes of the same qualified name also have the same expanded name.
func (p *parser) resolveAttributes(first int) *Error {
	attributes := p.tree.attributes[first:]
	for i := range attributes {
		name := &attributes[i].Name
		if name.Space != "" {
			space, ok := p.resolve(name.Space)
			if !ok {
				return p.refuse(p.attributeOffsets[i], reasonPrefix)
			}
			name.Space = p.tree.namespaces[space]
		}
		for j := range i {
			if attributes[j].Name == *name {
				return p.refuse(p.attributeOffsets[i], reasonDuplicate)
			}
		}
	}
	return nil
}

// attributeValue reads a quoted value and normalises it: each line end, tab or
// newline is one space, references stand for their character.
func (p *parser) attributeValue() (value string, referenced bool, err *Error) {
	if !p.at(`"`) && !p.at("'") {
		return "", false, p.refuse(p.pos, "an attribute value is not quoted")
	}
	quote := p.doc[p.pos]
	p.pos++
	doc := p.doc
	start := p.pos // of what is not yet added to the run
	for i := start; ; {
		for i < len(doc) && !is(doc[i], valueStop) {
			i++
		}
		if i == len(doc) {
			break
		}
		c := doc[i]
		switch c {
		case quote:
			p.pos = i + 1
			if !p.run.copied && p.run.start == p.run.end {
				return doc[start:i], referenced, nil
			}
			p.run.add(start, i)
			return p.run.take(), referenced, nil
		case '"', '\'':
			i++
		case '<':
			return "", false, p.refuse(i, "a less-than sign stands in an attribute value")
		case '\t', '\n', '\r':
			p.run.add(start, i)
			p.run.addRune(' ')
			if strings.HasPrefix(doc[i:], "\r\n") {
				i++
			}
			i++
			start = i
		case '&':
			p.run.add(start, i)
			r, end := reference(doc, i)
			if end < 0 {
				return "", false, p.refuse(i, reasonReference)
			}
			p.run.addRune(r)
			referenced = true
			i, start = end, end
		default:
			if forbiddenAt(doc, i) {
				return "", false, p.refuse(i, reasonCharacter)
			}
			i++
		}
	}
	return "", false, p.refuse(p.pos-1, "an attribute value is not closed")
}

const (
	reasonName      = "a name is malformed"
	reasonPrefix    = "a namespace prefix is not declared"
	reasonDuplicate = "an attribute is repeated"
)
