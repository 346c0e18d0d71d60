package xmlstrict_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wardsmsp/ward/internal/divergence"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var (
	oracleDocuments = flag.Int("oracle.documents", 2000, "accepted documents to hold against another reader")
	oracleSeed      = flag.Uint64("oracle.seed", 1, "seed of the mutations")
)

// damaged are mutations of documents on both sides of every rule.
func damaged(stream uint64, n int) []string {
	random := rand.New(rand.NewPCG(*oracleSeed, stream))
	documents := slices.Concat(acceptedDocuments(), seeds, beyondLimits)
	for _, row := range refused {
		documents = append(documents, row.doc)
	}
	bases := len(documents)
	for len(documents) < bases+n {
		documents = append(documents, mutate(random, documents[random.IntN(bases)]))
	}
	return documents
}

// Whatever one of the two refuses and the other takes, Parse or encoding/xml, has a
// reason that is known.
func TestDifferencesFromEncodingXML(t *testing.T) {
	tally := divergence.New(encodingXMLSection, namesOf(stricterThanEncodingXML, laxerThanEncodingXML))
	agreed := 0
	for _, doc := range damaged(4, 10**oracleDocuments) {
		_, ours := xmlstrict.Parse(doc, generous)
		theirs := standardLibraryReads(doc)
		name := ""
		switch {
		case (ours == nil) == (theirs == nil):
			agreed++
			continue
		case ours == nil:
			name = explain(laxerThanEncodingXML, doc, theirs.Error())
		default:
			name = explain(stricterThanEncodingXML, doc, reasonOf(t, ours))
		}
		if name == "" {
			t.Errorf("seed %d: we say %v, encoding/xml says %v of\n%q", *oracleSeed, ours, theirs, abridged(doc))
			continue
		}
		tally.Count(name)
	}
	t.Logf("%d documents are judged alike", agreed)
	tally.MustAllBeMet(t)
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var refusal *xmlstrict.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("the error is a %T", err)
	}
	return refusal.Reason
}

func abridged(doc string) string {
	if len(doc) > 600 {
		return doc[:300] + "..." + doc[len(doc)-300:]
	}
	return doc
}
