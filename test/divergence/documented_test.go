package divergence_test

import (
	"slices"
	"testing"

	"github.com/wardsmsp/ward/internal/divergence"
)

// docs/divergences.md names exactly the disagreements that these tests allow.
func TestDivergencesAreDocumented(t *testing.T) {
	allowed := map[string][]string{
		queries:   subjectNames(queryLeniencies, queryStrictnesses),
		envelopes: subjectNames(envelopeLeniencies, envelopeStrictnesses),
		responses: namesOf(responseStrictnesses),
		replies:   namesOf(replyStrictnesses),
		passedOn:  passedOnNames,
	}
	for section, names := range allowed {
		divergence.MustBeDocumented(t, section, names)
	}
	// Those of the XML reader are tested beside it.
	readers := []string{"The XML reader and libxml2", "The XML reader and encoding/xml"}
	for _, section := range divergence.Sections(t) {
		_, ours := allowed[section]
		if !ours && !slices.Contains(readers, section) {
			t.Errorf("docs/divergences.md has a section %q that no test knows", section)
		}
	}
}
