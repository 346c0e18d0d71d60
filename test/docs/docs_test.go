// Package docs_test keeps the documents true where a program can tell.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// SMSP-ERR-005, WRD-SUP-07: the client guide lists every outcome as the table has it.
func TestClientGuideListsEveryOutcome(t *testing.T) {
	guide := read(t, "docs/clients.md")
	for _, o := range cpis.Outcomes() {
		code := string(cpis.Codes{}.Of(o))
		if code == "" {
			code = "-"
		}
		row := fmt.Sprintf("| `%s`: %s | %s | %s | %s |", o, o.Meaning(), code, o.Notified(), o.Again())
		if !strings.Contains(guide, row) {
			t.Errorf("docs/clients.md lacks the row\n%s", row)
		}
	}
}

// WRD-SUP-08: what the client guide shows of a sample client stands in that client,
// which is tested.
func TestSamplesAreOfTheSampleClients(t *testing.T) {
	guide := read(t, "docs/clients.md")
	sources := regexp.MustCompile(`From \[[a-z.]+\]\(\.\./([a-z./]+)\):`).FindAllStringSubmatchIndex(guide, -1)
	block := regexp.MustCompile("(?s)```[a-z]+\n(.*?)```")
	shown := 0
	for _, at := range sources {
		source := read(t, guide[at[2]:at[3]])
		section, _, _ := strings.Cut(guide[at[1]:], "\n#")
		for _, sample := range block.FindAllStringSubmatch(section, -1) {
			shown++
			if !strings.Contains(source, sample[1]) {
				t.Errorf("this does not stand in %s:\n%s", guide[at[2]:at[3]], sample[1])
			}
		}
	}
	if len(sources) != 2 || shown != 4 {
		t.Errorf("%d samples of %d clients", shown, len(sources))
	}
}

// The operator's guide lists every setting, and no other.
func TestOperatorGuideListsEverySetting(t *testing.T) {
	guide := read(t, "docs/operators.md")
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(guide, -1) {
		listed[row[1]] = true
	}
	for _, key := range keys(reflect.TypeFor[config.File](), "") {
		if !listed[key] {
			t.Errorf("docs/operators.md lacks the setting %s", key)
		}
		delete(listed, key)
	}
	for key := range listed {
		if strings.Contains(key, ".") && !isEvent(guide, key) {
			t.Errorf("docs/operators.md lists %s, which is no setting", key)
		}
	}
}

func isEvent(guide, key string) bool {
	return strings.Contains(guide[strings.Index(guide, "### Log lines"):], "`"+key+"`")
}

func keys(t reflect.Type, prefix string) []string {
	var all []string
	for field := range t.Fields() {
		key := prefix + field.Tag.Get("toml")
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			all = append(all, keys(inner, key+".")...)
			continue
		}
		all = append(all, key)
	}
	return all
}

// WRD-OPS-11: the operator's guide lists every event that the program logs.
func TestOperatorGuideListsEveryLogEvent(t *testing.T) {
	guide := read(t, "docs/operators.md")
	event := regexp.MustCompile(`"event", "([a-z.]+)"`)
	for _, folder := range []string{"internal/server", "internal/provider", "internal/gateway", "internal/spine", "internal/replies", "internal/replies/handover", "internal/handshake", "internal/budget", "internal/sds", "internal/pds", "internal/trust", "internal/audit", "internal/audit/sqlite", "cmd/ward"} {
		files, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range event.FindAllStringSubmatch(string(content), -1) {
				if !strings.Contains(guide, "`"+match[1]+"`") {
					t.Errorf("docs/operators.md lacks the event %s of %s", match[1], file)
				}
			}
		}
	}
}

// WRD-ASR-05: no text claims certification, assurance or approval.
func TestNoTextClaimsApproval(t *testing.T) {
	claim := regexp.MustCompile(`(?i)\b(is|are|been|fully|NHS)[ -](certified|assured|approved|accredited)\b`)
	for _, path := range documents(t) {
		for number, line := range strings.Split(read(t, path), "\n") {
			if claim.MatchString(line) && !strings.Contains(line, "may claim that") {
				t.Errorf("%s:%d: %s", path, number+1, line)
			}
		}
	}
}

// Every link in the documents leads to a file.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, path := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, path), -1) {
			target := filepath.Join("../..", filepath.Dir(path), match[1])
			_, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s links to %s, which does not exist", path, match[1])
			}
		}
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			relative, err := filepath.Rel("../..", path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, relative)
		}
	}
	if len(all) < 8 {
		t.Fatalf("only %d documents found", len(all))
	}
	return all
}
