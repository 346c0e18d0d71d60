package cpis_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// outcomeTable says for every outcome by which code it is told, whether the
// local authority was notified, and whether the client may ask again.
// response_invalid is "maybe" even if the reply came from CP-IS itself: what
// cannot be trusted proves nothing.
var outcomeTable = map[cpis.Outcome]struct {
	name     string
	code     cpis.Code
	notified cpis.Notified
	again    cpis.Again
	state    cpis.State // of a failure or of no record
}{
	cpis.OutcomeUnknown: {"unknown", "SMSP-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},

	cpis.Found:    {"found", "SMSP-0000", cpis.NotifiedYes, cpis.AgainNotNeeded, cpis.CurrentPlanFound},
	cpis.NoRecord: {"no_record", "CPIS-0001", cpis.NotifiedNo, cpis.AgainNotNeeded, cpis.NoRecordHeld},

	cpis.InputInvalid:          {"input_invalid", "SMSP-0001", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.AuthorRejected:        {"author_rejected", "SMSP-0005", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.AuthorRejectedBySpine: {"author_rejected_by_spine", "SMSP-0005", cpis.NotifiedMaybe, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.NumberSuperseded:      {"number_superseded", "SMSP-0001", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.NumberInvalidated:     {"number_invalidated", "SMSP-0001", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.NumberUnknown:         {"number_unknown", "SMSP-0001", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.NumberMismatch:        {"number_mismatch", "SMSP-0001", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.DemographicsFailed:    {"demographics_unavailable", "SMSP-0004", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.DirectoryFailed:       {"directory_unavailable", "SMSP-0004", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.NotSent:               {"not_sent", "SMSP-0004", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.SentNoAnswer:          {"sent_no_answer", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.AsyncNotAcked:         {"async_not_acked", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.AsyncNoReply:          {"async_no_reply", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineHTTPError:        {"spine_http_error", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineFaultConfig:      {"spine_fault_config", "CPIS-9999", cpis.NotifiedNo, cpis.AgainNeedsOperator, cpis.ResultNotKnown},
	cpis.SpineFault:            {"spine_fault", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineReject:           {"spine_reject", "CPIS-9999", cpis.NotifiedNo, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineDuplicate:        {"spine_duplicate", "SMSP-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineError:            {"spine_error", "CPIS-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.SpineAckOnly:          {"spine_ack_only", "SMSP-0002", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.ResponseInvalid:       {"response_invalid", "SMSP-0002", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.InternalNotSent:       {"internal_not_sent", "SMSP-9999", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.InternalAfterSent:     {"internal", "SMSP-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.AuditFailedAfter:      {"audit_failed_after", "SMSP-9999", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},

	cpis.Refused:             {"refused", "", cpis.NotifiedNo, cpis.AgainAfterCorrection, cpis.NotChecked},
	cpis.RefusedDuplicate:    {"refused_duplicate", "", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
	cpis.AuditFailedBefore:   {"audit_failed_before", "", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.Overloaded:          {"overloaded", "", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.ProviderUnreachable: {"provider_unreachable", "", cpis.NotifiedNo, cpis.AgainYes, cpis.NotChecked},
	cpis.ProviderNoAnswer:    {"provider_no_answer", "", cpis.NotifiedMaybe, cpis.AgainByDecision, cpis.ResultNotKnown},
}

// sent are the codes that a provider may send (WRD-RC-01); SMSP-0003 is not one.
var sent = map[cpis.Code]string{
	"SMSP-0000": "Success",
	"SMSP-0001": "Input message validation error",
	"SMSP-0002": "Response message validation error",
	"SMSP-0004": "Could not connect to spine",
	"SMSP-0005": "Author Credentials Error",
	"SMSP-9999": "Spine mini service provider software failure",
	"CPIS-0001": "No Match (NRF)",
	"CPIS-9999": "CP-IS Spine Service Error",
}

// WRD-RC-12, WRD-RC-13: one total table, and each row has a test.
func TestOutcomeTable(t *testing.T) {
	all := cpis.Outcomes()
	if len(all) != len(outcomeTable) {
		t.Errorf("there are %d outcomes, the specification has %d", len(all), len(outcomeTable))
	}
	for _, outcome := range all {
		t.Run(outcome.String(), func(t *testing.T) {
			want, ok := outcomeTable[outcome]
			if !ok {
				t.Fatal("the outcome is not in the specification")
			}
			if got := outcome.String(); got != want.name {
				t.Errorf("name %q, want %q", got, want.name)
			}
			if got := (cpis.Codes{}).Of(outcome); got != want.code {
				t.Errorf("code %q, want %q", got, want.code)
			}
			if got := outcome.Notified(); got != want.notified {
				t.Errorf("notified %v, want %v", got, want.notified)
			}
			if got := outcome.Again(); got != want.again {
				t.Errorf("again %v, want %v", got, want.again)
			}
			if got := cpis.Failed(outcome, "").State(today); outcome != cpis.Found && outcome != cpis.NoRecord && got != want.state {
				t.Errorf("state %v, want %v", got, want.state)
			}
		})
	}
}

func TestOutcomeNamesAndWords(t *testing.T) {
	snakeCase := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	names := map[string]bool{}
	for _, outcome := range cpis.Outcomes() {
		name := outcome.String()
		if !snakeCase.MatchString(name) || names[name] {
			t.Errorf("the name %q is not unique and in snake case", name)
		}
		names[name] = true
		meaning := outcome.Meaning()
		if len(meaning) < 20 || !strings.HasSuffix(meaning, ".") {
			t.Errorf("%s: %q is not a sentence", name, meaning)
		}
		if reassures.MatchString(meaning) {
			t.Errorf("%s: %q reassures (DISP-9)", name, meaning)
		}
		code := (cpis.Codes{}).Of(outcome)
		_, known := sent[code]
		if code != "" && !known {
			t.Errorf("%s is told by %q, which a provider does not send (WRD-RC-01)", name, code)
		}
	}
}

// reassures is the wording test of DISP-9.
var reassures = regexp.MustCompile(`(?i)\b(clear|safe|negative|ok|passed|no concerns|no alerts|no flags|not at risk|nothing found)\b`)

func TestWordsDoNotReassure(t *testing.T) { // DISP-9
	var words []string
	for s := range cpis.State(8) {
		words = append(words, s.String())
	}
	for a := range cpis.Again(8) {
		words = append(words, a.String())
	}
	for p := range cpis.PlanType(8) {
		words = append(words, p.String())
	}
	for _, w := range words {
		if w == "" || reassures.MatchString(w) {
			t.Errorf("%q reassures or says nothing", w)
		}
	}
}

// WRD-RC-06: whoever may simply ask again can be sure that nobody was notified.
func TestAskingAgainNeverNotifiesTwice(t *testing.T) {
	for _, outcome := range cpis.Outcomes() {
		if outcome.Again() == cpis.AgainYes && outcome.Notified() != cpis.NotifiedNo {
			t.Errorf("%s: the client may simply ask again, but notified is %v", outcome, outcome.Notified())
		}
	}
}

// WRD-RC-04: SMSP-0001 and SMSP-0004 mean that nothing was sent.
func TestCodesThatMeanNothingWasSent(t *testing.T) {
	for _, outcome := range cpis.Outcomes() {
		code := (cpis.Codes{}).Of(outcome)
		if (code == cpis.CodeInputInvalid || code == cpis.CodeNotConnected) && outcome.Notified() != cpis.NotifiedNo {
			t.Errorf("%s is told by %s, but notified is %v", outcome, code, outcome.Notified())
		}
	}
}

func TestOutOfRangeOutcomeIsUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := cpis.Outcome(rapid.Uint8Min(uint8(len(outcomeTable))).Draw(t, "outcome"))
		if o.String() != "unknown" || o.Notified() != cpis.NotifiedMaybe || o.Again() != cpis.AgainByDecision ||
			(cpis.Codes{}).Of(o) != cpis.CodeInternal || o.Meaning() == "" {
			t.Fatalf("Outcome(%d) is told as %q", uint8(o), o)
		}
	})
}

func TestDisplayNames(t *testing.T) {
	for code, want := range sent {
		if got := code.Display(); got != want {
			t.Errorf("Display(%s) = %q, want %q", code, got, want)
		}
	}
	if got := cpis.CodeLocalStore.Display(); got == "No Match (NRF)" || got == "" {
		t.Errorf("Display(SMSP-0003) = %q: it must not say that there is no record", got)
	}
	for _, code := range []cpis.Code{"", "SMSP-0006", "smsp-0000", "DEMOG-0001"} {
		if got := code.Display(); got != "" {
			t.Errorf("Display(%q) = %q, want none", code, got)
		}
	}
}

func TestNotifiedInWords(t *testing.T) {
	for n, want := range map[cpis.Notified]string{cpis.NotifiedMaybe: "maybe", cpis.NotifiedNo: "no", cpis.NotifiedYes: "yes", 9: "maybe"} {
		if got := n.String(); got != want {
			t.Errorf("Notified(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCodesMayBeChanged(t *testing.T) {
	codes, err := cpis.NewCodes(map[string]string{
		"sent_no_answer": "SMSP-9999", "spine_ack_only": "CPIS-9999", "input_invalid": "SMSP-9999", "unknown": "CPIS-9999",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[cpis.Outcome]cpis.Code{
		cpis.SentNoAnswer: "SMSP-9999", cpis.SpineAckOnly: "CPIS-9999", cpis.InputInvalid: "SMSP-9999", cpis.OutcomeUnknown: "CPIS-9999",
	}
	for _, outcome := range cpis.Outcomes() {
		code, changed := want[outcome]
		if !changed {
			code = (cpis.Codes{}).Of(outcome)
		}
		if got := codes.Of(outcome); got != code {
			t.Errorf("Of(%s) = %s, want %s", outcome, got, code)
		}
	}
}

// A configuration can never make a failure look like an answer, nor an answer
// like a failure.
func TestCodeChangesThatAreRefused(t *testing.T) {
	tests := []struct{ name, outcome, code string }{
		{"failure as success", "spine_error", "SMSP-0000"},
		{"failure as no record", "sent_no_answer", "CPIS-0001"},
		{"unknown as no record", "unknown", "CPIS-0001"},
		{"from a local store", "not_sent", "SMSP-0003"},
		{"found as failure", "found", "SMSP-9999"},
		{"found as itself", "found", "SMSP-0000"},
		{"no record as success", "no_record", "SMSP-0000"},
		{"no record as failure", "no_record", "CPIS-9999"},
		{"unknown code", "spine_error", "SMSP-0006"},
		{"empty code", "spine_error", ""},
		{"other case", "spine_error", "cpis-9999"},
		{"unknown outcome", "spine_eror", "CPIS-9999"},
		{"empty outcome", "", "CPIS-9999"},
		{"sent as not sent", "sent_no_answer", "SMSP-0004"},        // WRD-RC-06
		{"sent as invalid input", "response_invalid", "SMSP-0001"}, // WRD-RC-04
		{"told by a fault", "refused", "SMSP-0001"},
		{"told by HTTP", "overloaded", "SMSP-0004"},
		{"told by nobody", "provider_no_answer", "CPIS-9999"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := cpis.NewCodes(map[string]string{test.outcome: test.code})
			if err == nil {
				t.Errorf("%q may be told by %q", test.outcome, test.code)
			}
		})
	}
}

func TestAcceptedCodeChangesKeepAnswersApart(t *testing.T) { // WRD-RC-02, WRD-RC-03, WRD-RC-11
	names := []string{"found", "no_record"}
	for _, o := range cpis.Outcomes() {
		names = append(names, o.String())
	}
	codes := []string{"", "SMSP-0003", "SMSP-0007"}
	for c := range sent {
		codes = append(codes, string(c))
	}
	rapid.Check(t, func(t *rapid.T) {
		changes := rapid.MapOf(rapid.SampledFrom(names), rapid.SampledFrom(codes)).Draw(t, "changes")
		changed, err := cpis.NewCodes(changes)
		if err != nil {
			return
		}
		for _, o := range cpis.Outcomes() {
			code := changed.Of(o)
			if (code == cpis.CodeSuccess) != (o == cpis.Found) || (code == cpis.CodeNoRecord) != (o == cpis.NoRecord) || code == cpis.CodeLocalStore {
				t.Fatalf("%s is told by %s", o, code)
			}
		}
	})
}

// IG-3.9.2c: the names that stand in the audit log can be read back, and no others.
func TestNamesAreReadBack(t *testing.T) {
	for _, want := range cpis.Outcomes() {
		got, err := cpis.ParseOutcome(want.String())
		if err != nil || got != want {
			t.Errorf("%s is read as %s, %v", want, got, err)
		}
	}
	for _, want := range []cpis.Notified{cpis.NotifiedNo, cpis.NotifiedMaybe, cpis.NotifiedYes} {
		got, err := cpis.ParseNotified(want.String())
		if err != nil || got != want {
			t.Errorf("%s is read as %s, %v", want, got, err)
		}
	}
	for _, name := range []string{"", "Found", "found ", "no record"} {
		o, err := cpis.ParseOutcome(name)
		if err == nil || o != cpis.OutcomeUnknown {
			t.Errorf("%q is read as %s", name, o)
		}
		n, err := cpis.ParseNotified(name)
		if err == nil || n != cpis.NotifiedMaybe {
			t.Errorf("%q is read as notified %s", name, n)
		}
	}
}
