package wording_test

import (
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

// scenario is an answer in its context; its golden file is testdata/NAME.txt.
type scenario struct {
	name    string
	answer  cpis.Answer
	context wording.Context
}

// scenarios cover every state and every variation of it (WRD-SUP-05, H-44).
func scenarios(t testing.TB) []scenario {
	t.Helper()
	live := liveContext(t)
	var all []scenario
	add := func(name string, a cpis.Answer, change func(*wording.Context)) {
		c := live
		if change != nil {
			change(&c)
		}
		all = append(all, scenario{name, a, c})
	}
	addFound := func(name string, change func(*wording.Context), records ...cpis.Record) {
		at := live
		if change != nil {
			change(&at)
		}
		f := cpis.Findings{Records: records, Accesses: []cpis.Access{thisCheck(at.CheckedAt)}}
		add(name, found(t, f), change)
	}

	protection := plan(cpis.ChildProtectionPlan, date(2025, time.November, 5), date(2026, time.May, 5))
	open := plan(cpis.ChildProtectionPlan, date(2026, time.January, 5), cpis.Date{})
	lookedAfter := plan(cpis.LookedAfterChild, date(2025, time.June, 1), cpis.Date{})
	unborn := plan(cpis.UnbornChildPlan, date(2026, time.February, 2), date(2026, time.May, 30))
	unbornOver := plan(cpis.UnbornChildPlan, date(2025, time.October, 2), date(2026, time.February, 20))
	ended := plan(cpis.ChildProtectionPlan, date(2024, time.April, 1), date(2025, time.December, 19))
	endedCare := plan(cpis.LookedAfterChild, date(2023, time.April, 1), date(2025, time.August, 8))
	future := plan(cpis.ChildProtectionPlan, date(2026, time.April, 1), cpis.Date{})
	contrary := plan(cpis.ChildProtectionPlan, date(2026, time.February, 1), date(2026, time.January, 1))
	strange := plan(cpis.UnrecognisedPlan, date(2026, time.January, 12), cpis.Date{})
	asMother := func(c *wording.Context) { c.ClientName = "Ann Example" }
	inEvening := func(c *wording.Context) { c.CheckedAt = winterEvening }

	addFound("current-plan", nil, record(northshire(), child(), protection))
	addFound("current-no-end-date-evening", inEvening, record(northshire(), child(), open))
	addFound("current-looked-after", nil, record(northshire(), child(), lookedAfter))
	addFound("current-starts-later", nil, record(northshire(), child(), future))
	addFound("current-type-not-recognised", nil, record(northshire(), child(), strange))
	addFound("current-two-plans-two-authorities", nil,
		record(northshire(), child(), lookedAfter), record(southborough(), child(), protection))
	addFound("current-with-unborn-and-ended", asMother,
		record(northshire(), mother(), ended, unborn, open))
	addFound("current-without-readable-plan", nil, record(northshire(), child()))
	addFound("current-numbers-missing-and-odd", nil,
		record(authority("903", "Westmere Borough Council"), child(), protection),
		record(authority("904", "eastvale CHILDREN'S services", cpis.Telecom{Use: "WP EC", Value: "tel:+44 (0)20 7946 0300 ext 12"},
			cpis.Telecom{Use: "ec", Value: "tel:switchboard, ask for the edt"}), child(), open))
	addFound("current-names-differ-no-client-name", func(c *wording.Context) { c.ClientName = "" },
		record(northshire(), child(), protection),
		record(southborough(), cpis.Subject{Name: name("Maja", "Exemplar")}, open))
	addFound("current-summer-night", func(c *wording.Context) { c.CheckedAt = summerNight },
		record(northshire(), child(), plan(cpis.ChildProtectionPlan, date(2026, time.January, 5), date(2026, time.July, 1))))
	addFound("current-test-system", func(c *wording.Context) { c.Live = false }, record(northshire(), child(), protection))

	addFound("unborn-plan", asMother, record(northshire(), mother(), unborn))
	addFound("unborn-end-date-over", asMother, record(northshire(), mother(), unbornOver))
	addFound("unborn-with-ended", asMother, record(northshire(), mother(), endedCare, unbornOver))

	addFound("ended-plan", nil, record(northshire(), child(), ended))
	addFound("ended-two-plans", nil, record(northshire(), child(), endedCare, ended))
	addFound("ended-before-start", nil, record(northshire(), child(), contrary))

	add("history", found(t, cpis.Findings{
		Records:  []cpis.Record{record(northshire(), child(), protection)},
		Accesses: accesses(live.CheckedAt),
	}), nil)

	add("no-record", noRecord(), nil)
	add("no-record-number-not-verified", noRecord().WithVerification(cpis.Unverified), nil)
	add("no-record-nothing-configured", noRecord(), bare)

	failure := func(name string, o cpis.Outcome, change func(*wording.Context)) {
		add(name, cpis.Failed(o, "test"), change)
	}
	failure("not-checked-invalid", cpis.InputInvalid, nil)
	failure("not-checked-no-number", cpis.InputInvalid, func(c *wording.Context) { c.Number = cpis.NHSNumber{} })
	add("not-checked-number-replaced", cpis.Superseded(nhsNumber(t, "9990000026")), nil)
	failure("not-checked-number-replaced-by-another", cpis.NumberSuperseded, nil)
	failure("not-checked-number-not-in-use", cpis.NumberInvalidated, nil)
	failure("not-checked-number-of-nobody", cpis.NumberUnknown, nil)
	failure("not-checked-number-other-birth", cpis.NumberMismatch, nil)
	failure("not-checked-number-not-verified", cpis.DemographicsFailed, nil)
	failure("not-checked-directory", cpis.DirectoryFailed, nil)
	failure("not-checked-not-connected", cpis.NotSent, nil)
	failure("not-checked-author", cpis.AuthorRejected, nil)
	failure("not-checked-author-refused-by-spine", cpis.AuthorRejectedBySpine, nil)
	failure("not-checked-internal", cpis.InternalNotSent, nil)
	failure("not-checked-busy", cpis.Overloaded, func(c *wording.Context) { c.RetryAfter = 20 * time.Second })
	failure("not-checked-fault", cpis.Refused, nil)
	failure("not-checked-nothing-configured", cpis.Refused, bare)
	failure("unknown", cpis.SentNoAnswer, inEvening)
	add("no-record-birth-not-compared", noRecord().WithVerification(cpis.VerifiedWithoutBirth), nil)
	add("unknown-number-not-verified", cpis.Failed(cpis.SentNoAnswer, "test").WithVerification(cpis.Unverified), nil)
	failure("unknown-not-acknowledged", cpis.AsyncNotAcked, nil)
	failure("unknown-no-reply-in-time", cpis.AsyncNoReply, nil)
	failure("unknown-duplicate", cpis.RefusedDuplicate, nil)
	failure("unknown-may-have-been-sent", cpis.ProviderNoAnswer, nil)
	failure("unknown-nobody-told", cpis.SpineFaultConfig, nil)
	failure("unknown-nothing-configured", cpis.SpineError, bare)
	add("unknown-withheld-after-found", all[0].answer.Withheld("test"), nil)
	return all
}

// bare is a place of care that gave and configured nothing.
func bare(c *wording.Context) {
	c.ClientName, c.Reference, c.Contacts, c.ServiceDesk = "", "", "", ""
}

// accesses are as CP-IS lists them, oldest first.
func accesses(now time.Time) []cpis.Access {
	system := cpis.System{
		Authorities: []cpis.IndirectAuthority{{Name: name("Pat", "Lead"), Role: cpis.Coded{Display: "Safeguarding lead"}}},
		Maintaining: cpis.Organisation{Name: "NHS 111 Northshire"},
	}
	summer := time.Date(2025, time.July, 14, 20, 15, 0, 0, time.UTC)
	return []cpis.Access{
		{Time: cpis.Moment{Written: "20250701", Time: summer.AddDate(0, 0, -13), Precision: cpis.ToDay}, Author: nurse("", "", "", "")},
		{Time: seconds(summer), Author: system},
		{Time: cpis.Moment{Written: "202512242310", Time: time.Date(2025, time.December, 24, 23, 10, 0, 0, time.UTC),
			Precision: cpis.ToMinute, ZoneAssumed: true}, Author: nurse("Jo", "Muster", "Paramedic", "Northern Ambulance Service")},
		thisCheck(now),
	}
}
