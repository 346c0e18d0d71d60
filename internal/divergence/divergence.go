// Package divergence serves tests that hold Ward against an independent judge of
// the same documents. Where the two are known to disagree the disagreement has a
// name, and docs/divergences.md says why.
package divergence

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Tally counts how often each named disagreement of one section was met.
type Tally struct {
	section string
	met     map[string]int
}

// New returns a Tally of the named disagreements.
func New(section string, names []string) *Tally {
	t := &Tally{section: section, met: make(map[string]int, len(names))}
	for _, name := range names {
		t.met[name] = 0
	}
	return t
}

// Count notes one disagreement. A name that is not of the section panics: it is a
// slip in a test.
func (y *Tally) Count(name string) {
	_, known := y.met[name]
	if !known {
		panic("a disagreement without a place in the table: " + name)
	}
	y.met[name]++
}

// MustAllBeMet fails the test for each name that was never met: either nothing
// provokes it or the judges agree by now.
func (y *Tally) MustAllBeMet(t testing.TB) {
	t.Helper()
	for name, n := range y.met {
		if n == 0 {
			t.Errorf("%s: no document shows the disagreement %s", y.section, name)
		}
	}
	t.Logf("%s: %v", y.section, y.met)
}

var (
	sections = regexp.MustCompile(`(?m)^## (.+)$`)
	rows     = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|")
)

// document reads docs/divergences.md, from whatever package the test is of.
func document(t testing.TB) string {
	t.Helper()
	for folder := "."; ; folder = filepath.Join("..", folder) {
		content, err := os.ReadFile(filepath.Join(folder, "docs", "divergences.md"))
		if err == nil {
			return string(content)
		}
		_, err = os.Stat(filepath.Join(folder, "go.mod"))
		if err == nil {
			t.Fatal("the module has no docs/divergences.md")
		}
	}
}

// Sections returns the headings of docs/divergences.md under which disagreements
// are named.
func Sections(t testing.TB) []string {
	t.Helper()
	var all []string
	text := document(t)
	for _, heading := range sections.FindAllStringSubmatch(text, -1) {
		if len(named(text, heading[1])) > 0 {
			all = append(all, heading[1])
		}
	}
	return all
}

// MustBeDocumented fails the test unless the section of docs/divergences.md names
// exactly these disagreements.
func MustBeDocumented(t testing.TB, section string, names []string) {
	t.Helper()
	told := named(document(t), section)
	for _, name := range names {
		if !slices.Contains(told, name) {
			t.Errorf("docs/divergences.md, section %q, lacks %s", section, name)
		}
	}
	for _, name := range told {
		if !slices.Contains(names, name) {
			t.Errorf("docs/divergences.md, section %q, names %s, which no test knows", section, name)
		}
	}
}

// named lists the disagreements in the tables of a section.
func named(text, section string) []string {
	_, text, found := strings.Cut(text, "\n## "+section+"\n")
	if !found {
		return nil
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var names []string
	for _, row := range rows.FindAllStringSubmatch(text, -1) {
		names = append(names, row[1])
	}
	return names
}
