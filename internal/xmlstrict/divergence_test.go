package xmlstrict_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wardsmsp/ward/internal/divergence"
)

const (
	libxml2Section     = "The XML reader and libxml2"
	encodingXMLSection = "The XML reader and encoding/xml"
)

// disagreement says why one reader refuses a document that the other takes: what
// the refusing one says, and what must then stand in the document.
type disagreement struct {
	name     string
	reason   *regexp.Regexp
	evidence func(doc string) bool
}

func holds(pattern string) func(string) bool {
	return regexp.MustCompile(pattern).MatchString
}

func always(string) bool { return true }

// What libxml2 takes and Parse refuses: what XML allows and Ward does not want.
var stricterThanLibxml2 = []disagreement{
	{"document-type", regexp.MustCompile(`document type declaration`), holds(`<!DOCTYPE`)},
	{"processing-instruction", regexp.MustCompile(`processing instruction|follows the root|precedes the root`), holds(`<\?`)},
	{"declaration", regexp.MustCompile(`states an encoding|declaration is malformed|begin with version|neither yes nor no`), holds(`<\?xml\s`)},
	{"not-utf-8", regexp.MustCompile(`not UTF-8`), func(doc string) bool { return !utf8.ValidString(doc) }},
	{"xml-id", regexp.MustCompile(`xml:id`), holds(`xml:id`)},
	{"namespace-name", regexp.MustCompile(`namespace name is not a URI`), holds(`xmlns(:[^=]*)?\s*=`)},
	{"long-reference", regexp.MustCompile(`neither a predefined entity nor a character`), holds(`&#x?0{20,}`)},
	{"nul-after-the-root", regexp.MustCompile(`follows the root`), holds(`\x00`)},
	{"limit", regexp.MustCompile(`than allowed`), always},
}

// What encoding/xml takes and Parse refuses: encoding/xml does not keep these
// rules of XML and of namespaces.
var stricterThanEncodingXML = append([]disagreement{
	{"no-root-or-more-than-one", regexp.MustCompile(`no root element|precedes the root|follows the root|end tag has no start|outside the root`), always},
	{"namespace-rule", regexp.MustCompile(`prefix|namespace of namespace`), holds(`:|xmlns`)},
	{"repeated-attribute", regexp.MustCompile(`attribute is repeated`), holds(`=`)},
	{"name", regexp.MustCompile(`name is malformed`), always},
	{"tag", regexp.MustCompile(`start tag is malformed|end tag does not match|attribute has no value|value is not quoted`), always},
	{"comment", regexp.MustCompile(`two hyphens|malformed markup|comment`), holds(`<!`)},
	{"character", regexp.MustCompile(`character that XML does not allow`), always},
	{"reference", regexp.MustCompile(`neither a predefined entity nor a character`), holds(`&`)},
}, without(stricterThanLibxml2, "long-reference", "nul-after-the-root")...)

// What Parse takes and encoding/xml refuses.
var laxerThanEncodingXML = []disagreement{
	{"fifth-edition-name", regexp.MustCompile(`name`), func(doc string) bool { return !ascii(doc) }},
}

func without(list []disagreement, names ...string) []disagreement {
	var kept []disagreement
	for _, d := range list {
		if !slices.Contains(names, d.name) {
			kept = append(kept, d)
		}
	}
	return kept
}

// explain returns the name of the disagreement that explains why a document is
// refused, "" if there is none.
func explain(list []disagreement, doc, reason string) string {
	for _, d := range list {
		if d.reason.MatchString(reason) && d.evidence(doc) {
			return d.name
		}
	}
	return ""
}

func namesOf(lists ...[]disagreement) []string {
	var names []string
	for _, list := range lists {
		for _, d := range list {
			names = append(names, d.name)
		}
	}
	return names
}

// docs/divergences.md names exactly the disagreements that these tests allow.
func TestDivergencesAreDocumented(t *testing.T) {
	divergence.MustBeDocumented(t, libxml2Section, namesOf(stricterThanLibxml2))
	divergence.MustBeDocumented(t, encodingXMLSection, namesOf(stricterThanEncodingXML, laxerThanEncodingXML))
}

// beyondLimits are documents that are larger than Parse allows here.
var beyondLimits = []string{
	strings.Repeat("<a>", 220) + strings.Repeat("</a>", 220),
	"<a " + manyAttributes(220) + "/>",
	"<" + strings.Repeat("a", 1200) + "/>",
}

func manyAttributes(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(" a" + strings.Repeat("b", i) + "=''")
	}
	return out.String()
}
