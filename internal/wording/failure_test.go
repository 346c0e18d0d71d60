package wording_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// WRD-SAF-15, H-10, H-36: the time asked, in British time, and what follows.
func TestTimeCheckedIsBritishTime_WRD_SAF_15(t *testing.T) {
	for at, want := range map[time.Time]string{
		winterEvening: "5:30pm on 5 March 2026",
		summerNight:   "12:30am on 1 July 2026",
		time.Date(2026, time.March, 29, 0, 59, 0, 0, time.UTC):   "12:59am on 29 March 2026", // clocks go forward
		time.Date(2026, time.March, 29, 1, 0, 0, 0, time.UTC):    "2:00am on 29 March 2026",
		time.Date(2026, time.October, 25, 0, 30, 0, 0, time.UTC): "1:30am on 25 October 2026", // clocks go back
		time.Date(2026, time.October, 25, 1, 30, 0, 0, time.UTC): "1:30am on 25 October 2026",
	} {
		c := liveContext(t)
		c.CheckedAt = at
		d := wording.Describe(noRecord(), c)
		if d.Footer[0] != "Checked at "+want || d.Footer[3] != "This answer is for "+want+". Check again at each new attendance." {
			t.Errorf("%v: footer %q", at, d.Footer)
		}
		d = wording.Describe(cpis.Failed(cpis.SentNoAnswer, ""), c)
		if !strings.Contains(textOf(t, d), "Say that a CP-IS check was sent at "+want+".") || d.Footer[0] != "Checked at "+want+", without a result" {
			t.Errorf("%v: %s", at, textOf(t, d))
		}
	}
}

// H-10: every text about a plan says that it may not be recent.
func TestPlansMayNotBeRecent_H10(t *testing.T) {
	everything(t, func(a cpis.Answer, _ wording.Context, d wording.Document) {
		says := strings.Contains(textOf(t, d), "The information may not include very recent changes.")
		if says != (a.Outcome() == cpis.Found) {
			t.Fatalf("state %q: says that changes may be missing: %v", d.State, says)
		}
	})
}

// WRD-RC-12, WRD-SAF-14: every outcome that is not an answer has its reason and
// what to do about it.
func TestEveryFailureSaysWhyAndWhatToDo_WRD_SAF_14(t *testing.T) {
	const (
		desk     = "Contact the service desk: 0191 498 0199."
		sent     = " was sent, but we did not get an answer that we can use."
		maySent  = " may have been sent, but we did not get an answer that we can use."
		repeat   = "Check again only if the clinician in charge decides that it is needed."
		reported = "Give reference 7B3F-1 to the service desk: 0191 498 0199."
	)
	want := map[cpis.Outcome][]string{
		cpis.InputInvalid:          {"The NHS number or request was not valid. Check the number, then check again."},
		cpis.AuthorRejected:        {"Your sign-in or organisation details were not accepted. " + desk},
		cpis.AuthorRejectedBySpine: {"Your sign-in or organisation details were not accepted. " + desk},
		cpis.NumberSuperseded:      {"This NHS number has been replaced by another one. Find the person's present number, then check again."},
		cpis.NumberInvalidated:     {"This NHS number is no longer used for anybody. Find the person's present number, then check again."},
		cpis.NumberUnknown:         {"Nobody is registered under this NHS number. Find the person's own number, then check again."},
		cpis.NumberMismatch:        {"The date of birth does not belong to this NHS number. Confirm who the person is, then check again with the right number and date of birth."},
		cpis.DemographicsFailed:    {"We could not confirm whose NHS number this is, so CP-IS was not asked. You can check again."},
		cpis.DirectoryFailed:       {"We could not reach a national directory that the check needs, so CP-IS was not asked. You can check again."},
		cpis.NotSent:               {"We could not connect to the national system. You can check again."},
		cpis.ProviderUnreachable:   {"Your system could not connect to the service that asks CP-IS. You can check again."},
		cpis.InternalNotSent:       {"There is a fault in the connecting service. " + desk},
		cpis.AuditFailedBefore:     {"There is a fault in the connecting service. " + desk},
		cpis.Overloaded:            {"The service is busy and nothing was sent. Check again in 20 seconds."},
		cpis.Refused:               {"Your system could not make this check. " + desk},

		cpis.OutcomeUnknown:    {maySent, repeat, reported},
		cpis.SentNoAnswer:      {sent, repeat, reported},
		cpis.AsyncNotAcked:     {" was sent, but the national system did not confirm that it has it, and we did not get an answer.", repeat, reported},
		cpis.AsyncNoReply:      {" reached the national system, but we did not get the answer in time.", repeat, reported},
		cpis.SpineHTTPError:    {sent, repeat, reported},
		cpis.SpineFaultConfig:  {sent, "Checks will not work until the fault has been put right.", reported},
		cpis.SpineFault:        {sent, repeat, reported},
		cpis.SpineReject:       {sent, repeat, reported},
		cpis.SpineDuplicate:    {sent, repeat, reported},
		cpis.SpineError:        {sent, repeat, reported},
		cpis.SpineAckOnly:      {sent, repeat, reported},
		cpis.ResponseInvalid:   {sent, repeat, reported},
		cpis.InternalAfterSent: {maySent, repeat, reported},
		cpis.AuditFailedAfter:  {" was sent, but the answer could not be recorded, so it is not shown.", repeat, reported},
		cpis.RefusedDuplicate:  {" was a repeat of a message used before, so it was not sent again. We do not know the result of the first message.", repeat, reported},
		cpis.ProviderNoAnswer:  {maySent, repeat, reported},
	}
	c := liveContext(t)
	c.RetryAfter = 19500 * time.Millisecond
	for _, o := range cpis.Outcomes() {
		if o == cpis.Found || o == cpis.NoRecord {
			continue
		}
		if want[o] == nil {
			t.Errorf("%v has no text", o)
		}
		text := textOf(t, wording.Describe(cpis.Failed(o, "test"), c))
		for _, w := range want[o] {
			if !strings.Contains(text, w) {
				t.Errorf("%v: %q is missing in %q", o, w, text)
			}
		}
	}
}

func TestBusySaysWhenToCheckAgain(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "You can check again.", -time.Second: "You can check again.", time.Nanosecond: "Check again in 1 second.",
		time.Second: "Check again in 1 second.", 90 * time.Second: "Check again in 90 seconds.",
	} {
		c := liveContext(t)
		c.RetryAfter = wait
		text := textOf(t, wording.Describe(cpis.Failed(cpis.Overloaded, ""), c))
		if !strings.Contains(text, "nothing was sent. "+want) {
			t.Errorf("%v: %q is missing in %q", wait, want, text)
		}
	}
}

// WRD-PDS-04, H-02: that a number was not verified, or not with the date of birth, is
// said with every such answer, and with none else.
func TestNumberThatWasNotVerifiedIsSaid_WRD_PDS_04(t *testing.T) {
	says := map[cpis.Verification]string{
		cpis.Unverified:           "The NHS number could not be confirmed with the national demographics service before this check. Make sure that it is this person's number.",
		cpis.VerifiedWithoutBirth: "The date of birth could not be compared with the national demographics service before this check. Make sure that this is the person's NHS number.",
	}
	everything(t, func(a cpis.Answer, _ wording.Context, d wording.Document) {
		for v, text := range says {
			if strings.Contains(textOf(t, d), text) != (a.Verification() == v) {
				t.Fatalf("%s, verification %q: %s", a.Outcome(), a.Verification(), textOf(t, d))
			}
		}
	})
}

// H-34: the replacement of a number is shown and not used.
func TestReplacedNumberIsShownNotUsed_H34(t *testing.T) {
	c := liveContext(t)
	d := wording.Describe(cpis.Superseded(nhsNumber(t, "9990000026")), c)
	if strings.Contains(d.Lead, "999 000 0026") || value(d.Identity.Lines, "NHS number") != "999 000 0018" {
		t.Errorf("the replacement leads: %q", d.Lead)
	}
	if !strings.Contains(textOf(t, d), "This NHS number has been replaced by 999 000 0026.") {
		t.Error("the replacement is not shown")
	}
}
