package spinesim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// WRD-SPN-03: each of Spine's checks, violated in turn, refuses the request
// with the check's symbol, notifies nobody and is remembered as refused.
func TestEachOfSpinesChecksIsApplied(t *testing.T) {
	const (
		tms, base, missing = "ErrorBaseTms.", "ErrorBase1732.", "ErrorBase1712.MANDATORY_DATA_MISSING: mandatory data missing: "
		rcvHeader          = `<hl7:id root="1.2.826.0.1285.0.2.0.107" extension="928942012545"/>`
		sndHeader          = `<hl7:id root="1.2.826.0.1285.0.2.0.107" extension="200000000183"/>`
		rcvBody            = `<communicationFunctionRcv typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.826.0.1285.0.2.0.107" extension="928942012545"/></device></communicationFunctionRcv>`
		sndBody            = `<communicationFunctionSnd typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.826.0.1285.0.2.0.107" extension="200000000183"/></device></communicationFunctionSnd>`
		action             = `<wsa:Action>urn:nhs:names:services:cpisquery/QUPC_IN000006GB01</wsa:Action>`
		to                 = `<wsa:To>https://spine.test/sync-service</wsa:To>`
		actStart           = `<ControlActEvent classCode="CACT" moodCode="EVN">`
		author1            = `<author1 typeCode="AUT"><AgentSystemSDS classCode="AGNT"><agentSystemSDS classCode="DEV" determinerCode="INSTANCE"><id root="1.2.826.0.1285.0.2.0.107" extension="200000000183"/></agentSystemSDS></AgentSystemSDS></author1>`
		author             = `<author typeCode="AUT"/>`
		system             = `<COCT_TP145104GB01.System>`
	)
	id, event := newID(), newID()
	messageID := `<wsa:MessageID>uuid:` + id + `</wsa:MessageID>`
	tests := []struct {
		name     string
		person   bool
		old, new string
		symbol   string
	}{
		{"not well-formed", false, "</s:Envelope>", "</s:Envelop>", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"DTD", false, `"UTF-8"?>`, `"UTF-8"?><!DOCTYPE x>`, tms + "MESSAGE_NOT_WELL_FORMED"},
		{"text after the root", false, "</s:Envelope>", "</s:Envelope>x", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"two roots", false, "</s:Envelope>", "</s:Envelope><x/>", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"too deep", false, to, to + strings.Repeat("<x>", 100) + strings.Repeat("</x>", 100), tms + "MESSAGE_NOT_WELL_FORMED"},
		{"SOAP 1.2", false, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"two headers", false, "<s:Body>", "<s:Header/><s:Body>", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"two bodies", false, "</s:Body>", "</s:Body><s:Body/>", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"two elements in the body", false, "</s:Body>", "<x/></s:Body>", tms + "MESSAGE_NOT_WELL_FORMED"},
		{"no MessageID", false, messageID, "", tms + "SOAP_MESSAGE_ID_ERROR"},
		{"two MessageIDs", false, messageID, messageID + messageID, tms + "SOAP_MESSAGE_ID_ERROR"},
		{"MessageID of 36 characters", false, "uuid:" + id, id, tms + "SOAP_MESSAGE_ID_ERROR"},
		{"MessageID in lower case", false, "uuid:" + id, "uuid:abcdefab-0000-4000-8000-000000000000", tms + "SOAP_MESSAGE_ID_ERROR"},
		{"newer WS-Addressing", false, "http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://www.w3.org/2005/08/addressing", tms + "SOAP_MESSAGE_ID_ERROR"},
		{"no Action", false, action, "", tms + "SOAP_ACTION_ERROR"},
		{"two Actions", false, action, action + action, tms + "SOAP_ACTION_ERROR"},
		{"no To", false, to, "", tms + "SOAP_TO_ERROR"},
		{"two Tos", false, to, to + to, tms + "SOAP_TO_ERROR"},
		{"empty To", false, to, "<wsa:To/>", tms + "SOAP_TO_ERROR"},
		{"no receiver in the header", false, rcvHeader, "", tms + "SOAP_COMM_FUNC_RCV_ERROR"},
		{"receiver of another kind", false, rcvHeader, `<hl7:id root="1.2.3" extension="928942012545"/>`, tms + "SOAP_COMM_FUNC_RCV_ERROR"},
		{"no sender in the header", false, sndHeader, "", tms + "SOAP_COMM_FUNC_SND_ERROR"},
		{"no id", false, `<id root="` + id + `"/>`, "", base + "INVALID_ID"},
		{"id with a prefix", false, `<id root="` + id, `<id root="uuid:` + id, base + "INVALID_ID"},
		{"no creationTime", false, `<creationTime value="20260301093001"/>`, "", base + "INVALID_CREATION_TIME"},
		{"empty creationTime", false, `<creationTime value="20260301093001"/>`, `<creationTime value=""/>`, base + "INVALID_CREATION_TIME"},
		{"two versionCodes", false, `<processingCode`, `<versionCode code="x"/><processingCode`, base + "INVALID_VERSION_CODE"},
		{"empty versionCode", false, `code="v3INF_DMSv5.7:FIN"`, `code=""`, base + "INVALID_VERSION_CODE"},
		{"another interactionId", false, `extension="QUPC_IN000006GB01"`, `extension="QUPC_IN000007GB01"`, base + "INCONSISTENT_HL7_INTERACTION_ID"},
		{"another Action", false, action, "<wsa:Action>urn:nhs:names:services:cpisquery/QUPC_IN000007GB01</wsa:Action>", base + "INCONSISTENT_HL7_INTERACTION_ID"},
		{"Action with a colon", false, action, "<wsa:Action>urn:nhs:names:services:cpisquery:QUPC_IN000006GB01</wsa:Action>", base + "INCONSISTENT_HL7_INTERACTION_ID"},
		{"no receiver in the message", false, rcvBody, "", base + "INVALID_COMM_FUNC_RCV"},
		{"two receivers in the message", false, rcvBody, rcvBody + rcvBody, base + "INVALID_COMM_FUNC_RCV"},
		{"no sender in the message", false, sndBody, "", base + "INVALID_COMM_FUNC_SND"},
		{"another receiver in the message", false, rcvBody, strings.Replace(rcvBody, "928942012545", "928942012546", 1), base + "INCONSISTENT_COMM_FUNC_RCV"},
		{"another sender in the message", false, sndBody, strings.Replace(sndBody, "200000000183", "200000000184", 1), base + "INCONSISTENT_COMM_FUNC_SND"},
		{"another control act", false, "</ControlActEvent>", "</ControlActEvent><ControlActEvent/>", base + "INVALID_CONTROL_ACT"},
		{"two authors of the control act", false, actStart, actStart + author + author, base + "CONTROL_ACT_AUTHOR_INVALID"},
		{"no author1", false, author1, "", missing + `"author1"`},
		{"two author1", false, author1, author1 + author1, missing + `"author1"`},
		{"no query id", false, `<id root="` + event + `"/>`, "", missing + `"Event ID"`},
		{"no NHS number", false, `<value extension="9990000018"/>`, "", missing + `"NHS Number"`},
		{"empty NHS number", false, `<value extension="9990000018"/>`, `<value extension=""/>`, missing + `"NHS Number"`},
		{"no author of the query", false, system, `<COCT_TP145199GB01.Other/>` + system + "</COCT_TP145104GB01.System>" + system, missing + `"[authorPerson or authorDevice]"`},
		{"both authors", false, system, `<COCT_TP145102GB01.AssignedAuthor/>` + system, missing + `"[authorPerson or authorDevice]"`},
		{"person: no role code", true, `<code code="R0260"`, `<code code=""`, missing + `"Job Role Code"`},
		{"person: no role name", true, `displayName="General Medical Practitioner"`, "", missing + `"Job Role Name"`},
		{"person: no organisation code", true, `extension="RXX"`, `extension=""`, missing + `"Organisation Code"`},
		{"person: no organisation name", true, `<name>TESTING NHS TRUST</name>`, "<name/>", missing + `"Organisation Name"`},
		{"person: no user id", true, `<id root="1.2.826.0.1285.0.2.0.65" extension="555000000101"/>`, "", missing + `"authorID"`},
		{"system: no ASID", false, system + `<id root="1.2.826.0.1285.0.2.0.107" extension="200000000183"/>`, system, missing + `"authorDevice.systemID"`},
		{"system: no organisation code", false, `extension="RXX"`, `extension=""`, missing + `"authorDevice.orgCode"`},
		{"system: no organisation name", false, `<name>TESTING NHS TRUST</name>`, "", missing + `"authorDevice.orgName"`},
		{"system: no role code", false, `<code code="R0580"`, `<code`, missing + `"authorDevice.jobRoleCode"`},
		{"system: no role name", false, `displayName="Nurse Manager"`, "", missing + `"authorDevice.jobRoleName"`},
		{"system: no name of the person", false, `<prefix>Ms</prefix><given>Una</given><family>Lead</family>`, "<given/>", missing + `"authorDevice.assignedPersonName"`},
	}
	s := start(t, nil)
	c := newClient(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := query{hl7ID: id, queryID: event}
			if tt.person {
				q.person = "555000000101"
			}
			document := q.xml()
			if !strings.Contains(document, tt.old) {
				t.Fatalf("the request does not contain %s", tt.old)
			}
			before := s.Counters()
			r := askDocument(t, s, c, strings.Replace(document, tt.old, tt.new, 1))
			if r.status != 500 || r.kind() != "fault" || r.text("errorCode") != "200" {
				t.Fatalf("status %d, %s %s", r.status, r.kind(), r.text("errorCode"))
			}
			if got := r.text("description"); !strings.HasPrefix(got, tt.symbol) {
				t.Errorf("description %q, want %q", got, tt.symbol)
			}
			after := s.Counters()
			if after.Refused != before.Refused+1 || after.Processed != before.Processed || after.Notifications != before.Notifications {
				t.Errorf("counters before %+v, after %+v", before, after)
			}
			received := s.Received()
			symbol, _, _ := strings.Cut(tt.symbol, ":")
			if got := received[len(received)-1].Refusal; got != symbol {
				t.Errorf("remembered as refused for %q", got)
			}
		})
	}
	t.Run("body of another namespace", func(t *testing.T) {
		document := strings.NewReplacer("<QUPC_IN000006GB01 ", `<x:QUPC_IN000006GB01 xmlns:x="urn:x" `, "</QUPC_IN000006GB01>", "</x:QUPC_IN000006GB01>").Replace(query{}.xml())
		r := askDocument(t, s, c, document)
		if got := r.text("description"); !strings.HasPrefix(got, base+"INCONSISTENT_HL7_INTERACTION_ID") {
			t.Errorf("description %q", got)
		}
	})
	t.Run("a refused id may be used again", func(t *testing.T) {
		r := ask(t, s, c, query{hl7ID: id, queryID: event})
		if r.kind() != "REPC_IN000007GB01" {
			t.Errorf("answered by %s", r.kind())
		}
	})
}

func TestViolationsCanBeAnsweredAsApplicationErrors(t *testing.T) {
	s := start(t, func(c *spinesim.Config) { c.Refusal = spinesim.RefuseWithError })
	document := strings.Replace(query{}.xml(), "<wsa:To>https://spine.test/sync-service</wsa:To>", "", 1)
	r := askDocument(t, s, newClient(t), document)
	if r.status != 200 || r.kind() != "MCCI_IN010000UK13" || r.value("acknowledgement", "typeCode") != "AE" {
		t.Fatalf("status %d, %s", r.status, r.kind())
	}
	issue := r.root.find("justifyingDetectedIssueEvent")[0].find("code")[0]
	if issue.attr("code") != "GE002" || !strings.HasPrefix(issue.attr("displayName"), "ErrorBaseTms.SOAP_TO_ERROR") {
		t.Errorf("issue %v", issue.Attrs)
	}
}

// Prefixes and layout of a request do not matter, only its names do.
func TestRequestsMayUseAnyPrefix(t *testing.T) {
	s := start(t, nil)
	document := query{}.xml()
	document = strings.NewReplacer("<s:", "<Q:", "</s:", "</Q:", "xmlns:s=", "xmlns:Q=", "wsa:", "w:", "xmlns:wsa=", "xmlns:w=").Replace(document)
	document = strings.ReplaceAll(document, "><", ">\n  <")
	r := askDocument(t, s, newClient(t), document)
	if r.kind() != "REPC_IN000007GB01" {
		t.Errorf("answered by %s: %s", r.kind(), r.body)
	}
}

// WRD-SPN-04: an HL7 id that was seen before is rejected, whatever the query.
func TestAnHL7IDIsAcceptedOnce(t *testing.T) {
	s := start(t, func(c *spinesim.Config) { c.KeepIDs = 2 })
	c := newClient(t)
	q := query{hl7ID: newID()}
	ask(t, s, c, q)
	r := ask(t, s, c, query{hl7ID: q.hl7ID, number: "9990000026"})
	if r.kind() != "MCCI_IN010000UK13" || r.value("acknowledgement", "typeCode") != "AR" {
		t.Fatalf("answered by %s %s", r.kind(), r.value("acknowledgement", "typeCode"))
	}
	detail := r.root.find("acknowledgementDetail")[0].find("code")[0]
	if detail.attr("code") != "202" || detail.attr("codeSystem") != "2.16.840.1.113883.2.1.3.2.4.17.32" {
		t.Errorf("detail %v", detail.Attrs)
	}
	counters := s.Counters()
	if counters.Duplicates != 1 || counters.Processed != 1 || counters.NotificationsByNumber["9990000026"] != 0 {
		t.Errorf("counters %+v", counters)
	}
	ask(t, s, c, query{})
	ask(t, s, c, query{}) // now the memory of two is full of others
	if r := ask(t, s, c, q); r.kind() != "REPC_IN000007GB01" {
		t.Errorf("an id beyond the memory is answered by %s", r.kind())
	}
}

// What is wrong before SOAP is looked at.
func TestTheHTTPRequestIsChecked(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		code   string // of a SOAP fault
	}{
		{"unquoted SOAPAction", func(*http.Request) {}, 200, ""},
		{"quoted SOAPAction", func(r *http.Request) { r.Header["SOAPAction"] = []string{`"` + queryAction + `"`} }, 500, "101"},
		{"SOAPAction with a colon", func(r *http.Request) { r.Header["SOAPAction"] = []string{strings.Replace(queryAction, "/", ":", 1)} }, 500, "101"},
		{"no SOAPAction", func(r *http.Request) { delete(r.Header, "SOAPAction") }, 500, "101"},
		{"two SOAPActions", func(r *http.Request) { r.Header["SOAPAction"] = []string{queryAction, queryAction} }, 500, "101"},
		{"text/xml without charset", func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") }, 200, ""},
		{"SOAP 1.2 media type", func(r *http.Request) { r.Header.Set("Content-Type", "application/soap+xml") }, 415, ""},
		{"no media type", func(r *http.Request) { delete(r.Header, "Content-Type") }, 415, ""},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405, ""},
		{"another path", func(r *http.Request) { r.URL.Path = "/other" }, 404, ""},
		{"unknown length", func(r *http.Request) { r.ContentLength = -1 }, 200, ""},
		{"waiting for 100", func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodPost, s.URL(), strings.NewReader(query{}.xml()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header["SOAPAction"] = []string{queryAction}
			request.Header.Set("Content-Type", "text/xml; charset=utf-8")
			tt.change(request)
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			r := readResponse(t, response)
			if r.status != tt.status || r.text("errorCode") != tt.code {
				t.Errorf("status %d, fault %q; want %d, %q", r.status, r.text("errorCode"), tt.status, tt.code)
			}
		})
	}
	if n := s.Counters().Processed; n != 4 {
		t.Errorf("%d queries processed, want the 4 good ones", n)
	}
}

func TestOversizedRequestsAreRefused(t *testing.T) {
	s := start(t, nil)
	document := strings.Replace(query{}.xml(), "<s:Body>", strings.Repeat(" ", 5_000_000)+"<s:Body>", 1)
	response, _, err := post(newClient(t), s.URL(), document)
	if err == nil && response.StatusCode != 413 { // a reset is as good
		t.Errorf("status %d", response.StatusCode)
	}
	if n := s.Counters().Processed; n != 0 {
		t.Errorf("%d queries processed", n)
	}
}
