package clients_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/conform/clients"
)

// WRD-SUP-01: the guide lists every situation with its number.
func TestGuideListsEverySituation(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/client-conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range clients.Situations() {
		row := fmt.Sprintf("| %s | `%s` | %s |\n", s.Number, s.ID, s.Title)
		if !strings.Contains(string(guide), row) {
			t.Errorf("docs/client-conformance.md lacks the row\n%s", row)
		}
	}
}
