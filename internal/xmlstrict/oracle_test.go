//go:build oracle

package xmlstrict_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// xmllint exits with 0 on a namespace error, so what counts is any error that
// it prints for a file. A warning, as for a relative namespace name, is none.
var errorLine = regexp.MustCompile(`(?m)^(\d+)\.xml:\d+: .*\berror\b.*$`)

// refusedByXmllint returns what xmllint says against the documents, by index.
func refusedByXmllint(t *testing.T, documents []string) map[int]string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"--noout", "--nonet"}
	for i, doc := range documents {
		name := strconv.Itoa(i) + ".xml"
		err := os.WriteFile(filepath.Join(dir, name), []byte(doc), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	command := exec.Command("xmllint", args...)
	command.Dir = dir
	var output bytes.Buffer
	command.Stderr = &output
	err := command.Run()
	_, ran := err.(*exec.ExitError)
	if err != nil && !ran {
		t.Fatalf("xmllint (package libxml2-utils) must be installed: %v", err)
	}
	refused := make(map[int]string)
	for _, match := range errorLine.FindAllStringSubmatch(output.String(), -1) {
		i, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		refused[i] += match[0] + "\n"
	}
	if err != nil && len(refused) == 0 {
		t.Fatalf("xmllint failed without naming a document: %v\n%s", err, output.String())
	}
	return refused
}

// The reader never accepts what libxml2 refuses.
func TestNothingAcceptedIsRefusedByLibxml2(t *testing.T) {
	random := rand.New(rand.NewPCG(*oracleSeed, 0))
	documents := slices.Clone(seeds)
	for _, row := range accepted {
		documents = append(documents, row.doc)
	}
	documents = slices.DeleteFunc(documents, func(doc string) bool { return !parses(doc) })
	base := len(documents)
	seen := make(map[string]bool)
	tried := 0
	for len(documents) < base+*oracleDocuments {
		tried++
		doc := mutate(random, documents[random.IntN(base)])
		if seen[doc] || !parses(doc) {
			continue
		}
		seen[doc] = true
		documents = append(documents, doc)
	}
	t.Logf("%d documents tried, %d accepted", tried, len(documents))
	for batch := range slices.Chunk(documents, 500) {
		for i, complaint := range refusedByXmllint(t, batch) {
			t.Errorf("accepted, but xmllint says:\n%s%q", complaint, abridged(batch[i]))
		}
	}
}

// Namespace names are where libxml2 is stricter than the grammar of XML.
func TestNoNamespaceNameAcceptedIsRefusedByLibxml2(t *testing.T) {
	random := rand.New(rand.NewPCG(*oracleSeed, 1))
	names := []string{"urn:hl7-org:v3", "http://u:p@h.example:80/x;y=1/../z?q=/?#/?", "a/b:c", "//h", "?q", "#f", "NPFIT:HL7:Localisation", "x:/", "x://h"}
	seen := make(map[string]bool)
	var documents []string
	for len(documents) < *oracleDocuments {
		doc := fmt.Sprintf(`<p:a xmlns:p="%s"/>`, mutate(random, names[random.IntN(len(names))]))
		if seen[doc] || !parses(doc) {
			continue
		}
		seen[doc] = true
		documents = append(documents, doc)
	}
	for batch := range slices.Chunk(documents, 500) {
		for i, complaint := range refusedByXmllint(t, batch) {
			t.Errorf("accepted, but xmllint says:\n%s%q", complaint, batch[i])
		}
	}
}

// What the writer writes, libxml2 reads.
func TestWriterSatisfiesLibxml2(t *testing.T) {
	var documents []string
	for _, row := range accepted {
		doc, err := xmlstrict.Parse(row.doc, generous)
		if err != nil {
			t.Fatalf("%s: %v", row.rule, err)
		}
		written, err := serialise(doc)
		if err != nil {
			t.Fatalf("%s: %v", row.rule, err)
		}
		documents = append(documents, written)
	}
	for i, complaint := range refusedByXmllint(t, documents) {
		t.Errorf("written, but xmllint says:\n%s%q", complaint, documents[i])
	}
}

// The oracle itself must be able to say no, also about namespaces.
func TestXmllintRefuses(t *testing.T) {
	documents := []string{`<a>`, `<a/>`, `<p:a/>`, `<a xmlns="{"/>`, `<a xmlns="relative"/>`}
	refused := refusedByXmllint(t, documents)
	for i, want := range []bool{true, false, true, true, false} {
		if (refused[i] != "") != want {
			t.Errorf("%s: xmllint says %q", documents[i], refused[i])
		}
	}
}

func parses(doc string) bool {
	_, err := xmlstrict.Parse(doc, generous)
	return err == nil
}
