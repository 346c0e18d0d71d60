//go:build postgres

package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/pgtest"
)

// execute changes a database behind the store's back.
func execute(t *testing.T, url, script string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
}

// MSCA-AUD-01b: a database that would do something else with the rows, or is of
// another version, is refused for writing, joining and reading.
func TestChangedSchemaIsRefused(t *testing.T) {
	const nothing = "CREATE FUNCTION ward.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
	url := database(t)
	open(t, url, "ward-1").Close()
	for _, tt := range []struct{ change, back, want string }{
		{nothing + "CREATE TRIGGER t BEFORE INSERT ON ward.entries FOR EACH ROW EXECUTE FUNCTION ward.f()", "DROP FUNCTION ward.f CASCADE", "entries has a trigger"},
		{"CREATE RULE r AS ON DELETE TO ward.content DO INSTEAD NOTHING", "DROP RULE r ON ward.content", "content has a rule"},
		{"ALTER TABLE ward.head ENABLE ROW LEVEL SECURITY", "ALTER TABLE ward.head DISABLE ROW LEVEL SECURITY", "head has row security"},
		{"ALTER TABLE ward.entries SET UNLOGGED", "ALTER TABLE ward.entries SET LOGGED", "entries is not a logged table"},
		{"CREATE TABLE heir () INHERITS (ward.entries)", "DROP TABLE heir", "entries has an heir"},
		{"ALTER TABLE ward.entries RENAME TO old; CREATE VIEW ward.entries AS SELECT * FROM ward.old", "DROP VIEW ward.entries; ALTER TABLE ward.old RENAME TO entries", "entries is not a plain table"},
		{"ALTER TABLE ward.opened RENAME TO old", "ALTER TABLE ward.old RENAME TO opened", "opened is missing"},
		{"ALTER TABLE ward.spans ADD more text", "ALTER TABLE ward.spans DROP more", "spans has other columns"},
		{"ALTER TABLE ward.claims DROP CONSTRAINT claims_pkey", "ALTER TABLE ward.claims ADD PRIMARY KEY (key)", "claims has other columns or another key"},
		{"UPDATE ward.version SET number = 2", "UPDATE ward.version SET number = 1", "not an audit store of version 1"},
	} {
		execute(t, url, tt.change)
		_, opened := postgres.Open(t.Context(), url, "ward-1")
		_, joined := postgres.Join(t.Context(), url)
		_, read := postgres.OpenReadOnly(t.Context(), url)
		for what, err := range map[string]error{"Open": opened, "Join": joined, "OpenReadOnly": read} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s after %s = %v, want %q", what, tt.change, err, tt.want)
			}
		}
		execute(t, url, tt.back)
	}
	open(t, url, "ward-1")
}

func TestJoinAndReadMakeNothing(t *testing.T) {
	url := database(t)
	_, joined := postgres.Join(t.Context(), url)
	_, read := postgres.OpenReadOnly(t.Context(), url)
	for _, err := range []error{joined, read} {
		if err == nil || !strings.Contains(err.Error(), "the schema ward holds no audit log") {
			t.Errorf("of an empty database: %v", err)
		}
	}
}

// WRD-AUD-04: a server that could lose what it has confirmed is refused, and one that
// need not wait for its disk is told to.
func TestServerMustBeDurable(t *testing.T) {
	t.Parallel() // it mostly waits
	careless, err := pgtest.Start("synchronous_commit = off")
	if err != nil {
		t.Fatal(err)
	}
	defer careless.Close()
	url, err := careless.Database()
	if err != nil {
		t.Fatal(err)
	}
	store := open(t, url, "ward-1")
	setting, err := postgres.Setting(t.Context(), store, "synchronous_commit")
	if err != nil || setting != "on" {
		t.Errorf("synchronous_commit is %s, %v", setting, err)
	}
	store.Close()
	for _, name := range []string{"fsync", "full_page_writes"} {
		execute(t, url, "ALTER SYSTEM SET "+name+" = off")
		reload(t, url, name, "off")
		_, err := postgres.Open(t.Context(), url, "ward-1")
		if err == nil || !strings.Contains(err.Error(), "turn its setting "+name+" on") {
			t.Errorf("Open with %s off = %v", name, err)
		}
		execute(t, url, "ALTER SYSTEM RESET "+name)
		reload(t, url, name, "on")
	}
}

// reload makes the server read its settings again, and waits until new connections have
// the one that is meant.
func reload(t *testing.T, url, name, want string) {
	t.Helper()
	execute(t, url, "SELECT pg_reload_conf()")
	err := await(name+" "+want, func() bool {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var got string
		err = conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got)
		if err != nil {
			t.Fatal(err)
		}
		return got == want
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Replicas that start together over an empty database make one schema.
func TestManyMakeTheSchemaAtOnce(t *testing.T) {
	url := database(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			store, err := postgres.Open(t.Context(), url, string(rune('a'+i)))
			if err != nil {
				t.Error(err)
				return
			}
			store.Close()
		})
	}
	wg.Wait()
}

// WRD-OPS-01: once another process has taken the name of an instance, the older one
// commits nothing more, not even what was under way.
func TestTheOlderOfOneNameIsFenced(t *testing.T) {
	t.Parallel() // it mostly waits
	k, url := newKeys(t), database(t)
	older := openLog(t, k.options(open(t, url, "ward-1"), "ward-1"))
	other := openLog(t, k.options(open(t, url, "ward-2"), "ward-2"))
	var storming sync.WaitGroup
	var failures []error
	storming.Go(func() {
		_, failures = storm(t, []*audit.Log{older}, 8, func() bool { return errors.Is(older.Healthy(), postgres.ErrFenced) })
	})
	err := await("entries of the older", func() bool { return older.Size() > 100 })
	if err != nil {
		t.Error(err)
	}
	newer := open(t, url, "ward-1")
	taken, err := newer.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	storming.Wait()
	after, err := newer.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Size != taken.Size || taken.Size == 0 {
		t.Errorf("%d entries were added after the name was taken at %d", after.Size-taken.Size, taken.Size)
	}
	if len(failures) == 0 || !errors.Is(failures[0], postgres.ErrFenced) || !errors.Is(older.Healthy(), postgres.ErrFenced) {
		t.Errorf("%d failures, Healthy is %v", len(failures), older.Healthy())
	}
	_, err = other.Append(t.Context(), entry(audit.Started, ""))
	if err != nil {
		t.Errorf("another instance: %v", err)
	}
	again := openLog(t, k.options(newer, "ward-1"))
	open, err := again.OpenIntents(t.Context())
	if err != nil || len(open) != len(taken.Open) {
		t.Errorf("%d intents open, want %d, %v", len(open), len(taken.Open), err)
	}
}
