package main

import (
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
)

// document is the JSON form of a result. State and local_authority_notified always
// stand, so that no absence can be taken for an answer; plans stand only if
// something was found. Dates are yyyy-mm-dd as given, times RFC 3339.
type document struct {
	State       string    `json:"state"`
	Outcome     string    `json:"outcome"`
	Code        string    `json:"code,omitempty"`           // the provider's response code
	Notified    string    `json:"local_authority_notified"` // yes, no or maybe
	Meaning     string    `json:"meaning"`
	AskAgain    string    `json:"ask_again"`
	NHSNumber   string    `json:"nhs_number"`
	Replacement string    `json:"replacement_nhs_number,omitempty"` // the number that took its place, for a person to look into
	Verified    string    `json:"demographics,omitempty"`           // verified, verified-without-date-of-birth or not-checked; absent: not said
	AskedAt     time.Time `json:"asked_at"`
	MessageID   string    `json:"message_id"`
	Correlation string    `json:"correlation,omitempty"`
	Cause       string    `json:"cause,omitempty"`
	Records     []record  `json:"records,omitempty"`
	Accesses    []access  `json:"most_recent_accesses,omitempty"` // 25 at most, oldest first
}

type record struct {
	LocalAuthority authority `json:"local_authority"`
	Plans          []plan    `json:"plans"`
	Subjects       []subject `json:"subjects"`
}

type authority struct {
	Code          string `json:"code"`
	Name          string `json:"name"`
	OfficeHours   string `json:"office_hours"`   // empty: not supplied
	EmergencyDuty string `json:"emergency_duty"` // empty: not supplied
}

type plan struct {
	Type   string `json:"type"`
	Start  string `json:"start"`
	End    string `json:"end,omitempty"` // absent: no end date recorded
	Status string `json:"status"`        // current, ended or starts later, on the day of asking
}

type subject struct {
	Role  string `json:"role"` // child, or mother of the unborn child
	Name  string `json:"name"`
	Birth string `json:"birth"` // as received, usually yyyymmdd
}

type access struct {
	Time         string `json:"time"` // as received
	ZoneAssumed  bool   `json:"zone_assumed,omitempty"`
	Who          string `json:"who"`
	Role         string `json:"role,omitempty"`
	Organisation string `json:"organisation"`
}

func documentOf(r client.Result, today cpis.Date) document {
	d := document{
		State:       r.Answer.State(today).String(),
		Outcome:     r.Answer.Outcome().String(),
		Code:        string(r.Code),
		Notified:    r.Answer.Notified().String(),
		Meaning:     r.Answer.Outcome().Meaning(),
		AskAgain:    r.Answer.Outcome().Again().String(),
		NHSNumber:   r.Asked.Digits(),
		Replacement: r.Answer.Replacement().Digits(),
		Verified:    r.Answer.Verification().String(),
		AskedAt:     r.AskedAt.UTC().Truncate(time.Millisecond),
		MessageID:   r.MessageID,
		Correlation: r.Correlation,
	}
	if r.Cause != nil {
		d.Cause = r.Cause.Error()
	}
	findings, _ := r.Answer.Findings()
	for _, held := range findings.Records {
		d.Records = append(d.Records, recordOf(held, today))
	}
	for _, a := range findings.Accesses {
		d.Accesses = append(d.Accesses, accessOf(a))
	}
	return d
}

func recordOf(held cpis.Record, today cpis.Date) record {
	la := held.LocalAuthority
	r := record{LocalAuthority: authority{
		Code: la.ID.Extension, Name: la.Name, OfficeHours: la.OfficeHours(), EmergencyDuty: la.EmergencyDuty(),
	}}
	for _, p := range held.Plans {
		r.Plans = append(r.Plans, plan{Type: p.Type.String(), Start: p.Start.ISO(), End: p.End.ISO(), Status: statusOf(p, today)})
	}
	for _, s := range held.Subjects {
		role := "child"
		if s.Mother {
			role = "mother of the unborn child"
		}
		r.Subjects = append(r.Subjects, subject{Role: role, Name: s.Name.Display(), Birth: s.Birth.Written})
	}
	return r
}

func statusOf(p cpis.Plan, today cpis.Date) string {
	switch p.Status(today) {
	case cpis.PlanEnded:
		return "ended"
	case cpis.PlanStartsLater:
		return "starts later"
	default:
		return "current"
	}
}

func accessOf(a cpis.Access) access {
	shown := access{Time: a.Time.Written, ZoneAssumed: a.Time.ZoneAssumed, Organisation: a.Author.Organisation().Name}
	switch author := a.Author.(type) {
	case cpis.Person:
		shown.Who, shown.Role = author.Name.Display(), author.Role.Display
	case cpis.System:
		shown.Who = "system " + author.ASID
		for _, authority := range author.Authorities {
			shown.Who += ", " + authority.Name.Display()
			shown.Role = authority.Role.Display
		}
	}
	return shown
}
