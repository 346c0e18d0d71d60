package hl7_test

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
)

var sameNumbers = cmpopts.EquateComparable(cpis.NHSNumber{})

func number(digits string) cpis.NHSNumber {
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		panic("a test uses a malformed NHS number")
	}
	return n
}

const (
	child  = "9990000018"
	mother = "9990000026"
	other  = "9990000034"
	event  = "41CE9F70-8253-4EBF-9061-A394817060F5"
)

// The two author forms of a query.
const (
	personQuery = `<CP-ISQueryStub xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><cP-ISNHSQuery>
		<effectiveTime value="20260314092653+0000"/><id root="` + event + `"/>` + personAuthor + parameter + `</cP-ISNHSQuery></CP-ISQueryStub>`

	personAuthor = `<author><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145102GB01#AssignedAuthor"/>
		<COCT_TP145102GB01.AssignedAuthor><code code="R8003" codeSystem="1.2.826.0.1285.0.2.1.104" displayName="Nurse"/>
		<id root="1.2.826.0.1285.0.2.0.65" extension="999000111222"/><id root="1.2.826.0.1285.0.2.0.67" extension="999000111333"/>
		<assignedAuthorPerson><name use="L"><prefix>Ms</prefix><given>Nadia</given><family>Quill</family></name></assignedAuthorPerson>
		<representedOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="RZZ99"/><name>Hazelbrook Hospital</name></representedOrganization>
		</COCT_TP145102GB01.AssignedAuthor></author>`

	systemQuery = `<CP-ISQueryStub xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><cP-ISNHSQuery>
		<effectiveTime value="20260314092653+0000"/><id root="` + event + `"/>` + systemAuthor + parameter + `</cP-ISNHSQuery></CP-ISQueryStub>`

	systemAuthor = `<author><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145104GB01#System"/>
		<COCT_TP145104GB01.System><id root="1.2.826.0.1285.0.2.0.107" extension="999000444555"/>
		<indirectAuthority><superiorAssignedEntity><code code="R0580" codeSystem="1.2.826.0.1285.0.2.1.104" displayName="Nurse Manager"/>
		<assignedPerson><name><prefix>Mr</prefix><given>Idris</given><family>Thorne</family></name></assignedPerson></superiorAssignedEntity></indirectAuthority>
		<maintainingOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.2" extension="RZZ99"/><name>Hazelbrook Hospital</name></maintainingOrganization>
		</COCT_TP145104GB01.System></author>`

	parameter = `<queryByParameter><person.NHSnumber><value extension="9990000018"/></person.NHSnumber></queryByParameter>`
)

func nadia() cpis.Person {
	return cpis.Person{
		Role:        cpis.Coded{Code: "R8003", System: "1.2.826.0.1285.0.2.1.104", Display: "Nurse"},
		IDs:         []cpis.Identifier{{Root: cpis.OIDUserID, Extension: "999000111222"}, {Root: cpis.OIDRoleProfile, Extension: "999000111333"}},
		Name:        cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "prefix", Text: "Ms"}, {Kind: "given", Text: "Nadia"}, {Kind: "family", Text: "Quill"}}},
		Represented: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
	}
}

func hazelbrook() cpis.System {
	return cpis.System{
		ASID: "999000444555",
		Authorities: []cpis.IndirectAuthority{{
			Role: cpis.Coded{Code: "R0580", System: "1.2.826.0.1285.0.2.1.104", Display: "Nurse Manager"},
			Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "prefix", Text: "Mr"}, {Kind: "given", Text: "Idris"}, {Kind: "family", Text: "Thorne"}}},
		}},
		Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDSite, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
	}
}

func queryBy(author cpis.Author) cpis.Query {
	return cpis.Query{
		ID:     event,
		Time:   cpis.Moment{Written: "20260314092653+0000", Time: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), Precision: cpis.ToSecond},
		Author: author,
		Number: number(child),
	}
}

// mustAccept reads a query that the specification allows.
func mustAccept(t *testing.T, doc string) cpis.Query {
	t.Helper()
	q, err := hl7.ReadQuery(parse(t, doc))
	if err != nil {
		t.Fatalf("refused: %v\n%s", err, doc)
	}
	return q
}

// mustRefuse reads a query that the specification forbids: the error is an
// *hl7.Error, and nothing of the query is given.
func mustRefuse(t *testing.T, doc string) {
	t.Helper()
	q, err := hl7.ReadQuery(parse(t, doc))
	var violation *hl7.Error
	if !errors.As(err, &violation) {
		t.Fatalf("the error is %v, want an *hl7.Error\n%s", err, doc)
	}
	if violation.Error() != violation.Rule || strings.Contains(violation.Rule, "999") {
		t.Errorf("the error is told as %q", violation.Error())
	}
	if violation.Line == 0 || violation.Column == 0 || violation.Rule == "" {
		t.Errorf("the error does not say where and why: %+v", violation)
	}
	if !cmp.Equal(q, cpis.Query{}, sameNumbers) {
		t.Error("a refused query is given in part")
	}
}

func TestQueryIsRead(t *testing.T) { // WRD-MSG-05
	if diff := cmp.Diff(queryBy(nadia()), mustAccept(t, personQuery), sameNumbers); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(queryBy(hazelbrook()), mustAccept(t, systemQuery), sameNumbers); diff != "" {
		t.Errorf("system (-want +got):\n%s", diff)
	}
}

// What may be left out of the two queries. Everything else is mandatory.
var optional = []string{
	"without cP-ISNHSQuery/author/AssignedAuthor/id[2]",
	"without cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/@use",
	"without cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/prefix",
	"without cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/given",
	"without cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/family",
	"without cP-ISNHSQuery/author/System/indirectAuthority",
	"without cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/code/@codeSystem",
	"without cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/prefix",
	"without cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/given",
	"without cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/family",
	"twice cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/prefix",
	"twice cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/given",
	"twice cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/family",
	"twice cP-ISNHSQuery/author/System/indirectAuthority",
	"twice cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/prefix",
	"twice cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/given",
	"twice cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/family",
	"later cP-ISNHSQuery/author/AssignedAuthor/id",
	"later cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/prefix",
	"later cP-ISNHSQuery/author/AssignedAuthor/assignedAuthorPerson/name/given",
	"later cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/prefix",
	"later cP-ISNHSQuery/author/System/indirectAuthority/superiorAssignedEntity/assignedPerson/name/given",
}

// N34: each element and attribute left out, doubled and moved in turn.
func TestEveryPartOfAQueryIsDemanded(t *testing.T) {
	met := map[string]bool{}
	for form, doc := range map[string]string{"person": personQuery, "system": systemQuery} {
		root := treeOf(doc)
		mustAccept(t, root.String())
		for _, c := range slices.Concat(removals(root), repetitions(root), exchanges(root)) {
			t.Run(form+" "+c.name, func(t *testing.T) {
				c.apply()
				defer c.undo()
				if slices.Contains(optional, c.name) {
					met[c.name] = true
					mustAccept(t, root.String())
					return
				}
				mustRefuse(t, root.String())
			})
		}
	}
	for _, name := range optional {
		if !met[name] {
			t.Errorf("the exception %q is of no use", name)
		}
	}
}

// N34: an element or an attribute that has no place, put in every place.
func TestNothingMayBeAddedToAQuery(t *testing.T) {
	elements := []xml.Name{
		{Space: hl7Space, Local: "extra"}, {Space: "urn:example:other", Local: "extra"}, {Local: "extra"},
		{Space: hl7Space, Local: "templateId"}, {Space: hl7Space, Local: "realmCode"},
	}
	attributes := []xml.Attr{
		{Name: xml.Name{Local: "extra"}, Value: "1"},
		{Name: xml.Name{Local: "nullFlavor"}, Value: "NI"},
		{Name: xml.Name{Local: "updateMode"}, Value: "A"},
		{Name: xml.Name{Local: "classCode"}, Value: "NOT"},
		{Name: xml.Name{Local: "typeCode"}, Value: "NOT"},
		{Name: xml.Name{Space: instance, Local: "nil"}, Value: "true"},
		{Name: xml.Name{Space: instance, Local: "type"}, Value: "II"},
		{Name: xml.Name{Space: "urn:example:other", Local: "extension"}, Value: "1"},
	}
	for form, doc := range map[string]string{"person": personQuery, "system": systemQuery} {
		root := treeOf(doc)
		var list []change
		for _, name := range elements {
			list = append(list, insertions(root, name)...)
		}
		for _, attr := range attributes {
			list = append(list, markings(root, attr)...)
		}
		for _, c := range list {
			t.Run(form+" "+c.name, func(t *testing.T) {
				c.apply()
				defer c.undo()
				mustRefuse(t, root.String())
			})
		}
	}
}

// L18: structural attributes with their fixed value are dropped; with another
// value they are not.
func TestFixedAttributesAreDropped(t *testing.T) {
	tests := []struct{ query, element, attributes string }{
		{personQuery, "cP-ISNHSQuery", `classCode="CACT" moodCode="EVN"`},
		{personQuery, "author", `typeCode="AUT"`},
		{personQuery, "COCT_TP145102GB01.AssignedAuthor", `classCode="ASSIGNED"`},
		{personQuery, "assignedAuthorPerson", `classCode="PSN" determinerCode="INSTANCE"`},
		{personQuery, "representedOrganization", `classCode="ORG" determinerCode="INSTANCE"`},
		{systemQuery, "COCT_TP145104GB01.System", `classCode="MNT"`},
		{systemQuery, "indirectAuthority", `typeCode="INDAUTH"`},
		{systemQuery, "superiorAssignedEntity", `classCode="ASSIGNED"`},
		{systemQuery, "assignedPerson", `classCode="PSN" determinerCode="INSTANCE"`},
		{systemQuery, "maintainingOrganization", `classCode="ORG" determinerCode="INSTANCE"`},
		{personQuery, "CP-ISQueryStub", `xmlns:i="` + instance + `" i:schemaLocation="urn:hl7-org:v3 a.xsd"`},
		{personQuery, "CP-ISQueryStub", `xmlns:i="` + instance + `" i:noNamespaceSchemaLocation="a.xsd"`},
	}
	for _, test := range tests {
		t.Run(test.element+" "+test.attributes, func(t *testing.T) {
			plain := mustAccept(t, test.query)
			marked := mustAccept(t, strings.Replace(test.query, "<"+test.element, "<"+test.element+" "+test.attributes, 1))
			if diff := cmp.Diff(plain, marked, sameNumbers); diff != "" {
				t.Errorf("the attributes change the query:\n%s", diff)
			}
			if !strings.Contains(test.attributes, "xmlns") {
				last := test.attributes[:len(test.attributes)-1] + `X"`
				mustRefuse(t, strings.Replace(test.query, "<"+test.element, "<"+test.element+" "+last, 1))
			}
		})
	}
}

func TestQueryLeniencies(t *testing.T) {
	tests := []struct{ name, old, new string }{
		{"L18 root of NHS numbers", `<value extension`, `<value root="2.16.840.1.113883.2.1.4.1" extension`},
		{"L18 semanticsText", `<person.NHSnumber>`, `<person.NHSnumber><semanticsText>Person.NHSnumber</semanticsText>`},
		{"L19 lower-case UUID", event, strings.ToLower(event)},
		{"L14 comment between elements", `<queryByParameter>`, `<!-- 1 --><queryByParameter><!-- 2 -->`},
		{"L14 comment within an empty element", `<value extension="9990000018"/>`, `<value extension="9990000018"><!-- --></value>`},
		{"L14 white space within an empty element", `<value extension="9990000018"/>`, "<value extension=\"9990000018\">\n\t</value>"},
		{"L13 white space around a name", `>Hazelbrook Hospital<`, ">\n\tHazelbrook Hospital <"},
		{"L13 white space around a name part", `<given>Nadia</given>`, "<given>\n Nadia </given>"},
		{"white space between name parts", `<family>Quill</family>`, "\n  <family>Quill</family>\n"},
		{"name parts that are not filled in", `<family>`, `<given/><suffix> </suffix><family>`},
		{"part qualifier", `<given>Nadia`, `<given qualifier="CL">Nadia`},
		{"accessEventType true", `</queryByParameter>`, `</queryByParameter><accessEventType value="true"/>`},
		{"accessEventType true as text", `</queryByParameter>`, `</queryByParameter><accessEventType>true</accessEventType>`},
		{"code system name", `codeSystem=`, `codeSystemName="Roles" codeSystemVersion="1" codeSystem=`},
	}
	want := mustAccept(t, personQuery)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(personQuery, test.old) {
				t.Fatal("the test changes nothing")
			}
			got := mustAccept(t, strings.Replace(personQuery, test.old, test.new, 1))
			if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
				t.Errorf("read differently (-want +got):\n%s", diff)
			}
		})
	}
}

// N34, N35, WRD-VAL-20, WRD-SPN-06: values that are not allowed.
func TestQueryValuesThatAreRefused(t *testing.T) {
	tests := []struct{ name, query, old, new string }{
		{"N35 nine digits", personQuery, child, "999000001"},
		{"N35 eleven digits", personQuery, child, child + "0"},
		{"N35 grouped", personQuery, child, "999 000 0018"},
		{"N35 white space around", personQuery, child, " " + child},
		{"N35 line end instead of a digit", personQuery, child, "999000001&#10;"},
		{"N35 letters", personQuery, child, "99900000IB"},
		{"N35 full-width digits", personQuery, child, "９９９００００００１８"},
		{"N35 empty", personQuery, child, ""},
		{"WRD-VAL-20 reference in the number", personQuery, child, "999&#48;000018"},
		{"WRD-VAL-20 hexadecimal reference in the number", personQuery, child, "999&#x30;000018"},
		{"WRD-VAL-20 reference in the event id", personQuery, event, "&#52;" + event[1:]},
		{"WRD-VAL-20 reference in the user id", personQuery, "999000111222", "&#57;99000111222"},
		{"WRD-VAL-20 reference in the role profile", personQuery, "999000111333", "&#57;99000111333"},
		{"WRD-VAL-20 reference in a root", personQuery, `root="1.2.826.0.1285.0.2.0.65"`, `root="&#49;.2.826.0.1285.0.2.0.65"`},
		{"WRD-VAL-20 reference in the organisation", personQuery, "RZZ99", "RZZ&#57;9"},
		{"WRD-VAL-20 a user id that could only be sent on with a reference", personQuery, "999000111222", "999000>11222"},
		{"WRD-VAL-20 a quotation mark in the organisation", personQuery, `"RZZ99"`, `'RZZ"99'`},
		{"WRD-VAL-20 reference in the time", personQuery, "20260314092653", "&#50;0260314092653"},
		{"WRD-VAL-20 reference in the ASID", systemQuery, "999000444555", "&#57;99000444555"},
		{"WRD-VAL-20 text beside the number", personQuery, `"9990000018"/>`, `"9990000018">9990000026</value>`},
		{"a no-break space beside the number", personQuery, `"9990000018"/>`, "\"9990000018\">\u00a0</value>"},
		{"a name that nobody sees", personQuery, "<prefix>Ms</prefix><given>Nadia</given><family>Quill</family>", "<family>\u00a0</family>"},
		{"an organisation that nobody sees", personQuery, "Hazelbrook Hospital", "\u2003"},
		{"WRD-VAL-20 CDATA of white space in a name", personQuery, "<prefix>Ms</prefix>", "<![CDATA[ ]]>"},
		{"WRD-VAL-20 CDATA beside the number", personQuery, `"9990000018"/>`, `"9990000018"><![CDATA[ ]]></value>`},
		{"WRD-VAL-20 comment within a name", personQuery, "Hazelbrook Hospital", "Hazelbrook<!-- --> Hospital"},
		{"WRD-VAL-20 CDATA within a name", personQuery, "Hazelbrook Hospital", "<![CDATA[Hazelbrook]]> Hospital"},
		{"WRD-VAL-20 comment within a name part", personQuery, "Nadia", "Na<!-- -->dia"},
		{"WRD-VAL-20 CDATA within a name part", personQuery, "Nadia", "<![CDATA[Nadia]]>"},
		{"WRD-VAL-20 comment within bare name text", personQuery, "<prefix>Ms</prefix>", "M<!-- -->s"},
		{"root on the number that is not that of NHS numbers", personQuery, `<value extension`, `<value root="2.16.840.1.113883.2.1.3.2.4.18.24" extension`},
		{"other semantics", personQuery, `<person.NHSnumber>`, `<person.NHSnumber><semanticsText>Person.Name</semanticsText>`},
		{"event id with a prefix", personQuery, event, "uuid:" + event},
		{"event id without hyphens", personQuery, event, strings.ReplaceAll(event, "-", "")},
		{"time without zone", personQuery, "20260314092653+0000", "20260314092653"},
		{"time of another form", personQuery, "20260314092653+0000", "2026-03-14T09:26:53Z"},
		{"no real time", personQuery, "20260314092653+0000", "20261314092653+0000"},
		{"empty time", personQuery, "20260314092653+0000", ""},
		{"role without code", personQuery, `code="R8003"`, `code=""`},
		{"role with white space in its code", personQuery, `code="R8003"`, `code="R 8003"`},
		{"role without words", personQuery, `displayName="Nurse"`, `displayName=""`},
		{"role's system is not an OID", personQuery, `codeSystem="1.2.826.0.1285.0.2.1.104"`, `codeSystem="job roles"`},
		{"no user id", personQuery, "1.2.826.0.1285.0.2.0.65", "1.2.826.0.1285.0.2.0.68"},
		{"two user ids", personQuery, "1.2.826.0.1285.0.2.0.67", "1.2.826.0.1285.0.2.0.65"},
		{"an id of another kind", personQuery, "1.2.826.0.1285.0.2.0.67", "1.2.826.0.1285.0.2.0.68"},
		{"organisation of another kind", personQuery, "2.16.840.1.113883.2.1.3.2.4.19.1", "2.16.840.1.113883.2.1.3.2.4.19.3"},
		{"name use that does not exist", personQuery, `use="L"`, `use="LEGAL"`},
		{"name uses joined by a no-break space", personQuery, `use="L"`, "use=\"L\u00a0A\""},
		{"empty name use", personQuery, `use="L"`, `use=""`},
		{"name part that does not exist", personQuery, `<prefix>Ms</prefix>`, `<title>Ms</title>`},
		{"name part of another namespace", personQuery, `<prefix>`, `<prefix xmlns="urn:example:other">`},
		{"no name part with a text", personQuery, `<prefix>Ms</prefix><given>Nadia</given><family>Quill</family>`, `<prefix/><given> </given><family></family>`},
		{"empty name", personQuery, `<prefix>Ms</prefix><given>Nadia</given><family>Quill</family>`, ` `},
		{"empty organisation name", personQuery, `Hazelbrook Hospital`, ` `},
		{"element within a name part", personQuery, `Nadia`, `<b>Nadia</b>`},
		{"text between elements", personQuery, `<queryByParameter>`, `<queryByParameter>x`},
		{"contentId of the other template", personQuery, "COCT_TP145102GB01#AssignedAuthor", "COCT_TP145104GB01#System"},
		{"contentId of the other template", systemQuery, "COCT_TP145104GB01#System", "COCT_TP145102GB01#AssignedAuthor"},
		{"contentId of another root", personQuery, "2.16.840.1.113883.2.1.3.2.4.18.16", "2.16.840.1.113883.2.1.3.2.4.18.17"},
		{"contentId of the HL7 namespace", personQuery, "npfitlc:contentId", "contentId"},
		{"a third kind of author", personQuery, "COCT_TP145102GB01", "COCT_TP145103GB01"},
		{"author of another namespace", personQuery, "<COCT_TP145102GB01.AssignedAuthor>", `<COCT_TP145102GB01.AssignedAuthor xmlns="urn:example:other">`},
		{"ASID of eleven digits", systemQuery, "999000444555", "99900044455"},
		{"ASID with a letter", systemQuery, "999000444555", "99900044455A"},
		{"ASID of another kind", systemQuery, "1.2.826.0.1285.0.2.0.107", "1.2.826.0.1285.0.2.0.108"},
		{"WRD-SPN-06 silent read", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType value="false"/>`},
		{"WRD-SPN-06 silent read as text", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType>false</accessEventType>`},
		{"WRD-SPN-06 empty indicator", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType/>`},
		{"WRD-SPN-06 indicator in other words", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType value="TRUE"/>`},
		{"WRD-SPN-06 attribute against text", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType value="true">false</accessEventType>`},
		{"WRD-SPN-06 indicator with a code", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType code="false" value="true"/>`},
		{"WRD-SPN-06 split indicator", personQuery, `</queryByParameter>`, `</queryByParameter><accessEventType>tr<!-- -->ue</accessEventType>`},
		{"WRD-SPN-06 indicator before the parameter", personQuery, `<queryByParameter>`, `<accessEventType value="true"/><queryByParameter>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(test.query, test.old) {
				t.Fatal("the test changes nothing")
			}
			mustRefuse(t, strings.Replace(test.query, test.old, test.new, 1))
		})
	}
}

// More nominated persons than any real message has are refused, not cut off.
func TestIndirectAuthoritiesAreBounded(t *testing.T) {
	from, to := strings.Index(systemQuery, "<indirectAuthority>"), strings.Index(systemQuery, "<maintainingOrganization>")
	authority := systemQuery[from:to]
	q := mustAccept(t, strings.Replace(systemQuery, authority, strings.Repeat(authority, 16), 1))
	if got := len(q.Author.(cpis.System).Authorities); got != 16 {
		t.Errorf("%d authorities are read, want 16", got)
	}
	mustRefuse(t, strings.Replace(systemQuery, authority, strings.Repeat(authority, 17), 1))
}

// WRD-MSG-23: names of any script and length are kept whole.
func TestNamesAreKeptWhole(t *testing.T) {
	long := strings.Repeat("Safeguarding lead: Ward 7, phone 020 7946 0101. ", 200) + "End"
	names := []string{
		"Ó Súilleabháin", "Łukasiewicz", "Ngũgĩ wa Thiong’o", "محمد الأمين", "משה", "李小龍", "ขวัญใจ", "ᐃᓄᒃᑎᑐᑦ", "𐤀𐤋𐤐", "é", "Zoë & Søn <1>",
		"a\u00a0b", "👩‍⚕️", `"quoted" 'name'`, long,
	}
	for _, name := range names {
		var escaped strings.Builder
		_ = xml.EscapeText(&escaped, []byte(name))
		doc := strings.NewReplacer("Hazelbrook Hospital", escaped.String(), "Nadia", escaped.String(), `displayName="Nurse"`, `displayName="`+escaped.String()+`"`).Replace(personQuery)
		person := mustAccept(t, doc).Author.(cpis.Person)
		if person.Represented.Name != name || person.Name.Part("given") != name || person.Role.Display != name {
			t.Errorf("%.40q is read as %.40q, %.40q, %.40q", name, person.Represented.Name, person.Name.Part("given"), person.Role.Display)
		}
	}
}

// Names of authors may be parts in any order and number, and bare text.
func TestAuthorNames(t *testing.T) {
	const parts = `<prefix>Ms</prefix><given>Nadia</given><family>Quill</family>`
	tests := []struct {
		content string
		want    []cpis.NamePart
	}{
		{"Nadia Quill", []cpis.NamePart{{Text: "Nadia Quill"}}},
		{"Sr <family>Quill</family>, Nadia", []cpis.NamePart{{Text: "Sr"}, {Kind: "family", Text: "Quill"}, {Text: ", Nadia"}}},
		{"<family>Quill</family><suffix>RN</suffix><given>N</given><given>M</given>", []cpis.NamePart{
			{Kind: "family", Text: "Quill"}, {Kind: "suffix", Text: "RN"}, {Kind: "given", Text: "N"}, {Kind: "given", Text: "M"},
		}},
		{"O&apos;Neill &amp; Co", []cpis.NamePart{{Text: "O'Neill & Co"}}},
		{"\n <!-- L14 --> <family>Quill</family> <!-- L14 -->\n", []cpis.NamePart{{Kind: "family", Text: "Quill"}}},
		{"<family>\u00a0Quill\u2003</family>", []cpis.NamePart{{Kind: "family", Text: "\u00a0Quill\u2003"}}}, // WRD-MSG-23
	}
	for _, test := range tests {
		t.Run(test.content, func(t *testing.T) {
			person := mustAccept(t, strings.Replace(personQuery, parts, test.content, 1)).Author.(cpis.Person)
			if diff := cmp.Diff(test.want, person.Name.Parts); diff != "" {
				t.Error(diff)
			}
		})
	}
}
