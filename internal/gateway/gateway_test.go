package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/shown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log and a Spine that write down what happens in its order.
type journal struct {
	steps   []string
	entries []audit.Entry
	asked   [][]string // ids

	answer      cpis.Answer
	used        int
	spineFails  bool // panics
	logFails    audit.Kind
	deadline    time.Time // of the context that the Spine was given
	afterIntent func()
	replayed    bool // the ids were claimed before
	claims      []audit.Claim
}

var errDisk = errors.New("the disk is full")

func (j *journal) Append(ctx context.Context, e audit.Entry) (int64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if e.Kind == j.logFails {
		j.steps = append(j.steps, string(e.Kind)+" lost")
		return 0, errDisk
	}
	j.steps = append(j.steps, string(e.Kind))
	j.entries = append(j.entries, e)
	if e.Kind == audit.Intent && j.afterIntent != nil {
		j.afterIntent()
	}
	return int64(len(j.entries)), nil
}

func (j *journal) AppendOnce(ctx context.Context, e audit.Entry, c audit.Claim) (int64, error) {
	j.claims = append(j.claims, c)
	if j.replayed {
		j.steps = append(j.steps, string(e.Kind)+" refused")
		return 0, audit.ErrClaimed
	}
	return j.Append(ctx, e)
}

func (j *journal) Ask(ctx context.Context, _ string, _ cpis.Query, ids []string) (cpis.Answer, int) {
	j.steps = append(j.steps, "asked")
	j.asked = append(j.asked, slices.Clone(ids))
	j.deadline, _ = ctx.Deadline()
	if j.spineFails {
		panic("a failure of ours")
	}
	return j.answer, j.used
}

func (j *journal) last() audit.Entry { return j.entries[len(j.entries)-1] }

const (
	budget  = 9 * time.Second
	reserve = 500 * time.Millisecond
)

// gate makes a gateway over a journal.
func gate(j *journal) *gateway.Gateway { return checked(j) }

func checked(j *journal, checks ...gateway.Check) *gateway.Gateway {
	n := 0
	return gateway.New(gateway.Config{
		Budget: budget, RecordReserve: reserve, ConnectRetries: 1,
		Checks: checks,
		Now:    time.Now,
		NewID:  func() string { n++; return fmt.Sprintf("ID-%d", n) },
	}, j, j)
}

func question(t fataler, number string) gateway.Question {
	n, err := cpis.ParseNHSNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Question{
		Correlation: "C-1", Received: time.Now(), Certificate: "ab12", Remote: "192.0.2.1:5000",
		Client:    &clients.Client{Name: "ed", Organisations: []string{"RZZ99"}, Method: clients.Attended, ASID: "999000444555"},
		MessageID: "M-1", TrackingID: "T-1", Username: "ed-system",
		AuditIdentities: []cpis.AuditIdentity{{URI: "urn:nhs-uk:identity:ods:RZZ99:nurse-7"}},
		Query: cpis.Query{ID: "Q-1", Number: n, Author: cpis.System{
			ASID:        "999000444555",
			Authorities: []cpis.IndirectAuthority{{Role: cpis.Coded{Code: "R0580"}}},
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Extension: "rzz99"}},
		}},
	}
}

type fataler interface{ Fatal(...any) }

const child = "9990000018"

func steps(t *testing.T, j *journal, want ...string) {
	t.Helper()
	if !slices.Equal(j.steps, want) {
		t.Errorf("steps %v, want %v", j.steps, want)
	}
}

// found is an answer with one record and one access.
func found(t fataler) cpis.Answer { return foundBy(t, "Hazelbrook Borough Council") }

func foundBy(t fataler, authority string) cpis.Answer {
	q := question(t, child).Query
	one := 1
	return cpis.DefaultRules().Success(q, cpis.Statement{
		Findings: cpis.Findings{
			ID: "F-1",
			Records: []cpis.Record{{
				LocalAuthority: cpis.LocalAuthority{Organisation: cpis.Organisation{Name: authority}},
				Plans:          []cpis.Plan{{Type: cpis.LookedAfterChild, Start: cpis.Date{Year: 2026, Month: 3, Day: 5}}},
			}},
			Accesses: []cpis.Access{{ID: "A-1", Author: q.Author, Number: q.Number}},
		},
		TotalRecords: &one, TotalAccesses: &one,
	})
}

func noRecord() cpis.Answer {
	return cpis.DefaultRules().FailedQuery([]cpis.Reason{{Code: "1"}})
}

// WRD-VAL-16, WRD-SAF-04: a message used before is not asked about again, whether
// it could be asked about or not, and the refusal says that nobody knows from it
// what came of the first one.
func TestReplayIsNotAskedAgain(t *testing.T) {
	until := time.Date(2026, 3, 14, 9, 36, 58, 0, time.UTC)
	for name, number := range map[string]string{"that could be asked": child, "that could not": "9990000019"} {
		j := &journal{replayed: true, answer: noRecord()}
		q := question(t, number)
		q.ReplayIDs, q.ReplayUntil = []string{"message M", "tracking T"}, until
		answer, err := gate(j).Ask(t.Context(), q)
		if err != nil || answer.Outcome() != cpis.RefusedDuplicate || answer.Notified() != cpis.NotifiedMaybe {
			t.Errorf("%s: %v, notified %v (%v)", name, answer.Outcome(), answer.Notified(), err)
		}
		if len(j.asked) > 0 {
			t.Errorf("%s: asked", name)
		}
		e := j.last()
		if e.Kind != audit.Refused || e.Outcome != "refused_duplicate" || e.Notified != "maybe" || e.NHSNumber != number {
			t.Errorf("%s: the log says %+v", name, e)
		}
		want := audit.Claim{Client: "ed", IDs: q.ReplayIDs, Until: until}
		if diff := cmp.Diff([]audit.Claim{want}, j.claims); diff != "" {
			t.Errorf("%s: claims (-want +got):\n%s", name, diff)
		}
	}
}

// If the refusal of a replay cannot be recorded, the client hears that nothing was.
func TestReplayThatCannotBeRecorded(t *testing.T) {
	j := &journal{replayed: true, logFails: audit.Refused}
	_, err := gate(j).Ask(t.Context(), question(t, child))
	if !errors.Is(err, gateway.ErrNotRecorded) || len(j.asked) > 0 {
		t.Errorf("%v, asked %d times", err, len(j.asked))
	}
}

// D6: record, ask, record, answer. Whatever the Spine's outcome, the intent is
// recorded before it is asked, the outcome before it is told, and both say what
// the answer says (WRD-AUD-04, WRD-AUD-05, WRD-RC-12, WRD-RC-13).
func TestOutcomeIsRecordedBeforeItIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom(cpis.Outcomes()).Draw(t, "outcome")
		answer := cpis.Failed(o, "a fixed reason")
		switch o {
		case cpis.Found:
			answer = found(t)
		case cpis.NoRecord:
			answer = noRecord()
		}
		used := rapid.IntRange(1, 2).Draw(t, "used")
		j := &journal{answer: answer, used: used}
		q := question(t, child)
		got, err := gate(j).Ask(context.Background(), q)
		if err != nil || got.Outcome() != answer.Outcome() || got.Notified() != answer.Notified() {
			t.Fatalf("%s told as %s: %v", answer.Outcome(), got.Outcome(), err)
		}
		if !slices.Equal(j.steps, []string{"intent", "asked", "outcome"}) {
			t.Fatalf("steps %v", j.steps)
		}
		intent, outcome := j.entries[0], j.entries[1]
		var codes cpis.Codes
		if outcome.Outcome != got.Outcome().String() || outcome.Notified != got.Notified().String() ||
			outcome.Code != string(codes.Of(got.Outcome())) || outcome.Reason != got.Reason() {
			t.Fatalf("told %s, recorded %+v", got.Outcome(), outcome)
		}
		if !slices.Equal(intent.SpineMessageIDs, []string{"ID-1", "ID-2"}) || !slices.Equal(outcome.SpineMessageIDs, intent.SpineMessageIDs[:used]) ||
			!slices.Equal(j.asked[0], intent.SpineMessageIDs) {
			t.Fatalf("ids: intended %v, given %v, recorded %v", intent.SpineMessageIDs, j.asked[0], outcome.SpineMessageIDs)
		}
		if intent.Outcome != "" || intent.Notified != "" || intent.Code != "" {
			t.Fatalf("an intent with an outcome: %+v", intent)
		}
		for _, e := range j.entries {
			if e.Correlation != q.Correlation || e.NHSNumber != child || e.MessageID != "M-1" || e.TrackingID != "T-1" || e.QueryID != "Q-1" ||
				e.Client != "ed" || e.Organisation != "RZZ99" || e.Username != "ed-system" || e.Certificate != "ab12" ||
				e.Remote != "192.0.2.1:5000" || e.Author == nil || e.Author.Form != "system" || len(e.AuditIdentities) != 1 || e.Time.IsZero() {
				t.Fatalf("entry %+v", e)
			}
		}
		findings, ok := got.Findings()
		if ok != (o == cpis.Found) || outcome.Records != len(findings.Records) || outcome.Accesses != len(findings.Accesses) {
			t.Fatalf("%d records recorded of %d", outcome.Records, len(findings.Records))
		}
		rebuilt, err := shown.Rebuild(outcome) // IG-3.9.2c
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, rebuilt, cmp.AllowUnexported(cpis.Answer{}), cmpopts.EquateComparable(cpis.NHSNumber{})); diff != "" {
			t.Fatalf("the log tells another answer (-told +recorded):\n%s", diff)
		}
		if len(intent.Detail) != 0 || ok != (len(outcome.Detail) != 0) {
			t.Fatalf("details %s and %s", intent.Detail, outcome.Detail)
		}
	})
}

// IG-3.9.2c: what is too long to be recorded whole is not told, and the log says what
// was told instead.
func TestNothingIsToldThatTheLogCannotHold(t *testing.T) {
	j := &journal{answer: foundBy(t, strings.Repeat("N", audit.MaxDetail)), used: 1}
	got, err := gate(j).Ask(t.Context(), question(t, child))
	_, data := got.Findings()
	if err != nil || got.Outcome() != cpis.AuditFailedAfter || got.Notified() != cpis.NotifiedYes || data {
		t.Errorf("%s, notified %s, %v", got.Outcome(), got.Notified(), err)
	}
	steps(t, j, "intent", "asked", "outcome")
	e := j.last()
	if e.Outcome != "audit_failed_after" || e.Notified != "yes" || e.Reason != got.Reason() || e.Records != 0 || len(e.Detail) != 0 || len(e.SpineMessageIDs) != 1 {
		t.Errorf("recorded %s, notified %s, %d records, a detail of %d bytes", e.Outcome, e.Notified, e.Records, len(e.Detail))
	}
}

// WRD-AUD-04: what cannot be recorded is not asked. An intent that may be in the log
// all the same is closed, so that no restart takes it for a question that was asked.
func TestNothingIsAskedWithoutAnIntent(t *testing.T) {
	j := &journal{answer: noRecord(), used: 1, logFails: audit.Intent}
	answer, err := gate(j).Ask(t.Context(), question(t, child))
	if !errors.Is(err, gateway.ErrNotRecorded) || !errors.Is(err, errDisk) || answer.Outcome() != cpis.OutcomeUnknown {
		t.Errorf("%s, %v", answer.Outcome(), err)
	}
	steps(t, j, "intent lost", "outcome")
	closing := j.entries[len(j.entries)-1]
	if closing.Outcome != "audit_failed_before" || closing.Notified != "no" {
		t.Errorf("closed as %s, notified %s", closing.Outcome, closing.Notified)
	}
}

// WRD-AUD-05: what cannot be recorded is not told, but what is known of the
// notification is.
func TestNothingIsToldWithoutAnOutcome(t *testing.T) {
	for _, answer := range []cpis.Answer{found(t), noRecord(), cpis.Failed(cpis.SentNoAnswer, ""), cpis.Failed(cpis.NotSent, "")} {
		j := &journal{answer: answer, used: 1, logFails: audit.Outcome}
		got, err := gate(j).Ask(t.Context(), question(t, child))
		var codes cpis.Codes
		_, data := got.Findings()
		if err != nil || got.Outcome() != cpis.AuditFailedAfter || codes.Of(got.Outcome()) != cpis.CodeInternal || data {
			t.Errorf("%s told as %s, %v", answer.Outcome(), got.Outcome(), err)
		}
		if got.Notified() != answer.Notified() {
			t.Errorf("%s: notified %s, told %s", answer.Outcome(), answer.Notified(), got.Notified())
		}
		steps(t, j, "intent", "asked", "outcome lost")
	}
}

// WRD-VAL-18: a failure of our own while asking has an outcome, and it is recorded.
func TestFailureWhileAskingIsRecorded(t *testing.T) {
	j := &journal{spineFails: true}
	got, err := gate(j).Ask(t.Context(), question(t, child))
	if err != nil || got.Outcome() != cpis.InternalAfterSent || got.Notified() != cpis.NotifiedMaybe {
		t.Errorf("%s, notified %s, %v", got.Outcome(), got.Notified(), err)
	}
	steps(t, j, "intent", "asked", "outcome")
	if e := j.last(); e.Code != "SMSP-9999" || e.Notified != "maybe" || len(e.SpineMessageIDs) != 2 {
		t.Errorf("recorded %+v", e)
	}
}

// What may not be asked is recorded as refused, and nothing is sent (WRD-RC-04,
// WRD-RC-08, WRD-AUD-08). That the client has gone meanwhile keeps nothing out of
// the log.
func TestRefusalsAreRecorded(t *testing.T) {
	cases := map[string]struct {
		change func(*gateway.Question)
		want   cpis.Outcome
	}{
		"payload not valid":  {func(q *gateway.Question) { q.Invalid = "N34"; q.Query = cpis.Query{} }, cpis.InputInvalid},
		"number not valid":   {func(q *gateway.Question) { q.Query.Number, _ = cpis.ParseNHSNumber("9990000019") }, cpis.InputInvalid},
		"other organisation": {func(q *gateway.Question) { q.Client.Organisations = []string{"RYY"} }, cpis.AuthorRejected},
	}
	for name, c := range cases {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s gone=%t", name, gone), func(t *testing.T) {
				j := &journal{}
				q := question(t, child)
				c.change(&q)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if gone {
					cancel()
				}
				got, err := gate(j).Ask(ctx, q)
				if err != nil || got.Outcome() != c.want || got.Notified() != cpis.NotifiedNo {
					t.Errorf("%s, notified %s, %v", got.Outcome(), got.Notified(), err)
				}
				steps(t, j, "refused")
				if e := j.last(); e.Outcome != c.want.String() || e.Notified != "no" || e.Reason == "" || strings.Contains(e.Reason, child) {
					t.Errorf("recorded %+v", e)
				}
				rebuilt, err := shown.Rebuild(j.last())
				if err != nil || rebuilt.Outcome() != got.Outcome() || rebuilt.Notified() != got.Notified() {
					t.Errorf("rebuilt as %s, notified %s, %v", rebuilt.Outcome(), rebuilt.Notified(), err)
				}
			})
		}
	}
	j := &journal{logFails: audit.Refused}
	q := question(t, child)
	q.Invalid = "N34"
	_, err := gate(j).Ask(t.Context(), q)
	if !errors.Is(err, gateway.ErrNotRecorded) {
		t.Errorf("a refusal that was not recorded: %v", err)
	}
}

// WRD-RC-18: a client that goes away after the intent stops neither the question
// nor its record.
func TestClientThatGoesAwayStopsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	j := &journal{answer: found(t), used: 1, afterIntent: cancel}
	got, err := gate(j).Ask(ctx, question(t, child))
	if err != nil || got.Outcome() != cpis.Found {
		t.Errorf("%s, %v", got.Outcome(), err)
	}
	steps(t, j, "intent", "asked", "outcome")
}

// The Spine is given less time than there is, so that some is left for the record.
func TestTimeIsLeftForTheRecord(t *testing.T) {
	j := &journal{answer: noRecord(), used: 1}
	q := question(t, child)
	_, err := gate(j).Ask(t.Context(), q)
	if err != nil || !j.deadline.Equal(q.Received.Add(budget-reserve)) {
		t.Errorf("the Spine has until %s after receiving, %v", j.deadline.Sub(q.Received), err)
	}
}

// A wrong check digit that the policy lets through leaves a trace.
func TestDoubtedNumberIsRecorded(t *testing.T) {
	j := &journal{answer: noRecord(), used: 1}
	g := gateway.New(gateway.Config{
		Numbers: cpis.NumberPolicy{CheckDigit: cpis.RecordCheckDigit},
		Budget:  budget, Now: time.Now, NewID: func() string { return "X" },
	}, j, j)
	_, err := g.Ask(t.Context(), question(t, "9990000019"))
	if err != nil || j.entries[0].Reason == "" {
		t.Errorf("entries %+v, %v", j.entries, err)
	}
}

// WRD-MSG-22: a signature proves nothing here, and its presence is recorded.
func TestSignatureIsRemarkedOn(t *testing.T) {
	j := &journal{answer: noRecord(), used: 1}
	q := question(t, child)
	q.Signed = true
	_, err := gate(j).Ask(t.Context(), q)
	if err != nil || !strings.Contains(j.entries[0].Reason, "signature") {
		t.Errorf("entries %+v, %v", j.entries, err)
	}
}

// WRD-PDS-03: a date of birth is for the comparison alone. The log says that one came
// where none is compared, and never which.
func TestBirthDateIsNotRecorded(t *testing.T) {
	for _, verifies := range []bool{false, true} {
		j := &journal{answer: noRecord(), used: 1}
		q := question(t, child)
		q.BirthDate, q.Client.VerifyNumber = "2019-02-28", verifies
		_, err := gate(j).Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprintf("%+v", j.entries)
		if strings.Contains(said, "2019") || strings.Contains(j.entries[0].Reason, "date of birth") == verifies {
			t.Errorf("verifies %t: recorded %s", verifies, said)
		}
	}
}

// WRD-VAL-18, WRD-RC-07: a failure of our own over a check is recorded, and nobody is
// told that somebody may have been notified: nothing was sent.
func TestFailureOverACheckIsRecorded(t *testing.T) {
	j := &journal{answer: found(t), used: 1}
	g := checked(j, func(context.Context, gateway.Question) gateway.Finding { panic("a failure of ours") })
	got, err := g.Ask(t.Context(), question(t, child))
	if err != nil || got.Outcome() != cpis.InternalNotSent || got.Notified() != cpis.NotifiedNo {
		t.Errorf("%s, notified %s, %v", got.Outcome(), got.Notified(), err)
	}
	steps(t, j, "intent", "outcome")
	if len(j.last().SpineMessageIDs) != 0 {
		t.Errorf("recorded that %v were used", j.last().SpineMessageIDs)
	}
}

// WRD-PDS-05: what a check remarks is recorded with the outcome, also of an answer that
// is withheld.
func TestRemarksOfChecksAreRecorded(t *testing.T) {
	remark := func(context.Context, gateway.Question) gateway.Finding {
		return gateway.Finding{Remark: "not verified"}
	}
	for _, tt := range []struct {
		answer cpis.Answer
		want   string
	}{
		{found(t), "not verified"},
		{cpis.Failed(cpis.SentNoAnswer, "no response came"), "no response came; not verified"},
		{foundBy(t, strings.Repeat("N", audit.MaxDetail)), "what was found is longer than an entry of the audit log can hold; not verified"},
	} {
		j := &journal{answer: tt.answer, used: 1}
		_, err := checked(j, remark).Ask(t.Context(), question(t, child))
		if err != nil || j.last().Reason != tt.want {
			t.Errorf("%s: recorded %q, want %q", tt.answer.Outcome(), j.last().Reason, tt.want)
		}
	}
}

// WRD-PDS-03: checks have half of the time that is left, so that the Spine has the other
// half. A question that is sent too late to be answered is one of unknown outcome.
func TestChecksLeaveTimeForTheSpine(t *testing.T) {
	j := &journal{answer: noRecord(), used: 1}
	q := question(t, child)
	var ends []time.Time
	slow := func(ctx context.Context, _ gateway.Question) gateway.Finding {
		end, _ := ctx.Deadline()
		ends = append(ends, end)
		return gateway.Finding{}
	}
	_, err := checked(j, slow, slow).Ask(t.Context(), q)
	half, all := q.Received.Add((budget-reserve)/2), q.Received.Add(budget-reserve)
	spent := time.Since(q.Received) // at most, when the checks began: half of it is not theirs
	if err != nil || len(ends) != 2 || ends[0] != ends[1] || ends[0].Before(half) || ends[0].After(half.Add(spent/2)) || !j.deadline.Equal(all) {
		t.Errorf("checks until %v, want %v; the Spine until %v, want %v; %v", ends, half, j.deadline, all, err)
	}
}

// WRD-AUD-05: questions that an earlier run left open are closed as unknown.
func TestRecover(t *testing.T) {
	j := &journal{}
	open := []audit.Entry{
		{Kind: audit.Intent, Correlation: "A", NHSNumber: child, SpineMessageIDs: []string{"X"}},
		{Kind: audit.Intent, Correlation: "B"},
	}
	n, err := gateway.Recover(t.Context(), j, open, time.Now)
	if err != nil || n != 2 || len(j.entries) != 2 {
		t.Fatalf("%d of 2, %v", n, err)
	}
	for i, e := range j.entries {
		if e.Kind != audit.Recovered || e.Correlation != open[i].Correlation || e.NHSNumber != open[i].NHSNumber ||
			e.Outcome != "unknown" || e.Notified != "maybe" || e.Time.IsZero() {
			t.Errorf("entry %+v", e)
		}
		rebuilt, err := shown.Rebuild(e)
		if err != nil || rebuilt.Outcome() != cpis.OutcomeUnknown || rebuilt.Notified() != cpis.NotifiedMaybe {
			t.Errorf("rebuilt as %s, notified %s, %v", rebuilt.Outcome(), rebuilt.Notified(), err)
		}
	}
	if len(j.asked) != 0 {
		t.Error("a question was asked again (WRD-SAF-02)")
	}
	j.logFails = audit.Recovered
	n, err = gateway.Recover(t.Context(), j, open, time.Now)
	if n != 0 || !errors.Is(err, gateway.ErrNotRecorded) {
		t.Errorf("%d recovered, %v", n, err)
	}
}
