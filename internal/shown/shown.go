// Package shown keeps what an answer said, so that it can be looked at again
// exactly as it was shown (IG-3.9.2c).
//
// The fields of an audit entry say how a question ended. What was found beside that
// is the entry's Detail, in the form of this package: one JSON object on one line,
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

// Encode returns what an answer found as the Detail of its entry, nil if it found
// nothing: the entry's own fields say all of such an answer. A byte that is not
// UTF-8 becomes U+FFFD, and a fraction of a second is dropped; messages have
// neither.
func Encode(a cpis.Answer) json.RawMessage {
	f, ok := a.Findings()
	if !ok {
		return nil
	}
	return write(f)
}

func write(f cpis.Findings) json.RawMessage {
	w := &writer{buf: make([]byte, 0, 20<<10)} // holds 25 accesses
	w.braces(func() { w.findings(f) })
	return w.buf
}

// errForm names neither place nor text, which could be a person's.
var errForm = errors.New("shown: what the entry holds of the findings is not in the form that Ward writes")

func read(raw json.RawMessage) (findings, error) {
	var f findings
	if len(raw) > audit.MaxDetail {
		return findings{}, errForm
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&f)
	if err != nil || f.Version != version {
		return findings{}, errForm
	}
	return f, nil
}

// Decode reads what Encode wrote of an answer with findings. Whatever contradicts
// itself, or is not exactly what Encode writes, is an error. Errors never quote it.
func Decode(raw json.RawMessage) (cpis.Findings, error) {
	form, err := read(raw)
	if err != nil {
		return cpis.Findings{}, err
	}
	f, err := form.restore()
	if err != nil {
		return cpis.Findings{}, err
	}
	if !bytes.Equal(write(f), raw) { // a field twice, two authors, another spelling, text that follows
		return cpis.Findings{}, errForm
	}
	return f, nil
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
	found, err := foundIn(e, outcome)
	if err != nil {
		return cpis.Answer{}, err
	}
	answer, err := cpis.Recorded(outcome, notified, e.Reason, found)
	if err != nil {
		return cpis.Answer{}, fmt.Errorf("shown: %w", err)
	}
	return answer, nil
}

// foundIn returns the findings of an entry, nil if its outcome has none.
func foundIn(e audit.Entry, o cpis.Outcome) (*cpis.Findings, error) {
	if o != cpis.Found {
		if len(e.Detail) > 0 || e.Records != 0 || e.Accesses != 0 {
			return nil, errors.New("shown: the entry holds findings, but its outcome has none")
		}
		return nil, nil
	}
	if len(e.Detail) == 0 {
		return nil, ErrNoContent
	}
	f, err := Decode(e.Detail)
	if err != nil {
		return nil, err
	}
	if len(f.Records) != e.Records || len(f.Accesses) != e.Accesses {
		return nil, errors.New("shown: the entry counts other findings than it holds")
	}
	number, err := cpis.ParseNHSNumber(e.NHSNumber)
	if err != nil || !f.AboutOnly(number) {
		return nil, errors.New("shown: the findings are not about the number that was asked about")
	}
	return &f, nil
}
