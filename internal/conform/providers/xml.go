package providers

import (
	"strings"
	"unicode/utf16"
)

// xmlRefused is what is no XML of the kind that is accepted (N29).
func xmlRefused() []trial {
	bad := func(id, title, requirements string, changes ...change) trial {
		return refused("N29-"+id, title, requirements, changes...)
	}
	before := func(text string) change { return replace(`<soap:Envelope`, text+`<soap:Envelope`) }
	declared := func(declaration string) change { return func(d *draft) { d.declaration = declaration } }
	const hostile = "WRD-SEC-02 WRD-SEC-04"
	return []trial{
		bad("empty", "The body is empty.", "WRD-VAL-03", finally(func(string) string { return "" })),
		bad("space", "The body is nothing but white space.", "WRD-VAL-03", finally(func(string) string { return " \r\n" })),
		bad("no-xml", "The body is text.", "WRD-VAL-03", finally(func(string) string { return "Is anything known of this child?" })),
		bad("json", "The body is JSON.", "WRD-VAL-03", finally(func(string) string { return `{"nhsNumber":"unknown"}` })),
		bad("truncated", "The message ends before its last tag.", "WRD-VAL-03", finally(func(doc string) string { return doc[:len(doc)-20] })),
		bad("truncated-half", "The second half of the message is missing.", "WRD-VAL-03", finally(func(doc string) string { return doc[:len(doc)/2] })),
		bad("two-roots", "A second element follows the message.", "WRD-VAL-03", finally(func(doc string) string { return doc + "<x/>" })),
		bad("text-after", "Text follows the message.", "WRD-VAL-03", finally(func(doc string) string { return doc + "x" })),
		bad("twice", "The message stands twice in the body.", "WRD-VAL-03", finally(func(doc string) string { return doc + doc })),
		bad("crossed-tags", "Two tags are closed in the wrong order.", "WRD-VAL-03", replace(`</itk:payload></itk:payloads>`, `</itk:payloads></itk:payload>`)),
		bad("tag-case", "An end tag is in other letters than its start tag.", "WRD-VAL-03", replace(`</soap:Body>`, `</soap:body>`)),
		bad("undeclared-prefix", "A prefix is not declared.", "WRD-VAL-03 WRD-MSG-16", replace(`<itk:payloads`, `<toolkit:payloads`, `</itk:payloads`, `</toolkit:payloads`)),
		bad("attribute-twice", "An attribute stands twice.", "WRD-VAL-03", replace(`manifest count="1"`, `manifest count="1" count="1"`)),
		bad("attribute-twice-by-prefix", "An attribute stands twice, under two prefixes of one namespace.", "WRD-VAL-03 WRD-MSG-16",
			replace(`<itk:manifestitem `, `<itk:manifestitem xmlns:b="`+nsITK+`" itk:note="1" b:note="1" `)),
		bad("attribute-unquoted", "A value has no quotes.", "WRD-VAL-03", replace(`manifest count="1"`, `manifest count=1`)),
		bad("less-than", "A value holds a tag's beginning.", "WRD-VAL-03", replace(`displayName="{role name}"`, `displayName="<x>"`)),
		bad("bare-ampersand", "A text holds an ampersand that begins nothing.", "WRD-VAL-03", replace(`<name>{organisation name}<`, `<name>A & B<`)),
		bad("nul", "A text holds the character 0.", "WRD-VAL-03", replace(`<name>{organisation name}<`, "<name>A\x00B<")),
		bad("control-character", "A text refers to a character that XML does not have.", "WRD-VAL-03", replace(`<name>{organisation name}<`, "<name>A&#1;B<")),
		bad("version-1.1", "The message is XML 1.1.", "WRD-VAL-03", declared(`<?xml version="1.1" encoding="UTF-8"?>`)),
		bad("declaration-late", "A space stands before the XML declaration.", "WRD-VAL-03", declared(` <?xml version="1.0" encoding="UTF-8"?>`)),

		bad("utf16", "The message is UTF-16.", "WRD-MSG-17", declared(`<?xml version="1.0" encoding="UTF-16"?>`), finally(utf16Bytes)),
		bad("utf16-declared", "The message says that it is UTF-16 and is not.", "WRD-MSG-17", declared(`<?xml version="1.0" encoding="UTF-16"?>`)),
		bad("latin1-declared", "The message says that it is ISO-8859-1.", "WRD-MSG-17", declared(`<?xml version="1.0" encoding="ISO-8859-1"?>`)),
		bad("latin1", "The message is ISO-8859-1 and says UTF-8.", "WRD-MSG-17", replace(`<name>{organisation name}<`, "<name>Zo\xeb<")),
		bad("overlong", "A character is written in UTF-8 with more bytes than it needs.", "WRD-MSG-17", replace(`<name>{organisation name}<`, "<name>A\xc0\xafB<")),
		bad("surrogate", "Half a surrogate pair is written in UTF-8.", "WRD-MSG-17", replace(`<name>{organisation name}<`, "<name>A\xed\xa0\x80B<")),

		bad("doctype", "There is a document type declaration.", hostile, before(`<!DOCTYPE Envelope>`)),
		bad("doctype-external", "The document type is at another place.", hostile+" WS-STD-04", before(`<!DOCTYPE Envelope SYSTEM "https://schema.example.invalid/x.dtd">`)),
		bad("entity", "An entity is declared and used.", hostile, before(`<!DOCTYPE Envelope [<!ENTITY x "Nurse">]>`), replace(`displayName="{role name}"`, `displayName="&x;"`)),
		bad("entity-external", "An entity is a file of the server.", hostile, before(`<!DOCTYPE Envelope [<!ENTITY x SYSTEM "file:///etc/hostname">]>`), replace(`<name>{organisation name}<`, `<name>&x;<`)),
		bad("entity-growing", "Entities refer to each other until they fill the memory.", hostile+" WRD-SEC-01", before(growingEntities()), replace(`<name>{organisation name}<`, `<name>&e9;<`)),
		bad("entity-undeclared", "An entity is used that is not declared.", "WRD-SEC-02", replace(`<name>{organisation name}<`, `<name>&nbsp;<`)),
		bad("instruction", "A processing instruction stands in the message.", "WRD-SEC-02 WRD-VAL-20", replace(`<soap:Body>`, `<soap:Body><?x y?>`)),
		bad("instruction-before", "A processing instruction stands before the message.", "WRD-SEC-02", before(`<?xml-stylesheet href="x.xsl"?>`)),
		bad("instruction-number", "A processing instruction stands in the element of the NHS number.", "WRD-VAL-20", replace(numberValue, `<value extension="{number}"><?x y?></value>`)),

		bad("deep", "Elements are nested a thousand deep.", "WRD-SEC-01", more(strings.Repeat(`<x>`, 1000)+strings.Repeat(`</x>`, 1000))),
		bad("many-elements", "There are ten thousand elements.", "WRD-SEC-01", more(`<x>`+strings.Repeat(`<y/>`, 10_000)+`</x>`)),
		bad("many-attributes", "An element has two thousand attributes.", "WRD-SEC-01", more(`<x`+manyAttributes()+`/>`)),
		bad("long-name", "The name of an element is 50,000 letters long.", "WRD-SEC-01", more(`<`+strings.Repeat("x", 50_000)+`/>`)),
		bad("long-text", "A text is 150,000 letters long.", "WRD-SEC-01", more(`<x>`+strings.Repeat("x", 150_000)+`</x>`)),
	}
}

// utf16Bytes writes a document in UTF-16 with a byte order mark.
func utf16Bytes(doc string) string {
	b := []byte{0xfe, 0xff}
	for _, unit := range utf16.Encode([]rune(doc)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return string(b)
}

// growingEntities would make a billion words of ten lines.
func growingEntities() string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE Envelope [<!ENTITY e0 "word ">`)
	for i := '1'; i <= '9'; i++ {
		b.WriteString(`<!ENTITY e` + string(i) + ` "` + strings.Repeat(`&e`+string(i-1)+`;`, 10) + `">`)
	}
	return b.String() + `]>`
}

func manyAttributes() string {
	var b strings.Builder
	for i := range 2000 {
		b.WriteString(` a` + strings.Repeat("b", i%40) + string(rune('c'+i/40%20)) + string(rune('a'+i/800)) + `="1"`)
	}
	return b.String()
}
