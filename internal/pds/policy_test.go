package pds_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/pds"
)

// WRD-PDS-04, MSCA-DQ-03, MSCA-DQ-04: what becomes of a question, under both policies.
func TestPolicyOnVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		verdict pds.Verdict
		outcome cpis.Outcome // OutcomeUnknown if the Spine is asked
		remark  string
	}{
		"verified":                         {pds.Verdict{Kind: pds.Verified}, cpis.OutcomeUnknown, ""},
		"verified with a date of birth":    {pds.Verdict{Kind: pds.Verified, Compared: true}, cpis.OutcomeUnknown, ""},
		"verified without a date of birth": {pds.Verdict{Kind: pds.Verified, NoBirth: true}, cpis.OutcomeUnknown, pds.RemarkNoBirth},
		"restricted":                       {pds.Verdict{Kind: pds.Verified, Restricted: true}, cpis.OutcomeUnknown, ""},
		"restricted without a date":        {pds.Verdict{Kind: pds.Verified, Restricted: true, NoBirth: true}, cpis.OutcomeUnknown, pds.RemarkNoBirth},
		"superseded":                       {pds.Verdict{Kind: pds.Superseded, Replacement: number(t, replacement), Restricted: true}, cpis.NumberSuperseded, ""},
		"invalidated":                      {pds.Verdict{Kind: pds.Invalidated}, cpis.NumberInvalidated, ""},
		"unknown":                          {pds.Verdict{Kind: pds.Unknown}, cpis.NumberUnknown, ""},
		"not a number":                     {pds.Verdict{Kind: pds.NotANumber}, cpis.InputInvalid, ""},
		"mismatch":                         {pds.Verdict{Kind: pds.Mismatch, Compared: true}, cpis.NumberMismatch, ""},
		"nothing":                          {pds.Verdict{}, cpis.DemographicsFailed, ""},
		"a kind that there is not":         {pds.Verdict{Kind: 99}, cpis.DemographicsFailed, ""},
	} {
		for _, policy := range []pds.Policy{pds.Refuse, pds.Proceed} {
			r := policy.Check(c.verdict, nil)
			want := pds.Ruling{Ask: c.outcome == cpis.OutcomeUnknown, Remark: c.remark}
			if !want.Ask {
				want.Refusal = cpis.Failed(c.outcome, "demographics: "+c.verdict.String())
			}
			if c.outcome == cpis.NumberSuperseded { // told, and never asked about (MSCA-DQ-03)
				want.Refusal = cpis.Superseded(c.verdict.Replacement)
			}
			if diff := cmp.Diff(want, r, cmp.AllowUnexported(cpis.NHSNumber{}, cpis.Answer{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if !r.Ask && (r.Refusal.Notified() != cpis.NotifiedNo || r.Refusal.Outcome() == cpis.NoRecord) {
				t.Errorf("%s: refused as %s", name, r.Refusal.Outcome())
			}
		}
	}
}

// WRD-PDS-04, H-01: what could not be found out stops the question, or is told and
// recorded, and never looks like "no record".
func TestPolicyOnFailures(t *testing.T) {
	stops := map[pds.Failure]cpis.Outcome{pds.NotRecorded: cpis.InternalNotSent, pds.Ambiguous: cpis.DemographicsFailed}
	for _, failure := range []pds.Failure{
		pds.NotAsked, pds.Paused, pds.TooMany, pds.Unreachable, pds.WrongCertificate, pds.NoToken, pds.NotRegistered, pds.TimedOut, pds.Broken,
		pds.TokenRefused, pds.NotAllowed, pds.Throttled, pds.Unavailable, pds.Redirected, pds.Unexpected, pds.TooLarge, pds.NotFHIR, pds.Malformed,
		pds.Ambiguous, pds.NotRecorded,
	} {
		// With an error, whatever else there is counts for nothing.
		verdict := pds.Verdict{Kind: pds.Verified, Compared: true}
		refused := pds.Refuse.Check(verdict, failure)
		outcome, always := stops[failure]
		if !always {
			outcome = cpis.DemographicsFailed
		}
		want := pds.Ruling{Refusal: cpis.Failed(outcome, string(failure))}
		if diff := cmp.Diff(want, refused, cmp.AllowUnexported(cpis.NHSNumber{}, cpis.Answer{})); diff != "" {
			t.Errorf("%s, refused (-want +got):\n%s", failure, diff)
		}
		if !always {
			want = pds.Ruling{Ask: true, Unverified: true, Remark: pds.RemarkUnverified + ": " + string(failure)}
		}
		if diff := cmp.Diff(want, pds.Proceed.Check(verdict, failure), cmp.AllowUnexported(cpis.NHSNumber{}, cpis.Answer{})); diff != "" {
			t.Errorf("%s, gone on with (-want +got):\n%s", failure, diff)
		}
	}
}

// An error of another kind, which might quote a number, does not get into the log.
func TestPolicyQuotesNoOtherError(t *testing.T) {
	for _, policy := range []pds.Policy{pds.Refuse, pds.Proceed} {
		r := policy.Check(pds.Verdict{}, errors.New("GET /Patient/"+asked))
		if strings.Contains(r.Remark+r.Refusal.Reason(), asked) {
			t.Errorf("%+v", r)
		}
	}
	if (pds.Ruling{}).Ask {
		t.Error("a ruling that nobody made lets the Spine be asked")
	}
}
