package xmlstrict_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// WRD-SEC-01: every limit lets its own measure through and nothing above it.
func TestLimits(t *testing.T) {
	repeat := strings.Repeat
	rows := []struct {
		rule      string
		set       func(*xmlstrict.Limits)
		fits, not string
	}{
		{"bytes of the document", func(l *xmlstrict.Limits) { l.Bytes = 8 }, `<a>x</a>`, `<a>xx</a>`},
		{"depth", func(l *xmlstrict.Limits) { l.Depth = 3 }, `<a><b><c/></b><b><c/></b></a>`, `<a><b><c><d/></c></b></a>`},
		{"elements", func(l *xmlstrict.Limits) { l.Elements = 3 }, `<a><b/><b/></a>`, `<a><b/><b/><b/></a>`},
		{"attributes of one element", func(l *xmlstrict.Limits) { l.Attributes = 2 }, `<a x="" y=""><b x="" y=""/></a>`, `<a x="" y="" z=""/>`},
		{"attributes include namespace declarations", func(l *xmlstrict.Limits) { l.Attributes = 2 }, `<a xmlns="" y=""/>`, `<a xmlns="" xmlns:p="urn:x" z=""/>`},
		{"bytes of an element name", func(l *xmlstrict.Limits) { l.Name = 3 }, `<abc/>`, `<abcd/>`},
		{"a name counts bytes", func(l *xmlstrict.Limits) { l.Name = 3 }, `<éa/>`, `<éé/>`},
		{"a name counts its prefix", func(l *xmlstrict.Limits) { l.Name = 7 }, `<p:abcde xmlns:p="urn:x"/>`, `<p:abcdef xmlns:p="urn:x"/>`},
		{"bytes of an attribute name", func(l *xmlstrict.Limits) { l.Name = 3 }, `<a abc=""/>`, `<a abcd=""/>`},
		{"bytes of an attribute value", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a x="123"/>`, `<a x="1234"/>`},
		{"a value counts what references stand for", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a x="&#49;&#50;&#51;"/>`, `<a x="&#49;&#50;&#51;4"/>`},
		{"bytes of a namespace name", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a xmlns="u:x"/>`, `<a xmlns="u:xy"/>`},
		{"bytes of a run of text", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a>123<b/>456</a>`, `<a>1234</a>`},
		{"a run is not cut by comments", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a>12<!-- -->3</a>`, `<a>12<!-- -->34</a>`},
		{"a run is not cut by CDATA", func(l *xmlstrict.Limits) { l.Value = 3 }, `<a>1<![CDATA[23]]></a>`, `<a>12<![CDATA[34]]></a>`},
		{"namespace declarations in scope", func(*xmlstrict.Limits) {}, nestedDeclarations(128, 2), nestedDeclarations(129, 2)},
		{"a limit of zero allows nothing", func(l *xmlstrict.Limits) { l.Attributes = 0 }, `<a/>`, `<a x=""/>`},
		{"large but allowed", func(*xmlstrict.Limits) {}, "<a>" + repeat("<b c='d'>e</b>", 20_000) + "</a>", "<a>" + repeat("<b/>", 1<<16) + "</a>"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			limits := generous
			row.set(&limits)
			_, err := xmlstrict.Parse(row.fits, limits)
			if err != nil {
				t.Errorf("refused within the limit: %v", err)
			}
			_, err = xmlstrict.Parse(row.not, limits)
			var refusal *xmlstrict.Error
			if !errors.As(err, &refusal) || !refusal.TooLarge {
				t.Errorf("beyond the limit: %v", err)
			}
		})
	}
}

// nestedDeclarations opens depth elements that each declare count prefixes.
func nestedDeclarations(depth, count int) string {
	var doc strings.Builder
	for i := range depth {
		doc.WriteString("<a")
		for j := range count {
			fmt.Fprintf(&doc, ` xmlns:p%d_%d="urn:x"`, i, j)
		}
		doc.WriteString(">")
	}
	doc.WriteString(strings.Repeat("</a>", depth))
	return doc.String()
}

// Declarations that go out of scope are not counted.
func TestDeclarationsInSequence(t *testing.T) {
	doc := "<a>" + strings.Repeat(`<p:b xmlns:p="urn:x"/>`, 5000) + "</a>"
	_, err := xmlstrict.Parse(doc, generous)
	if err != nil {
		t.Error(err)
	}
}

// Limits that are absurd do not make the reader misbehave.
func TestExtremeLimits(t *testing.T) {
	for _, n := range []int{-1, 0, -1 << 63} {
		_, err := xmlstrict.Parse(`<a/>`, xmlstrict.Limits{Bytes: n, Depth: n, Elements: n, Attributes: n, Name: n, Value: n})
		if err == nil {
			t.Errorf("limits of %d allow a document", n)
		}
	}
	const n = 1<<63 - 1
	_, err := xmlstrict.Parse(`<a b="c"/>`, xmlstrict.Limits{Bytes: n, Depth: n, Elements: n, Attributes: n, Name: n, Value: n})
	if err != nil {
		t.Error(err)
	}
}

// Hostile documents cost memory in proportion to what was read of them, not to
// what they might turn out to hold.
func TestMemoryIsNotCommittedAhead(t *testing.T) {
	doc := strings.Repeat("<", 1<<20)
	limits := generous
	limits.Bytes = len(doc)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := xmlstrict.Parse(doc, limits)
			if err == nil {
				b.Fatal("accepted")
			}
		}
	})
	if result.AllocedBytesPerOp() > 1<<19 {
		t.Errorf("%d bytes allocated for a document without a single element", result.AllocedBytesPerOp())
	}
}

func TestErrorPosition(t *testing.T) {
	rows := []struct {
		rule, doc    string
		line, column int
	}{
		{"first byte", "x", 1, 1},
		{"empty document", "", 1, 1},
		{"on the first line", "<a>&e;</a>", 1, 4},
		{"after a line feed", "<a>\n&e;</a>", 2, 1},
		{"after a carriage return", "<a>\r &e;</a>", 2, 2},
		{"after both", "<a>\r\n\r\n  &e;</a>", 3, 3},
		{"in bytes", "<a>é&e;</a>", 1, 6},
		{"an unclosed element, at the end", "<a>\n<b>\n", 3, 1},
		{"a mismatched end tag", "<a>\n <b></c></a>", 2, 5},
		{"a repeated attribute", "<a x=''\n  x=''/>", 2, 3},
		{"an undeclared attribute prefix", "<a x=''\n  p:x=''/>", 2, 3},
		{"an undeclared element prefix", "<a>\n\n<p:x/></a>", 3, 1},
		{"invalid UTF-8", "<a>\n\uFFFDx\xFF</a>", 2, 5},
		{"a forbidden character in a comment", "<a><!--\n \x01--></a>", 2, 2},
		{"a forbidden character in CDATA", "<a><![CDATA[\n\x01]]></a>", 2, 1},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			_, err := xmlstrict.Parse(row.doc, generous)
			var refusal *xmlstrict.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("want an *Error, got %v", err)
			}
			if refusal.Line != row.line || refusal.Column != row.column {
				t.Errorf("got %v, want line %d, column %d", refusal, row.line, row.column)
			}
			want := fmt.Sprintf("XML line %d, column %d: %s", row.line, row.column, refusal.Reason)
			if refusal.Error() != want {
				t.Errorf("got %q, want %q", refusal.Error(), want)
			}
		})
	}
}
