//go:build reference

package divergence_test

import (
	"encoding/xml"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/reference"
)

var envelopeWords = vocabulary{
	opaque: "CP-ISQueryStub",
	values: []string{
		" ", "1", "0", "2", "01", "+1", "-1", "x", "true", "false", "yes", "text/xml", "text/plain", "application/xml", "a b", "é", "1.2.3", "1", "{", "urn:%zz", "urn:x#y#z", "urn:%4", "urn:[x]", ":", "//h:x/", "http://[::1]/", "urn:nhs-uk:identity:ods:RZZ99:%41", "urn:nhs-uk:identity:ods:RZZ99:%4", "urn:nhs-uk:identity:ods:RZZ99:[x]",
		itk.RequestService, itk.ResponseService, itk.InteractionKey, itk.RequestInteraction, itk.ResponseInteraction, itk.AddressType, itk.IdentityType,
		"urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v9-9", "urn:nhs-uk:addressing:ods:RZZ99", "urn:nhs-uk:addressing:", "urn:nhs-uk:addressing:-x",
		"urn:nhs-uk:identity:ods:RZZ99", "urn:nhs-uk:identity:ods:RYY98", "urn:nhs-uk:identity:ods:RZZ99::x", "urn:nhs-uk:identity:gmc:RZZ99", "urn:nhs-uk:identity:ods:RZZ99:a b", "999000444555",
		cpis.OIDASID, cpis.OIDUserID, messageID, "uuid_" + messageID, stampID, "uuid_x", "1x", "_", "nïce",
	},
	attributes: []string{"type", "uri", "key", "value", "count", "id", "mimetype", "profileid", "metadata", "compressed", "base64", "encrypted", "filename", "service", "trackingid", "a"},
	likely: map[string][]any{
		"address":      {is("uri", ":"), is("uri", "urn:[x]"), is("uri", "urn:x#y#z"), is("uri", "a b"), is("uri", "//h:x/")},
		"header":       {is("service", " "+itk.RequestService+" "), is("service", itk.ResponseService)},
		"manifest":     {is("count", "01"), is("count", " 1 "), is("count", "+1"), is("count", "2")},
		"payloads":     {is("count", "01"), is("count", "1 "), is("count", "0"), itkElement("payload", is("id", "uuid_x"))},
		"manifestitem": {is("base64", "true"), is("compressed", "1"), is("encrypted", " true"), is("metadata", " false "), is("metadata", "true"), is("profileid", "urn:nhs-en:profile:x"), is("id", "nïce"), is("id", "uuid_"+messageID), is("mimetype", "text/plain"), attr{name: xml.Name{Space: itkSpace, Local: "note"}, value: "x"}},
		"payload":      {is("id", "nïce"), is("id", "_x"), is("id", "uuid_"+messageID), element("QUPC_IN000006GB01"), itkElement("x")},
		"senderAddress": {is("uri", "urn:nhs-uk:identity:ods:RZZ99"), is("uri", " urn:nhs-uk:addressing:ods:RZZ99:ed "), is("type", itk.AddressType),
			is("uri", "urn:nhs-uk:addressing:-")},
		"spec":                  {is("value", "urn:nhs-itk:interaction:other"), is("key", "urn:x"), is("key", "urn:%4"), is("key", itk.InteractionKey)},
		"handlingSpecification": {itkElement("spec", is("key", itk.InteractionKey), is("value", "x")), itkElement("spec", is("key", "urn:y"), is("value", "z"))},
		"auditIdentity":         {itkElement("id", is("uri", "urn:nhs-uk:identity:ods:RYY98")), itkElement("id", is("uri", "urn:nhs-uk:identity:ods:RZZ99:x")), itkElement("id", is("type", "x"), is("uri", "y"))},
		"id":                    {is("uri", "urn:nhs-uk:identity:ods:RZZ99:"), is("uri", " urn:nhs-uk:identity:ods:RZZ99 "), is("type", cpis.OIDASID), is("uri", "urn:nhs-uk:identity:ods:RZZ991")},
		"DistributionEnvelope":  {attr{name: nilled().name, value: "false"}, attr{name: instanceType, value: "distributionEnvelopeType"}},
	},
	elements: []*node{
		itkElement("id", is("uri", "urn:nhs-uk:identity:ods:RZZ99")), itkElement("address", is("uri", "urn:x")), itkElement("spec", is("key", "urn:y"), is("value", "z")),
		itkElement("spec", is("key", "urn:y")), itkElement("addresslist", itkElement("address", is("uri", "urn:x"))), itkElement("payload", is("id", "uuid_x")),
		itkElement("manifestitem", is("id", "uuid_x"), is("mimetype", "text/xml")), itkElement("senderAddress", is("uri", "urn:nhs-uk:addressing:ods:RZZ99")),
		itkElement("header"), itkElement("payloads"), itkElement("manifest"), itkElement("auditIdentity"), element("CP-ISQueryStub"), elementIn("", "x"),
	},
}

// N3 to N7, N11, N15 to N19, N24, N26 to N28, N31, N33: an envelope is accepted
// exactly if it is valid and breaks none of these rules.
func TestEnvelopes(t *testing.T) {
	subject{envelopes, reference.EnvelopeV2, envelopeLeniencies, envelopeStrictnesses, func(root *node) (string, bool) {
		_, err := itk.ReadRequest(soapAround(root.String()), 1<<20, "", expectations())
		if err != nil {
			return err.Error(), false
		}
		return "", true
	}}.judge(t, samples(2, *messages, generator.envelope, envelopeWords))
}
