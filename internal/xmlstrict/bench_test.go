package xmlstrict_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := xmlstrict.Parse(message, generous)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseEncodingXML reads the same bytes with the standard library.
func BenchmarkParseEncodingXML(b *testing.B) {
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		decoder := xml.NewDecoder(strings.NewReader(message))
		for {
			_, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkWalk reads every name, attribute and text of a parsed message.
func BenchmarkWalk(b *testing.B) {
	doc, err := xmlstrict.Parse(message, generous)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if walk(doc.Root()) == 0 {
			b.Fatal("nothing read")
		}
	}
}

func walk(e xmlstrict.Element) int {
	n := len(e.Name().Local)
	for _, a := range e.Attributes() {
		n += len(a.Value)
	}
	for c := range e.Content() {
		n += len(c.Text)
		if c.Element.Exists() {
			n += walk(c.Element)
		}
	}
	return n
}

func BenchmarkWrite(b *testing.B) {
	doc, err := xmlstrict.Parse(message, generous)
	if err != nil {
		b.Fatal(err)
	}
	written, err := serialise(doc)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(written)))
	b.ReportAllocs()
	for b.Loop() {
		w := xmlstrict.NewWriter(8192)
		w.Declaration()
		write(w, doc.Root())
		_, err := w.Bytes()
		if err != nil {
			b.Fatal(err)
		}
	}
}

func write(w *xmlstrict.Writer, e xmlstrict.Element) {
	w.Start(e.Name().Local, "xmlns", e.Name().Space)
	for _, a := range e.Attributes() {
		if a.Name.Space == "" {
			w.Attr(a.Name.Local, a.Value)
		}
	}
	for c := range e.Content() {
		if c.Element.Exists() {
			write(w, c.Element)
			continue
		}
		w.Text(c.Text)
	}
	w.End()
}

// BenchmarkWriteEncodingXML encodes the same elements, token by token.
func BenchmarkWriteEncodingXML(b *testing.B) {
	doc, err := xmlstrict.Parse(message, generous)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		var out strings.Builder
		encoder := xml.NewEncoder(&out)
		err := encode(encoder, doc.Root())
		if err != nil {
			b.Fatal(err)
		}
		err = encoder.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}

func encode(encoder *xml.Encoder, e xmlstrict.Element) error {
	start := xml.StartElement{Name: xml.Name(e.Name())}
	for _, a := range e.Attributes() {
		if a.Name.Space == "" {
			start.Attr = append(start.Attr, xml.Attr{Name: xml.Name(a.Name), Value: a.Value})
		}
	}
	err := encoder.EncodeToken(start)
	for c := range e.Content() {
		if err != nil {
			return err
		}
		if c.Element.Exists() {
			err = encode(encoder, c.Element)
			continue
		}
		err = encoder.EncodeToken(xml.CharData(c.Text))
	}
	if err != nil {
		return err
	}
	return encoder.EncodeToken(start.End())
}
