//go:build reference

package itk_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// Every official message fits our schemas in all its parts.
func TestOfficialMessagesFitOurSchemas(t *testing.T) {
	var messages, envelopes []string
	for _, name := range reference.Samples(t, "itk/*.soap.xml") {
		messages = append(messages, reference.Sample(t, name))
	}
	for _, name := range reference.Samples(t, "smsp-responses/*.xml") {
		envelopes = append(envelopes, reference.Sample(t, name))
	}
	if len(messages) != 10 || len(envelopes) != 9 {
		t.Errorf("there are %d messages and %d envelopes", len(messages), len(envelopes))
	}
	wsdltest.MustValidateMessages(t, messages...)
	wsdltest.MustValidate(t, "itk.xsd", envelopes...)
}

// In what our schema demands more than the official ones: rules on requests that
// are no matter of the general form of an envelope (N3 to N6, N15 to N17, N26, N27,
// N31, COR-DEH-04.7).
var stricter = []wsdltest.Difference{
	{What: "one payload", Complaint: `attribute 'count': \[facet 'pattern'\]|\}(manifestitem|payload)': This element is not expected`},
	{What: "a payload that is a question or an answer", Complaint: `\}payload': (Missing child|Character content)`},
	{What: "a manifest that names the payload", Complaint: `manifestItemNamesThePayload`},
	{What: "a service of this interface", Complaint: `attribute 'service': \[facet 'enumeration'\]`},
	{What: "a profile", Complaint: `The attribute 'profileid' is required`},
	{What: "XML", Complaint: `attribute 'mimetype': \[facet 'pattern'\]`},
	{What: "a plain payload", Complaint: `attribute '(base64|compressed|encrypted)': \[facet 'pattern'\]`},
	{What: "the sender's toolkit address", Complaint: `\}senderAddress', attribute 'uri'`},
	{What: "an OID as the type of an identity", Complaint: `\}id', attribute 'type': \[facet 'pattern'\]`},
	{What: "an audit identity and an interaction", Complaint: `\}(manifest|senderAddress|header)': .*Expected is .*(auditIdentity|handlingSpecification)|Missing child element\(s\). Expected is .*handlingSpecification`},
}

// Whatever the official schema refuses in a damaged envelope, ours refuses.
func TestOurEnvelopeAgainstTheOfficialOne(t *testing.T) {
	damagedOnes := damaged(3000)
	for i, doc := range damagedOnes {
		damagedOnes[i] = envelopeIn(t, doc)
	}
	bare := systemRequest()
	bare.audit = ""
	unhandled := systemRequest()
	unhandled.handling = ""
	wsdltest.MustBeStricter(t, "itk.xsd", stricter, map[string][]string{
		reference.EnvelopeV2: append(damagedOnes, envelopeIn(t, bare.String()), envelopeIn(t, unhandled.String())),
	})
}

// The same holds for the detail of faults, whose parts and codes ours enumerates.
func TestOurFaultAgainstTheOfficialOne(t *testing.T) {
	info := reference.Element(t, faultDocument(t, itk.Unavailable()), itk.Namespace, "ToolkitErrorInfo")
	var documents []string
	for _, change := range [][2]string{
		{"ErrorID", "ErrorId"}, {"ErrorCode", "Code"}, {"ErrorText", "Text"}, {"ErrorDiagnosticText", "x"}, {` codeSystem=`, ` system=`},
		{errorID, "1"}, {errorID, ""}, {">2100<", "><"}, {">2100<", ">2101<"}, {`17.268`, `17.516`},
	} {
		documents = append(documents, strings.ReplaceAll(info, change[0], change[1]))
	}
	wsdltest.MustBeStricter(t, "itk.xsd", []wsdltest.Difference{
		{What: "the correlation id", Complaint: `\}ErrorID': \[facet 'pattern'\]`},
		{What: "a code of this interface", Complaint: `\}ErrorCode': \[facet 'enumeration'\]|attribute 'codeSystem': \[facet 'enumeration'\]`},
	}, map[string][]string{reference.ToolkitErrorInfo: documents})
}
