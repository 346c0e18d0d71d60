package itk

import (
	"slices"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Remarks are what an answer says beside its response code, each in a handling entry
// of our own that a client may pass over. What is zero is left out.
type Remarks struct {
	Notified     *cpis.Notified // whether the local authority was notified (WRD-RC-14)
	Outcome      cpis.Outcome
	Replacement  cpis.NHSNumber // MSCA-DQ-03
	Verification cpis.Verification
}

// RemarksOf are all remarks on an answer. The outcome is one only if nothing was asked
// and the code leaves open why: what a person has to do then depends on it.
func RemarksOf(a cpis.Answer, codes cpis.Codes) Remarks {
	notified := a.Notified()
	r := Remarks{Notified: &notified, Replacement: a.Replacement(), Verification: a.Verification()}
	understood := cpis.Told(codes.Of(a.Outcome()), &notified, cpis.Findings{}, 0, 0).Outcome()
	if a.State(cpis.Date{}) == cpis.NotChecked && understood != a.Outcome() {
		r.Outcome = a.Outcome()
	}
	return r
}

// spec is a handling entry.
type spec struct{ key, value string }

func (r Remarks) specs() []spec {
	var specs []spec
	if r.Notified != nil {
		specs = append(specs, spec{NotificationKey, notificationValue(*r.Notified)})
	}
	if r.Outcome != cpis.OutcomeUnknown {
		specs = append(specs, spec{OutcomeKey, r.Outcome.String()})
	}
	if !r.Replacement.IsZero() {
		specs = append(specs, spec{ReplacementKey, r.Replacement.Digits()})
	}
	if r.Verification != cpis.NotVerifying {
		specs = append(specs, spec{DemographicsKey, r.Verification.String()})
	}
	return specs
}

// notificationValue is the wire form of the notification entry.
func notificationValue(n cpis.Notified) string {
	switch n {
	case cpis.NotifiedYes:
		return "notified"
	case cpis.NotifiedNo:
		return "none"
	default:
		return "unknown"
	}
}

// readRemarks takes the first entry of each key. One that cannot be understood says
// nothing, but a notification that is not understood may have been made. A
// replacement is for a person to read and act on, so that it must be an NHS number
// that can be somebody's.
func readRemarks(header xmlstrict.Element) Remarks {
	handling, _ := soap.Child(header, Namespace, "handlingSpecification")
	entries := children(handling, "spec")
	said := func(key string) (value string, told bool) {
		i := slices.IndexFunc(entries, func(e xmlstrict.Element) bool { return attribute(e, "key") == key })
		if i < 0 {
			return "", false
		}
		return attribute(entries[i], "value"), true
	}
	r := Remarks{}
	value, told := said(NotificationKey)
	if told {
		r.Notified = notificationOf(value)
	}
	value, _ = said(OutcomeKey)
	r.Outcome, _ = cpis.ParseOutcome(value)
	value, _ = said(ReplacementKey)
	replacement, err := cpis.ParseNHSNumber(value)
	if err == nil && replacement.CheckDigitValid() {
		r.Replacement = replacement
	}
	value, _ = said(DemographicsKey)
	r.Verification = cpis.ParseVerification(value)
	return r
}

func notificationOf(value string) *cpis.Notified {
	for _, notified := range []cpis.Notified{cpis.NotifiedYes, cpis.NotifiedNo} {
		if value == notificationValue(notified) {
			return &notified
		}
	}
	maybe := cpis.NotifiedMaybe
	return &maybe
}
