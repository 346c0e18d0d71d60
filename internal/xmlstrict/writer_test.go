package xmlstrict_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func TestWriter(t *testing.T) {
	rows := []struct {
		rule  string
		write func(*xmlstrict.Writer)
		want  string
	}{
		{"an empty element", func(w *xmlstrict.Writer) { w.Empty("a") }, `<a/>`},
		{"start and end without content", func(w *xmlstrict.Writer) { w.Start("a"); w.End() }, `<a/>`},
		{"empty text is no content", func(w *xmlstrict.Writer) { w.Leaf("a", "") }, `<a/>`},
		{"a leaf", func(w *xmlstrict.Writer) { w.Leaf("a", "x") }, `<a>x</a>`},
		{"a declaration", func(w *xmlstrict.Writer) { w.Declaration(); w.Empty("a") }, `<?xml version="1.0" encoding="UTF-8"?><a/>`},
		{"attributes", func(w *xmlstrict.Writer) { w.Start("a", "b", "1", "c", ""); w.Attr("d", "2"); w.End() }, `<a b="1" c="" d="2"/>`},
		{"prefixes", func(w *xmlstrict.Writer) { w.Empty("p:a", "xmlns:p", "urn:x", "p:b", "") }, `<p:a xmlns:p="urn:x" p:b=""/>`},
		{"nesting", func(w *xmlstrict.Writer) {
			w.Start("a")
			w.Leaf("b", "x")
			w.Text("y")
			w.Start("c")
			w.Empty("d", "e", "f")
			w.End()
			w.End()
		}, `<a><b>x</b>y<c><d e="f"/></c></a>`},
		{"the same attribute on two elements", func(w *xmlstrict.Writer) { w.Start("a", "x", "1"); w.Empty("b", "x", "2"); w.End() }, `<a x="1"><b x="2"/></a>`},
		{"escapes in text", func(w *xmlstrict.Writer) { w.Leaf("a", "<>&\"'\t\n\r]]>") }, "<a>&lt;&gt;&amp;\"'\t\n&#13;]]&gt;</a>"},
		{"escapes in an attribute", func(w *xmlstrict.Writer) { w.Empty("a", "x", "<>&\"'\t\n\r") }, `<a x="&lt;&gt;&amp;&quot;'&#9;&#10;&#13;"/>`},
		{"escapes at both ends", func(w *xmlstrict.Writer) { w.Leaf("a", "&x&") }, `<a>&amp;x&amp;</a>`},
		{"text outside ASCII", func(w *xmlstrict.Writer) { w.Leaf("é", "–😀\uFFFD\u007F\u0085") }, "<é>–😀\uFFFD\u007F\u0085</é>"},
		{"a markup-like text", func(w *xmlstrict.Writer) { w.Leaf("a", "<!-- &#0; --><?x?>") }, `<a>&lt;!-- &amp;#0; --&gt;&lt;?x?&gt;</a>`},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			w := xmlstrict.NewWriter(0)
			row.write(w)
			got, err := w.Bytes()
			if err != nil || string(got) != row.want {
				t.Errorf("got %q and %v, want %q", got, err, row.want)
			}
		})
	}
}

func TestWriterRefuses(t *testing.T) {
	rows := []struct {
		rule  string
		write func(*xmlstrict.Writer)
	}{
		{"nothing", func(*xmlstrict.Writer) {}},
		{"a declaration only", func(w *xmlstrict.Writer) { w.Declaration() }},
		{"a declaration that is not first", func(w *xmlstrict.Writer) { w.Empty("a"); w.Declaration() }},
		{"two declarations", func(w *xmlstrict.Writer) { w.Declaration(); w.Declaration(); w.Empty("a") }},
		{"two roots", func(w *xmlstrict.Writer) { w.Empty("a"); w.Empty("b") }},
		{"text before the root", func(w *xmlstrict.Writer) { w.Text("x"); w.Empty("a") }},
		{"text after the root", func(w *xmlstrict.Writer) { w.Empty("a"); w.Text("x") }},
		{"an element left open", func(w *xmlstrict.Writer) { w.Start("a") }},
		{"an inner element left open", func(w *xmlstrict.Writer) { w.Start("a"); w.Start("b"); w.End() }},
		{"one end too many", func(w *xmlstrict.Writer) { w.Empty("a"); w.End() }},
		{"an end before any start", func(w *xmlstrict.Writer) { w.End(); w.Empty("a") }},
		{"an attribute after text", func(w *xmlstrict.Writer) { w.Start("a"); w.Text("x"); w.Attr("b", ""); w.End() }},
		{"an attribute after a child", func(w *xmlstrict.Writer) { w.Start("a"); w.Empty("b"); w.Attr("c", ""); w.End() }},
		{"an attribute before the root", func(w *xmlstrict.Writer) { w.Attr("b", ""); w.Empty("a") }},
		{"an attribute name without value", func(w *xmlstrict.Writer) { w.Empty("a", "x") }},
		{"a repeated attribute", func(w *xmlstrict.Writer) { w.Empty("a", "x", "1", "x", "2") }},
		{"an empty name", func(w *xmlstrict.Writer) { w.Empty("") }},
		{"a name with space", func(w *xmlstrict.Writer) { w.Empty("a b") }},
		{"a name that holds markup", func(w *xmlstrict.Writer) { w.Empty("a/><b") }},
		{"a name that begins with a digit", func(w *xmlstrict.Writer) { w.Empty("1a") }},
		{"a name with two colons", func(w *xmlstrict.Writer) { w.Empty("a:b:c") }},
		{"a name without prefix before its colon", func(w *xmlstrict.Writer) { w.Empty(":a") }},
		{"a name without local part", func(w *xmlstrict.Writer) { w.Empty("a:") }},
		{"a name that is not UTF-8", func(w *xmlstrict.Writer) { w.Empty("a\xFF") }},
		{"a replacement character in place of a name's byte", func(w *xmlstrict.Writer) { w.Empty("a\xEF\xBF") }},
		{"a malformed attribute name", func(w *xmlstrict.Writer) { w.Empty("a", "x=", "") }},
		{"NUL", func(w *xmlstrict.Writer) { w.Leaf("a", "x\x00") }},
		{"a control character", func(w *xmlstrict.Writer) { w.Leaf("a", "\x1F") }},
		{"a control character in an attribute", func(w *xmlstrict.Writer) { w.Empty("a", "x", "\x0B") }},
		{"U+FFFE", func(w *xmlstrict.Writer) { w.Leaf("a", "\uFFFE") }},
		{"U+FFFF in an attribute", func(w *xmlstrict.Writer) { w.Empty("a", "x", "\uFFFF") }},
		{"invalid UTF-8", func(w *xmlstrict.Writer) { w.Leaf("a", "\xE9") }},
		{"UTF-8 cut short", func(w *xmlstrict.Writer) { w.Leaf("a", "\xEF\xBF") }},
		{"a surrogate", func(w *xmlstrict.Writer) { w.Empty("a", "x", "\xED\xA0\x80") }},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			w := xmlstrict.NewWriter(0)
			row.write(w)
			got, err := w.Bytes()
			if err == nil || got != nil {
				t.Errorf("got %q and %v", got, err)
			}
		})
	}
}

// An error may be logged, so it holds nothing of what was to be written.
func TestWriterErrorQuotesNothing(t *testing.T) {
	w := xmlstrict.NewWriter(0)
	w.Leaf("a", "9990000018\x00")
	_, err := w.Bytes()
	if err == nil || strings.Contains(err.Error(), "999") {
		t.Errorf("got %v", err)
	}
}

func TestWriterAllocatesItsBufferOnly(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		w := xmlstrict.NewWriter(512)
		w.Declaration()
		w.Start("p:a", "xmlns:p", "urn:x", "x", "1 & 2")
		for range 10 {
			w.Leaf("b", "text")
			w.Empty("c", "root", "2.16.840", "extension", "x")
		}
		w.End()
		_, err := w.Bytes()
		if err != nil {
			t.Error(err)
		}
	})
	if allocations > 4 {
		t.Errorf("%v allocations", allocations)
	}
}
