//go:build reference

package hl7_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/soap"
)

// An official query is read, and what is sent on is valid and means the same.
func TestOfficialQueries(t *testing.T) { // WRD-SPN-02
	var sent, interactions []string
	queries := reference.Samples(t, "query/*.xml")
	queries = append(queries, reference.Samples(t, "spine/request_*.xml")...)
	queries = append(queries, reference.Samples(t, "itk/request_*.xml")...)
	for _, name := range queries {
		stub := reference.Element(t, reference.Sample(t, name), hl7Space, "CP-ISQueryStub")
		q, err := hl7.ReadQuery(parse(t, stub))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		doc := queryDocument(t, q)
		again := mustAccept(t, doc)
		if diff := cmp.Diff(q, again, sameNumbers); diff != "" {
			t.Errorf("%s means something else when sent on:\n%s", name, diff)
		}
		if diff := cmp.Diff(meaning(stub), meaning(doc)); diff != "" {
			t.Errorf("%s is written differently:\n%s", name, diff)
		}
		sent = append(sent, doc)
		i := interactionBy(nil)
		i.Query = q
		interactions = append(interactions, interactionDocument(t, i))
	}
	reference.MustValidate(t, reference.Query, sent...)
	reference.MustValidate(t, reference.QueryInteraction, interactions...)
}

// meaning is a payload without what may be written in more than one way.
func meaning(doc string) []string {
	var lines []string
	treeOf(doc).walk("", func(path string, n *node) {
		attributes := map[string]string{}
		for _, a := range n.attrs {
			attributes[a.Name.Local] = a.Value
		}
		lines = append(lines, fmt.Sprint(path, " ", attributes, " ", n.text))
	})
	return lines
}

// The nine official answers: read by a client, written again, the same.
func TestOfficialResponses(t *testing.T) {
	names := reference.Samples(t, "smsp-responses/*.xml")
	if len(names) != 9 {
		t.Fatalf("there are %d official responses, want 9", len(names))
	}
	outcomes := map[cpis.Code]cpis.Outcome{
		"SMSP-0000": cpis.Found, "SMSP-0001": cpis.InputInvalid, "SMSP-0002": cpis.ResponseInvalid, "SMSP-0003": cpis.OutcomeUnknown, "SMSP-0004": cpis.NotSent,
		"SMSP-0005": cpis.AuthorRejected, "SMSP-9999": cpis.InternalAfterSent, "CPIS-0001": cpis.NoRecord, "CPIS-9999": cpis.SentNoAnswer,
	}
	codeInName := regexp.MustCompile(`(SMSP|CPIS)-[0-9]{4}`)
	var written []string
	for _, name := range names {
		official := reference.Element(t, reference.Sample(t, name), hl7Space, "CP-ISNHSQueryResponse")
		code, s := mustReadResponse(t, official)
		if string(code) != codeInName.FindString(name) {
			t.Errorf("%s: code %s", name, code)
		}
		if s.TotalAccesses == nil || s.TotalRecords == nil {
			t.Fatalf("%s: a total is missing", name)
		}
		if got := cpis.Told(code, nil, s.Findings, *s.TotalAccesses, *s.TotalRecords).Outcome(); got != outcomes[code] {
			t.Errorf("%s: the client understands %v, want %v", name, got, outcomes[code])
		}
		display := displayIn(official)
		if display != code.Display() && code != cpis.CodeLocalStore {
			t.Errorf("%s: the official display name is %q, ours %q", name, display, code.Display())
		}
		asked := cpis.NHSNumber{}
		if len(s.Accesses) > 0 {
			asked = s.Accesses[0].Number
		}
		doc := responseDocument(t, hl7.Response{Code: code, Display: display, Findings: s.Findings, Asked: asked})
		if diff := cmp.Diff(meaning(official), meaning(doc)); diff != "" {
			t.Errorf("%s is written differently:\n%s", name, diff)
		}
		written = append(written, doc)
	}
	reference.MustValidate(t, reference.Response, written...)
}

func displayIn(response string) string {
	display := ""
	treeOf(response).walk("", func(path string, n *node) {
		for _, a := range n.attrs {
			if path == "value" && a.Name.Local == "displayName" {
				display = a.Value
			}
		}
	})
	return display
}

// The Spine's replies give the outcomes of the specification's table.
func TestSpineSamples(t *testing.T) {
	tests := []struct {
		name string
		want cpis.Outcome
	}{
		{"reply_success_child.soap.xml", cpis.Found},
		{"reply_success_unborn.soap.xml", cpis.Found},
		{"reply_quqi_not_found.soap.xml", cpis.NoRecord},
		{"reply_quqi_not_found_bare.soap.xml", cpis.NoRecord},
		{"reply_mcci_ae_ge002.soap.xml", cpis.SpineError},
	}
	known := map[string]bool{
		"fault_101_not_supported.soap.xml": true, "fault_200_system_failure.soap.xml": true, "reply_mcci_ar_202_duplicate.soap.xml": true,
	}
	var answers []string
	for _, test := range tests {
		known[test.name] = true
		root := parse(t, reference.Sample(t, "spine/"+test.name))
		envelope, err := soap.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := hl7.ReadReply(hl7.FindReply(envelope.Body))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		answer := judgeAs(reply)
		if answer.Outcome() != test.want {
			t.Errorf("%s: outcome %v (%s), want %v", test.name, answer.Outcome(), answer.Reason(), test.want)
		}
		findings, ok := answer.Findings()
		if ok {
			answers = append(answers, responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: findings, Asked: findings.Accesses[0].Number}))
		}
	}
	reference.MustValidate(t, reference.Response, answers...)
	for _, name := range append(reference.Samples(t, "spine/reply_*"), reference.Samples(t, "spine/fault_*")...) {
		if !known[strings.TrimPrefix(name, "spine/")] {
			t.Errorf("the sample %s has no test", name)
		}
	}

	duplicate := parse(t, reference.Sample(t, "spine/reply_mcci_ar_202_duplicate.soap.xml"))
	envelope, err := soap.Open(duplicate)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := hl7.ReadReply(hl7.FindReply(envelope.Body))
	if err != nil || reply.Acknowledgement != "AR" || len(reply.Details) == 0 || reply.Details[0].Code != "202" {
		t.Errorf("the rejection is read as %+v, %v", reply, err)
	}
	for _, name := range []string{"fault_101_not_supported", "fault_200_system_failure"} {
		envelope, err := soap.Open(parse(t, reference.Sample(t, "spine/"+name+".soap.xml")))
		if err != nil {
			t.Fatal(err)
		}
		_, faults := soap.Child(envelope.Body, soap.Namespace, "Fault")
		if faults != 1 || hl7.FindReply(envelope.Body).Exists() {
			t.Errorf("%s: %d faults, or a reply besides", name, faults)
		}
	}
}

// judgeAs judges a reply as the answer to whatever it speaks of.
func judgeAs(reply hl7.Reply) cpis.Answer {
	rules := cpis.DefaultRules()
	q := queryBy(nadia())
	if len(reply.Statement.Accesses) > 0 {
		q.Number = reply.Statement.Accesses[0].Number
	}
	switch reply.Interaction {
	case hl7.SuccessInteraction:
		return rules.Success(q, reply.Statement)
	case hl7.FailedQueryInteraction:
		return rules.FailedQuery(reply.Reasons)
	default:
		return rules.ApplicationError(reply.Reasons)
	}
}

// WRD-SPN-02: every query and interaction that can be written is valid.
func TestWrittenQueriesAreValid(t *testing.T) {
	var stubs, interactions []string
	for _, q := range append(examples(300, queries), queryBy(nadia()), queryBy(hazelbrook())) {
		stubs = append(stubs, queryDocument(t, q))
		i := interactionBy(nil)
		i.Query = q
		interactions = append(interactions, interactionDocument(t, i))
	}
	reference.MustValidate(t, reference.Query, stubs...)
	reference.MustValidate(t, reference.QueryInteraction, interactions...)
}

// WRD-MSG-09: every answer that can be written is valid, and without its code is
// a valid national response.
func TestWrittenResponsesAreValid(t *testing.T) {
	value := regexp.MustCompile(`<value codeSystem="[^"]*" code="[^"]*" displayName="[^"]*"/>`)
	var responses, national []string
	for _, f := range examples(300, findings(number(child))) {
		doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: f, Asked: number(child)})
		responses = append(responses, doc)
		national = append(national, value.ReplaceAllString(doc, ""))
	}
	for _, o := range cpis.Outcomes() {
		code := (cpis.Codes{}).Of(o)
		if code == "" || code == cpis.CodeSuccess {
			continue
		}
		empty := cpis.Findings{ID: responseID, Time: cpis.Moment{Written: hl7.FormatTime(time.Now())}}
		responses = append(responses, responseDocument(t, hl7.Response{Code: code, Display: code.Display(), Findings: empty}))
	}
	reference.MustValidate(t, reference.Response, responses...)
	reference.MustValidate(t, reference.NationalResponse, national...)
}

// WRD-SPN-10, WRD-MSG-09: an answer in the shape of the national test harness is
// valid when it is passed on.
func TestHarnessShapeBecomesValid(t *testing.T) {
	noID := strings.NewReplacer(`<id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/>`, "", `<id root="2.16.840.1.113883.2.1.3.2.4.18.24" extension="LCS-7" assigningAuthorityName="Q99:Hazelbrook"/>`, "").Replace(childSubject)
	reversed := strings.Replace(noID, "<given>Robin</given><family>Testcase</family>", "<family>Testcase</family><given>Robin</given>", 1)
	long := strings.Replace(personAuthor, "999000111333", "9990001113334445", 1)
	shape := payload("", 2, 1,
		accesses(entry(earlierID, "20260301221500", systemAuthor), entry(event, "20260314092653+0000", long)),
		records(record(strings.Replace(cpp, "</cPPStartDate></component>", `</cPPStartDate></component><component1 xsi:nil="true"/>`, 1), reversed)))
	reply := mustReadReply(t, success(shape))
	found, ok := judgeAs(reply).Findings()
	if !ok {
		t.Fatal("the answer is not found")
	}
	doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: found, Asked: number(child)})
	reference.MustValidate(t, reference.Response, doc)
	if reference.Validate(t, reference.Response, strings.Replace(shape, "<pertinentInformation11>", `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="SMSP-0000" displayName="Success"/><pertinentInformation11>`, 1))[0] == "" {
		t.Error("the shape of the harness is valid as it is, so this proves nothing")
	}
}
