package cpis

import "slices"

// Reason is one coded reason that the Spine gives for a failure.
type Reason struct {
	Code    string
	System  string // OID
	Warning bool   // the Spine qualified it as a warning or information, not an error
}

// Rules decide what the Spine's replies mean. The lists are settings because no
// published document fixes them.
type Rules struct {
	NotFoundCodes    []string // reasons that mean "no record"
	AuthorErrorCodes []string // reasons that mean that the author was refused
}

// DefaultRules are the rules as shipped.
func DefaultRules() Rules {
	return Rules{NotFoundCodes: []string{"1", "NHSNCC002"}}
}

// Statement is what a success reply of the Spine states, before it is believed.
// A total is nil if the reply gave none that can be read.
type Statement struct {
	Findings
	TotalAccesses *int
	TotalRecords  *int
}

// Success judges a success reply against the question it is meant to answer.
//
// Nothing of a reply about another person is passed on (WRD-SAF-09), nor of one
// that declares more than it brings (WRD-SAF-08). One that brings more than it
// declares is passed on whole. An empty success is "no record" only if its total
// is an explicit 0 (WRD-SPN-12).
func (r Rules) Success(q Query, s Statement) Answer {
	if !isCount(s.TotalRecords) || !isCount(s.TotalAccesses) {
		return Failed(ResponseInvalid, "a total is missing or not a number")
	}
	if otherPerson(q.Number, s.Findings) {
		return Failed(ResponseInvalid, "the reply names another NHS number")
	}
	if *s.TotalRecords > len(s.Records) {
		return Failed(ResponseInvalid, "more records declared than received")
	}
	if *s.TotalAccesses > len(s.Accesses) {
		return Failed(ResponseInvalid, "more accesses declared than received")
	}
	if len(s.Records) == 0 {
		return noRecord("a success reply with a total of 0 records")
	}
	for _, record := range s.Records {
		if len(record.Plans) == 0 {
			return Failed(ResponseInvalid, "a record without a plan")
		}
	}
	reason := ""
	if *s.TotalRecords < len(s.Records) || *s.TotalAccesses < len(s.Accesses) {
		reason = "more received than declared"
	}
	return found(s.Findings, reason)
}

func isCount(total *int) bool { return total != nil && *total >= 0 }

// AboutOnly reports whether every NHS number in the findings is the one given.
func (f Findings) AboutOnly(n NHSNumber) bool { return !otherPerson(n, f) }

func otherPerson(asked NHSNumber, f Findings) bool {
	for _, record := range f.Records {
		for _, subject := range record.Subjects {
			for _, id := range subject.IDs {
				if id.Root == OIDNHSNumber && id.Extension != asked.Digits() {
					return true
				}
			}
		}
	}
	for _, access := range f.Accesses {
		if access.Number != asked {
			return true
		}
	}
	return false
}

// FailedQuery judges a failed query (QUQI_IN010000UK14). It is "no record" only
// if there is at least one error reason and every one is listed (WRD-SPN-11).
func (r Rules) FailedQuery(reasons []Reason) Answer {
	errors := errorReasons(reasons)
	switch {
	case len(reasons) == 0:
		return Failed(SpineAckOnly, "a failed query without a reason")
	case len(errors) == 0:
		return Failed(SpineError, "a failed query with warnings only")
	case every(errors, r.NotFoundCodes):
		return noRecord("the Spine found no match")
	case r.refusesAuthor(errors):
		return Failed(AuthorRejectedBySpine, "the Spine refused the author")
	default:
		return Failed(SpineError, "a failed query for another reason than not found")
	}
}

// ApplicationError judges an application acknowledgement of type AE.
func (r Rules) ApplicationError(reasons []Reason) Answer {
	if r.refusesAuthor(errorReasons(reasons)) {
		return Failed(AuthorRejectedBySpine, "the Spine refused the author")
	}
	return Failed(SpineError, "an application error")
}

func errorReasons(reasons []Reason) []Reason {
	var errors []Reason
	for _, reason := range reasons {
		if !reason.Warning {
			errors = append(errors, reason)
		}
	}
	return errors
}

func every(reasons []Reason, listed []string) bool {
	for _, reason := range reasons {
		if !slices.Contains(listed, reason.Code) {
			return false
		}
	}
	return true
}

func (r Rules) refusesAuthor(reasons []Reason) bool {
	for _, reason := range reasons {
		if slices.Contains(r.AuthorErrorCodes, reason.Code) {
			return true
		}
	}
	return false
}
