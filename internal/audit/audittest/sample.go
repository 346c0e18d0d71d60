package audittest

import (
	"fmt"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Keys seal and index what tests write: the same for every test.
func Keys() *seal.Keys {
	sealing := must(seal.ParseSealingKey("WARD-SEALING-KEY-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	index := must(seal.ParseIndexKey("WARD-INDEX-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="))
	return must(seal.NewKeys([]seal.SealingKey{sealing}, []seal.IndexKey{index}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // it is written here
	}
	return v
}

// Sample is an entry as rich as a real one: even ones are intents, and the odd
// ones their outcomes.
func Sample(i int64) audit.Entry {
	e := audit.Entry{
		Kind:            audit.Intent,
		Time:            time.Date(2026, 11, 2, 9, 30, 0, int(i%1000)*1e6, time.UTC),
		Correlation:     fmt.Sprintf("5f0c9c2e-6d0b-4f7a-9d6e-%012d", i/2),
		Client:          "ashby-general-ed",
		Organisation:    "RX1",
		Certificate:     "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Remote:          "10.20.30.40:51234",
		Username:        "ashby-ed",
		AuditIdentities: []audit.Identity{{Type: "2.16.840.1.113883.2.1.3.2.4.18.27", URI: "urn:nhs-uk:identity:ashby-ed:nurse.1"}},
		Author: &audit.Author{Form: "person", UserID: "555012345678", RoleProfile: "555087654321", RoleCode: "S8002:G8003:R8001",
			Name: "Nurse Example", Organisation: "RX1", OrganisationName: "Ashby General"},
		NHSNumber:  "9990000018",
		MessageID:  "0B3C8A2E-9D2E-4B33-8C1B-9D1D3C1F7A11",
		TrackingID: "6D1F4A77-1F0E-4D3C-9C39-B54D4C1B2A90",
		QueryID:    "A4A9D7B3-52F2-4B0C-8D6A-1D55C2F0E6B7",
	}
	if i%2 == 1 {
		e.Kind = audit.Outcome
		e.SpineMessageIDs = []string{"C1D5F2AA-4B0F-4C59-9C6C-6C0E2F9B7D01"}
		e.Outcome, e.Code, e.Notified = "found", "SMSP-0000", "yes"
		e.Records, e.Accesses = 1, 7
		e.Elapsed = 184 * time.Millisecond
	}
	return e
}
