package event

import (
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
)

// Indicator is the outcome of an event as both standards code it.
type Indicator string

// The indicators. 12, a major failure, is not used.
const (
	Pending Indicator = ""  // not known when the entry was written; PS3.15 wants a value, and 0 then
	Success Indicator = "0" // CP-IS answered, whatever the answer, or Ward did what was asked
	Minor   Indicator = "4" // could not find out; nothing was asked, or it is certain that it was not taken in
	Serious Indicator = "8" // could not find out, and it is not known what came of the question, or the log is in trouble
)

// outcomes is the one table from the outcomes of a question to indicators.
var outcomes = map[cpis.Outcome]Indicator{
	cpis.Found:    Success,
	cpis.NoRecord: Success,

	cpis.InputInvalid:        Minor,
	cpis.AuthorRejected:      Minor,
	cpis.NumberSuperseded:    Minor,
	cpis.NumberInvalidated:   Minor,
	cpis.NumberUnknown:       Minor,
	cpis.NumberMismatch:      Minor,
	cpis.DemographicsFailed:  Minor,
	cpis.DirectoryFailed:     Minor,
	cpis.NotSent:             Minor,
	cpis.SpineFaultConfig:    Minor,
	cpis.SpineReject:         Minor,
	cpis.InternalNotSent:     Minor,
	cpis.Refused:             Minor,
	cpis.RefusedDuplicate:    Minor,
	cpis.Overloaded:          Minor,
	cpis.ProviderUnreachable: Minor,

	cpis.OutcomeUnknown:        Serious,
	cpis.AuthorRejectedBySpine: Serious,
	cpis.SentNoAnswer:          Serious,
	cpis.AsyncNotAcked:         Serious,
	cpis.AsyncNoReply:          Serious,
	cpis.SpineHTTPError:        Serious,
	cpis.SpineFault:            Serious,
	cpis.SpineDuplicate:        Serious,
	cpis.SpineError:            Serious,
	cpis.SpineAckOnly:          Serious,
	cpis.ResponseInvalid:       Serious,
	cpis.InternalAfterSent:     Serious,
	cpis.AuditFailedAfter:      Serious,
	cpis.AuditFailedBefore:     Serious,
	cpis.ProviderNoAnswer:      Serious,
}

// judge returns the indicator of an entry and a sentence. A question whose outcome
// has no name that is known here is a failure: it never looks answered.
func judge(e audit.Entry, r row) (Indicator, string) {
	if !r.judged {
		return r.outcome, r.meaning
	}
	for outcome, indicator := range outcomes {
		if outcome.String() != e.Outcome {
			continue
		}
		if indicator == Success {
			return Success, "Answered: " + outcome.Meaning()
		}
		return indicator, "Could not find out: " + outcome.Meaning()
	}
	if e.Outcome == "" {
		return Serious, "Could not find out: the entry does not tell an outcome."
	}
	return Serious, "Could not find out: the entry tells an outcome that this version of Ward does not know: " + text(e.Outcome) + "."
}
