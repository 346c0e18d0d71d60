package reference

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
)

// Element returns the first element of that name as a document of its own, in
// which every namespace that it uses is declared, wherever the original declares
// it. It reads with encoding/xml, so that it shares nothing with what it tests.
func Element(t testing.TB, document, space, local string) string {
	t.Helper()
	name := xml.Name{Space: space, Local: local}
	decoder := xml.NewDecoder(strings.NewReader(document))
	var out strings.Builder
	depth := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			if err != io.EOF {
				t.Fatalf("the document cannot be read: %v", err)
			}
			t.Fatalf("there is no element %s in %s", local, space)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 && token.Name != name {
				continue
			}
			depth++
			start(&out, token)
		case xml.EndElement:
			if depth == 0 {
				continue
			}
			depth--
			out.WriteString("</" + token.Name.Local + ">")
			if depth == 0 {
				return out.String()
			}
		case xml.CharData:
			if depth > 0 {
				out.WriteString(escaped(string(token)))
			}
		}
	}
}

// start writes a start tag that declares its own namespace and those of its
// attributes.
func start(out *strings.Builder, e xml.StartElement) {
	out.WriteString("<" + e.Name.Local + ` xmlns="` + escaped(e.Name.Space) + `"`)
	for i, a := range e.Attr {
		switch {
		case a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space == "":
			out.WriteString(" " + a.Name.Local + `="` + escaped(a.Value) + `"`)
		default:
			prefix := "a" + strconv.Itoa(i)
			out.WriteString(" xmlns:" + prefix + `="` + escaped(a.Name.Space) + `" ` + prefix + ":" + a.Name.Local + `="` + escaped(a.Value) + `"`)
		}
	}
	out.WriteString(">")
}

func escaped(s string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(s))
	return out.String()
}
