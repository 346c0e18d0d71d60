package cpis_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

func nhsNumber(digits string) cpis.NHSNumber {
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		panic(err)
	}
	return n
}

// MSCA-DQ-03: a replaced number is not checked, nobody was told, and the replacement
// is at hand for a person; whoever withholds the answer withholds it too.
func TestSuperseded(t *testing.T) {
	a := cpis.Superseded(nhsNumber("9990000026"))
	if a.Outcome() != cpis.NumberSuperseded || a.Notified() != cpis.NotifiedNo || a.State(today) != cpis.NotChecked || a.Replacement().Digits() != "9990000026" {
		t.Errorf("%s, notified %s, %s", a.Outcome(), a.Notified(), a.State(today))
	}
	if a.Reason() == "" || !a.Withheld("test").Replacement().IsZero() {
		t.Error("no reason, or a replacement that is not withheld")
	}
	for _, o := range cpis.Outcomes() {
		if !cpis.Failed(o, "").Replacement().IsZero() {
			t.Errorf("%s has a replacement of its own", o)
		}
	}
}

func TestVerificationsAreReadBack(t *testing.T) {
	for v, name := range map[cpis.Verification]string{
		cpis.NotVerifying: "", cpis.Verified: "verified", cpis.VerifiedWithoutBirth: "verified-without-date-of-birth", cpis.Unverified: "not-checked", 99: "",
	} {
		if v.String() != name {
			t.Errorf("%d is named %q, want %q", v, v.String(), name)
		}
		if got := cpis.ParseVerification(name); got.String() != name {
			t.Errorf("%q is read as %q", name, got)
		}
		if got := cpis.Failed(cpis.NotSent, "").WithVerification(v).Verification(); got != v {
			t.Errorf("%d is carried as %d", v, got)
		}
	}
	for _, name := range []string{"", "Verified", "verified ", "not checked", "yes"} {
		if cpis.ParseVerification(name) != cpis.NotVerifying {
			t.Errorf("%q is read as %s", name, cpis.ParseVerification(name))
		}
	}
}

// WRD-SUP-06, WRD-RC-15: what a provider names beside its code makes an answer more
// exact, and never changes what may be concluded from it.
func TestSpecifiedOutcomesChangeNoConclusion(t *testing.T) {
	codes := []cpis.Code{
		cpis.CodeSuccess, cpis.CodeInputInvalid, cpis.CodeResponseInvalid, cpis.CodeLocalStore, cpis.CodeNotConnected,
		cpis.CodeAuthor, cpis.CodeInternal, cpis.CodeNoRecord, cpis.CodeSpineError, "SMSP-1234",
	}
	other := nhsNumber("9990000026")
	rapid.Check(t, func(t *rapid.T) {
		notified := rapid.SampledFrom([]*cpis.Notified{nil, ptr(cpis.NotifiedNo), ptr(cpis.NotifiedMaybe), ptr(cpis.NotifiedYes)}).Draw(t, "notified")
		f := cpis.Findings{}
		if rapid.Bool().Draw(t, "data") {
			f.Records = []cpis.Record{holding(current)}
		}
		told := cpis.Told(rapid.SampledFrom(codes).Draw(t, "code"), notified, f, 0, len(f.Records))
		o := cpis.Outcome(rapid.IntRange(0, len(cpis.Outcomes())+1).Draw(t, "outcome"))
		got := told.Specified(o, other)
		_, before := told.Findings()
		_, after := got.Findings()
		if got.State(today) != told.State(today) || got.Notified() != told.Notified() || before != after {
			t.Fatalf("%s becomes %s", told.Outcome(), got.Outcome())
		}
		if settled := got.Outcome().Notified(); settled != cpis.NotifiedMaybe && got.Outcome() != told.Outcome() && settled != got.Notified() {
			t.Fatalf("%s, notified %s", got.Outcome(), got.Notified())
		}
		if (cpis.Codes{}).Of(got.Outcome()) == "" && got.Outcome() != told.Outcome() {
			t.Fatalf("%s is told by no answer", got.Outcome())
		}
		if !got.Replacement().IsZero() && got.Outcome() != cpis.NumberSuperseded {
			t.Fatalf("%s has a replacement", got.Outcome())
		}
	})
}

func ptr(n cpis.Notified) *cpis.Notified { return &n }

func TestSpecifiedOutcomes(t *testing.T) {
	replacement := nhsNumber("9990000026")
	tests := []struct {
		name  string
		told  cpis.Answer
		named cpis.Outcome
		want  cpis.Outcome
	}{
		{"replaced", cpis.Failed(cpis.InputInvalid, ""), cpis.NumberSuperseded, cpis.NumberSuperseded},
		{"no longer in use", cpis.Failed(cpis.InputInvalid, ""), cpis.NumberInvalidated, cpis.NumberInvalidated},
		{"of nobody", cpis.Failed(cpis.InputInvalid, ""), cpis.NumberUnknown, cpis.NumberUnknown},
		{"another date of birth", cpis.Failed(cpis.InputInvalid, ""), cpis.NumberMismatch, cpis.NumberMismatch},
		{"not verified", cpis.Failed(cpis.NotSent, ""), cpis.DemographicsFailed, cpis.DemographicsFailed},
		{"nothing named", cpis.Failed(cpis.NotSent, ""), cpis.OutcomeUnknown, cpis.NotSent},
		{"no record named", cpis.Failed(cpis.NotSent, ""), cpis.NoRecord, cpis.NotSent},
		{"a find named", cpis.Failed(cpis.NotSent, ""), cpis.Found, cpis.NotSent},
		{"sent, named as not sent", cpis.Failed(cpis.SentNoAnswer, ""), cpis.NumberSuperseded, cpis.SentNoAnswer},
		{"not sent, named as sent", cpis.Failed(cpis.InputInvalid, ""), cpis.SentNoAnswer, cpis.InputInvalid},
		{"told by a fault", cpis.Failed(cpis.InputInvalid, ""), cpis.Refused, cpis.InputInvalid},
		{"a record, named as replaced", found(holding(current)), cpis.NumberSuperseded, cpis.Found},
		{"no record, named as replaced", cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0), cpis.NumberSuperseded, cpis.NoRecord},
		{"perhaps notified, named as not", cpis.Failed(cpis.AuthorRejectedBySpine, ""), cpis.NumberUnknown, cpis.AuthorRejectedBySpine},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.told.Specified(test.named, replacement)
			if got.Outcome() != test.want || got.Notified() != test.told.Notified() || got.Replacement().IsZero() == (test.want == cpis.NumberSuperseded) {
				t.Errorf("%s, notified %s, replacement %t", got.Outcome(), got.Notified(), !got.Replacement().IsZero())
			}
		})
	}
}

// WRD-PDS-03: a date of birth is a day that there is, from 1850 to today in the United
// Kingdom, written in one way.
func TestBirthDates(t *testing.T) {
	noon := time.Date(2026, time.March, 5, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		text string
		now  time.Time
		ok   bool
	}{
		{"2019-02-28", noon, true},
		{"2020-02-29", noon, true},
		{"1850-01-01", noon, true},
		{"2026-03-05", noon, true},
		{"2026-07-02", time.Date(2026, time.July, 1, 23, 30, 0, 0, time.UTC), true}, // half past midnight in London
		{"2026-03-06", noon, false},
		{"1849-12-31", noon, false},
		{"2019-02-29", noon, false},
		{"2019-13-01", noon, false},
		{"2019-00-10", noon, false},
		{"2019-2-28", noon, false},
		{"20190228", noon, false},
		{"28/02/2019", noon, false},
		{"2019-02-28T00:00:00Z", noon, false},
		{" 2019-02-28", noon, false},
		{"2019-02-28\n", noon, false},
		{"+2019-02-28", noon, false},
		{"12019-02-28", noon, false},
		{"２０１９-02-28", noon, false},
		{"0000-00-00", noon, false},
		{"", noon, false},
	}
	for _, test := range tests {
		got, err := cpis.ParseBirthDate(test.text, test.now)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, cpis.ErrBirthDate) {
			t.Errorf("%q: %v", test.text, err)
		}
		if test.ok && got.ISO() != test.text || !test.ok && !got.IsZero() {
			t.Errorf("%q is read as %q", test.text, got.ISO())
		}
	}
}

// A date of birth that is read is written as it came, whatever the day.
func TestBirthDatesAreWrittenAsTheyCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%04d-%02d-%02d", rapid.IntRange(0, 9999).Draw(t, "year"), rapid.IntRange(0, 99).Draw(t, "month"), rapid.IntRange(0, 99).Draw(t, "day"))
		born, err := cpis.ParseBirthDate(text, time.Now())
		if err == nil && born.ISO() != text {
			t.Fatalf("%s is read as %s", text, born.ISO())
		}
	})
}
