package audit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// An entry as JSON has every field of its leaf and of its content, under the same names.
func TestEntryAsJSON(t *testing.T) {
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var all, leaf map[string]any
	row, _ := audit.NewRow(7, full, audittest.Keys())
	content, err := audittest.Keys().Open(row.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	for part, into := range map[string]*map[string]any{string(text): &all, string(row.Leaf): &leaf, string(content): &leaf} {
		err := json.Unmarshal([]byte(part), into)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"v", "seq", "content"} { // of the stored form
		delete(leaf, key)
	}
	for key := range leaf {
		if all[key] == nil {
			t.Errorf("%s is not in %s", key, text)
		}
	}
	if len(all) != len(leaf) || !strings.Contains(string(text), full.NHSNumber) {
		t.Errorf("%d fields, want %d", len(all), len(leaf))
	}
}
