package cpis

import "strings"

// MaxAccesses is the length of the access history that CP-IS keeps. Say "25 most
// recent", never "all".
const MaxAccesses = 25

// PlanType is the kind of a plan.
type PlanType uint8

const (
	// UnrecognisedPlan is a type that Ward does not know. It is passed on and
	// shown as such, never dropped (WRD-SAF-07).
	UnrecognisedPlan PlanType = iota
	ChildProtectionPlan
	LookedAfterChild
	UnbornChildPlan
)

// String names the type in lower case, for sentences.
func (t PlanType) String() string {
	switch t {
	case ChildProtectionPlan:
		return "child protection plan"
	case LookedAfterChild:
		return "looked-after child record"
	case UnbornChildPlan:
		return "unborn child protection plan"
	default:
		return "plan of a type not recognised"
	}
}

// PlanStatus is where a plan stands on a given day.
type PlanStatus uint8

const (
	PlanCurrent PlanStatus = iota
	PlanEnded
	PlanStartsLater
)

// Plan is one plan of one record.
type Plan struct {
	Type  PlanType
	Start Date
	End   Date // zero: no end date recorded, which is neither ended nor an error
	// Form is how the source names a type that is not recognised, so that the plan
	// can be passed on as it came. Empty for the known types.
	Form PlanForm
}

// PlanForm is the message vocabulary of an unrecognised plan.
type PlanForm struct {
	Template     string // template id, such as COCT_TP146105GB01
	Class        string // class within the template, such as CPPInformation
	StartElement string
	EndElement   string
}

// Status applies the date rule: ended only if an end date is recorded and lies
// before today; today is the civil date in the United Kingdom (WRD-SAF-06).
func (p Plan) Status(today Date) PlanStatus {
	if !p.End.IsZero() && p.End.DayBefore(today) {
		return PlanEnded
	}
	if today.DayBefore(p.Start) {
		return PlanStartsLater
	}
	return PlanCurrent
}

// Telecom is one telephone number of a local authority as it was supplied.
type Telecom struct {
	Use   string // HL7 use list; "WP" office hours, "EC" emergency duty team
	Value string // "tel:" and the number; the number may be missing
}

// LocalAuthority is the responsible local authority of a record.
type LocalAuthority struct {
	Organisation
	Telecoms []Telecom
}

// OfficeHours is the number in office hours, empty if it was not supplied.
func (la LocalAuthority) OfficeHours() string { return la.number("WP") }

// EmergencyDuty is the number of the emergency duty team, empty if it was not
// supplied.
func (la LocalAuthority) EmergencyDuty() string { return la.number("EC") }

func (la LocalAuthority) number(use string) string {
	for _, t := range la.Telecoms {
		for _, token := range strings.Fields(t.Use) {
			number := strings.TrimPrefix(t.Value, "tel:")
			if token == use && number != "" {
				return number
			}
		}
	}
	return ""
}

// Subject is the person whom a record is about.
type Subject struct {
	// Mother says that the subject is the mother of an unborn child with a plan;
	// otherwise the subject is the child. Nothing is carried about an unborn child.
	Mother bool
	IDs    []Identifier
	Birth  Moment
	Name   PersonName
}

// Record is what one local authority holds.
type Record struct {
	LocalAuthority LocalAuthority
	Plans          []Plan
	Subjects       []Subject
}

// Access is one earlier check of the same person, or the present one.
type Access struct {
	ID     string // UUID of the query event
	Time   Moment
	Author Author
	Number NHSNumber
}

// Query is one question to CP-IS: what does it hold for this NHS number? Asking
// it writes into the person's history and notifies the local authority.
type Query struct {
	ID     string // upper-case UUID of the query event
	Time   Moment
	Author Author
	Number NHSNumber
}

// Findings is what CP-IS holds and who looked before, oldest access first.
type Findings struct {
	ID       string // id of the response event
	Time     Moment
	Records  []Record
	Accesses []Access
}
