//go:build oracle

package wsdl_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// Each schema is one by itself: xmllint takes it, and judges with it.
func TestSchemasAreSchemas(t *testing.T) {
	for query := range documents(t) {
		schema, ok := strings.CutPrefix(query, "xsd=")
		if !ok {
			continue
		}
		verdict := wsdltest.Validate(t, schema, `<unknown/>`)[0]
		if !strings.Contains(verdict, "No matching global") {
			t.Errorf("%s judges %q", schema, verdict)
		}
	}
}
