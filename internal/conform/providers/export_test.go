package providers

import (
	"crypto/tls"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// Tester are settings that have everything that any case needs.
func Tester(t *testing.T) Settings {
	t.Helper()
	s := Settings{
		URL: "https://smsp.example.invalid/smsp/cpis", TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Username: "tester & sons", OtherUsername: "other",
		Organisation: "RXX", OrganisationName: "Example <Hospital>", Provider: "Y99", AuditIdentity: "urn:nhs-uk:identity:ods:RXX:tester",
		Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
		Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
		ASID: "200000000290", UserID: "555000000001", RoleProfile: "555100000001", Children: map[cpis.Code]cpis.NHSNumber{},
	}
	for code, digits := range map[cpis.Code]string{
		"SMSP-0000": "9990000042", "CPIS-0001": "9990000034", "SMSP-0002": "9990010404", "SMSP-0004": "4444444444", "SMSP-0005": "9990010242",
		"CPIS-9999": "9990010307", "SMSP-9999": "9990010269",
	} {
		number, err := cpis.ParseNHSNumber(digits)
		if err != nil {
			t.Fatal(err)
		}
		s.Children[code] = number
	}
	return s
}

// Own are the ids, and beginnings of ids, of the cases that are Ward's own choice.
func Own() []string { return own }
