// Package reference gives tests the official reference data, which is not part
// of the project: national XML schemas and sample messages.
//
// The environment variable WARD_REFERENCE names a directory with the folders
// schemas and samples. Without it, or without xmllint (package libxml2-utils), a
// test that needs them fails; it is never skipped.
package reference

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Schemas, by their path below the folder schemas.
const (
	Query            = "cpis/Schemas/QUPC_MT000006GB01.xsd" // query payload
	QueryInteraction = "cpis/Schemas/QUPC_IN000006GB01.xsd" // what the Spine is sent
	NationalResponse = "cpis/Schemas/REPC_MT000007GB01.xsd" // SMSP response payload without its value
	SuccessReply     = "cpis/Schemas/REPC_IN000007GB01.xsd"
	FailedQueryReply = "cpis/Schemas/QUQI_IN010000UK14.xsd"
	Acknowledgement  = "cpis/Schemas/MCCI_IN010000UK13.xsd"
	Response         = "derived/REPC_MT000012GB01-derived.xsd" // SMSP response payload; derived, not official
	EnvelopeV1       = "itk/distributionEnvelope-v1-0.xsd"
	EnvelopeV2       = "itk/distributionEnvelope-v2-0.xsd"
	ToolkitErrorInfo = "itk/ITKMessageTypes-2010-05.xsd"
)

func directory(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WARD_REFERENCE")
	if dir == "" {
		t.Fatal("WARD_REFERENCE must name the directory with the official schemas and samples")
	}
	return dir
}

// Sample reads the sample of that path below the folder samples.
func Sample(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory(t), "samples", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Samples lists the samples that match pattern, as Sample wants them. There must
// be at least one.
func Samples(t testing.TB, pattern string) []string {
	t.Helper()
	root := filepath.Join(directory(t), "samples")
	found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
	if err != nil || len(found) == 0 {
		t.Fatalf("no sample matches %s", pattern)
	}
	for i, path := range found {
		found[i] = filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
	}
	return found
}

// Validate holds whole documents against a schema and returns for each what
// xmllint says against it, empty if it is valid.
func Validate(t testing.TB, schema string, documents ...string) []string {
	t.Helper()
	return ValidateWith(t, filepath.Join(directory(t), "schemas", filepath.FromSlash(schema)), documents...)
}

// ValidateWith is Validate with the schema in any file.
func ValidateWith(t testing.TB, file string, documents ...string) []string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := make([]string, 0, len(documents))
	for batch := range slices.Chunk(documents, 500) {
		verdicts = append(verdicts, validate(t, path, batch)...)
	}
	return verdicts
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

// complaint is one line of xmllint about one file.
var complaint = regexp.MustCompile(`(?m)^(\d+)\.xml:\d+: (.*)$`)

func validate(t testing.TB, schema string, documents []string) []string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for i, document := range documents {
		name := strconv.Itoa(i) + ".xml"
		args = append(args, name)
		err := os.WriteFile(filepath.Join(dir, name), []byte(document), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("xmllint", args...)
	command.Dir = dir
	var output bytes.Buffer
	command.Stderr = &output
	err := command.Run()
	_, refused := err.(*exec.ExitError)
	if err != nil && !refused {
		t.Fatalf("xmllint (package libxml2-utils) must be installed: %v", err)
	}
	verdicts := make([]string, len(documents))
	for _, match := range complaint.FindAllStringSubmatch(output.String(), -1) {
		i, err := strconv.Atoi(match[1])
		if err != nil || i >= len(documents) {
			t.Fatalf("xmllint speaks of a file that it was not given: %s", match[0])
		}
		verdicts[i] += match[2] + "\n"
	}
	for i := range documents {
		// A document counts as valid only if xmllint says so.
		if !strings.Contains("\n"+output.String(), "\n"+strconv.Itoa(i)+".xml validates\n") && verdicts[i] == "" {
			t.Fatalf("xmllint does not say whether document %d is valid: %s", i, output.String())
		}
	}
	return verdicts
}
