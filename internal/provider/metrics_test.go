package provider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-OPS-09: the metrics of a provider are served beside its health, and know what its
// parts do.
func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s := setStage(t, stage.Options{Ward: "[operations]\naddress = \"" + address + "\"\n"})
	p := mustStart(t, s)
	defer stop(t, p)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for path, want := range map[string][]string{
		"/metrics": {"ward_spine_circuit{state=\"closed\"} 1", "ward_audit_healthy 1", "ward_certificate_expiry_timestamp_seconds{certificate=\"spine\"}", "ward_audit_commit_seconds_count", "go_goroutines"},
		"/livez":   {"alive"},
	} {
		response, err := (&http.Client{Transport: transport}).Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, response.Status, err)
		}
		for _, line := range want {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s lacks %s", path, line)
			}
		}
	}
}
