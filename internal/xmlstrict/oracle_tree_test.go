//go:build oracle

package xmlstrict_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// The tree is the one that libxml2 reads: its canonical form, which settles
// line ends, references, CDATA and attribute values in its own way, gives us
// the same tree as the document.
func TestTreeIsThatOfLibxml2(t *testing.T) {
	random := rand.New(rand.NewPCG(*oracleSeed, 2))
	documents := append(acceptedDocuments(), seeds...)
	base := len(documents)
	for len(documents) < base+*oracleDocuments/4 {
		doc := mutate(random, documents[random.IntN(base)])
		if parses(doc) {
			documents = append(documents, doc)
		}
	}
	path := filepath.Join(t.TempDir(), "document.xml")
	compared := 0
	for _, doc := range documents {
		err := os.WriteFile(path, []byte(doc), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := exec.Command("xmllint", "--nonet", "--c14n", path).Output()
		if err != nil || len(canonical) == 0 {
			continue // there is no canonical form where a namespace name is relative
		}
		compared++
		ours, err := xmlstrict.Parse(doc, generous)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := xmlstrict.Parse(string(canonical), unlimited)
		if err != nil {
			t.Fatalf("canonical form refused: %v\n%q\n%q", err, doc, canonical)
		}
		if diff := cmp.Diff(sorted(plain(theirs.Root())), sorted(plain(ours.Root()))); diff != "" {
			t.Errorf("not the tree of libxml2 (-libxml2 +ours):\n%s\n%q", diff, abridged(doc))
		}
	}
	t.Logf("%d of %d documents compared", compared, len(documents))
	if compared < len(documents)/2 {
		t.Errorf("only %d of %d documents have a canonical form", compared, len(documents))
	}
}

// sorted puts attributes in one order, since the canonical form has its own.
func sorted(e *element) *element {
	slices.SortFunc(e.Attributes, func(a, b attribute) int {
		return strings.Compare(a.Name.Space+" "+a.Name.Local, b.Name.Space+" "+b.Name.Local)
	})
	for _, c := range e.Content {
		if c.Element != nil {
			sorted(c.Element)
		}
	}
	return e
}

// Every character of the basic plane, and those at both ends of the others, in
// each place where the grammar has a say on characters: what we accept there,
// libxml2 accepts.
func TestEveryCharacter(t *testing.T) {
	places := []struct{ place, format string }{
		{"at the start of a name", "<%s/>"},
		{"inside a name", "<a%s/>"},
		{"at the start of a local name", "<a:%s xmlns:a='urn:a'/>"},
		{"in text", "<a>%s</a>"},
		{"in an attribute value", "<a b='%s'/>"},
		{"in a comment", "<a><!--%s--></a>"},
		{"in CDATA", "<a><![CDATA[%s]]></a>"},
	}
	for _, p := range places {
		t.Run(p.place, func(t *testing.T) {
			var all strings.Builder
			all.WriteString("<all>")
			accepted := 0
			for r := rune(0); r <= 0x10FFFF; r++ {
				middle := r > 0xFFFF && r&0xFFFF > 0xFF && r&0xFFFF < 0xFF00
				surrogate := r >= 0xD800 && r < 0xE000
				doc := fmt.Sprintf(p.format, string(r))
				if middle || surrogate || !parses(doc) {
					continue
				}
				accepted++
				all.WriteString(doc)
				if accepted%1000 == 0 {
					all.WriteString("\n")
				}
			}
			all.WriteString("</all>")
			t.Logf("%d characters", accepted)
			for _, complaint := range refusedByXmllint(t, []string{all.String()}) {
				t.Error(complaint)
			}
			if accepted < 50_000 {
				t.Errorf("only %d characters are accepted", accepted)
			}
		})
	}
}
