package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/conform"
)

var update = flag.Bool("update", false, "write the tables of docs/conformance.md anew")

const document = "../../docs/conformance.md"

// checkDocument fails when docs/conformance.md does not say what the run showed. What
// stands in it before the mark is written by hand.
func checkDocument(t *testing.T, report conform.Report) {
	t.Helper()
	const mark = "<!-- from here on written by: go test ./test/conformance -update -->\n"
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	byHand, _, found := strings.Cut(string(content), mark)
	if !found {
		t.Fatalf("%s has no line %s", document, mark)
	}
	want := byHand + mark + tables(report)
	if want == string(content) {
		return
	}
	if !*update {
		t.Errorf("%s does not say what the run showed; run: go test ./test/conformance -update", document)
		return
	}
	err = os.WriteFile(document, []byte(want), 0o644)
	if err != nil {
		t.Fatal(err)
	}
}

// tables has one table for each group.
func tables(report conform.Report) string {
	var b strings.Builder
	c := report.Counts()
	fmt.Fprintf(&b, "\n%d cases: %d passed, %d failed, %d differ, %d not run.\n", len(report.Results), c.Passed, c.Failed, c.Differs, c.NotRun)
	group := ""
	for _, r := range report.Results {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&b, "\n### %s\n\n| id | level | requirements | case | result |\n|---|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.ID, r.Level(), strings.Join(r.Requirements, " "), strings.TrimSuffix(r.Title, "."), r.Status)
	}
	return b.String()
}
