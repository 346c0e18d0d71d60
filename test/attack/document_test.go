package attack_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/hostile-input.md")

const (
	document = "../../docs/hostile-input.md"
	marker   = "<!-- What follows is written by: go test ./test/attack -run Document -update -->\n"
)

// The document for assurers says of every attack what the tests demand.
func TestDocumentSaysWhatIsTested(t *testing.T) {
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text, got, found := strings.Cut(string(content), marker)
	if !found {
		t.Fatalf("%s lacks the line %s", document, marker)
	}
	want := tables()
	if *update {
		err = os.WriteFile(document, []byte(text+marker+want), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	diff := cmp.Diff(want, got)
	if diff != "" {
		t.Errorf("run the test with -update (-want +got):\n%s", diff)
	}
}

// Each attack has a row of its own, which can be named.
func TestEveryAttackHasItsRow(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups() {
		for _, a := range g.attacks {
			if seen[a.name] || strings.ContainsAny(a.name, "|\n") {
				t.Errorf("%q stands twice, or cannot stand in a table", a.name)
			}
			seen[a.name] = true
		}
	}
}

func tables() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Under load\n\n| what | how much |\n|---|---|\n")
	fmt.Fprintf(&b, "| attackers at a time with the certificate of a registered client | %d |\n", attackers)
	fmt.Fprintf(&b, "| strangers at a time, whose certificate nobody registered | %d |\n", strangers)
	fmt.Fprintf(&b, "| questions a second of another client, which must all be answered | %d |\n", goodRate)
	fmt.Fprintf(&b, "| most memory that the program may hold meanwhile | %d MiB |\n", memoryBound>>20)
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| what is sent | what Ward does | questions asked |\n|---|---|---|\n", g.title)
		for _, a := range g.attacks {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", a.name, a.want, a.want.questions())
		}
	}
	return b.String()
}

// questions says how many questions an attack leads to.
func (w want) questions() string {
	if w.asked == many {
		return "each that was read, once"
	}
	return strconv.Itoa(w.asked)
}
