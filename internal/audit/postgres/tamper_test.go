//go:build postgres

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
)

// tamperEnv sets how often the log is tampered with.
const tamperEnv = "WARD_TAMPERINGS"

func tamperings(t *testing.T) int {
	t.Helper()
	value := os.Getenv(tamperEnv)
	if value == "" {
		return 100
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a positive number", tamperEnv)
	}
	return n
}

// victim is a log that is tampered with, and put back. The schema kept holds what it
// said, and the schemas older0 and so on what it said before.
type victim struct {
	keys        keys
	checkpoints string
	conn        *pgx.Conn
	reader      *postgres.ReadOnly
	states      int
	note        string // its checkpoint
}

var tables = []string{"entries", "content", "terms", "spans", "opened", "head", "version"}

// keep copies all tables into a new schema.
func (v *victim) keep(t *testing.T, schema string) {
	t.Helper()
	script := "CREATE SCHEMA " + schema + ";"
	for _, table := range tables {
		script += fmt.Sprintf("CREATE TABLE %s.%s AS TABLE ward.%s;", schema, table, table)
	}
	v.script(t, script)
}

func (v *victim) script(t *testing.T, script string) {
	t.Helper()
	_, err := v.conn.Exec(t.Context(), script)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// putBack makes tables say what they said.
func (v *victim) putBack(t *testing.T, tables []string) {
	t.Helper()
	script := "BEGIN;"
	for _, table := range tables {
		script += fmt.Sprintf("DELETE FROM ward.%s; INSERT INTO ward.%s TABLE kept.%s;", table, table, table)
	}
	v.script(t, script+"COMMIT")
}

// newVictim makes a log in which there is something of everything: contents, some of
// them removed, entries without one, open intents, and several exported checkpoints.
func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{keys: newKeys(t), checkpoints: t.TempDir()}
	url := database(t)
	store := open(t, url, "ward-1")
	var err error
	v.conn, err = pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.conn.Close(context.Background()) })
	v.script(t, "SET synchronous_commit = off") // so that a tampering takes a moment
	options := v.keys.options(store, "ward-1")
	options.Checkpoints = []string{v.checkpoints}
	for i := range 4 {
		log := openLog(t, options)
		for j := range 3 {
			correlation := fmt.Sprint("c", i, j)
			mustAppend(t, log, entry(audit.Intent, correlation))
			if j > 0 {
				mustAppend(t, log, entry(audit.Outcome, correlation))
			}
		}
		mustAppend(t, log, audit.Entry{Kind: audit.Refused, Time: time.Now(), Correlation: "r"})
		erase(t, log, store, int64(7*i+1))
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.keep(t, fmt.Sprint("older", i))
		v.states = i // the newest is the log itself
	}
	v.keep(t, "kept")
	v.reader, err = postgres.OpenReadOnly(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.reader.Close() })
	v.note = v.checkpoint(t)
	return v
}

// checkpoint is what the stored checkpoint says. A signature has several spellings in
// base64, and is the same in each.
func (v *victim) checkpoint(t *testing.T) string {
	t.Helper()
	var signed []byte
	err := v.conn.QueryRow(t.Context(), "SELECT note FROM ward.head WHERE id = 0").Scan(&signed)
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.OpenCheckpoint(signed, v.keys.public, origin)
	if err != nil {
		return string(signed)
	}
	return fmt.Sprint(c, len(signed))
}

func mustAppend(t *testing.T, log *audit.Log, e audit.Entry) {
	t.Helper()
	_, err := log.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
}

// erase removes the content of an entry, as an order would.
func erase(t *testing.T, log *audit.Log, store audit.Reader, seq int64) {
	t.Helper()
	for row, err := range store.Rows(t.Context(), seq, seq+1) {
		if err != nil {
			t.Fatal(err)
		}
		removal, err := audit.RemovalOf(row)
		if err != nil {
			t.Fatal(err)
		}
		e := audit.Entry{Kind: audit.Erased, Time: time.Now(), Removed: []audit.Range{{First: seq, Last: seq}}, Entries: 1}
		_, err = log.AppendRemoval(t.Context(), e, []audit.Removal{removal})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (v *victim) verify(t *testing.T) error {
	_, err := audit.Verify(t.Context(), v.reader, v.keys.public, origin, []string{v.checkpoints})
	return err
}

// differ lists the tables that say something else than they did.
func (v *victim) differ(t *testing.T) []string {
	t.Helper()
	var parts []string
	for _, table := range tables {
		columns := "*"
		if table == "head" {
			columns = "id, size" // what the note says is compared apart
		}
		parts = append(parts, fmt.Sprintf("SELECT '%[1]s' WHERE EXISTS (SELECT %[2]s FROM ward.%[1]s EXCEPT SELECT %[2]s FROM kept.%[1]s) OR "+
			"EXISTS (SELECT %[2]s FROM kept.%[1]s EXCEPT SELECT %[2]s FROM ward.%[1]s)", table, columns))
	}
	rows, err := v.conn.Query(t.Context(), strings.Join(parts, " UNION ALL "))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(changed, "head") && v.checkpoint(t) != v.note {
		changed = append(changed, "head")
	}
	return changed
}

// MSCA-AUD-01b, WRD-AUD-01, WRD-AUD-03: whatever in the tables is changed, removed,
// put in, exchanged or taken back to an earlier state, verifying notices, and names a
// place.
func TestAnyChangeOfTheTables(t *testing.T) {
	v := newVictim(t)
	err := v.verify(t)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	found := map[string]int{}
	for range tamperings(t) {
		script, changed := v.tamper(t, r)
		err := v.verify(t)
		if err == nil {
			t.Errorf("%s: verified although it says something else", script)
			break
		}
		place := placeOf(err)
		if place == "" {
			t.Errorf("%s: the error names no place: %v", script, err)
		}
		found[place]++
		v.putBack(t, changed)
	}
	v.putBack(t, tables)
	err = v.verify(t)
	if err != nil {
		t.Errorf("put back: %v", err)
	}
	t.Logf("noticed by: %v", found)
}

// placeOf is what an error says about where a log is not what it was.
func placeOf(err error) string {
	var m *audit.Mismatch
	if errors.As(err, &m) {
		return "an entry"
	}
	for _, place := range []string{"checkpoint", "where its head says", "head and version", "its head is missing", "audit store of version"} {
		if strings.Contains(err.Error(), place) {
			return place
		}
	}
	return ""
}

// tamper changes something, and returns how, and in which tables.
func (v *victim) tamper(t *testing.T, r *rand.Rand) (script string, changed []string) {
	t.Helper()
	for {
		script := v.tampering(r)
		_, err := v.conn.Exec(t.Context(), "BEGIN;"+script+"COMMIT")
		if err != nil { // what no database can hold, such as two rows of one number
			v.script(t, "ROLLBACK")
			continue
		}
		changed := v.differ(t)
		if len(changed) > 0 {
			return script, changed
		}
	}
}

// columns are those of each table.
var columns = map[string][]struct{ name, kind string }{
	"entries": {{"seq", "bigint"}, {"leaf", "bytea"}, {"hashes", "bytea"}},
	"content": {{"seq", "bigint"}, {"sealed", "bytea"}},
	"terms":   {{"block", "bigint"}, {"term", "bigint"}, {"seq", "bigint"}},
	"spans":   {{"span", "bigint"}, {"first", "bigint"}, {"last", "bigint"}},
	"opened":  {{"seq", "bigint"}, {"correlation", "text"}},
	"head":    {{"id", "integer"}, {"size", "bigint"}, {"note", "bytea"}},
}

// tampering is a random script.
func (v *victim) tampering(r *rand.Rand) string {
	table := tables[r.IntN(len(tables)-1)] // the version is looked at when a database is opened
	all := columns[table]
	column := all[r.IntN(len(all))]
	picked := func() string {
		return fmt.Sprintf("(SELECT ctid FROM ward.%s t ORDER BY t OFFSET %d %% (SELECT count(*) FROM ward.%s) LIMIT 1)", table, r.IntN(1<<30), table)
	}
	switch r.IntN(10) {
	case 0, 1, 2, 3: // a value
		return fmt.Sprintf("UPDATE ward.%s SET %s = %s WHERE ctid = %s;", table, column.name, changed(r, column.name, column.kind), picked())
	case 4: // a row
		return fmt.Sprintf("DELETE FROM ward.%s WHERE ctid = %s;", table, picked())
	case 5: // several rows
		return fmt.Sprintf("DELETE FROM ward.%s WHERE random() < 0.25;", table)
	case 6, 7: // one more, beside an existing one or anywhere
		var values []string
		for _, c := range all {
			value := c.name
			if r.IntN(2) == 0 {
				value = changed(r, c.name, c.kind)
			}
			values = append(values, value)
		}
		return fmt.Sprintf("INSERT INTO ward.%s SELECT %s FROM ward.%s WHERE ctid = %s;", table, strings.Join(values, ", "), table, picked())
	case 8: // two rows exchange a value
		return fmt.Sprintf("UPDATE ward.%[1]s t SET %[2]s = (SELECT o.%[2]s FROM ward.%[1]s o WHERE o.ctid IN (%[3]s, %[4]s) AND o.ctid <> t.ctid) "+
			"WHERE t.ctid IN (%[3]s, %[4]s);", table, all[len(all)-1-r.IntN(len(all)-1)].name, picked(), picked())
	default: // some or all tables as they were
		script := ""
		for _, table := range tables {
			if r.IntN(2) == 0 {
				script += fmt.Sprintf("DELETE FROM ward.%s; INSERT INTO ward.%s TABLE older%d.%s;", table, table, r.IntN(v.states), table)
			}
		}
		return script
	}
}

// changed is an expression for a value that is another: of a number one that is near
// or far, of bytes and text one that differs in a byte, or is shorter or longer.
func changed(r *rand.Rand, column, kind string) string {
	at := fmt.Sprintf("(%d %% greatest(1, length(%s)))", r.IntN(1<<30), column)
	put := 0x20 + r.IntN(0x5f)
	switch kind {
	case "integer":
		return fmt.Sprintf("%s + %d", column, 1+r.IntN(3))
	case "bigint":
		return fmt.Sprintf("%s + %d", column, number(r))
	case "text":
		return fmt.Sprintf("overlay(%s placing '%c' from %s + 1)", column, 'a'+rune(put%26), at)
	}
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("substr(%s, 1, %s)", column, at)
	case 1:
		return fmt.Sprintf(`%s || '\x%02x'::bytea`, column, put)
	default:
		return fmt.Sprintf("set_byte(%s, %s, %d)", column, at, put)
	}
}

// number is what is added to a number: little, or so much that it lies elsewhere.
func number(r *rand.Rand) int64 {
	switch r.IntN(4) {
	case 0:
		return 1 + r.Int64N(3)
	case 1:
		return -1 - r.Int64N(30)
	case 2:
		return audit.BlockSize * (1 + r.Int64N(4))
	default:
		return 1 << r.IntN(60)
	}
}

// WRD-AUD-01: what belongs to no entry is found wherever it is put, also where no
// reading of entries meets it.
func TestOrphansAreFound(t *testing.T) {
	v := newVictim(t)
	for _, tt := range []struct {
		insert string
		first  int64
	}{
		{"content SELECT -1, sealed FROM ward.content LIMIT 1", -1},
		{"content SELECT 1000, sealed FROM ward.content LIMIT 1", 1000},
		{"content SELECT 9223372036854775807, sealed FROM ward.content LIMIT 1", 9223372036854775807},
		{"opened VALUES (-7, 'x')", -7},
		{"opened VALUES (1000, 'x')", 1000},
		{"terms VALUES (-1, 7, -65536)", -65536},
		{"terms VALUES (-1, 7, 3)", 3},
		{"terms VALUES (1, 7, 65536)", 65536},
		{"terms VALUES (1, 7, 3)", 3},
		{"terms VALUES (0, 7, 1000)", 1000},
		{"terms VALUES (0, 7, 65536)", 65536},
		{"terms VALUES (0, 7, -1)", -1},
		{"terms VALUES (0, 7, 3)", 3},
		{"terms VALUES (140737488355327, 7, 9223372036854775807)", 9223372036854775807},
		{"spans VALUES (-1, 1, 1)", -audit.SpanSize},
		{"spans VALUES (1, 1, 1)", audit.SpanSize},
		{"spans VALUES (1, 9223372036854775807, 9223372036854775807)", audit.SpanSize},
		{"spans VALUES (4503599627370496, 1, 1)", 1 << 62},
	} {
		v.script(t, "INSERT INTO ward."+tt.insert)
		err := v.verify(t)
		var m *audit.Mismatch
		if !errors.As(err, &m) || m.First != tt.first {
			t.Errorf("%s: %v, want entry %d", tt.insert, err, tt.first)
		}
		v.putBack(t, tables)
	}
	for _, change := range []string{
		"INSERT INTO ward.head SELECT 1, size, note FROM ward.head",
		"INSERT INTO ward.version VALUES (1, 1)",
	} {
		v.script(t, change)
		err := v.verify(t)
		if err == nil || !strings.Contains(err.Error(), "head and version") {
			t.Errorf("%s: %v", change, err)
		}
		v.putBack(t, tables)
	}
}

// A log without entries has none of anything.
func TestOrphansOfAnEmptyLog(t *testing.T) {
	url := database(t)
	store := open(t, url, "ward-1")
	err := store.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, insert := range []string{"content VALUES (0, 'x')", "terms VALUES (0, 0, 0)", "spans VALUES (0, 0, 0)", "opened VALUES (0, 'x')"} {
		table, _, _ := strings.Cut(insert, " ")
		execute(t, url, "INSERT INTO ward."+insert)
		err := store.Check(t.Context())
		var m *audit.Mismatch
		if !errors.As(err, &m) || m.First != 0 || !strings.Contains(m.Reason, table) {
			t.Errorf("%s: %v", insert, err)
		}
		execute(t, url, "DELETE FROM ward."+table)
	}
}
