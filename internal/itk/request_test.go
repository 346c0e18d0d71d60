package itk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

var sameNumbers = cmpopts.EquateComparable(cpis.NHSNumber{})

func number(digits string) cpis.NHSNumber {
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		panic("a test uses a malformed NHS number")
	}
	return n
}

func nadia() cpis.Person {
	return cpis.Person{
		Role:        cpis.Coded{Code: "R8003", System: "1.2.826.0.1285.0.2.1.104", Display: "Nurse"},
		IDs:         []cpis.Identifier{{Root: cpis.OIDUserID, Extension: "999000111222"}, {Root: cpis.OIDRoleProfile, Extension: "999000111333"}},
		Name:        cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "prefix", Text: "Ms"}, {Kind: "given", Text: "Nadia"}, {Kind: "family", Text: "Quill"}}},
		Represented: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
	}
}

func hazelbrook() cpis.System {
	return cpis.System{
		ASID: "999000444555",
		Authorities: []cpis.IndirectAuthority{{
			Role: cpis.Coded{Code: "R0580", System: "1.2.826.0.1285.0.2.1.104", Display: "Nurse Manager"},
			Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "prefix", Text: "Mr"}, {Kind: "given", Text: "Idris"}, {Kind: "family", Text: "Thorne"}}},
		}},
		Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
	}
}

func queryBy(author cpis.Author) cpis.Query {
	return cpis.Query{
		ID:     eventID,
		Time:   cpis.Moment{Written: "20260314092653+0000", Time: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), Precision: cpis.ToSecond},
		Author: author,
		Number: number("9990000018"),
	}
}

func mustAccept(t *testing.T, doc string) itk.Request {
	t.Helper()
	request, err := read(doc)
	if err != nil {
		t.Fatalf("refused: %v\n%s", err, doc)
	}
	if request.Invalid != nil {
		t.Fatalf("the payload is refused: %v\n%s", request.Invalid, doc)
	}
	return request
}

func TestRequestIsRead(t *testing.T) { // WRD-MSG-01 to 05
	want := itk.Request{
		MessageID: messageID, MessageUUID: messageID, TrackingID: trackingID, Username: "hazelbrook-ed", Sender: "urn:nhs-uk:addressing:ods:RZZ99",
		Expires:         time.Date(2026, 3, 14, 9, 36, 53, 0, time.UTC),
		AuditIdentities: []cpis.AuditIdentity{{URI: "urn:nhs-uk:identity:ods:RZZ99:triage-7"}},
		Query:           queryBy(hazelbrook()),
	}
	if diff := cmp.Diff(want, mustAccept(t, systemRequest().String()), sameNumbers); diff != "" {
		t.Errorf("system (-want +got):\n%s", diff)
	}
	want.Query = queryBy(nadia())
	want.AuditIdentities = []cpis.AuditIdentity{
		{Type: "2.16.840.1.113883.2.1.3.2.4.18.27", URI: "urn:nhs-uk:identity:ods:RZZ99:n.quill"},
		{Type: "1.2.826.0.1285.0.2.0.65", URI: "999000111222"},
		{Type: "1.2.826.0.1285.0.2.0.67", URI: "999000111333"},
	}
	if diff := cmp.Diff(want, mustAccept(t, personRequest().String()), sameNumbers); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
}

// refusal is a message that is answered by a fault: how to write it, the fault
// code, the code of ToolkitErrorInfo, and the rule that the log names.
type refusal struct {
	name   string
	change func(*parts)            // of the parts,
	doc    func(string) string     // of the text,
	expect func(*itk.Expectations) // or of what the server expects
	code   itk.FaultCode
	error  int
	rule   string
}

func replaced(oldnew ...string) func(string) string {
	return func(doc string) string { return with(doc, oldnew...) }
}

const (
	mustUnderstand = ` soap:mustUnderstand="1"`
	wsseAttr       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

// The negative-test matrix of itk.md section 9, as far as these packages decide.
var refusals = []refusal{
	{name: "N1 SOAP 1.2", doc: replaced("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), code: itk.VersionMismatch, error: 1000, rule: "N1"},
	{name: "N1 root without namespace", doc: func(string) string { return "<Envelope/>" }, code: itk.VersionMismatch, error: 1000, rule: "N1"},
	{name: "N1 root is another element of SOAP", doc: replaced("soap:Envelope", "soap:Body2"), code: itk.VersionMismatch, error: 1000, rule: "N1"},
	{name: "N1 bare payload", doc: func(string) string { return systemRequest().payload }, code: itk.VersionMismatch, error: 1000, rule: "N1"},

	{name: "N2 foreign header", change: func(p *parts) { p.extraHeaders = `<x:L xmlns:x="urn:example:local"` + mustUnderstand + `/>` }, code: itk.MustUnderstand, error: 1000, rule: "N2"},
	{name: "N2 foreign header, as true", change: func(p *parts) { p.extraHeaders = `<x:L xmlns:x="urn:example:local" soap:mustUnderstand="true"/>` }, code: itk.MustUnderstand, error: 1000, rule: "N2"},
	{name: "N2 the other edition of addressing", change: func(p *parts) {
		p.extraHeaders = `<a:To xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` + mustUnderstand + `>x</a:To>`
	}, code: itk.MustUnderstand, error: 1000, rule: "N2"},
	{name: "N2 header without namespace", change: func(p *parts) { p.extraHeaders = `<L` + mustUnderstand + `/>` }, code: itk.MustUnderstand, error: 1000, rule: "N2"},

	{name: "N3 no payload with the id of the item", change: func(p *parts) { p.payloadID = "uuid_99999999-7142-4DAE-8F50-9283706F5E4D" }, code: itk.Client, error: 1000, rule: "N3"},
	{name: "N3 no manifest item", change: func(p *parts) { p.manifest = `<itk:manifest count="0"/>` }, code: itk.Client, error: 1000, rule: "N3"},
	{name: "N3 no manifest", change: func(p *parts) { p.manifest = `` }, code: itk.Client, error: 1000, rule: "N3"},
	{name: "N4 manifest count", doc: replaced(`manifest count="1"`, `manifest count="2"`), code: itk.Client, error: 1000, rule: "N4"},
	{name: "N4 manifest count missing", doc: replaced(`manifest count="1"`, `manifest`), code: itk.Client, error: 1000, rule: "N4"},
	{name: "N4 manifest count no number", doc: replaced(`manifest count="1"`, `manifest count="one"`), code: itk.Client, error: 1000, rule: "N4"},
	{name: "N5 payloads count", change: func(p *parts) { p.payloadsCount = "2" }, code: itk.Client, error: 1000, rule: "N5"},
	{name: "N5 payloads count missing", doc: replaced(`payloads count="1"`, `payloads`), code: itk.Client, error: 1000, rule: "N5"},
	{name: "N6 counts differ", doc: replaced(`payloads count="1"`, `payloads count="2"`, `</itk:payloads>`, `<itk:payload id="uuid_99999999-7142-4DAE-8F50-9283706F5E4D"/></itk:payloads>`), code: itk.Client, error: 1000, rule: "N6"},
	{name: "N7 payload without id", doc: replaced(`<itk:payload id="`+payloadID+`">`, `<itk:payload>`), code: itk.Client, error: 1000, rule: "N7"},
	{name: "N7 payload with an empty id", change: func(p *parts) { p.payloadID = "" }, code: itk.Client, error: 1000, rule: "N7"},

	{name: "N8 Created malformed", doc: replaced("2026-03-14T09:26:53Z", "14/03/2026 09:26"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 Expires malformed", doc: replaced("2026-03-14T09:36:53Z", "never"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 hour of one digit", doc: replaced("2026-03-14T09:26:53Z", "2026-03-14T9:26:53Z"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 date only", doc: replaced("2026-03-14T09:26:53Z", "2026-03-14"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 space instead of T", doc: replaced("2026-03-14T09:26:53Z", "2026-03-14 09:26:53Z"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 comma fraction", doc: replaced("2026-03-14T09:26:53Z", "2026-03-14T09:26:53,5Z"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 no such day", doc: replaced("2026-03-14T09:26:53Z", "2026-02-30T09:26:53Z"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 Created missing", doc: replaced("<wsu:Created>2026-03-14T09:26:53Z</wsu:Created>", ""), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 Expires missing", doc: replaced("<wsu:Expires>2026-03-14T09:36:53Z</wsu:Expires>", ""), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 Created empty", doc: replaced("2026-03-14T09:26:53Z", ""), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 two Created", doc: replaced("</wsu:Created>", "</wsu:Created><wsu:Created>2026-03-14T09:26:53Z</wsu:Created>"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N8 split Expires", doc: replaced("2026-03-14T09:36", "2026-03-14T09:<!-- -->36"), code: itk.Client, error: 1000, rule: "N8"},
	{name: "N9 Security missing", change: func(p *parts) { p.security = "" }, code: itk.Client, error: 1000, rule: "N9"},
	{name: "N9 Timestamp missing", change: func(p *parts) {
		p.security = `<wsse:Security><wsse:UsernameToken><wsse:Username>hazelbrook-ed</wsse:Username></wsse:UsernameToken></wsse:Security>`
	}, code: itk.Client, error: 1000, rule: "N9"},
	{name: "N9 two Timestamps", doc: replaced("</wsu:Timestamp>", "</wsu:Timestamp><wsu:Timestamp/>"), code: itk.Client, error: 1000, rule: "N9"},
	{name: "N9 two Security headers", doc: replaced("</wsse:Security>", "</wsse:Security><wsse:Security/>"), code: itk.Client, error: 1000, rule: "N9"},
	{name: "N9 no Header at all", doc: func(doc string) string {
		return doc[:strings.Index(doc, "<soap:Header>")] + doc[strings.Index(doc, "<soap:Body>"):]
	}, code: itk.Client, error: 1000, rule: "N23"},

	{name: "N10 expired", expect: func(x *itk.Expectations) { x.Now = now.Add(time.Hour) }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 expires this instant, no tolerance", expect: func(x *itk.Expectations) { x.Now, x.Skew = time.Date(2026, 3, 14, 9, 36, 53, 0, time.UTC), 0 }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 expired by the whole tolerance", expect: func(x *itk.Expectations) { x.Now = time.Date(2026, 3, 14, 9, 36, 58, 0, time.UTC) }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 created in the future", expect: func(x *itk.Expectations) { x.Now = now.Add(-time.Hour) }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 created this instant, no tolerance", expect: func(x *itk.Expectations) { x.Now, x.Skew = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), 0 }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 created later than the whole tolerance", expect: func(x *itk.Expectations) { x.Now = time.Date(2026, 3, 14, 9, 26, 48, 0, time.UTC) }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 created after it expires", doc: replaced("09:26:53Z", "09:26:59Z", "09:36:53Z", "09:26:58Z"), code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 created when it expires", doc: replaced("09:26:53Z", "09:27:01Z", "09:36:53Z", "09:27:01Z"), code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 expires by its own zone", doc: replaced("09:36:53Z", "10:26:54+01:00"), expect: func(x *itk.Expectations) { x.Skew = 0 }, code: itk.Client, error: 1000, rule: "N10"},
	{name: "N10 lives too long", expect: func(x *itk.Expectations) { x.MaxLifetime = 10*time.Minute - time.Second }, code: itk.Client, error: 1000, rule: "N10"},

	{name: "N11 blank attribute in the header", change: func(p *parts) { p.extraHeaders = `<x:L xmlns:x="urn:example:local" a=""/>` }, code: itk.Client, error: 1000, rule: "N11"},
	{name: "N11 blank attribute in the envelope", doc: replaced(`<itk:address uri`, `<itk:address type="" uri`), code: itk.Client, error: 1000, rule: "N11"},
	{name: "N11 blank attribute in the payload", doc: replaced(`<name>Hazelbrook`, `<name use=" ">Hazelbrook`), code: itk.Client, error: 1000, rule: "N11"},
	{name: "N11 blank NHS number", doc: replaced("9990000018", ""), code: itk.Client, error: 1000, rule: "N11"},
	{name: "N11 blank attribute on the root", doc: replaced(`<soap:Envelope`, `<soap:Envelope soap:encodingStyle=""`), code: itk.Client, error: 1000, rule: "N11"},

	{name: "N12 user name missing", doc: replaced(`<wsse:Username>hazelbrook-ed</wsse:Username>`, ``), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N12 token missing", doc: replaced(`<wsse:UsernameToken><wsse:Username>hazelbrook-ed</wsse:Username></wsse:UsernameToken>`, ``), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N12 user name empty", doc: replaced(`hazelbrook-ed`, ` `), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N12 two user names", doc: replaced(`</wsse:Username>`, `</wsse:Username><wsse:Username>hazelbrook-ed</wsse:Username>`), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N12 two tokens", doc: replaced(`</wsse:UsernameToken>`, `</wsse:UsernameToken><wsse:UsernameToken><wsse:Username>other</wsse:Username></wsse:UsernameToken>`), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N12 user name split by a comment", doc: replaced(`hazelbrook-ed`, `hazelbrook<!-- -->-ed`), code: itk.Client, error: 3000, rule: "N12"},
	{name: "N13 user name unknown", doc: replaced(`hazelbrook-ed`, `hazelbrook-ward7`), code: itk.Client, error: 3000, rule: "N13"},
	{name: "N13 user name in another case", doc: replaced(`hazelbrook-ed`, `Hazelbrook-ED`), code: itk.Client, error: 3000, rule: "N13"},
	{name: "N14 user name of no use to this client", expect: func(x *itk.Expectations) { x.Usernames = nil }, code: itk.Client, error: 3000, rule: "N13"},

	{name: "N15 service is not the Action", change: func(p *parts) { p.service += "2" }, code: itk.Client, error: 1000, rule: "N15"},
	{name: "N15 Action is not the service", doc: replaced(`sendRecvDistEnvelope</wsa:Action>`, `sendRecvDistEnvelopeResponse</wsa:Action>`), code: itk.Client, error: 1000, rule: "N15"},
	{name: "N15 Action missing", change: func(p *parts) { p.action = "" }, code: itk.Client, error: 1000, rule: "N15"},
	{name: "N15 two Actions", change: func(p *parts) { p.action += p.action }, code: itk.Client, error: 1000, rule: "N15"},
	{name: "N16 Action of another service", doc: replaced(`sendRecvDistEnvelope`, `getPatientDetails`), code: itk.Client, error: 1000, rule: "N16"},

	{name: "N17 profile missing", doc: replaced(` profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"`, ``), code: itk.Client, error: 1000, rule: "N17"},
	{name: "N17 profile empty", doc: replaced(`urn:nhs-en:profile:CP-ISNHSQuery-v1-0`, ``), code: itk.Client, error: 1000, rule: "N11"},
	{name: "N17 profile unknown", doc: replaced(`profile:CP-ISNHSQuery-v1-0`, `profile:CP-ISNHSQuery-v3-0`), code: itk.Client, error: 1000, rule: "N17"},
	{name: "N17 profile of another message", doc: replaced(`profile:CP-ISNHSQuery-v1-0`, `profile:SMSP-CP-ISNHSQueryResponse-v1-0`), code: itk.Client, error: 1000, rule: "N17"},

	{name: "N18 audit identity missing", change: func(p *parts) { p.audit = "" }, code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 of another organisation", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:ods:RYY98:triage-7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 of an organisation whose code begins alike", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:ods:RZZ991:triage-7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 one of two is of another organisation", doc: replaced(`</itk:auditIdentity>`, `<itk:id uri="urn:nhs-uk:identity:ods:RYY98"/></itk:auditIdentity>`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.2 another prefix", doc: replaced(`urn:nhs-uk:identity:ods:RZZ99:triage-7`, `urn:nhs-uk:addressing:ods:RZZ99`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.3 one token", doc: replaced(`urn:nhs-uk:identity:ods:RZZ99:triage-7`, `urn:nhs-uk:identity:ods`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.3 empty token", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:ods:RZZ99:`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.4 another authority", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:gmc:RZZ99:triage-7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.1 no URI", doc: replaced(`RZZ99:triage-7`, `RZZ99:triage 7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.1 percent sign without digits", doc: replaced(`RZZ99:triage-7`, `RZZ99:triage%7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.1 two fragments", doc: replaced(`RZZ99:triage-7`, `RZZ99:triage#7#`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.1 brackets", doc: replaced(`RZZ99:triage-7`, `RZZ99:triage[7]`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.7 user id without type", doc: replaced(`urn:nhs-uk:identity:ods:RZZ99:triage-7`, `999000111222`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.7 toolkit identity with another type", doc: replaced(`<itk:id uri=`, `<itk:id type="1.2.826.0.1285.0.2.0.65" uri=`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-04.7 type that is no OID", doc: replaced(`</itk:auditIdentity>`, `<itk:id type="userid" uri="999000111222"/></itk:auditIdentity>`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "COR-DEH-03 user ids only", doc: replaced(`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/>`, `<itk:id type="1.2.826.0.1285.0.2.0.65" uri="999000111222"/>`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 ASID of another system", doc: replaced(`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/>`, `<itk:id type="1.2.826.0.1285.0.2.0.107" uri="999000444556"/>`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 ASID of a client that has none", doc: replaced(`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/>`, `<itk:id type="1.2.826.0.1285.0.2.0.107" uri="999000444555"/>`), expect: func(x *itk.Expectations) { x.ASID = "" }, code: itk.Client, error: 1000, rule: "N18"},

	{name: "N18 reference in an identity (WRD-VAL-20)", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:ods:RZZ99:triage&#45;7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 entity in an identity (WRD-VAL-20)", doc: replaced(`identity:ods:RZZ99:triage-7`, `identity:ods:RZZ99:triage&amp;7`), code: itk.Client, error: 1000, rule: "N18"},
	{name: "N18 reference in the type of an identity (WRD-VAL-20)", doc: replaced(`<itk:id uri=`, `<itk:id type="&#50;.16.840.1.113883.2.1.3.2.4.18.27" uri=`), code: itk.Client, error: 1000, rule: "N18"},

	{name: "N19 a header that says it is nothing", doc: replaced(`<itk:header `, `<itk:header xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 another type", doc: replaced(`<itk:payload `, `<itk:payload xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="itk:manifestType" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 foreign element in the header", change: func(p *parts) { p.addresslist += `<x/>` }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 lower-case tracking id", change: func(p *parts) { p.trackingID = strings.ToLower(trackingID) }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 tracking id with a prefix", change: func(p *parts) { p.trackingID = "uuid_" + trackingID }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 tracking id missing", doc: replaced(` trackingid="`+trackingID+`"`, ``), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 tracking id with a reference", change: func(p *parts) { p.trackingID = "&#50;" + trackingID[1:] }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 attribute on the envelope", doc: replaced(`<itk:DistributionEnvelope `, `<itk:DistributionEnvelope a="1" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 attribute on the header", doc: replaced(`<itk:header `, `<itk:header a="1" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 attribute on the payloads", doc: replaced(`<itk:payloads `, `<itk:payloads a="1" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 attribute on the payload", doc: replaced(`<itk:payload `, `<itk:payload a="1" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 attribute on the addresslist", doc: replaced(`<itk:addresslist`, `<itk:addresslist a="1"`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 foreign attribute on the manifest item", doc: replaced(`<itk:manifestitem `, `<itk:manifestitem a="1" `), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 order of the header", change: func(p *parts) { p.addresslist, p.audit = p.audit, p.addresslist }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 sender before manifest", change: func(p *parts) { p.sender, p.manifest = p.manifest, p.sender }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 two senders", change: func(p *parts) { p.sender += p.sender }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 two headers", doc: replaced(`</itk:header>`, `</itk:header><itk:header/>`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 something after the payloads", doc: replaced(`</itk:payloads>`, `</itk:payloads><itk:more/>`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 text in the envelope", doc: replaced(`<itk:payloads`, `x<itk:payloads`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 empty addresslist", change: func(p *parts) { p.addresslist = `<itk:addresslist/>` }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 address without uri", doc: replaced(`<itk:address uri="urn:nhs-uk:addressing:ods:Y99"/>`, `<itk:address/>`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 address with content", doc: replaced(`<itk:address uri="urn:nhs-uk:addressing:ods:Y99"/>`, `<itk:address uri="urn:nhs-uk:addressing:ods:Y99">x</itk:address>`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 empty audit identity", change: func(p *parts) { p.audit = `<itk:auditIdentity/>` }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 five audit identities", change: func(p *parts) {
		p.audit = `<itk:auditIdentity>` + strings.Repeat(`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99"/>`, 5) + `</itk:auditIdentity>`
	}, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 no spec", change: func(p *parts) { p.handling = `<itk:handlingSpecification/>` }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 spec without value", doc: replaced(` value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"`, ``), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 flag that is no truth value", doc: replaced(`mimetype=`, `base64="no" mimetype=`), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 id that is no name", doc: replaced(payloadID, "30BD8E6F-7142-4DAE-8F50-9283706F5E4D"), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 no mimetype", doc: replaced(` mimetype="text/xml"`, ``), code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 empty payload", change: func(p *parts) { p.payload = "" }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 two elements in the payload", change: func(p *parts) { p.payload += `<x/>` }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 text in the payload", change: func(p *parts) { p.payload = "x" + p.payload }, code: itk.Client, error: 1000, rule: "N19"},
	{name: "N19 payload in a CDATA section", change: func(p *parts) { p.payload = "<![CDATA[" + p.payload + "]]>" }, code: itk.Client, error: 1000, rule: "N19"},

	{name: "N20 To missing", change: func(p *parts) { p.to = "" }, code: itk.Client, error: 1000, rule: "N20"},
	{name: "N20 To empty", doc: replaced(ours, ``), code: itk.Client, error: 1000, rule: "N20"},
	{name: "N20 two To", change: func(p *parts) { p.to += p.to }, code: itk.Client, error: 1000, rule: "N20"},
	{name: "N21 another host", doc: replaced(ours, `https://smsp.other.example/smsp/cpis`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 another scheme", doc: replaced(ours, `http://smsp.ward.example/smsp/cpis`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 another port", doc: replaced(ours, `https://smsp.ward.example:8443/smsp/cpis`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 another path", doc: replaced(ours, `https://smsp.ward.example/smsp/pds`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 path in another case", doc: replaced(ours, `https://smsp.ward.example/SMSP/cpis`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 query", doc: replaced(ours, ours+`?a=b`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 fragment", doc: replaced(ours, ours+`#a`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 user in the address", doc: replaced(ours, `https://u@smsp.ward.example/smsp/cpis`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 no URL", doc: replaced(ours, `://%`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 another URN", doc: replaced(ours, `urn:example:two`), expect: func(x *itk.Expectations) { x.To = []string{"urn:example:one"} }, code: itk.Client, error: 1000, rule: "N21"},
	{name: "N21 the anonymous address", doc: replaced(ours, `http://www.w3.org/2005/08/addressing/anonymous`), code: itk.Client, error: 1000, rule: "N21"},
	{name: "N22 another address", doc: replaced("http://www.w3.org/2005/08/addressing/anonymous", "https://ed.hazelbrook.example/replies"), code: itk.Client, error: 1000, rule: "N22"},
	{name: "N22 anonymous of the other edition", doc: replaced("http://www.w3.org/2005/08/addressing/anonymous", "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"), code: itk.Client, error: 1000, rule: "N22"},
	{name: "N22 without an address", change: func(p *parts) { p.replyTo = `<wsa:ReplyTo/>` }, code: itk.Client, error: 1000, rule: "N22"},
	{name: "N22 two ReplyTo", change: func(p *parts) { p.replyTo += p.replyTo }, code: itk.Client, error: 1000, rule: "N22"},

	{name: "N23 MessageID missing", change: func(p *parts) { p.messageID = "" }, code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 MessageID empty", doc: replaced(messageID, ""), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 without UUID", doc: replaced(messageID, "urn:message:1"), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 text after the UUID", doc: replaced(messageID, messageID+"-2"), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 digits before the UUID", doc: replaced(messageID, "1:"+messageID), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 a no-break space before the UUID", doc: replaced(messageID, "\u00a0"+messageID), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 two MessageIDs", change: func(p *parts) { p.messageID += p.messageID }, code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 split by a comment (WRD-VAL-20)", doc: replaced(messageID, messageID[:8]+"<!-- -->"+messageID[8:]), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 in a CDATA section (WRD-VAL-20)", doc: replaced(messageID, "<![CDATA["+messageID+"]]>"), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 with a reference (WRD-VAL-20)", doc: replaced(messageID, "&#48;"+messageID[1:]), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N23 of the other edition", doc: replaced(`<wsa:MessageID>`, `<wsa:MessageID xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing">`), code: itk.Client, error: 1000, rule: "N23"},
	{name: "N24 MessageID is the tracking id", change: func(p *parts) { p.trackingID = messageID }, code: itk.Client, error: 1000, rule: "N24"},
	{name: "N24 MessageID is the tracking id, in other clothes", doc: replaced(messageID, "urn:uuid:"+strings.ToLower(trackingID)), code: itk.Client, error: 1000, rule: "N24"},
	{name: "N24 MessageID is the payload id", doc: replaced(messageID, strings.TrimPrefix(payloadID, "uuid_")), code: itk.Client, error: 1000, rule: "N24"},
	{name: "N24 Timestamp id is the payload id", doc: replaced(stampID, payloadID), code: itk.Client, error: 1000, rule: "N24"},
	{name: "N24 Timestamp id is the MessageID", doc: replaced(stampID, messageID), code: itk.Client, error: 1000, rule: "N24"},
	{name: "N24 tracking id is the payload id", change: func(p *parts) { p.trackingID = strings.TrimPrefix(payloadID, "uuid_") }, code: itk.Client, error: 1000, rule: "N24"},
	{name: "N25 reference parameters", doc: replaced(`</wsa:Address></wsa:From>`, `</wsa:Address><wsa:ReferenceParameters/></wsa:From>`), code: itk.Client, error: 1000, rule: "N25"},
	{name: "N25 reference properties", doc: replaced(`</wsa:Address></wsa:From>`, `</wsa:Address><x:ReferenceProperties xmlns:x="http://schemas.xmlsoap.org/ws/2004/08/addressing"/></wsa:From>`), code: itk.Client, error: 1000, rule: "N25"},
	{name: "N26 another media type", doc: replaced(`mimetype="text/xml"`, `mimetype="application/json"`), code: itk.Client, error: 1000, rule: "N26"},
	{name: "N27 sender is an identity", doc: replaced(`senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"`, `senderAddress uri="urn:nhs-uk:identity:ods:RZZ99"`), code: itk.Client, error: 1000, rule: "N27"},
	{name: "N27 sender is a URL", doc: replaced(`senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"`, `senderAddress uri="https://ed.hazelbrook.example"`), code: itk.Client, error: 1000, rule: "N27"},
	{name: "N27 sender is a prefix only", doc: replaced(`senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"`, `senderAddress uri="urn:nhs-uk:addressing:"`), code: itk.Client, error: 1000, rule: "N27"},
	{name: "N28 no handling specification", change: func(p *parts) { p.handling = "" }, code: itk.Client, error: 1000, rule: "N28"},
	{name: "N28 interaction missing", doc: replaced(`key="urn:nhs-itk:ns:201005:interaction"`, `key="urn:nhs-itk:ns:201005:ackrequested"`), code: itk.Client, error: 1000, rule: "N28"},
	{name: "N28 interaction unknown", doc: replaced(`interaction:CP-ISNHSQuery-v1-0`, `interaction:getPatientDetails-v1-0`), code: itk.Client, error: 1000, rule: "N28"},
	{name: "N28 interaction of the answer", doc: replaced(`interaction:CP-ISNHSQuery-v1-0`, `interaction:SMSP-CP-ISNHSQueryResponse-v1-0`), code: itk.Client, error: 1000, rule: "N28"},
	{name: "N28 two interactions", doc: replaced(`</itk:handlingSpecification>`, `<itk:spec key="urn:nhs-itk:ns:201005:interaction" value="urn:nhs-itk:interaction:getNHSNumber-v1-0"/></itk:handlingSpecification>`), code: itk.Client, error: 1000, rule: "N28"},

	{name: "N29 empty", doc: func(string) string { return "" }, code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 no XML", doc: func(string) string { return "9990000018" }, code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 truncated", doc: func(doc string) string { return doc[:len(doc)-20] }, code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 something after the root", doc: func(doc string) string { return doc + "<x/>" }, code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 document type", doc: replaced(`<soap:Envelope`, `<!DOCTYPE Envelope><soap:Envelope`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 entity", doc: replaced(`Nurse Manager`, `&nurse;`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 processing instruction in the number's element (WRD-VAL-20)", doc: replaced(`"9990000018"/>`, `"9990000018"><?x?></value>`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 UTF-16 declared", doc: replaced(`UTF-8`, `UTF-16`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 Latin-1 declared", doc: replaced(`UTF-8`, `ISO-8859-1`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 not UTF-8", doc: replaced(`Idris`, "Idr\xeds"), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 undeclared prefix", doc: replaced(`<itk:header`, `<itk2:header`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 too deep", doc: replaced(`<itk:payloads`, strings.Repeat("<x>", 100)+strings.Repeat("</x>", 100)+`<itk:payloads`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 too many elements", doc: replaced(`<itk:payloads`, strings.Repeat("<x/>", 3000)+`<itk:payloads`), code: itk.Client, error: 1000, rule: "N29"},
	{name: "N29 too large", doc: func(doc string) string { return doc + strings.Repeat(" ", maxSize) }, code: itk.Client, error: 1000, rule: "N29"},

	{name: "N30 no Body", doc: func(doc string) string { return doc[:strings.Index(doc, "<soap:Body>")] + `</soap:Envelope>` }, code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 two Bodies", doc: replaced(`</soap:Envelope>`, `<soap:Body/></soap:Envelope>`), code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 empty Body", doc: func(doc string) string {
		return doc[:strings.Index(doc, "<itk:Dist")] + doc[strings.Index(doc, "</soap:Body>"):]
	}, code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 Body before Header", doc: func(doc string) string {
		header := doc[strings.Index(doc, "<soap:Header>"):strings.Index(doc, "<soap:Body>")]
		return with(doc, header, "", "</soap:Body>", "</soap:Body>"+header)
	}, code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 two envelopes", doc: replaced(`<soap:Body>`, `<soap:Body><itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005"/>`), code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 something beside the envelope", change: func(p *parts) { p.afterEnvelope = `<x/>` }, code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 payload without envelope", doc: func(doc string) string { return with(doc, systemRequest().envelope(), systemRequest().payload) }, code: itk.Client, error: 1000, rule: "N30"},
	{name: "N30 envelope of another namespace", doc: replaced("urn:nhs-itk:ns:201005\"><itk:header", "urn:nhs-itk:ns:200808\"><itk:header"), code: itk.Client, error: 1000, rule: "N30"},

	{name: "N31 base64", doc: replaced(`mimetype=`, `base64="true" mimetype=`), code: itk.Client, error: 1000, rule: "N31"},
	{name: "N31 compressed", doc: replaced(`mimetype=`, `compressed="1" mimetype=`), code: itk.Client, error: 1000, rule: "N31"},
	{name: "N31 encrypted", doc: replaced(`mimetype=`, `encrypted="true" mimetype=`), code: itk.Client, error: 1000, rule: "N31"},
	{name: "N31 two payloads (WRD-MSG-20)", change: func(p *parts) {
		item := `<itk:manifestitem id="uuid_99999999-7142-4DAE-8F50-9283706F5E4D" mimetype="text/xml" profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"/>`
		p.manifest = with(p.manifest, `count="1"`, `count="2"`, `</itk:manifest>`, item+`</itk:manifest>`)
		p.payloadsCount = "2"
		p.afterPayload = `<itk:payload id="uuid_99999999-7142-4DAE-8F50-9283706F5E4D">` + p.payload + `</itk:payload>`
	}, code: itk.Client, error: 1000, rule: "N31"},

	{name: "N33 another payload", change: func(p *parts) { p.payload = `<CP-ISQuery xmlns="urn:hl7-org:v3"/>` }, code: itk.Client, error: 1000, rule: "N33"},
	{name: "N33 payload of another namespace", change: func(p *parts) { p.payload = `<CP-ISQueryStub xmlns="urn:example:other"/>` }, code: itk.Client, error: 1000, rule: "N33"},
	{name: "N33 payload without namespace", change: func(p *parts) { p.payload = `<CP-ISQueryStub xmlns=""/>` }, code: itk.Client, error: 1000, rule: "N33"},
	{name: "N33 the Spine's interaction", change: func(p *parts) {
		p.payload = `<QUPC_IN000006GB01 xmlns="urn:hl7-org:v3">` + p.payload + `</QUPC_IN000006GB01>`
	}, code: itk.Client, error: 1000, rule: "N33"},
}

func TestRequestsThatAreRefused(t *testing.T) {
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			p, expect := systemRequest(), expectations()
			if test.change != nil {
				test.change(&p)
			}
			doc := p.String()
			if test.doc != nil {
				doc = test.doc(doc)
			}
			if test.expect != nil {
				test.expect(&expect)
			}
			request, err := itk.ReadRequest(doc, maxSize, "", expect)
			var fault *itk.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("the error is %v, want a *Fault", err)
			}
			if fault.Code != test.code || fault.ErrorCode != test.error || fault.Rule != test.rule {
				t.Errorf("fault %s %d of rule %s, want %s %d of rule %s", fault.Code, fault.ErrorCode, fault.Rule, test.code, test.error, test.rule)
			}
			if fault.Text == "" || fault.Diagnostic == "" {
				t.Error("the fault does not say what is wrong")
			}
			if ids := itk.RuleIDs(); fault.At() < 0 || fault.At() >= len(ids) || ids[fault.At()] != test.rule {
				t.Errorf("the fault's place is %d of %v", fault.At(), ids)
			}
			if !cmp.Equal(request.Query, cpis.Query{}, sameNumbers) {
				t.Error("a refused request has a query")
			}
		})
	}
}

// A fault that is of no rule on messages has no place among them.
func TestFaultsOfOursHaveNoPlace(t *testing.T) {
	for _, fault := range []*itk.Fault{itk.Unavailable(), itk.Internal()} {
		if fault.At() != -1 {
			t.Errorf("the fault of rule %s stands at %d", fault.Rule, fault.At())
		}
	}
}

// N17: the text of the fault names the profile id.
func TestProfileFaultNamesTheProfile(t *testing.T) { // WRD-VAL-09
	_, err := read(with(systemRequest().String(), `profile:CP-ISNHSQuery-v1-0`, `profile:other`))
	var fault *itk.Fault
	if !errors.As(err, &fault) || !strings.Contains(strings.ToLower(fault.Text), "profile id") {
		t.Errorf("the fault is %v", err)
	}
}

// N34, N35, WRD-VAL-13: a wrong payload in a sound envelope is not a fault.
func TestInvalidPayloads(t *testing.T) {
	tests := []struct{ name, old, new string }{
		{"N34 time without zone", "20260314092653+0000", "20260314092653"},
		{"N34 author missing", systemAuthor, ""},
		{"N34 element that has no place", "<cP-ISNHSQuery>", "<cP-ISNHSQuery><x/>"},
		{"N34 silent read (WRD-SPN-06)", "</queryByParameter>", `</queryByParameter><accessEventType value="false"/>`},
		{"N35 nine digits", "9990000018", "999000001"},
		{"N35 grouped", "9990000018", "999 000 0018"},
		{"N35 reference (WRD-VAL-20)", "9990000018", "999&#48;000018"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request, err := read(with(systemRequest().String(), test.old, test.new))
			if err != nil {
				t.Fatalf("a fault: %v", err)
			}
			if request.Invalid == nil || request.Invalid.Rule == "" {
				t.Fatal("the payload is accepted")
			}
			if !cmp.Equal(request.Query, cpis.Query{}, sameNumbers) {
				t.Error("a refused payload has a query")
			}
			if request.MessageID != messageID || request.TrackingID != trackingID {
				t.Error("the ids of the request are lost; the answer relates to them")
			}
		})
	}
}
