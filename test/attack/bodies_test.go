package attack_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

// limit is limits.body as it is by default.
const limit = 256 << 10

// bodies is abuse of bodies (WRD-SEC-01, WRD-MSG-24, WRD-MSG-25).
func bodies() []attack {
	bomb := strings.Repeat(compressed(1<<20), 64)
	as := func(mediaType string) func(*attacker) (*conn, error) {
		return says(func(m string) string { return head(postLine, "Content-Type: "+mediaType, length(len(m))) + m })
	}
	coded := func(coding, body string) func(*attacker) (*conn, error) {
		return says(func(string) string { return post(body, "Content-Encoding: "+coding) })
	}
	text := func(body string) func(*attacker) (*conn, error) {
		return says(func(string) string { return post(body) })
	}
	return []attack{
		{"64 MiB compressed with gzip, not expanded", coded("gzip", bomb), refused(415)},
		{"the same without saying so", text(bomb), refused(500)},
		{"the same in chunks", says(func(string) string { return chunked(bomb, "Content-Encoding: gzip") }), refused(415)},
		{"deflate", coded("deflate", "x"), refused(415)},
		{"br", coded("br", "x"), refused(415)},
		{"gzip, gzip", coded("gzip, gzip", bomb), refused(415)},
		{"no media type", says(func(m string) string { return head(postLine, length(len(m))) + m }), refused(415)},
		{"a media type that is none", as("text/xml;;;"), refused(415)},
		{"two media types in one field", as("text/xml, application/json"), refused(415)},
		{"JSON", as("application/json"), refused(415)},
		{"a form", as("application/x-www-form-urlencoded"), refused(415)},
		{"multipart/form-data", as("multipart/form-data; boundary=x"), refused(415)},
		{"MTOM", as(`multipart/related; type="application/xop+xml"; boundary=x`), refused(415)},
		{"no body", text(""), refused(500)},
		{"a body as long as is allowed, which is no XML", text(strings.Repeat("<", limit)), refused(500)},
		{"a body too long by one byte", text(strings.Repeat("<", limit+1)), refused(413)},
		{"a body of 2^62 bytes to come", says(func(string) string { return head(postLine, isXML, length(1<<62)) }), refused(413)},
		{"the same, asking for leave first", says(func(string) string {
			return head(postLine, isXML, length(1<<62), "Expect: 100-continue")
		}), refused(413)},
		{"a chunk of 2^62 bytes, of which too many come", says(func(string) string {
			return head(postLine, isXML, "Transfer-Encoding: chunked") + "4000000000000000\r\n" + strings.Repeat("<", limit+1)
		}), refused(413)},
		{"too many bytes in small chunks", says(func(string) string {
			return head(postLine, isXML, "Transfer-Encoding: chunked") + strings.Repeat("400\r\n"+strings.Repeat("<", 1<<10)+"\r\n", limit>>10+1)
		}), refused(413)},
		{"a question and 256 KiB behind it", says(func(m string) string { return post(m) + strings.Repeat("<", limit) }),
			want{statuses: []int{200, 431}, asked: 1}},
	}
}

// compressed is so many zeros, with gzip, in which one piece may follow another.
func compressed(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(make([]byte, n))
	w.Close()
	return b.String()
}

// documents is hostile XML in a request that is otherwise as it should be. The
// packages that read XML try very much more of it (WRD-SEC-02).
func documents() []attack {
	before := func(prologue string) func(*attacker) (*conn, error) {
		return says(func(m string) string { return post(prologue + m) })
	}
	// inside puts something before the end of the SOAP body.
	inside := func(text string) func(*attacker) (*conn, error) {
		return says(func(m string) string { return post(strings.Replace(m, "</soap:Body>", text+"</soap:Body>", 1)) })
	}
	text := func(body string) func(*attacker) (*conn, error) {
		return says(func(string) string { return post(body) })
	}
	var bomb, attributes, namespaces strings.Builder
	for i := range 20 {
		fmt.Fprintf(&bomb, "<!ENTITY e%d \"%s\">", i+1, strings.Repeat(fmt.Sprintf("&e%d;", i), 10))
	}
	for i := range 9_000 {
		fmt.Fprintf(&attributes, " a%d=''", i)
		fmt.Fprintf(&namespaces, " xmlns:n%d='urn:n%d'", i, i)
	}
	return []attack{
		{"entities that multiply to 10^20", before("<!DOCTYPE x [<!ENTITY e0 \"ha\">" + bomb.String() + "]>"), refused(500)},
		{"an entity of a local file", before(`<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>`), refused(500)},
		{"an entity from another machine", before(`<!DOCTYPE x SYSTEM "https://other.example.invalid/x.dtd">`), refused(500)},
		{"a processing instruction", before(`<?xml-stylesheet href="https://other.example.invalid/x.xsl"?>`), refused(500)},
		{"60,000 open elements", text(strings.Repeat("<x>", 60_000)), refused(500)},
		{"30,000 nested elements, closed", text(strings.Repeat("<x>", 30_000) + strings.Repeat("</x>", 30_000)), refused(500)},
		{"60,000 elements side by side", inside(strings.Repeat("<x/>", 60_000)), refused(500)},
		{"9,000 attributes", inside("<x" + attributes.String() + "/>"), refused(500)},
		{"9,000 namespaces", inside("<x" + namespaces.String() + "/>"), refused(500)},
		{"a text of 250 KiB", inside("<x>" + strings.Repeat("x", 250<<10) + "</x>"), refused(500)},
		{"a name of 250 KiB", inside("<" + strings.Repeat("x", 250<<10) + "/>"), refused(500)},
		{"a comment of 250 KiB, which is passed over", inside("<!--" + strings.Repeat("x", 250<<10) + "-->"), answered()},
		{"bytes that are no UTF-8", inside("<x>\xff\xfe</x>"), refused(500)},
		{"a NUL", inside("<x>\x00</x>"), refused(500)},
		{"UTF-16", text("\xff\xfe<\x00x\x00/\x00>\x00"), refused(500)},
		{"a message that breaks off", says(func(m string) string { return post(m[:len(m)-1]) }), refused(500)},
		{"a message twice over", says(func(m string) string { return post(m + m) }), refused(500)},
	}
}
