package itk_test

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

// What becomes of a hostile message besides a fault, which is named by its rule.
const (
	harmless = "harmless" // accepted, and the same question as without the attack
	invalid  = "SMSP-0001"
)

// attack is a hostile message and what becomes of it.
type attack struct {
	name string
	doc  func(string) string // of a good request
	want string
}

func before(mark, insert string) func(string) string { return replaced(mark, insert+mark) }

func appended(s string) func(string) string { return func(doc string) string { return doc + s } }

func prefixed(s string) func(string) string { return func(doc string) string { return s + doc } }

// withDoctype puts a document type before the root.
func withDoctype(doctype string) func(string) string {
	return replaced("\n<soap:Envelope", "\n"+doctype+"<soap:Envelope")
}

// encoded writes a request in two-byte units.
func encoded(order binary.AppendByteOrder, mark string) func(string) string {
	return func(doc string) string {
		var out []byte
		for _, unit := range utf16.Encode([]rune(mark + doc)) {
			out = order.AppendUint16(out, unit)
		}
		return string(out)
	}
}

const (
	theNumber = `"9990000018"/>`
	theASID   = `extension="999000444555"`
	theUser   = `>hazelbrook-ed<`
	theURI    = `identity:ods:RZZ99:triage-7"/>`
)

// WRD-SEC-01, WRD-SEC-02, WRD-SEC-03, WRD-VAL-20.
var attacks = []attack{
	{"an entity bomb", withDoctype(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`), "N29"},
	{"a long entity used often", withDoctype(`<!DOCTYPE x [<!ENTITY a "` + strings.Repeat("a", 50_000) + `">]>`), "N29"},
	{"an external entity of a file", withDoctype(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>`), "N29"},
	{"an external entity of the network", withDoctype(`<!DOCTYPE x [<!ENTITY a SYSTEM "http://attacker.example/">]>`), "N29"},
	{"a parameter entity", withDoctype(`<!DOCTYPE x [<!ENTITY % a SYSTEM "http://attacker.example/"> %a;]>`), "N29"},
	{"an external subset", withDoctype(`<!DOCTYPE x SYSTEM "http://attacker.example/x.dtd">`), "N29"},
	{"a public identifier", withDoctype(`<!DOCTYPE x PUBLIC "-//A//B" "http://attacker.example/x.dtd">`), "N29"},
	{"an attribute by default", withDoctype(`<!DOCTYPE x [<!ATTLIST value extension CDATA "9990000026">]>`), "N29"},
	{"a recursive entity", withDoctype(`<!DOCTYPE x [<!ENTITY a "&a;">]>`), "N29"},
	{"an entity that nobody declared", replaced(theNumber, `"&number;"/>`), "N29"},
	{"a style sheet", replaced("\n<soap:Envelope", "\n<?xml-stylesheet href=\"http://attacker.example/\"?><soap:Envelope"), "N29"},

	{"elements 10,000 deep in the header", before("<wsa:To>", strings.Repeat("<x>", 10_000)+strings.Repeat("</x>", 10_000)), "N29"},
	{"elements 10,000 deep that are left open", before("<wsa:To>", strings.Repeat("<x>", 10_000)), "N29"},
	{"10,000 attributes on one element", replaced("<wsse:Security", "<wsse:Security"+numbered(` a%="x"`, 10_000)), "N29"},
	{"10,000 namespaces on one element", replaced("<wsse:Security", "<wsse:Security"+numbered(` xmlns:a%="urn:x"`, 10_000)), "N29"},
	{"20,000 empty elements", before("<wsa:To>", strings.Repeat("<x/>", 20_000)), "N29"},
	{"a name of 100,000 characters", before("<wsa:To>", "<"+strings.Repeat("x", 100_000)+"/>"), "N29"},
	{"a text of 200,000 characters", replaced(theUser, ">"+strings.Repeat("x", 200_000)+"<"), "N29"},
	{"an attribute of 200,000 characters", replaced(theNumber, `"`+strings.Repeat("9", 200_000)+`"/>`), "N29"},
	{"a comment of 200,000 characters", before("<wsa:To>", "<!--"+strings.Repeat("x", 200_000)+"-->"), harmless},
	{"a CDATA section of 200,000 characters", replaced(theUser, "><![CDATA["+strings.Repeat("x", 200_000)+"]]><"), "N29"},
	{"30,000 references", replaced(theUser, ">"+strings.Repeat("&#120;", 30_000)+"<"), "N13"},
	{"1,900 header blocks", before("<wsa:To>", strings.Repeat("<x/>", 1_900)), harmless},
	{"more bytes than allowed", appended(strings.Repeat(" ", maxSize)), "N29"},
	{"100,000 spaces after the root", appended(strings.Repeat(" ", 100_000)), harmless},

	{"the number twice on one element", replaced(theNumber, `"9990000018" extension="9990000026"/>`), "N29"},
	{"an attribute through two prefixes of one namespace", replaced("<wsse:Security", `<wsse:Security xmlns:p="urn:p" xmlns:q="urn:p" p:a="1" q:a="2"`), "N29"},
	{"the number again in a namespace", replaced(theNumber, `"9990000018" h:extension="9990000026" xmlns:h="urn:hl7-org:v3"/>`), invalid},
	{"the tracking id again in a namespace", replaced(` trackingid=`, ` itk:trackingid="`+messageID+`" trackingid=`), "N19"},
	{"the prefix xml rebound", replaced("<soap:Header>", `<soap:Header xmlns:xml="urn:x">`), "N29"},
	{"the prefix xmlns declared", replaced("<soap:Header>", `<soap:Header xmlns:xmlns="urn:x">`), "N29"},
	{"another prefix for xmlns", replaced("<soap:Header>", `<soap:Header xmlns:x="http://www.w3.org/2000/xmlns/">`), "N29"},
	{"a prefix that nobody declared", replaced("<wsa:To>", "<wsb:To>"), "N29"},
	{"a prefix undeclared", replaced("<soap:Header>", `<soap:Header xmlns:wsa="">`), "N29"},
	{"the payload's default namespace undone", replaced(`<cP-ISNHSQuery>`, `<cP-ISNHSQuery xmlns="">`), invalid},
	{"the payload without namespace", replaced(`<CP-ISQueryStub xmlns="urn:hl7-org:v3"`, `<CP-ISQueryStub xmlns=""`), "N33"},
	{"a prefix bound anew to another namespace", replaced(`<wsa:MessageID>`, `<wsa:MessageID xmlns:wsa="urn:other">`), "N23"},
	{"a namespace name with a reference", replaced(`"urn:nhs-itk:ns:201005"><itk:header`, `"urn:nhs-itk:ns:20100&#53;"><itk:header`), harmless},
	{"a namespace name in another case", replaced(`"urn:nhs-itk:ns:201005"><itk:header`, `"URN:nhs-itk:ns:201005"><itk:header`), "N30"},
	{"a namespace name with a space", replaced(`"urn:nhs-itk:ns:201005"><itk:header`, `"urn:nhs-itk:ns:201005 "><itk:header`), "N29"},

	{"UTF-16, little end first", encoded(binary.LittleEndian, "\ufeff"), "N29"},
	{"UTF-16, big end first", encoded(binary.BigEndian, "\ufeff"), "N29"},
	{"UTF-16 without mark", encoded(binary.LittleEndian, ""), "N29"},
	{"UTF-16 declared in UTF-8", replaced(`UTF-8`, `UTF-16`), "N29"},
	{"UTF-7", replaced(`UTF-8`, `UTF-7`, `<wsa:To>`, `+ADw-wsa:To+AD4-`), "N29"},
	{"Latin-1 declared", replaced(`UTF-8`, `ISO-8859-1`), "N29"},
	{"Latin-1", replaced(`Idris`, "Idr\xeds"), "N29"},
	{"Latin-1 declared and used", replaced(`UTF-8`, `ISO-8859-1`, `Idris`, "Idr\xeds"), "N29"},
	{"EBCDIC", func(string) string { return "\x4c\x6f\xa7\x94\x93" }, "N29"},
	{"an overlong less-than sign", before("<wsa:To>", "\xc0\xbc"), "N29"},
	{"an overlong digit in the number", replaced(theNumber, "\"\xc0\xb9990000018\"/>"), "N29"},
	{"a surrogate in UTF-8", replaced(`Idris`, "\xed\xa0\xbd\xed\xb8\x80"), "N29"},
	{"a byte order mark in the middle", before("<wsa:To>", "\ufeff"), harmless},
	{"a byte order mark between elements of the envelope", before("<itk:manifest ", "\ufeff"), "N19"},
	{"a byte order mark before the Body", before("<soap:Body>", "\ufeff"), "N30"},
	{"two byte order marks", prefixed("\ufeff\ufeff"), "N29"},
	{"a byte order mark after the root", appended("\ufeff"), "N29"},
	{"a byte order mark in the number", replaced(theNumber, "\"\ufeff9990000018\"/>"), invalid},
	{"XML 1.1", replaced(`version="1.0"`, `version="1.1"`), "N29"},
	{"XML 1.1 with its line end", replaced(`version="1.0"`, `version="1.1"`, "<wsa:To>", "\u0085<wsa:To>"), "N29"},

	{"a NUL in the user name", replaced(theUser, ">hazelbrook\x00-ed<"), "N29"},
	{"a NUL after the root", appended("\x00"), "N29"},
	{"a NUL and another request", func(doc string) string { return doc + "\x00" + doc }, "N29"},
	{"a NUL by reference", replaced(theUser, ">hazelbrook-ed&#0;<"), "N29"},
	{"a control character", replaced(theUser, ">hazelbrook-ed\x08<"), "N29"},
	{"an escape character by reference", replaced(theUser, ">hazelbrook-ed&#27;<"), "N29"},
	{"a line separator in the user name", replaced(theUser, ">hazelbrook-ed\u2028<"), "N13"},
	{"a zero-width space in the user name", replaced(theUser, ">hazelbrook\u200b-ed<"), "N13"},
	{"a direction override in the number", replaced(theNumber, "\"\u202e8100000999\"/>"), invalid},
	{"a Cyrillic letter in an identity", replaced(theURI, "identity:ods:RZZ99:triаge-7\"/>"), "N18"},

	{"a comment beside the number", replaced(theNumber, `"9990000018"><!-- 9990000026 --></value>`), harmless},
	{"CDATA beside the number", replaced(theNumber, `"9990000018"><![CDATA[9990000026]]></value>`), invalid},
	{"text beside the number", replaced(theNumber, `"9990000018">9990000026</value>`), invalid},
	{"a processing instruction beside the number", replaced(theNumber, `"9990000018"><?x 9990000026?></value>`), "N29"},
	{"a reference in the number", replaced(theNumber, `"999000001&#56;"/>`), invalid},
	{"a reference that adds nothing to the number", replaced(theNumber, `"9990000018&#x20;"/>`), invalid},
	{"an entity in the number", replaced(theNumber, `"999000001&amp;"/>`), invalid},
	{"a line end in the number", replaced(theNumber, "\"99900\n00018\"/>"), invalid},
	{"a line end around the number", replaced(theNumber, "\"9990000018\n\"/>"), invalid},
	{"a second number", replaced(theNumber, `"9990000018"/><value extension="9990000026"/>`), invalid},
	{"a number in the number", replaced(theNumber, `"9990000018"><value extension="9990000026"/></value>`), invalid},

	{"a comment in the message id", replaced(messageID, messageID[:9]+"<!---->"+messageID[9:]), "N23"},
	{"CDATA in the message id", replaced(messageID, messageID[:9]+"<![CDATA["+messageID[9:]+"]]>"), "N23"},
	{"an empty CDATA section in the message id", replaced(messageID, messageID+"<![CDATA[]]>"), "N23"},
	{"a processing instruction in the message id", replaced(messageID, messageID[:9]+"<?x?>"+messageID[9:]), "N29"},
	{"a reference in the message id", replaced(messageID, "&#x30;"+messageID[1:]), "N23"},
	{"an entity in the message id", replaced(messageID, "&lt;"+messageID), "N23"},
	{"an element in the message id", replaced(messageID, messageID+"<x/>"), "N23"},
	{"a second message id", replaced("</wsa:MessageID>", "</wsa:MessageID><wsa:MessageID>"+messageID+"</wsa:MessageID>"), "N23"},

	{"a reference in the ASID", replaced(theASID, `extension="99900044455&#53;"`), invalid},
	{"CDATA beside the ASID", replaced(theASID+`/>`, theASID+`><![CDATA[ ]]></id>`), invalid},
	{"a comment beside the ASID", replaced(theASID+`/>`, theASID+`><!-- x --></id>`), harmless},
	{"a second ASID", replaced(theASID+`/>`, theASID+`/><id root="1.2.826.0.1285.0.2.0.107" extension="999000444556"/>`), invalid},

	{"a reference in the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-&#55;"/>`), "N18"},
	{"an entity in the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-7&amp;"/>`), "N18"},
	{"CDATA beside the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-7"><![CDATA[]]></itk:id>`), "N19"},
	{"a comment beside the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-7"><!-- x --></itk:id>`), harmless},
	{"a processing instruction beside the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-7"><?x?></itk:id>`), "N29"},
	{"an element in the audit identity", replaced(theURI, `identity:ods:RZZ99:triage-7"><itk:id uri="urn:nhs-uk:identity:ods:RYY98"/></itk:id>`), "N19"},
	{"another's identity behind ours", replaced(theURI, theURI+`<itk:id uri="urn:nhs-uk:identity:ods:RYY98:x"/>`), "N18"},
	{"our identity with dots after it", replaced(theURI, `identity:ods:RZZ99/../RYY98"/>`), "N18"},
}

// numbered writes pattern n times with a number in place of %.
func numbered(pattern string, n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(strings.ReplaceAll(pattern, "%", strconv.Itoa(i)))
	}
	return out.String()
}

// WRD-SEC-04: each hostile message has its outcome, and no other.
func TestHostileMessages(t *testing.T) {
	good := systemRequest().String()
	want := mustAccept(t, good)
	for _, attack := range append(attacks, shapes...) {
		t.Run(attack.name, func(t *testing.T) {
			request, err := read(attack.doc(good))
			got := harmless
			var fault *itk.Fault
			switch {
			case errors.As(err, &fault):
				got = fault.Rule
			case request.Invalid != nil:
				got = invalid
			}
			if got != attack.want {
				t.Fatalf("the outcome is %s, want %s (%v)", got, attack.want, err)
			}
			if got != harmless && !cmp.Equal(request.Query, cpis.Query{}, sameNumbers) {
				t.Error("what is refused has a query")
			}
			request.Signed = false
			if got == harmless && !cmp.Equal(want, request, sameNumbers) {
				t.Errorf("another request is read (-want +got):\n%s", cmp.Diff(want, request, sameNumbers))
			}
		})
	}
}

// A request that is cut short at any byte is no request.
func TestTruncatedRequests(t *testing.T) {
	for _, doc := range []string{systemRequest().String(), personRequest().String()} {
		for n := range len(doc) {
			_, err := read(doc[:n])
			var fault *itk.Fault
			if !errors.As(err, &fault) || fault.Rule != "N29" {
				t.Fatalf("after %d of %d bytes: %v", n, len(doc), err)
			}
		}
	}
}

// An answer that is cut short at any byte is no answer, least of all "no record"
// (H-17).
func TestTruncatedAnswers(t *testing.T) {
	for _, doc := range []string{responseDocument(t, answer(cpis.CodeSuccess, findings())), responseDocument(t, answer(cpis.CodeNoRecord, without(findings())))} {
		for n := range len(doc) {
			_, err := itk.ReadReply(doc[:n], maxSize)
			if !errors.Is(err, itk.ErrNotAnAnswer) {
				t.Fatalf("after %d of %d bytes: %v", n, len(doc), err)
			}
		}
	}
}

// WRD-SEC-01: what a message costs in memory grows with its length and with nothing
// else.
func TestHostileMessagesCostWhatTheyWeigh(t *testing.T) {
	good := systemRequest().String()
	for _, attack := range append(attacks, shapes...) {
		doc := attack.doc(good)
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		_, _ = read(doc)
		runtime.ReadMemStats(&end)
		spent := end.TotalAlloc - start.TotalAlloc
		if most := uint64(4*len(doc) + 512<<10); spent > most {
			t.Errorf("%s: %d bytes of memory for %d of message, want at most %d", attack.name, spent, len(doc), most)
		}
	}
}
