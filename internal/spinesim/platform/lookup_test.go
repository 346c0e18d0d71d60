package platform_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

const (
	organisation = "https://fhir.nhs.uk/Id/ods-organization-code|"
	interaction  = "https://fhir.nhs.uk/Id/nhsServiceInteractionId|"
	partyKey     = "https://fhir.nhs.uk/Id/nhsMhsPartyKey|"
)

// records are a directory with the Spine, a provider and staff.
func records() platform.Directory {
	return platform.SpineRecords(platform.ReliableContract()).
		With(platform.ProviderRecords("RXX", "999900000011", "RXX-0000011", "https://localhost:9443/responsehandler")).
		With(platform.Directory{Staff: []platform.Staff{
			{UserID: "555000000001", Status: "1", Roles: []platform.Role{
				{Profile: "555100000001", Organisation: "RXX", Code: "S8000:G8000:R0260"},
				{Profile: "555100000002", Organisation: "RXX", Code: "S8000:G8000:R0580", Opened: "20200131", Closed: "20250131"},
			}},
			{UserID: "555000000002"},
		}})
}

// lookUp asks the directory; parameters are name, value, name, value.
func (c *conversation) lookUp(resource string, parameters ...string) reply {
	c.t.Helper()
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	return c.get(c.DirectoryURL()+"/"+resource+"?"+values.Encode(), "apikey", apiKey, "Accept", "application/fhir+json")
}

// found is a search set's resources, each by what its identifiers, contract
// and address say.
func found(t *testing.T, r reply) []map[string]any {
	t.Helper()
	bundle := r.json(t)
	entries, _ := bundle["entry"].([]any)
	if r.status != 200 || bundle["type"] != "searchset" || bundle["total"] != float64(len(entries)) {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	var all []map[string]any
	for _, e := range entries {
		resource := e.(object)["resource"].(object)
		flat := map[string]any{"type": resource["resourceType"]}
		if resource["address"] != nil {
			flat["address"] = resource["address"]
		}
		identifiers, _ := resource["identifier"].([]any)
		for _, i := range identifiers {
			system := i.(object)["system"].(string)
			flat[system[strings.LastIndex(system, "/")+1:]] = i.(object)["value"]
		}
		extensions, _ := resource["extension"].([]any)
		for _, e := range extensions {
			if !strings.HasSuffix(e.(object)["url"].(string), "Extension-SDS-ReliabilityConfiguration") {
				continue
			}
			for _, property := range e.(object)["extension"].([]any) {
				p := property.(object)
				flat[p["url"].(string)] = p["valueString"]
				if p["valueInteger"] != nil {
					flat[p["url"].(string)] = p["valueInteger"]
				}
			}
		}
		all = append(all, flat)
	}
	return all
}

// A look-up finds exactly the records that were asked for.
func TestLookUp(t *testing.T) {
	spine := newSpine(t)
	c := start(t, func(cfg *platform.Config) { cfg.Directory, cfg.Spine = records(), spine })
	system := map[string]any{"type": "Device", "nhsSpineASID": spinesim.TestASID, "nhsMhsPartyKey": "YES-0000806"}
	reliable := map[string]any{
		"type": "Endpoint", "address": spine.URL(), "nhsMhsFQDN": "localhost", "nhsMHSId": "S9990000001A0001",
		"nhsMhsCPAId": "S9990000001A0001", "nhsMhsPartyKey": "YES-0000806",
		"nhsMHSSyncReplyMode": "MSHSignalsOnly", "nhsMHSAckRequested": "always", "nhsMHSDuplicateElimination": "always",
		"nhsMHSRetries": 2.0, "nhsMHSRetryInterval": "PT1M", "nhsMHSPersistDuration": "PT5M",
		"nhsMHSActor": "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH",
	}
	receiver := map[string]any{
		"type": "Endpoint", "address": "https://localhost:9443/responsehandler", "nhsMhsFQDN": "localhost", "nhsMHSId": "S9990000002A0001",
		"nhsMhsCPAId": "S9990000002A0001", "nhsMhsPartyKey": "RXX-0000011",
		"nhsMHSSyncReplyMode": "MSHSignalsOnly", "nhsMHSAckRequested": "never", "nhsMHSDuplicateElimination": "never", "nhsMHSRetries": 0.0,
	}
	query := interaction + platform.QueryInteraction
	tests := []struct {
		name, resource string
		parameters     []string
		want           []map[string]any
	}{
		{"the Spine's system", "Device", []string{"organization", organisation + "YES", "identifier", query}, []map[string]any{system}},
		{"with its party key", "Device", []string{"organization", organisation + "YES", "identifier", query, "identifier", partyKey + "YES-0000806"}, []map[string]any{system}},
		{"with another party key", "Device", []string{"organization", organisation + "YES", "identifier", query, "identifier", partyKey + "RXX-0000011"}, nil},
		{"another organisation", "Device", []string{"organization", organisation + "RYY", "identifier", query}, nil},
		{"another interaction", "Device", []string{"organization", organisation + "YES", "identifier", interaction + "urn:nhs:names:services:pdsquery:X"}, nil},
		{"endpoint by organisation and interaction", "Endpoint", []string{"organization", organisation + "YES", "identifier", query}, []map[string]any{reliable}},
		{"endpoint by party key and interaction", "Endpoint", []string{"identifier", partyKey + "YES-0000806", "identifier", query}, []map[string]any{reliable}},
		{"endpoint by organisation and party key", "Endpoint", []string{"organization", organisation + "RXX", "identifier", partyKey + "RXX-0000011"}, []map[string]any{receiver}},
		{"endpoint of nobody", "Endpoint", []string{"identifier", partyKey + "YES-0000807", "identifier", query}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			diff := cmp.Diff(tt.want, found(t, c.lookUp(tt.resource, tt.parameters...)))
			if diff != "" {
				t.Error(diff)
			}
		})
	}
	if n := c.Counters().LookUps["sds-device YES "+platform.QueryInteraction]; n != 1 {
		t.Errorf("the first look-up was counted %d times", n)
	}
}

// What is missing, doubled or foreign is refused with an OperationOutcome.
func TestLookUpIsStrict(t *testing.T) {
	c := start(t, nil)
	query := interaction + platform.QueryInteraction
	tests := []struct {
		name, resource string
		parameters     []string
		code           string
	}{
		{"nothing", "Device", nil, "MISSING_VALUE"},
		{"no organisation", "Device", []string{"identifier", query}, "MISSING_VALUE"},
		{"no interaction", "Device", []string{"organization", organisation + "YES"}, "MISSING_VALUE"},
		{"party key instead of interaction", "Device", []string{"organization", organisation + "YES", "identifier", partyKey + "YES-0000806"}, "MISSING_VALUE"},
		{"endpoint by one alone", "Endpoint", []string{"identifier", query}, "MISSING_VALUE"},
		{"no system", "Device", []string{"organization", "YES", "identifier", query}, "INVALID_VALUE"},
		{"another system", "Device", []string{"organization", "https://example.org|YES", "identifier", query}, "INVALID_VALUE"},
		{"an identifier's system for the organisation", "Device", []string{"organization", partyKey + "YES-0000806", "identifier", query}, "INVALID_VALUE"},
		{"no value", "Device", []string{"organization", organisation, "identifier", query}, "INVALID_VALUE"},
		{"value with a wildcard", "Device", []string{"organization", organisation + "*", "identifier", query}, "INVALID_VALUE"},
		{"interaction twice", "Device", []string{"organization", organisation + "YES", "identifier", query, "identifier", query}, "INVALID_VALUE"},
		{"another parameter", "Device", []string{"organization", organisation + "YES", "identifier", query, "_count", "1"}, "INVALID_VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.lookUp(tt.resource, tt.parameters...)
			if r.status != 400 || r.code(t) != tt.code {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		})
	}
	address := c.DirectoryURL() + "/Device?" + url.Values{"organization": {organisation + "YES"}, "identifier": {query}}.Encode()
	headers := []struct {
		name    string
		headers []string
		status  int
	}{
		{"no key", nil, 401},
		{"another's key", []string{"apikey", "x"}, 401},
		{"key of an application without assertions", []string{"apikey", "directory-only"}, 200},
		{"XML wanted", []string{"apikey", apiKey, "Accept", "application/fhir+xml"}, 406},
		{"JSON among others wanted", []string{"apikey", apiKey, "Accept", "text/html, application/json;q=0.5"}, 200},
		{"correlation id that is no UUID", []string{"apikey", apiKey, "X-Correlation-ID", "1"}, 400},
		{"correlation id", []string{"apikey", apiKey, "X-Correlation-ID", requestID}, 200},
	}
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			r := c.get(address, tt.headers...)
			if r.status != tt.status {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		})
	}
	r := c.get(c.DirectoryURL()+"/Practitioner", "apikey", apiKey)
	if r.status != 404 {
		t.Errorf("another resource: status %d", r.status)
	}
}

// In random mode any question has an answer of its own, always the same; in
// failing mode none has.
func TestDirectoryModes(t *testing.T) {
	c := start(t, func(cfg *platform.Config) { cfg.DirectoryMode = platform.Random })
	ask := func(resource, ods string) reply {
		return c.lookUp(resource, "organization", organisation+ods, "identifier", interaction+platform.QueryInteraction)
	}
	first, again, another := found(t, ask("Device", "R1A")), found(t, ask("Device", "R1A")), found(t, ask("Device", "R1B"))
	if len(first) != 1 || !cmp.Equal(first, again) || cmp.Equal(first, another) {
		t.Errorf("random systems: %v, %v, %v", first, again, another)
	}
	key, _ := first[0]["nhsMhsPartyKey"].(string)
	byKey := found(t, c.lookUp("Endpoint", "identifier", partyKey+key, "identifier", interaction+platform.QueryInteraction))
	if len(byKey) != 1 || byKey[0]["nhsMhsPartyKey"] != key || byKey[0]["address"] == nil {
		t.Errorf("random endpoint: %v", byKey)
	}
	for mode, status := range map[platform.Mode]int{platform.Failing: 502, platform.Strict: 200} {
		err := c.SetMode(mode)
		if err != nil {
			t.Fatal(err)
		}
		if r := ask("Endpoint", "YES"); r.status != status {
			t.Errorf("%s: status %d", mode, r.status)
		}
	}
	err := c.SetMode("x")
	if err == nil {
		t.Error("a mode that is none was accepted")
	}
	err = c.Reset()
	if err != nil {
		t.Fatal(err)
	}
	if len(found(t, ask("Device", "R1A"))) != 1 {
		t.Error("the reset did not bring the configured mode back")
	}
}

// The records can be replaced while the platform runs.
func TestSetDirectory(t *testing.T) {
	c := start(t, nil)
	ask := func() []map[string]any {
		return found(t, c.lookUp("Endpoint", "organization", organisation+"YES", "identifier", interaction+platform.QueryInteraction))
	}
	if mode := ask()[0]["nhsMHSSyncReplyMode"]; mode != "none" {
		t.Errorf("the Spine's own contract begins with %v", mode)
	}
	err := c.SetDirectory(platform.SpineRecords(platform.UnreliableContract()))
	if err != nil {
		t.Fatal(err)
	}
	if mode := ask()[0]["nhsMHSSyncReplyMode"]; mode != "MSHSignalsOnly" {
		t.Errorf("after the change: %v", mode)
	}
	wrong := platform.SpineRecords(platform.SyncContract())
	wrong.Endpoints[0].Address = "https://msg.spine2.ncrs.nhs.uk/sync-service"
	err = c.SetDirectory(wrong)
	if err == nil {
		t.Error("a real address was accepted")
	}
	err = c.SetDirectory(platform.Directory{})
	if err != nil || len(ask()) != 0 {
		t.Errorf("an empty directory: %v", err)
	}
}

// entries reads LDIF as RFC 2849 has it: by name, attributes in lower case.
func entries(t *testing.T, text string) map[string]map[string][]string {
	t.Helper()
	all := map[string]map[string][]string{}
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		entry := map[string][]string{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				t.Fatalf("not a line of LDIF: %q", line)
			}
			if encoded, isBase64 := strings.CutSuffix(name, ":"); isBase64 {
				plain, err := base64.StdEncoding.DecodeString(value)
				if err != nil {
					t.Fatal(err)
				}
				name, value = encoded, string(plain)
			}
			name = strings.ToLower(name)
			entry[name] = append(entry[name], value)
		}
		all[entry["dn"][0]] = entry
	}
	return all
}

// The LDAP form says what the FHIR form says, and has the staff.
func TestLDIFAgreesWithFHIR(t *testing.T) {
	c := start(t, func(cfg *platform.Config) { cfg.Directory = records() })
	all := entries(t, platform.LDIFBase+string(c.Directory().LDIF()))
	fhir := found(t, c.lookUp("Endpoint", "organization", organisation+"YES", "identifier", interaction+platform.QueryInteraction))[0]
	mhs := all["uniqueIdentifier=S9990000001A0001,ou=services,o=nhs"]
	for ldapName, fhirName := range map[string]string{
		"nhsmhsendpoint": "address", "nhsmhsfqdn": "nhsMhsFQDN", "nhsmhscpaid": "nhsMhsCPAId", "uniqueidentifier": "nhsMHSId",
		"nhsmhspartykey": "nhsMhsPartyKey", "nhsmhssyncreplymode": "nhsMHSSyncReplyMode", "nhsmhsackrequested": "nhsMHSAckRequested",
		"nhsmhsduplicateelimination": "nhsMHSDuplicateElimination", "nhsmhsretryinterval": "nhsMHSRetryInterval",
		"nhsmhspersistduration": "nhsMHSPersistDuration", "nhsmhsactor": "nhsMHSActor",
	} {
		if len(mhs[ldapName]) != 1 || mhs[ldapName][0] != fhir[fhirName] {
			t.Errorf("%s is %v in LDAP, %v in FHIR", ldapName, mhs[ldapName], fhir[fhirName])
		}
	}
	system := all["uniqueIdentifier="+spinesim.TestASID+",ou=services,o=nhs"]
	want := map[string][]string{
		"dn": {"uniqueIdentifier=" + spinesim.TestASID + ",ou=services,o=nhs"}, "objectclass": {"nhsAs"},
		"uniqueidentifier": {spinesim.TestASID}, "nhsidcode": {"YES"}, "nhsmhspartykey": {"YES-0000806"},
		"nhsassvcia": {platform.QueryInteraction, "urn:nhs:names:services:cpisquery:MCCI_IN010000UK13"},
	}
	if diff := cmp.Diff(want, system); diff != "" {
		t.Error(diff)
	}
	closed := all["uniqueIdentifier=555100000002,uid=555000000001,ou=people,o=nhs"]
	want = map[string][]string{
		"dn": {"uniqueIdentifier=555100000002,uid=555000000001,ou=people,o=nhs"}, "objectclass": {"nhsOrgPersonRole"},
		"uniqueidentifier": {"555100000002"}, "nhsidcode": {"RXX"}, "nhsjobrolecode": {"S8000:G8000:R0580"}, "nhsorgopendate": {"20200131"}, "nhsorgclosedate": {"20250131"},
	}
	if diff := cmp.Diff(want, closed); diff != "" {
		t.Error(diff)
	}
	if status := all["uid=555000000001,ou=people,o=nhs"]["nhspersonstatus"]; len(status) != 1 || status[0] != "1" {
		t.Errorf("the user's status is %v", status)
	}
	if len(all) != 3+2+2+4 {
		t.Errorf("%d entries", len(all))
	}
	if all["uniqueIdentifier=555100000001,uid=555000000001,ou=people,o=nhs"]["nhsorgclosedate"] != nil {
		t.Error("a role that goes on has a close date")
	}
}

// A value that LDIF would misread is written in Base64.
func TestLDIFEncodes(t *testing.T) {
	d := platform.SpineRecords(platform.SyncContract())
	d.Endpoints[0].Contract.Actor = " ürn:x\nobjectClass: nhsPerson"
	all := entries(t, string(d.LDIF()))
	mhs := all["uniqueIdentifier=S9990000001A0001,ou=services,o=nhs"]
	if len(mhs["objectclass"]) != 1 || mhs["nhsmhsactor"][0] != d.Endpoints[0].Contract.Actor {
		t.Errorf("%v", mhs)
	}
}
