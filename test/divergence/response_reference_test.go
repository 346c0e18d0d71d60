//go:build reference

package divergence_test

import (
	"encoding/xml"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var responseWords = vocabulary{
	values: []string{
		" ", "0", "1", "-1", "2", "9999999999", "x", "NI", "true", "L", "EC", "WP", "H", "tel:1", "tel:", "mailto:x", "SMSP-0000", "CPIS-0001", "OK",
		child, "9990000026", "999 000 0018", "41CE9F70-8253-4EBF-9061-A394817060F5", "41ce9f70-8253-4ebf-9061-a394817060f5",
		"20260314092653+0000", "20260314", "202603140926", "20260314092653", "202613140926", "2026-03-14", "1.2.3", "a-b",
		cpis.OIDUserID, cpis.OIDASID, cpis.OIDOrganisation, cpis.OIDNHSNumber, cpis.OIDLocalPatient, cpis.OIDResponseCodes,
		"COCT_TP146105GB01#CPPInformation", "COCT_TP145101GB01#Child", "COCT_TP145104GB01#System",
	},
	attributes: []string{"root", "extension", "code", "codeSystem", "displayName", "value", "use", "assigningAuthorityName", "nullFlavor", "classCode", "moodCode", "typeCode", "qualifier"},
	likely: map[string][]any{
		"pertinentInformation13": {nilled(), element("pertinentCP-ISNHSQuery", nilled())},
		"pertinentInformation14": {nilled(), is("nullFlavor", "NI")},
		"record":                 {nilled(), element("templateId", is("root", "1.2"))},
		"component1":             {nilled()},
		"value":                  {is("value", "202613140926"), is("value", "20260314"), is("code", "CPIS-0001"), is("extension", "9990000026")},
		"name":                   {element("family", "Quill"), is("use", "L")},
	},
	elements: []*node{
		element("code", is("code", "04")), element("templateId", is("root", "1.2")), element("accessEventType", is("value", "true")), element("given", "Sam"), element("title", "Dr"),
		element("telecom", is("value", "tel:1"), is("use", "HP")), element("record"), element("id", is("root", cpis.OIDNHSNumber), is("extension", child)), element("note", "x"),
		elementIn("urn:example:other", "note"), element("value", is("value", "1")), element("pertinentInformation14"), element("pertinentInformation15"), element("subject"),
	},
}

var replyLimits = xmlstrict.Limits{Bytes: 1 << 20, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}

func TestResponses(t *testing.T) {
	_ = xml.Name{}
	list := samples(3, generator.response, responseWords)
	var written []string
	for _, m := range list {
		written = append(written, m.root.String())
	}
	verdicts := reference.Validate(t, reference.Response, written...)
	for i, m := range list {
		tree, err := xmlstrict.Parse(written[i], replyLimits)
		if err != nil {
			continue
		}
		_, _, err = hl7.ReadResponse(tree.Root())
		if m.change == "" && (err != nil || verdicts[i] != "") {
			t.Fatalf("%v %s\n%s", err, verdicts[i], written[i])
		}
		if err == nil && verdicts[i] != "" {
			t.Logf("LENIENT %s", verdicts[i])
		}
		if err != nil && verdicts[i] == "" {
			t.Logf("STRICT %v (%s)", err, m.change)
		}
	}
}
