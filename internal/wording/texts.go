package wording

import "strings"

// Texts for a screen around an answer.
const (
	// Waiting is shown while the question is under way (DISP-10).
	Waiting = "Checking CP-IS. Do not assume the answer."
	// WaitingLong is shown if it takes long (DISP-10).
	WaitingLong = "This is taking longer than usual. Do not send another check."
	// PrintNotice stands on every print (DISP-11).
	PrintNotice = "Do not file where the patient or family can see it."
)

const (
	testSystem   = "Test system. This is not real information."
	confidential = "NHS Confidential: Personal Data about a patient"

	whatToDo    = "What to do now"
	notNoRecord = `Do not treat this as "no record".`

	endedIsNotNoRisk  = "A plan that has ended does not mean there is no risk now."
	call999           = "If a child is in immediate danger, call 999."
	followProcedure   = "Follow your safeguarding procedure"
	notAReferral      = "CP-IS tells the local authority about this check, but it is not a referral."
	maybeNotRecent    = "The information may not include very recent changes."
	heldAgainstMother = "The plan is held against the mother's NHS number."

	notVerified = "The NHS number could not be confirmed with the national demographics service before this check. " +
		"Make sure that it is this person's number."
	birthNotCompared = "The date of birth could not be compared with the national demographics service before this check. " +
		"Make sure that this is the person's NHS number."

	noContacts = "Your organisation has not added a contact list. Ask your safeguarding lead, " +
		"or phone the council where the child lives and ask for children's social care."
	notSupplied = "Not supplied by the local authority. Use your local contact list."

	historyHeading = "Who has checked CP-IS for this person"
	historyNote    = "This list shows up to 25 of the most recent checks in unscheduled care in England, " +
		"including yours. If the same person or system checks again within 24 hours, only the first " +
		"check is listed. The person may have attended more often than this list shows."
)

// Downtime is what staff do while no checks can be made (TOM-CL-01b). Contacts is
// the local contact list, may be empty.
func Downtime(contacts string) string {
	return "CP-IS checks from this system are not working. Do not assume that there is no plan. " +
		"If you can use the National Care Records Service (NCRS), check CP-IS there. " +
		withContacts("For every child and every pregnant woman where you have a concern, "+
			"phone children's social care for the area where they live", cleanLines(contacts))
}

// withContacts ends a sentence with the local contact list.
func withContacts(sentence, contacts string) string {
	if contacts == "" {
		return sentence + ". " + noContacts
	}
	return stop(sentence + ": " + contacts)
}

// toServiceDesk asks the reader to contact the service desk.
func (s scene) toServiceDesk() string {
	if s.ServiceDesk == "" {
		return "Tell the people who support your system."
	}
	return stop("Contact the service desk: " + s.ServiceDesk)
}

// withReference asks the reader to pass on the reference, if there is one.
func (s scene) withReference() string {
	switch {
	case s.Reference == "":
		return s.toServiceDesk()
	case s.ServiceDesk == "":
		return "Give reference " + s.Reference + " to the people who support your system."
	default:
		return stop("Give reference " + s.Reference + " to the service desk: " + s.ServiceDesk)
	}
}

// stop ends a sentence that a filled-in value may have ended already.
func stop(sentence string) string {
	if strings.HasSuffix(sentence, ".") {
		return sentence
	}
	return sentence + "."
}

// list joins words as "a, b and c".
func list(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
