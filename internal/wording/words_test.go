package wording_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// forbidden are the words of DISP-9, as whole words, and every tick.
var forbidden = regexp.MustCompile(`(?i)\b(clear|safe|negative|ok|passed|no concerns?|no alerts?|no flags?|` +
	`not at risk|nothing found|green|certified|approved|assured)\b|[✓✔☑✅🗸]`)

func TestTheForbiddenWordsAreFoundAsWholeWords(t *testing.T) {
	for text, want := range map[string]bool{
		"All clear.": true, "Child is SAFE": true, "No concerns": true, "nothing found": true, "it's OK": true, "✓": true,
		"safeguarding procedure": false, "unclear": false, "Woking": false, "No record found on CP-IS": false,
	} {
		if forbidden.MatchString(text) != want {
			t.Errorf("%q: forbidden %v, want %v", text, !want, want)
		}
	}
}

// told is every answer that a provider's code and notification state can make.
func told() []cpis.Answer {
	var all []cpis.Answer
	codes := []cpis.Code{
		cpis.CodeSuccess, cpis.CodeInputInvalid, cpis.CodeResponseInvalid, cpis.CodeLocalStore, cpis.CodeNotConnected,
		cpis.CodeAuthor, cpis.CodeInternal, cpis.CodeNoRecord, cpis.CodeSpineError, "SMSP-1234", "",
	}
	for _, code := range codes {
		all = append(all, cpis.Told(code, nil, cpis.Findings{}, 0, 0))
		for n := cpis.NotifiedMaybe; n <= cpis.NotifiedYes; n++ {
			all = append(all, cpis.Told(code, &n, cpis.Findings{}, 0, 0))
		}
	}
	return all
}

// everyAnswer is every outcome with every notification that it can have, found
// and not, passed on and withheld.
func everyAnswer(t testing.TB) []cpis.Answer {
	t.Helper()
	all := append(told(), noRecord(), cpis.Answer{})
	for _, o := range cpis.Outcomes() {
		all = append(all, cpis.Failed(o, "test"))
	}
	for _, s := range scenarios(t) {
		all = append(all, s.answer)
	}
	for _, a := range all {
		all = append(all, a.Withheld("test"))
	}
	return all
}

// everyContext is a full and an empty context, and each with one thing changed.
func everyContext(t testing.TB) []wording.Context {
	t.Helper()
	bases := []wording.Context{liveContext(t), {}}
	all := slices.Clone(bases)
	for _, change := range []func(*wording.Context){
		func(c *wording.Context) { c.Live = !c.Live },
		func(c *wording.Context) { c.Number = cpis.NHSNumber{} },
		func(c *wording.Context) { c.ClientName = "" },
		func(c *wording.Context) { c.Reference, c.Contacts = "", "" },
		func(c *wording.Context) { c.ServiceDesk = "" },
		func(c *wording.Context) { c.CheckedAt = summerNight },
		func(c *wording.Context) { c.RetryAfter = 1 },
	} {
		for _, c := range bases {
			change(&c)
			all = append(all, c)
		}
	}
	return all
}

// everything calls f with every answer in every context.
func everything(t testing.TB, f func(cpis.Answer, wording.Context, wording.Document)) {
	t.Helper()
	answers := everyAnswer(t)
	for _, c := range everyContext(t) {
		for _, a := range answers {
			f(a, c, wording.Describe(a, c))
		}
	}
}

// DISP-9, H-01, WRD-SAF-14: no text that the package can produce comforts.
func TestNoTextSaysOrSuggestsThatAPersonIsNotAtRisk(t *testing.T) {
	checked := map[string]bool{}
	check := func(text string) {
		if checked[text] {
			return
		}
		checked[text] = true
		match := forbidden.FindString(text)
		if match != "" {
			t.Fatalf("%q in %q", match, text)
		}
	}
	everything(t, func(a cpis.Answer, _ wording.Context, d wording.Document) {
		check(textOf(t, d))
		check(d.Badge)
	})
	for _, text := range aroundTheAnswer() {
		check(text)
	}
}

func aroundTheAnswer() []string {
	return []string{
		wording.Waiting, wording.WaitingLong, wording.PrintNotice,
		wording.Downtime(""), wording.Downtime("Northshire 0191 498 0150"),
	}
}

// saysTold are the sentences from which a reader learns whether the local
// authority knows of the check.
var saysTold = map[cpis.Notified]*regexp.Regexp{
	cpis.NotifiedNo:    regexp.MustCompile(`\bNo local authority has been told about this (check|attendance)\.`),
	cpis.NotifiedMaybe: regexp.MustCompile(`\bThe local authority may have been told( about this attendance)?\.`),
	cpis.NotifiedYes: regexp.MustCompile(`\bThe local authority has been told about this attendance, but that is not a referral\.|` +
		`\bCP-IS tells the local authority about this check\b`),
}

// WRD-RC-13, H-03, H-04: the text says what the answer knows of the notification,
// and nothing else, in every state.
func TestTheNotificationSentenceAgreesWithTheAnswer(t *testing.T) {
	everything(t, func(a cpis.Answer, _ wording.Context, d wording.Document) {
		text := textOf(t, d)
		for notified, sentence := range saysTold {
			if sentence.MatchString(text) != (notified == a.Notified()) {
				t.Fatalf("%v, notified %v: text about notified %v is there or missing:\n%s", a.Outcome(), a.Notified(), notified, text)
			}
		}
	})
}

// An invitation to repeat, or "nothing was sent", is given only if nobody was told
// (WRD-RC-16, H-03).
func TestARepeatIsInvitedOnlyIfNobodyWasTold(t *testing.T) {
	invited := map[bool]int{}
	everything(t, func(a cpis.Answer, c wording.Context, d wording.Document) {
		text := textOf(t, d)
		for _, invitation := range []string{"You can check again", "Check again in ", "nothing was sent"} {
			if strings.Contains(text, invitation) {
				invited[true]++
				if a.Notified() != cpis.NotifiedNo {
					t.Fatalf("%v, notified %v: %q", a.Outcome(), a.Notified(), invitation)
				}
			}
		}
	})
	if invited[true] == 0 {
		t.Error("no text invites a repeat")
	}
}

// headings and badges belong to one state each (WRD-SAF-01, DISP-8).
var headings = map[cpis.State]string{
	cpis.CurrentPlanFound: "Child protection information found",
	cpis.EndedPlanOnly:    "A past plan was found. CP-IS shows no current plan",
	cpis.UnbornPlanFound:  "Unborn child protection plan found",
	cpis.NoRecordHeld:     "No record found on CP-IS",
	cpis.NotChecked:       "Child protection information could not be checked",
	cpis.ResultNotKnown:   "We do not know the result of this check",
}

var badges = map[cpis.State]*regexp.Regexp{
	cpis.CurrentPlanFound: regexp.MustCompile(`^CP-IS: current plan$`),
	cpis.EndedPlanOnly:    regexp.MustCompile(`^CP-IS: plan ended \d{1,2} [A-Z][a-z]{2} \d{4}$`),
	cpis.UnbornPlanFound:  regexp.MustCompile(`^CP-IS: unborn child plan$`),
	cpis.NoRecordHeld:     regexp.MustCompile(`^CP-IS: no record \(does not mean no risk\)$`),
	cpis.NotChecked:       regexp.MustCompile(`^CP-IS: not checked$`),
	cpis.ResultNotKnown:   regexp.MustCompile(`^CP-IS: result not known$`),
}

var advice = map[cpis.State]string{
	cpis.CurrentPlanFound: "Tell them why the child is here and ask what you need to know.",
	cpis.EndedPlanOnly:    "A plan that has ended does not mean there is no risk now.",
	cpis.UnbornPlanFound:  "If the baby has been born, check the baby using the baby's own NHS number as well.",
	cpis.NoRecordHeld:     "No record does not mean no risk.",
	cpis.NotChecked:       `Do not treat this as "no record".`,
	cpis.ResultNotKnown:   `Do not treat this as "no record".`,
}

// checkEvery holds what every document must have, whatever the answer.
func checkEvery(t testing.TB, c wording.Context, d wording.Document) {
	t.Helper()
	text := textOf(t, d)
	shown := 0
	for state, heading := range headings {
		if strings.Contains(text, heading+" ===") {
			shown++
			if state != d.State {
				t.Errorf("the heading of %q in the state %q", state, d.State)
			}
		}
	}
	if shown != 1 {
		t.Errorf("WRD-SAF-01: %d states shown, want 1", shown)
	}
	if !badges[d.State].MatchString(d.Badge) {
		t.Errorf("DISP-8: badge %q in the state %q", d.Badge, d.State)
	}
	for rule, want := range map[string]string{
		"DISP-7, WRD-SAF-14": advice[d.State],
		"IG-3.17.1":          "NHS Confidential: Personal Data about a patient",
		"DISP-2":             "Source: CP-IS (national system)",
		"WRD-SAF-15":         "Check again at each new attendance.",
		"WRD-IGV-04":         "For professional use only.",
		"H-30":               "call 999.",
		"MSCA-PDS-06":        c.Number.Grouped(),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q is missing in the state %q", rule, want, d.State)
		}
	}
	if !strings.Contains(d.Lead, c.Number.Grouped()) {
		t.Errorf("WRD-SAF-10, H-22: the number asked about does not lead: %q", d.Lead)
	}
	if !c.Number.IsZero() && strings.Contains(text, c.Number.Digits()) {
		t.Error("MSCA-PDS-06: the NHS number is not in groups of 3, 3 and 4")
	}
	if strings.HasPrefix(text, "Test system. This is not real information.") == c.Live {
		t.Error("DISP-12, WRD-SAF-17: the mark of a test system is missing or wrong")
	}
}

func TestEveryTextHasItsStateBadgeAdviceAndLabel(t *testing.T) {
	everything(t, func(_ cpis.Answer, c wording.Context, d wording.Document) { checkEvery(t, c, d) })
}

// TOM-CL-01b: a downtime procedure can be shown.
func TestDowntimeSaysWhatToDo(t *testing.T) {
	text := wording.Downtime("Northshire 0191 498 0150\nSouthborough 0117 496 0250")
	for _, want := range []string{
		"Do not assume that there is no plan.", "every pregnant woman",
		"where they live: Northshire 0191 498 0150; Southborough 0117 496 0250.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	if !strings.HasSuffix(wording.Downtime(" \n"), "Your organisation has not added a contact list. Ask your safeguarding lead, "+
		"or phone the council where the child lives and ask for children's social care.") {
		t.Error("without a contact list the fixed advice is missing")
	}
}
