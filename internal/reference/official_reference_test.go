//go:build reference

package reference_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/reference"
)

const hl7 = "urn:hl7-org:v3"

// The means of proof are proved first: what the reference data says of itself is
// what xmllint says, and an invalid document is told from a valid one.
func TestSamplesAreAsTheirReadmeSays(t *testing.T) {
	reference.MustValidate(t, reference.Query, reference.Sample(t, "query/query_person.xml"), reference.Sample(t, "query/query_device.xml"))
	reference.MustValidate(t, reference.QueryInteraction, reference.Sample(t, "query/wrapped_query.xml"))
	var responses []string
	for _, name := range reference.Samples(t, "smsp-responses/*.xml") {
		responses = append(responses, reference.Sample(t, name))
	}
	if len(responses) != 9 {
		t.Fatalf("there are %d official responses, want 9", len(responses))
	}
	reference.MustValidate(t, reference.EnvelopeV1, responses...)
	reference.MustValidate(t, reference.EnvelopeV2, responses...)
	for _, response := range responses {
		payload := reference.Element(t, response, hl7, "CP-ISNHSQueryResponse")
		reference.MustValidate(t, reference.Response, payload)
		verdict := reference.Validate(t, reference.NationalResponse, payload)[0]
		if !strings.Contains(verdict, "value") {
			t.Errorf("a response with a value is valid against the national schema: %q", verdict)
		}
	}
}

func TestVerdictsBelongToTheirDocuments(t *testing.T) {
	valid := reference.Sample(t, "query/query_person.xml")
	wrong := strings.Replace(valid, "<cP-ISNHSQuery>", "<cP-ISNHSQuery><oops/>", 1)
	broken := "<CP-ISQueryStub"
	verdicts := reference.Validate(t, reference.Query, wrong, valid, broken, valid)
	for i, valid := range []bool{false, true, false, true} {
		if (verdicts[i] == "") != valid {
			t.Errorf("document %d: %q", i, verdicts[i])
		}
	}
}
