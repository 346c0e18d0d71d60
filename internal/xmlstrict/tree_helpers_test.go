package xmlstrict_test

import (
	"strconv"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// element is a tree in plain values, for comparison: adjacent texts joined,
// what decorates them left out.
type element struct {
	Name       xmlstrict.Name
	Attributes []attribute
	Content    []content
}

type attribute struct {
	Name  xmlstrict.Name
	Value string
}

type content struct {
	Text    string
	Element *element
}

func plain(e xmlstrict.Element) *element {
	p := &element{Name: e.Name()}
	for _, a := range e.Attributes() {
		p.Attributes = append(p.Attributes, attribute{a.Name, a.Value})
	}
	for c := range e.Content() {
		if c.Element.Exists() {
			p.Content = append(p.Content, content{Element: plain(c.Element)})
			continue
		}
		p.Content = append(p.Content, content{Text: c.Text})
	}
	return p
}

const xmlNamespace = "http://www.w3.org/XML/1998/namespace"

// serialise writes a tree again, with other prefixes than it had.
func serialise(doc *xmlstrict.Document) (string, error) {
	w := xmlstrict.NewWriter(1024)
	serialiseElement(w, doc.Root())
	written, err := w.Bytes()
	return string(written), err
}

func serialiseElement(w *xmlstrict.Writer, e xmlstrict.Element) {
	name := e.Name()
	if name.Space == xmlNamespace {
		w.Start("xml:" + name.Local)
	} else {
		w.Start(name.Local, "xmlns", name.Space)
	}
	for i, a := range e.Attributes() {
		switch a.Name.Space {
		case "":
			w.Attr(a.Name.Local, a.Value)
		case xmlNamespace:
			w.Attr("xml:"+a.Name.Local, a.Value)
		default:
			prefix := "p" + strconv.Itoa(i)
			w.Attr("xmlns:"+prefix, a.Name.Space)
			w.Attr(prefix+":"+a.Name.Local, a.Value)
		}
	}
	for c := range e.Content() {
		if c.Element.Exists() {
			serialiseElement(w, c.Element)
			continue
		}
		w.Text(c.Text)
	}
	w.End()
}
