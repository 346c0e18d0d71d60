// Package wsdltest holds messages against the schemas of package wsdl, with xmllint
// (package libxml2-utils). Without it a test that needs it fails.
package wsdltest

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/wsdl"
)

// Validate holds whole documents against a schema, by its file name, and returns for
// each what xmllint says against it, empty if it is valid.
func Validate(t testing.TB, schema string, documents ...string) []string {
	t.Helper()
	dir := t.TempDir()
	err := os.CopyFS(dir, wsdl.Files())
	if err != nil {
		t.Fatal(err)
	}
	return reference.ValidateWith(t, filepath.Join(dir, schema), documents...)
}

// MustValidate fails the test for each document that is not valid.
func MustValidate(t testing.TB, schema string, documents ...string) {
	t.Helper()
	for i, verdict := range Validate(t, schema, documents...) {
		if verdict != "" {
			t.Errorf("document %d is not valid against %s: %s\n%s", i, schema, verdict, documents[i])
		}
	}
}

// schemaOf names the schema of each namespace that a SOAP message is made of.
var schemaOf = map[string]string{
	"urn:nhs-itk:ns:201005":                "itk.xsd",
	"http://www.w3.org/2005/08/addressing": "addressing.xsd",
	"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd": "security.xsd",
}

// ValidateMessages holds every described part of SOAP messages against its schema:
// header blocks, the DistributionEnvelope with its payload, the detail of a fault.
// It returns for each message what xmllint says against its parts.
func ValidateMessages(t testing.TB, messages ...string) []string {
	t.Helper()
	parts, owners := map[string][]string{}, map[string][]int{}
	for i, message := range messages {
		for _, name := range described(t, message) {
			schema := schemaOf[name.Space]
			parts[schema] = append(parts[schema], reference.Element(t, message, name.Space, name.Local))
			owners[schema] = append(owners[schema], i)
		}
	}
	verdicts := make([]string, len(messages))
	for schema, documents := range parts {
		for n, verdict := range Validate(t, schema, documents...) {
			verdicts[owners[schema][n]] += verdict
		}
	}
	return verdicts
}

// MustValidateMessages fails the test for each message with a part that is not valid.
func MustValidateMessages(t testing.TB, messages ...string) {
	t.Helper()
	for i, verdict := range ValidateMessages(t, messages...) {
		if verdict != "" {
			t.Errorf("message %d is not valid: %s\n%s", i, verdict, messages[i])
		}
	}
}

// described are the outermost elements of a SOAP message that have a schema. There
// must be at least a header block and a body.
func described(t testing.TB, message string) []xml.Name {
	t.Helper()
	var names []xml.Name
	decoder := xml.NewDecoder(strings.NewReader(message))
	body := false
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		start, ok := token.(xml.StartElement)
		if !ok || schemaOf[start.Name.Space] == "" {
			continue
		}
		body = body || schemaOf[start.Name.Space] == "itk.xsd"
		names = append(names, start.Name)
		err = decoder.Skip()
		if err != nil {
			t.Fatalf("the message cannot be read: %v", err)
		}
	}
	if !body || len(names) < 2 {
		t.Fatalf("this is no message of the service: %s", message)
	}
	return names
}

// Difference is something that our schemas demand and the official ones do not.
type Difference struct {
	What      string
	Complaint string // regular expression for what xmllint says
}

// MustBeStricter fails the test unless our schema refuses whatever the official
// schemas refuse in their documents, and more only for the differences, each of
// which the documents must show.
func MustBeStricter(t testing.TB, schema string, differences []Difference, documents map[string][]string) {
	t.Helper()
	shown := map[string]bool{}
	for official, list := range documents {
		refused := 0
		theirs, ours := reference.Validate(t, official, list...), Validate(t, schema, list...)
		for i, document := range list {
			switch {
			case theirs[i] != "" && ours[i] == "":
				t.Errorf("our schema takes what %s refuses: %s\n%s", official, theirs[i], document)
			case theirs[i] != "":
				refused++
			default:
				show(t, shown, differences, ours[i])
			}
		}
		if refused < len(list)/3 {
			t.Errorf("of %d documents for %s both refuse %d: too few to prove anything", len(list), official, refused)
		}
	}
	for _, d := range differences {
		if !shown[d.What] {
			t.Errorf("no document shows the difference: %s", d.What)
		}
	}
}

func show(t testing.TB, shown map[string]bool, differences []Difference, verdict string) {
	t.Helper()
	for complaint := range strings.Lines(verdict) {
		i := slices.IndexFunc(differences, func(d Difference) bool {
			return regexp.MustCompile(d.Complaint).MatchString(complaint)
		})
		if i < 0 {
			t.Errorf("our schema alone refuses: %s", complaint)
			continue
		}
		shown[differences[i].What] = true
	}
}
