package soap_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func parse(t *testing.T, doc string) xmlstrict.Element {
	t.Helper()
	tree, err := xmlstrict.Parse(doc, xmlstrict.Limits{Bytes: 1 << 16, Depth: 32, Elements: 1000, Attributes: 32, Name: 256, Value: 1 << 16})
	if err != nil {
		t.Fatalf("the test's own message is not well-formed: %v\n%s", err, doc)
	}
	return tree.Root()
}

func envelope(content string) string {
	return `<s:Envelope xmlns:s="` + soap.Namespace + `" xmlns:a="` + soap.Addressing + `">` + content + `</s:Envelope>`
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name, doc string
		want      error
	}{
		{"header and body", envelope(`<s:Header/><s:Body/>`), nil},
		{"body only", envelope(`<s:Body/>`), nil},
		{"comments between", envelope(`<!-- a --><s:Header/> <s:Body/>`), nil},
		{"SOAP 1.2", `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/></e:Envelope>`, soap.ErrVersion},
		{"no namespace", `<Envelope><Body/></Envelope>`, soap.ErrVersion},
		{"another root", `<s:Body xmlns:s="` + soap.Namespace + `"/>`, soap.ErrVersion},
		{"empty", envelope(``), soap.ErrStructure},
		{"header only", envelope(`<s:Header/>`), soap.ErrStructure},
		{"two bodies", envelope(`<s:Body/><s:Body/>`), soap.ErrStructure},
		{"two headers", envelope(`<s:Header/><s:Header/><s:Body/>`), soap.ErrStructure},
		{"header last", envelope(`<s:Body/><s:Header/>`), soap.ErrStructure},
		{"something else", envelope(`<s:Body/><x/>`), soap.ErrStructure},
		{"text", envelope(`<s:Body/>x`), soap.ErrStructure},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := soap.Open(parse(t, test.doc))
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err == nil && !e.Body.Is(soap.Namespace, "Body") {
				t.Error("there is no Body")
			}
		})
	}
}

func TestBlocksAreCounted(t *testing.T) {
	e, err := soap.Open(parse(t, envelope(`<s:Header><a:To>1</a:To><To>2</To><a:To>3</a:To></s:Header><s:Body/>`)))
	if err != nil {
		t.Fatal(err)
	}
	to, n := soap.Child(e.Header, soap.Addressing, "To")
	text, whole := soap.Text(to)
	if n != 2 || text != "1" || !whole {
		t.Errorf("%d blocks, the first %q", n, text)
	}
	_, n = soap.Child(e.Header, soap.Addressing2004, "To")
	if n != 0 {
		t.Errorf("%d blocks of the other edition", n)
	}
}

// L13 and WRD-VAL-20: white space around a text goes; a text that is interrupted
// is not whole.
func TestText(t *testing.T) {
	tests := []struct {
		content, want string
		whole         bool
	}{
		{"x", "x", true},
		{"\n\t x y \n", "x y", true},
		{"x &amp; y", "x & y", true},
		{"\u00a0x\u2003", "\u00a0x\u2003", true}, // no white space of XML
		{"", "", false},
		{"  ", "", false},
		{"x<!-- -->", "x", false},
		{"x<!-- -->y", "xy", false},
		{"<![CDATA[x]]>", "x", false},
		{"x<y/>", "x", false},
	}
	for _, test := range tests {
		text, whole := soap.Text(parse(t, "<a>"+test.content+"</a>"))
		if text != test.want || whole != test.whole {
			t.Errorf("%q is %q, whole %t; want %q, %t", test.content, text, whole, test.want, test.whole)
		}
	}
	text, whole := soap.Text(xmlstrict.Element{})
	if text != "" || whole {
		t.Error("no element has a text")
	}
}

func TestEnvelopeIsWritten(t *testing.T) {
	w := xmlstrict.NewWriter(512)
	soap.StartEnvelope(w)
	w.Leaf("wsa:To", "x")
	soap.StartBody(w)
	w.Leaf("y", "z")
	soap.EndEnvelope(w)
	doc, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e, err := soap.Open(parse(t, string(doc)))
	if err != nil {
		t.Fatal(err)
	}
	to, n := soap.Child(e.Header, soap.Addressing, "To")
	text, _ := soap.Text(to)
	child, m := soap.Child(e.Body, "", "y")
	if n != 1 || text != "x" || m != 1 || child.Name().Local != "y" {
		t.Errorf("written as %s", doc)
	}
}

func TestNotUnderstood(t *testing.T) { // WRD-MSG-18
	tests := []struct {
		block string
		want  bool
	}{
		{``, false},
		{`<x/>`, false},
		{`<x s:mustUnderstand="0"/>`, false},
		{`<x s:mustUnderstand="false"/>`, false},
		{`<x s:mustUnderstand="1"/>`, true},
		{`<x s:mustUnderstand="true"/>`, true},
		{`<x mustUnderstand="1"/>`, false},
		{`<a:To s:mustUnderstand="1"/>`, false},
		{`<a:To s:mustUnderstand="1"/><x s:mustUnderstand="1"/>`, true},
		{`<a:To><x s:mustUnderstand="1"/></a:To>`, false},
	}
	for _, test := range tests {
		e, err := soap.Open(parse(t, envelope(`<s:Header>`+test.block+`</s:Header><s:Body/>`)))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.NotUnderstood(soap.Addressing, soap.Security); got != test.want {
			t.Errorf("%s: not understood is %t, want %t", test.block, got, test.want)
		}
	}
}

// N8, L11: yyyy-MM-ddTHH:mm:ss[.f+][Z|±hh:mm|±hhmm].
func TestTimes(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	read := map[string]time.Time{
		"2026-03-14T09:26:53Z":         at,
		"2026-03-14T09:26:53":          at,
		"2026-03-14T09:26:53.5Z":       at.Add(500 * time.Millisecond),
		"2026-03-14T09:26:53.25":       at.Add(250 * time.Millisecond),
		"2026-03-14T10:26:53+01:00":    at,
		"2026-03-14T10:26:53+0100":     at,
		"2026-03-14T08:26:53-01:00":    at,
		"2026-03-14T09:26:53+00:00":    at,
		"2026-03-14T14:56:53.0+0530":   at,
		"2024-02-29T00:00:00Z":         time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"2026-03-15T00:26:53.000+1500": at,
	}
	for text, want := range read {
		got, ok := soap.ParseTime(text)
		if !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("ParseTime(%s) = %v, %t; want %v", text, got, ok, want)
		}
	}
	refused := []string{
		"", "Z", "2026-03-14", "2026-03-14T09:26Z", "2026-03-14T9:26:53Z", "2026-3-14T09:26:53Z", "2026-03-14 09:26:53Z", "2026-03-14T09:26:53z",
		"2026-03-14T09:26:53,5Z", "2026-03-14T09:26:53+1", "2026-03-14T09:26:53+01", "2026-03-14T24:00:00Z", "2026-03-14T09:60:00Z", "2026-03-14T09:26:60Z",
		"2026-02-29T09:26:53Z", "2026-13-01T09:26:53Z", "26-03-14T09:26:53Z", "+2026-03-14T09:26:53Z", "2026-03-14T09:26:53Z ", " 2026-03-14T09:26:53Z",
		"2026-03-14T09:26:53 Z", "2026-03-14T09:26:53.Z", "20260314T092653Z",
		"2026-03-14T09:26:53.0000000000000000000000000000000000000000000000000000000000Z",
	}
	for _, text := range refused {
		got, ok := soap.ParseTime(text)
		if ok {
			t.Errorf("ParseTime(%q) = %v", text, got)
		}
	}
}

var timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?$`)

func TestTimesHaveTheirForm(t *testing.T) {
	texts := rapid.OneOf(
		rapid.StringMatching(`20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9]{1,2}:[0-5]?[0-9]:[0-5][0-9](\.[0-9]{0,3})?(Z|[+-][0-9]{1,2}:?[0-9]{0,2})?`),
		rapid.StringOf(rapid.RuneFrom([]rune("0123456789-T:.Z+ "))),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		_, ok := soap.ParseTime(text)
		if ok && !timeForm.MatchString(text) {
			t.Fatalf("ParseTime(%q) is read", text)
		}
	})
}

func TestFormattedTimesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
		got, ok := soap.ParseTime(soap.FormatTime(at.In(time.FixedZone("", 3600))))
		if !ok || !got.Equal(at.Truncate(time.Second)) {
			t.Fatalf("%v is written as %s", at, soap.FormatTime(at))
		}
	})
}
