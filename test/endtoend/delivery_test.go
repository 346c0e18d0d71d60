package endtoend_test

import (
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-RC-18: a client that closes its connection as soon as it has read everything
// has had its answer, and the log does not say otherwise.
func TestClientThatLeavesWithItsAnswerIsNotUndelivered(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	for range 30 {
		asker := w.client(t)
		result := asker.Ask(t.Context(), w.question(t, withoutRecord))
		asker.Close()
		if result.Cause != nil {
			t.Fatal(result.Cause)
		}
	}
	w.stop(t)
	for _, e := range w.entries(t) {
		if e.Kind == audit.Undelivered {
			t.Fatalf("an answer that was read is recorded as undelivered: %s", e.Reason)
		}
	}
}
