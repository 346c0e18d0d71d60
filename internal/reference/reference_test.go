package reference_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/reference"
)

// A part of a message is cut out with the namespaces that it uses, also those
// that are declared further out.
func TestElementKeepsItsNamespaces(t *testing.T) {
	document := `<?xml version="1.0"?><s:E xmlns:s="urn:s" xmlns:h="urn:h" xmlns="urn:d"><s:B>` +
		`<h:part x="1 &amp; 2" h:y="3">a &lt; b<inner/><h:part/></h:part><h:part/></s:B></s:E>`
	got := reference.Element(t, document, "urn:h", "part")
	want := `<part xmlns="urn:h" x="1 &amp; 2" xmlns:a1="urn:h" a1:y="3">a &lt; b<inner xmlns="urn:d"></inner><part xmlns="urn:h"></part></part>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.HasPrefix(reference.Element(t, document, "urn:d", "inner"), `<inner xmlns="urn:d">`) {
		t.Error("an inner element is not found")
	}
}
