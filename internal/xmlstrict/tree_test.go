package xmlstrict_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func parse(t *testing.T, doc string) xmlstrict.Element {
	t.Helper()
	d, err := xmlstrict.Parse(doc, generous)
	if err != nil {
		t.Fatal(err)
	}
	return d.Root()
}

// WRD-VAL-20: whatever interrupts or decorates a value can be seen.
func TestForm(t *testing.T) {
	const (
		elements  = xmlstrict.HasElements
		comment   = xmlstrict.HasComment
		cdata     = xmlstrict.HasCDATA
		reference = xmlstrict.HasReference
	)
	rows := []struct {
		rule, doc, text string
		form            xmlstrict.Form
	}{
		{"plain", `<a>9990000018</a>`, "9990000018", 0},
		{"empty", `<a/>`, "", 0},
		{"white space", "<a> \n</a>", " \n", 0},
		{"a line end is not decoration", "<a>1\r\n2</a>", "1\n2", 0},
		{"a comment inside", `<a>99900<!-- x -->00018</a>`, "9990000018", comment},
		{"a comment before", `<a><!-- x -->9990000018</a>`, "9990000018", comment},
		{"a comment after", `<a>9990000018<!-- x --></a>`, "9990000018", comment},
		{"a comment alone", `<a><!-- x --></a>`, "", comment},
		{"CDATA", `<a><![CDATA[9990000018]]></a>`, "9990000018", cdata},
		{"empty CDATA", `<a>99900<![CDATA[]]>00018</a>`, "9990000018", cdata},
		{"CDATA alone and empty", `<a><![CDATA[]]></a>`, "", cdata},
		{"a character reference", `<a>9990000&#48;18</a>`, "9990000018", reference},
		{"an entity", `<a>&lt;</a>`, "<", reference},
		{"a child element", `<a>99900<b/>00018</a>`, "9990000018", elements},
		{"only child elements", `<a><b>1</b><b>2</b></a>`, "", elements},
		{"a child's decoration is not its parent's", `<a>x<b>&lt;<!-- --><![CDATA[]]></b></a>`, "x", elements},
		{"everything", `<a>1<!-- -->&#50;<b/><![CDATA[3]]></a>`, "123", elements | comment | cdata | reference},
		{"comments around the root are not in it", `<!-- --><a>x</a><!-- -->`, "x", 0},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			text, form := parse(t, row.doc).Text()
			if text != row.text || form != row.form {
				t.Errorf("got %q with form %b, want %q with form %b", text, form, row.text, row.form)
			}
		})
	}
}

func TestAttributeTellsReferences(t *testing.T) {
	root := parse(t, `<a b="1" c="&#49;" d="&amp;" e="2"/>`)
	want := []xmlstrict.Attribute{
		{Name: name("", "b"), Value: "1"},
		{Name: name("", "c"), Value: "1", Referenced: true},
		{Name: name("", "d"), Value: "&", Referenced: true},
		{Name: name("", "e"), Value: "2"},
	}
	if diff := cmp.Diff(want, root.Attributes()); diff != "" {
		t.Error(diff)
	}
}

func TestContentRunsReachFromTagToTag(t *testing.T) {
	type part struct {
		Text    string
		Element string
		Form    xmlstrict.Form
	}
	var got []part
	root := parse(t, "<a> <!-- --> <b>x</b>1&lt;<![CDATA[2]]><c/><!-- --><d/>\n</a>")
	for c := range root.Content() {
		got = append(got, part{c.Text, c.Element.Name().Local, c.Form})
	}
	want := []part{
		{"  ", "", xmlstrict.HasComment},
		{"", "b", 0},
		{"1<2", "", xmlstrict.HasReference | xmlstrict.HasCDATA},
		{"", "c", 0},
		{"", "d", 0},
		{"\n", "", 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestElement(t *testing.T) {
	root := parse(t, `<p:a xmlns:p="urn:x" p:k="1" k="2"><b/>text<p:b/><b><c/></b></p:a>`)
	if !root.Exists() || root.Name() != name("urn:x", "a") || !root.Is("urn:x", "a") {
		t.Errorf("the root is %v", root.Name())
	}
	if root.Is("", "a") || root.Is("urn:x", "b") || root.Is("p", "a") {
		t.Error("the root has names that it does not have")
	}
	for _, row := range []struct{ space, want string }{{"urn:x", "1"}, {"", "2"}} {
		a, ok := root.Attribute(row.space, "k")
		if !ok || a.Value != row.want {
			t.Errorf("attribute k in %q is %q", row.space, a.Value)
		}
	}
	_, ok := root.Attribute("p", "k")
	if ok {
		t.Error("an attribute is found by its prefix")
	}
	var children []xmlstrict.Name
	for c := range root.Children() {
		children = append(children, c.Name())
	}
	if diff := cmp.Diff([]xmlstrict.Name{name("", "b"), name("urn:x", "b"), name("", "b")}, children); diff != "" {
		t.Error(diff)
	}
	for c := range root.Children() {
		if c.Is("urn:x", "b") {
			break
		}
	}
	for range root.Content() {
		break
	}
	same := slices.Collect(root.Children())
	if same[0] == same[2] || same[0] != slices.Collect(root.Children())[0] {
		t.Error("elements do not compare by identity")
	}
}

// The attributes of one element cannot grow into those of the next.
func TestAttributesAreApart(t *testing.T) {
	root := parse(t, `<a x="1"><b y="2"/></a>`)
	_ = append(root.Attributes(), xmlstrict.Attribute{Value: "overwritten"})
	for child := range root.Children() {
		if child.Attributes()[0].Value != "2" {
			t.Error("an attribute was overwritten")
		}
	}
}

func TestDescendantsAreCountedAtAnyDepth(t *testing.T) {
	root := parse(t, `<a xmlns="urn:x"><b/>text<a><b><b/></b><c:b xmlns:c="urn:y"/><bb/></a></a>`)
	for _, c := range []struct {
		space, local string
		want         int
	}{{"urn:x", "b", 3}, {"urn:y", "b", 1}, {"urn:x", "a", 1}, {"urn:x", "bb", 1}, {"", "b", 0}, {"urn:x", "text", 0}} {
		if got := root.Descendants(c.space, c.local); got != c.want {
			t.Errorf("%s in %q: %d, want %d", c.local, c.space, got, c.want)
		}
	}
	for first := range root.Children() {
		if n := first.Descendants("urn:x", "b"); n != 0 {
			t.Errorf("%d below an empty element", n)
		}
		break
	}
}

func TestNoElement(t *testing.T) {
	var none xmlstrict.Element
	if none.Exists() || none.Is("", "") || none.Name() != name("", "") || none.Attributes() != nil || none.Descendants("", "") != 0 {
		t.Error("no element is something")
	}
	_, found := none.Attribute("", "x")
	text, form := none.Text()
	line, column := none.Position()
	if found || text != "" || form != 0 || line != 0 || column != 0 {
		t.Error("no element holds something")
	}
	for range none.Children() {
		t.Error("no element has a child")
	}
	for range none.Content() {
		t.Error("no element has content")
	}
	err := none.Sequence().Done()
	if err != nil {
		t.Errorf("the sequence of no element is not empty: %v", err)
	}
}

func TestElementPosition(t *testing.T) {
	root := parse(t, "<?xml version='1.0'?>\r\n <a>\r  é<b/>\n<c\n/></a>")
	got := [][2]int{}
	line, column := root.Position()
	got = append(got, [2]int{line, column})
	for c := range root.Children() {
		line, column = c.Position()
		got = append(got, [2]int{line, column})
	}
	if diff := cmp.Diff([][2]int{{2, 2}, {3, 5}, {4, 1}}, got); diff != "" {
		t.Error(diff)
	}
}

// Walking a tree and asking for plain values allocates nothing.
func TestReadingDoesNotAllocate(t *testing.T) {
	root := parse(t, message)
	allocations := testing.AllocsPerRun(100, func() {
		if walk(root) == 0 {
			t.Error("nothing read")
		}
		s := root.Sequence()
		header := s.One("http://schemas.xmlsoap.org/soap/envelope/", "Header")
		s.One("http://schemas.xmlsoap.org/soap/envelope/", "Body")
		if s.Done() != nil || !header.Exists() {
			t.Error("the message is not read")
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// A message costs a handful of allocations, however many elements it has.
func TestParseAllocatesLittle(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		_, err := xmlstrict.Parse(message, generous)
		if err != nil {
			t.Error(err)
		}
	})
	if allocations > 12 {
		t.Errorf("%v allocations", allocations)
	}
}
