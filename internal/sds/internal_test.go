package sds

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// Synchronous: no elimination of duplicates, and no mode of synchronous reply.
func TestPatternOfAContract(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		syncReply, elimination string
		async                  bool
	}{
		{"", "", false}, {"none", "", false}, {"none", "never", false}, {"NONE", "perMessage", false}, {"", "never", false},
		{"none", "always", true}, {"", "ALWAYS", true}, {"MSHSignalsOnly", "never", true}, {"mshsignalsonly", "", true},
		{"signalsOnly", "", true}, {"responseOnly", "", true}, {"signalsAndResponse", "", true},
	} {
		contract, err := record{syncReply: c.syncReply, duplicateElimination: c.elimination}.contract("YES-0000806")
		if err != nil || isAsync(contract) != c.async {
			t.Errorf("%+v: %+v, %v", c, contract, err)
		}
	}
}

// Words are known in any case and written in their own; others are refused, with the name
// of the attribute.
func TestContracts(t *testing.T) {
	t.Parallel()
	full := record{
		cpaID: "S1", syncReply: "MSHSIGNALSONLY", ackRequested: "Always", duplicateElimination: "NEVER", actor: "urn:a",
		retries: "0", retryInterval: "PT30S", persistDuration: "P1D",
	}
	got, err := full.contract("K")
	want := ebxml.Contract{
		CPAID: "S1", ToParty: "K", SyncReply: "MSHSignalsOnly", AckRequested: true, Actor: "urn:a", RetryInterval: 30 * time.Second, PersistDuration: 24 * time.Hour,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, r := range map[string]record{
		"nhsMHSSyncReplyMode":        {syncReply: "all"},
		"nhsMHSAckRequested":         {ackRequested: "1"},
		"nhsMHSDuplicateElimination": {duplicateElimination: "true"},
		"nhsMHSRetries":              {retries: "101"},
		"nhsMHSRetryInterval":        {retryInterval: "1M"},
		"nhsMHSPersistDuration":      {persistDuration: "P1Y"},
	} {
		_, err := r.contract("K")
		var e *Error
		if !errors.As(err, &e) || e.Result != Unusable || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The directory may spell the names of attributes in any case.
func TestNamesOfAttributesInAnyCase(t *testing.T) {
	t.Parallel()
	e := entry{ldap.NewEntry("uid=x", map[string][]string{"NHSMHSPARTYKEY": {"K"}, "nhsMhsEndpoint": {""}, "objectclass": {"a", "b"}})}
	key, err := e.value("nhsMhsPartyKey")
	if err != nil || key != "K" {
		t.Errorf("%q, %v", key, err)
	}
	empty, err := e.value("nhsMHSEndPoint")
	if err != nil || empty != "" {
		t.Errorf("%q, %v", empty, err)
	}
	_, err = e.value("objectClass")
	if err == nil {
		t.Error("two values passed for one")
	}
}

// FuzzFilter: whatever the value, the filter is well-formed and compares with exactly
// that value (WRD-SPN-16).
func FuzzFilter(f *testing.F) {
	for _, value := range []string{"YES", "*", ")(uid=*", `\2a`, "\x00", "(&(a=b))", "\xff", "é", "a=b", ":dn:=x", "~=", strings.Repeat("(", 99)} {
		f.Add(value, value)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		packet, err := ldap.CompileFilter(all("uid", one, "nhsIDCode", two))
		if err != nil {
			t.Fatal(err)
		}
		if packet.Tag != ldap.FilterAnd || len(packet.Children) != 2 {
			t.Fatalf("not two conditions: tag %d of %d", packet.Tag, len(packet.Children))
		}
		for i, want := range [][2]string{{"uid", one}, {"nhsIDCode", two}} {
			c := packet.Children[i]
			if c.Tag != ldap.FilterEqualityMatch || len(c.Children) != 2 || c.Children[0].Data.String() != want[0] || c.Children[1].Data.String() != want[1] {
				t.Errorf("condition %d is not the equality %q", i, want)
			}
		}
	})
}

// FuzzReadOne: no answer does more than fail to be read, and what is read of one is in
// bounds.
func FuzzReadOne(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Bundle","type":"searchset","total":1,"entry":[{"resource":{"resourceType":"Endpoint","status":"active","address":"https://x.example.invalid/",` +
		`"identifier":[{"system":"https://fhir.nhs.uk/Id/nhsMhsCPAId","value":"S1"}],"extension":[{"url":"https://fhir.nhs.uk/StructureDefinition/Extension-SDS-ReliabilityConfiguration",` +
		`"extension":[{"url":"nhsMHSRetries","valueInteger":2},{"url":"nhsMHSSyncReplyMode","valueString":"none"}]}]}}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"searchset","total":0}`))
	f.Add([]byte(`{"a":{"a":[1e999]},"A":2}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := readOne(content, "Endpoint")
		if err != nil {
			return
		}
		read, err := r.record("K")
		if err != nil {
			return
		}
		if !isPlain(read.address) || r.ResourceType != "Endpoint" {
			t.Errorf("read %+v of %+v", read, r)
		}
		contract, err := read.contract("K")
		if err == nil && (contract.Retries > maxRetries || contract.RetryInterval < 0) {
			t.Errorf("contract %+v", contract)
		}
	})
}
