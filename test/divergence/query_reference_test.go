//go:build reference

package divergence_test

import (
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var queryWords = vocabulary{
	values: []string{
		" ", "1", "x", "L", "PREFERRED", "LEGAL", "AUT", "CACT", "EVN", "ASSIGNED", "PSN", "INSTANCE", "ORG", "MNT", "INDAUTH", "NI", "true",
		child, "9990000026", "999 000 0018", "999000001", "99900000180", "٩٩٩٠٠٠٠٠١٨", "41CE9F70-8253-4EBF-9061-A394817060F5", "41ce9f70-8253-4ebf-9061-a394817060f5",
		"20260314092653+0000", "20260314092653", "20261314", "202", "20260230", "2026031424+00", "20260314092653.5", "20260314+0000", "1.2.3", "1..2", "a-b",
		cpis.OIDUserID, cpis.OIDRoleProfile, cpis.OIDASID, cpis.OIDOrganisation, cpis.OIDSite, cpis.OIDNHSNumber, "999000111222", "99900011122", "R 1",
		"COCT_TP145102GB01#AssignedAuthor", "COCT_TP145104GB01#System", "2.16.840.1.113883.2.1.3.2.4.18.16",
	},
	attributes: []string{
		"root", "extension", "code", "codeSystem", "codeSystemName", "codeSystemVersion", "displayName", "value", "use", "qualifier", "partType", "mediaType",
		"assigningAuthorityName", "nullFlavor", "updateMode", "classCode", "moodCode", "typeCode", "determinerCode", "type", "displayable",
	},
	likely: map[string][]any{
		"CP-ISQueryStub": {is("type", "Message")},
		"cP-ISNHSQuery": {is("classCode", "CACT"), is("moodCode", "EVN"), is("moodCode", "RQO"), element("accessEventType", is("value", "true")), element("accessEventType", "true"),
			element("accessEventType", is("value", "false")), element("code", is("code", "03"))},
		"author":                           {is("typeCode", "AUT"), is("typeCode", "PRF"), is("nullFlavor", "NI")},
		"COCT_TP145102GB01.AssignedAuthor": {is("classCode", "ASSIGNED"), element("templateId", is("root", "1.2"))},
		"COCT_TP145104GB01.System":         {is("classCode", "MNT"), element("indirectAuthority", nilled())},
		"assignedAuthorPerson":             {is("classCode", "PSN"), is("determinerCode", "INSTANCE"), is("determinerCode", "KIND")},
		"representedOrganization":          {is("classCode", "ORG"), is("determinerCode", "INSTANCE")},
		"maintainingOrganization":          {is("classCode", "ORG"), is("determinerCode", "INSTANCE")},
		"indirectAuthority":                {is("typeCode", "INDAUTH"), element("superiorAssignedEntity", nilled())},
		"superiorAssignedEntity":           {wordless, is("classCode", "ASSIGNED"), is("nullFlavor", "NI"), is("updateMode", "A")},
		"effectiveTime":                    {is("value", "2026031409265300+0000"), is("value", "202603140926")},
		"code":                             {is("codeSystemName", "Job roles"), is("codeSystemVersion", "1"), element("originalText", "Nurse"), is("codeSystem", "a-b"), is("codeSystem", "R1"), is("code", " R1 ")},
		"person.NHSnumber":                 {element("semanticsText", "Person.NHSnumber"), element("semanticsText", " Person.NHSnumber\n"), element("semanticsText", "Person.Name")},
		"value":                            {is("root", cpis.OIDNHSNumber), is("root", "1.2.3"), is("extension", "9990000026"), is("extension", "0"), elementIn("urn:example:other", "note")},
		"contentId":                        {is("extension", "COCT_TP145104GB01#System"), is("extension", "COCT_TP145102GB01#AssignedAuthor")},
		"assignedPerson":                   {element("name")},
		"id":                               {is("assigningAuthorityName", "SDS"), is("root", "41ce9f70-8253-4ebf-9061-a394817060f5")},
		"given":                            {is("partType", "GIV"), is("qualifier", "x"), elementIn("urn:example:other", "note")},
		"family":                           {is("partType", "FAM"), is("language", "cy")},
		"name":                             {element("delimiter", ","), element("validTime"), is("use", ""), is("use", "ABC  A"), is("nullFlavor", "UNK")},
	},
	elements: []*node{
		element("semanticsText", "Person.NHSnumber"), element("semanticsText", " Person.NHSnumber\n"), element("accessEventType", is("value", "true")),
		element("accessEventType", "true"), element("accessEventType", is("value", "false")), element("code", is("code", "03")), element("templateId", is("root", "1.2")),
		element("originalText", "x"), element("delimiter", ","), element("validTime"), element("reference"), element("thumbnail"),
		element("given", "Sam"), element("suffix"), element("id", is("root", cpis.OIDUserID), is("extension", "999000111222")), element("id", is("root", cpis.OIDRoleProfile), is("extension", "999000111333")),
		element("indirectAuthority", nilled()), element("indirectAuthority", element("superiorAssignedEntity", nilled())), element("author"), element("x"),
		elementIn("urn:example:other", "note", "x"), elementIn(localisation, "messageType"), element("name", "Hazelbrook"), element("typeId"), element("realmCode"),
	},
}

// wordless takes the words of a job role away.
func wordless(n *node) {
	n.child("code").drop(func(a attr) bool { return a.name.Local == "displayName" })
}

// WRD-VAL-13, WRD-VAL-14, N33 to N35: a query is accepted exactly if it is valid
// and breaks no rule of its own. WRD-SPN-02: it is then sent on as the schema has
// it.
func TestQueries(t *testing.T) {
	list := samples(1, *messages, generator.query, queryWords)
	var sent []string
	subject{queries, reference.Query, queryLeniencies, queryStrictnesses, func(root *node) (string, bool) {
		request, err := itk.ReadRequest(requestAround(root.String()), 1<<20, "", expectations())
		if err != nil {
			return err.Error(), false
		}
		if request.Invalid != nil {
			return request.Invalid.Rule, false
		}
		w := xmlstrict.NewWriter(1 << 12)
		hl7.WriteQuery(w, request.Query)
		doc, err := w.Bytes()
		if err != nil {
			t.Errorf("an accepted query cannot be written: %v", err)
		}
		sent = append(sent, string(doc))
		return "", true
	}}.judge(t, list)
	reference.MustValidate(t, reference.Query, sent...)
}

func expectations() itk.Expectations {
	return itk.Expectations{
		Now: time.Date(2026, time.March, 14, 9, 27, 0, 0, time.UTC), Skew: time.Second, MaxLifetime: time.Hour,
		To:              []string{"https://smsp.ward.example/smsp/cpis"},
		Profiles:        []string{"urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v2-0"},
		Interactions:    []string{itk.RequestInteraction},
		Usernames:       []string{"hazelbrook-ed"},
		AuditIdentities: []string{"urn:nhs-uk:identity:ods:RZZ99"},
		ASID:            "999000444555",
	}
}

// soapAround writes a request around a DistributionEnvelope.
func soapAround(envelope string) string {
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing"` +
		` xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"` +
		` xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"><soap:Header>` +
		`<wsa:MessageID>` + messageID + `</wsa:MessageID><wsa:Action>` + itk.RequestService + `</wsa:Action>` +
		`<wsa:To>https://smsp.ward.example/smsp/cpis</wsa:To><wsse:Security><wsu:Timestamp wsu:Id="` + stampID + `">` +
		`<wsu:Created>2026-03-14T09:26:53Z</wsu:Created><wsu:Expires>2026-03-14T09:36:53Z</wsu:Expires></wsu:Timestamp>` +
		`<wsse:UsernameToken><wsse:Username>hazelbrook-ed</wsse:Username></wsse:UsernameToken></wsse:Security></soap:Header>` +
		`<soap:Body>` + envelope + `</soap:Body></soap:Envelope>`
}

func requestAround(payload string) string {
	return soapAround(`<itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005">` +
		`<itk:header service="` + itk.RequestService + `" trackingid="2FAC7D5E-6031-4C9D-BE4F-81726F5E4D3C">` +
		`<itk:auditIdentity><itk:id uri="urn:nhs-uk:identity:ods:RZZ99:triage-7"/></itk:auditIdentity>` +
		`<itk:manifest count="1"><itk:manifestitem id="uuid_30BD8E6F-7142-4DAE-8F50-9283706F5E4D" mimetype="text/xml" profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"/></itk:manifest>` +
		`<itk:handlingSpecification><itk:spec key="` + itk.InteractionKey + `" value="` + itk.RequestInteraction + `"/></itk:handlingSpecification></itk:header>` +
		`<itk:payloads count="1"><itk:payload id="uuid_30BD8E6F-7142-4DAE-8F50-9283706F5E4D">` + payload + `</itk:payload></itk:payloads></itk:DistributionEnvelope>`)
}
