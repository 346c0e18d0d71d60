package wording

import (
	"fmt"
	"math"
	"strings"

	"github.com/wardsmsp/ward/cpis"
)

const (
	tryAgain   = "You can check again."
	onlyIfNeed = "Do not keep checking. Each check can be recorded as another attendance. " +
		"Check again only if the clinician in charge decides that it is needed."
	onlyAfterRepair = "Do not keep checking. Checks will not work until the fault has been put right."
)

// notChecked words a question that was never put to CP-IS, or that the Spine
// refused to take from this author.
func (s scene) notChecked(d *Document) {
	d.Badge = "CP-IS: not checked"
	d.Heading = "Child protection information could not be checked"
	notified := told(s.answer.Notified())
	if s.answer.Notified() == cpis.NotifiedMaybe {
		notified = "The local authority may have been told."
	}
	d.Lead = "We do not know if there is a plan for " + s.person() + ". " + notified
	d.Advice = []Block{{Heading: notNoRecord, Points: []string{
		withContacts("Phone children's social care for the area where the child lives "+
			"and ask if the child or family is known to them", s.Contacts),
		"If you can use the National Care Records Service (NCRS), check CP-IS there.",
		"Tell the clinician in charge and record that the check was not done.",
		s.whyNotChecked(),
		call999,
	}}}
}

// told says of a failed check whether the local authority knows of it.
func told(n cpis.Notified) string {
	switch n {
	case cpis.NotifiedNo:
		return "No local authority has been told about this attendance."
	case cpis.NotifiedYes:
		return "The local authority has been told about this attendance, but that is not a referral."
	default:
		return "The local authority may have been told about this attendance."
	}
}

// whyNotChecked is the reason with what to do about it.
func (s scene) whyNotChecked() string {
	switch s.answer.Outcome() {
	case cpis.InputInvalid:
		return s.whyInvalid()
	case cpis.AuthorRejected, cpis.AuthorRejectedBySpine:
		return "Your sign-in or organisation details were not accepted. " + s.toServiceDesk()
	case cpis.NumberSuperseded:
		return s.whyReplaced()
	case cpis.NumberInvalidated:
		return "This NHS number is no longer used for anybody. Find the person's present number, then check again."
	case cpis.NumberUnknown:
		return "Nobody is registered under this NHS number. Find the person's own number, then check again."
	case cpis.NumberMismatch:
		return "The date of birth does not belong to this NHS number. Confirm who the person is, " +
			"then check again with the right number and date of birth."
	case cpis.DemographicsFailed:
		return "We could not confirm whose NHS number this is, so CP-IS was not asked. " + tryAgain
	case cpis.DirectoryFailed:
		return "We could not reach a national directory that the check needs, so CP-IS was not asked. " + tryAgain
	case cpis.NotSent:
		return "We could not connect to the national system. " + tryAgain
	case cpis.ProviderUnreachable:
		return "Your system could not connect to the service that asks CP-IS. " + tryAgain
	case cpis.Overloaded:
		return "The service is busy and nothing was sent. " + s.againLater()
	case cpis.Refused:
		return "Your system could not make this check. " + s.toServiceDesk()
	default: // InternalNotSent, AuditFailedBefore
		return "There is a fault in the connecting service. " + s.toServiceDesk()
	}
}

func (s scene) whyInvalid() string {
	if s.Number.IsZero() {
		return "There is no NHS number, so CP-IS cannot be checked."
	}
	return "The NHS number or request was not valid. Check the number, then check again."
}

// whyReplaced shows the replacement, if it was told, and leaves its use to the
// reader (H-34).
func (s scene) whyReplaced() string {
	replacement := s.answer.Replacement()
	if replacement.IsZero() {
		return "This NHS number has been replaced by another one. Find the person's present number, then check again."
	}
	return "This NHS number has been replaced by " + replacement.Grouped() +
		". Confirm who the person is, then check again with that number."
}

func (s scene) againLater() string {
	seconds := int64(math.Ceil(max(s.RetryAfter, 0).Seconds()))
	switch seconds {
	case 0:
		return tryAgain
	case 1:
		return "Check again in 1 second."
	default:
		return fmt.Sprintf("Check again in %d seconds.", seconds)
	}
}

// notKnown words a question that was sent, or may have been, without a result.
func (s scene) notKnown(d *Document) {
	d.Badge = "CP-IS: result not known"
	d.Heading = "We do not know the result of this check"
	d.Lead = strings.Join([]string{s.whatHappened(), "There may be a plan.", told(s.answer.Notified())}, " ")
	repeat := onlyIfNeed
	if s.answer.Outcome().Again() == cpis.AgainNeedsOperator {
		repeat = onlyAfterRepair
	}
	d.Advice = []Block{{Heading: notNoRecord, Points: []string{
		withContacts("Phone children's social care for the area where the child lives", s.Contacts) + " " + s.say(),
		repeat,
		"Tell the clinician in charge and record that the result is not known.",
		s.withReference(),
		call999,
	}}}
}

func (s scene) whatHappened() string {
	check := "The check for " + s.person()
	if s.ClientName != "" && !s.Number.IsZero() {
		check += ","
	}
	switch s.answer.Outcome() {
	case cpis.RefusedDuplicate:
		return check + " was a repeat of a message used before, so it was not sent again. " +
			"We do not know the result of the first message."
	case cpis.AsyncNotAcked:
		return check + " was sent, but the national system did not confirm that it has it, and we did not get an answer."
	case cpis.AsyncNoReply:
		return check + " reached the national system, but we did not get the answer in time."
	case cpis.AuditFailedAfter:
		return check + " was sent, but the answer could not be recorded, so it is not shown."
	case cpis.OutcomeUnknown, cpis.InternalAfterSent, cpis.ProviderNoAnswer:
		return check + " may have been sent, but we did not get an answer that we can use."
	default:
		return check + " was sent, but we did not get an answer that we can use."
	}
}

// say is what to tell social care of the check.
func (s scene) say() string {
	switch s.answer.Outcome() {
	case cpis.RefusedDuplicate:
		return "Say that a CP-IS check may have been sent before " + s.asked + "."
	case cpis.OutcomeUnknown, cpis.InternalAfterSent, cpis.ProviderNoAnswer:
		return "Say that a CP-IS check may have been sent at " + s.asked + "."
	default:
		return "Say that a CP-IS check was sent at " + s.asked + "."
	}
}
