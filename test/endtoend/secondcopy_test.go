package endtoend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-AUD-16: while the second place is away questions are answered and health says
// that the copy is late. Once it is there the copy is kept, and after a stop it is the
// whole log, up to the entry of the stop.
func TestSecondCopyOfTheLog(t *testing.T) {
	t.Parallel()
	address, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "elsewhere")
	other := filepath.Join(place, "copy.db")
	w := start(t, stage.Options{Ward: fmt.Sprintf("[operations]\naddress = %q\n[audit.copy]\ndatabase = %q\nevery = \"20ms\"\nlate = \"500ms\"\n", address, other)})
	ready := func(status, copied string) func() bool {
		return func() bool {
			response, err := http.Get("http://" + address + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			defer http.DefaultClient.CloseIdleConnections()
			defer response.Body.Close()
			var state struct {
				Status string `json:"status"`
				Copy   string `json:"audit_copy"`
			}
			err = json.NewDecoder(response.Body).Decode(&state)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusOK {
				t.Fatalf("readyz: %s", response.Status)
			}
			return state.Status == status && state.Copy == copied
		}
	}
	found := func() {
		t.Helper()
		if r := w.ask(t, w.client(t), withPlan); r.Answer.Outcome() != cpis.Found {
			t.Fatalf("the outcome is %s", r.Answer.Outcome())
		}
	}
	await(t, "the copy is late", ready("degraded", "late"))
	w.logged(t, "audit.copy_late", 1)
	found()
	err = os.Mkdir(place, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the copy is kept", ready("ready", "kept"))
	found()
	w.stop(t)

	settings, err := config.LoadAudit(w.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	copied, err := sqlite.OpenReadOnly(other)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	report, err := audit.Verify(t.Context(), copied, note.VerifierList(settings.Verifier), settings.Verifier.Name(), settings.Checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	all := w.entries(t)
	if report.Entries != int64(len(all)) || all[len(all)-1].Kind != audit.Stopped {
		t.Errorf("the copy has %d entries, the log %d, of which the last is %s", report.Entries, len(all), all[len(all)-1].Kind)
	}
}
