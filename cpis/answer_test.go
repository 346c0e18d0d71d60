package cpis_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// sameNumbers lets cmp look into NHS numbers.
var sameNumbers = cmpopts.EquateComparable(cpis.NHSNumber{})

func plan(kind cpis.PlanType, start, end cpis.Date) cpis.Plan {
	return cpis.Plan{Type: kind, Start: start, End: end}
}

// holding is a record about the child with these plans.
func holding(plans ...cpis.Plan) cpis.Record {
	return cpis.Record{
		LocalAuthority: cpis.LocalAuthority{Organisation: cpis.Organisation{Name: "Hazelbrook Borough Council"}},
		Plans:          plans,
		Subjects:       []cpis.Subject{{IDs: []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: child}}}},
	}
}

var (
	past, future = date(2025, 1, 1), date(2026, 6, 1)
	yesterday    = date(2026, 3, 4)

	current    = plan(cpis.ChildProtectionPlan, past, cpis.Date{})
	ended      = plan(cpis.LookedAfterChild, past, yesterday)
	later      = plan(cpis.LookedAfterChild, future, cpis.Date{})
	unborn     = plan(cpis.UnbornChildPlan, past, future)
	unbornPast = plan(cpis.UnbornChildPlan, past, yesterday)
	strange    = plan(cpis.UnrecognisedPlan, past, cpis.Date{})
	strangeEnd = plan(cpis.UnrecognisedPlan, past, yesterday)
)

// found is the answer of a provider that holds these records.
func found(records ...cpis.Record) cpis.Answer {
	return cpis.Told(cpis.CodeSuccess, nil, cpis.Findings{Records: records}, 0, len(records))
}

// DISP-1, DISP-3, WRD-SAF-01: one state, the gravest first.
func TestStateOfFindings(t *testing.T) {
	tests := []struct {
		name    string
		records []cpis.Record
		want    cpis.State
	}{
		{"current", []cpis.Record{holding(current)}, cpis.CurrentPlanFound},
		{"ended", []cpis.Record{holding(ended)}, cpis.EndedPlanOnly},
		{"unborn", []cpis.Record{holding(unborn)}, cpis.UnbornPlanFound},
		{"unborn, past its end", []cpis.Record{holding(unbornPast)}, cpis.UnbornPlanFound},
		{"starts later", []cpis.Record{holding(later)}, cpis.CurrentPlanFound},
		{"type not recognised", []cpis.Record{holding(strange)}, cpis.CurrentPlanFound},
		{"type not recognised, ended", []cpis.Record{holding(strangeEnd)}, cpis.EndedPlanOnly},
		{"ended then current", []cpis.Record{holding(ended, current)}, cpis.CurrentPlanFound},
		{"current then ended", []cpis.Record{holding(current, ended)}, cpis.CurrentPlanFound},
		{"unborn then current", []cpis.Record{holding(unborn, current)}, cpis.CurrentPlanFound},
		{"current then unborn", []cpis.Record{holding(current, unborn)}, cpis.CurrentPlanFound},
		{"ended then unborn", []cpis.Record{holding(ended, unborn)}, cpis.UnbornPlanFound},
		{"unborn then ended", []cpis.Record{holding(unborn, ended)}, cpis.UnbornPlanFound},
		{"all three", []cpis.Record{holding(ended, unborn, current)}, cpis.CurrentPlanFound},
		{"in two records", []cpis.Record{holding(ended), holding(current)}, cpis.CurrentPlanFound},
		{"in two records, current first", []cpis.Record{holding(current), holding(ended)}, cpis.CurrentPlanFound},
		{"ended in two records", []cpis.Record{holding(ended), holding(ended)}, cpis.EndedPlanOnly},
		{"no plan that can be read", []cpis.Record{holding()}, cpis.CurrentPlanFound},
		{"no plan that can be read beside an ended one", []cpis.Record{holding(), holding(ended)}, cpis.CurrentPlanFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := found(test.records...).State(today); got != test.want {
				t.Errorf("State = %v, want %v", got, test.want)
			}
		})
	}
}

// WRD-SAF-01: the order of plans and records never matters.
func TestStateDoesNotDependOnOrder(t *testing.T) {
	rank := func(p cpis.Plan) cpis.State {
		switch {
		case p.Type == cpis.UnbornChildPlan:
			return cpis.UnbornPlanFound
		case p.Status(today) == cpis.PlanEnded:
			return cpis.EndedPlanOnly
		default:
			return cpis.CurrentPlanFound
		}
	}
	gravest := []cpis.State{cpis.CurrentPlanFound, cpis.UnbornPlanFound, cpis.EndedPlanOnly}
	rapid.Check(t, func(t *rapid.T) {
		plans := rapid.SliceOfN(rapid.SampledFrom([]cpis.Plan{current, ended, later, unborn, unbornPast, strange, strangeEnd}), 1, 8).Draw(t, "plans")
		split := rapid.IntRange(1, len(plans)).Draw(t, "split")
		records := []cpis.Record{holding(plans[:split]...)}
		if split < len(plans) {
			records = append(records, holding(plans[split:]...))
		}
		want := cpis.EndedPlanOnly
		for _, state := range slices.Backward(gravest) {
			if slices.ContainsFunc(plans, func(p cpis.Plan) bool { return rank(p) == state }) {
				want = state
			}
		}
		if got := found(records...).State(today); got != want {
			t.Fatalf("State = %v, want %v", got, want)
		}
	})
}

func TestStateOfNoRecord(t *testing.T) {
	if got := cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0).State(today); got != cpis.NoRecordHeld {
		t.Errorf("State = %v, want no record", got)
	}
}

func TestStatesInWords(t *testing.T) {
	want := map[cpis.State]string{
		cpis.ResultNotKnown: "outcome unknown", cpis.NotChecked: "could not be established",
		cpis.CurrentPlanFound: "current plan", cpis.UnbornPlanFound: "unborn plan",
		cpis.EndedPlanOnly: "ended plan only", cpis.NoRecordHeld: "no record", 77: "outcome unknown",
	}
	for state, words := range want {
		if got := state.String(); got != words {
			t.Errorf("State(%d) = %q, want %q", state, got, words)
		}
	}
}

func TestZeroAnswerSaysNothing(t *testing.T) {
	var zero cpis.Answer
	_, ok := zero.Findings()
	if ok || zero.Outcome() != cpis.OutcomeUnknown || zero.Notified() != cpis.NotifiedMaybe || zero.State(today) != cpis.ResultNotKnown {
		t.Errorf("the zero Answer says %v, notified %v, state %v", zero.Outcome(), zero.Notified(), zero.State(today))
	}
}

// WRD-RC-15: no number given to Failed makes a result.
func TestFailedNeverMakesAResult(t *testing.T) {
	for i := range 256 {
		o := cpis.Outcome(i)
		a := cpis.Failed(o, "a reason")
		_, ok := a.Findings()
		if ok || a.Outcome() == cpis.Found || a.Outcome() == cpis.NoRecord || a.Notified() == cpis.NotifiedYes {
			t.Errorf("Failed(%d) is %v, notified %v", i, a.Outcome(), a.Notified())
		}
		state := a.State(today)
		if state != cpis.NotChecked && state != cpis.ResultNotKnown {
			t.Errorf("Failed(%d) is shown as %v", i, state)
		}
		if a.Reason() != "a reason" {
			t.Errorf("Failed(%d): Reason = %q", i, a.Reason())
		}
		_, known := outcomeTable[o]
		failure := known && o != cpis.Found && o != cpis.NoRecord
		if failure && a.Outcome() != o || !failure && a.Outcome() != cpis.OutcomeUnknown {
			t.Errorf("Failed(%d) is %v", i, a.Outcome())
		}
		if a.Notified() != a.Outcome().Notified() {
			t.Errorf("Failed(%d): notified %v", i, a.Notified())
		}
	}
}

// WRD-AUD-05: what could not be recorded is withheld; what is known of the
// notification is not.
func TestWithheld(t *testing.T) {
	answers := map[string]cpis.Answer{
		"found":     found(holding(current)),
		"no record": cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0),
		"not sent":  cpis.Failed(cpis.NotSent, ""),
		"unknown":   {},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			w := answer.Withheld("the disk is full")
			_, ok := w.Findings()
			if ok || w.Outcome() != cpis.AuditFailedAfter || w.State(today) != cpis.ResultNotKnown || w.Reason() != "the disk is full" {
				t.Errorf("withheld: outcome %v, state %v, findings %t", w.Outcome(), w.State(today), ok)
			}
			if w.Notified() != answer.Notified() {
				t.Errorf("notified %v, want %v", w.Notified(), answer.Notified())
			}
		})
	}
}

func notified(n cpis.Notified) *cpis.Notified { return &n }

// A provider's code, and what it says of the notification, as a client may
// understand them (WRD-SUP-06, itk.md 7).
func TestTold(t *testing.T) {
	yes, no, maybe := notified(cpis.NotifiedYes), notified(cpis.NotifiedNo), notified(cpis.NotifiedMaybe)
	nothing := cpis.Findings{}
	one := cpis.Findings{Records: []cpis.Record{holding(current)}, Accesses: []cpis.Access{{Number: number(child)}}}
	tests := []struct {
		name              string
		code              cpis.Code
		told              *cpis.Notified
		findings          cpis.Findings
		accesses, records int
		want              cpis.Outcome
		notified          cpis.Notified
	}{
		{"success", "SMSP-0000", nil, one, 1, 1, cpis.Found, cpis.NotifiedYes},
		{"success, notified", "SMSP-0000", yes, one, 1, 1, cpis.Found, cpis.NotifiedYes},
		{"success without a record", "SMSP-0000", nil, nothing, 0, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"success with fewer records than declared", "SMSP-0000", nil, one, 1, 2, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"success with more records than declared", "SMSP-0000", nil, one, 1, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"success with fewer accesses than declared", "SMSP-0000", nil, one, 2, 1, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"success with more accesses than declared", "SMSP-0000", nil, one, 0, 1, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"unusable success, notified", "SMSP-0000", yes, nothing, 0, 0, cpis.ResponseInvalid, cpis.NotifiedYes},

		{"no record", "CPIS-0001", nil, nothing, 0, 0, cpis.NoRecord, cpis.NotifiedNo},
		{"no record, none notified", "CPIS-0001", no, nothing, 0, 0, cpis.NoRecord, cpis.NotifiedNo},
		{"no record with a record", "CPIS-0001", nil, one, 1, 1, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"no record with a total", "CPIS-0001", nil, nothing, 0, 1, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"no record with an access total", "CPIS-0001", nil, nothing, 1, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"no record with an access", "CPIS-0001", nil, cpis.Findings{Accesses: one.Accesses}, 1, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"no record, but notified", "CPIS-0001", yes, nothing, 0, 0, cpis.ResponseInvalid, cpis.NotifiedYes},

		{"input invalid", "SMSP-0001", nil, nothing, 0, 0, cpis.InputInvalid, cpis.NotifiedNo},
		{"input invalid, none", "SMSP-0001", no, nothing, 0, 0, cpis.InputInvalid, cpis.NotifiedNo},
		{"input invalid, but notified", "SMSP-0001", yes, nothing, 0, 0, cpis.SentNoAnswer, cpis.NotifiedYes},
		{"response invalid", "SMSP-0002", nil, nothing, 0, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"response invalid, notified", "SMSP-0002", yes, nothing, 0, 0, cpis.ResponseInvalid, cpis.NotifiedYes},
		{"not connected", "SMSP-0004", nil, nothing, 0, 0, cpis.NotSent, cpis.NotifiedNo},
		{"not connected, none", "SMSP-0004", no, nothing, 0, 0, cpis.NotSent, cpis.NotifiedNo},
		{"not connected, but perhaps notified", "SMSP-0004", maybe, nothing, 0, 0, cpis.SentNoAnswer, cpis.NotifiedMaybe},
		{"not connected, but notified", "SMSP-0004", yes, nothing, 0, 0, cpis.SentNoAnswer, cpis.NotifiedYes},
		{"author", "SMSP-0005", nil, nothing, 0, 0, cpis.AuthorRejected, cpis.NotifiedNo},
		{"author, none", "SMSP-0005", no, nothing, 0, 0, cpis.AuthorRejected, cpis.NotifiedNo},
		{"author, perhaps notified", "SMSP-0005", maybe, nothing, 0, 0, cpis.AuthorRejectedBySpine, cpis.NotifiedMaybe},
		{"author, notified", "SMSP-0005", yes, nothing, 0, 0, cpis.AuthorRejectedBySpine, cpis.NotifiedYes},
		{"internal", "SMSP-9999", nil, nothing, 0, 0, cpis.InternalAfterSent, cpis.NotifiedMaybe},
		{"internal, none", "SMSP-9999", no, nothing, 0, 0, cpis.InternalNotSent, cpis.NotifiedNo},
		{"internal, notified", "SMSP-9999", yes, nothing, 0, 0, cpis.InternalAfterSent, cpis.NotifiedYes},
		{"spine error", "CPIS-9999", nil, nothing, 0, 0, cpis.SentNoAnswer, cpis.NotifiedMaybe},
		{"spine error, none", "CPIS-9999", no, nothing, 0, 0, cpis.SentNoAnswer, cpis.NotifiedNo},
		{"failure with content", "CPIS-9999", nil, one, 1, 1, cpis.ResponseInvalid, cpis.NotifiedMaybe},
		{"failure with content that was not counted", "SMSP-0004", nil, one, 0, 0, cpis.ResponseInvalid, cpis.NotifiedMaybe},

		{"from a local store", "SMSP-0003", nil, nothing, 0, 0, cpis.OutcomeUnknown, cpis.NotifiedMaybe},
		{"sister service", "DEMOG-0001", nil, nothing, 0, 0, cpis.OutcomeUnknown, cpis.NotifiedMaybe},
		{"no code", "", nil, nothing, 0, 0, cpis.OutcomeUnknown, cpis.NotifiedMaybe},
		{"other case", "cpis-0001", nil, nothing, 0, 0, cpis.OutcomeUnknown, cpis.NotifiedMaybe},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := cpis.Told(test.code, test.told, test.findings, test.accesses, test.records)
			if a.Outcome() != test.want || a.Notified() != test.notified {
				t.Errorf("Told = %v, notified %v; want %v, %v", a.Outcome(), a.Notified(), test.want, test.notified)
			}
			f, ok := a.Findings()
			if ok != (test.want == cpis.Found) {
				t.Errorf("Findings: %t", ok)
			}
			if ok && !cmp.Equal(f, test.findings, sameNumbers) {
				t.Error("the findings are not passed on as they are")
			}
		})
	}
}

// Whatever a provider says, a client never sees a result that contradicts itself.
func TestToldNeverInvents(t *testing.T) {
	codes := []cpis.Code{"SMSP-0000", "SMSP-0001", "SMSP-0002", "SMSP-0003", "SMSP-0004", "SMSP-0005", "SMSP-9999", "CPIS-0001", "CPIS-9999", "", "X"}
	states := []*cpis.Notified{nil, notified(cpis.NotifiedYes), notified(cpis.NotifiedNo), notified(cpis.NotifiedMaybe)}
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom(codes).Draw(t, "code")
		told := rapid.SampledFrom(states).Draw(t, "notified")
		f := cpis.Findings{
			Records:  make([]cpis.Record, rapid.IntRange(0, 2).Draw(t, "records")),
			Accesses: make([]cpis.Access, rapid.IntRange(0, 2).Draw(t, "accesses")),
		}
		accesses, records := rapid.IntRange(-1, 2).Draw(t, "access total"), rapid.IntRange(-1, 2).Draw(t, "record total")
		a := cpis.Told(code, told, f, accesses, records)
		switch a.Outcome() {
		case cpis.NoRecord:
			if code != cpis.CodeNoRecord || len(f.Records)+len(f.Accesses) != 0 || records != 0 || accesses != 0 {
				t.Fatal("no record is said without a statement of it")
			}
		case cpis.Found:
			if code != cpis.CodeSuccess || len(f.Records) == 0 || len(f.Records) != records || len(f.Accesses) != accesses {
				t.Fatal("found is said without a record that was declared")
			}
		default:
			if told != nil && a.Notified() != *told {
				t.Fatalf("the provider said notified %v, the answer says %v", *told, a.Notified())
			}
		}
		if a.Outcome().Again() == cpis.AgainYes && a.Notified() != cpis.NotifiedNo {
			t.Fatal("the client may simply ask again although somebody may have been notified")
		}
	})
}

// IG-3.9.2c: every answer that Ward makes can be made again from its record.
func TestRecordedRebuildsEveryAnswer(t *testing.T) {
	answers := []cpis.Answer{
		{},
		cpis.Told(cpis.CodeSuccess, nil, cpis.Findings{Records: []cpis.Record{holding()}}, 0, 1),
		cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0),
	}
	for _, o := range cpis.Outcomes() {
		answers = append(answers, cpis.Failed(o, "a fixed reason"))
	}
	for _, a := range answers[:len(answers):len(answers)] {
		answers = append(answers, a.Withheld("could not be recorded"))
	}
	for _, want := range answers {
		var findings *cpis.Findings
		f, ok := want.Findings()
		if ok {
			findings = &f
		}
		got, err := cpis.Recorded(want.Outcome(), want.Notified(), want.Reason(), findings)
		if err != nil {
			t.Errorf("%s, notified %s: %v", want.Outcome(), want.Notified(), err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(cpis.Answer{}), sameNumbers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Outcome(), diff)
		}
	}
}

// WRD-RC-15: whatever a record says, Found comes with a record, nothing else with
// findings, and no record only where nobody was notified of one.
func TestRecordedRefusesContradictions(t *testing.T) {
	held := &cpis.Findings{Records: []cpis.Record{holding()}}
	for o := range cpis.Outcome(len(cpis.Outcomes()) + 2) {
		for n := range cpis.NotifiedYes + 2 {
			for name, findings := range map[string]*cpis.Findings{"no findings": nil, "no record": {}, "a record": held} {
				got, err := cpis.Recorded(o, n, "", findings)
				known := int(o) < len(cpis.Outcomes()) && n <= cpis.NotifiedYes
				settled := o.Notified() == cpis.NotifiedMaybe || o.Notified() == n
				content := findings == nil && o != cpis.Found || findings == held && o == cpis.Found
				if (err == nil) != (known && settled && content) {
					t.Errorf("outcome %d (%s), notified %s, %s: %v", o, o, n, name, err)
				}
				if err != nil && got.Outcome() != cpis.OutcomeUnknown {
					t.Errorf("outcome %d, notified %s, %s: refused, and still %s", o, n, name, got.Outcome())
				}
			}
		}
	}
}

// WRD-IGV-01: an answer that is printed tells its outcome, and no number.
func TestAnswerIsPrintedWithoutANumber(t *testing.T) {
	number, err := cpis.ParseNHSNumber("9990000026")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, cpis.Superseded(number)); got != "number_superseded" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}
