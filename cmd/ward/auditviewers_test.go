package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
	"github.com/wardsmsp/ward/internal/stage"
)

// IG-3.9.3a: a privacy officer lists everyone who asked about a patient, and everyone
// who saw the log's entries about them, also among those about others.
func TestAuditViewers(t *testing.T) {
	s := asked(t, withPlan, withoutRecord)
	audited(t, s, "show", "-reason", "looking around").expect(t, exitDone)
	audited(t, s, "search", "-nhs", withoutRecord, "-reason", "complaint 18").expect(t, exitDone)
	audited(t, s, "export", "-outcome", "found", "-format", "fhir").expect(t, exitDone)
	audited(t, s, "backup", "-out", filepath.Join(t.TempDir(), "backup.db")).expect(t, exitDone)
	e := audited(t, s, "viewers", "-nhs", "999 000 0042", "-reason", "complaint 17")
	e.expect(t, exitDone, confidential, "Questions about this person: 1", "ed-nurse-0042", " found ", "looking around", " shown ", "MAY HAVE BEEN SHOWN",
		"export fhir", "Backups of the whole log by "+operatorName(t)+": 1, ", operatorName(t), "looked for them: 3", "entries of the log were searched")
	if strings.Contains(e.out, withoutRecord) || strings.Contains(e.out, withPlan) || strings.Contains(e.out, "complaint 18") {
		t.Errorf("the list tells of somebody else:\n%s", e.out)
	}
	e = audited(t, s, "viewers", "-nhs", withPlan, "-json", "-since", "2020-01-01")
	e.expect(t, exitDone)
	var v reading.Viewers
	err := json.Unmarshal([]byte(e.out), &v)
	if err != nil || v.NHSNumber != withPlan || len(v.Questions) != 1 || v.Questions[0].Outcome != "found" || len(v.Views) != 4 ||
		v.Views[3].Did != "viewers" || v.Views[3].Purpose != "complaint 17" || v.Since.IsZero() {
		t.Errorf("error %v, %+v", err, v)
	}
	audited(t, s, "viewers", "-nhs", withPlan, "-until", "2020-01-01").expect(t, exitDone, "person: 0", "them: 0", "entries of the log were searched")
	for says, args := range map[string][]string{
		"name the person": nil, "ten digits": {"-nhs", "12345"}, "give a time as": {"-nhs", withPlan, "-since", "yesterday"},
		"must be before": {"-nhs", withPlan, "-since", "2026-11-02", "-until", "2026-11-02"},
	} {
		audited(t, s, "viewers", args...).expect(t, exitUsage, says)
	}
}

// What a client or an operator wrote cannot speak to the terminal.
func TestAuditViewersIsNotTalkedTo(t *testing.T) {
	s := set(t, stage.Options{})
	hostile := "a\tb \x1b[2J \u009b2J \u202e"
	appendEntry(t, s, audit.Entry{Kind: audit.Refused, Time: time.Now(), NHSNumber: withPlan, Username: hostile, Client: hostile, Outcome: hostile})
	appendEntry(t, s, audit.Entry{Kind: audit.Read, Time: time.Now(), NHSNumber: withPlan, Operator: hostile, Purpose: hostile,
		Detail: json.RawMessage(`{"did":"search","criteria":{},"searched":1,"shown":[[0,0]],"form":"\u009b2J"}`), Entries: 1})
	for _, form := range []string{"-json=true", "-json=false"} {
		e := audited(t, s, "viewers", "-nhs", withPlan, form)
		e.expect(t, exitDone)
		if strings.ContainsAny(e.out, "\x1b\u009b\u202e\t") {
			t.Errorf("%s says what it was told to: %q", form, e.out)
		}
	}
}
