package audit

import (
	"slices"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Field is what an entry can be found by.
type Field string

// The fields of terms. The terms of the first three are keyed: what they stand for is
// personal.
const (
	FieldNHSNumber    Field = "nhs_number"
	FieldUser         Field = "user"         // user name, audit identity, user id of the author, operator
	FieldAuthority    Field = "authority"    // who is responsible for a question, or ordered an act
	FieldClient       Field = "client"       // name in the registry
	FieldOrganisation Field = "organisation" // ODS code
	FieldCorrelation  Field = "correlation"
	FieldMessage      Field = "message" // message, tracking, query and Spine message ids
	FieldOutcome      Field = "outcome"
	FieldKind         Field = "kind"
)

// Personal reports whether the terms of a field are keyed.
func (f Field) Personal() bool {
	return f == FieldNHSNumber || f == FieldUser || f == FieldAuthority
}

// TermsOf are the terms of a value of a field: one, or one for each index key.
func TermsOf(keys *seal.Keys, f Field, value string) []seal.Term {
	if f.Personal() {
		return keys.Terms(string(f), value)
	}
	return []seal.Term{seal.PublicTerm(string(f), value)}
}

// indexed reports whether entries of a kind are found by it. Those of every
// question are not: there would be a term for half the log.
func (k Kind) indexed() bool { return k != Intent && k != Outcome }

// publicTerms are the terms of what stands in a leaf. The ids of a message stand for
// its whole transaction, so the entries that end one do not repeat them.
func (e *Entry) publicTerms() []seal.Term {
	var t terms
	t.add(FieldClient, e.Client)
	t.add(FieldOrganisation, e.Organisation)
	t.add(FieldCorrelation, e.Correlation)
	t.add(FieldOutcome, e.Outcome)
	if e.Kind.indexed() {
		t.add(FieldKind, string(e.Kind))
	}
	if e.Kind == Intent || e.Kind == Refused {
		t.add(FieldMessage, e.MessageID)
		t.add(FieldMessage, e.TrackingID)
		t.add(FieldMessage, e.QueryID)
	}
	if e.Kind != Intent {
		for _, id := range e.SpineMessageIDs[:min(MaxList, len(e.SpineMessageIDs))] {
			t.add(FieldMessage, id)
		}
	}
	return t.sorted()
}

// personalTerms are the terms of what stands in a content.
func (e *Entry) personalTerms(keys *seal.Keys) []seal.Term {
	t := terms{keys: keys}
	t.add(FieldNHSNumber, e.NHSNumber)
	t.add(FieldUser, e.Username)
	t.add(FieldUser, e.Operator)
	t.add(FieldAuthority, e.Authority)
	for _, identity := range e.AuditIdentities[:min(MaxList, len(e.AuditIdentities))] {
		t.add(FieldUser, identity.URI)
	}
	if e.Author != nil {
		t.add(FieldUser, e.Author.UserID)
		for _, authority := range e.Author.Authorities[:min(MaxList, len(e.Author.Authorities))] {
			t.add(FieldAuthority, authority.Name)
		}
	}
	return t.sorted()
}

// terms collects the terms of one entry.
type terms struct {
	keys *seal.Keys
	all  []seal.Term
}

func (t *terms) add(f Field, value string) {
	if value == "" {
		return
	}
	kept, _ := fit(value)
	if f.Personal() {
		t.all = append(t.all, t.keys.Term(string(f), kept))
	} else {
		t.all = append(t.all, seal.PublicTerm(string(f), kept))
	}
}

func (t *terms) sorted() []seal.Term { return set(t.all) }

func set(all []seal.Term) []seal.Term {
	slices.Sort(all)
	return slices.Compact(all)
}
