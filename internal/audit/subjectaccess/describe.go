package subjectaccess

import (
	"fmt"
	"slices"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// describe says in plain words what an entry is about.
func describe(r audit.Record, mask bool) Entry {
	e := r.Entry
	d := Entry{
		Seq: r.Seq, Time: e.Time.UTC(), Kind: string(e.Kind), What: what(e), Authority: told(e),
		Organisation: e.Organisation, State: r.State.String(),
	}
	if e.Author != nil {
		d.Role = e.Author.RoleName
		if d.Organisation == "" {
			d.Organisation = e.Author.Organisation
		}
	}
	if !mask {
		d.Who, d.Purpose = people(e), e.Purpose // a purpose is free text, which may name people
	}
	return d
}

// describeView says in plain words what a reading of several people's entries is. Its
// purpose, which is free text, may be about the others.
func describeView(v reading.View, mask bool) Entry {
	d := Entry{Seq: v.Seq, Time: v.Time, Kind: string(audit.Read), State: v.State, Several: true,
		What: "Entries of the audit log were shown that may be about several people. Some of them are about this person."}
	if v.Certainty == reading.MayShow {
		d.What = "Entries of the audit log were handed out or listed that may be about several people. Some about this person were, or may have been, among them."
	}
	if !mask && v.Operator != "" {
		d.Who = []string{v.Operator}
	}
	return d
}

// people are those who an entry names beside the person that it is about.
func people(e audit.Entry) []string {
	var all []string
	add := func(name string) {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if e.Author != nil {
		add(e.Author.Name)
		add(e.Author.UserID)
		for _, authority := range e.Author.Authorities {
			add(authority.Name)
		}
	}
	for _, identity := range e.AuditIdentities {
		add(identity.URI)
	}
	add(e.Username)
	add(e.Operator)
	return all
}

func what(e audit.Entry) string {
	switch e.Kind {
	case audit.Intent:
		return "A care setting asked the Child Protection Information Sharing service (CP-IS) whether it holds a record about this person."
	case audit.Outcome:
		return "How that question ended: " + meaning(e)
	case audit.Refused:
		return "A question about this person was refused. " + meaning(e)
	case audit.Recovered:
		return "The service stopped before it had recorded how that question ended. What was told, if anything, is not known."
	case audit.Undelivered:
		return "The answer did not reach the system that had asked."
	case audit.LookedUp:
		return "Before that question, a national directory or demographics service was asked."
	case audit.Discarded:
		return "An answer of CP-IS came that no question waited for. It was given to nobody."
	case audit.Read:
		return "The audit log was searched for this person's entries, or some of them were shown."
	case audit.Held:
		return "Entries about this person are to be kept for a legal reason."
	default:
		return fmt.Sprintf("An entry of the kind %q names this person.", string(e.Kind))
	}
}

// meaning is what an outcome means, and how much was told.
func meaning(e audit.Entry) string {
	text := "It ended in a way that this version of Ward does not know."
	for _, o := range cpis.Outcomes() {
		if o.String() == e.Outcome {
			text = o.Meaning()
		}
	}
	if e.Records > 0 || e.Accesses > 0 {
		text += fmt.Sprintf(" Told: %d records, and %d earlier accesses.", e.Records, e.Accesses)
	}
	return text
}

// told says whether the local authority was told, where that is known to matter.
func told(e audit.Entry) string {
	switch e.Notified {
	case "yes":
		return "The local authority was told of it."
	case "no":
		return "The local authority was not told of it."
	case "maybe":
		return "It is not known whether the local authority was told of it."
	}
	if e.Kind == audit.Recovered {
		return "It is not known whether the local authority was told of it."
	}
	return ""
}
