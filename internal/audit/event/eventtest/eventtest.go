// Package eventtest holds entries of the audit log for the tests of its standard
// forms. All people and numbers are made up.
package eventtest

import (
	"encoding/json"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/event"
)

// Sample is an entry and the name of its golden file.
type Sample struct {
	Name   string
	Record audit.Record
}

// Source is what reports the samples.
var Source = event.Source{
	Log:     "ward.example/audit",
	Site:    "RXX01",
	Name:    "ward-1.example.nhs.uk",
	Address: "https://ward-1.example.nhs.uk/smsp",
}

var when = time.Date(2026, 11, 2, 9, 30, 0, 120_000_000, time.UTC)

// Samples are one entry of each main kind.
func Samples() []Sample {
	intent := question(audit.Intent)
	found := question(audit.Outcome)
	found.Outcome, found.Code, found.Notified, found.Records = "found", "SMSP-0000", "yes", 1
	found.SpineMessageIDs = []string{"7F1D0C5A-2B1E-4C55-8C39-AA0000000004"}
	noRecord := question(audit.Outcome)
	noRecord.Outcome, noRecord.Code, noRecord.Notified = "no_record", "SMSP-0001", "no"
	unknown := question(audit.Recovered)
	unknown.Outcome, unknown.Notified, unknown.Reason = "unknown", "maybe", "the provider stopped before the outcome was recorded; no findings were told"
	noAnswer := question(audit.Outcome)
	noAnswer.Outcome, noAnswer.Notified = "sent_no_answer", "maybe"
	device := question(audit.Outcome)
	device.Outcome, device.Notified = "found", "yes"
	device.AuditIdentities = nil
	device.Author = &audit.Author{
		Form: "system", ASID: "200000000123", Organisation: "RXX01", OrganisationName: "EXAMPLE HOSPITAL",
		Authorities: []audit.Authority{{RoleCode: "R8003", RoleName: "Clinical Practitioner", Name: "Dr Example Authority"}},
	}
	sealed := audit.Entry{Kind: audit.Outcome, Correlation: intent.Correlation, Client: "emergency", Remote: intent.Remote, Outcome: "no_record", Notified: "no"}
	entries := []struct {
		name  string
		entry audit.Entry
		state audit.State
	}{
		{"intent", intent, audit.Whole},
		{"found", found, audit.Whole},
		{"no_record", noRecord, audit.Whole},
		{"sent_no_answer", noAnswer, audit.Whole},
		{"unknown", unknown, audit.Whole},
		{"device", device, audit.Whole},
		{"locked", sealed, audit.Locked},
		{"removed", sealed, audit.Removed},
		{"refused_handshake", audit.Entry{
			Kind: audit.Refused, Correlation: "7F1D0C5A-2B1E-4C55-8C39-AA0000000009", Remote: "192.0.2.7:51000", Outcome: "refused", Notified: "no",
			Reason: "the certificate has expired", Certificate: "ab12", Subject: "CN=old & <expired>", Serial: "1f", Issuer: "CN=Example CA",
		}, audit.Whole},
		{"started", audit.Entry{Kind: audit.Started, Software: "ward 0.9.0"}, audit.Whole},
		{"read", audit.Entry{
			Kind: audit.Read, Operator: "privacy.officer@example.nhs.uk", Purpose: "complaint", Entries: 3,
			Detail: json.RawMessage(`{"nhs_number":"9990000018","from":"2026-11-01"}`),
		}, audit.Whole},
		{"erased", audit.Entry{
			Kind: audit.Erased, Operator: "administrator@example.nhs.uk", Purpose: "order of a court", Authority: "Example County Court",
			Entries: 2, Order: "00ff", Removed: []audit.Range{{First: 3, Last: 4}},
		}, audit.Whole},
		{"configured", audit.Entry{Kind: audit.Configured, Operator: "administrator@example.nhs.uk", Detail: json.RawMessage(`{"server.listen":":8443"}`)}, audit.Whole},
	}
	var all []Sample
	for i, e := range entries {
		e.entry.Time = when.Add(time.Duration(i) * time.Second)
		record := Record(int64(i), e.entry)
		record.State = e.state
		all = append(all, Sample{e.name, record})
	}
	return all
}

// Record is the record of an entry that is whole, with bytes that stand for its leaf.
func Record(seq int64, e audit.Entry) audit.Record {
	return audit.Record{Seq: seq, Leaf: []byte("leaf of a " + string(e.Kind) + " entry"), Entry: e, State: audit.Whole}
}

func question(kind audit.Kind) audit.Entry {
	return audit.Entry{
		Kind: kind, Correlation: "7F1D0C5A-2B1E-4C55-8C39-AA0000000001",
		Client: "emergency", Organisation: "RXX01", Certificate: "c0ffee", Remote: "192.0.2.20:40112",
		AuditIdentities: []audit.Identity{{Type: "2.16.840.1.113883.2.1.3.2.4.18.27", URI: "urn:nhs-uk:identity:example:user:nurse1"}},
		Author: &audit.Author{
			Form: "person", UserID: "555200000001", RoleProfile: "555300000001", RoleCode: "R8001", RoleName: "Nurse",
			Name: "Nurse Example One", Organisation: "RXX01", OrganisationName: "EXAMPLE HOSPITAL",
		},
		NHSNumber: "9990000018", MessageID: "7F1D0C5A-2B1E-4C55-8C39-AA0000000002", TrackingID: "7F1D0C5A-2B1E-4C55-8C39-AA0000000003",
		QueryID: "7F1D0C5A-2B1E-4C55-8C39-AA0000000005", Elapsed: 41 * time.Millisecond,
	}
}
