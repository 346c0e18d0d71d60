package cpis

// Verification is what the demographics service said of an NHS number before CP-IS
// was asked about it (WRD-PDS-04).
type Verification uint8

const (
	// NotVerifying is the zero value: nobody was to verify the number, or nothing is
	// known of it, or not whether the date of birth is this person's.
	NotVerifying Verification = iota
	// Verified: somebody has this number, and the date of birth if one was given with it.
	Verified
	// VerifiedWithoutBirth: somebody has this number. The date of birth that was given
	// could not be compared, since the demographics service told none.
	VerifiedWithoutBirth
	// Unverified: the demographics service could not be asked, and CP-IS was asked all
	// the same.
	Unverified
)

// String returns "", "verified", "verified-without-date-of-birth" or "not-checked".
func (v Verification) String() string {
	switch v {
	case Verified:
		return "verified"
	case VerifiedWithoutBirth:
		return "verified-without-date-of-birth"
	case Unverified:
		return "not-checked"
	default:
		return ""
	}
}

// ParseVerification reads what String returns; anything else says nothing.
func ParseVerification(name string) Verification {
	for v := Verified; v <= Unverified; v++ {
		if name == v.String() {
			return v
		}
	}
	return NotVerifying
}

// Superseded is the Answer about a number that another has taken the place of. The
// replacement is told and never asked about on anybody's behalf (MSCA-DQ-03).
func Superseded(replacement NHSNumber) Answer {
	a := Failed(NumberSuperseded, "the demographics service names another number in its place")
	a.replacement = replacement
	return a
}

// Replacement is the number that took the place of the one asked about: of
// NumberSuperseded alone, and zero if it is not known.
func (a Answer) Replacement() NHSNumber { return a.replacement }

// WithVerification returns the answer with what was said of its number.
func (a Answer) WithVerification(v Verification) Answer {
	a.verification = v
	return a
}

// Verification is what was said of the number before CP-IS was asked.
func (a Answer) Verification() Verification { return a.verification }

// Specified returns the answer with an outcome that says more than its response code
// could, as a provider names it beside the code, and with the replacement if that
// outcome is NumberSuperseded. What may be concluded stays the same: an outcome of
// another state, of another notification, or that no code tells, is not believed, and
// neither is any beside a result (WRD-SUP-06).
func (a Answer) Specified(o Outcome, replacement NHSNumber) Answer {
	switch {
	case a.outcome == Found || a.outcome == NoRecord || o == Found || o == NoRecord || o == OutcomeUnknown || o >= outcomes,
		o.ending().code == "",
		Failed(o, "").State(Date{}) != a.State(Date{}),
		o.Notified() != NotifiedMaybe && o.Notified() != a.notified:
		return a
	}
	a.outcome = o
	if o == NumberSuperseded {
		a.replacement = replacement
	}
	return a
}
