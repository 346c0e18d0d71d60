package hl7_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const (
	hl7Space     = "urn:hl7-org:v3"
	localisation = "NPFIT:HL7:Localisation"
	instance     = "http://www.w3.org/2001/XMLSchema-instance"
)

var limits = xmlstrict.Limits{Bytes: 1 << 20, Depth: 64, Elements: 20000, Attributes: 64, Name: 256, Value: 1 << 20}

func parse(t testing.TB, doc string) xmlstrict.Element {
	t.Helper()
	tree, err := xmlstrict.Parse(doc, limits)
	if err != nil {
		t.Fatalf("the test's own message is not well-formed: %v\n%s", err, doc)
	}
	return tree.Root()
}

// node is an element that a test may change.
type node struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*node
	text     string // of an element without children
}

// treeOf reads a message that has text only in leaves.
func treeOf(doc string) *node {
	decoder := xml.NewDecoder(strings.NewReader(doc))
	open := []*node{{}}
	for {
		token, err := decoder.Token()
		if err != nil {
			return open[0].children[0]
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name}
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					n.attrs = append(n.attrs, a)
				}
			}
			top.children = append(top.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += strings.TrimSpace(string(token))
		}
	}
}

// String writes the element with a namespace declaration on every tag.
func (n *node) String() string {
	var out strings.Builder
	n.write(&out)
	return out.String()
}

func (n *node) write(out *strings.Builder) {
	fmt.Fprintf(out, `<%s xmlns="%s"`, n.name.Local, n.name.Space)
	for i, a := range n.attrs {
		if a.Name.Space == "" {
			fmt.Fprintf(out, ` %s="`, a.Name.Local)
		} else {
			fmt.Fprintf(out, ` xmlns:p%d="%s" p%d:%s="`, i, a.Name.Space, i, a.Name.Local)
		}
		_ = xml.EscapeText(out, []byte(a.Value))
		out.WriteString(`"`)
	}
	out.WriteString(">")
	_ = xml.EscapeText(out, []byte(n.text))
	for _, c := range n.children {
		c.write(out)
	}
	fmt.Fprintf(out, "</%s>", n.name.Local)
}

// walk visits n and everything below it with its path, such as author/System/id[2].
func (n *node) walk(path string, visit func(path string, n *node)) {
	visit(path, n)
	seen := map[string]int{}
	for _, c := range n.children {
		name := c.name.Local[strings.LastIndex(c.name.Local, ".")+1:]
		seen[name]++
		if seen[name] > 1 {
			name = fmt.Sprintf("%s[%d]", name, seen[name])
		}
		c.walk(strings.TrimPrefix(path+"/"+name, "/"), visit)
	}
}

// change is one alteration of a message: apply makes it, undo takes it back.
type change struct {
	name        string
	apply, undo func()
}

// changes lists, for each element and attribute below root, what takes it away,
// doubles it, or exchanges it with the next.
func removals(root *node) []change {
	var list []change
	root.walk("", func(path string, n *node) {
		children, attrs := n.children, n.attrs
		undo := func() { n.children, n.attrs = children, attrs }
		for i, c := range children {
			list = append(list, change{"without " + childPath(root, c), func() { n.children = splice(children, i, 1) }, undo})
		}
		for i, a := range attrs {
			list = append(list, change{"without " + path + "/@" + a.Name.Local, func() { n.attrs = splice(attrs, i, 1) }, undo})
		}
	})
	return list
}

func repetitions(root *node) []change {
	var list []change
	root.walk("", func(_ string, n *node) {
		children := n.children
		undo := func() { n.children = children }
		for i, c := range children {
			list = append(list, change{"twice " + childPath(root, c), func() { n.children = splice(children, i, 0, c) }, undo})
		}
	})
	return list
}

func exchanges(root *node) []change {
	var list []change
	root.walk("", func(_ string, n *node) {
		children := n.children
		undo := func() { n.children = children }
		for i := 1; i < len(children); i++ {
			swapped := splice(children, i-1, 2, children[i], children[i-1])
			list = append(list, change{"later " + childPath(root, children[i-1]), func() { n.children = swapped }, undo})
		}
	})
	return list
}

// insertions puts an element at every place where one can stand.
func insertions(root *node, name xml.Name) []change {
	var list []change
	root.walk("", func(path string, n *node) {
		children := n.children
		undo := func() { n.children = children }
		for i := 0; i <= len(children); i++ {
			list = append(list, change{
				fmt.Sprintf("%s at %d of %s", name.Local, i, path),
				func() { n.children = splice(children, i, 0, &node{name: name}) }, undo,
			})
		}
	})
	return list
}

// markings puts an attribute on every element.
func markings(root *node, attr xml.Attr) []change {
	var list []change
	root.walk("", func(path string, n *node) {
		attrs := n.attrs
		list = append(list, change{
			"@" + attr.Name.Local + " on " + path,
			func() { n.attrs = splice(attrs, len(attrs), 0, attr) },
			func() { n.attrs = attrs },
		})
	})
	return list
}

// childPath is the path of n below root.
func childPath(root, n *node) string {
	found := ""
	root.walk("", func(path string, other *node) {
		if other == n {
			found = path
		}
	})
	return found
}

// splice returns a new slice with n elements at i replaced.
func splice[T any](s []T, i, n int, with ...T) []T {
	out := append([]T{}, s[:i]...)
	out = append(out, with...)
	return append(out, s[i+n:]...)
}
