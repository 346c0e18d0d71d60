//go:build oracle

package hl7_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// WRD-MSG-26: every query and every answer that can be written fits the schemas that
// clients are given.
func TestWrittenPayloadsFitOurSchemas(t *testing.T) {
	var payloads []string
	for _, q := range append(examples(300, queries), queryBy(nadia()), queryBy(hazelbrook())) {
		payloads = append(payloads, queryDocument(t, q))
	}
	for _, f := range examples(300, findings(number(child))) {
		payloads = append(payloads, responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: f, Asked: number(child)}))
	}
	for _, o := range cpis.Outcomes() {
		code := (cpis.Codes{}).Of(o)
		if code == "" || code == cpis.CodeSuccess {
			continue
		}
		empty := cpis.Findings{ID: responseID, Time: cpis.Moment{Written: hl7.FormatTime(time.Now())}}
		payloads = append(payloads, responseDocument(t, hl7.Response{Code: code, Display: code.Display(), Findings: empty}))
	}
	wsdltest.MustValidate(t, ownSchema, payloads...)
}

// A plan of a type that nobody knows yet is passed on although no schema has it,
// ours as little as the official one: better an answer that a strict client must
// look at than a plan that nobody sees (WRD-SAF-07).
func TestUnrecognisedPlanIsInNoSchema(t *testing.T) {
	f := foundStatement().Findings
	f.Records[0].Plans[0] = cpis.Plan{
		Type: cpis.UnrecognisedPlan, Start: cpis.Date{Year: 2026, Month: 1, Day: 2},
		Form: cpis.PlanForm{Template: "COCT_TP146106GB01", Class: "FCPInformation", StartElement: "fCPStartDate", EndElement: "fCPEndDate"},
	}
	doc := responseDocument(t, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: f, Asked: number(child)})
	verdict := wsdltest.Validate(t, ownSchema, doc)[0]
	if !strings.Contains(verdict, "COCT_TP146106GB01") {
		t.Errorf("the verdict is %q", verdict)
	}
}

// What is accepted although it is not described to clients: L13, L14, L18, L19, the
// indicator of WRD-SPN-06 and the qualifier of a name part.
var undescribed = regexp.MustCompile(`attribute '(classCode|moodCode|typeCode|determinerCode|root|codeSystemName|codeSystemVersion|qualifier)' is not allowed` +
	`|attribute 'root': .*'` + strings.ToLower(event) + `'` +
	`|Character content is not allowed, because the content type is empty` +
	`|Element '\{urn:hl7-org:v3\}(semanticsText|accessEventType)': This element is not expected`)

// What the decoder accepts fits the schema, but for the leniencies that are not
// described; what it sends on always does. What it refuses does not fit, but for a
// person without a user id, which XML Schema cannot demand among other ids.
func TestAcceptedQueriesFitOurSchemas(t *testing.T) {
	var accepted, sent, refused []string
	for _, doc := range damaged(4000, personQuery, systemQuery) {
		tree, err := xmlstrict.Parse(doc, limits)
		if err != nil {
			continue
		}
		q, err := hl7.ReadQuery(tree.Root())
		if err != nil {
			refused = append(refused, doc)
			continue
		}
		accepted = append(accepted, doc)
		sent = append(sent, queryDocument(t, q))
	}
	if len(accepted) < 200 || len(refused) < 200 {
		t.Fatalf("%d queries are accepted and %d refused: too few to prove anything", len(accepted), len(refused))
	}
	wsdltest.MustValidate(t, ownSchema, sent...)
	for i, verdict := range wsdltest.Validate(t, ownSchema, accepted...) {
		for complaint := range strings.Lines(verdict) {
			if !undescribed.MatchString(complaint) {
				t.Errorf("accepted, although %s\n%s", complaint, accepted[i])
			}
		}
	}
	valid := 0
	for i, verdict := range wsdltest.Validate(t, ownSchema, refused...) {
		if verdict == "" {
			valid++
			if strings.Contains(refused[i], cpis.OIDUserID) || !strings.Contains(refused[i], "AssignedAuthor") {
				t.Errorf("the schema has what is refused\n%s", refused[i])
			}
		}
	}
	t.Logf("%d accepted, %d refused, of which the schema alone would accept %d", len(accepted), len(refused), valid)
}
