package hl7_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
)

const sentID = "74F1C2A3-B586-41E2-8394-D6C7B4A39328"

// interaction is a reply of the Spine: the usual wrapper around an
// acknowledgement and the content of the control act.
func interaction(name, acknowledgement, act string) string {
	return `<` + name + ` xmlns="urn:hl7-org:v3"><id root="85A2D3B4-C697-42F3-84A5-E7D8C5B4A439"/><creationTime value="20260314092702"/>` +
		`<versionCode code="1"/><interactionId root="2.16.840.1.113883.2.1.3.2.4.12" extension="` + name + `"/>` +
		`<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>` + acknowledgement +
		`<communicationFunctionRcv typeCode="RCV"><device><id root="1.2.826.0.1285.0.2.0.107" extension="999000444555"/></device></communicationFunctionRcv>` +
		`<communicationFunctionSnd typeCode="SND"><device><id root="1.2.826.0.1285.0.2.0.107" extension="None"/></device></communicationFunctionSnd>` +
		`<ControlActEvent classCode="CACT" moodCode="EVN"><author1 typeCode="AUT"/>` + act + `</ControlActEvent></` + name + `>`
}

func acknowledgement(kind, details string) string {
	return `<acknowledgement typeCode="` + kind + `">` + details + `<messageRef><id root="` + sentID + `"/></messageRef></acknowledgement>`
}

func detail(kind, code string) string {
	return `<acknowledgementDetail typeCode="` + kind + `"><code code="` + code + `" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.32" displayName="x"/></acknowledgementDetail>`
}

func reasonFor(code string, qualifiers ...string) string {
	r := `<reason typeCode="RSON"><justifyingDetectedIssueEvent classCode="ALRT" moodCode="EVN"><code code="` + code + `" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.42" displayName="x">`
	for _, q := range qualifiers {
		r += `<qualifier code="` + q + `"/>`
	}
	return r + `</code></justifyingDetectedIssueEvent></reason>`
}

const (
	ok = `<queryAck type="QueryAck"><queryResponseCode code="OK"/></queryAck>`
	id = `<queryAck type="QueryAck"><queryResponseCode code="ID"/></queryAck>`
)

func success(payload string) string {
	return interaction("REPC_IN000007GB01", "", `<subject typeCode="SUBJ">`+payload+`</subject>`+ok)
}

func notFound() string {
	return interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "ER")+reasonFor("NHSNCC002", "ER")+id)
}

func body(content string) string {
	return `<SOAP:Body xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/">` + content + `</SOAP:Body>`
}

// WRD-SPN-09: a reply is recognised by its name at each known depth.
func TestReplyIsFound(t *testing.T) {
	quqi := notFound()
	prefixed := `<h:QUQI_IN010000UK14 xmlns:h="urn:hl7-org:v3"/>`
	tests := []struct {
		name, body, want string
	}{
		{"bare", quqi, "QUQI_IN010000UK14"},
		{"bare with a prefix", prefixed, "QUQI_IN010000UK14"},
		{"in the usual wrapper", `<CP-ISNHSQueryResponse xmlns="urn:hl7-org:v3">` + quqi + `</CP-ISNHSQueryResponse>`, "QUQI_IN010000UK14"},
		{"in another wrapper", `<anything xmlns="urn:example:other">` + quqi + `</anything>`, "QUQI_IN010000UK14"},
		{"after something else", `<first/>` + quqi, "QUQI_IN010000UK14"},
		{"success", success(found()), "REPC_IN000007GB01"},
		{"acknowledgement", interaction("MCCI_IN010000UK13", acknowledgement("AA", ""), ""), "MCCI_IN010000UK13"},
		{"too deep", `<a><b>` + quqi + `</b></a>`, ""},
		{"none", `<a/>`, ""},
		{"empty", ``, ""},
		{"of another namespace", `<QUQI_IN010000UK14 xmlns="urn:example:other"/>`, ""},
		{"without namespace", `<QUQI_IN010000UK14/>`, ""},
		{"our own query", `<QUPC_IN000006GB01 xmlns="urn:hl7-org:v3"/>`, ""},
		{"two that contradict each other", quqi + success(found()), ""},
		{"two in a wrapper", `<w>` + success(found()) + quqi + `</w>`, ""},
		{"beside a record", quqi + `<record xmlns="urn:hl7-org:v3"/>`, ""},
		{"in a wrapper beside a record", `<w>` + quqi + `<x><record xmlns="urn:hl7-org:v3"/></x></w>`, ""},
		{"two at different depths", quqi + `<w>` + quqi + `</w>`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := hl7.FindReply(parse(t, body(test.body))).Name().Local; got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

func mustReadReply(t *testing.T, doc string) hl7.Reply {
	t.Helper()
	reply, err := hl7.ReadReply(parse(t, doc))
	if err != nil {
		t.Fatalf("refused: %v\n%s", err, doc)
	}
	return reply
}

func TestReplyIsRead(t *testing.T) {
	const issues, acks = "2.16.840.1.113883.2.1.3.2.4.17.42", "2.16.840.1.113883.2.1.3.2.4.17.32"
	nobody := strings.Replace(interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "ER")+id), id, "", 1)
	tests := []struct {
		name, doc string
		want      hl7.Reply
	}{
		{"not found", notFound(), hl7.Reply{
			Interaction: "QUQI_IN010000UK14", MessageRef: sentID, Acknowledgement: "AE",
			Reasons: []cpis.Reason{{Code: "1", System: issues}, {Code: "NHSNCC002", System: issues}},
		}},
		{"without queryAck", nobody, hl7.Reply{
			Interaction: "QUQI_IN010000UK14", MessageRef: sentID, Acknowledgement: "AE", Reasons: []cpis.Reason{{Code: "1", System: issues}},
		}},
		{"rejection", interaction("MCCI_IN010000UK13", acknowledgement("AR", detail("ER", "202")+detail("WG", "7")+detail("IF", "8")), ""), hl7.Reply{
			Interaction: "MCCI_IN010000UK13", MessageRef: sentID, Acknowledgement: "AR",
			Details: []cpis.Reason{{Code: "202", System: acks}, {Code: "7", System: acks, Warning: true}, {Code: "8", System: acks, Warning: true}},
		}},
		{"acknowledgement only", interaction("MCCI_IN010000UK13", acknowledgement("AA", ""), ""), hl7.Reply{
			Interaction: "MCCI_IN010000UK13", MessageRef: sentID, Acknowledgement: "AA",
		}},
		{"no acknowledgement", interaction("MCCI_IN010000UK13", "", ""), hl7.Reply{Interaction: "MCCI_IN010000UK13"}},
		{"success", success(found()), hl7.Reply{Interaction: "REPC_IN000007GB01", Statement: foundStatement()}},
		{"success with warnings", strings.Replace(success(found()), `<subject typeCode`, reasonFor("9", "WG")+`<subject typeCode`, 1), hl7.Reply{
			Interaction: "REPC_IN000007GB01", Statement: foundStatement(), Reasons: []cpis.Reason{{Code: "9", System: issues, Warning: true}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, mustReadReply(t, test.doc), sameNumbers); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A reason is an error unless it is plainly a warning (WRD-SPN-11).
func TestReasons(t *testing.T) {
	tests := []struct {
		name, reason string
		want         cpis.Reason
	}{
		{"error", reasonFor("9", "ER"), cpis.Reason{Code: "9"}},
		{"warning", reasonFor("9", "WG"), cpis.Reason{Code: "9", Warning: true}},
		{"information", reasonFor("9", "IF"), cpis.Reason{Code: "9", Warning: true}},
		{"no qualifier", reasonFor("9"), cpis.Reason{Code: "9"}},
		{"unknown qualifier", reasonFor("9", "XX"), cpis.Reason{Code: "9"}},
		{"empty qualifier", reasonFor("9", ""), cpis.Reason{Code: "9"}},
		{"warning and error", reasonFor("9", "WG", "ER"), cpis.Reason{Code: "9"}},
		{"two warnings", reasonFor("9", "WG", "IF"), cpis.Reason{Code: "9", Warning: true}},
		{"nil event", `<reason><justifyingDetectedIssueEvent nullFlavor="NI"/></reason>`, cpis.Reason{}},
		{"nothing", `<reason/>`, cpis.Reason{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply := mustReadReply(t, interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), test.reason+id))
			if len(reply.Reasons) != 1 {
				t.Fatalf("%d reasons", len(reply.Reasons))
			}
			got := reply.Reasons[0]
			got.System = ""
			if got != test.want {
				t.Errorf("read as %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRepliesThatAreNotTrusted(t *testing.T) {
	code := `<code code="1" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.42" displayName="x"><qualifier code="ER"/></code>`
	subject := `<subject typeCode="SUBJ">`
	tests := []struct{ name, doc string }{
		{"query response code NF", strings.Replace(success(found()), `code="OK"`, `code="NF"`, 1)},
		{"query response code ID", strings.Replace(success(found()), `code="OK"`, `code="ID"`, 1)},
		{"query response code missing", strings.Replace(success(found()), ok, ``, 1)},
		{"two query response codes", strings.Replace(success(found()), ok, ok+id, 1)},
		{"no subject", strings.Replace(strings.Replace(success(""), subject, "", 1), "</subject>", "", 1)},
		{"nil subject", strings.Replace(success(""), subject, `<subject xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true">`, 1)},
		{"null subject with content", strings.Replace(success(found()), subject, `<subject nullFlavor="NI">`, 1)},
		{"empty subject", success("")},
		{"two subjects", strings.Replace(success(payload("", 0, 0)), ok, subject+found()+`</subject>`+ok, 1)},
		{"two payloads", success(payload("", 0, 0) + found())},
		{"another payload", success(personQuery)},
		{"two control acts", strings.Replace(success(payload("", 0, 0)), `</ControlActEvent>`, `</ControlActEvent><ControlActEvent/>`, 1)},
		{"two acknowledgements", strings.Replace(notFound(), `</acknowledgement>`, `</acknowledgement>`+acknowledgement("AA", ""), 1)},
		{"two codes in a reason", strings.Replace(notFound(), code, code+strings.Replace(code, `"1"`, `"22"`, 1), 1)},
		{"two events in a reason", strings.Replace(notFound(), `</justifyingDetectedIssueEvent>`, `</justifyingDetectedIssueEvent><justifyingDetectedIssueEvent/>`, 1)},
		{"a failed query that stands for nothing", strings.Replace(notFound(), `<QUQI_IN010000UK14 `, `<QUQI_IN010000UK14 nullFlavor="NI" `, 1)},
		{"a record in the total", success(strings.Replace(payload("", 0, 0), `</pertinentInformation12>`, record(cpp, childSubject)+`</pertinentInformation12>`, 1))},
		{"a record beside the payload", success(payload("", 0, 0) + "<record/>")},
		{"a plan in the id", success(strings.Replace(payload("", 0, 0), `<effectiveTime`, `<id>`+cpp+`</id><effectiveTime`, 1))},
		{"a failed query with a record", strings.Replace(notFound(), id, `<subject typeCode="SUBJ">`+found()+`</subject>`+id, 1)},
		{"an acknowledgement with a record", interaction("MCCI_IN010000UK13", acknowledgement("AA", ""), `<subject>`+found()+`</subject>`)},
		{"a payload that is not trusted", success(strings.Replace(found(), cpp+lac, "", 1))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := hl7.ReadReply(parse(t, test.doc))
			var violation *hl7.Error
			if !errors.As(err, &violation) {
				t.Errorf("the error is %v, want an *hl7.Error", err)
			}
		})
	}
}

// judge is what the Spine's client makes of a reply.
func judge(reply hl7.Reply, err error) cpis.Answer {
	rules := cpis.DefaultRules()
	switch {
	case err != nil:
		return cpis.Failed(cpis.ResponseInvalid, err.Error())
	case reply.Interaction == hl7.SuccessInteraction:
		return rules.Success(queryBy(nadia()), reply.Statement)
	case reply.Interaction == hl7.FailedQueryInteraction:
		return rules.FailedQuery(reply.Reasons)
	case reply.Acknowledgement == "AE":
		return rules.ApplicationError(reply.Reasons)
	default:
		return cpis.Failed(cpis.SpineAckOnly, "")
	}
}

// WRD-SPN-12, WRD-RC-03: from the bytes to the outcome. None of the failures is
// "no record".
func TestOutcomeOfReplies(t *testing.T) {
	another := strings.ReplaceAll(found(), child, other)
	tests := []struct {
		name, doc string
		want      cpis.Outcome
	}{
		{"found", success(found()), cpis.Found},
		{"not found", notFound(), cpis.NoRecord},
		{"empty success", success(payload("", 0, 0)), cpis.NoRecord},
		{"empty success that lists the asker", success(payload("", 1, 0, accesses(entry(event, "20260314092653+0000", personAuthor)))), cpis.NoRecord},
		{"empty success, nil records", success(payload("", 0, 0, `<pertinentInformation14 xsi:nil="true"/>`)), cpis.NoRecord},
		{"empty success without totals", success(payload("", -1, -1)), cpis.ResponseInvalid},
		{"empty success without record total", success(payload("", 0, -1)), cpis.ResponseInvalid},
		{"empty success with a total of 1", success(payload("", 0, 1)), cpis.ResponseInvalid},
		{"records declared but nil", success(payload("", 0, 1, `<pertinentInformation14 xsi:nil="true"/>`)), cpis.ResponseInvalid},
		{"records without total", success(payload("", 0, -1, records(record(cpp, childSubject)))), cpis.ResponseInvalid},
		{"another person", success(another), cpis.ResponseInvalid},
		{"another person in the history", success(strings.Replace(found(), `<value extension="9990000018"/>`, `<value extension="9990000034"/>`, 1)), cpis.ResponseInvalid},
		{"fewer records than declared", success(strings.Replace(found(), `<value value="1"/>`, `<value value="2"/>`, 1)), cpis.ResponseInvalid},
		{"fewer accesses than declared", success(strings.Replace(found(), `<value value="2"/>`, `<value value="3"/>`, 1)), cpis.ResponseInvalid},
		{"more records than declared", success(strings.Replace(found(), `<value value="1"/>`, `<value value="0"/>`, 1)), cpis.Found},
		{"failed query without reasons", interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), id), cpis.SpineAckOnly},
		{"failed query for another reason", interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "ER")+reasonFor("22", "ER")+id), cpis.SpineError},
		{"failed query, the other reason qualified twice", interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "ER")+reasonFor("22", "WG", "ER")+id), cpis.SpineError},
		{"failed query with an empty reason", interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "ER")+"<reason/>"+id), cpis.SpineError},
		{"failed query with a warning", interaction("QUQI_IN010000UK14", acknowledgement("AE", ""), reasonFor("1", "WG")+id), cpis.SpineError},
		{"application error", interaction("MCCI_IN010000UK13", acknowledgement("AE", ""), reasonFor("GE002", "ER")), cpis.SpineError},
		{"application error that says not found", interaction("MCCI_IN010000UK13", acknowledgement("AE", ""), reasonFor("1", "ER")), cpis.SpineError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply, err := hl7.ReadReply(parse(t, test.doc))
			answer := judge(reply, err)
			if answer.Outcome() != test.want {
				t.Errorf("outcome %v (%s), want %v", answer.Outcome(), answer.Reason(), test.want)
			}
		})
	}
}
