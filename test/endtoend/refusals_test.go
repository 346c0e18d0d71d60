package endtoend_test

import (
	"net/http"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-OPS-07: what a client sends amiss counts against its rate too, so that it
// cannot fill the audit log with refusals.
func TestRefusalsCountAgainstTheRate(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	w.configure(t, "asid = \""+stage.ClientASID+"\"\nper_second = 100000\nburst = 100000", "asid = \""+stage.ClientASID+"\"\nper_second = 0.001\nburst = 3")
	w.start(t)
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: w.tls}}
	t.Cleanup(asker.CloseIdleConnections)
	var statuses []int
	for range 6 {
		response, err := asker.Get(w.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		statuses = append(statuses, response.StatusCode)
	}
	for i, status := range statuses {
		want := http.StatusMethodNotAllowed
		if i >= 3 {
			want = http.StatusServiceUnavailable
		}
		if status != want {
			t.Errorf("request %d: status %d, want %d", i+1, status, want)
		}
	}
}
