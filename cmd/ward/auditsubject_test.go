package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/subjectaccess"
)

// MSCA-ORG-04a, WRD-AUD-13: a person's report has all their entries and nobody else's,
// each with a proof; that it was made is on record before it is written.
func TestAuditSubject(t *testing.T) {
	s := asked(t, withPlan, withoutRecord, withPlan)
	for _, masked := range []bool{false, true} {
		folder := filepath.Join(t.TempDir(), "report")
		args := []string{"audit", "subject", "-config", s.WardConfig(), "-nhs", withPlan, "-out", folder, "-reason", "a request of 2 November"}
		if masked {
			args = append(args, "-mask")
		}
		e := ward(t, args...)
		e.expect(t, exitDone, "are about this person", "confidential")
		if strings.Contains(e.out+e.log, withPlan) {
			t.Error("the number is printed")
		}
		page, data, proofs := read(t, filepath.Join(folder, "report.html")), read(t, filepath.Join(folder, "report.json")), read(t, filepath.Join(folder, "entries.jsonl"))
		var report subjectaccess.Report
		err := json.Unmarshal([]byte(data), &report)
		if err != nil || len(report.Entries) < 4 || len(report.Terms) != 1 || report.Masked != masked {
			t.Errorf("error %v, report %+v", err, report)
		}
		if got := strings.Count(page, `<li class="entry">`); got != len(report.Entries) {
			t.Errorf("the page has %d entries, the report %d", got, len(report.Entries))
		}
		for name, text := range map[string]string{"page": page, "data": data, "proofs": proofs} {
			if strings.Contains(text, withoutRecord) {
				t.Errorf("the %s names somebody else", name)
			}
			if strings.Contains(text, "ed-nurse-0042") == masked {
				t.Errorf("masked: %v, and the %s names the nurse the other way", masked, name)
			}
		}
		if !strings.Contains(page, "The local authority was told of it.") || regexp.MustCompile(`<script|https?://|@import`).MatchString(page) {
			t.Error("the page does not say that the local authority was told, or needs something from elsewhere")
		}
		verifier, err := note.NewVerifier(strings.TrimSpace(read(t, filepath.Join(s.Dir, "audit-key.pub"))))
		if err != nil {
			t.Fatal(err)
		}
		checked, err := evidence.Verify(bytes.NewReader([]byte(proofs)), note.VerifierList(verifier), report.Log)
		if err != nil {
			t.Errorf("the proofs: %v (%+v)", err, checked)
		}
		ward(t, args...).expect(t, exitFailed, "report")
	}
	shown := ward(t, "audit", "show", "-n", "3", "-config", s.WardConfig()).out
	if strings.Count(shown, " read ") != 2 {
		t.Errorf("the log does not say that two reports were made:\n%s", shown)
	}
}

// MSCA-ORG-04a: that nothing was found does not look as if nothing had been looked for.
func TestAuditSubjectFindsNothing(t *testing.T) {
	s := asked(t, withPlan)
	folder := filepath.Join(t.TempDir(), "report")
	ward(t, "audit", "subject", "-config", s.WardConfig(), "-nhs", withoutRecord, "-out", folder).expect(t, exitDone, "0 entries")
	if !strings.Contains(read(t, filepath.Join(folder, "report.html")), "The whole log was searched.") {
		t.Error("the page does not say that the log was searched")
	}
	bad := filepath.Join(t.TempDir(), "report")
	ward(t, "audit", "subject", "-config", s.WardConfig(), "-nhs", "12345", "-out", bad).expect(t, exitFailed, "ten digits")
	_, err := os.Stat(bad)
	if !os.IsNotExist(err) {
		t.Error("a report that was not made left a folder")
	}
}
