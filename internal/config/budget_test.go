package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const budgetTable = `[[budgets]]
asid = "200000000183"
per_second = 12.5
requested = 20
justification = "two emergency departments in the busiest hour"
approved_by = "A. Approver, National Service Desk"
approved_on = "2026-03-14"
`

// with adds a budget of which a key has another value, or is not there if that is empty.
func with(key, value string) edit {
	return func(t *testing.T, file string) string {
		return file + set(key, value)(t, "\n"+budgetTable)
	}
}

func budgetRules() []rule {
	const key = "budgets.200000000183."
	return []rule{
		{"a budget of no ASID", with("asid", `"2"`), "budgets.2.asid", "twelve digits"},
		{"a budget of nobody's ASID", with("asid", `"200000000999"`), "budgets.200000000999.asid", "neither"},
		{"two budgets of one ASID", all(with("requested", "30"), with("requested", "40")), key + "asid", "already"},
		{"no limit", with("per_second", "0"), key + "per_second", "more than 0"},
		{"a limit that is not a number", with("per_second", "nan"), key + "per_second", "more than 0"},
		{"no burst", with("requested", "20\nburst = 0"), key + "burst", "at least 1"},
		{"more than was asked for", with("requested", "12"), key + "requested", "asked for"},
		{"no reason", with("justification", `" "`), key + "justification", "TOM-DE-03"},
		{"nobody who approved", with("approved_by", `""`), key + "approved_by", "TOM-DE-03"},
		{"no day of approval", with("approved_on", `"soon"`), key + "approved_on", "2026-03-14"},
		{"an approval to come", with("approved_on", `"`+time.Now().AddDate(0, 0, 2).Format(time.DateOnly)+`"`), key + "approved_on", "to come"},
	}
}

// TOM-DE-03a, TOM-DE-03c: a limit is recorded with what was asked for, why, and who
// approved it when, under the name of its ASID, so that a change of it shows.
func TestFactsOfBudgets(t *testing.T) {
	facts := mustLoad(t, put(t, folder(t), wardFile+budgetTable)).Facts()
	got := map[string]string{}
	for _, key := range []string{"asid", "per_second", "burst", "requested", "justification", "approved_by", "approved_on"} {
		got[key] = facts["budgets.200000000183."+key]
	}
	want := map[string]string{
		"asid": "200000000183", "per_second": "12.5", "burst": "13", "requested": "20",
		"justification": "two emergency departments in the busiest hour",
		"approved_by":   "A. Approver, National Service Desk", "approved_on": "2026-03-14",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
