package xmlstrict

import "strings"

// declaration reads the XML declaration, if there is one:
//
//	<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
//
// Encoding and standalone are optional, in this order.
func (p *parser) declaration() *Error {
	start := p.pos
	if !p.at("<?xml") || len(p.doc) == start+len("<?xml") || !is(p.doc[start+len("<?xml")], space) {
		return nil // another processing instruction is refused where it stands
	}
	p.pos += len("<?xml")
	p.skipSpace()
	version, ok := p.pseudoAttribute("version")
	if !ok || version != "1.0" {
		return p.refuse(start, "the XML declaration does not begin with version 1.0")
	}
	spaced := p.skipSpace()
	if spaced && p.at("encoding") {
		encoding, ok := p.pseudoAttribute("encoding")
		if !ok || !strings.EqualFold(encoding, "UTF-8") {
			return p.refuse(start, "the XML declaration states an encoding other than UTF-8")
		}
		spaced = p.skipSpace()
	}
	if spaced && p.at("standalone") {
		standalone, ok := p.pseudoAttribute("standalone")
		if !ok || standalone != "yes" && standalone != "no" {
			return p.refuse(start, "standalone in the XML declaration is neither yes nor no")
		}
		p.skipSpace()
	}
	if !p.at("?>") {
		return p.refuse(start, "the XML declaration is malformed")
	}
	p.pos += len("?>")
	return nil
}

// pseudoAttribute reads name="value" or name='value'.
func (p *parser) pseudoAttribute(name string) (value string, ok bool) {
	if !p.at(name) {
		return "", false
	}
	p.pos += len(name)
	p.skipSpace()
	if !p.at("=") {
		return "", false
	}
	p.pos++
	p.skipSpace()
	if !p.at(`"`) && !p.at("'") {
		return "", false
	}
	quote := p.doc[p.pos]
	p.pos++
	length := strings.IndexByte(p.doc[p.pos:], quote)
	if length < 0 {
		return "", false
	}
	value = p.doc[p.pos : p.pos+length]
	p.pos += length + 1
	return value, true
}
