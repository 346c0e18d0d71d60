package ebxml_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// WRD-SPN-09: MIME as the Spine and those who speak with it are known to write it.
func TestMIMEThatIsRead(t *testing.T) {
	replace := func(old, with string) string {
		changed := strings.ReplaceAll(reply(), old, with)
		if changed == reply() {
			panic("the test changes nothing: " + old)
		}
		return changed
	}
	head, tail := envelopeFields+"\r\n"+envelope(businessHeader, manifest), documentFields+"\r\n"+document
	encoded := base64.StdEncoding.EncodeToString([]byte(document))
	in := func(encoding, content string) string {
		return multipart(head, strings.Replace(documentFields, "8bit", encoding, 1)+"\r\n"+content)
	}
	tests := []struct{ name, contentType, body string }{
		{"as it is", multipartType, reply()},
		{"line ends of one byte", multipartType, strings.ReplaceAll(reply(), "\r\n", "\n")},
		{"line ends between", multipartType, replace("\r\n----", "\r\n\n----")},
		{"line ends before", multipartType, "\r\n\r\n" + reply()},
		{"nothing after the end", multipartType, strings.TrimSuffix(reply(), "\r\n")},
		{"blanks after delimiters", multipartType, replace("_MIME-Boundary\r\n", "_MIME-Boundary \t\r\n")},
		{"line ends after the end", multipartType, reply() + "\r\n\r\n"},
		{"fields in lower case", multipartType, replace("Content-", "content-")},
		{"fields in capitals", multipartType, replace("Content-Transfer-Encoding: 8bit", "CONTENT-TRANSFER-ENCODING: 8BIT")},
		{"fields without blanks", multipartType, replace(": ", ":")},
		{"other fields", multipartType, replace("Content-Id", "Content-Disposition: attachment\r\nContent-Id")},
		{"a folded field", multipartType, replace("; charset", ";\r\n\tcharset")},
		{"without charset", multipartType, replace("; charset=UTF-8", "")},
		{"a charset in quotation marks", multipartType, replace("charset=UTF-8", `charset="utf-8"`)},
		{"another part of UTF-8", multipartType, replace("charset=UTF-8", "charset=us-ascii")},
		{"a document of text/xml", multipartType, replace("application/xml", "text/xml")},
		{"a media type in capitals", multipartType, replace("application/xml", "application/XML")},
		{"without transfer encoding", multipartType, replace("Content-Transfer-Encoding: 8bit\r\n", "")},
		{"7bit", multipartType, in("7bit", document)},
		{"binary", multipartType, in("binary", document)},
		{"base64", multipartType, in("base64", encoded)},
		{"base64 in lines", multipartType, in("BASE64", encoded[:76]+"\r\n"+encoded[76:]+"\r\n")},
		{"ids in another case", multipartType, replace("Content-Id: <"+answerID, "Content-Id: <"+strings.ToLower(answerID))},
		{"ids without brackets", multipartType, replace("<"+answerID+"@spine.nhs.uk>", answerID+"@spine.nhs.uk")},

		{"without start", `multipart/related; boundary="--=_MIME-Boundary"; type="text/xml"`, reply()},
		{"without type", `multipart/related; boundary="--=_MIME-Boundary"`, reply()},
		{"start names the second part", multipartType, multipart(tail, head)},
		{"without an id of the envelope", `multipart/related; boundary="--=_MIME-Boundary"`, replace("Content-Id: <ebXMLHeader@spine.nhs.uk>\r\n", "")},
		{"values without quotation marks", `multipart/related; boundary="--=_MIME-Boundary"; type=text/xml; start=ebXMLHeader@spine.nhs.uk`, reply()},
		{"no value in quotation marks", `multipart/related; boundary=--=_MIME-Boundary; type=text/xml; start=<ebXMLHeader@spine.nhs.uk>;`, reply()},
		{"blanks around everything", "Multipart/Related ; BOUNDARY = \"--=_MIME-Boundary\" ;\ttype =\"text/xml\"; start= \"<ebXMLHeader@spine.nhs.uk>\" ; x=y", reply()},
		{"the shortest boundary", `multipart/related; boundary=~`, strings.ReplaceAll(reply(), "----=_MIME-Boundary", "--~")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ebxml.Read(test.contentType, test.body, limits)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			got.Payload = strings.TrimRight(got.Payload, "\r\n")
			if diff := cmp.Diff(business(), got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// WRD-SPN-12, WRD-SEC-01, WRD-SEC-05: MIME that two readers could read in two ways,
// that is not whole, or that is larger than it needs to be, is refused.
func TestMIMEThatIsRefused(t *testing.T) {
	const (
		contentType = "the Content-Type is malformed"
		notXML      = "the media type is not that of XML in UTF-8"
		delimiters  = "the multipart body is not made of parts between whole delimiters"
		parts       = "the multipart body has more parts than an envelope and one document"
		fields      = "the header of a part is malformed or too large"
		encoding    = "a part has a transfer encoding that is not known, or does not keep to it"
		start       = "the start parameter names no part, or not one part only"
		apart       = "the Manifest and the document do not belong together"
	)
	head, tail := envelopeFields+"\r\n"+envelope(businessHeader, manifest), documentFields+"\r\n"+document
	typed := func(parameters string) string { return "multipart/related; " + parameters }
	replace := func(old, with string) string { return strings.ReplaceAll(reply(), old, with) }
	tests := []struct{ name, contentType, body, want string }{
		{"no Content-Type", "", reply(), notXML},
		{"HTML", "text/html", "<html/>", notXML},
		{"multipart/mixed", strings.Replace(multipartType, "related", "mixed", 1), reply(), notXML},
		{"a root of another type", strings.Replace(multipartType, "text/xml", "text/plain", 1), reply(), notXML},
		{"an envelope of another charset", "text/xml; charset=utf-16", envelope(takenHeader, ""), notXML},
		{"a part of another charset", multipartType, replace("UTF-8", "ISO-8859-1"), notXML},
		{"a document of another type", multipartType, replace("application/xml", "application/octet-stream"), notXML},
		{"an envelope of another type", multipartType, replace("text/xml; charset", "text/html; charset"), notXML},
		{"a part without a type", multipartType, replace("Content-Type: application/xml; charset=UTF-8\r\n", ""), notXML},
		{"a part without a header", multipartType, multipart(head, "\r\n"+document), notXML},
		{"a huge Content-Type", multipartType + "; x=" + strings.Repeat("x", 1024), reply(), contentType},
		{"no boundary", typed(`type="text/xml"`), reply(), contentType},
		{"an empty boundary", typed(`boundary=""`), reply(), contentType},
		{"a long boundary", typed("boundary=" + strings.Repeat("x", 71)), reply(), contentType},
		{"a boundary of two words", typed(`boundary="a b"`), reply(), contentType},
		{"two boundaries", multipartType + "; boundary=x", reply(), contentType},
		{"two boundaries in another case", multipartType + "; Boundary=x", reply(), contentType},
		{"a boundary without its end", typed(`boundary="x`), reply(), contentType},
		{"something after a value", typed(`boundary="x"y`), reply(), contentType},
		{"an escaped value", typed(`boundary="\x"`), reply(), contentType},
		{"a parameter without value", typed("boundary=x; y"), reply(), contentType},
		{"a parameter without name", typed("boundary=x; =y"), reply(), contentType},
		{"too many parameters", typed("a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;p=1;q=1"), reply(), contentType},

		{"no delimiter", multipartType, "x", delimiters},
		{"nothing", multipartType, "", delimiters},
		{"text before", multipartType, "x\r\n" + reply(), delimiters},
		{"a delimiter within the first line", multipartType, " " + reply(), delimiters},
		{"text after", multipartType, reply() + "x", delimiters},
		{"a message after it", multipartType, reply() + reply(), delimiters},
		{"text after a delimiter", multipartType, replace("_MIME-Boundary\r\n", "_MIME-Boundaryx\r\n"), delimiters},
		{"text after the last delimiter", multipartType, strings.TrimSuffix(reply(), "\r\n") + "x", delimiters},
		{"a delimiter within a line", multipartType, replace("</hl7:", "----=_MIME-Boundary</hl7:"), delimiters},
		{"a delimiter after a carriage return", multipartType, replace("\r\n----=_MIME-Boundary\r\nContent-Id: <"+answerID, "\r----=_MIME-Boundary\r\nContent-Id: <"+answerID), delimiters},
		{"carriage returns as line ends", multipartType, strings.ReplaceAll(reply(), "\r\n", "\r"), delimiters},
		{"no parts", multipartType, "----=_MIME-Boundary--\r\n", delimiters},
		{"no last delimiter", multipartType, strings.TrimSuffix(reply(), "----=_MIME-Boundary--\r\n"), delimiters},
		{"three parts", multipartType, multipart(head, tail, tail), parts},
		{"a thousand parts", multipartType, multipart(strings.Split(strings.Repeat("x,", 1000), ",")...), fields},
		{"a document that is another message", multipartType, multipart(head, tail, strings.Replace(tail, answerID, askedID, 1)), parts},
		{"an empty part", multipartType, multipart(head, ""), fields},

		{"a header without end", multipartType, multipart(head, documentFields+document), fields},
		{"a huge header", multipartType, multipart(head, "X: "+strings.Repeat("x", 4096)+"\r\n"+tail), fields},
		{"many fields", multipartType, multipart(head, manyFields(14)+tail), fields},
		{"many lines of one field", multipartType, multipart(head, "X: x"+strings.Repeat("\r\n x", 16)+"\r\n"+tail), fields},
		{"a line that is no field", multipartType, multipart(head, "x\r\n"+tail), fields},
		{"a field without name", multipartType, multipart(head, ": x\r\n"+tail), fields},
		{"a blank before the colon", multipartType, replace("Content-Id:", "Content-Id :"), fields},
		{"a field that begins with a blank", multipartType, multipart(head, " "+tail), fields},
		{"two ids", multipartType, multipart(head, "Content-ID: <x>\r\n"+tail), fields},
		{"two transfer encodings", multipartType, multipart(head, "content-transfer-encoding: base64\r\n"+tail), fields},
		{"two types", multipartType, multipart(head, "Content-Type: text/xml\r\n"+tail), fields},
		{"an id of two words", multipartType, replace("Content-Id: <"+answerID, "Content-Id: <a b"), fields},
		{"an empty id", multipartType, replace("Content-Id: <"+answerID+"@spine.nhs.uk>", "Content-Id:"), fields},

		{"another transfer encoding", multipartType, replace("8bit", "x-gzip"), encoding},
		{"quoted-printable", multipartType, replace("8bit", "quoted-printable"), encoding},
		{"base64 that is none", multipartType, replace("8bit", "base64"), encoding},
		{"base64 that two texts stand for", multipartType, multipart(head, strings.Replace(documentFields, "8bit", "base64", 1)+"\r\nPGEvPh=="), encoding},
		{"base64 with text after its end", multipartType, multipart(head, strings.Replace(documentFields, "8bit", "base64", 1)+"\r\nPGEvPg==PGEvPg=="), encoding},

		{"start of no part", strings.Replace(multipartType, "ebXMLHeader", "other", 1), reply(), start},
		{"start of the only part, which is another", strings.Replace(multipartType, "ebXMLHeader", "other", 1), multipart(head), start},
		{"start of both parts", multipartType, strings.ReplaceAll(reply(), answerID+"@spine.nhs.uk>", "ebXMLHeader@spine.nhs.uk>"), start},
		{"start of the document", strings.Replace(multipartType, "ebXMLHeader", answerID, 1), reply(), "the envelope is not a SOAP envelope"},
		{"parts in the other order", `multipart/related; boundary="--=_MIME-Boundary"`, multipart(tail, head), "the envelope is not a SOAP envelope"},
		{"a document without id", multipartType, replace("Content-Id: <"+answerID+"@spine.nhs.uk>\r\n", ""), apart},
		{"a document of another id", multipartType, replace("Content-Id: <"+answerID, "Content-Id: <"+askedID), apart},
		{"an empty document", multipartType, multipart(head, documentFields+"\r\n"), "the document is empty"},
		{"a blank document", multipartType, multipart(head, documentFields+"\r\n \r\n"), "the document is empty"},
		{"a document that decodes to nothing", multipartType, multipart(head, strings.Replace(documentFields, "8bit", "base64", 1)+"\r\n\r\n"), "the document is empty"},
		{"larger than allowed", multipartType, reply() + strings.Repeat(" ", limits.Bytes), "the message is larger than allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refused(t, test.contentType, test.body, test.want) })
	}
}

func manyFields(n int) string {
	var fields strings.Builder
	for i := range n {
		fields.WriteString("X-" + strings.Repeat("x", i) + ": x\r\n")
	}
	return fields.String()
}
