package divergence_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strings"
)

// vocabulary is what mutations put into messages of one kind: things on both sides
// of its rules.
type vocabulary struct {
	values     []string
	attributes []string
	elements   []*node
	likely     map[string][]any // by element: attributes, children and texts that may well come
	opaque     string           // an element of this name is only taken as a whole
}

var (
	spaces = []string{hl7Space, localisation, itkSpace, "", "urn:example:other", "http://schemas.xmlsoap.org/soap/envelope/"}
	hints  = []attr{
		nilled(),
		{name: xml.Name{Space: instance, Local: "nil"}, value: "false"},
		{name: xml.Name{Space: instance, Local: "type"}, value: "x"},
		{name: xml.Name{Space: instance, Local: "schemaLocation"}, value: "urn:example:other other.xsd"},
		{name: xml.Name{Space: instance, Local: "noNamespaceSchemaLocation"}, value: "other.xsd"},
	}
	markups = []string{"<!-- a note -->", "<!---->", "<![CDATA[x]]>", "<![CDATA[ ]]>", "<![CDATA[]]>"}
	texts   = []string{" ", "\n\t", "x", "0", "\u00a0"}
)

// mutator damages messages.
type mutator struct {
	random *rand.Rand
	vocabulary
}

func (m *mutator) pick(n int) int { return m.random.IntN(n) }

func oneOf[T any](m *mutator, list []T) T { return list[m.pick(len(list))] }

// mutate damages root in one to three places and says how.
func (m *mutator) mutate(root *node) string {
	var changes []string
	for range 1 + m.pick(5)/2 {
		change := ""
		for change == "" {
			change = m.damage(root)
		}
		changes = append(changes, change)
	}
	return strings.Join(changes, "; ")
}

// place is an element and where it stands.
type place struct {
	parent *node
	index  int // in the parent's content
	node   *node
}

// places lists the elements below root, and root itself without a parent.
func (m *mutator) places(root *node) []place {
	list := []place{{node: root}}
	var collect func(*node)
	collect = func(n *node) {
		if n.name.Local == m.opaque {
			return
		}
		for i, p := range n.content {
			if p.child != nil {
				list = append(list, place{n, i, p.child})
				collect(p.child)
			}
		}
	}
	collect(root)
	return list
}

// damage makes one change. It returns "" if the dice fell on one that is not
// possible there.
func (m *mutator) damage(root *node) string {
	places := m.places(root)
	if m.pick(4) == 0 {
		return m.addLikely(oneOf(m, places).node)
	}
	at := oneOf(m, places)
	n := at.node
	name := n.name.Local
	kind := m.pick(4)
	if name == m.opaque {
		kind = 0
	}
	switch kind {
	case 0:
		return m.damageElement(at, oneOf(m, places))
	case 1:
		return m.damageContent(n)
	case 2:
		return m.addAttribute(n)
	}
	if len(n.attrs) == 0 {
		return ""
	}
	i := m.pick(len(n.attrs))
	a := &n.attrs[i]
	what := name + "/@" + a.name.Local
	switch m.pick(10) {
	case 0, 1:
		n.attrs = append(n.attrs[:i:i], n.attrs[i+1:]...)
		return "without " + what
	case 2:
		a.referenced = true
		return what + " with a reference"
	case 3:
		a.name.Space = oneOf(m, spaces)
		return what + " in another namespace"
	case 4:
		renamed := oneOf(m, m.attributes)
		_, taken := n.attribute(renamed)
		if taken {
			return ""
		}
		a.name.Local = renamed
		return what + " renamed to " + renamed
	default:
		a.value = m.valueInsteadOf(a.value)
		return fmt.Sprintf("%s = %q", what, a.value)
	}
}

// damageElement changes an element as a whole; other is any other element.
func (m *mutator) damageElement(at, other place) string {
	n, name := at.node, at.node.name.Local
	kind := m.pick(8)
	if at.parent == nil && kind < 5 {
		return ""
	}
	switch kind {
	case 0:
		at.parent.content = replaced(at.parent.content, at.index, 1)
		return "without " + name
	case 1:
		copies := make([]part, 1+m.pick(3)*m.pick(9))
		for i := range copies {
			copies[i] = part{child: n.clone()}
		}
		at.parent.content = replaced(at.parent.content, at.index, 0, copies...)
		return fmt.Sprintf("%s %d times more", name, len(copies))
	case 2:
		siblings := at.parent.content
		j := m.pick(len(siblings))
		siblings[at.index], siblings[j] = siblings[j], siblings[at.index]
		if j == at.index {
			return ""
		}
		return name + " in another order"
	case 3:
		at.parent.content = replaced(at.parent.content, at.index, 1, part{child: other.node.clone()})
		return name + " replaced by " + other.node.name.Local
	case 4:
		at.parent.content = replaced(at.parent.content, at.index, 1, n.content...)
		return name + " unwrapped"
	case 5:
		renamed := oneOf(m, m.elements).name
		if m.pick(2) == 0 {
			renamed = other.node.name
		}
		n.name = renamed
		return name + " renamed to " + renamed.Local
	case 6:
		n.name.Space = oneOf(m, spaces)
		return name + " in namespace " + n.name.Space
	default:
		if name == m.opaque {
			return ""
		}
		i := m.pick(len(n.content) + 1)
		added := oneOf(m, m.elements).clone()
		n.content = replaced(n.content, i, 0, part{child: added})
		return added.name.Local + " added to " + name
	}
}

// damageContent changes what stands directly in an element, and its texts.
func (m *mutator) damageContent(n *node) string {
	name := n.name.Local
	i := m.pick(len(n.content) + 1)
	switch m.pick(6) {
	case 0:
		added := oneOf(m, texts)
		n.content = replaced(n.content, i, 0, part{text: added})
		return fmt.Sprintf("text %q in %s", added, name)
	case 1:
		added := oneOf(m, markups)
		n.content = replaced(n.content, i, 0, part{markup: added})
		return fmt.Sprintf("%s in %s", added, name)
	case 2:
		if len(n.content) == 0 || m.pick(3) > 0 {
			return ""
		}
		n.content = nil
		return name + " emptied"
	}
	if i == len(n.content) || n.content[i].text == "" {
		return ""
	}
	text := &n.content[i]
	switch m.pick(3) {
	case 0:
		text.referenced = true
		return "text of " + name + " with a reference"
	case 1:
		text.text = m.valueInsteadOf(text.text)
		return fmt.Sprintf("text of %s = %q", name, text.text)
	default:
		half := len(text.text) / 2
		first, second := part{text: text.text[:half]}, part{text: text.text[half:]}
		n.content = replaced(n.content, i, 1, first, part{markup: oneOf(m, markups)}, second)
		return "text of " + name + " interrupted"
	}
}

// addLikely adds what is likely there: an attribute in place of the one of that
// name, a child at the front or at the end, a text in place of all content.
func (m *mutator) addLikely(n *node) string {
	likely := m.likely[n.name.Local]
	if len(likely) == 0 {
		return ""
	}
	switch added := oneOf(m, likely).(type) {
	case attr:
		n.drop(func(a attr) bool { return a.name == added.name })
		n.attrs = append(n.attrs, added)
		return fmt.Sprintf("%s/@%s = %q", n.name.Local, added.name.Local, added.value)
	case *node:
		i := m.pick(2) * len(n.content)
		n.content = replaced(n.content, i, 0, part{child: added.clone()})
		return added.name.Local + " added to " + n.name.Local
	case string:
		n.content = []part{{text: added}}
		return fmt.Sprintf("%s = %q", n.name.Local, added)
	case func(*node):
		added(n)
		return n.name.Local + " changed"
	default:
		panic("neither an attribute nor an element nor a text is likely")
	}
}

func (m *mutator) addAttribute(n *node) string {
	a := attr{name: xml.Name{Local: oneOf(m, m.attributes)}, value: oneOf(m, m.values)}
	if m.pick(4) == 0 {
		a = oneOf(m, hints)
	}
	for _, present := range n.attrs {
		if present.name == a.name {
			return ""
		}
	}
	if m.pick(20) == 0 {
		a.name.Space = oneOf(m, spaces[:3])
	}
	n.attrs = append(n.attrs, a)
	return fmt.Sprintf("%s/@%s = %q added", n.name.Local, a.name.Local, a.value)
}

// valueInsteadOf returns another value, often one that resembles the old.
func (m *mutator) valueInsteadOf(old string) string {
	switch m.pick(12) {
	case 0:
		return ""
	case 1:
		return strings.ToLower(old)
	case 2:
		return strings.ToUpper(old)
	case 3:
		return " " + old
	case 4:
		return old + " "
	case 5:
		return old + "0"
	case 6:
		return old + oneOf(m, []string{"x", ".", "-", ":", "é", "\u0663"})
	case 7:
		if old != "" {
			return old[1:]
		}
	case 8:
		if old != "" {
			i := m.pick(len(old))
			return strings.ToValidUTF8(old[:i]+old[i+1:], "")
		}
	}
	return oneOf(m, m.values)
}

// replaced returns parts with n of them at i replaced.
func replaced(parts []part, i, n int, with ...part) []part {
	out := append([]part(nil), parts[:i]...)
	out = append(out, with...)
	return append(out, parts[i+n:]...)
}
