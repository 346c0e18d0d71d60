package spinesim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Namespaces of a request.
const (
	nsSOAP = "http://schemas.xmlsoap.org/soap/envelope/"
	nsWSA  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	nsHL7  = "urn:hl7-org:v3"
	nsNPF  = "NPFIT:HL7:Localisation"
)

const maxDepth = 60

// node is an element, or a run of text if local is empty.
type node struct {
	space, local string
	attrs        []xml.Attr
	children     []*node
	data         string // of a run of text
}

// parse reads a document into a tree. It returns an error for anything that is
// not one well-formed element without a DTD.
func parse(document []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	var root *node
	stack := make([]*node, 0, 24)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{space: t.Name.Space, local: t.Name.Local, attrs: t.Attr}
			switch {
			case len(stack) == maxDepth:
				return nil, errors.New("the document is too deep")
			case len(stack) > 0:
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, n)
			case root != nil:
				return nil, errors.New("the document has two root elements")
			default:
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) == 0 {
				if len(bytes.TrimSpace(t)) > 0 {
					return nil, errors.New("the document has text outside its root element")
				}
				continue
			}
			if isSpace(t) {
				continue // layout; no value in a request consists of space alone
			}
			parent := stack[len(stack)-1]
			parent.children = append(parent.children, &node{data: string(t)})
		case xml.Directive:
			return nil, errors.New("the document has a DTD")
		}
	}
	if root == nil {
		return nil, errors.New("the document is empty")
	}
	return root, nil
}

func isSpace(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// all lists the child elements of that name.
func (n *node) all(space, local string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, c := range n.children {
		if c.local == local && c.space == space {
			found = append(found, c)
		}
	}
	return found
}

// only is the child element of that name if there is exactly one, else nil.
func (n *node) only(space, local string) *node {
	if n == nil {
		return nil
	}
	var found *node
	for _, c := range n.children {
		if c.local != local || c.space != space {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

// hl7 follows a path of child elements of the HL7 namespace, each of which
// must exist exactly once; nil otherwise.
func (n *node) hl7(path ...string) *node {
	for _, local := range path {
		n = n.only(nsHL7, local)
	}
	return n
}

// elements lists the child elements.
func (n *node) elements() []*node {
	if n == nil {
		return nil
	}
	found := make([]*node, 0, len(n.children))
	for _, c := range n.children {
		if c.local != "" {
			found = append(found, c)
		}
	}
	return found
}

// attr is the value of an attribute without namespace, empty if absent.
func (n *node) attr(local string) string { return n.attrIn("", local) }

// attrIn is the value of an attribute of that namespace, empty if absent.
func (n *node) attrIn(space, local string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == local && a.Name.Space == space {
			return a.Value
		}
	}
	return ""
}

// text is the element's own text without the space around it.
func (n *node) text() string {
	if n == nil {
		return ""
	}
	if len(n.children) == 1 {
		return strings.TrimSpace(n.children[0].data)
	}
	var b strings.Builder
	for _, c := range n.children {
		b.WriteString(c.data)
	}
	return strings.TrimSpace(b.String())
}
