package cpis

import "fmt"

// Notified says whether the responsible local authority has been told.
type Notified uint8

const (
	// NotifiedMaybe is the zero value: what is not known is never claimed.
	NotifiedMaybe Notified = iota
	NotifiedNo
	NotifiedYes
)

// String returns "yes", "no" or "maybe".
func (n Notified) String() string {
	switch n {
	case NotifiedNo:
		return "no"
	case NotifiedYes:
		return "yes"
	default:
		return "maybe"
	}
}

// ParseNotified reads what String returns, and nothing else.
func ParseNotified(name string) (Notified, error) {
	for n := NotifiedMaybe; n <= NotifiedYes; n++ {
		if n.String() == name {
			return n, nil
		}
	}
	return NotifiedMaybe, fmt.Errorf("%.40q does not say whether the local authority was notified: yes, no or maybe", name)
}

// Outcome is how a question ended. Names are stable: they stand in the audit
// log and in the configuration.
type Outcome uint8

const (
	// OutcomeUnknown is the zero value, so that an Answer that nobody filled in
	// can never pass for one that says something.
	OutcomeUnknown Outcome = iota

	Found
	NoRecord

	InputInvalid          // the question is wrong; nothing was sent
	AuthorRejected        // Ward refused the author; nothing was sent
	AuthorRejectedBySpine // the Spine refused the author
	NumberSuperseded      // demographics: another number has taken its place; nothing was sent
	NumberInvalidated     // demographics: the number is no longer anybody's; nothing was sent
	NumberUnknown         // demographics: nobody has this number; nothing was sent
	NumberMismatch        // demographics: the date of birth is another; nothing was sent
	DemographicsFailed    // the number could not be verified; nothing was sent
	DirectoryFailed       // the directory could not be asked; nothing was sent
	NotSent               // no byte reached the Spine
	SentNoAnswer          // bytes left, no usable answer came
	AsyncNotAcked         // bytes left, and neither an acknowledgement nor a reply came
	AsyncNoReply          // acknowledged, but no reply came in time
	SpineHTTPError        // an HTTP answer that is not SOAP
	SpineFaultConfig      // SOAP fault: the Spine does not take this question from us at all
	SpineFault            // any other SOAP fault
	SpineReject           // application acknowledgement AR
	SpineDuplicate        // AR 202: we used an id twice
	SpineError            // application error, or a failed query that is not "not found"
	SpineAckOnly          // an acknowledgement without a result
	ResponseInvalid       // the reply cannot be trusted
	InternalNotSent       // Ward failed before anything was sent
	InternalAfterSent     // Ward failed after something may have been sent
	AuditFailedAfter      // the answer could not be recorded and is withheld

	Refused             // a SOAP fault: the message was not accepted, nothing was asked
	RefusedDuplicate    // a message used twice; the first one's outcome stands
	AuditFailedBefore   // the intent could not be recorded, nothing was asked
	Overloaded          // busy or draining, nothing was asked
	ProviderUnreachable // a client could not reach its provider, nothing was asked
	ProviderNoAnswer    // a client got no usable answer from its provider

	outcomes // how many there are
)

// Again says whether the same question may simply be asked once more.
type Again uint8

const (
	// AgainByDecision: only if a person decides so, since it can be recorded as
	// another attendance. It is the zero value.
	AgainByDecision Again = iota
	AgainYes
	AgainAfterCorrection
	AgainNeedsOperator
	AgainNotNeeded
)

// String names the advice.
func (a Again) String() string {
	switch a {
	case AgainYes:
		return "yes"
	case AgainAfterCorrection:
		return "after correction"
	case AgainNeedsOperator:
		return "not until the operator has acted"
	case AgainNotNeeded:
		return "not needed"
	default:
		return "only by a person's decision"
	}
}

// ending is one row of the outcome table.
type ending struct {
	name     string
	code     Code // empty: told by a fault or an HTTP status, not by a code
	notified Notified
	again    Again
	meaning  string
}

// endings is the one table from outcomes to response codes and words (WRD-RC-12).
// Its length is checked by the compiler, its rows by a test.
var endings = [outcomes]ending{
	OutcomeUnknown: {"unknown", CodeInternal, NotifiedMaybe, AgainByDecision, "It is not known how the question ended."},

	Found:    {"found", CodeSuccess, NotifiedYes, AgainNotNeeded, "CP-IS holds at least one record."},
	NoRecord: {"no_record", CodeNoRecord, NotifiedNo, AgainNotNeeded, "CP-IS answered that it holds no record for this NHS number."},

	InputInvalid:          {"input_invalid", CodeInputInvalid, NotifiedNo, AgainAfterCorrection, "The request was not valid. Nothing was sent."},
	AuthorRejected:        {"author_rejected", CodeAuthor, NotifiedNo, AgainAfterCorrection, "The author of the request was not accepted. Nothing was sent."},
	AuthorRejectedBySpine: {"author_rejected_by_spine", CodeAuthor, NotifiedMaybe, AgainAfterCorrection, "The Spine did not accept the author of the request."},
	NumberSuperseded:      {"number_superseded", CodeInputInvalid, NotifiedNo, AgainAfterCorrection, "This NHS number has been replaced by another one. Nothing was sent: trace the patient again and ask with the present number."},
	NumberInvalidated:     {"number_invalidated", CodeInputInvalid, NotifiedNo, AgainAfterCorrection, "This NHS number is no longer in use. Nothing was sent: trace the patient again."},
	NumberUnknown:         {"number_unknown", CodeInputInvalid, NotifiedNo, AgainAfterCorrection, "The demographics service knows nobody with this NHS number. Nothing was sent: trace the patient again."},
	NumberMismatch:        {"number_mismatch", CodeInputInvalid, NotifiedNo, AgainAfterCorrection, "This NHS number belongs to somebody with another date of birth. Nothing was sent: make sure who the patient is."},
	DemographicsFailed:    {"demographics_unavailable", CodeNotConnected, NotifiedNo, AgainYes, "The NHS number could not be verified with the demographics service. Nothing was sent."},
	DirectoryFailed:       {"directory_unavailable", CodeNotConnected, NotifiedNo, AgainYes, "The Spine's directory could not be asked. Nothing was sent."},
	NotSent:               {"not_sent", CodeNotConnected, NotifiedNo, AgainYes, "The Spine could not be reached. Nothing was sent."},
	SentNoAnswer:          {"sent_no_answer", CodeSpineError, NotifiedMaybe, AgainByDecision, "The question was sent, but no usable answer came."},
	AsyncNotAcked:         {"async_not_acked", CodeSpineError, NotifiedMaybe, AgainByDecision, "The question was sent, but the Spine did not confirm that it has it, and no answer came."},
	AsyncNoReply:          {"async_no_reply", CodeSpineError, NotifiedMaybe, AgainByDecision, "The Spine has the question, but its answer did not come in time."},
	SpineHTTPError:        {"spine_http_error", CodeSpineError, NotifiedMaybe, AgainByDecision, "The Spine answered with an error that is not a CP-IS message."},
	SpineFaultConfig:      {"spine_fault_config", CodeSpineError, NotifiedNo, AgainNeedsOperator, "The Spine does not accept this question from this provider."},
	SpineFault:            {"spine_fault", CodeSpineError, NotifiedMaybe, AgainByDecision, "The Spine reported a fault."},
	SpineReject:           {"spine_reject", CodeSpineError, NotifiedNo, AgainByDecision, "The Spine rejected the question."},
	SpineDuplicate:        {"spine_duplicate", CodeInternal, NotifiedMaybe, AgainByDecision, "The Spine reported that a message identifier was used twice."},
	SpineError:            {"spine_error", CodeSpineError, NotifiedMaybe, AgainByDecision, "CP-IS reported an error."},
	SpineAckOnly:          {"spine_ack_only", CodeResponseInvalid, NotifiedMaybe, AgainByDecision, "The Spine acknowledged the question but gave no result."},
	ResponseInvalid:       {"response_invalid", CodeResponseInvalid, NotifiedMaybe, AgainByDecision, "The Spine's answer could not be trusted, so it is withheld."},
	InternalNotSent:       {"internal_not_sent", CodeInternal, NotifiedNo, AgainYes, "The provider failed before anything was sent."},
	InternalAfterSent:     {"internal", CodeInternal, NotifiedMaybe, AgainByDecision, "The provider failed after the question may have been sent."},
	AuditFailedAfter:      {"audit_failed_after", CodeInternal, NotifiedMaybe, AgainByDecision, "The answer could not be recorded and is therefore withheld."},

	Refused:             {"refused", "", NotifiedNo, AgainAfterCorrection, "The message was not accepted. Nothing was asked."},
	RefusedDuplicate:    {"refused_duplicate", "", NotifiedMaybe, AgainByDecision, "The message was used before. The first one's outcome stands."},
	AuditFailedBefore:   {"audit_failed_before", "", NotifiedNo, AgainYes, "The question could not be recorded, so nothing was asked."},
	Overloaded:          {"overloaded", "", NotifiedNo, AgainYes, "The provider is busy. Nothing was asked."},
	ProviderUnreachable: {"provider_unreachable", "", NotifiedNo, AgainYes, "The provider could not be reached. Nothing was asked."},
	ProviderNoAnswer:    {"provider_no_answer", "", NotifiedMaybe, AgainByDecision, "The provider gave no usable answer."},
}

func (o Outcome) ending() ending {
	if o >= outcomes {
		return endings[OutcomeUnknown]
	}
	return endings[o]
}

// String is the outcome's stable name, such as "sent_no_answer".
func (o Outcome) String() string { return o.ending().name }

// ParseOutcome reads an outcome's stable name, and nothing else.
func ParseOutcome(name string) (Outcome, error) {
	for o, e := range endings {
		if e.name == name {
			return Outcome(o), nil
		}
	}
	return OutcomeUnknown, fmt.Errorf("%.40q is not the name of an outcome", name)
}

// Notified says whether this outcome means that the local authority was told.
func (o Outcome) Notified() Notified { return o.ending().notified }

// Again says whether the question may be asked once more.
func (o Outcome) Again() Again { return o.ending().again }

// Meaning is one sentence in plain English.
func (o Outcome) Meaning() string { return o.ending().meaning }

// Outcomes returns every outcome, in the order of the table.
func Outcomes() []Outcome {
	all := make([]Outcome, 0, outcomes)
	for o := range outcomes {
		all = append(all, o)
	}
	return all
}
