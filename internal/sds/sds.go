// Package sds asks the Spine Directory Service (SDS) two things: where and by which
// contract a service of the Spine is reached (WRD-SPN-05), and whether a smartcard
// user's identity and role profile are those of the directory (WRD-IAM-18). It speaks
// LDAP over TLS, or the FHIR API, which knows no people.
//
// What the directory says is kept for a time. Whatever leaves the machine, and every
// use of a value that is kept beyond its time, is recorded before it is used
// (IG-3.9.2a, WRD-SPN-15).
package sds

import (
	"context"
	"net/url"
	"time"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// Service is what the directory says of a service of the Spine.
type Service struct {
	Endpoint *url.URL // to dial: https, after the operator's replacement
	ASID     string   // of the Spine's system: twelve digits
	Async    bool     // the exchange is by ebXML

	// Contract has the Spine's party key, and everything but ours. Acknowledgement and
	// elimination are asked for only where the directory says "always".
	Contract ebxml.Contract
}

// Purpose is why the directory was asked.
type Purpose string

// The purposes.
const (
	ForService Purpose = "service" // Directory.Service
	ForAuthor  Purpose = "author"  // Directory.Author
)

// Lookup is a question to the directory, or the use of an answer that is kept beyond its
// time, for the audit log.
type Lookup struct {
	Purpose     Purpose
	Result      string        // a Result, or a refusal of Author: a fixed text
	Stale       bool          // the directory was not at hand: what it last said is used
	Elapsed     time.Duration // of the question, 0 if Stale
	Correlation string        // UUID of the question, which the FHIR API is told too; "" if Stale
}

// Recorder records a look-up durably. If it fails, what was found is not used. The
// context carries the values of that of the question which first needed the answer.
type Recorder func(ctx context.Context, l Lookup) error

// Result is how a look-up ended.
type Result string

// The results. All but Found are those of an Error.
const (
	Found       Result = "found"
	NoRecord    Result = "no record"
	Ambiguous   Result = "several records"     // or several values where there must be one
	Unusable    Result = "a record not usable" // values that are missing or not understood
	Unavailable Result = "not available"       // no answer, or none that is one
)

// Error is why the directory gave nothing. Its text quotes no person's data.
type Error struct {
	Result Result // not Found
	Reason string // a sentence for the operator
	Cause  error  // may be nil
}

// Error is the reason, with the cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return "directory: " + e.Reason
	}
	return "directory: " + e.Reason + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func failure(result Result, reason string) *Error { return &Error{Result: result, Reason: reason} }

func unavailable(reason string, cause error) *Error {
	return &Error{Result: Unavailable, Reason: reason, Cause: cause}
}
