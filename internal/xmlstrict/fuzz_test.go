package xmlstrict_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// FuzzParse: never a panic; what is accepted survives being written and read
// again, and encoding/xml accepts it too.
func FuzzParse(f *testing.F) {
	for _, doc := range append(acceptedDocuments(), seeds...) {
		f.Add(doc)
	}
	for _, row := range refused {
		f.Add(row.doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		_, err := xmlstrict.Parse(doc, generous)
		if err != nil {
			var refusal *xmlstrict.Error
			if !errors.As(err, &refusal) || refusal.Line < 1 || refusal.Column < 1 {
				t.Fatalf("not a refusal: %#v", err)
			}
			return
		}
		checkRoundTrip(t, doc)
	})
}

// checkRoundTrip reads doc, which must be accepted, in every way we have.
func checkRoundTrip(t *testing.T, doc string) {
	t.Helper()
	read, err := xmlstrict.Parse(doc, generous)
	if err != nil {
		t.Fatalf("refused: %v\n%q", err, doc)
	}
	err = standardLibraryReads(doc)
	if err != nil && explain(laxerThanEncodingXML, doc, err.Error()) == "" {
		t.Errorf("encoding/xml refuses what we accept: %v\n%q", err, doc)
	}
	written, err := serialise(read)
	if err != nil {
		t.Fatalf("cannot be written: %v\n%q", err, doc)
	}
	again, err := xmlstrict.Parse(written, unlimited)
	if err != nil {
		t.Fatalf("refused when written again: %v\n%q\n%q", err, doc, written)
	}
	if diff := cmp.Diff(plain(read.Root()), plain(again.Root())); diff != "" {
		t.Errorf("changed when written again (-first +second):\n%s\n%q\n%q", diff, doc, written)
	}
}

// unlimited leaves room for the declarations that serialise adds.
var unlimited = xmlstrict.Limits{
	Bytes: 1 << 30, Depth: 1 << 20, Elements: 1 << 20, Attributes: 1 << 20, Name: 1 << 20, Value: 1 << 30,
}

func standardLibraryReads(doc string) error {
	decoder := xml.NewDecoder(strings.NewReader(doc))
	for {
		_, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// FuzzWriterRoundTrip: whatever is written reads back as it was, also by
// encoding/xml, or the writer says that it cannot be written.
func FuzzWriterRoundTrip(f *testing.F) {
	f.Add("a", "x", "value", "text")
	f.Add("p:a", "p:x", "\t\n\r \"'<>&", "\t\n\r \"'<>&]]>")
	f.Add("a", "xml:lang", "é😀", "\r\n\r")
	f.Add("1", "x", "", "")
	f.Add("a", "xmlns:", "\x00", "\uFFFE")
	f.Add("a:b:c", "x", "\xFF", "\uFFFF")
	f.Add("a", "xmlns:p", "", "")
	f.Fuzz(func(t *testing.T, elementName, attributeName, value, content string) {
		w := xmlstrict.NewWriter(0)
		w.Declaration()
		w.Start("r", "xmlns:p", "urn:p")
		w.Start(elementName, attributeName, value)
		w.Text(content)
		w.End()
		w.Leaf("b", content)
		w.End()
		out, err := w.Bytes()
		if err != nil {
			if allChars(value) && allChars(content) && isPlainName(elementName) && isPlainName(attributeName) {
				t.Fatalf("not written: %v", err)
			}
			return
		}
		doc, err := xmlstrict.Parse(string(out), unlimited)
		if err != nil {
			if isPlainName(elementName) && isPlainName(attributeName) {
				t.Fatalf("written, but refused: %v\n%q", err, out)
			}
			return // prefixes are the caller's concern
		}
		s := doc.Root().Sequence()
		first := s.Take()
		second := s.One("", "b")
		err = s.Done()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []xmlstrict.Element{first, second} {
			got, _ := e.Text()
			if got != content {
				t.Errorf("text %q reads back as %q", content, got)
			}
		}
		for _, a := range first.Attributes() {
			if a.Value != value {
				t.Errorf("value %q reads back as %q", value, a.Value)
			}
		}
		var standard struct {
			B string `xml:"b"`
		}
		err = xml.Unmarshal(out, &standard)
		if err != nil && explain(laxerThanEncodingXML, string(out), err.Error()) == "" {
			t.Fatalf("encoding/xml refuses what we wrote: %v\n%q", err, out)
		}
		if err == nil && !strings.HasSuffix(elementName, "b") && standard.B != content {
			t.Errorf("encoding/xml reads text %q as %q", content, standard.B)
		}
	})
}

func allChars(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return utf8.ValidString(s)
}

// isPlainName holds for names that are good in any position.
func isPlainName(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return s != "" && !strings.HasPrefix(s, "xml")
}
