package itk_test

import "strings"

const (
	xsi      = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	xinclude = `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>`
	otherID  = "uuid_99999999-7142-4DAE-8F50-9283706F5E4D"
)

// other is the same payload about another child.
func other() string { return strings.ReplaceAll(systemRequest().payload, "9990000018", "9990000026") }

// secondPayload adds an item and a payload about another child with that id.
func secondPayload(id string, first bool) func(string) string {
	return func(doc string) string {
		item := `<itk:manifestitem id="` + id + `" mimetype="text/xml" profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"/>`
		payload := `<itk:payload id="` + id + `">` + other() + `</itk:payload>`
		doc = with(doc, `count="1"`, `count="2"`)
		if first {
			return with(doc, `<itk:manifestitem `, item+`<itk:manifestitem `, `<itk:payload `, payload+`<itk:payload `)
		}
		return with(doc, `</itk:manifest>`, item+`</itk:manifest>`, `</itk:payloads>`, payload+`</itk:payloads>`)
	}
}

// moved takes a part of the request away and puts it, changed, somewhere else.
func moved(part, mark string, wrap func(string) string) func(string) string {
	return func(doc string) string { return with(with(doc, part, ""), mark, wrap(part)+mark) }
}

// Messages in which things stand twice or somewhere else, as signature wrapping has
// them, and those that want something fetched.
var shapes = []attack{
	{"a second root", appended("<x/>"), "N29"},
	{"a second request", func(doc string) string { return doc + doc[strings.Index(doc, "<soap:Envelope"):] }, "N29"},
	{"text after the root", appended("9990000026"), "N29"},
	{"text before the root", prefixed("9990000026"), "N29"},
	{"white space before the declaration", prefixed(" "), "N29"},
	{"a declaration in the middle", before("<soap:Body>", `<?xml version="1.0"?>`), "N29"},
	{"a comment after the root", appended("<!-- x -->"), harmless},
	{"CDATA after the root", appended("<![CDATA[x]]>"), "N29"},
	{"an HTTP response after the root", appended("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "N29"},

	{"XInclude as a header block", before("<wsa:To>", xinclude), harmless},
	{"XInclude in a text", replaced(theUser, ">"+xinclude+"<"), "N12"},
	{"XInclude in the envelope", before("<itk:manifest ", xinclude), "N19"},
	{"XInclude in the payload", before("<queryByParameter>", xinclude), invalid},
	{"XInclude as the payload", func(doc string) string { return with(doc, systemRequest().payload, xinclude) }, "N33"},
	{"a schema to fetch", replaced("<soap:Envelope ", `<soap:Envelope`+xsi+` xsi:schemaLocation="urn:hl7-org:v3 http://attacker.example/x.xsd" `), harmless},
	{"a schema to fetch in the envelope", replaced("<itk:header ", `<itk:header`+xsi+` xsi:schemaLocation="urn:nhs-itk:ns:201005 file:///etc/passwd" `), harmless},
	{"a schema to fetch in the payload", replaced("<cP-ISNHSQuery>", `<cP-ISNHSQuery`+xsi+` xsi:noNamespaceSchemaLocation="http://attacker.example/x.xsd">`), harmless},
	{"xsi:type on the payload", replaced("<itk:payload ", `<itk:payload`+xsi+` xsi:type="itk:header" `), "N19"},
	{"xsi:nil on the header", replaced("<itk:header ", `<itk:header`+xsi+` xsi:nil="true" `), "N19"},
	{"xsi:nil on the query", replaced("<cP-ISNHSQuery>", `<cP-ISNHSQuery`+xsi+` xsi:nil="true">`), invalid},
	{"xsi:nil on the number", replaced(`<value extension`, `<value`+xsi+` xsi:nil="true" extension`), invalid},
	{"xsi:type on the author", replaced("<author>", `<author`+xsi+` xsi:type="QUPC_MT000006GB01.Author">`), invalid},
	{"a null author", replaced("<author>", `<author nullFlavor="NI">`), invalid},
	{"a base for every address", replaced("<soap:Envelope ", `<soap:Envelope xml:base="http://attacker.example/" `), harmless},
	{"an id of XML itself", replaced("<soap:Body>", `<soap:Body xml:id="body">`), "N29"},

	{"two Bodies", replaced("</soap:Body>", "</soap:Body><soap:Body/>"), "N30"},
	{"two Headers", replaced("</soap:Header>", "</soap:Header><soap:Header/>"), "N30"},
	{"two Headers, the second with the credentials", replaced("<soap:Header>", "<soap:Header/><soap:Header>"), "N30"},
	{"Header after Body", func(doc string) string {
		header := doc[strings.Index(doc, "<soap:Header>"):strings.Index(doc, "<soap:Body>")]
		return with(doc, header, "", "</soap:Body>", "</soap:Body>"+header)
	}, "N30"},
	{"an Envelope in the Body", func(doc string) string {
		envelope := doc[strings.Index(doc, "<soap:Envelope"):]
		return with(doc, systemRequest().envelope(), envelope)
	}, "N30"},
	{"an Envelope around the Envelope", func(doc string) string {
		return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">` + doc[strings.Index(doc, "<soap:Envelope"):] + `</soap:Envelope>`
	}, "N30"},
	{"a Body in the Header", before("<wsa:To>", "<soap:Body>"+other()+"</soap:Body>"), harmless},
	{"another envelope in the Header", before("<wsa:To>", `<itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005"/>`), harmless},
	{"another query in the Header", before("<wsa:To>", other()), harmless},
	{"another query in a signature", replaced("</wsse:Security>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Object>`+other()+`</ds:Object></ds:Signature></wsse:Security>`), harmless},
	{"another query beside the envelope", replaced("</soap:Body>", other()+"</soap:Body>"), "N30"},
	{"the envelope moved to the Header", func(doc string) string {
		return moved(systemRequest().envelope(), "<wsa:To>", func(s string) string { return s })(doc)
	}, "N30"},
	{"the envelope moved into a wrapper in the Body", func(doc string) string {
		envelope := systemRequest().envelope()
		return with(doc, envelope, "<wrapper>"+envelope+"</wrapper>")
	}, "N30"},
	{"the payload moved to the Header", func(doc string) string {
		return moved(systemRequest().payload, "<wsa:To>", func(s string) string { return s })(doc)
	}, "N19"},
	{"a second payload after the first", secondPayload(otherID, false), "N31"},
	{"a second payload before the first", secondPayload(otherID, true), "N31"},
	{"a second payload of the same id", secondPayload(payloadID, false), "N24"},
	{"a second payload that no item names", func(doc string) string {
		return with(doc, `</itk:payloads>`, `<itk:payload id="`+otherID+`">`+other()+`</itk:payload></itk:payloads>`)
	}, "N5"},
	{"a second query in the payload", func(doc string) string {
		return with(doc, systemRequest().payload, systemRequest().payload+other())
	}, "N19"},
	{"a second query in the query", replaced("</cP-ISNHSQuery>", "</cP-ISNHSQuery><cP-ISNHSQuery/>"), invalid},
	{"a payload in the payload", func(doc string) string {
		return with(doc, systemRequest().payload, `<itk:payload id="x">`+systemRequest().payload+`</itk:payload>`)
	}, "N33"},
	{"a second header of the envelope", replaced("</itk:header>", `</itk:header><itk:header service="x"/>`), "N19"},
	{"a second manifest", replaced("</itk:manifest>", `</itk:manifest><itk:manifest count="1"/>`), "N19"},
	{"a second Security", replaced("</wsse:Security>", "</wsse:Security><wsse:Security/>"), "N9"},
	{"a second Timestamp", replaced("</wsu:Timestamp>", "</wsu:Timestamp><wsu:Timestamp/>"), "N9"},
	{"a second user name", replaced("<wsse:Username>", "<wsse:Username>root</wsse:Username><wsse:Username>"), "N12"},
	{"a second UsernameToken", replaced("<wsse:UsernameToken>", "<wsse:UsernameToken><wsse:Username>root</wsse:Username></wsse:UsernameToken><wsse:UsernameToken>"), "N12"},
	{"a second To", replaced("<wsa:To>", "<wsa:To>https://attacker.example</wsa:To><wsa:To>"), "N20"},
	{"a second Action", replaced("<wsa:Action>", "<wsa:Action>urn:x</wsa:Action><wsa:Action>"), "N15"},
	{"one id on two elements", replaced("<soap:Body>", `<soap:Body wsu:Id="`+stampID+`">`), harmless},
	{"a password", replaced("</wsse:Username>", `</wsse:Username><wsse:Password>x</wsse:Password>`), harmless},

	{"line ends of Windows", func(doc string) string { return strings.ReplaceAll(doc, "><", ">\r\n<") }, harmless},
	{"line ends of old Macs", func(doc string) string { return strings.ReplaceAll(doc, "><", ">\r<") }, harmless},
	{"line ends of every kind", func(doc string) string { return strings.ReplaceAll(doc, "><", ">\r\r\n\n\t<") }, harmless},
	{"next line between elements", func(doc string) string { return with(doc, "<itk:manifest ", "\u0085<itk:manifest ") }, "N19"},
	{"a line end by reference between elements", func(doc string) string { return with(doc, "<itk:manifest ", "&#10;<itk:manifest ") }, harmless},
	{"a carriage return in a text", replaced(theUser, ">\r\nhazelbrook-ed\r<"), harmless},
}
