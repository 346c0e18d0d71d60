package hl7_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

func written(t rapid.TB, write func(*xmlstrict.Writer)) string {
	t.Helper()
	w := xmlstrict.NewWriter(4096)
	write(w)
	doc, err := w.Bytes()
	if err != nil {
		t.Fatalf("the message cannot be written: %v", err)
	}
	return string(doc)
}

func reread(t rapid.TB, doc string) xmlstrict.Element {
	t.Helper()
	tree, err := xmlstrict.Parse(doc, limits)
	if err != nil {
		t.Fatalf("what was written is not well-formed: %v\n%s", err, doc)
	}
	return tree.Root()
}

func queryDocument(t rapid.TB, q cpis.Query) string {
	return written(t, func(w *xmlstrict.Writer) { hl7.WriteQuery(w, q) })
}

func responseDocument(t rapid.TB, r hl7.Response) string {
	return written(t, func(w *xmlstrict.Writer) { hl7.WriteResponse(w, r) })
}

// WRD-MSG-23: a query is sent on as it was asked, in every character.
func TestQueryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queries.Draw(t, "query")
		doc := queryDocument(t, q)
		got, err := hl7.ReadQuery(reread(t, doc))
		if err != nil {
			t.Fatalf("refused: %v\n%s", err, doc)
		}
		if diff := cmp.Diff(q, got, sameNumbers); diff != "" {
			t.Fatalf("(-sent +read):\n%s", diff)
		}
	})
}

// WRD-MSG-23: an answer arrives as it was found, in every character.
func TestResponseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := numbers.Draw(t, "number")
		f := findings(n).Draw(t, "findings")
		doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: f, Asked: n})
		code, got, err := hl7.ReadResponse(reread(t, doc))
		if err != nil {
			t.Fatalf("refused: %v\n%s", err, doc)
		}
		if code != cpis.CodeSuccess || got.TotalAccesses == nil || *got.TotalAccesses != len(f.Accesses) || got.TotalRecords == nil || *got.TotalRecords != len(f.Records) {
			t.Fatalf("code %q, totals %v and %v", code, got.TotalAccesses, got.TotalRecords)
		}
		if diff := cmp.Diff(f, got.Findings, sameNumbers); diff != "" {
			t.Fatalf("(-sent +read):\n%s", diff)
		}
		answer := cpis.Told(code, nil, got.Findings, *got.TotalAccesses, *got.TotalRecords)
		if answer.Outcome() != cpis.Found {
			t.Fatalf("the client understands %v", answer.Outcome())
		}
	})
}

// WRD-MSG-07: the order of the elements of a response.
func TestResponseOrder(t *testing.T) {
	doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: foundStatement().Findings, Asked: number(child)})
	root := treeOf(doc)
	var names []string
	for _, c := range root.children {
		names = append(names, c.name.Local)
	}
	want := []string{
		"effectiveTime", "id", "value", "pertinentInformation11", "pertinentInformation12",
		"pertinentInformation13", "pertinentInformation13", "pertinentInformation14",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if root.name.Local != "CP-ISNHSQueryResponse" || root.name.Space != hl7Space {
		t.Errorf("root %v", root.name)
	}
	value := root.children[2]
	if got := value.String(); got != `<value xmlns="urn:hl7-org:v3" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="SMSP-0000" displayName="Success"></value>` {
		t.Errorf("value: %s", got)
	}
	if strings.Contains(doc, "schemaLocation") || strings.Contains(doc, "classCode") || strings.Contains(doc, `=""`) {
		t.Error("the payload has something that is prohibited on the wire")
	}
}

// WRD-MSG-08, WRD-RC-05: no code but success brings content, even if the writer
// is given some.
func TestOnlySuccessHasContent(t *testing.T) {
	codes := []cpis.Code{
		cpis.CodeInputInvalid, cpis.CodeResponseInvalid, cpis.CodeNotConnected, cpis.CodeAuthor,
		cpis.CodeInternal, cpis.CodeNoRecord, cpis.CodeSpineError, cpis.CodeLocalStore, "",
	}
	for _, code := range codes {
		doc := responseDocument(t, hl7.Response{Code: code, Display: "x", Findings: foundStatement().Findings, Asked: number(child)})
		if strings.Contains(doc, "pertinentInformation13") || strings.Contains(doc, "pertinentInformation14") || strings.Contains(doc, child) {
			t.Errorf("%s has content", code)
		}
		if strings.Count(doc, `<value value="0"/>`) != 2 {
			t.Errorf("%s: both totals must be 0: %s", code, doc)
		}
	}
}

// What the Spine leaves out or orders otherwise is written as the schema wants it
// (WRD-MSG-09).
func TestResponseRepairsForm(t *testing.T) {
	subject := func(ids []cpis.Identifier, parts ...cpis.NamePart) string {
		f := foundStatement().Findings
		f.Records[0].Subjects[0].IDs = ids
		f.Records[0].Subjects[0].Name.Parts = parts
		return responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Findings: f, Asked: number(child)})
	}
	robin := []cpis.NamePart{{Kind: "given", Text: "Robin"}, {Kind: "family", Text: "Testcase"}}
	tests := []struct{ name, doc, want string }{
		{"a child without id gets the number asked about", subject(nil, robin...), `<COCT_TP145101GB01.Child><id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/><childPerson>`},
		{"given before family", subject(nil, robin[1], robin[0]), `<name><given>Robin</given><family>Testcase</family></name>`},
		{"several given names in one", subject(nil, robin[0], cpis.NamePart{Kind: "given", Text: "Ada"}, robin[1]), `<name><given>Robin Ada</given><family>Testcase</family></name>`},
		{"prefix and suffix are kept", subject(nil, cpis.NamePart{Kind: "prefix", Text: "Miss"}, robin[0], robin[1], cpis.NamePart{Kind: "suffix", Text: "II"}), `<name><given>Miss Robin</given><family>Testcase II</family></name>`},
		{"no family name", subject(nil, robin[0]), `<name><given>Robin</given><family/></name>`},
		{"no end date is no element", subject(nil, robin...), `</cPPStartDate></component></COCT_TP146105GB01.CPPInformation>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(test.doc, test.want) {
				t.Errorf("not written: %s\nin %s", test.want, test.doc)
			}
		})
	}
}

// WRD-SAF-07: a plan that is not recognised is passed on as it came.
func TestUnrecognisedPlanRoundTrip(t *testing.T) {
	for _, end := range []string{"", "202602010000"} {
		strange := plan("COCT_TP999999GB01", "XYZInformation", "xYZ", "202601010000", end)
		_, s := mustReadResponse(t, payload("SMSP-0000", 0, 1, records(record(strange, childSubject))))
		doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Findings: s.Findings, Asked: number(child)})
		if !strings.Contains(doc, strange) {
			t.Errorf("the plan is written differently: %s", doc)
		}
		_, again := mustReadResponse(t, doc)
		if diff := cmp.Diff(s.Findings, again.Findings, sameNumbers); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	}
}

// Bare texts beside each other do not run together.
func TestBareNameTexts(t *testing.T) {
	person := nadia()
	person.Name = cpis.PersonName{Parts: []cpis.NamePart{{Text: "Sister"}, {Text: "Quill"}, {Kind: "suffix", Text: "RN"}}}
	if doc := queryDocument(t, queryBy(person)); !strings.Contains(doc, "<name>Sister Quill<suffix>RN</suffix></name>") {
		t.Errorf("written as %s", doc)
	}
}

func interactionBy(author cpis.Author) hl7.Interaction {
	return hl7.Interaction{
		ID: sentID, Created: time.Date(2026, 7, 14, 10, 27, 1, 5, time.FixedZone("BST", 3600)),
		VersionCode: "v3INF_DMSv5.7:FIN", FromASID: "999000444555", ToASID: "999000777888", Query: queryBy(author),
	}
}

func interactionDocument(t rapid.TB, i hl7.Interaction) string {
	return written(t, func(w *xmlstrict.Writer) { hl7.WriteInteraction(w, i) })
}

// WRD-SPN-01 to 03: what the Spine checks of a query.
func TestInteraction(t *testing.T) {
	for name, author := range map[string]cpis.Author{"person": nadia(), "system": hazelbrook()} {
		t.Run(name, func(t *testing.T) {
			doc := interactionDocument(t, interactionBy(author))
			root := treeOf(doc)
			if root.name.Local != "QUPC_IN000006GB01" || root.name.Space != hl7Space {
				t.Fatalf("root %v", root.name)
			}
			attributes := map[string]string{}
			counts := map[string]int{}
			root.walk("", func(path string, n *node) {
				counts[n.name.Local]++
				for _, a := range n.attrs {
					attributes[path+"/@"+a.Name.Local] = a.Value
				}
			})
			want := map[string]string{
				"id/@root":                                      sentID,
				"creationTime/@value":                           "20260714092701",
				"versionCode/@code":                             "v3INF_DMSv5.7:FIN",
				"interactionId/@root":                           "2.16.840.1.113883.2.1.3.2.4.12",
				"interactionId/@extension":                      "QUPC_IN000006GB01",
				"processingCode/@code":                          "P",
				"processingModeCode/@code":                      "T",
				"acceptAckCode/@code":                           "NE",
				"communicationFunctionRcv/device/id/@extension": "999000777888",
				"communicationFunctionSnd/device/id/@extension": "999000444555",
				"communicationFunctionSnd/device/id/@root":      "1.2.826.0.1285.0.2.0.107",
				"ControlActEvent/author1/AgentSystemSDS/agentSystemSDS/id/@extension":  "999000444555",
				"ControlActEvent/subject/CP-ISQueryStub/cP-ISNHSQuery/id/@root":        event,
				"ControlActEvent/author/AgentPersonSDS/id/@extension":                  "999000111333",
				"ControlActEvent/author/AgentPersonSDS/id/@root":                       "1.2.826.0.1285.0.2.0.67",
				"ControlActEvent/author/AgentPersonSDS/agentPersonSDS/id/@extension":   "999000111222",
				"ControlActEvent/author/AgentPersonSDS/part/partSDSRole/id/@extension": "R8003",
				"ControlActEvent/author/AgentPersonSDS/part/partSDSRole/id/@root":      "1.2.826.0.1285.0.2.1.104",
			}
			for path, value := range want {
				if name == "system" && strings.Contains(path, "AgentPersonSDS") {
					value = ""
				}
				if got := attributes[path]; got != value {
					t.Errorf("%s is %q, want %q", path, got, value)
				}
			}
			if counts["author1"] != 1 || counts["ControlActEvent"] != 1 || counts["communicationFunctionRcv"] != 1 || counts["communicationFunctionSnd"] != 1 || counts["CP-ISQueryStub"] != 1 {
				t.Errorf("elements stand in the wrong number: %v", counts)
			}
			if counts["accessEventType"] != 0 {
				t.Error("an indicator of a silent read is sent (WRD-SPN-06)")
			}
		})
	}
}

// A person without a role profile is named in the query only.
func TestInteractionOfAPersonWithoutRoleProfile(t *testing.T) {
	person := nadia()
	person.IDs = person.IDs[:1]
	doc := interactionDocument(t, interactionBy(person))
	if strings.Contains(doc, "AgentPersonSDS") || strings.Count(doc, "<author1 ") != 1 {
		t.Errorf("the control act has the wrong authors: %s", doc)
	}
}

// WRD-SPN-03: what the Spine receives is the query that was asked.
func TestInteractionCarriesTheQuery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := interactionBy(nil)
		i.Query = queries.Draw(t, "query")
		root := reread(t, interactionDocument(t, i))
		var stub xmlstrict.Element
		for e := range root.Children() {
			for subject := range e.Children() {
				for payload := range subject.Children() {
					if payload.Is(hl7.Namespace, hl7.QueryRoot) {
						stub = payload
					}
				}
			}
		}
		got, err := hl7.ReadQuery(stub)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(i.Query, got, sameNumbers); diff != "" {
			t.Fatalf("(-asked +sent):\n%s", diff)
		}
	})
}
