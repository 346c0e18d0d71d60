//go:build reference

package itk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/reference"
)

const hl7Space = "urn:hl7-org:v3"

func envelopeIn(t *testing.T, doc string) string {
	t.Helper()
	return reference.Element(t, doc, itk.Namespace, "DistributionEnvelope")
}

// officialClient is the client that the sample requests come from, at their time.
func officialClient() itk.Expectations {
	x := expectations()
	x.Now = time.Date(2024, time.January, 5, 9, 30, 5, 0, time.UTC)
	x.To = []string{"https://smsp.example.invalid/smsp/cpis"}
	x.Usernames = []string{"example-trust-ed"}
	x.AuditIdentities = []string{"urn:nhs-uk:identity:ods:RXX"}
	x.ASID = "200000000183"
	return x
}

func TestOfficialRequests(t *testing.T) {
	names := reference.Samples(t, "itk/request_*.xml")
	for _, name := range names {
		doc := reference.Sample(t, name)
		request, err := itk.ReadRequest(doc, maxSize, itk.RequestService, officialClient())
		if err != nil || request.Invalid != nil {
			t.Errorf("%s is refused: %v, %v", name, err, request.Invalid)
			continue
		}
		if request.Query.Number != number("9990000018") || request.Username != "example-trust-ed" || request.Sender != "urn:nhs-uk:addressing:ods:RXX" {
			t.Errorf("%s is read as a question of %s from %s about another person, perhaps", name, request.Username, request.Sender)
		}
		if organisation := request.Query.Author.Organisation(); organisation.Name != "EXAMPLE NHS TRUST" || organisation.ID.Extension != "RXX" {
			t.Errorf("%s: organisation %v", name, organisation)
		}
	}
	if len(names) != 2 {
		t.Errorf("there are %d sample requests, want 2", len(names))
	}
}

func TestOfficialAnswers(t *testing.T) {
	outcomes := map[string]cpis.Outcome{
		"itk/response_found.soap.xml":           cpis.Found,
		"itk/response_no_record.soap.xml":       cpis.NoRecord,
		"itk/response_not_established.soap.xml": cpis.NotSent,
	}
	for _, name := range reference.Samples(t, "itk/response_*.soap.xml") {
		reply, err := itk.ReadReply(reference.Sample(t, name), maxSize)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := reply.Statement
		if got := cpis.Told(reply.Code, reply.Remarks.Notified, s.Findings, *s.TotalAccesses, *s.TotalRecords).Outcome(); got != outcomes[name] {
			t.Errorf("%s: the client understands %v, want %v", name, got, outcomes[name])
		}
	}
	bodies := 0
	for _, name := range reference.Samples(t, "smsp-responses/*.xml") {
		doc := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + reference.Sample(t, name) + `</s:Body></s:Envelope>`
		reply, err := itk.ReadReply(doc, maxSize)
		if err != nil || !strings.Contains(name, string(reply.Code)) || reply.Remarks.Notified != nil {
			t.Errorf("%s is read as %q, %v", name, reply.Code, err)
		}
		bodies++
	}
	if bodies != 9 {
		t.Errorf("there are %d official answers, want 9", bodies)
	}
}

func TestOfficialFaults(t *testing.T) {
	want := map[string]itk.ProviderFault{
		"itk/fault_1000_invalid_message.soap.xml": {Code: "Client", ErrorCode: 1000},
		"itk/fault_2100_retryable.soap.xml":       {Code: "Server", ErrorCode: 2100},
		"itk/fault_3000_access_denied.soap.xml":   {Code: "Client", ErrorCode: 3000},
		"itk/fault_must_understand.soap.xml":      {Code: "MustUnderstand", ErrorCode: 1000},
		"itk/fault_version_mismatch.soap.xml":     {Code: "VersionMismatch", ErrorCode: 1000},
	}
	for _, name := range reference.Samples(t, "itk/fault_*.xml") {
		_, err := itk.ReadReply(reference.Sample(t, name), maxSize)
		var got *itk.ProviderFault
		if !errors.As(err, &got) {
			t.Errorf("%s is read as %v", name, err)
			continue
		}
		if got.Code != want[name].Code || got.ErrorCode != want[name].ErrorCode || len(got.ErrorID) != 36 || got.Text == "" || got.Diagnosis == "" {
			t.Errorf("%s is read as %+v", name, got)
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("samples are missing: %v", want)
	}
}

// Every fault that can be sent is valid.
func TestWrittenFaultsAreValid(t *testing.T) {
	var infos []string
	for _, fault := range everyFault(t) {
		infos = append(infos, reference.Element(t, faultDocument(t, fault), itk.Namespace, "ToolkitErrorInfo"))
	}
	reference.MustValidate(t, reference.ToolkitErrorInfo, infos...)
}

// WRD-MSG-10: every answer that can be sent is valid, for each code and each
// notification state, and so is every request.
func TestWrittenEnvelopesAreValid(t *testing.T) {
	var envelopes, responses, queries []string
	answers, requests := writtenAnswers(t), writtenRequests(t)
	for _, doc := range answers {
		envelopes = append(envelopes, envelopeIn(t, doc))
		responses = append(responses, reference.Element(t, doc, hl7Space, "CP-ISNHSQueryResponse"))
	}
	for _, doc := range requests {
		envelopes = append(envelopes, envelopeIn(t, doc))
		queries = append(queries, reference.Element(t, doc, hl7Space, "CP-ISQueryStub"))
	}
	reference.MustValidate(t, reference.EnvelopeV1, envelopes...)
	reference.MustValidate(t, reference.EnvelopeV2, envelopes...)
	reference.MustValidate(t, reference.Response, responses...)
	reference.MustValidate(t, reference.Query, queries...)
}

// The base requests of these tests are valid by the official schemas.
func TestBaseRequestsAreValid(t *testing.T) {
	for _, p := range []parts{systemRequest(), personRequest()} {
		reference.MustValidate(t, reference.EnvelopeV2, envelopeIn(t, p.String()))
		reference.MustValidate(t, reference.Query, reference.Element(t, p.String(), hl7Space, "CP-ISQueryStub"))
	}
}

// N19: what is refused as a violation of the schema is one.
func TestEnvelopeRuleAgainstSchema(t *testing.T) {
	tested := 0
	for _, test := range refusals {
		p := systemRequest()
		if test.change != nil {
			test.change(&p)
		}
		doc := p.String()
		if test.doc != nil {
			doc = test.doc(doc)
		}
		if test.rule != "N19" || strings.Contains(test.name, "payload") || strings.Contains(test.name, "reference") {
			continue
		}
		tested++
		if reference.Validate(t, reference.EnvelopeV2, envelopeIn(t, doc))[0] == "" {
			t.Errorf("%s: the official schema accepts what is refused", test.name)
		}
	}
	if tested < 15 {
		t.Errorf("only %d violations of the schema are tested", tested)
	}
}
