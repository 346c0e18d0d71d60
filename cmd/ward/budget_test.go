package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// TOM-DE-03c: the notice names each limit, what was asked for, why, and who approved it.
func TestBudgetNotice(t *testing.T) {
	s, err := stage.Set(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out, log bytes.Buffer
	code := run(t.Context(), []string{"config", "budget-notice", s.WardConfig()}, &out, &log)
	if code != exitFailed || !strings.Contains(log.String(), "no [[budgets]]") {
		t.Errorf("without a budget: exit code %d, %s", code, &log)
	}
	content, err := os.ReadFile(s.WardConfig())
	if err == nil {
		err = os.WriteFile(s.WardConfig(), append(content, "[[budgets]]\nasid = \""+stage.ProviderASID+
			"\"\nper_second = 12.5\nrequested = 20\njustification = \"busy hour\"\napproved_by = \"A. Approver\"\napproved_on = \"2026-03-14\"\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	code = run(t.Context(), []string{"config", "budget-notice", s.WardConfig()}, &out, &log)
	if code != exitDone {
		t.Fatal(log.String())
	}
	for _, part := range []string{stage.ProviderODS, stage.ProviderASID, "12.5 TPS, and 13 above", "20 TPS", "busy hour", "A. Approver", "2026-03-14"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the notice lacks %q:\n%s", part, &out)
		}
	}
}
