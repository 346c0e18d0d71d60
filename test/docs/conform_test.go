package docs_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/config"
)

// The guide to testing clients lists every setting of its own; those of the client
// are the operator's guide's.
func TestClientConformanceGuideListsEverySetting(t *testing.T) {
	guide := read(t, "docs/client-conformance.md")
	for _, key := range append(keys(reflect.TypeFor[config.ConformClientFile](), ""), keys(reflect.TypeFor[config.ConfirmationsFile](), "")...) {
		if !strings.HasPrefix(key, "client.") && !strings.Contains(guide, "`"+key+"`") && !strings.Contains(guide, "\n"+key+" = ") && !strings.Contains(guide, "["+key+"]") {
			t.Errorf("docs/client-conformance.md lacks the setting %s", key)
		}
	}
}
