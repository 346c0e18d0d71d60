//go:build reference

package hl7_test

import (
	"testing"

	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// Every official payload fits our schemas.
func TestOfficialPayloadsFitOurSchemas(t *testing.T) {
	var payloads []string
	for _, pattern := range []string{"query/*.xml", "spine/request_*.xml", "itk/request_*.xml"} {
		for _, name := range reference.Samples(t, pattern) {
			payloads = append(payloads, reference.Element(t, reference.Sample(t, name), hl7Space, "CP-ISQueryStub"))
		}
	}
	for _, pattern := range []string{"smsp-responses/*.xml", "itk/response_*.xml"} {
		for _, name := range reference.Samples(t, pattern) {
			payloads = append(payloads, reference.Element(t, reference.Sample(t, name), hl7Space, "CP-ISNHSQueryResponse"))
		}
	}
	wsdltest.MustValidate(t, ownSchema, payloads...)
}

// In what our schemas demand more than the official ones: rules that the decoder
// has anyway, and what neither side ever sends.
var stricter = []wsdltest.Difference{
	{What: "a template that CP-IS has", Complaint: `\}contentId', attribute 'extension': \[facet 'enumeration'\]`},
	{What: "an NHS number of ten digits", Complaint: `\}value', attribute 'extension': \[facet 'pattern'\] .* by the pattern '\[0-9\]\{10\}'`},
	{What: "a smartcard's ids of two kinds", Complaint: `'root': \[facet 'enumeration'\] .*\{'1\.2\.826\.0\.1285\.0\.2\.0\.65', `},
	{What: "no two ids of one kind", Complaint: `'\{urn:hl7-org:v3\}oneIdOfAKind'|No precomputed value available`},
	{What: "whole ids", Complaint: `\}id': The attribute '(root|extension)' is required`},
	{What: "a job role with its name", Complaint: `\}code': The attribute '(code|displayName)' is required|\}code', attribute 'code(System)?': \[facet 'pattern'\]`},
	{What: "a plain job role", Complaint: `\}code', attribute 'codeSystem(Name|Version)' .*not allowed|\}code': Character content|\}code', attribute 'codeSystemName'`},
	{What: "a zone with the hours of a question", Complaint: `\}effectiveTime', attribute 'value': \[facet 'pattern'\] .*'\[0-9\]\{4,8\}`},
	{What: "a response code of the list, with its name", Complaint: `\}value', attribute 'code': \[facet 'enumeration'\]|\}value': The attribute 'displayName' is required`},
	{What: "a total that can be one", Complaint: `\}value', attribute 'value': (\[facet 'minInclusive'\]|.* is not a valid value of the local atomic type)`},
	{What: "a use, if any", Complaint: `attribute 'use': \[facet 'pattern'\]`},
	{What: "a name of an organisation that asks", Complaint: `\}name': \[facet 'pattern'\]`},
	{What: "names of the parts that CP-IS uses", Complaint: `\}(delimiter|validTime)': This element is not expected`},
}

// Whatever the official schemas refuse in a damaged payload, ours refuse.
func TestOurSchemaAgainstTheOfficialOnes(t *testing.T) {
	wsdltest.MustBeStricter(t, ownSchema, stricter, map[string][]string{
		reference.Query:    damaged(4000, personQuery, systemQuery),
		reference.Response: damaged(4000, found(), officialResponse(t)),
	})
}

func officialResponse(t *testing.T) string {
	return reference.Element(t, reference.Sample(t, "itk/response_payload_found.xml"), hl7Space, "CP-ISNHSQueryResponse")
}
