package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
)

func loadClient(path string) error {
	_, err := config.LoadClient(path)
	return err
}

const personTables = `[person]
user_id = "555000000001"
role_profile = "555100000001"
[person.name]
role_code = "R0260"
role_name = "General Medical Practitioner"
prefix = "Dr"
given = "Sam"
family = "Specimen"
`

// asPerson lets a smartcard user ask instead of the system.
func asPerson(edits ...edit) edit {
	return func(t *testing.T, file string) string {
		t.Helper()
		at := len(file) - len("[system]\n") - len(systemTables)
		return file[:at] + all(edits...)(t, personTables)
	}
}

const systemTables = `asid = "200000000290"
[system.responsible]
role_code = "R0580"
role_name = "Nurse Manager"
family = "Hartley"
`

// WRD-OPS-15: each rule of the configuration of `ward ask`.
func TestEveryClientRule(t *testing.T) {
	dir := folder(t)
	must(t, loadClient(put(t, dir, clientFile)))
	for _, r := range []rule{
		{"no URL", change(`url = "https://smsp.example.invalid/smsp/cpis"`, ""), "url", "https URL"},
		{"a URL without TLS", change("https://", "http://"), "url", "https URL"},
		{"a URL that is none", change("https://smsp", "https://[smsp"), "url", "https URL"},
		{"no user name", set("username", `""`), "username", "registered"},
		{"no audit identity", set("audit_identity", `""`), "audit_identity", "urn:nhs-uk:identity:ods:RXX:"},
		{"an organisation that is no code", set("organisation", `"R-X"`), "organisation", "ODS code"},
		{"an organisation without a name", set("organisation_name", `""`), "organisation", "name"},
		{"no provider", set("provider", `""`), "provider", "ODS code"},
		{"no certificate", set("certificate", `""`), "certificate", "missing"},
		{"a key that others may read (WRD-SEC-11)", all(set("certificate", `"server.pem"`), set("key", `"open-key.pem"`)), "key", "chmod 600"},
		{"a key of another certificate", set("key", `"other-key.pem"`), "certificate", "do not make a pair"},
		{"an expired certificate", all(set("certificate", `"expired.pem"`), set("key", `"expired-key.pem"`)), "certificate", "expired"},
		{"no anchors", set("ca", `""`), "ca", "missing"},
		{"nobody who asks", func(_ *testing.T, file string) string { return file[:len(file)-len("[system]\n")-len(systemTables)] }, "system", "exactly one"},
		{"two who ask", func(_ *testing.T, file string) string { return file + personTables }, "system", "exactly one"},
		{"an ASID that is none", set("asid", `"1"`), "system.asid", "twelve digits"},
		{"a responsible person without a role", set("role_code", `""`), "system.responsible", "role_code"},
		{"a responsible person without a family name", set("family", `""`), "system.responsible", "family"},
		{"a person without a user id", asPerson(change(`"555000000001"`, `""`)), "person.user_id", "user id"},
		{"a person without a role", asPerson(set("role_name", `""`)), "person.name", "role_name"},
		{"an unknown key", in("system", `asids = "x"`), "system.asids", "not a known setting"},
	} {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, clientFile, loadClient) })
	}
}

const conformTable = `[conform]
environment = "test"
[[conform.children]]
nhs_number = "9990000042"
code = "SMSP-0000"
[[conform.children]]
nhs_number = "1111111111"
code = "SMSP-0002"
`

// conforming adds the table, changed, to a file that is in order.
func conforming(edits ...edit) edit {
	return func(t *testing.T, file string) string { return file + all(edits...)(t, conformTable) }
}

// WRD-SAF-02, WRD-SAF-17: a provider is tried where nobody lives, and with numbers of
// nobody.
func TestEveryConformRule(t *testing.T) {
	dir := folder(t)
	must(t, loadClient(put(t, dir, clientFile+conformTable)))
	for _, r := range []rule{
		{"no environment", conforming(set("environment", `""`)), "conform.environment", "test environment alone"},
		{"a live environment", conforming(set("environment", `"live"`)), "conform.environment", "test environment alone"},
		{"a live client", all(conforming(), func(_ *testing.T, file string) string { return "live = true\n" + file }), "conform.environment", "live must be false"},
		{"nobody to ask about", func(_ *testing.T, file string) string { return file + "[conform]\nenvironment = \"test\"\n" }, "conform.children", "at least one"},
		{"a number that may be somebody's", conforming(change("9990000042", "9980000018")), "conform.children", "entry 1: nhs_number"},
		{"a number of nine digits", conforming(change("1111111111", "111111111")), "conform.children", "entry 2: nhs_number"},
		{"a repeated digit that the harness does not have", conforming(change("1111111111", "0000000000")), "conform.children", "entry 2: nhs_number"},
		{"a code that does not exist", conforming(change("SMSP-0002", "SMSP-0009")), "conform.children", "entry 2: code"},
		{"a code that is never sent", conforming(change("SMSP-0002", "SMSP-0003")), "conform.children", "entry 2: code"},
		{"a code that no valid question can bring", conforming(change("SMSP-0002", "SMSP-0001")), "conform.children", "entry 2: code"},
		{"two children with one code", conforming(change("SMSP-0002", "SMSP-0000")), "conform.children", "same code"},
		{"an ASID that is none", conforming(in("conform", `asid = "1"`)), "conform.asid", "twelve digits"},
		{"a user without a role profile", conforming(in("conform", `user_id = "555000000001"`)), "conform.user_id", "together"},
		{"an unknown access method", conforming(in("conform", `access_method = "by telephone"`)), "conform.access_method", "attended, unattended, smartcard"},
		{"users of a client without users", conforming(in("conform", "access_method = \"unattended\"\nuser_id = \"5\"\nrole_profile = \"5\"")), "conform.access_method", "without users"},
		{"a person of a client without users", all(asPerson(), conforming(in("conform", `access_method = "unattended"`))), "conform.access_method", "without users"},
		{"a system of a client with smartcards", conforming(in("conform", `access_method = "smartcard"`)), "conform.access_method", "smartcards"},
		{"an unknown key", conforming(in("conform", `numbers = 1`)), "conform.numbers", "not a known setting"},
	} {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, clientFile, loadClient) })
	}
}

// A client asks as the system or the person that its file describes.
func TestClientAuthors(t *testing.T) {
	dir := folder(t)
	organisation := cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RXX"}, Name: "Example Hospital"}
	identity := cpis.AuditIdentity{Type: "2.16.840.1.113883.2.1.3.2.4.18.27", URI: "urn:nhs-uk:identity:ods:RXX:nurse"}
	tests := map[string]struct {
		file       string
		author     cpis.Author
		identities []cpis.AuditIdentity
	}{
		"system": {clientFile, cpis.System{
			ASID: "200000000290",
			Authorities: []cpis.IndirectAuthority{{
				Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
				Name: cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "family", Text: "Hartley"}}},
			}},
			Maintaining: organisation,
		}, []cpis.AuditIdentity{identity}},
		"person": {asPerson()(t, clientFile), cpis.Person{
			Role: cpis.Coded{Code: "R0260", System: cpis.OIDJobRole, Display: "General Medical Practitioner"},
			IDs:  []cpis.Identifier{{Root: cpis.OIDUserID, Extension: "555000000001"}, {Root: cpis.OIDRoleProfile, Extension: "555100000001"}},
			Name: cpis.PersonName{Use: "L", Parts: []cpis.NamePart{
				{Kind: "prefix", Text: "Dr"}, {Kind: "given", Text: "Sam"}, {Kind: "family", Text: "Specimen"},
			}},
			Represented: organisation,
		}, []cpis.AuditIdentity{identity, {Type: cpis.OIDUserID, URI: "555000000001"}, {Type: cpis.OIDRoleProfile, URI: "555100000001"}}},
	}
	for name, test := range tests {
		s, err := config.LoadClient(put(t, dir, test.file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.author, s.Author); diff != "" {
			t.Errorf("%s: author (-expected +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.identities, s.AuditIdentities); diff != "" {
			t.Errorf("%s: identities (-expected +got):\n%s", name, diff)
		}
		if s.TLS.InsecureSkipVerify || s.TLS.RootCAs == nil || s.TLS.ServerName != "smsp.example.invalid" {
			t.Errorf("%s: the provider is not verified", name)
		}
	}
}
