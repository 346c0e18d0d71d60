//go:build oracle

package xmlstrict_test

import (
	"slices"
	"testing"

	"github.com/wardsmsp/ward/internal/divergence"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// What is refused although libxml2 takes it is refused for one of a few reasons.
func TestRefusalsThatLibxml2DoesNotShare(t *testing.T) {
	tally := divergence.New(libxml2Section, namesOf(stricterThanLibxml2))
	documents := slices.DeleteFunc(damaged(3, 3**oracleDocuments), parses)
	shared := 0
	for batch := range slices.Chunk(documents, 500) {
		complaints := refusedByXmllint(t, batch)
		for i, doc := range batch {
			if complaints[i] != "" {
				shared++
				continue
			}
			_, err := xmlstrict.Parse(doc, generous)
			name := explain(stricterThanLibxml2, doc, reasonOf(t, err))
			if name == "" {
				t.Errorf("seed %d: refused (%v), although libxml2 takes\n%q", *oracleSeed, err, abridged(doc))
				continue
			}
			tally.Count(name)
		}
	}
	t.Logf("%d of %d refusals are shared", shared, len(documents))
	tally.MustAllBeMet(t)
}
