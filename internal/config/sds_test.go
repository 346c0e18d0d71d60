package config_test

import (
	"crypto/tls"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wardsmsp/ward/internal/sds"
)

const (
	ldapSection = `[sds]
url = "ldaps://sds.example.invalid"
organisation = "YES"
certificate = "client.pem"
key = "client-key.pem"
ca = "ca.pem"
[sds.people]
`
	fhirSection = `[sds]
protocol = "fhir"
url = "https://sds.example.invalid/spine-directory/FHIR/R4"
organisation = "YES"
api_key = "api-key"
`
)

func withDirectory(section string, edits ...edit) edit {
	return func(t *testing.T, file string) string { return file + all(edits...)(t, section) }
}

// folderWithKeys has the files of the directory beside the others.
func folderWithKeys(t testing.TB) string {
	dir := folder(t)
	write(t, dir+"/api-key", "0123456789abcdef\n", 0o600)
	write(t, dir+"/open-api-key", "0123456789abcdef\n", 0o644)
	write(t, dir+"/long-api-key", strings.Repeat("k", 257), 0o600)
	return dir
}

// The options of a directory over LDAP, with every default.
func TestDirectoryOverLDAP(t *testing.T) {
	dir := folderWithKeys(t)
	s := mustLoad(t, put(t, dir, withDirectory(ldapSection)(t, wardFile)))
	want := &sds.Options{
		Organisation: "YES", Interaction: "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01", Endpoints: map[string]*url.URL{},
		Fresh: 15 * time.Minute, Stale: 24 * time.Hour, Patience: time.Second, Retry: 5 * time.Second, Author: 5 * time.Minute,
		LDAP: &sds.LDAP{
			Address: "sds.example.invalid:636", Base: "ou=services,o=nhs", ConnectTimeout: 5 * time.Second, SearchTimeout: 3 * time.Second, Connections: 4,
			People: &sds.People{
				Base: "ou=people,o=nhs", User: "nhsPerson", UserID: "uid", Status: "nhsPersonStatus", Role: "nhsOrgPersonRole", RoleID: "uniqueIdentifier",
				Organisation: "nhsIDCode", JobRole: "nhsJobRoleCode", Opened: []string{"nhsOrgOpenDate", "nhsOpenDate"}, Closed: []string{"nhsOrgCloseDate", "nhsCloseDate"},
			},
		},
	}
	if diff := cmp.Diff(want, s.Directory, cmpopts.IgnoreFields(sds.Options{}, "Accept", "Now"), cmpopts.IgnoreFields(sds.LDAP{}, "TLS")); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	c := s.Directory.LDAP.TLS
	if c.ServerName != "sds.example.invalid" || c.InsecureSkipVerify || c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 ||
		len(c.Certificates) != 1 || c.RootCAs == nil || c.VerifyConnection == nil {
		t.Errorf("TLS %+v", c)
	}
	for address, refused := range map[string]bool{
		"https://msg.national.ncrs.nhs.uk/sync": true, "https://MSG.national.ncrs.nhs.uk./": true, "https://msg.intspineservices.nhs.uk/sync": false,
	} {
		u, err := url.Parse(address)
		must(t, err)
		if (s.Directory.Accept(u) != nil) != refused {
			t.Errorf("%s in a test environment: %v", address, s.Directory.Accept(u))
		}
	}
	live := mustLoad(t, put(t, dir, all(set2("environment", "live"), withDirectory(ldapSection, set("url", `"ldaps://ldap.national.ncrs.nhs.uk:1636"`)))(t, wardFile)))
	if live.Directory.Accept != nil || live.Directory.LDAP.Address != "ldap.national.ncrs.nhs.uk:1636" {
		t.Errorf("a live directory: %+v", live.Directory)
	}
	_, err := sds.New(*s.Directory)
	must(t, err)
}

// The options of a directory over FHIR; its key is known by its fingerprint alone.
func TestDirectoryOverFHIR(t *testing.T) {
	s := mustLoad(t, put(t, folderWithKeys(t), withDirectory(fhirSection+"endpoints = { \"https://a.example.invalid/\" = \"https://b.example.invalid/x\" }\n")(t, wardFile)))
	f := s.Directory.FHIR
	if s.Directory.LDAP != nil || f == nil || f.Base.String() != "https://sds.example.invalid/spine-directory/FHIR/R4" || f.APIKey != "0123456789abcdef" ||
		f.TLS.ServerName != "sds.example.invalid" || f.TLS.Certificates != nil || f.TLS.RootCAs != nil || f.TLS.InsecureSkipVerify {
		t.Errorf("%+v", f)
	}
	if got := s.Directory.Endpoints["https://a.example.invalid/"]; got == nil || got.String() != "https://b.example.invalid/x" {
		t.Errorf("endpoints %v", s.Directory.Endpoints)
	}
	fact := s.Facts()["sds.api_key"]
	if !strings.HasPrefix(fact, "sha256:") || strings.Contains(fact, "0123456789abcdef") {
		t.Errorf("the fact of the key is %q", fact)
	}
}

// Without a URL there is no directory, and nothing of the section is checked.
func TestNoDirectory(t *testing.T) {
	s := mustLoad(t, put(t, folder(t), withDirectory("[sds]\norganisation = \"?\"\n")(t, wardFile)))
	if s.Directory != nil {
		t.Errorf("%+v", s.Directory)
	}
}

// WRD-IAM-18: in a live environment a client with smartcards needs a directory that knows
// people, which only that over LDAP does. A test environment may have none.
func TestSmartcardsNeedTheDirectory(t *testing.T) {
	dir := folderWithKeys(t)
	smartcards := in("[clients]", `access_method = "smartcard"`)
	live := set2("environment", "live")
	for name, c := range map[string]struct {
		directory edit
		allowed   bool // in a live environment
	}{
		"none":      {all(), false},
		"over FHIR": {withDirectory(fhirSection), false},
		"over LDAP": {withDirectory(ldapSection), true},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, loadWard(put(t, dir, all(smartcards, c.directory)(t, wardFile))))
			file := all(live, smartcards, c.directory)
			if c.allowed {
				must(t, loadWard(put(t, dir, file(t, wardFile))))
				return
			}
			r := rule{name, all(smartcards, c.directory), "clients.ed.access_method", "protocol = \"ldap\""}
			r.test(t, dir, live(t, wardFile), loadWard)
		})
	}
}

// WRD-OPS-15: each rule on the directory, with the key that is named and the way out.
func TestEveryRuleOnTheDirectory(t *testing.T) {
	dir := folderWithKeys(t)
	ldap := func(edits ...edit) edit { return withDirectory(ldapSection, edits...) }
	fhir := func(edits ...edit) edit { return withDirectory(fhirSection, edits...) }
	rules := []rule{
		{"an unknown protocol", ldap(in("sds", `protocol = "dsml"`)), "sds.protocol", "ldap, fhir"},
		{"no organisation", ldap(set("organisation", `""`)), "sds.organisation", "never guessed"},
		{"an interaction of another form", ldap(in("sds", `interaction = "QUPC"`)), "sds.interaction", "urn:"},
		{"LDAP without TLS", ldap(set("url", `"ldap://sds.example.invalid"`)), "sds.url", "ldaps://HOST"},
		{"LDAP with a path", ldap(set("url", `"ldaps://sds.example.invalid/o=nhs"`)), "sds.url", "ldaps://HOST"},
		{"LDAP without a host", ldap(set("url", `"ldaps://:636"`)), "sds.url", "ldaps://HOST"},
		{"the FHIR API without TLS", fhir(set("url", `"http://sds.example.invalid"`)), "sds.url", "https URL"},
		{"the FHIR API with a password", fhir(set("url", `"https://a:b@sds.example.invalid"`)), "sds.url", "https URL"},
		{"the live directory (WRD-SAF-17)", ldap(set("url", `"ldaps://ldap.national.ncrs.nhs.uk"`)), "sds.url", "WRD-SAF-17"},
		{"the live directory's name (WRD-SAF-17)", ldap(in("sds", `server_name = "ldap.national.ncrs.nhs.uk"`)), "sds.server_name", "WRD-SAF-17"},
		{"the live API (WRD-SAF-17)", fhir(set("url", `"https://API.service.nhs.uk/spine-directory/FHIR/R4"`)), "sds.url", "WRD-SAF-17"},
		{"the live API in other words (WRD-SAF-17)", fhir(set("url", `"https://API.service.nhs.uk.:443/spine-directory/FHIR/R4"`)), "sds.url", "WRD-SAF-17"},
		{"the live API's name (WRD-SAF-17)", fhir(in("sds", `server_name = "api.service.nhs.uk."`)), "sds.server_name", "WRD-SAF-17"},
		{"the sandbox when live (WRD-SAF-17)", all(set2("environment", "live"), fhir(set("url", `"https://sandbox.api.service.nhs.uk/spine-directory/FHIR/R4"`))), "sds.url", "for tests in a live environment"},
		{"the integration API when live (WRD-SAF-17)", all(set2("environment", "live"), fhir(set("url", `"https://INT.api.service.nhs.uk./x"`))), "sds.url", "for tests in a live environment"},
		{"its name when live (WRD-SAF-17)", all(set2("environment", "live"), fhir(in("sds", `server_name = "int.api.service.nhs.uk"`))), "sds.server_name", "for tests in a live environment"},
		{"no certificate", ldap(set("certificate", `""`)), "sds.certificate", "missing"},
		{"no anchors", ldap(set("ca", `""`)), "sds.ca", "missing"},
		{"a key without its certificate", fhir(in("sds", `key = "client-key.pem"`)), "sds.certificate", "missing"},
		{"an unknown TLS version", ldap(in("sds", `max_tls = "1.1"`)), "sds.max_tls", "1.2, 1.3"},
		{"a list that is not there", ldap(in("sds", `crls = ["absent.crl"]`)), "sds.crls", "entry 1 is not a file"},
		{"no API key", fhir(set("api_key", `""`)), "sds.api_key", "missing"},
		{"an API key that others may read (WRD-SEC-11)", fhir(set("api_key", `"open-api-key"`)), "sds.api_key", "chmod 600"},
		{"an API key that is a text", fhir(set("api_key", `"text"`)), "sds.api_key", "without spaces"},
		{"an API key beyond reason", fhir(set("api_key", `"long-api-key"`)), "sds.api_key", "256"},
		{"a base that is no name", ldap(in("sds", `base = "services"`)), "sds.base", "distinguished name"},
		{"an empty base of people", ldap(in("sds.people", `base = ""`)), "sds.people.base", "distinguished name"},
		{"an attribute that is a filter (WRD-SPN-16)", ldap(in("sds.people", `user_id = "uid=*)(cn"`)), "sds.people.user_id", "letters, digits"},
		{"no attribute of the end", ldap(in("sds.people", `closed = []`)), "sds.people.closed", "letters, digits"},
		{"a replacement without TLS", ldap(in("sds", `endpoints = { "https://a/" = "http://b/" }`)), "sds.endpoints", "https URL"},
		{"a replacement that is live (WRD-SAF-17)", ldap(in("sds", `endpoints = { "https://a/" = "https://msg.national.ncrs.nhs.uk/" }`)), "sds.endpoints", "WRD-SAF-17"},
		{"stale before it is old", ldap(in("sds", `stale = "14m"`)), "sds.stale", "between"},
		{"stale for ever", ldap(in("sds", `stale = "169h"`)), "sds.stale", "between"},
		{"patience beyond the budget", ldap(in("sds", `patience = "9s"`)), "sds.patience", "shorter"},
		{"users that are kept too long", ldap(in("sds.people", `cache = "61m"`)), "sds.people.cache", "at most"},
		{"no connections", ldap(in("sds", "connections = 0")), "sds.connections", "between"},
		{"too many connections", ldap(in("sds", "connections = 65")), "sds.connections", "between"},
		{"an unknown setting", ldap(in("sds", "retries = 3")), "sds.retries", "not a known setting"},
	}
	for _, key := range []string{"cache", "patience", "negative", "connect_timeout", "search_timeout"} {
		rules = append(rules, inSection(ldap, notPositive("sds", key, true))...)
	}
	rules = append(rules, inSection(ldap, notPositive("sds.people", "cache", true))...)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, wardFile, loadWard) })
	}
}

// inSection makes rules on a file of rules on a section that is added to it.
func inSection(section func(...edit) edit, rules []rule) []rule {
	for i := range rules {
		rules[i].breaks = section(rules[i].breaks)
	}
	return rules
}

// WRD-IAM-18: in a live environment smartcard users are looked up, or else not served. A
// directory that has another fault is not said to be missing.
func TestLiveSmartcardsNeedTheDirectory(t *testing.T) {
	dir := folderWithKeys(t)
	live := all(set2("environment", "live"), in("[clients]", `access_method = "smartcard"`))
	said := func(edits ...edit) string {
		err := loadWard(put(t, dir, all(append([]edit{live}, edits...)...)(t, wardFile)))
		if err == nil {
			return ""
		}
		return err.Error()
	}
	const needs = "clients.ed.access_method: needs the directory"
	for name, c := range map[string]struct {
		said  string
		needs bool
	}{
		"no directory":          {said(), true},
		"one without people":    {said(withDirectory(fhirSection)), true},
		"one with people":       {said(withDirectory(ldapSection)), false},
		"one with other faults": {said(withDirectory(ldapSection, set("organisation", `""`))), false},
	} {
		if strings.Contains(c.said, needs) != c.needs {
			t.Errorf("%s: %s", name, c.said)
		}
	}
}

// WRD-SPN-05: what comes from the directory is not in the configuration too, where it
// would have no effect, and what does not come from there is.
func TestEveryRuleOfTheDirectorysRoute(t *testing.T) {
	dir := folderWithKeys(t)
	replies := "[replies]\naddress = \"127.0.0.1:0\"\ncertificate = \"client.pem\"\nkey = \"client-key.pem\"\nca = \"ca.pem\"\npeers = [\"dns:spine.example.invalid\"]\n"
	directed := all(
		change(`endpoint = "`, `#endpoint = "`), change(`to_asid = "`, `#to_asid = "`),
		in("spine", "pattern = \"sds\"\nserver_name = \"spine.example.invalid\"\ncontract = { from_party = \"Y99-0000001\" }"),
		withDirectory(ldapSection), withDirectory(replies),
	)
	must(t, loadWard(put(t, dir, directed(t, wardFile))))
	for _, r := range []rule{
		{"an endpoint too", all(directed, in("spine", `endpoint = "https://spine.example.invalid/x"`)), "spine.endpoint", "remove them"},
		{"no name", all(directed, change("server_name = \"spine.example.invalid\"\n", "")), "spine.server_name", "address without a name"},
		{"no party key", all(directed, change(`from_party = "Y99-0000001"`, "")), "spine.contract.from_party", "our own party key"},
		{"a contract too", all(directed, change(`from_party = `, `cpa_id = "S1", from_party = `)), "spine.contract.cpa_id", "remove them"},
	} {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, wardFile, loadWard) })
	}
}
