// Package divergence_test holds Ward's decoders against the official schemas, with
// messages of its own making, whole and damaged. docs/divergences.md explains each
// kind of disagreement that it knows.
package divergence_test

import (
	"encoding/xml"
	"fmt"
	"strings"
)

const (
	hl7Space     = "urn:hl7-org:v3"
	localisation = "NPFIT:HL7:Localisation"
	itkSpace     = "urn:nhs-itk:ns:201005"
	instance     = "http://www.w3.org/2001/XMLSchema-instance"
)

// node is an element with everything that a mutation may do to it.
type node struct {
	name    xml.Name
	attrs   []attr
	content []part
}

type attr struct {
	name       xml.Name
	value      string
	referenced bool // written with a character reference
}

// part is a child element, or a text, or a comment or CDATA section as written.
type part struct {
	child      *node
	text       string
	referenced bool
	markup     string
}

// element makes an HL7 element out of attributes, texts and children.
func element(local string, content ...any) *node {
	return elementIn(hl7Space, local, content...)
}

func elementIn(space, local string, content ...any) *node {
	n := &node{name: xml.Name{Space: space, Local: local}}
	for _, c := range content {
		switch c := c.(type) {
		case attr:
			n.attrs = append(n.attrs, c)
		case string:
			n.content = append(n.content, part{text: c})
		case *node:
			n.content = append(n.content, part{child: c})
		case []*node:
			for _, child := range c {
				n.content = append(n.content, part{child: child})
			}
		default:
			panic(fmt.Sprintf("an element cannot hold a %T", c))
		}
	}
	return n
}

func is(local, value string) attr { return attr{name: xml.Name{Local: local}, value: value} }

var instanceType = xml.Name{Space: instance, Local: "type"}

func nilled() attr { return attr{name: xml.Name{Space: instance, Local: "nil"}, value: "true"} }

// clone copies n with everything below it.
func (n *node) clone() *node {
	c := &node{name: n.name, attrs: append([]attr(nil), n.attrs...), content: append([]part(nil), n.content...)}
	for i, p := range c.content {
		if p.child != nil {
			c.content[i].child = p.child.clone()
		}
	}
	return c
}

// String writes the element as a document without declaration.
func (n *node) String() string {
	var out strings.Builder
	n.write(&out, "")
	return out.String()
}

func (n *node) write(out *strings.Builder, space string) {
	out.WriteString("<" + n.name.Local)
	if n.name.Space != space {
		out.WriteString(` xmlns="` + n.name.Space + `"`)
	}
	for i, a := range n.attrs {
		name := a.name.Local
		if a.name.Space != "" {
			name = fmt.Sprintf("p%d:%s", i, name)
			fmt.Fprintf(out, ` xmlns:p%d="%s"`, i, a.name.Space)
		}
		out.WriteString(" " + name + `="`)
		escape(out, a.value, a.referenced)
		out.WriteString(`"`)
	}
	if len(n.content) == 0 {
		out.WriteString("/>")
		return
	}
	out.WriteString(">")
	for _, p := range n.content {
		switch {
		case p.child != nil:
			p.child.write(out, n.name.Space)
		case p.markup != "":
			out.WriteString(p.markup)
		default:
			escape(out, p.text, p.referenced)
		}
	}
	out.WriteString("</" + n.name.Local + ">")
}

// escape writes a text, its first character as a reference if so wished.
func escape(out *strings.Builder, text string, referenced bool) {
	for i, r := range text {
		switch {
		case i == 0 && referenced:
			fmt.Fprintf(out, "&#%d;", r)
		case r == '&':
			out.WriteString("&amp;")
		case r == '<':
			out.WriteString("&lt;")
		case r == '>':
			out.WriteString("&gt;")
		case r == '"':
			out.WriteString("&quot;")
		default:
			out.WriteRune(r)
		}
	}
}

// walk visits n and every element below it.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children() {
		c.walk(visit)
	}
}

func (n *node) children() []*node {
	var all []*node
	for _, p := range n.content {
		if p.child != nil {
			all = append(all, p.child)
		}
	}
	return all
}

// all returns the elements of that local name, n included, in document order.
func (n *node) all(local string) []*node {
	var found []*node
	n.walk(func(e *node) {
		if e.name.Local == local {
			found = append(found, e)
		}
	})
	return found
}

// child returns the first child of that local name, an empty element if there is
// none.
func (n *node) child(local string) *node {
	for _, c := range n.children() {
		if c.name.Local == local {
			return c
		}
	}
	return &node{}
}

// attribute returns the value of an attribute without namespace.
func (n *node) attribute(local string) (value string, given bool) {
	for _, a := range n.attrs {
		if a.name == (xml.Name{Local: local}) {
			return a.value, true
		}
	}
	return "", false
}

func (n *node) value(local string) string {
	value, _ := n.attribute(local)
	return value
}

// drop removes the attributes for which unwanted holds, and reports whether there
// were any.
func (n *node) drop(unwanted func(attr) bool) bool {
	var kept []attr
	for _, a := range n.attrs {
		if !unwanted(a) {
			kept = append(kept, a)
		}
	}
	dropped := len(kept) < len(n.attrs)
	n.attrs = kept
	return dropped
}

// text is the text directly in n, and whether anything but text and references
// stands among it.
func (n *node) text() (text string, interrupted bool) {
	for _, p := range n.content {
		text += p.text
		interrupted = interrupted || p.child != nil || p.markup != ""
	}
	return text, interrupted
}
