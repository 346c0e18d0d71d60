package xmlstrict_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func name(space, local string) xmlstrict.Name { return xmlstrict.Name{Space: space, Local: local} }

func text(s string) content { return content{Text: s} }

func child(local string, inner ...content) content {
	return content{Element: &element{Name: name("", local), Content: inner}}
}

func root(inner ...content) *element {
	return &element{Name: name("", "a"), Content: inner}
}

func rootWith(name xmlstrict.Name, value string) *element {
	e := root()
	e.Attributes = []attribute{{name, value}}
	return e
}

var accepted = []struct {
	rule string
	doc  string
	want *element
}{
	{"an empty-element tag", `<a/>`, root()},
	{"an empty-element tag with space", "<a \t\r\n/>", root()},
	{"a start and an end tag", `<a></a>`, root()},
	{"white space in an end tag", "<a></a \n>", root()},
	{"text", `<a>x</a>`, root(text("x"))},
	{"mixed content", `<a>x<b>y</b>z<c/></a>`, root(text("x"), child("b", text("y")), text("z"), child("c"))},
	{"white space around the root", " \t\r\n<a/>\n ", root()},
	{"comments around the root", "<!-- <x> & -->\n<a/><!-- ]]> --><!---->", root()},
	{"a comment that looks cut short", `<!-->--><!-->x--><a/>`, root()},
	{"comments in content join the text around", `<a>x<!-- y - -->z</a>`, root(text("xz"))},
	{"a greater-than sign in text", `<a>></a>`, root(text(">"))},
	{"closing brackets in text", `<a>]]x]></a>`, root(text("]]x]>"))},
	{"quotes in text", `<a>"'</a>`, root(text(`"'`))},
	{"delete and C1 controls", "<a>\x7F\u0080\u0085\u009F</a>", root(text("\x7F\u0080\u0085\u009F"))},
	{"the edges of Char", "<a>\t\uD7FF\uE000\uFFFD\U00010000\U0010FFFF</a>", root(text("\t\uD7FF\uE000\uFFFD\U00010000\U0010FFFF"))},
	{"noncharacters that XML allows", "<a>\uFDD0\U0001FFFE\uFEFF</a>", root(text("\uFDD0\U0001FFFE\uFEFF"))},

	{"the five entities in text", `<a>&lt;&gt;&amp;&apos;&quot;</a>`, root(text(`<>&'"`))},
	{"character references in text", `<a>&#65;&#x41;&#x2013;&#x1F600;&#x0000041;</a>`, root(text("AA–😀A"))},
	{"the edges of Char by reference", "<a>&#9;&#10;&#13;&#x20;&#xD7FF;&#xE000;&#xFFFD;&#x10000;&#x10FFFF;</a>",
		root(text("\t\n\r \uD7FF\uE000\uFFFD\U00010000\U0010FFFF"))},
	{"hexadecimal digits in any case", "<a>&#xe9;&#xE9;</a>", root(text("éé"))},
	{"references are not read twice", `<a>&#38;lt;&amp;#60;&lt;b/></a>`, root(text(`&lt;&#60;<b/>`))},
	{"a CDATA end by reference", `<a>]]&gt;</a>`, root(text(`]]>`))},
	{"a CDATA end across a comment", `<a>]]<!---->></a>`, root(text(`]]>`))},

	{"CDATA", `<a>x<![CDATA[<b>&amp;]]]]>y</a>`, root(text("x<b>&amp;]]y"))},
	{"empty CDATA", `<a><![CDATA[]]></a>`, root()},
	{"CDATA in sequence", `<a><![CDATA[x]]><![CDATA[>y]]></a>`, root(text("x>y"))},
	{"line ends in CDATA", "<a><![CDATA[w\r\nx\ry\nz\r]]></a>", root(text("w\nx\ny\nz\n"))},
	{"line ends in text", "<a>w\r\nx\ry\n\rz\r</a>", root(text("w\nx\ny\n\nz\n"))},
	{"a carriage return between comments", "<a>\r<!---->\n</a>", root(text("\n\n"))},
	{"a line end that ends in CDATA", "<a>\r<![CDATA[\n]]></a>", root(text("\n\n"))},

	{"attributes in either quotes", `<a x="'"/>`, rootWith(name("", "x"), "'")},
	{"attributes in apostrophes", `<a x='"'/>`, rootWith(name("", "x"), `"`)},
	{"space around the equals sign", "<a x\t=\n'1'/>", rootWith(name("", "x"), "1")},
	{"an empty attribute", `<a x=""/>`, rootWith(name("", "x"), "")},
	{"a greater-than sign in an attribute", `<a x=">]]>"/>`, rootWith(name("", "x"), ">]]>")},
	{"references in attributes", `<a x="&lt;&#60;&amp;&quot;&#x9;&#10;&#13;"/>`, rootWith(name("", "x"), "<<&\"\t\n\r")},
	{"white space in attributes", "<a x=\" 1\t2\n3\r4\r\n5\r\r\n6 \"/>", rootWith(name("", "x"), " 1 2 3 4 5  6 ")},
	{"attributes of one local name in two namespaces", `<a xmlns:p="urn:p" xmlns:q="urn:q" x="0" p:x="1" q:x="2"/>`,
		&element{Name: name("", "a"), Attributes: []attribute{
			{name("", "x"), "0"}, {name("urn:p", "x"), "1"}, {name("urn:q", "x"), "2"}}}},
	{"an unprefixed attribute is not in the default namespace", `<a xmlns="urn:p" xmlns:p="urn:p" x="0" p:x="1"/>`,
		&element{Name: name("urn:p", "a"), Attributes: []attribute{{name("", "x"), "0"}, {name("urn:p", "x"), "1"}}}},

	{"a default namespace", `<a xmlns="urn:x"><b/></a>`,
		&element{Name: name("urn:x", "a"), Content: []content{{Element: &element{Name: name("urn:x", "b")}}}}},
	{"a default namespace undone", `<a xmlns="urn:x"><b xmlns=""/><c/></a>`,
		&element{Name: name("urn:x", "a"), Content: []content{child("b"), {Element: &element{Name: name("urn:x", "c")}}}}},
	{"a default namespace undone that was none", `<a xmlns=""/>`, root()},
	{"a prefix declared after its use in the tag", `<p:a p:x="1" xmlns:p="urn:x"/>`,
		&element{Name: name("urn:x", "a"), Attributes: []attribute{{name("urn:x", "x"), "1"}}}},
	{"a prefix declared anew within", `<p:a xmlns:p="urn:x"><p:b xmlns:p="urn:y"/><p:c/></p:a>`,
		&element{Name: name("urn:x", "a"), Content: []content{
			{Element: &element{Name: name("urn:y", "b")}}, {Element: &element{Name: name("urn:x", "c")}}}}},
	{"a declaration of a sibling's prefix", `<a><p:b xmlns:p="urn:x"/><p:b xmlns:p="urn:y"/></a>`,
		root(content{Element: &element{Name: name("urn:x", "b")}}, content{Element: &element{Name: name("urn:y", "b")}})},
	{"the prefix xml without declaration", `<a xml:lang="en"/>`, rootWith(name(xmlNamespace, "lang"), "en")},
	{"the prefix xml declared", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:base="x"/>`, rootWith(name(xmlNamespace, "base"), "x")},
	{"a prefix that begins with xml", `<a xmlns:xmlp="urn:x" xmlp:y=""/>`, rootWith(name("urn:x", "y"), "")},
	{"a namespace name with a reference", `<p:a xmlns:p="urn:&#120;"/>`, &element{Name: name("urn:x", "a")}},
	{"a relative namespace name", `<a xmlns="x/y:z"/>`, &element{Name: name("x/y:z", "a")}},
	{"a namespace name with every part", `<a xmlns="http://u:p@h.example:80/x;y=1/../z?q=/?#/?%41"/>`,
		&element{Name: name("http://u:p@h.example:80/x;y=1/../z?q=/?#/?%41", "a")}},

	{"names outside ASCII", `<é.-0·̀‿/>`, &element{Name: name("", "é.-0·̀‿")}},
	{"fifth-edition names", "<\U00010000\U000EFFFF/>", &element{Name: name("", "\U00010000\U000EFFFF")}},
	{"names with dots and hyphens", `<_a.b-c/>`, &element{Name: name("", "_a.b-c")}},

	{"a byte order mark", "\uFEFF<a/>", root()},
	{"a declaration after a byte order mark", "\uFEFF<?xml version=\"1.0\"?><a/>", root()},
	{"a declaration with version only", `<?xml version="1.0"?><a/>`, root()},
	{"a declaration in apostrophes", `<?xml version='1.0' encoding='UTF-8' standalone='no'?><a/>`, root()},
	{"a declaration in lower case", `<?xml version="1.0" encoding="utf-8"?><a/>`, root()},
	{"a declaration in mixed case", `<?xml version="1.0" encoding="Utf-8"?><a/>`, root()},
	{"a declaration with standalone only", `<?xml version="1.0" standalone="yes"?><a/>`, root()},
	{"a declaration with white space", "<?xml\tversion = \"1.0\"\r\nencoding\n=\n\"UTF-8\"\n standalone= 'yes' ?>\n<a/>", root()},
}

func TestAccepted(t *testing.T) {
	for _, row := range accepted {
		t.Run(row.rule, func(t *testing.T) {
			doc, err := xmlstrict.Parse(row.doc, generous)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(row.want, plain(doc.Root())); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// What was read and written again reads the same, and encoding/xml takes it.
func TestAcceptedSurvivesRoundTrip(t *testing.T) {
	for _, doc := range append(acceptedDocuments(), seeds...) {
		checkRoundTrip(t, doc)
	}
}

func acceptedDocuments() []string {
	var documents []string
	for _, row := range accepted {
		documents = append(documents, row.doc)
	}
	return documents
}

// Every document cut short is refused, at each byte of it.
func TestTruncatedDocumentIsRefused(t *testing.T) {
	for _, doc := range append(acceptedDocuments(), seeds...) {
		// What follows the root may be missing.
		doc = strings.TrimRight(doc, " \t\r\n")
		for strings.HasSuffix(doc, "-->") {
			doc = strings.TrimRight(doc[:strings.LastIndex(doc, "<!--")], " \t\r\n")
		}
		for length := range len(doc) {
			_, err := xmlstrict.Parse(doc[:length], generous)
			if err == nil {
				t.Errorf("accepted after %d of %d bytes: %q", length, len(doc), doc[:length])
			}
		}
	}
}
