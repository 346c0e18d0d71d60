package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// A sound provider passes, the report is written in every form, and it is said before
// anything is sent that this asks.
func TestConform(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	dir := t.TempDir()
	asJSON, asJUnit, asPage := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.xml"), filepath.Join(dir, "r.html")
	e := ward(t, "conform", "-only", "C-SMSP-0000", "-config", s.ClientConfig(), "-json", asJSON, "-junit", asJUnit, "-html", asPage)
	e.expect(t, exitDone, "Conversations: 1.", "puts to the Spine behind it: 1.")
	if n := s.Simulator.Counters().RequestsRead; n != 1 {
		t.Errorf("%d questions reached the Spine", n)
	}
	for _, path := range []string{asJSON, asJUnit, asPage} {
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 {
			t.Errorf("%s was not written", path)
		}
	}
	if strings.Contains(e.out+e.log, withPlan) {
		t.Error("the report names a number")
	}
}

// A run that could not be made ends with 1 and no report, and so does one in which
// nothing could be shown.
func TestConformFails(t *testing.T) {
	s := set(t, stage.Options{})
	e := ward(t, "conform", "-only", "N4-", "-config", s.ClientConfig())
	e.expect(t, exitFailed, "the run could not be made", "no connection could be made")
	if strings.Contains(e.out, "Self-assessed") {
		t.Error("there is a report of no run")
	}
	play(t, s)
	ward(t, "conform", "-only", "C-SMSP-0004", "-config", s.ClientConfig()).expect(t, exitFailed, "the configuration gives no child with SMSP-0004")
}

// Without the table for it nothing is tried, and -list sends nothing (WRD-SAF-02).
func TestConformSendsNothing(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	whole := read(t, s.ClientConfig())
	recorded := leaves(t, s)
	before, _, found := strings.Cut(whole, "[conform]")
	if !found {
		t.Fatal("the stage writes no conform table")
	}
	without := write(t, s.Dir, "without.toml", before)
	ward(t, "conform", "-config", without).expect(t, exitFailed, "no [conform] table", "test environment")
	live := write(t, s.Dir, "live.toml", "live = true\n"+whole)
	ward(t, "conform", "-config", live).expect(t, exitFailed, "conform.environment")
	nhs := write(t, s.Dir, "nhs.toml", strings.Replace(whole, s.URL, "https://smsp.example.nhs.uk/cpis", 1))
	ward(t, "conform", "-config", nhs).expect(t, exitFailed, "nhs.uk")
	e := ward(t, "conform", "-list", "-only", "N1-")
	e.expect(t, exitDone, "N1-soap12", "LEVEL", "required", "WRD-VAL-02", "every-message-id")
	if strings.Contains(e.out, "N2-") {
		t.Error("-only does not restrict the list")
	}
	if n := s.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections reached the Spine", n)
	}
	after := leaves(t, s)
	if len(recorded) == 0 || !slices.Equal(recorded, after) {
		t.Errorf("the provider heard of it:\n%s", after)
	}
}
