package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// The keys of testdata/v1, and of whatever else outlives a test.
const (
	v1Signer   = "PRIVATE+KEY+ward.example/audit+f0ce6207+ATpNwS5W9kaTNqKUCUs7ITwfM0FZKCnw0VHBPsiFLOls"
	v1Verifier = "ward.example/audit+f0ce6207+AXokt5YIymlW5DN0quqLRGcZR+Us6Y4u4ykE/QvLE3v4"
)

// WRD-OPS-14: testdata/v1 was written by the first release of the format and is
// never made anew. Every later one verifies it, reads it and goes on with it.
func TestStoreOfVersion1(t *testing.T) {
	const wantRoot = "T6Uxwuxd0TShw6YVSuNPL3qG1HTafHjFhR1MoWqaM/U="
	k := parseKeys(t, v1Signer, v1Verifier)
	dir := t.TempDir()
	err := os.CopyFS(dir, os.DirFS("testdata/v1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.OpenReadOnly(filepath.Join(dir, "audit.db"))
	if err == nil || !strings.Contains(err.Error(), "brings it up to version 3") {
		t.Errorf("OpenReadOnly of version 1 = %v", err)
	}
	// A provider of that version may have it open, which could then write no more.
	_, err = sqlite.Join(t.Context(), filepath.Join(dir, "audit.db"))
	if err == nil || !strings.Contains(err.Error(), "brings it up to version 3") {
		t.Errorf("Join of version 1 = %v", err)
	}
	store := openStore(t, filepath.Join(dir, "audit.db"))
	report := mustVerify(t, store, k.public, dir)
	if report.Entries != 6 || report.Root.String() != wantRoot || report.Newest != 6 || report.OpenIntents != 1 {
		t.Errorf("report %+v", report)
	}
	var got []audit.Entry
	for record, err := range audit.Entries(t.Context(), store, k.personal, 0, 6) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, record.Entry)
	}
	last := full
	last.Time = last.Time.UTC().Truncate(time.Millisecond)
	last.Elapsed = last.Elapsed.Truncate(time.Microsecond)
	want := []audit.Entry{sample(0), sample(1), sample(2), sample(3), sample(4), last}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	options := k.options(store)
	options.Checkpoints = dirs(dir)
	log := openLog(t, options)
	if seq := mustAppend(t, log, sample(5)); seq != 6 {
		t.Errorf("the next sequence number is %d, want 6", seq)
	}
	if err := appendOnce(t, log, claimOf("ed", "m1")); err != nil {
		t.Error(err) // version 1 had no claims
	}
	mustVerify(t, store, k.public, dir)
	closeAll(t, log, store)
}
