package itk_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

// leniency is a request that differs from what our own client sends, and is
// accepted. Where the request itself says something else, want changes what is
// expected.
type leniency struct {
	name   string
	change func(*parts)
	doc    func(string) string
	expect func(*itk.Expectations)
	want   func(*itk.Request)
}

// document is the request.
func (l leniency) document() string {
	p := systemRequest()
	if l.change != nil {
		l.change(&p)
	}
	if l.doc != nil {
		return l.doc(p.String())
	}
	return p.String()
}

// leniencies are those of itk.md section 10 that these packages decide.
func leniencies() []leniency {
	const plain = `manifestitem id="` + payloadID + `" mimetype="text/xml" profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"`
	token := `<wsse:UsernameToken><wsse:Username>hazelbrook-ed</wsse:Username></wsse:UsernameToken>`
	created, expires := "2026-03-14T09:26:53Z", "2026-03-14T09:36:53Z"
	return []leniency{
		{name: "L3 the HL7 payload with a prefix", change: func(p *parts) {
			p.payload = strings.NewReplacer("</npfitlc:", "</npfitlc:", "<npfitlc:", "<npfitlc:", "</", "</h:", "<", "<h:", "xmlns=", "xmlns:h=").Replace(p.payload)
		}},
		{name: "L3 the envelope in a default namespace", doc: func(doc string) string {
			return with(doc, "xmlns:itk=", "xmlns=", "<itk:", "<", "</itk:", "</")
		}},
		{name: "L3 namespaces declared on the root", change: func(p *parts) {
			p.payload = with(p.payload, ` xmlns:npfitlc="NPFIT:HL7:Localisation"`, "")
		}, doc: replaced(`<soap:Envelope`, `<soap:Envelope xmlns:npfitlc="NPFIT:HL7:Localisation"`)},
		{name: "L4 UsernameToken before Timestamp", change: func(p *parts) {
			p.security = with(p.security, token, "", "<wsse:Security>", "<wsse:Security>"+token)
		}},
		{name: "L4 header blocks in another order", change: func(p *parts) {
			p.messageID, p.action, p.to, p.from, p.replyTo, p.security, p.extraHeaders = p.security, p.replyTo, p.from, p.to, p.action, "", p.messageID
		}},
		{name: "L4 attributes on Security", doc: replaced(`<wsse:Security`, `<wsse:Security soap:actor="x" a="1"`)},
		{name: "L5 Timestamp without id", doc: replaced(` wsu:Id="`+stampID+`"`, ``)},
		{name: "L5 Timestamp id that is no UUID", doc: replaced(stampID, "TS-7")},
		{name: "L5 id of the token", doc: replaced(`<wsse:UsernameToken`, `<wsse:UsernameToken wsu:Id="UsernameToken-7"`)},
		{name: "L6 MessageID in lower case", doc: replaced(messageID, strings.ToLower(messageID)), want: func(r *itk.Request) { r.MessageID = strings.ToLower(messageID) }},
		{name: "L6 MessageID with urn:uuid:", doc: replaced(messageID, "urn:uuid:"+messageID), want: func(r *itk.Request) { r.MessageID = "urn:uuid:" + messageID }},
		{name: "L6 MessageID with uuid:", doc: replaced(messageID, "uuid:"+messageID), want: func(r *itk.Request) { r.MessageID = "uuid:" + messageID }},
		{name: "L6 MessageID with uuid_", doc: replaced(messageID, "uuid_"+messageID), want: func(r *itk.Request) { r.MessageID = "uuid_" + messageID }},
		{name: "L7 mustUnderstand on addressing", doc: replaced(`<wsa:Action>`, `<wsa:Action soap:mustUnderstand="1">`, `<wsa:To>`, `<wsa:To soap:mustUnderstand="true">`)},
		{name: "L7 mustUnderstand on Security", doc: replaced(`<wsse:Security`, `<wsse:Security soap:mustUnderstand="1"`)},
		{name: "L7 a foreign header that need not be understood", change: func(p *parts) {
			p.extraHeaders = `<x:L xmlns:x="urn:example:local" soap:mustUnderstand="0">1</x:L><L/>`
		}},
		{name: "L8 no From", change: func(p *parts) { p.from = "" }},
		{name: "L8 no ReplyTo", change: func(p *parts) { p.replyTo = "" }},
		{name: "L8 FaultTo", change: func(p *parts) {
			p.extraHeaders = `<wsa:FaultTo><wsa:Address>https://x.example</wsa:Address></wsa:FaultTo>`
		}},
		{name: "L8 From that is no URI", doc: replaced("https://ed.hazelbrook.example/cpis", "ED Hazelbrook")},
		{name: "L8 From without an address", change: func(p *parts) { p.from = "<wsa:From/>" }},
		{name: "L9 no addresslist", change: func(p *parts) { p.addresslist = "" }},
		{name: "L9 no sender", change: func(p *parts) { p.sender = "" }, want: func(r *itk.Request) { r.Sender = "" }},
		{name: "L9 types written out", doc: replaced(`<itk:address uri`, `<itk:address type="2.16.840.1.113883.2.1.3.2.4.18.22" uri`,
			`<itk:id uri`, `<itk:id type="2.16.840.1.113883.2.1.3.2.4.18.27" uri`, `<itk:senderAddress uri`, `<itk:senderAddress type="2.16.840.1.113883.2.1.3.2.4.18.22" uri`),
			want: func(r *itk.Request) { r.AuditIdentities[0].Type = itk.IdentityType }},
		{name: "L10 flags written out", doc: replaced(plain, plain+` metadata="false" compressed="0" base64="false" encrypted="false"`)},
		{name: "L11 fraction", doc: replaced(created, "2026-03-14T09:26:53.123456789Z", expires, "2026-03-14T09:36:53.000Z")},
		{name: "L11 zone with a colon", doc: replaced(created, "2026-03-14T10:26:53+01:00", expires, "2026-03-14T09:36:53+00:00")},
		{name: "L11 zone without a colon", doc: replaced(created, "2026-03-14T08:26:53-0100", expires, "2026-03-14T09:36:53+0000")},
		{name: "L11 no zone", doc: replaced(created, "2026-03-14T09:26:53", expires, "2026-03-14T09:36:53.0")},
		{name: "L12 lifetime of five minutes", doc: replaced(expires, "2026-03-14T09:31:53Z"), want: func(r *itk.Request) { r.Expires = r.Expires.Add(-5 * time.Minute) }},
		{name: "L12 lifetime of an hour", doc: replaced(expires, "2026-03-14T10:26:53Z"), want: func(r *itk.Request) { r.Expires = r.Expires.Add(50 * time.Minute) }},
		{name: "N10 the tolerance before Created", expect: func(x *itk.Expectations) { x.Now = time.Date(2026, 3, 14, 9, 26, 49, 0, time.UTC) }},
		{name: "N10 the tolerance after Expires", expect: func(x *itk.Expectations) { x.Now = time.Date(2026, 3, 14, 9, 36, 57, 0, time.UTC) }},
		{name: "N10 exactly the longest lifetime", expect: func(x *itk.Expectations) { x.MaxLifetime = 10 * time.Minute }},
		{name: "L13 white space in texts", doc: replaced(">"+messageID+"<", ">\n\t"+messageID+" \n<", itk.RequestService+"</", " "+itk.RequestService+"\n</",
			ours+"<", " "+ours+"\t<", created, " "+created+" ", "hazelbrook-ed", "\n hazelbrook-ed ")},
		{name: "L13 white space in URIs", doc: replaced(`uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"`, `uri=" urn:nhs-uk:identity:ods:RZZ99:triage-7 "`,
			`senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"`, `senderAddress uri=" urn:nhs-uk:addressing:ods:RZZ99"`,
			`service="`+itk.RequestService+`"`, `service=" `+itk.RequestService+` "`,
			`profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"`, `profileid=" urn:nhs-en:profile:CP-ISNHSQuery-v1-0 "`,
			`key="urn:nhs-itk:ns:201005:interaction"`, `key=" urn:nhs-itk:ns:201005:interaction "`,
			`value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"`, `value=" urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0 "`)},
		{name: "L14 comments and white space around elements", doc: func(doc string) string {
			return strings.ReplaceAll(with(doc, "<itk:header", " <!-- a --> <itk:header", "<cP-ISNHSQuery>", "\n<!-- b --><cP-ISNHSQuery>"), "/><", "/>\n<!-- c --> <")
		}},
		{name: "L15 no declaration", doc: func(doc string) string { return doc[strings.Index(doc, "<soap:Envelope"):] }},
		{name: "L15 declaration in lower case", doc: replaced("UTF-8", "utf-8")},
		{name: "L15 byte order mark", doc: func(doc string) string { return "\ufeff" + doc }},
		{name: "L17 more spec entries", doc: replaced(`<itk:spec key`, `<itk:spec key="urn:nhs-itk:ns:201005:infackrequested" value="false"/><itk:spec key`)},
		{name: "L17 spec with its attributes reversed", doc: replaced(`key="urn:nhs-itk:ns:201005:interaction" value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"`, `value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0" key="urn:nhs-itk:ns:201005:interaction"`)},
		{name: "L18 fixed attributes", doc: replaced(`<cP-ISNHSQuery>`, `<cP-ISNHSQuery classCode="CACT" moodCode="EVN">`)},
		{name: "L18 root on the number", doc: replaced(`<value extension`, `<value root="2.16.840.1.113883.2.1.4.1" extension`)},
		{name: "L19 event id in lower case", doc: replaced(eventID, strings.ToLower(eventID))},
		{name: "L21 event id is the payload id", doc: replaced(eventID, strings.TrimPrefix(payloadID, "uuid_")), want: func(r *itk.Request) { r.Query.ID = strings.TrimPrefix(payloadID, "uuid_") }},
		{name: "WS-STD-04 schemaLocation ignored", doc: replaced(`<itk:DistributionEnvelope`, `<itk:DistributionEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x http://x.example/x.xsd"`)},
		{name: "WRD-MSG-04 profile v1-1", doc: replaced("profile:CP-ISNHSQuery-v1-0", "profile:CP-ISNHSQuery-v1-1")},
		{name: "WRD-MSG-04 profile v2-0", doc: replaced("profile:CP-ISNHSQuery-v1-0", "profile:CP-ISNHSQuery-v2-0")},
		{name: "WRD-MSG-22 signature recorded", change: func(p *parts) {
			p.security = with(p.security, "</wsse:Security>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></wsse:Security>`)
		}, want: func(r *itk.Request) { r.Signed = true }},
		{name: "user name with a reference", doc: replaced("hazelbrook-ed", "hazelbrook &amp; sons"), want: func(r *itk.Request) { r.Username = "hazelbrook & sons" }},
		{name: "mimetype in another case", doc: replaced(`"text/xml"`, `"Text/XML"`)},
		{name: "file name of the payload", doc: replaced(`<itk:payload id`, `<itk:payload filename="query.xml" id`)},
		{name: "attribute of the envelope's namespace on the item", doc: replaced(`<itk:manifestitem `, `<itk:manifestitem itk:note="1" `)},
		{name: "To with the standard port", doc: replaced(ours, "https://smsp.ward.example:443/smsp/cpis")},
		{name: "To with its host in another case", doc: replaced(ours, "HTTPS://SMSP.Ward.example/smsp/cpis")},
		{name: "To with a trailing slash", doc: replaced(ours, ours+"/")},
		{name: "To is another of ours", doc: replaced(ours, "https://other.ward.example/itk")},
		{name: "To is an IPv6 address", doc: replaced(ours, "https://[2001:db8::1]/smsp"), expect: func(x *itk.Expectations) { x.To = []string{"https://[2001:db8::1]:443/smsp"} }},
		{name: "To is a URN", doc: replaced(ours, "urn:example:ward"), expect: func(x *itk.Expectations) { x.To = []string{"urn:example:ward"} }},
		{name: "sender with more than letters and digits", doc: replaced(`addressing:ods:RZZ99"`, `addressing:ods:RZZ99:ed-7"`), want: func(r *itk.Request) { r.Sender += ":ed-7" }},
		{name: "identity is the organisation itself", doc: replaced(":triage-7", ""), want: func(r *itk.Request) { r.AuditIdentities[0].URI = "urn:nhs-uk:identity:ods:RZZ99" }},
		{name: "identity is the client's ASID", doc: replaced(`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/>`, `<itk:id type="1.2.826.0.1285.0.2.0.107" uri="999000444555"/>`),
			want: func(r *itk.Request) {
				r.AuditIdentities = []cpis.AuditIdentity{{Type: "1.2.826.0.1285.0.2.0.107", URI: "999000444555"}}
			}},
	}
}

// Each leniency is accepted, and the query is the same.
func TestLeniencies(t *testing.T) {
	for _, test := range leniencies() {
		t.Run(test.name, func(t *testing.T) {
			doc, expect := test.document(), expectations()
			want := mustAccept(t, systemRequest().String())
			if test.expect != nil {
				test.expect(&expect)
			}
			if test.want != nil {
				test.want(&want)
			}
			got, err := itk.ReadRequest(doc, maxSize, "", expect)
			if err != nil {
				t.Fatalf("refused: %v\n%s", err, doc)
			}
			if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
				t.Errorf("read differently (-want +got):\n%s", diff)
			}
		})
	}
}

// L1, WRD-MSG-15: wsa:Action decides; a SOAPAction that differs is refused.
func TestSOAPAction(t *testing.T) {
	doc := systemRequest().String()
	for _, accepted := range []string{"", `""`, itk.RequestService, `"` + itk.RequestService + `"`, ` "` + itk.RequestService + `" `} {
		_, err := itk.ReadRequest(doc, maxSize, accepted, expectations())
		if err != nil {
			t.Errorf("SOAPAction %q is refused: %v", accepted, err)
		}
	}
	for _, refused := range []string{"urn:other", `"urn:other"`, itk.ResponseService, strings.ToUpper(itk.RequestService), `'` + itk.RequestService + `'`} {
		_, err := itk.ReadRequest(doc, maxSize, refused, expectations())
		var fault *itk.Fault
		if !errors.As(err, &fault) || fault.Code != itk.Client || fault.ErrorCode != 1000 || fault.Rule != "L1" {
			t.Errorf("SOAPAction %q: %v", refused, err)
		}
	}
}

// WRD-MSG-16: names are matched by namespace and local name, never by prefix.
func TestPrefixesDoNotMatter(t *testing.T) {
	docs := []string{systemRequest().String(), personRequest().String()}
	rapid.Check(t, func(t *rapid.T) {
		doc := rapid.SampledFrom(docs).Draw(t, "request")
		want, err := read(doc)
		if err != nil {
			t.Fatal(err)
		}
		renamed := rename(t, doc)
		got, err := read(renamed)
		if err != nil {
			t.Fatalf("refused: %v\n%s", err, renamed)
		}
		if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
			t.Fatalf("read differently (-want +got):\n%s\n%s", diff, renamed)
		}
	})
}

// A prefix of another namespace does not make a name ours.
func TestFamiliarPrefixesDoNotMatter(t *testing.T) {
	for _, namespace := range []string{
		"http://www.w3.org/2005/08/addressing", wsseAttr, "urn:nhs-itk:ns:201005", "urn:hl7-org:v3", "NPFIT:HL7:Localisation",
		"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
	} {
		request, err := read(with(systemRequest().String(), `"`+namespace+`"`, `"urn:example:other"`))
		if err == nil && request.Invalid == nil {
			t.Errorf("elements of another namespace pass for those of %s", namespace)
		}
	}
}

// rename writes a message with prefixes drawn by chance, declared on the root or
// where they are used; "" is the default namespace.
func rename(t *rapid.T, doc string) string {
	prefixes := rapid.SampledFrom([]string{"", "soap", "itk", "hl7", "a", "wsa", "SOAP-ENV", "x.1", "é"})
	decoder := xml.NewDecoder(strings.NewReader(doc))
	var out strings.Builder
	var ends []string
	for {
		token, err := decoder.Token()
		if err != nil {
			return out.String()
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			declaration := fmt.Sprintf(` xmlns="%s"`, token.Name.Space)
			prefix := prefixes.Draw(t, "prefix")
			if prefix != "" {
				name, declaration = prefix+":"+name, fmt.Sprintf(` xmlns:%s="%s"`, prefix, token.Name.Space)
			}
			out.WriteString("<" + name + declaration)
			for i, a := range token.Attr {
				switch {
				case a.Name.Space == "xmlns" || a.Name.Local == "xmlns":
				case a.Name.Space == "":
					fmt.Fprintf(&out, ` %s="%s"`, a.Name.Local, a.Value)
				default:
					fmt.Fprintf(&out, ` xmlns:n%d="%s" n%d:%s="%s"`, i, a.Name.Space, i, a.Name.Local, a.Value)
				}
			}
			out.WriteString(">")
			ends = append(ends, name)
		case xml.EndElement:
			out.WriteString("</" + ends[len(ends)-1] + ">")
			ends = ends[:len(ends)-1]
		case xml.CharData:
			if len(ends) > 0 {
				_ = xml.EscapeText(&out, token)
			}
		}
	}
}
