package cpis

import (
	"fmt"
	"maps"
	"slices"
)

// Code is a response code of the code system OIDResponseCodes.
type Code string

const (
	CodeSuccess         Code = "SMSP-0000"
	CodeInputInvalid    Code = "SMSP-0001"
	CodeResponseInvalid Code = "SMSP-0002"
	CodeLocalStore      Code = "SMSP-0003" // never sent: no answer is ever taken from a store (WRD-RC-11)
	CodeNotConnected    Code = "SMSP-0004"
	CodeAuthor          Code = "SMSP-0005"
	CodeInternal        Code = "SMSP-9999"
	CodeNoRecord        Code = "CPIS-0001"
	CodeSpineError      Code = "CPIS-9999"
)

// displayNames are the words that official messages give with each code. That of
// SMSP-0003 is an evident slip there and follows the code list instead.
var displayNames = map[Code]string{
	CodeSuccess:         "Success",
	CodeInputInvalid:    "Input message validation error",
	CodeResponseInvalid: "Response message validation error",
	CodeLocalStore:      "Data returned from local store, Spine unavailable",
	CodeNotConnected:    "Could not connect to spine",
	CodeAuthor:          "Author Credentials Error",
	CodeInternal:        "Spine mini service provider software failure",
	CodeNoRecord:        "No Match (NRF)",
	CodeSpineError:      "CP-IS Spine Service Error",
}

// Display is the code's official display name, empty for an unknown code.
func (c Code) Display() string { return displayNames[c] }

// Codes maps outcomes to response codes: the outcome table, with the changes that
// an operator's configuration makes to it.
type Codes struct{ changed map[Outcome]Code }

// NewCodes applies changes, a map from outcome name to response code, to the
// outcome table. It refuses a change that would let a failure look like an
// answer, an answer like a failure, or that uses SMSP-0003.
func NewCodes(changes map[string]string) (Codes, error) {
	codes := Codes{changed: map[Outcome]Code{}}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		outcome, err := ParseOutcome(name)
		if err != nil || outcome.ending().code == "" {
			return Codes{}, fmt.Errorf("%q is not the name of an outcome that has a response code", name)
		}
		code := Code(changes[name])
		if outcome == Found || outcome == NoRecord {
			return Codes{}, fmt.Errorf("the code of %q cannot be changed", name)
		}
		if code.Display() == "" || code == CodeSuccess || code == CodeNoRecord || code == CodeLocalStore {
			return Codes{}, fmt.Errorf("%q cannot be told by the code %q", name, code)
		}
		// These two say that nothing was sent, and that it may be asked again.
		if outcome.Notified() != NotifiedNo && (code == CodeInputInvalid || code == CodeNotConnected) {
			return Codes{}, fmt.Errorf("%q may have been sent, which %q denies", name, code)
		}
		codes.changed[outcome] = code
	}
	return codes, nil
}

// Of returns the response code that tells an outcome, empty if the outcome is
// told by a fault or an HTTP status instead.
func (c Codes) Of(o Outcome) Code {
	code, ok := c.changed[o]
	if ok {
		return code
	}
	return o.ending().code
}
