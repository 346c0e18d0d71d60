package xmlstrict

import (
	"iter"
	"strings"
)

// Document is the tree of one document. It does not change, and any number of
// goroutines may read it.
type Document struct {
	source     string
	nodes      []node // in document order
	attributes []Attribute
	namespaces []string // first "", then that of the prefix xml, then as declared
	copied     []string // texts that differ from what is written
}

// node is an element or a run of text. It holds no pointers, so that a tree
// costs the garbage collector nothing.
type node struct {
	kind           kind
	form           Form
	written        bool  // an element with direct text other than white space
	start, end     int32 // where the local name or the text stands in the source
	space          int32 // index of the element's namespace, or of a copied text
	offset         int32 // of the start tag
	next           int32 // index of the first node after this one and its content
	attributes     int32 // index of the element's first attribute
	attributeCount int32
}

type kind uint8

const (
	elementNode kind = iota
	textNode
	copiedNode // a text that is kept in Document.copied
)

const (
	noNamespace       = 0
	xmlNamespaceIndex = 1
)

// newDocument makes room for the nodes and attributes that the document can be
// expected to have, within reason: the rest of a large one is added as it comes.
// Without white space between them there are at most as many nodes as tags, and
// white space usually brings a line end for each run of it.
func newDocument(source string) *Document {
	const most = 4096
	d := &Document{
		source:     source,
		nodes:      make([]node, 0, min(strings.Count(source, "<")+strings.Count(source, "\n"), most)),
		attributes: make([]Attribute, 0, min(strings.Count(source, "="), most)),
		namespaces: make([]string, 0, 16),
	}
	d.namespaces = append(d.namespaces, "", xmlNamespace)
	return d
}

// Root returns the root element.
func (d *Document) Root() Element { return Element{d, 0} }

// text returns the text of a node that is one.
func (d *Document) text(n *node) string {
	if n.kind == copiedNode {
		return d.copied[n.space]
	}
	return d.source[n.start:n.end]
}

// Name is an expanded name: the namespace, empty if in none, and the local
// part. Prefixes are not kept.
type Name struct{ Space, Local string }

// Attribute is an attribute other than a namespace declaration.
type Attribute struct {
	Name       Name
	Value      string // normalised: tabs and line ends are spaces
	Referenced bool   // written with a character or entity reference
}

// Form tells what interrupts or decorates an element's text, so that a value
// is never silently joined (WRD-VAL-20).
type Form uint8

const (
	HasElements  Form = 1 << iota // child elements
	HasComment                    // comments
	HasCDATA                      // CDATA sections
	HasReference                  // entity or character references
)

// Element is one element of a document: a small value to pass and compare. The
// zero Element is no element; its methods return zero values.
type Element struct {
	doc   *Document
	index int32
}

// Content is a part of an element's content: a child element, if Element
// exists, or a run of text. A run reaches from tag to tag; Form tells what
// stands within it.
type Content struct {
	Element Element
	Text    string
	Form    Form
}

func (e Element) node() *node { return &e.doc.nodes[e.index] }

// Exists reports whether e is an element at all.
func (e Element) Exists() bool { return e.doc != nil }

// Name returns the expanded name.
func (e Element) Name() Name {
	if e.doc == nil {
		return Name{}
	}
	n := e.node()
	return Name{Space: e.doc.namespaces[n.space], Local: e.doc.source[n.start:n.end]}
}

// Is reports whether e has the given name. No element has none.
func (e Element) Is(space, local string) bool {
	if e.doc == nil {
		return false
	}
	n := e.node()
	return e.doc.source[n.start:n.end] == local && e.doc.namespaces[n.space] == space
}

// Attributes returns the attributes in the order written, without namespace
// declarations. The slice belongs to the document and must not be changed.
func (e Element) Attributes() []Attribute {
	if e.doc == nil {
		return nil
	}
	n := e.node()
	end := n.attributes + n.attributeCount
	return e.doc.attributes[n.attributes:end:end]
}

// Attribute returns the attribute of the given name. An attribute written
// without prefix is in no namespace.
func (e Element) Attribute(space, local string) (Attribute, bool) {
	for _, a := range e.Attributes() {
		if a.Name.Local == local && a.Name.Space == space {
			return a, true
		}
	}
	return Attribute{}, false
}

// child returns the first child element at or after the node index.
func (e Element) child(index int32) Element {
	for end := e.node().next; index < end; index = e.doc.nodes[index].next {
		if e.doc.nodes[index].kind == elementNode {
			return Element{e.doc, index}
		}
	}
	return Element{}
}

// Children yields the child elements in order.
func (e Element) Children() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		if e.doc == nil {
			return
		}
		child := e.child(e.index + 1)
		for child.Exists() && yield(child) {
			child = e.child(child.node().next)
		}
	}
}

// Descendants counts the elements of the given name below e, at any depth.
func (e Element) Descendants(space, local string) int {
	if e.doc == nil {
		return 0
	}
	n := 0
	below := e.doc.nodes[e.index+1 : e.node().next]
	for i := range below {
		d := &below[i]
		if d.kind == elementNode && int(d.end-d.start) == len(local) &&
			e.doc.source[d.start:d.end] == local && e.doc.namespaces[d.space] == space {
			n++
		}
	}
	return n
}

// Content yields child elements and runs of text in order, runs of white space
// included.
func (e Element) Content() iter.Seq[Content] {
	return func(yield func(Content) bool) {
		if e.doc == nil {
			return
		}
		end := e.node().next
		for i := e.index + 1; i < end; i = e.doc.nodes[i].next {
			part := Content{Element: Element{e.doc, i}}
			n := &e.doc.nodes[i]
			if n.kind != elementNode {
				part = Content{Text: e.doc.text(n), Form: n.form}
			}
			if !yield(part) {
				return
			}
		}
	}
}

// Text returns the element's direct text and what else stands among it.
// Text on either side of a comment or a child element is joined; a value that
// must stand alone requires a Form of 0.
func (e Element) Text() (string, Form) {
	if e.doc == nil {
		return "", 0
	}
	n := e.node()
	if n.form&HasElements == 0 {
		if n.next == e.index+1 {
			return "", n.form
		}
		return e.doc.text(&e.doc.nodes[e.index+1]), n.form
	}
	var joined strings.Builder
	for part := range e.Content() {
		joined.WriteString(part.Text)
	}
	return joined.String(), n.form
}

// Position returns where the start tag begins: the line and the column in
// bytes, both from 1.
func (e Element) Position() (line, column int) {
	if e.doc == nil {
		return 0, 0
	}
	return position(e.doc.source, int(e.node().offset))
}
