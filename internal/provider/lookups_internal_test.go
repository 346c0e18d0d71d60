package provider

import (
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/pds"
	"github.com/wardsmsp/ward/internal/sds"
)

// WRD-PDS-04: nobody is told that a date of birth was compared which was not.
func TestWhatIsToldOfANumber(t *testing.T) {
	for name, c := range map[string]struct {
		verdict pds.Verdict
		err     error
		want    cpis.Verification
	}{
		"the number alone":                 {pds.Verdict{Kind: pds.Verified}, nil, cpis.Verified},
		"the number and a date of birth":   {pds.Verdict{Kind: pds.Verified, Compared: true}, nil, cpis.Verified},
		"a date of birth that is not told": {pds.Verdict{Kind: pds.Verified, NoBirth: true}, nil, cpis.VerifiedWithoutBirth},
		"nothing found out":                {pds.Verdict{}, pds.Unavailable, cpis.Unverified},
	} {
		if got := verification(c.verdict, pds.Proceed.Check(c.verdict, c.err)); got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
}

// WRD-OPS-09: each result of a look-up in the directory has its class in the metrics.
func TestClassesOfLookUps(t *testing.T) {
	for result, want := range map[string]string{
		string(sds.Found): lookUpFound, string(sds.NoRecord): lookUpFailed, string(sds.Ambiguous): lookUpFailed, string(sds.Unusable): lookUpFailed,
		string(sds.Unavailable): lookUpFailed, sds.NoUser: lookUpRefused, sds.OtherJobRole: lookUpRefused,
	} {
		if got := directoryClass(sds.Lookup{Result: result}); got != want {
			t.Errorf("%q is counted as %q, want %q", result, got, want)
		}
	}
	if got := directoryClass(sds.Lookup{Result: string(sds.Found), Stale: true}); got != lookUpStale {
		t.Errorf("a stale value is counted as %q", got)
	}
}
