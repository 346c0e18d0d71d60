// Package pds verifies an NHS number with the Personal Demographics Service over its
// FHIR API, before CP-IS is asked about it (WRD-PDS-03). It reads the record of one
// number and nothing more: it never searches, and never asks about another number than
// the one that it was given (WRD-PDS-01).
//
// What the service says of a number is a Verdict. What could not be found out is a
// Failure and no Verdict, so that no failure can pass for "verified" or for "nobody has
// this number". No verdict is kept: a number may be superseded at any time.
//
// Of a record nothing is read but its number, its date of birth and its confidentiality
// (WRD-PDS-06).
package pds

import "github.com/wardsmsp/ward/cpis"

// Kind is what the demographics service says of a number.
type Kind uint8

const (
	// Undetermined is the zero value. It is never in a Verdict without an error.
	Undetermined Kind = iota

	Verified    // it is somebody's, and the date of birth is not another one
	Superseded  // another number has taken its place
	Invalidated // it is no longer anybody's
	Unknown     // nobody has it
	NotANumber  // the service does not take it for an NHS number
	Mismatch    // it is of somebody with another date of birth
)

// Verdict is what the demographics service says of a number.
//
// A date of birth is compared as far as the service knows it: to the year or the month
// if it knows no more. If the service gives none, as it may for a restricted record, the
// number is Verified without it, which NoBirth says. If another number has taken the
// place of this one, the date of birth is that of its record, and one that differs makes
// a Mismatch: the other number is then not told, since it may be somebody else's.
//
// The service marks as redacted the record of a number that is no longer in use, and
// says that it never sends one. If it does the number is Invalidated.
type Verdict struct {
	Kind        Kind
	Replacement cpis.NHSNumber // of Superseded alone; it is told and never asked about (MSCA-DQ-03)
	Restricted  bool           // where the person is must not be told (WRD-PDS-06)
	Compared    bool           // a date of birth was given, and the service gave one too
	NoBirth     bool           // a date of birth was given, and the service gave none
}

// String is a fixed text for the audit log. It does not say that the record is
// restricted: where it stands anybody can read it who verifies the log (H-46).
func (v Verdict) String() string {
	text := v.Kind.String()
	switch {
	case v.Kind == Verified && v.Compared:
		text += ", and so is the date of birth"
	case v.Kind == Verified && v.NoBirth:
		text += " without the date of birth, which the service did not give"
	}
	return text
}

// String is a fixed text for the audit log.
func (k Kind) String() string {
	switch k {
	case Verified:
		return "the number is verified"
	case Superseded:
		return "the number has been replaced by another one"
	case Invalidated:
		return "the number is no longer in use"
	case Unknown:
		return "nobody has the number"
	case NotANumber:
		return "the number is not taken for an NHS number"
	case Mismatch:
		return "the number is of somebody with another date of birth"
	default:
		return "nothing is known of the number"
	}
}

// Failure is why nothing could be found out: a fixed text, for logs, for the audit log
// and for replies, that quotes nothing of a request or a reply.
type Failure string

func (f Failure) Error() string { return string(f) }

// The failures before a question about a number left.
const (
	NotAsked         Failure = "the number or the date of birth is not one that the demographics service can be asked about"
	Paused           Failure = "the demographics service is not asked for a moment, since it failed or asked for a pause"
	TooMany          Failure = "more numbers are to be verified than pds.per_second allows"
	Unreachable      Failure = "the demographics service could not be reached; check pds.url and the network"
	WrongCertificate Failure = "the demographics service or its token service shows a certificate that is not accepted; check pds.ca"
	NoToken          Failure = "the token service gave no access token; check pds.token_url and the network"
	NotRegistered    Failure = "the token service refused the assertion; check pds.api_key, pds.key, pds.key_id, pds.token_url and the clock"
)

// The failures after it left, or may have left.
const (
	TimedOut     Failure = "the demographics service did not answer within pds.timeout"
	Broken       Failure = "the connection to the demographics service ended before its answer was whole"
	TokenRefused Failure = "the demographics service refused the access token"
	NotAllowed   Failure = "the demographics service does not allow this question; check that the application may use it"
	Throttled    Failure = "the demographics service is asked more often than it allows"
	Unavailable  Failure = "the demographics service is not available"
	Redirected   Failure = "the demographics service redirects, which is not followed; check pds.url"
	Unexpected   Failure = "the demographics service answered with an HTTP status or an error that says nothing about the number"
	TooLarge     Failure = "the answer of the demographics service is larger than allowed"
	NotFHIR      Failure = "the answer of the demographics service is not of a FHIR media type"
	Malformed    Failure = "the answer of the demographics service cannot be relied on"
	Ambiguous    Failure = "the demographics service named several records"
	NotRecorded  Failure = "the look-up could not be recorded, so that its result is not used"
)
