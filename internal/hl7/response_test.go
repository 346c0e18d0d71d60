package hl7_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
)

const (
	responseID = "52DFA081-9364-4FC0-A172-B4A592817106"
	earlierID  = "63E0B192-A475-40D1-B283-C5B6A3928217"
)

// entry is one entry of the access history.
func entry(id, at, author string) string {
	return `<pertinentCP-ISNHSQuery><effectiveTime value="` + at + `"/><id root="` + id + `"/>` + author + parameter + `</pertinentCP-ISNHSQuery>`
}

// record is what a local authority holds: plans and subjects.
func record(content ...string) string {
	return `<record><communicationFunctionSnd><organisation><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="q99"/>` +
		`<name>Hazelbrook Borough Council</name><telecom value="tel:02079460101" use="WP"/><telecom value="tel:02079460102" use="EC"/>` +
		`</organisation></communicationFunctionSnd><CP-ISRecord>` + strings.Join(content, "") + `</CP-ISRecord></record>`
}

func contentID(template string) string {
	return `<npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="` + template + `"/>`
}

// plan is a plan of any template; an empty end is no component1 at all.
func plan(template, class, element, start, end string) string {
	p := `<pertinentInformation15>` + contentID(template+"#"+class) + `<` + template + `.` + class + `>` +
		`<component><` + element + `StartDate><value value="` + start + `"/></` + element + `StartDate></component>`
	if end != "" {
		p += `<component1><` + element + `EndDate><value value="` + end + `"/></` + element + `EndDate></component1>`
	}
	return p + `</` + template + `.` + class + `></pertinentInformation15>`
}

var (
	cpp = plan("COCT_TP146105GB01", "CPPInformation", "cPP", "202510020900", "")
	lac = plan("COCT_TP146103GB01", "LACInformation", "lAC", "202404190000", "202506300000")
	ucp = plan("COCT_TP146104GB01", "UCPInformation", "uCP", "202601100000", "202606300000")

	childSubject = `<subject>` + contentID("COCT_TP145101GB01#Child") + `<COCT_TP145101GB01.Child>` +
		`<id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/>` +
		`<id root="2.16.840.1.113883.2.1.3.2.4.18.24" extension="LCS-7" assigningAuthorityName="Q99:Hazelbrook"/>` +
		`<childPerson><birthTime value="20180311"/><name><given>Robin</given><family>Testcase</family></name></childPerson></COCT_TP145101GB01.Child></subject>`
	motherSubject = `<subject>` + contentID("COCT_TP145100GB01#UnbornChild") + `<COCT_TP145100GB01.UnbornChild><parentMotherPerson>` +
		`<birthTime value="20050101"/><name><given>Ash</given><family>Testcase</family></name>` +
		`<playedMother><id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/></playedMother></parentMotherPerson></COCT_TP145100GB01.UnbornChild></subject>`
)

// payload is a response payload; totals that are negative are left out.
func payload(code string, accesses, records int, information ...string) string {
	p := `<CP-ISNHSQueryResponse xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<effectiveTime value="20260314092701+0000"/><id root="` + responseID + `"/>`
	if code != "" {
		p += `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="` + code + `" displayName="x"/>`
	}
	if accesses >= 0 {
		p += fmt.Sprintf(`<pertinentInformation11><pertinentTotalReturnedAccessRecords><value value="%d"/></pertinentTotalReturnedAccessRecords></pertinentInformation11>`, accesses)
	}
	if records >= 0 {
		p += fmt.Sprintf(`<pertinentInformation12><pertinentTotalReturnedChildRecords><value value="%d"/></pertinentTotalReturnedChildRecords></pertinentInformation12>`, records)
	}
	return p + strings.Join(information, "") + `</CP-ISNHSQueryResponse>`
}

func accesses(entries ...string) string {
	return `<pertinentInformation13>` + strings.Join(entries, "") + `</pertinentInformation13>`
}

func records(records ...string) string {
	return `<pertinentInformation14><pertinentCP-ISRecordControlAct>` + strings.Join(records, "") + `</pertinentCP-ISRecordControlAct></pertinentInformation14>`
}

// found is an answer with two accesses and one record of two plans.
func found() string {
	return payload("SMSP-0000", 2, 1,
		accesses(entry(earlierID, "20260301221500", systemAuthor)), accesses(entry(event, "20260314092653+0000", personAuthor)),
		records(record(cpp, lac, childSubject)))
}

func foundStatement() cpis.Statement {
	one, two := 1, 2
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	return cpis.Statement{
		TotalAccesses: &two, TotalRecords: &one,
		Findings: cpis.Findings{
			ID:   responseID,
			Time: cpis.Moment{Written: "20260314092701+0000", Time: time.Date(2026, 3, 14, 9, 27, 1, 0, time.UTC), Precision: cpis.ToSecond},
			Accesses: []cpis.Access{
				{
					ID:     earlierID,
					Time:   cpis.Moment{Written: "20260301221500", Time: time.Date(2026, 3, 1, 22, 15, 0, 0, time.UTC), Precision: cpis.ToSecond, ZoneAssumed: true},
					Author: hazelbrook(), Number: number(child),
				},
				{
					ID:     event,
					Time:   cpis.Moment{Written: "20260314092653+0000", Time: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), Precision: cpis.ToSecond},
					Author: nadia(), Number: number(child),
				},
			},
			Records: []cpis.Record{{
				LocalAuthority: cpis.LocalAuthority{
					Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "q99"}, Name: "Hazelbrook Borough Council"},
					Telecoms:     []cpis.Telecom{{Use: "WP", Value: "tel:02079460101"}, {Use: "EC", Value: "tel:02079460102"}},
				},
				Plans: []cpis.Plan{
					{Type: cpis.ChildProtectionPlan, Start: cpis.Date{Year: 2025, Month: 10, Day: 2, Hour: 9}},
					{Type: cpis.LookedAfterChild, Start: cpis.Date{Year: 2024, Month: 4, Day: 19}, End: cpis.Date{Year: 2025, Month: 6, Day: 30}},
				},
				Subjects: []cpis.Subject{{
					IDs: []cpis.Identifier{
						{Root: cpis.OIDNHSNumber, Extension: child},
						{Root: cpis.OIDLocalPatient, Extension: "LCS-7", Authority: "Q99:Hazelbrook"},
					},
					Birth: cpis.Moment{Written: "20180311", Time: day(2018, 3, 11), Precision: cpis.ToDay},
					Name:  cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Robin"}, {Kind: "family", Text: "Testcase"}}},
				}},
			}},
		},
	}
}

func mustReadResponse(t *testing.T, doc string) (cpis.Code, cpis.Statement) {
	t.Helper()
	code, statement, err := hl7.ReadResponse(parse(t, doc))
	if err != nil {
		t.Fatalf("refused: %v\n%s", err, doc)
	}
	return code, statement
}

func mustDistrust(t *testing.T, doc string) {
	t.Helper()
	_, _, err := hl7.ReadResponse(parse(t, doc))
	var violation *hl7.Error
	if !errors.As(err, &violation) || violation.Rule == "" {
		t.Fatalf("the error is %v, want an *hl7.Error\n%s", err, doc)
	}
}

func TestResponseIsRead(t *testing.T) {
	code, got := mustReadResponse(t, found())
	if code != cpis.CodeSuccess {
		t.Errorf("code %q", code)
	}
	if diff := cmp.Diff(foundStatement(), got, sameNumbers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// WRD-SPN-10: what real answers do differently means the same.
func TestDeviationsThatAreAccepted(t *testing.T) {
	_, want := mustReadResponse(t, found())
	one := entry(earlierID, "20260301221500", systemAuthor)
	two := entry(event, "20260314092653+0000", personAuthor)
	tests := []struct{ name, old, new string }{
		{"several accesses in one pertinentInformation13", accesses(one) + accesses(two), accesses(one, two)},
		{"lower-case ids", responseID, strings.ToLower(responseID)},
		{"an id without its twin's case", earlierID, strings.ToLower(earlierID)},
		{"nil end date", `</cPPStartDate></component>`, `</cPPStartDate></component><component1 xsi:nil="true"/>`},
		{"nil end date, as 1", `</cPPStartDate></component>`, `</cPPStartDate></component><component1 xsi:nil="1"/>`},
		{"nil within the end date", `</cPPStartDate></component>`, `</cPPStartDate></component><component1><cPPEndDate xsi:nil="true"/></component1>`},
		{"end date without a value", `</cPPStartDate></component>`, `</cPPStartDate></component><component1><cPPEndDate><value nullFlavor="NI"/></cPPEndDate></component1>`},
		{"end date of an unknown flavour all the way down", `</cPPStartDate></component>`, `</cPPStartDate></component><component1 nullFlavor="NI"><cPPEndDate nullFlavor="NI"><value nullFlavor="NI"/></cPPEndDate></component1>`},
		{"end date with an empty value", `</cPPStartDate></component>`, `</cPPStartDate></component><component1><cPPEndDate><value value=""/></cPPEndDate></component1>`},
		{"fixed elements of the national message", `<id root="` + responseID, `<code code="04"/><templateId root="x"/><id root="` + responseID},
		{"an element that a later version adds to an access", `</queryByParameter></pertinentCP-ISNHSQuery>`, `</queryByParameter><accessEventType value="true"/></pertinentCP-ISNHSQuery>`},
		{"a nil telecom", `<telecom value="tel:02079460101"`, `<telecom xsi:nil="true"/><telecom value="tel:02079460101"`},
		{"a nil second id", `<childPerson>`, `<id nullFlavor="UNK"/><childPerson>`},
		{"a nil access", accesses(one), accesses(one) + `<pertinentInformation13 xsi:nil="true"/>`},
		{"comments and white space", `<record>`, "<!-- a --> <record> <!-- b -->"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := found()
			if !strings.Contains(doc, test.old) {
				t.Fatal("the test changes nothing")
			}
			_, got := mustReadResponse(t, strings.Replace(doc, test.old, test.new, 1))
			if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
				t.Errorf("read differently (-want +got):\n%s", diff)
			}
		})
	}
}

// Deviations that change what is read, but never lose anything (WRD-SPN-10).
func TestDeviationsThatAreKept(t *testing.T) {
	t.Run("a child without id", func(t *testing.T) {
		from, to := strings.Index(childSubject, "<id"), strings.Index(childSubject, "<childPerson>")
		_, s := mustReadResponse(t, payload("SMSP-0000", 0, 1, records(record(cpp, strings.Replace(childSubject, childSubject[from:to], "", 1)))))
		if ids := s.Records[0].Subjects[0].IDs; len(ids) != 0 {
			t.Errorf("ids %v", ids)
		}
	})
	t.Run("family before given", func(t *testing.T) {
		doc := strings.Replace(found(), "<given>Robin</given><family>Testcase</family>", "<family>Testcase</family><given>Robin</given><given>Ada</given>", 1)
		_, s := mustReadResponse(t, doc)
		name := s.Records[0].Subjects[0].Name
		if name.Part("given") != "Robin Ada" || name.Part("family") != "Testcase" {
			t.Errorf("name %v", name)
		}
	})
	t.Run("a date of birth in years", func(t *testing.T) {
		_, s := mustReadResponse(t, strings.Replace(found(), "20180311", "2018", 1))
		if birth := s.Records[0].Subjects[0].Birth; birth.Written != "2018" || birth.Precision != cpis.ToYear {
			t.Errorf("birth %+v", birth)
		}
	})
	t.Run("no telephone number", func(t *testing.T) {
		doc := strings.Replace(found(), `<telecom value="tel:02079460101" use="WP"/><telecom value="tel:02079460102" use="EC"/>`, `<telecom value="tel:" use="EC"/>`, 1)
		_, s := mustReadResponse(t, doc)
		if la := s.Records[0].LocalAuthority; la.EmergencyDuty() != "" || la.OfficeHours() != "" || len(la.Telecoms) != 1 {
			t.Errorf("telecoms %v", la.Telecoms)
		}
	})
	t.Run("a role profile longer than twelve digits", func(t *testing.T) {
		_, s := mustReadResponse(t, strings.Replace(found(), "999000111333", "9990001113334445", 1))
		if p := s.Accesses[1].Author.(cpis.Person); p.RoleProfile() != "9990001113334445" {
			t.Errorf("role profile %q", p.RoleProfile())
		}
	})
	t.Run("no totals", func(t *testing.T) {
		_, s := mustReadResponse(t, payload("SMSP-0000", -1, -1, records(record(cpp, childSubject))))
		if s.TotalAccesses != nil || s.TotalRecords != nil {
			t.Error("totals that were not given are read")
		}
	})
	t.Run("totals that are no numbers", func(t *testing.T) {
		for _, value := range []string{"", "one", "-1", "0 ", "1e0"} {
			doc := strings.Replace(payload("SMSP-0000", 7, 8, records(record(cpp, childSubject))), `value="8"`, `value="`+value+`"`, 1)
			_, s := mustReadResponse(t, doc)
			if s.TotalRecords != nil {
				t.Errorf("%q is read as %d", value, *s.TotalRecords)
			}
		}
	})
	t.Run("several records in all places", func(t *testing.T) { // WRD-SAF-07
		doc := payload("SMSP-0000", 0, 4, records(record(cpp, childSubject), record(lac, childSubject)), records(record(ucp, motherSubject)),
			`<pertinentInformation14><pertinentCP-ISRecordControlAct>`+record(cpp, childSubject)+`</pertinentCP-ISRecordControlAct></pertinentInformation14>`)
		_, s := mustReadResponse(t, doc)
		if len(s.Records) != 4 || s.Records[1].Plans[0].Type != cpis.LookedAfterChild || s.Records[2].Plans[0].Type != cpis.UnbornChildPlan {
			t.Errorf("%d records", len(s.Records))
		}
	})
	t.Run("three plans and a mother who is a child", func(t *testing.T) {
		_, s := mustReadResponse(t, payload("SMSP-0000", 0, 1, records(record(cpp, lac, ucp, childSubject, motherSubject))))
		r := s.Records[0]
		if len(r.Plans) != 3 || len(r.Subjects) != 2 || r.Subjects[0].Mother || !r.Subjects[1].Mother {
			t.Errorf("%d plans, subjects %v", len(r.Plans), r.Subjects)
		}
		if ids := r.Subjects[1].IDs; len(ids) != 1 || ids[0].Extension != child {
			t.Errorf("the mother's ids are %v", ids)
		}
	})
	t.Run("a plan not recognised", func(t *testing.T) { // WRD-SAF-07
		_, s := mustReadResponse(t, payload("SMSP-0000", 0, 1, records(record(plan("COCT_TP999999GB01", "XYZInformation", "xYZ", "202601010000", "202602010000"), childSubject))))
		want := cpis.Plan{
			Start: cpis.Date{Year: 2026, Month: 1, Day: 1}, End: cpis.Date{Year: 2026, Month: 2, Day: 1},
			Form: cpis.PlanForm{Template: "COCT_TP999999GB01", Class: "XYZInformation", StartElement: "xYZStartDate", EndElement: "xYZEndDate"},
		}
		if diff := cmp.Diff(want, s.Records[0].Plans[0]); diff != "" {
			t.Error(diff)
		}
	})
}

// What cannot be read is refused, never dropped: it might be what matters
// (WRD-SAF-07, WRD-RC-05).
func TestResponsesThatAreNotTrusted(t *testing.T) {
	whole := found()
	tests := []struct{ name, old, new string }{
		{"no code", `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="SMSP-0000" displayName="x"/>`, ``},
		{"a value without its code", ` code="SMSP-0000"`, ``},
		{"an empty code", ` code="SMSP-0000"`, ` code=""`},
		{"code of another system", `17.499`, `17.500`},
		{"two codes", `<value codeSystem`, `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="CPIS-0001"/><value codeSystem`},
		{"no id", `<id root="` + responseID + `"/>`, ``},
		{"id that is no UUID", responseID, "1"},
		{"no time", `<effectiveTime value="20260314092701+0000"/>`, ``},
		{"time of another form", "20260314092701+0000", "2026-03-14"},
		{"element not known", `<pertinentInformation11>`, `<pertinentInformation99/><pertinentInformation11>`},
		{"element of another namespace", `<pertinentInformation11>`, `<x xmlns="urn:example:other"/><pertinentInformation11>`},
		{"two record totals", `</pertinentInformation12>`, `</pertinentInformation12><pertinentInformation12><pertinentTotalReturnedChildRecords><value value="0"/></pertinentTotalReturnedChildRecords></pertinentInformation12>`},
		{"two values in a total", `<value value="1"/>`, `<value value="1"/><value value="0"/>`},
		{"a nil total with a value", `<pertinentTotalReturnedChildRecords>`, `<pertinentTotalReturnedChildRecords nullFlavor="NI">`},
		{"a nil container of records that has records", `<pertinentInformation14>`, `<pertinentInformation14 xsi:nil="true">`},
		{"a null record", `<record>`, `<record nullFlavor="NI">`},
		{"a null plan", `<pertinentInformation15>`, `<pertinentInformation15 nullFlavor="NI">`},
		{"a null subject", `<subject>`, `<subject nullFlavor="NI">`},
		{"a record in the response code", `<pertinentInformation11>`, `<templateId><record/></templateId><pertinentInformation11>`},
		{"a null container of records that has records", `<pertinentInformation14>`, `<pertinentInformation14 nullFlavor="NI">`},
		{"a nil container of accesses that has accesses", `<pertinentInformation13>`, `<pertinentInformation13 xsi:nil="true">`},
		{"a nil access that has content", `<pertinentCP-ISNHSQuery>`, `<pertinentCP-ISNHSQuery nullFlavor="NI">`},
		{"a nil record that has content", `<CP-ISRecord>`, `<CP-ISRecord xsi:nil="true">`},
		{"something beside the accesses", `<pertinentInformation13>`, `<pertinentInformation13><other/>`},
		{"something beside the records", `<pertinentInformation14>`, `<pertinentInformation14><other/>`},
		{"something in the control act", `<record>`, `<other/><record>`},
		{"something in a record", `<CP-ISRecord>`, `<other/><CP-ISRecord>`},
		{"something beside the plans", `</CP-ISRecord>`, `<other/></CP-ISRecord>`},
		{"two CP-ISRecord in a record", `</CP-ISRecord>`, `</CP-ISRecord><CP-ISRecord>` + ucp + childSubject + `</CP-ISRecord>`},
		{"two local authorities in a record", `</communicationFunctionSnd>`, `</communicationFunctionSnd><communicationFunctionSnd/>`},
		{"two organisations of a local authority", `</organisation>`, `</organisation><organisation/>`},
		{"no local authority", `<name>Hazelbrook Borough Council</name>`, ``},
		{"a nameless local authority", `Hazelbrook Borough Council`, ` `},
		{"a split name of a local authority", `Hazelbrook Borough`, `Hazelbrook<!-- --> Borough`},
		{"no plan", cpp + lac, ``},
		{"no subject", childSubject, ``},
		{"an empty record", cpp + lac + childSubject, ``},
		{"plan without contentId", contentID("COCT_TP146105GB01#CPPInformation"), ``},
		{"plan whose contentId names another", `COCT_TP146105GB01#CPPInformation`, `COCT_TP146103GB01#LACInformation`},
		{"plan with two contentIds", contentID("COCT_TP146105GB01#CPPInformation"), contentID("COCT_TP146105GB01#CPPInformation") + contentID("COCT_TP146103GB01#LACInformation")},
		{"two plans in one place", `</COCT_TP146105GB01.CPPInformation>`, `</COCT_TP146105GB01.CPPInformation><COCT_TP146105GB01.CPPInformation/>`},
		{"plan of another namespace", `<COCT_TP146105GB01.CPPInformation>`, `<COCT_TP146105GB01.CPPInformation xmlns="urn:example:other">`},
		{"plan without start", `<component><cPPStartDate><value value="202510020900"/></cPPStartDate></component>`, ``},
		{"plan with a nil start", `<component><cPPStartDate>`, `<component xsi:nil="true"><cPPStartDate>`},
		{"plan with two starts", `</cPPStartDate></component>`, `</cPPStartDate></component><component><cPPStartDate><value value="202001010000"/></cPPStartDate></component>`},
		{"plan with two dates in one start", `</cPPStartDate>`, `</cPPStartDate><cPPStartDate><value value="202001010000"/></cPPStartDate>`},
		{"plan with two values in one date", `<value value="202510020900"/>`, `<value value="202510020900"/><value value="202001010000"/>`},
		{"plan whose start is no date", "202510020900", "2025-10-02"},
		{"plan whose end is no date", "202506300000", "soon"},
		{"plan with two ends", `</lACEndDate></component1>`, `</lACEndDate></component1><component1><lACEndDate><value value="203001010000"/></lACEndDate></component1>`},
		{"plan with a nil end that has a value", `<lACEndDate>`, `<lACEndDate nullFlavor="NI">`},
		{"plan with something else", `</COCT_TP146105GB01.CPPInformation>`, `<component2/></COCT_TP146105GB01.CPPInformation>`},
		{"subject whose contentId names another", `COCT_TP145101GB01#Child`, `COCT_TP145100GB01#UnbornChild`},
		{"subject of an unknown kind", `COCT_TP145101GB01`, `COCT_TP145109GB01`},
		{"subject without date of birth", `<birthTime value="20180311"/>`, ``},
		{"subject whose date of birth is no date", "20180311", "11 March 2018"},
		{"two persons in a subject", `</childPerson>`, `</childPerson><childPerson/>`},
		{"two names of a subject", `</name></childPerson>`, `</name><name><given>Other</given></name></childPerson>`},
		{"a split name of a subject", `Robin`, `Ro<!-- -->bin`},
		{"an unknown part of a subject's name", `<given>Robin</given>`, `<nick>Robin</nick>`},
		{"access without number", parameter, `<queryByParameter/>`},
		{"access with two numbers", `<value extension="9990000018"/>`, `<value extension="9990000018"/><value extension="9990000034"/>`},
		{"access with half a number", `<value extension="9990000018"/>`, `<value extension="99900"/>`},
		{"access without id", `<id root="` + earlierID + `"/>`, ``},
		{"access without time", `<effectiveTime value="20260301221500"/>`, ``},
		{"access without author", systemAuthor, ``},
		{"access with two authors", `</COCT_TP145104GB01.System>`, `</COCT_TP145104GB01.System>` + strings.TrimSuffix(strings.TrimPrefix(personAuthor, "<author>"), "</author>")},
		{"access whose contentId names another author", `COCT_TP145104GB01#System`, `COCT_TP145102GB01#AssignedAuthor`},
		{"access by an unknown kind of author", `COCT_TP145104GB01`, `COCT_TP145109GB01`},
		{"a split organisation name in an access", `Hazelbrook Hospital`, `Hazelbrook<!-- -->Hospital`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(whole, test.old) {
				t.Fatal("the test changes nothing")
			}
			doc := strings.Replace(whole, test.old, test.new, 1)
			mustDistrust(t, doc)
		})
	}
}
