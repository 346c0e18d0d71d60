package pds

import (
	"errors"

	"github.com/wardsmsp/ward/cpis"
)

// Policy says what becomes of a question whose number could not be verified
// (WRD-PDS-04).
type Policy uint8

const (
	// Refuse does not ask. It is the zero value.
	Refuse Policy = iota
	// Proceed asks all the same, which is recorded and told.
	Proceed
)

// Ruling is what becomes of a question. The zero value asks nothing.
type Ruling struct {
	Ask        bool        // the Spine may be asked, about the number of the question and no other
	Refusal    cpis.Answer // if not
	Unverified bool        // the number could not be verified, which the reply says
	Remark     string      // fixed text for the audit log
}

// The remarks on questions that are asked.
const (
	RemarkUnverified = "the NHS number could not be verified with the demographics service; the policy is to go on"
	RemarkNoBirth    = "the NHS number is verified without the date of birth, which the demographics service did not give"
)

// Check decides on what Verify returned.
func (p Policy) Check(v Verdict, err error) Ruling {
	if err != nil {
		return p.unverified(err)
	}
	switch v.Kind {
	case Verified:
		return Ruling{Ask: true, Remark: v.remark()}
	case Superseded:
		return Ruling{Refusal: cpis.Superseded(v.Replacement)}
	case Invalidated:
		return refuse(cpis.NumberInvalidated, v)
	case Unknown:
		return refuse(cpis.NumberUnknown, v)
	case NotANumber:
		return refuse(cpis.InputInvalid, v)
	case Mismatch:
		return refuse(cpis.NumberMismatch, v)
	default:
		return refuse(cpis.DemographicsFailed, v)
	}
}

func refuse(o cpis.Outcome, v Verdict) Ruling {
	return Ruling{Refusal: cpis.Failed(o, "demographics: "+v.String())}
}

// unverified decides where nothing was found out. Two failures stop a question under
// either policy: a look-up without a record, and several records for one number, which
// is an answer of a kind (MSCA-DQ-01).
func (p Policy) unverified(err error) Ruling {
	failure := Malformed // a text that is not fixed must not get into the log
	errors.As(err, &failure)
	switch {
	case failure == NotRecorded:
		return Ruling{Refusal: cpis.Failed(cpis.InternalNotSent, string(failure))}
	case p == Proceed && failure != Ambiguous:
		return Ruling{Ask: true, Unverified: true, Remark: RemarkUnverified + ": " + string(failure)}
	default:
		return Ruling{Refusal: cpis.Failed(cpis.DemographicsFailed, string(failure))}
	}
}

func (v Verdict) remark() string {
	if v.NoBirth {
		return RemarkNoBirth
	}
	return ""
}
