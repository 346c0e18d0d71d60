//go:build reference

package spinesim_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// reference is the directory of official schemas and sample messages, which
// are not part of this repository: WARD_REFERENCE, with schemas/ and samples/.
func reference(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WARD_REFERENCE")
	if dir == "" {
		t.Fatal("WARD_REFERENCE is not set: it must name the directory that holds schemas/ and samples/")
	}
	_, err := exec.LookPath("xmllint")
	if err != nil {
		t.Fatal("xmllint is missing; Debian has it in libxml2-utils")
	}
	return dir
}

// validate checks the interaction within a reply against the official schema.
func validate(dir, interaction string, document []byte) error {
	schema := filepath.Join(dir, "schemas", "cpis", "Schemas", interaction+".xsd")
	part := exec.Command("xmllint", "--xpath", "(//*[local-name()='"+interaction+"'])[1]", "-")
	part.Stdin = bytes.NewReader(document)
	extracted, err := part.Output()
	if err != nil {
		return fmt.Errorf("extract %s: %w", interaction, err)
	}
	lint := exec.Command("xmllint", "--noout", "--schema", schema, "-")
	lint.Stdin = bytes.NewReader(extracted)
	out, err := lint.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Replies in schema shape obey the schemas, for everybody in the cast, as first
// and as later query, from a person and from a system.
func TestRepliesObeyTheOfficialSchemas(t *testing.T) {
	dir := reference(t)
	s := start(t, func(c *spinesim.Config) { c.Generate = 12 })
	c := newClient(t)
	for _, child := range s.Children(0) {
		if child.Behaviour != spinesim.AsStored {
			continue
		}
		t.Run(child.NHSNumber, func(t *testing.T) {
			for _, person := range []string{"", "555000000101"} {
				r := ask(t, s, c, query{number: child.NHSNumber, person: person})
				err := validate(dir, r.kind(), r.body)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Behaviours that are said to be proper replies obey the schemas too; those
// that are said to differ from them do differ.
func TestBehavioursObeyTheOfficialSchemasWhereTheySaySo(t *testing.T) {
	dir := reference(t)
	s := start(t, nil)
	c := newClient(t)
	obey := map[spinesim.Behaviour]bool{
		"found": true, "found-version-code-1": false, "found-empty-to": true, "found-swapped-asids": true, "found-bare": true,
		"found-twice": true, "end-date-nil": true, "end-before-start": true, "not-found": true,
		"not-found-extra-reason": true, "not-found-warning-only": true, "quqi-no-reason": true,
		"mcci-ae": true, "mcci-ae-wrapped": true, "mcci-ar": true, "mcci-ar-duplicate": true, "mcci-aa": true,
		"response-code-nf": true, "no-subject": true, "records-more-than-sent": true, "other-patient-subject": true,
		"found-harness-shape": false, "plan-unknown-same-form": false, "plan-unknown-other-form": false,
		"record-total-missing": false, "record-total-not-a-number": false, "zero-records": false,
	}
	for name, valid := range obey {
		t.Run(string(name), func(t *testing.T) {
			play(t, s, steps(name))
			r := ask(t, s, c, query{number: "9990000042"})
			err := validate(dir, r.kind(), r.body)
			if valid != (err == nil) {
				t.Errorf("valid = %v, want %v: %v", err == nil, valid, err)
			}
		})
	}
}

// The official sample requests are accepted as they stand.
func TestOfficialSampleRequestsAreAccepted(t *testing.T) {
	dir := reference(t)
	s := start(t, nil)
	c := newClient(t)
	for name, form := range map[string]string{"request_device_author": "system", "request_person_author": "person"} {
		t.Run(name, func(t *testing.T) {
			document := readFile(t, filepath.Join(dir, "samples", "spine", name+".soap.xml"))
			r := askDocument(t, s, c, document)
			if r.kind() != "REPC_IN000007GB01" {
				t.Fatalf("answered by %q: %s", r.kind(), r.body)
			}
			received := s.Received()
			last := received[len(received)-1]
			if last.AuthorForm != form || last.NHSNumber != "9990000018" || last.Organisation != "RXX" {
				t.Errorf("understood as form %q, number %q, organisation %q", last.AuthorForm, last.NHSNumber, last.Organisation)
			}
			ids := r.accesses()
			if len(ids) == 0 || ids[len(ids)-1] != last.QueryID || !strings.HasPrefix(last.QueryID, "5A0E3C7B-") {
				t.Errorf("the asker %s is not the last access: %v", last.QueryID, ids)
			}
			err := validate(dir, r.kind(), r.body)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// The test's own requests obey the official schema, so that what these tests
// prove is true of real requests.
func TestOurTestRequestsObeyTheOfficialSchema(t *testing.T) {
	dir := reference(t)
	for _, person := range []string{"", "555000000101"} {
		err := validate(dir, "QUPC_IN000006GB01", []byte(query{person: person}.xml()))
		if err != nil {
			t.Error(err)
		}
	}
}
