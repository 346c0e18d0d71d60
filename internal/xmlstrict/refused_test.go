package xmlstrict_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var refused = []struct{ rule, doc string }{
	// Prolog and what follows the root
	{"nothing", ``},
	{"white space only", " \n"},
	{"a comment only", `<!-- x -->`},
	{"a declaration only", `<?xml version="1.0"?>`},
	{"a byte order mark only", "\uFEFF"},
	{"text before the root", `x<a/>`},
	{"text after the root", `<a/>x`},
	{"a reference after the root", `<a/>&#32;`},
	{"CDATA before the root", `<![CDATA[ ]]><a/>`},
	{"CDATA after the root", `<a/><![CDATA[ ]]>`},
	{"a second root", `<a/><a/>`},
	{"a second root after a comment", `<a></a> <!-- --> <b></b>`},
	{"an end tag after the root", `<a/></a>`},
	{"an end tag for a root", `</a>`},
	{"a byte order mark after the first", "\uFEFF\uFEFF<a/>"},
	{"white space before a byte order mark", " \uFEFF<a/>"},
	{"a second document", `<?xml version="1.0"?><a/><?xml version="1.0"?><a/>`},

	// WRD-SEC-02: document types, entities, processing instructions
	{"a bare DOCTYPE", `<!DOCTYPE a><a/>`},
	{"a DOCTYPE in lower case", `<!doctype a><a/>`},
	{"a DOCTYPE after a declaration", `<?xml version="1.0"?><!DOCTYPE a><a/>`},
	{"a DOCTYPE after a comment", `<!-- --><!DOCTYPE a><a/>`},
	{"a DOCTYPE with an external subset", `<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>`},
	{"a DOCTYPE with a public identifier", `<!DOCTYPE a PUBLIC "-//X//Y" "a.dtd"><a/>`},
	{"a DOCTYPE inside the root", `<a><!DOCTYPE a></a>`},
	{"a DOCTYPE after the root", `<a/><!DOCTYPE a>`},
	{"an internal entity", `<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`},
	{"an external entity", `<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>`},
	{"a parameter entity", `<!DOCTYPE a [<!ENTITY % e SYSTEM "http://evil.example/"> %e;]><a/>`},
	{"an entity bomb", `<!DOCTYPE a [<!ENTITY l "x"><!ENTITY m "&l;&l;&l;&l;&l;&l;&l;&l;"><!ENTITY n "&m;&m;&m;&m;&m;&m;&m;&m;">]><a>&n;</a>`},
	{"an entity declaration in content", `<a><!ENTITY e "x"></a>`},
	{"an attribute default", `<!DOCTYPE a [<!ATTLIST a x CDATA "1">]><a/>`},
	{"a conditional section", `<a><![INCLUDE[x]]></a>`},
	{"a processing instruction before the root", `<?x y?><a/>`},
	{"a processing instruction inside the root", `<a><?x y?></a>`},
	{"a processing instruction after the root", `<a/><?x y?>`},
	{"a style sheet", `<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>`},
	{"an entity in an XInclude", `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="&x;"/>`},

	// References
	{"an undeclared entity", `<a>&nbsp;</a>`},
	{"an entity in upper case", `<a>&LT;</a>`},
	{"an undeclared entity in an attribute", `<a x="&e;"/>`},
	{"a bare ampersand", `<a>&</a>`},
	{"an ampersand before a space", `<a>& amp;</a>`},
	{"a reference without semicolon", `<a>&amp</a>`},
	{"a reference across an element", `<a>&am<b/>p;</a>`},
	{"an empty reference", `<a>&;</a>`},
	{"a character reference without digits", `<a>&#;</a>`},
	{"a hexadecimal reference without digits", `<a>&#x;</a>`},
	{"a hexadecimal reference in upper case", `<a>&#X41;</a>`},
	{"hexadecimal digits in a decimal reference", `<a>&#4A;</a>`},
	{"a sign in a reference", `<a>&#+65;</a>`},
	{"NUL by reference", `<a>&#0;</a>`},
	{"a control character by reference", `<a>&#x1F;</a>`},
	{"a control character by reference in an attribute", `<a x="&#8;"/>`},
	{"a surrogate by reference", `<a>&#xD800;&#xDC00;</a>`},
	{"U+FFFE by reference", `<a>&#xFFFE;</a>`},
	{"U+FFFF by reference", `<a>&#65535;</a>`},
	{"a reference beyond Unicode", `<a>&#x110000;</a>`},
	{"a reference that would overflow 32 bits", `<a>&#4294967361;</a>`},
	{"a reference that would overflow 64 bits", `<a>&#x10000000000000041;</a>`},
	{"a reference of endless zeros", `<a>&#` + strings.Repeat("0", 1000) + `65;</a>`},

	// Characters and encodings
	{"NUL", "<a>\x00</a>"},
	{"a control character in text", "<a>\x0B</a>"},
	{"a control character in an attribute", "<a x='\x1F'/>"},
	{"a control character in a comment", "<!-- \x01 --><a/>"},
	{"a control character in CDATA", "<a><![CDATA[\x02]]></a>"},
	{"a control character in a tag", "<a\x0C/>"},
	{"U+FFFE in text", "<a>\uFFFE</a>"},
	{"U+FFFF in an attribute", "<a x='\uFFFF'/>"},
	{"U+FFFF in a comment", "<a><!--\uFFFF--></a>"},
	{"U+FFFE in CDATA", "<a><![CDATA[\uFFFE]]></a>"},
	{"NEL as white space in a tag", "<a\u0085/>"},
	{"a no-break space after the root", "<a/>\u00A0"},
	{"Latin-1", "<a>\xE9</a>"},
	{"Latin-1 declared", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xE9</a>"},
	{"a stray continuation byte", "<a>\x80</a>"},
	{"an overlong NUL", "<a>\xC0\x80</a>"},
	{"an overlong less-than sign", "<a>\xC0\xBC</a>"},
	{"an overlong slash in three bytes", "<a>\xE0\x80\xAF</a>"},
	{"a surrogate in UTF-8", "<a>\xED\xA0\x80</a>"},
	{"a surrogate pair in UTF-8 (CESU-8)", "<a>\xED\xA0\xBD\xED\xB8\x80</a>"},
	{"beyond U+10FFFF", "<a>\xF4\x90\x80\x80</a>"},
	{"five bytes", "<a>\xF8\x88\x80\x80\x80</a>"},
	{"UTF-8 cut short", "<a>\xE2\x82</a>"},
	{"UTF-8 cut by the end of an attribute", "<a x='\xC3'/>"},
	{"invalid UTF-8 in a name", "<a\xFF/>"},
	{"invalid UTF-8 after the root", "<a/>\xFF"},
	{"invalid UTF-8 in a comment", "<!--\xFF--><a/>"},
	{"UTF-16, big end first", utf16Document(binary.BigEndian, "\uFEFF<a/>")},
	{"UTF-16, little end first", utf16Document(binary.LittleEndian, "\uFEFF<a/>")},
	{"UTF-16 without mark", utf16Document(binary.LittleEndian, "<a/>")},
	{"UTF-16 declared", utf16Document(binary.BigEndian, "\uFEFF<?xml version='1.0' encoding='UTF-16'?><a/>")},
	{"UTF-32", "\x00\x00\xFE\xFF\x00\x00\x00<\x00\x00\x00a\x00\x00\x00/\x00\x00\x00>"},
	{"UTF-7", `<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b/+AD4-</a>`},
	{"EBCDIC", "\x4C\x81\x61\x6E"},

	// XML declaration
	{"white space before the declaration", ` <?xml version="1.0"?><a/>`},
	{"a comment before the declaration", `<!-- --><?xml version="1.0"?><a/>`},
	{"a declaration inside the root", `<a><?xml version="1.0"?></a>`},
	{"a declaration without version", `<?xml encoding="UTF-8"?><a/>`},
	{"an empty declaration", `<?xml ?><a/>`},
	{"a declaration without anything", `<?xml?><a/>`},
	{"a declaration in upper case", `<?XML version="1.0"?><a/>`},
	{"XML 1.1", `<?xml version="1.1"?><a/>`},
	{"version 1", `<?xml version="1"?><a/>`},
	{"version 1.00", `<?xml version="1.00"?><a/>`},
	{"a version without quotes", `<?xml version=1.0?><a/>`},
	{"mixed quotes", `<?xml version="1.0'?><a/>`},
	{"UTF-16 declared in UTF-8", `<?xml version="1.0" encoding="UTF-16"?><a/>`},
	{"US-ASCII", `<?xml version="1.0" encoding="US-ASCII"?><a/>`},
	{"UTF8 without hyphen", `<?xml version="1.0" encoding="UTF8"?><a/>`},
	{"an empty encoding", `<?xml version="1.0" encoding=""?><a/>`},
	{"an encoding with space", `<?xml version="1.0" encoding=" UTF-8"?><a/>`},
	{"an encoding that folds to UTF-8 only in Unicode", "<?xml version=\"1.0\" encoding=\"UTF\u20108\"?><a/>"},
	{"encoding before version", `<?xml encoding="UTF-8" version="1.0"?><a/>`},
	{"standalone before encoding", `<?xml version="1.0" standalone="yes" encoding="UTF-8"?><a/>`},
	{"standalone neither yes nor no", `<?xml version="1.0" standalone="YES"?><a/>`},
	{"no space between", `<?xml version="1.0"encoding="UTF-8"?><a/>`},
	{"no space before standalone", `<?xml version="1.0" encoding="UTF-8"standalone="no"?><a/>`},
	{"a repeated version", `<?xml version="1.0" version="1.0"?><a/>`},
	{"something else in the declaration", `<?xml version="1.0" x="y"?><a/>`},
	{"a declaration that ends as a tag", `<?xml version="1.0"><a/>`},
	{"a declaration with space in its end", `<?xml version="1.0"? ><a/>`},
	{"an equals sign missing", `<?xml version "1.0"?><a/>`},

	// Tags
	{"an element left open", `<a>`},
	{"an element left open with text", `<a>x`},
	{"end tags in the wrong order", `<a><b></a></b>`},
	{"an end tag of another name", `<a></b>`},
	{"an end tag of a longer name", `<a></ab>`},
	{"an end tag of a shorter name", `<ab></a>`},
	{"an end tag in another case", `<a></A>`},
	{"an end tag with another prefix of the same namespace", `<p:a xmlns:p="urn:x" xmlns:q="urn:x"></q:a>`},
	{"an end tag with attributes", `<a></a x="1">`},
	{"an end tag that is empty", `<a></>`},
	{"an end tag that ends itself", `<a></a/>`},
	{"space before a name", `< a/>`},
	{"space in an end tag before the name", `<a></ a>`},
	{"space between slash and end", `<a/ >`},
	{"a tag without name", `<>x</>`},
	{"a tag inside a tag", `<a <b/>>`},
	{"a less-than sign in text", `<a>1 < 2</a>`},
	{"a less-than sign at the end", `<a/><`},
	{"a name that begins with a digit", `<1a/>`},
	{"a name that begins with a hyphen", `<-a/>`},
	{"a name that begins with a dot", `<.a/>`},
	{"a name that begins with a combining mark", "<\u0300a/>"},
	{"a multiplication sign in a name", `<a×/>`},
	{"a division sign in a name", `<a÷/>`},
	{"a Greek question mark in a name", "<a\u037E/>"},
	{"a noncharacter in a name", "<a\uFDD0/>"},
	{"private use in a name", "<a\uE000/>"},
	{"plane 15 in a name", "<a\U000F0000/>"},
	{"U+FFFE in a name", "<a\uFFFE/>"},

	// Attributes
	{"a repeated attribute", `<a x="1" x="2"/>`},
	{"a repeated attribute with the same value", `<a x="1" y="" x="1"/>`},
	{"an attribute repeated by expanded name", `<a xmlns:p="urn:x" xmlns:q="urn:x" p:y="1" q:y="2"/>`},
	{"a repeated attribute in the namespace xml", `<a xml:lang="" xml:lang=""/>`},
	{"a repeated default namespace", `<a xmlns="urn:x" xmlns="urn:x"/>`},
	{"a repeated prefix declaration", `<a xmlns:p="urn:x" xmlns:p="urn:y"/>`},
	{"an attribute without value", `<a x/>`},
	{"an attribute with an equals sign only", `<a x=/>`},
	{"an attribute without quotes", `<a x=1/>`},
	{"an attribute without name", `<a ="1"/>`},
	{"attributes without space between", `<a x="1"y="2"/>`},
	{"an attribute without space before", `<a"x"/>`},
	{"an attribute not closed", `<a x="1/>`},
	{"an attribute closed by the other quote", `<a x="1'/>`},
	{"a less-than sign in an attribute", `<a x="<"/>`},
	{"a malformed attribute name", `<a 1="x"/>`},
	{"xml:id", `<a xml:id="x"/>`},

	// Text, comments, CDATA
	{"a CDATA end in text", `<a>]]></a>`},
	{"a CDATA end after brackets", `<a>]]]]></a>`},
	{"a CDATA end after CDATA", `<a><![CDATA[x]]>]]></a>`},
	{"CDATA not closed", `<a><![CDATA[x</a>`},
	{"CDATA in lower case", `<a><![cdata[x]]></a>`},
	{"CDATA with space", `<a><![ CDATA[x]]></a>`},
	{"CDATA inside a tag", `<a <![CDATA[x]]>/>`},
	{"a comment not closed", `<a><!-- x</a>`},
	{"a comment with three hyphens at its end", `<!-- x ---><a/>`},
	{"a comment of one hyphen too many", `<!---><a/>`},
	{"two hyphens in a comment", `<a><!-- x -- y --></a>`},
	{"a comment inside a comment", `<!-- <!-- --> --><a/>`},
	{"a comment inside a tag", `<a <!-- x -->/>`},
	{"a malformed comment", `<!- x --><a/>`},
	{"malformed markup", `<a><!></a>`},

	// Namespaces
	{"an undeclared element prefix", `<p:a/>`},
	{"an undeclared attribute prefix", `<a p:x="1"/>`},
	{"a prefix out of scope", `<a><p:b xmlns:p="urn:x"/><p:c/></a>`},
	{"a prefix declared by a child only", `<p:a><p:b xmlns:p="urn:x"/></p:a>`},
	{"a prefix undeclared", `<a xmlns:p=""/>`},
	{"a prefix in another case", `<P:a xmlns:p="urn:x"/>`},
	{"the prefix xmlns on an element", `<xmlns:a/>`},
	{"the prefix xmlns declared", `<a xmlns:xmlns="http://www.w3.org/2000/xmlns/"/>`},
	{"the prefix xmlns declared otherwise", `<a xmlns:xmlns="urn:x"/>`},
	{"the namespace of xmlns with a prefix", `<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`},
	{"the namespace of xmlns as default", `<a xmlns="http://www.w3.org/2000/xmlns/"/>`},
	{"the prefix xml declared otherwise", `<a xmlns:xml="urn:x"/>`},
	{"the prefix xml undeclared", `<a xmlns:xml=""/>`},
	{"the namespace of xml with another prefix", `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`},
	{"the namespace of xml as default", `<a xmlns="http://www.w3.org/XML/1998/namespace"/>`},
	{"two colons", `<p:a:b xmlns:p="urn:x"/>`},
	{"two colons together", `<p::a xmlns:p="urn:x"/>`},
	{"an empty prefix", `<:a/>`},
	{"an empty local name", `<p: xmlns:p="urn:x"/>`},
	{"a local name that is no name", `<p:1 xmlns:p="urn:x"/>`},
	{"a colon only", `<:/>`},
	{"two colons in an attribute", `<a xmlns:p="urn:x" p:x:y=""/>`},
	{"a declaration of an empty prefix", `<a xmlns:="urn:x"/>`},
	{"a declaration with two colons", `<a xmlns:p:q="urn:x"/>`},
	{"white space in a namespace name", `<a xmlns="urn:x y"/>`},
	{"white space around a namespace name", `<a xmlns=" urn:x"/>`},
	{"braces in a namespace name", `<a xmlns="{urn:x}"/>`},
	{"a namespace name outside ASCII", `<a xmlns="urn:é"/>`},
	{"bad percent encoding in a namespace name", `<a xmlns="urn:%4"/>`},
	{"two fragments in a namespace name", `<a xmlns="urn:x#y#z"/>`},
	{"a scheme that is none", `<a xmlns="1:x"/>`},
	{"an empty scheme", `<a xmlns=":x"/>`},
	{"a port that is none", `<a xmlns="http://h:x/"/>`},
	{"a port out of range", `<a xmlns="http://h:99999/"/>`},
	{"two users", `<a xmlns="http://u@v@h/"/>`},
	// libxml2 2.9 takes the ampersand for "&#38;" and finds a fragment.
	{"an ampersand in a namespace name", `<a xmlns="http://h/?x&amp;y"/>`},
	{"an ampersand after a fragment in a namespace name", `<a xmlns="#f&amp;"/>`},
}

func utf16Document(order binary.AppendByteOrder, s string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestRefused(t *testing.T) {
	for _, row := range refused {
		t.Run(row.rule, func(t *testing.T) {
			_, err := xmlstrict.Parse(row.doc, generous)
			checkRefusal(t, row.doc, err)
		})
	}
}

// checkRefusal requires a syntax error that stands in the document.
func checkRefusal(t *testing.T, doc string, err error) {
	t.Helper()
	var refusal *xmlstrict.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("want an *Error, got %v", err)
	}
	if refusal.TooLarge {
		t.Errorf("taken for a limit: %v", refusal)
	}
	lines := 1 + strings.Count(doc, "\n") + strings.Count(doc, "\r")
	if refusal.Line < 1 || refusal.Line > lines || refusal.Column < 1 || refusal.Column > len(doc)+1 {
		t.Errorf("the error lies outside the document: %v", refusal)
	}
}

// Damaged documents are refused or accepted, never a cause of panic.
func TestDamagedDocumentsNeverPanic(t *testing.T) {
	random := rand.New(rand.NewPCG(20260314, 0))
	documents := append(acceptedDocuments(), seeds...)
	for _, row := range refused {
		documents = append(documents, row.doc)
	}
	both := [2]int{}
	for range 20_000 {
		doc, err := xmlstrict.Parse(mutate(random, documents[random.IntN(len(documents))]), generous)
		if err != nil {
			both[0]++
			continue
		}
		both[1]++
		walk(doc.Root())
	}
	if both[0] == 0 || both[1] == 0 {
		t.Errorf("the mutations prove nothing: %d refused, %d accepted", both[0], both[1])
	}
}

// An error may be logged, so it holds nothing that the sender wrote.
func TestReasonNeverQuotesTheDocument(t *testing.T) {
	const secret = "Zq9990000018"
	for _, doc := range []string{
		`<a>&` + secret + `;</a>`, `<a></` + secret + `>`, `<` + secret + `:a/>`, `<a ` + secret + `="1" ` + secret + `="2"/>`,
		`<a ` + secret + `/>`, `<!` + secret + `><a/>`, `<?xml version="` + secret + `"?><a/>`, `<a xmlns="` + secret + ` "/>`,
	} {
		_, err := xmlstrict.Parse(doc, generous)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", doc, err)
		}
	}
}
