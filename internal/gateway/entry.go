package gateway

import (
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/shown"
)

// entry writes down who asked what, and for every kind but an intent how it ended.
func (g *Gateway) entry(q Question, kind audit.Kind, answer cpis.Answer) audit.Entry {
	now := g.config.Now()
	e := audit.Entry{
		Kind:         kind,
		Time:         now,
		Correlation:  q.Correlation,
		Client:       q.Client.Name,
		Organisation: q.Client.Organisations[0],
		Certificate:  q.Certificate,
		Remote:       q.Remote,
		Username:     q.Username,
		Author:       auditAuthor(q.Query.Author),
		NHSNumber:    q.Query.Number.Digits(),
		MessageID:    q.MessageID,
		TrackingID:   q.TrackingID,
		QueryID:      q.Query.ID,
		Elapsed:      now.Sub(q.Received),
	}
	for _, identity := range q.AuditIdentities {
		e.AuditIdentities = append(e.AuditIdentities, audit.Identity{Type: identity.Type, URI: identity.URI})
	}
	if kind == audit.Intent {
		e.Reason = joined("", g.remarks(q))
		return e
	}
	e.Outcome = answer.Outcome().String()
	e.Code = string(g.config.Codes.Of(answer.Outcome()))
	e.Notified = answer.Notified().String()
	e.Reason = answer.Reason()
	if kind == audit.Refused {
		e.Reason = joined(e.Reason, g.remarks(q))
	}
	findings, _ := answer.Findings()
	e.Records, e.Accesses = len(findings.Records), len(findings.Accesses)
	e.Detail = shown.Encode(answer)
	return e
}

// RemarkSigned is recorded of a message that carries a signature (WRD-MSG-22).
const RemarkSigned = "the message has a signature, which was not relied on"

// remarks are what the log should hold of a question that is let through all the
// same.
func (g *Gateway) remarks(q Question) []string {
	var remarks []string
	if g.config.Numbers.Judge(q.Query.Number) == cpis.NumberDoubted {
		remarks = append(remarks, "the NHS number's check digit is wrong")
	}
	if q.Signed {
		remarks = append(remarks, RemarkSigned)
	}
	if q.BirthDate != "" && !q.Client.VerifyNumber {
		remarks = append(remarks, "a date of birth came, which is not compared for this client")
	}
	return remarks
}

// joined is a reason, which may be missing, with remarks after it.
func joined(reason string, remarks []string) string {
	if reason != "" {
		remarks = append([]string{reason}, remarks...)
	}
	return strings.Join(remarks, "; ")
}

func auditAuthor(author cpis.Author) *audit.Author {
	switch a := author.(type) {
	case cpis.Person:
		return &audit.Author{
			Form:             "person",
			UserID:           a.UserID(),
			RoleProfile:      a.RoleProfile(),
			RoleCode:         a.Role.Code,
			RoleName:         a.Role.Display,
			Name:             a.Name.Display(),
			Organisation:     a.Represented.ID.Extension,
			OrganisationName: a.Represented.Name,
		}
	case cpis.System:
		system := &audit.Author{
			Form:             "system",
			ASID:             a.ASID,
			Organisation:     a.Maintaining.ID.Extension,
			OrganisationName: a.Maintaining.Name,
		}
		for _, authority := range a.Authorities {
			system.Authorities = append(system.Authorities, audit.Authority{
				RoleCode: authority.Role.Code,
				RoleName: authority.Role.Display,
				Name:     authority.Name.Display(),
			})
		}
		return system
	default:
		return nil
	}
}
