package hl7_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// fuzzLimits keep each try short.
var fuzzLimits = xmlstrict.Limits{Bytes: 64 << 10, Depth: 48, Elements: 2000, Attributes: 32, Name: 256, Value: 16 << 10}

// A query that is accepted is sent on as it was read, with the number that is
// plainly written in it.
func FuzzReadQuery(f *testing.F) {
	for _, seed := range []string{
		personQuery, systemQuery,
		strings.Replace(personQuery, "</queryByParameter>", `</queryByParameter><accessEventType value="true"/>`, 1),
		strings.Replace(personQuery, "<prefix>Ms</prefix>", "bare &amp; text", 1),
		strings.Replace(systemQuery, `<value extension`, `<value root="2.16.840.1.113883.2.1.4.1" extension`, 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		tree, err := xmlstrict.Parse(doc, fuzzLimits)
		if err != nil {
			return
		}
		q, err := hl7.ReadQuery(tree.Root())
		if err != nil {
			if !cmp.Equal(q, cpis.Query{}, sameNumbers) {
				t.Fatal("a refused query is given in part")
			}
			return
		}
		if q.Number.IsZero() || !strings.Contains(doc, q.Number.Digits()) {
			t.Fatal("the number is not written in the query")
		}
		if !hl7.IsUUID(q.ID) || q.Author == nil || q.Time.Precision == 0 || q.Time.ZoneAssumed {
			t.Fatalf("an accepted query lacks something: %+v", q)
		}
		sent := queryDocument(t, q)
		again, err := hl7.ReadQuery(reread(t, sent))
		if err != nil {
			t.Fatalf("what is sent on is refused: %v\n%s", err, sent)
		}
		if diff := cmp.Diff(q, again, sameNumbers); diff != "" {
			t.Fatalf("(-read +sent on):\n%s", diff)
		}
	})
}

// WRD-SPN-12, WRD-RC-03: nothing but the Spine's own statement is "no record",
// and what is found is passed on whole.
func FuzzSpineReply(f *testing.F) {
	for _, seed := range []string{
		body(success(found())), body(notFound()), body(success(payload("", 0, 0))), body(success(payload("", 1, 0, accesses(entry(event, "20260314092653+0000", personAuthor))))),
		body(success(payload("", 0, 1, records(record(ucp, motherSubject))))), body(success(payload("", 0, 1, `<pertinentInformation14 xsi:nil="true"/>`))),
		body(interaction("MCCI_IN010000UK13", acknowledgement("AE", ""), reasonFor("GE002", "ER"))), body(interaction("MCCI_IN010000UK13", acknowledgement("AR", detail("ER", "202")), "")),
		body(`<CP-ISNHSQueryResponse xmlns="urn:hl7-org:v3">` + notFound() + `</CP-ISNHSQueryResponse>`),
		body(success(payload("", 0, 1, records(record(plan("COCT_TP999999GB01", "X", "x", "202601010000", ""), childSubject))))),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		tree, err := xmlstrict.Parse(doc, fuzzLimits)
		if err != nil {
			return
		}
		e := hl7.FindReply(tree.Root())
		if !e.Exists() {
			return
		}
		reply, err := hl7.ReadReply(e)
		answer := judge(reply, err)
		findings, ok := answer.Findings()
		switch answer.Outcome() {
		case cpis.NoRecord:
			mustBeStated(t, tree.Root(), reply)
		case cpis.Found:
			if !ok || len(findings.Records) == 0 || len(findings.Records) != count(tree.Root(), "record") {
				t.Fatal("records are lost or invented")
			}
			if !strings.Contains(doc, "REPC_IN000007GB01") {
				t.Fatal("found by something else than a success reply")
			}
			mustSurvive(t, findings)
		}
		if ok != (answer.Outcome() == cpis.Found) {
			t.Fatal("findings without the outcome found")
		}
	})
}

// mustBeStated checks that a reply read as "no record" says so itself.
func mustBeStated(t *testing.T, root xmlstrict.Element, reply hl7.Reply) {
	t.Helper()
	switch reply.Interaction {
	case hl7.FailedQueryInteraction:
		for _, reason := range reply.Reasons {
			if !reason.Warning && !slices.Contains([]string{"1", "NHSNCC002"}, reason.Code) {
				t.Fatal("no record for another reason than not found")
			}
		}
		if len(reply.Reasons) == 0 || len(reply.Reasons) != count(root, "reason") {
			t.Fatal("no record without a reason, or with reasons that were not read")
		}
	case hl7.SuccessInteraction:
		total := reply.Statement.TotalRecords
		if total == nil || *total != 0 || count(root, "record") != 0 {
			t.Fatal("no record without an explicit 0, or with records that were not read")
		}
	default:
		t.Fatalf("no record from %s", reply.Interaction)
	}
}

// count says how often an HL7 element of that name stands in a reply.
func count(e xmlstrict.Element, local string) int {
	n := 0
	if e.Is(hl7.Namespace, local) {
		n++
	}
	for c := range e.Children() {
		n += count(c, local)
	}
	return n
}

// mustSurvive checks that what was found reaches a client.
func mustSurvive(t *testing.T, f cpis.Findings) {
	t.Helper()
	doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: f, Asked: number(child)})
	_, s, err := hl7.ReadResponse(reread(t, doc))
	if err != nil {
		t.Fatalf("a client cannot read what was found: %v\n%s", err, doc)
	}
	if len(s.Records) != len(f.Records) || len(s.Accesses) != len(f.Accesses) {
		t.Fatal("a client sees other counts")
	}
	for i, record := range f.Records {
		if diff := cmp.Diff(record.Plans, s.Records[i].Plans); diff != "" {
			t.Fatalf("a client sees other plans (-found +seen):\n%s", diff)
		}
		if record.LocalAuthority.Name != s.Records[i].LocalAuthority.Name {
			t.Fatal("a client sees another local authority")
		}
	}
}
