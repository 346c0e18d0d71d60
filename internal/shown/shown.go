// Package shown keeps what an answer said, so that it can be looked at again
// exactly as it was shown (IG-3.9.2c).
//
// The fields of an audit entry say how a question ended. What was found beside that,
// the number that took the place of the one asked about, and whether the number was
// verified, are the entry's Detail, in the form of this package: one JSON object on one line,
// texts unchanged, empty fields left out. There is exactly one form for the same
// findings, and Decode accepts no other, so nothing can hide in a Detail that
// another JSON reader would see differently.
package shown

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
)

// Said is what an answer says beside what the fields of its entry say.
type Said struct {
	cpis.Findings // with a record if something was found, else zero
	Replacement   cpis.NHSNumber
	Verification  cpis.Verification
}

// Encode returns what an answer says as the Detail of its entry, nil if the entry's
// own fields say all of it. A byte that is not UTF-8 becomes U+FFFD, and a fraction of
// a second is dropped; messages have neither.
func Encode(a cpis.Answer) json.RawMessage {
	f, found := a.Findings()
	s := Said{Findings: f, Replacement: a.Replacement(), Verification: a.Verification()}
	if !found && s.Replacement.IsZero() && s.Verification == cpis.NotVerifying {
		return nil
	}
	return write(s)
}

func write(s Said) json.RawMessage {
	size := 64
	if len(s.Records) > 0 {
		size = 20 << 10 // holds 25 accesses
	}
	w := &writer{buf: make([]byte, 0, size)}
	w.braces(func() { w.said(s) })
	return w.buf
}

// errForm names neither place nor text, which could be a person's.
var errForm = errors.New("shown: what the entry holds of the answer is not in the form that Ward writes")

func read(raw json.RawMessage) (said, error) {
	var s said
	if len(raw) > audit.MaxDetail {
		return said{}, errForm
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&s)
	if err != nil || s.Version != version {
		return said{}, errForm
	}
	return s, nil
}

// Decode reads what Encode wrote of an answer. Whatever contradicts itself, or is not
// exactly what Encode writes, is an error. Errors never quote it.
func Decode(raw json.RawMessage) (Said, error) {
	form, err := read(raw)
	if err != nil {
		return Said{}, err
	}
	s, err := form.restore()
	if err != nil {
		return Said{}, err
	}
	if !bytes.Equal(write(s), raw) { // a field twice, two authors, another spelling, text that follows
		return Said{}, errForm
	}
	return s, nil
}

// ErrNoContent means that an entry says that something was found, but no longer
// holds what: its content was destroyed, or is sealed and was not opened. It never
// means that nothing was found.
var ErrNoContent = errors.New("shown: something was found, but what it was is not in the entry: its content was destroyed, or is sealed and was not opened")

// Rebuild returns the answer that an entry records: an outcome, a refusal, or the
// unknown outcome of a recovered question. An entry that contradicts itself is an
// error. The reason of a refusal also has what else was remarked of its message.
func Rebuild(e audit.Entry) (cpis.Answer, error) {
	if e.Kind != audit.Outcome && e.Kind != audit.Refused && e.Kind != audit.Recovered {
		return cpis.Answer{}, fmt.Errorf("shown: an entry of the kind %q records no answer", e.Kind)
	}
	outcome, err := cpis.ParseOutcome(e.Outcome)
	if err != nil {
		return cpis.Answer{}, fmt.Errorf("shown: %w", err)
	}
	notified, err := cpis.ParseNotified(e.Notified)
	if err != nil {
		return cpis.Answer{}, fmt.Errorf("shown: %w", err)
	}
	said, err := saidIn(e, outcome)
	if err != nil {
		return cpis.Answer{}, err
	}
	var found *cpis.Findings
	if len(said.Records) > 0 {
		found = &said.Findings
	}
	answer, err := cpis.Recorded(outcome, notified, e.Reason, found)
	if err != nil {
		return cpis.Answer{}, fmt.Errorf("shown: %w", err)
	}
	return answer.Specified(outcome, said.Replacement).WithVerification(said.Verification), nil
}

// saidIn returns what the detail of an entry says. A number that was replaced is one
// whether or not the content that had the replacement is still there.
func saidIn(e audit.Entry, o cpis.Outcome) (Said, error) {
	if len(e.Detail) == 0 && o == cpis.Found {
		return Said{}, ErrNoContent
	}
	said := Said{}
	if len(e.Detail) > 0 {
		var err error
		said, err = Decode(e.Detail)
		if err != nil {
			return Said{}, err
		}
	}
	if !said.Replacement.IsZero() && o != cpis.NumberSuperseded {
		return Said{}, errors.New("shown: the entry holds a replacement for a number that was not replaced")
	}
	if o != cpis.Found {
		if len(said.Records) > 0 || e.Records != 0 || e.Accesses != 0 {
			return Said{}, errors.New("shown: the entry holds findings, but its outcome has none")
		}
		return said, nil
	}
	if len(said.Records) != e.Records || len(said.Accesses) != e.Accesses {
		return Said{}, errors.New("shown: the entry counts other findings than it holds")
	}
	number, err := cpis.ParseNHSNumber(e.NHSNumber)
	if err != nil || !said.AboutOnly(number) {
		return Said{}, errors.New("shown: the findings are not about the number that was asked about")
	}
	return said, nil
}
