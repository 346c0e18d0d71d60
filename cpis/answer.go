package cpis

import (
	"errors"
	"fmt"
	"io"
)

// Answer is how one question ended: exactly one Outcome, whether the local
// authority was notified, and, for Found alone, the findings.
//
// An Answer of Found needs findings with a record; an Answer of NoRecord needs
// the Spine's own statement (see Rules and Told), or a record of one (see
// Recorded). Everything else is made by Failed, which can make neither
// (WRD-RC-15). The zero Answer is OutcomeUnknown.
type Answer struct {
	outcome  Outcome
	notified Notified
	findings *Findings
	reason   string

	replacement  NHSNumber    // of NumberSuperseded alone
	verification Verification // of the number asked about
}

// Failed is the Answer of a question that brought no result. Reason is a short
// fixed text for the audit log and the operator, never content of a message.
// Found and NoRecord are not failures; asking for them gives OutcomeUnknown.
func Failed(o Outcome, reason string) Answer {
	if o == Found || o == NoRecord || o >= outcomes {
		o = OutcomeUnknown
	}
	return Answer{outcome: o, notified: o.Notified(), reason: reason}
}

func found(f Findings, reason string) Answer {
	return Answer{outcome: Found, notified: NotifiedYes, findings: &f, reason: reason}
}

func noRecord(reason string) Answer {
	return Answer{outcome: NoRecord, notified: NoRecord.Notified(), reason: reason}
}

// Format writes the outcome and nothing else, whatever the verb: fmt would otherwise
// print what is found, and the replacement of a number, by reflection.
func (a Answer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.outcome.String()) }

// Outcome says how the question ended.
func (a Answer) Outcome() Outcome { return a.outcome }

// Notified says whether the responsible local authority was told.
func (a Answer) Notified() Notified { return a.notified }

// Reason is the short fixed text for the operator.
func (a Answer) Reason() string { return a.reason }

// Findings returns what was found; ok is true for Found alone.
func (a Answer) Findings() (f Findings, ok bool) {
	if a.findings == nil {
		return Findings{}, false
	}
	return *a.findings, true
}

// Withheld replaces an answer that could not be recorded: its content is dropped,
// what is known of the notification is kept (WRD-AUD-05).
func (a Answer) Withheld(reason string) Answer {
	w := Failed(AuditFailedAfter, reason)
	w.notified = a.notified
	return w
}

// Recorded rebuilds an Answer from the audit log's record of it, so that it can be
// looked at again (IG-3.9.2c). It is for readers of the log alone: whoever answers a
// question has no use for it, since it takes the record's word for what was found.
//
// A record that contradicts itself is an error and never an answer: Found has
// findings with at least one record and nothing else has findings (WRD-RC-15), and
// an outcome that settles whether the local authority was told cannot go with
// another statement about it.
func Recorded(o Outcome, n Notified, reason string, findings *Findings) (Answer, error) {
	switch {
	case o >= outcomes || n > NotifiedYes:
		return Answer{}, errors.New("the record has an outcome or a state of notification that there is not")
	case (o == Found) != (findings != nil):
		return Answer{}, errors.New("the record's outcome and its findings contradict each other")
	case findings != nil && len(findings.Records) == 0:
		return Answer{}, errors.New("the record says that something was found, and holds no record")
	case o.Notified() != NotifiedMaybe && n != o.Notified():
		return Answer{}, errors.New("the record's outcome and its state of notification contradict each other")
	}
	return Answer{outcome: o, notified: n, findings: findings, reason: reason}, nil
}

// Told rebuilds an Answer from what a provider told its client: a response code,
// the notification state if the provider gave one, and the findings of
// SMSP-0000. Anything that contradicts itself, or that is not a known code, is
// an unknown outcome and never a result (WRD-SUP-06).
func Told(code Code, notified *Notified, f Findings, accesses, records int) Answer {
	answer := told(code, notified, f, accesses, records)
	if notified == nil || answer.outcome == Found {
		return answer
	}
	switch {
	case answer.outcome == NoRecord && *notified == NotifiedYes:
		answer = Failed(ResponseInvalid, "the code says no record, but somebody was notified of one")
	case answer.notified == NotifiedNo && *notified != NotifiedNo:
		answer = Failed(SentNoAnswer, "the code says that nothing was sent, the notification entry does not")
	}
	answer.notified = *notified
	return answer
}

func told(code Code, notified *Notified, f Findings, accesses, records int) Answer {
	empty := len(f.Records) == 0 && len(f.Accesses) == 0 && accesses == 0 && records == 0
	if code != CodeSuccess && !empty {
		return Failed(ResponseInvalid, "the code says that there is no content, but there is")
	}
	switch code {
	case CodeSuccess:
		if len(f.Records) == 0 || len(f.Records) != records || len(f.Accesses) != accesses {
			return Failed(ResponseInvalid, "the totals do not match the content")
		}
		return found(f, "")
	case CodeNoRecord:
		return noRecord("told by the provider")
	case CodeInputInvalid:
		return Failed(InputInvalid, "told by the provider")
	case CodeResponseInvalid:
		return Failed(ResponseInvalid, "told by the provider")
	case CodeNotConnected:
		return Failed(NotSent, "told by the provider")
	case CodeAuthor:
		return Failed(toldAuthor(notified), "told by the provider")
	case CodeSpineError:
		return Failed(SentNoAnswer, "told by the provider")
	case CodeInternal:
		return Failed(toldInternal(notified), "told by the provider")
	default:
		return Failed(OutcomeUnknown, "the provider's code is not one that a provider sends")
	}
}

func toldAuthor(notified *Notified) Outcome {
	if notified != nil && *notified != NotifiedNo {
		return AuthorRejectedBySpine
	}
	return AuthorRejected
}

func toldInternal(notified *Notified) Outcome {
	if notified != nil && *notified == NotifiedNo {
		return InternalNotSent
	}
	return InternalAfterSent
}

// State is what a person at the point of care is shown: exactly one of six
// (DISP-1, WRD-SAF-01).
type State uint8

const (
	// ResultNotKnown is the zero value: sent, or possibly sent, without a result.
	ResultNotKnown State = iota
	// NotChecked: nothing was asked, or the Spine refused who asked.
	NotChecked
	CurrentPlanFound
	UnbornPlanFound
	EndedPlanOnly
	NoRecordHeld
)

// String names the state.
func (s State) String() string {
	switch s {
	case NotChecked:
		return "could not be established"
	case CurrentPlanFound:
		return "current plan"
	case UnbornPlanFound:
		return "unborn plan"
	case EndedPlanOnly:
		return "ended plan only"
	case NoRecordHeld:
		return "no record"
	default:
		return "outcome unknown"
	}
}

// State chooses the state on the civil date today in the United Kingdom. A plan
// that starts later counts as current, so that it is never played down; a record
// without any plan that can be read does too.
func (a Answer) State(today Date) State {
	switch a.outcome {
	case Found:
		return a.findings.state(today)
	case NoRecord:
		return NoRecordHeld
	case InputInvalid, AuthorRejected, AuthorRejectedBySpine, NumberSuperseded, NumberInvalidated, NumberUnknown,
		NumberMismatch, DemographicsFailed, DirectoryFailed, NotSent, InternalNotSent,
		Refused, AuditFailedBefore, Overloaded, ProviderUnreachable:
		return NotChecked
	default:
		return ResultNotKnown
	}
}

func (f Findings) state(today Date) State {
	state := EndedPlanOnly
	for _, record := range f.Records {
		if len(record.Plans) == 0 {
			return CurrentPlanFound
		}
		for _, plan := range record.Plans {
			switch {
			case plan.Type == UnbornChildPlan:
				if state == EndedPlanOnly {
					state = UnbornPlanFound
				}
			case plan.Status(today) != PlanEnded:
				state = CurrentPlanFound
			}
		}
	}
	return state
}
