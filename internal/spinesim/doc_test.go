package spinesim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// docs/simulator.md lists every child of the cast and every behaviour as they
// are.
func TestTheDocumentListsCastAndBehaviours(t *testing.T) {
	document := readFile(t, "../../docs/simulator.md")
	cfg := testConfig()
	cfg.Generate = 1
	s, err := spinesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	children := s.Children(0)
	if first := children[len(children)-1].NHSNumber; !strings.Contains(document, "children from "+first+" on") {
		t.Errorf("docs/simulator.md does not say that generated children begin at %s", first)
	}
	for _, person := range spinesim.Cast() {
		child, found := s.Child(person.NHSNumber)
		if !found {
			t.Fatalf("%s is not in the store", person.NHSNumber)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s %s | %s | %d | %s |", child.NHSNumber, child.Given, child.Family, child.Situation, child.Accesses, child.Code))
	}
	for _, b := range spinesim.Behaviours() {
		number, processed := b.NHSNumber, "no"
		if number == "" {
			number = "-"
		}
		if b.Processed {
			processed = "yes"
		}
		if b.Stage == "reply" {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s |", b.Name, number, processed, b.Code, b.Summary))
		} else {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", b.Name, b.Stage, b.Code, b.Summary))
		}
		if b.AsyncSummary != "" {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", b.Name, b.AsyncCode, b.AsyncSummary))
		} else if base, late := strings.CutPrefix(string(b.Name), "late-"); b.AsyncCode != b.Code && !late {
			t.Errorf("nothing says why the code of %s is %s in the asynchronous pattern", base, b.AsyncCode)
		}
	}
	for _, row := range rows {
		if !strings.Contains(document, row+"\n") {
			t.Errorf("docs/simulator.md lacks the line:\n%s", row)
		}
	}
}
