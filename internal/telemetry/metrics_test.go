package telemetry_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/spine/circuit"
	"github.com/wardsmsp/ward/internal/telemetry"
)

var _ server.Meter = (*telemetry.Metrics)(nil)

// served is what a collector reads.
func served(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, text)
	}
	return string(text)
}

// used are metrics in which everything was counted once.
func used() *telemetry.Metrics {
	m := telemetry.NewMetrics()
	m.Entered("ed")
	m.Entered("ed")
	m.Left("ed")
	m.Answered("ed", cpis.Found, cpis.NotifiedYes, 300*time.Millisecond)
	m.TurnedAway("", server.Unidentified)
	m.SpineAsked(cpis.SentNoAnswer, 8*time.Second)
	m.CircuitChanged(circuit.Open)
	m.Recorded(audit.Intent, time.Millisecond, nil)
	m.Recorded(audit.Outcome, time.Second, errors.New("full"))
	m.Committed(time.Millisecond, errors.New("full"))
	m.BudgetSpent("200000000183")
	m.LookedUp("directory", "stale", time.Millisecond)
	m.LookedUp("9990000018", "9990000018", time.Millisecond)
	now := time.Unix(1_800_000_000, 5e8)
	m.DirectoryRead(now.Add(-time.Minute))
	m.Watch(telemetry.State{
		Replies:      func() map[replies.Fate]uint64 { return map[replies.Fate]uint64{replies.Late: 3} },
		Spine:        func() spine.Load { return spine.Load{Places: 5, Connections: 3, Waiting: 2, Circuit: circuit.HalfOpen} },
		Budgets:      func() map[string]float64 { return map[string]float64{"200000000183": 4.5} },
		LogHealthy:   func() error { return errors.New("full") },
		LogEntries:   func() int64 { return 42 },
		LogQueue:     func() int { return 7 },
		Copy:         func() standby.State { return standby.State{Entries: 41, Whole: now.Add(-2 * time.Second), Late: true} },
		Certificates: map[string]time.Time{"listen": time.Unix(1_900_000_000, 0)},
		Now:          func() time.Time { return now },
	})
	return m
}

// WRD-OPS-09: what is served is what was counted, and what is so now.
func TestMetrics(t *testing.T) {
	text := served(t, used())
	for _, line := range []string{
		`ward_questions_total{client="ed",notified="yes",outcome="found"} 1`,
		`ward_question_seconds_sum{client="ed"} 0.3`,
		`ward_questions_under_way{client="ed"} 1`,
		`ward_refused_total{class="unidentified",client=""} 1`,
		`ward_spine_seconds_bucket{outcome="sent_no_answer",le="8"} 1`,
		`ward_spine_circuit_changes_total{state="open"} 1`,
		`ward_audit_record_seconds_count{kind="outcome"} 1`,
		`ward_audit_record_failures_total{kind="outcome"} 1`,
		`ward_audit_commit_failures_total 1`,
		`ward_budget_refused_total{asid="200000000183"} 1`,
		`ward_replies_total{fate="late"} 3`,
		`ward_lookup_seconds_count{result="stale",service="directory"} 1`,
		`ward_directory_age_seconds 60`,
		`ward_spine_places 5`,
		`ward_spine_connections 3`,
		`ward_spine_waiting 2`,
		`ward_spine_circuit{state="closed"} 0`,
		`ward_spine_circuit{state="half_open"} 1`,
		`ward_budget_left{asid="200000000183"} 4.5`,
		`ward_audit_healthy 0`,
		`ward_audit_entries 42`,
		`ward_audit_queue 7`,
		`ward_audit_copy_entries 41`,
		`ward_audit_copy_whole_timestamp_seconds 1.7999999985e+09`,
		`ward_audit_copy_late 1`,
		`ward_certificate_expiry_timestamp_seconds{certificate="listen"} 1.9e+09`,
		`ward_clock_timestamp_seconds 1.8000000005e+09`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("not served: %s", line)
		}
	}
}

// WRD-IGV-01: a word that is not on its list is no label, whatever a caller says.
func TestLabelsAreBounded(t *testing.T) {
	text := served(t, used())
	if strings.Contains(text, "999000") {
		t.Error("an NHS number is served")
	}
	if !strings.Contains(text, `ward_lookup_seconds_count{result="other",service="other"} 1`) {
		t.Error("words that are not known do not count as other")
	}
}

// WRD-OPS-09: docs/metrics.md lists every metric of ours with its kind and its labels,
// and no other.
func TestEveryMetricIsDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(ward_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\|").FindAllStringSubmatch(string(guide), -1) {
		labels := strings.FieldsFunc(row[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(labels)
		documented[row[1]] = row[2] + " " + strings.Join(labels, " ")
	}
	text := served(t, used())
	found := map[string]string{}
	for _, kind := range regexp.MustCompile(`(?m)^# TYPE (ward_[a-z_]+) ([a-z]+)$`).FindAllStringSubmatch(text, -1) {
		name := kind[1]
		sample := regexp.MustCompile(`(?m)^` + name + `(?:_count)?(?:\{(.*)\})? `).FindStringSubmatch(text)
		var labels []string
		for _, label := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		found[name] = kind[2] + " " + strings.Join(labels, " ")
	}
	if diff := cmp.Diff(documented, found); diff != "" {
		t.Errorf("(-docs/metrics.md +served):\n%s", diff)
	}
	for _, class := range server.Classes() {
		if !strings.Contains(string(guide), "`"+string(class)+"`") {
			t.Errorf("docs/metrics.md lacks the class %s", class)
		}
	}
}
