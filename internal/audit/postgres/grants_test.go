//go:build postgres

package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// grants are those of docs/operators.md: the instances can neither change nor remove an
// entry, and who reads can only read.
const grants = `
	CREATE ROLE ward LOGIN;
	CREATE ROLE ward_reader LOGIN;
	GRANT USAGE ON SCHEMA ward TO ward, ward_reader;
	GRANT SELECT ON ALL TABLES IN SCHEMA ward TO ward, ward_reader;
	GRANT INSERT ON ward.entries, ward.content, ward.terms, ward.spans, ward.opened, ward.claims, ward.instances TO ward;
	GRANT UPDATE ON ward.head, ward.spans, ward.instances TO ward;
	GRANT DELETE ON ward.content, ward.terms, ward.opened, ward.claims TO ward;`

// MSCA-AUD-01a: the rights that Ward needs do not include that to change the log.
func TestRightsThatAreNeeded(t *testing.T) {
	k, owner := newKeys(t), database(t)
	open(t, owner, "setup").Close()
	execute(t, owner, grants)
	as := func(role string) string { return strings.Replace(owner, "postgres@", role+"@", 1) }
	log := openLog(t, k.options(open(t, as("ward"), "ward-1"), "ward-1"))
	_, failures := storm(t, []*audit.Log{log}, 4, func() bool { return log.Size() >= 100 })
	if len(failures) > 0 {
		t.Fatal(failures[0])
	}
	erased := entry(audit.Erased, "")
	erased.Class, erased.Removed = audit.Questions, []audit.Range{{First: 0, Last: 0}}
	_, err := log.AppendRemoval(t.Context(), erased, []audit.Removal{{Seq: 0, Terms: keyedTerms(t, log)}})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := postgres.OpenReadOnly(t.Context(), as("ward_reader"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	report, err := audit.Verify(t.Context(), reader, k.public, origin, nil)
	if err != nil || report.Removed != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	conn, err := pgx.Connect(t.Context(), as("ward"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, change := range []string{
		"UPDATE ward.entries SET leaf = ''", "DELETE FROM ward.entries", "TRUNCATE ward.entries", "DROP TABLE ward.entries",
		"DELETE FROM ward.head", "UPDATE ward.content SET sealed = ''", "UPDATE ward.version SET number = 2",
	} {
		_, err := conn.Exec(t.Context(), change)
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s by the role of the instances: %v", change, err)
		}
	}
}

// keyedTerms are those that the first entry loses with its content.
func keyedTerms(t *testing.T, log *audit.Log) []seal.Term {
	t.Helper()
	for record, err := range log.Entries(t.Context(), 0, 1) {
		if err != nil {
			t.Fatal(err)
		}
		terms, err := seal.Terms(record.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		return terms
	}
	return nil
}
