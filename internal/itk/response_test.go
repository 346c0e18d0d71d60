package itk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
)

const (
	answerID   = "B8D506E7-F9CA-4526-97D8-1A0BF8E7D76C"
	answerUUID = "C9E617F8-0ADB-4637-A8E9-2B1C09F8E87D"
	answerPart = "DAF72809-1BEC-4748-B9FA-3C2D1A09F98E"
	responseID = "EB08391A-2CFD-4859-8A0B-4D3E2B1A0A9F"
)

func findings() cpis.Findings {
	query := queryBy(hazelbrook())
	return cpis.Findings{
		ID:       responseID,
		Time:     cpis.Moment{Written: "20260314092701+0000", Time: time.Date(2026, 3, 14, 9, 27, 1, 0, time.UTC), Precision: cpis.ToSecond},
		Accesses: []cpis.Access{{ID: query.ID, Time: query.Time, Author: query.Author, Number: query.Number}},
		Records: []cpis.Record{{
			LocalAuthority: cpis.LocalAuthority{
				Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "Q99"}, Name: "Hazelbrook Borough Council"},
				Telecoms:     []cpis.Telecom{{Use: "EC", Value: "tel:02079460102"}},
			},
			Plans: []cpis.Plan{{Type: cpis.ChildProtectionPlan, Start: cpis.Date{Year: 2025, Month: 10, Day: 2, Hour: 9}}},
			Subjects: []cpis.Subject{{
				IDs:   []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: "9990000018"}},
				Birth: cpis.Moment{Written: "20180311", Time: time.Date(2018, 3, 11, 0, 0, 0, 0, time.UTC), Precision: cpis.ToDay},
				Name:  cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Robin"}, {Kind: "family", Text: "Testcase"}}},
			}},
		}},
	}
}

func answer(code cpis.Code, f cpis.Findings) itk.Response {
	return itk.Response{
		MessageID: answerID, TrackingID: answerUUID, PayloadID: answerPart, RelatesTo: "urn:uuid:" + strings.ToLower(messageID),
		Client: "RZZ99", Provider: "Y99",
		Payload: hl7.Response{Code: code, Display: code.Display(), Findings: f, Asked: number("9990000018")},
	}
}

// without keeps what an answer without content needs: its own id and time.
func without(f cpis.Findings) cpis.Findings { return cpis.Findings{ID: f.ID, Time: f.Time} }

func responseDocument(t testing.TB, r itk.Response) string {
	t.Helper()
	doc, err := itk.WriteResponse(r)
	if err != nil {
		t.Fatalf("the answer cannot be written: %v", err)
	}
	return string(doc)
}

// WRD-MSG-06, WRD-MSG-11 to 14: the answer around the payload, to the letter.
func TestResponseRendered(t *testing.T) {
	before := `<?xml version="1.0" encoding="UTF-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing">` +
		`<soap:Header><wsa:MessageID>` + answerID + `</wsa:MessageID>` +
		`<wsa:Action>urn:nhs-itk:services:201005:sendRecvDistEnvelopeResponse</wsa:Action>` +
		`<wsa:RelatesTo>urn:uuid:` + strings.ToLower(messageID) + `</wsa:RelatesTo></soap:Header><soap:Body>` +
		`<itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005">` +
		`<itk:header service="urn:nhs-itk:services:201005:sendRecvDistEnvelopeResponse" trackingid="` + answerUUID + `">` +
		`<itk:addresslist><itk:address type="2.16.840.1.113883.2.1.3.2.4.18.22" uri="urn:nhs-uk:addressing:ods:RZZ99"/></itk:addresslist>` +
		`<itk:auditIdentity><itk:id type="2.16.840.1.113883.2.1.3.2.4.18.27" uri="urn:nhs-uk:identity:ods:Y99"/></itk:auditIdentity>` +
		`<itk:manifest count="1"><itk:manifestitem id="uuid_` + answerPart + `" mimetype="text/xml" profileid="urn:nhs-en:profile:SMSP-CP-ISNHSQueryResponse-v1-0"/></itk:manifest>` +
		`<itk:senderAddress type="2.16.840.1.113883.2.1.3.2.4.18.22" uri="urn:nhs-uk:addressing:ods:Y99"/>` +
		`<itk:handlingSpecification><itk:spec key="urn:nhs-itk:ns:201005:interaction" value="urn:nhs-itk:interaction:SMSP-CP-ISNHSQueryResponse-v1-0"/></itk:handlingSpecification>` +
		`</itk:header><itk:payloads count="1"><itk:payload id="uuid_` + answerPart + `">` +
		`<CP-ISNHSQueryResponse xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation">` +
		`<effectiveTime value="20260314092701+0000"/><id root="` + responseID + `"/>`
	after := `</CP-ISNHSQueryResponse></itk:payload></itk:payloads></itk:DistributionEnvelope></soap:Body></soap:Envelope>`
	empty := `<pertinentInformation11><pertinentTotalReturnedAccessRecords><value value="0"/></pertinentTotalReturnedAccessRecords></pertinentInformation11>` +
		`<pertinentInformation12><pertinentTotalReturnedChildRecords><value value="0"/></pertinentTotalReturnedChildRecords></pertinentInformation12>`
	got := responseDocument(t, answer(cpis.CodeNoRecord, without(findings())))
	want := before + `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="CPIS-0001" displayName="No Match (NRF)"/>` + empty + after
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	success := responseDocument(t, answer(cpis.CodeSuccess, findings()))
	if !strings.HasPrefix(success, before) || !strings.HasSuffix(success, after) {
		t.Errorf("a success has another envelope: %s", success)
	}
	unrelated := answer(cpis.CodeNoRecord, without(findings()))
	unrelated.RelatesTo = ""
	if strings.Contains(responseDocument(t, unrelated), "RelatesTo") {
		t.Error("an empty RelatesTo is written")
	}
}

// WRD-RC-14: the notification state travels after the interaction, or not at all.
func TestNotificationEntry(t *testing.T) {
	tests := []struct {
		notified cpis.Notified
		value    string
	}{
		{cpis.NotifiedYes, "notified"}, {cpis.NotifiedNo, "none"}, {cpis.NotifiedMaybe, "unknown"}, {99, "unknown"},
	}
	for _, test := range tests {
		r := answer(cpis.CodeSpineError, without(findings()))
		r.Remarks.Notified = &test.notified
		doc := responseDocument(t, r)
		entry := `value="urn:nhs-itk:interaction:SMSP-CP-ISNHSQueryResponse-v1-0"/><itk:spec key="urn:x-cpis-smsp:notification" value="` + test.value + `"/></itk:handlingSpecification>`
		if !strings.Contains(doc, entry) {
			t.Errorf("%v is written differently: %s", test.notified, doc)
		}
		reply, err := itk.ReadReply(doc, maxSize)
		if err != nil || reply.Remarks.Notified == nil || reply.Remarks.Notified.String() != test.notified.String() {
			t.Errorf("%v is read back as %v, %v", test.notified, reply.Remarks.Notified, err)
		}
	}
	reply, err := itk.ReadReply(responseDocument(t, answer(cpis.CodeSpineError, without(findings()))), maxSize)
	if err != nil || reply.Remarks.Notified != nil {
		t.Errorf("no entry is read as %v, %v", reply.Remarks.Notified, err)
	}
	r := answer(cpis.CodeSpineError, without(findings()))
	r.Remarks.Notified = new(cpis.Notified)
	reply, err = itk.ReadReply(with(responseDocument(t, r), `value="unknown"`, `value="perhaps"`), maxSize)
	if err != nil || reply.Remarks.Notified == nil || *reply.Remarks.Notified != cpis.NotifiedMaybe {
		t.Errorf("a value that is not known is read as %v, %v; want maybe", reply.Remarks.Notified, err)
	}
}

// WRD-RC-01: every code, from the provider to its client.
func TestAnswersAreReadBack(t *testing.T) {
	codes := map[cpis.Code]cpis.Outcome{
		cpis.CodeSuccess: cpis.Found, cpis.CodeNoRecord: cpis.NoRecord, cpis.CodeInputInvalid: cpis.InputInvalid,
		cpis.CodeResponseInvalid: cpis.ResponseInvalid, cpis.CodeNotConnected: cpis.NotSent, cpis.CodeAuthor: cpis.AuthorRejected,
		cpis.CodeInternal: cpis.InternalAfterSent, cpis.CodeSpineError: cpis.SentNoAnswer,
	}
	for code, want := range codes {
		t.Run(string(code), func(t *testing.T) {
			f := without(findings())
			if code == cpis.CodeSuccess {
				f = findings()
			}
			reply, err := itk.ReadReply(responseDocument(t, answer(code, f)), maxSize)
			if err != nil {
				t.Fatal(err)
			}
			if reply.Code != code || reply.RelatesTo != "urn:uuid:"+strings.ToLower(messageID) {
				t.Errorf("code %q, relates to %q", reply.Code, reply.RelatesTo)
			}
			if diff := cmp.Diff(f, reply.Statement.Findings, sameNumbers); diff != "" {
				t.Errorf("(-sent +read):\n%s", diff)
			}
			s := reply.Statement
			if s.TotalAccesses == nil || s.TotalRecords == nil {
				t.Fatal("a total is missing")
			}
			if got := cpis.Told(reply.Code, reply.Remarks.Notified, s.Findings, *s.TotalAccesses, *s.TotalRecords).Outcome(); got != want {
				t.Errorf("the client understands %v, want %v", got, want)
			}
		})
	}
}

// WRD-MSG-08: found brings the Spine's own id and time; everything else the
// provider's, and no content.
func TestPayloadOfAnswers(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 27, 2, 0, time.UTC)
	one := cpis.Told(cpis.CodeSuccess, nil, findings(), 1, 1)
	got := itk.PayloadOf(one, cpis.Codes{}, number("9990000018"), at, answerPart)
	want := hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: findings(), Asked: number("9990000018")}
	if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	codes, err := cpis.NewCodes(map[string]string{"sent_no_answer": "SMSP-9999"})
	if err != nil {
		t.Fatal(err)
	}
	got = itk.PayloadOf(cpis.Failed(cpis.SentNoAnswer, ""), codes, number("9990000018"), at, answerPart)
	want = hl7.Response{
		Code: cpis.CodeInternal, Display: cpis.CodeInternal.Display(), Asked: number("9990000018"),
		Findings: cpis.Findings{ID: answerPart, Time: cpis.Moment{Written: "20260314092702+0000"}},
	}
	if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
}

// What is neither an answer nor a fault is never read as one.
func TestWhatIsNoAnswer(t *testing.T) {
	found := responseDocument(t, answer(cpis.CodeSuccess, findings()))
	payloads := found[strings.Index(found, "<itk:payloads"):strings.Index(found, "</itk:DistributionEnvelope>")]
	envelope := found[strings.Index(found, "<itk:DistributionEnvelope"):strings.Index(found, "</soap:Body>")]
	tests := []struct{ name, doc string }{
		{"empty", ""},
		{"HTML", "<html><body>502 Bad Gateway</body></html>"},
		{"truncated", found[:len(found)-100]},
		{"a document type", "<!DOCTYPE x>" + found[strings.Index(found, "<soap"):]},
		{"SOAP 1.2", with(found, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")},
		{"empty Body", with(found, envelope, "")},
		{"two envelopes", with(found, envelope, envelope+envelope)},
		{"something beside the envelope", with(found, envelope, envelope+"<x/>")},
		{"the payload alone", with(found, envelope, payloads[strings.Index(payloads, "<CP-IS"):strings.Index(payloads, "</itk:payload>")])},
		{"no payloads", with(found, payloads, "")},
		{"two lists of payloads", with(found, payloads, payloads+payloads)},
		{"two payloads", with(found, "</itk:payloads>", `<itk:payload id="x"/></itk:payloads>`)},
		{"two elements in the payload", with(found, "</itk:payload>", "<x/></itk:payload>")},
		{"two headers", with(found, "</itk:header>", "</itk:header><itk:header/>")},
		{"another service", with(found, `header service="urn:nhs-itk:services:201005:sendRecvDistEnvelopeResponse"`, `header service="urn:x"`)},
		{"another payload", with(found, "CP-ISNHSQueryResponse xmlns", "CP-ISQueryResponse xmlns", "</CP-ISNHSQueryResponse>", "</CP-ISQueryResponse>")},
		{"the question", systemRequest().String()},
		{"a payload that is not trusted", with(found, `<birthTime value="20180311"/>`, "")},
		{"no code", with(found, "17.499", "17.500")},
		{"too large", found + strings.Repeat(" ", maxSize)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply, err := itk.ReadReply(test.doc, maxSize)
			if !errors.Is(err, itk.ErrNotAnAnswer) {
				t.Fatalf("the error is %v", err)
			}
			if !cmp.Equal(reply, itk.Reply{}, sameNumbers) {
				t.Error("something is given of it")
			}
			for _, secret := range []string{"9990000018", "Robin", "Hazelbrook", "502"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error quotes the message: %v", err)
				}
			}
		})
	}
}

func question(author cpis.Author) itk.Question {
	return itk.Question{
		MessageID: messageID, TimestampID: strings.TrimPrefix(stampID, "uuid_"), TrackingID: trackingID, PayloadID: strings.TrimPrefix(payloadID, "uuid_"),
		To: ours, Created: now.Add(-7 * time.Second), Expires: now.Add(10*time.Minute - 7*time.Second), Username: "hazelbrook-ed",
		AuditIdentities: []cpis.AuditIdentity{{URI: "urn:nhs-uk:identity:ods:RZZ99:triage-7"}},
		Organisation:    "RZZ99", Provider: "Y99", Query: queryBy(author),
	}
}

func requestDocument(t testing.TB, q itk.Question) string {
	t.Helper()
	doc, err := itk.WriteRequest(q)
	if err != nil {
		t.Fatalf("the request cannot be written: %v", err)
	}
	return string(doc)
}

// The client and the provider of this project understand each other: what the
// client writes is the base request, and passes every rule.
func TestWrittenRequestIsAccepted(t *testing.T) {
	for name, author := range map[string]cpis.Author{"person": nadia(), "system": hazelbrook()} {
		t.Run(name, func(t *testing.T) {
			want := mustAccept(t, systemRequest().String())
			want.Query = queryBy(author)
			if diff := cmp.Diff(want, mustAccept(t, requestDocument(t, question(author))), sameNumbers); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrittenRequest(t *testing.T) {
	q := question(nadia())
	q.AuditIdentities = append(q.AuditIdentities, cpis.AuditIdentity{Type: cpis.OIDUserID, URI: "999000111222"})
	doc := requestDocument(t, q)
	for _, want := range []string{
		`<wsu:Created>2026-03-14T09:26:53Z</wsu:Created><wsu:Expires>2026-03-14T09:36:53Z</wsu:Expires>`,
		`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/><itk:id type="1.2.826.0.1285.0.2.0.65" uri="999000111222"/>`,
		`profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"`,
		`<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("not written: %s\nin %s", want, doc)
		}
	}
	for _, prohibited := range []string{"schemaLocation", "mustUnderstand", `=""`, "base64"} {
		if strings.Contains(doc, prohibited) {
			t.Errorf("%s is written", prohibited)
		}
	}
	if strings.Index(doc, "Timestamp") > strings.Index(doc, "UsernameToken") {
		t.Error("the Timestamp does not come first")
	}
}
