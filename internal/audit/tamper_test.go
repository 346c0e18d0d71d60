package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// tamperEnv sets how often the log is tampered with, of each kind.
const tamperEnv = "WARD_TAMPERINGS"

func tamperings(t *testing.T) int {
	t.Helper()
	value := os.Getenv(tamperEnv)
	switch {
	case value != "":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			t.Fatalf("%s must be a positive number", tamperEnv)
		}
		return n
	case testing.Short():
		return 20
	}
	return 1000
}

// victim is a log that is tampered with: files of one state, copies of earlier ones,
// and what its tables say.
type victim struct {
	keys        keys
	checkpoints string
	database    []byte   // with nothing in a write-ahead log
	split       []byte   // the same state, with
	wal         []byte   // this write-ahead log
	older       [][]byte // databases of earlier states
	says        string
}

// newVictim makes a log in which there is something of everything: contents, some of
// them removed, entries without one, open intents and several exported checkpoints.
func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{keys: newKeys(t)}
	var path string
	path, v.checkpoints = seeded(t, v.keys, 5)
	for i := range 4 {
		v.older = append(v.older, readFile(t, path))
		store := openStore(t, path)
		options := v.keys.options(store)
		options.Checkpoints = dirs(v.checkpoints)
		log := openLog(t, options)
		for j := range int64(3) {
			mustAppend(t, log, sample(log.Size()+j%2))
		}
		erase(t, log, store, int64(2*i))
		mustAppend(t, log, refused("c")) // in the write-ahead log, which erasing empties
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.split, v.wal = readFile(t, path), readFile(t, path+"-wal")
		closeAll(t, log, store)
	}
	v.database = readFile(t, path)
	said, err := says(path, v.keys)
	if err != nil {
		t.Fatal(err)
	}
	v.says = said
	return v
}

// erase removes the content of an entry, as an order would.
func erase(t *testing.T, log *audit.Log, store audit.Reader, seq int64) {
	t.Helper()
	for _, row := range allRows(t, store) {
		if row.Seq != seq {
			continue
		}
		terms, err := seal.Terms(row.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		e := audit.Entry{Kind: audit.Erased, Time: sample(0).Time, Removed: []audit.Range{{First: seq, Last: seq}}, Entries: 1}
		_, err = log.AppendRemoval(t.Context(), e, []audit.Removal{{Seq: seq, Terms: terms}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

var dumped = []string{
	"SELECT seq, hex(leaf), typeof(leaf), hex(hashes), typeof(hashes) FROM entries ORDER BY seq",
	"SELECT seq, hex(sealed), typeof(sealed) FROM content ORDER BY seq",
	"SELECT block, term, seq FROM terms ORDER BY block, term, seq",
	"SELECT span, first, last FROM spans ORDER BY span",
	"SELECT seq, hex(correlation), typeof(correlation) FROM opened ORDER BY seq",
	"SELECT id, hex(note), typeof(note) FROM checkpoint ORDER BY id",
}

// says is all that the tables of a log say.
func says(path string, k keys) (string, error) {
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadOnly)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return dump(conn, k)
}

// dump reads all tables but the claims, which are no part of the log. A signature has
// several spellings in base64, and is the same in each.
func dump(conn *zombiezen.Conn, k keys) (string, error) {
	var b strings.Builder
	for _, query := range dumped {
		err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *zombiezen.Stmt) error {
			for i := range stmt.ColumnCount() {
				b.WriteString(stmt.ColumnText(i))
				b.WriteByte(' ')
			}
			b.WriteByte('\n')
			return nil
		}})
		if err != nil {
			return "", err
		}
	}
	all := b.String()
	last := strings.LastIndex(strings.TrimSuffix(all, "\n"), "\n") + 1
	fields := strings.Fields(all[last:])
	if len(fields) != 3 {
		return all, nil
	}
	var signed []byte
	fmt.Sscanf(fields[1], "%x", &signed)
	c, err := audit.OpenCheckpoint(signed, k.public, origin)
	if err != nil {
		return all, nil
	}
	return all[:last] + fmt.Sprint(c, len(signed)), nil
}

// judge verifies a database that was tampered with. It reports how that was noticed,
// or an error if it was not although the log says something else.
func (v *victim) judge(path string) (noticed string, err error) {
	store, err := sqlite.OpenReadOnly(path)
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			return "", fmt.Errorf("the refusal names no database: %w", err)
		}
		return "not opened", nil
	}
	defer store.Close()
	_, err = audit.Verify(context.Background(), store, v.keys.public, origin, dirs(v.checkpoints))
	var m *audit.Mismatch
	switch {
	case errors.As(err, &m):
		return "an entry", nil
	case err != nil:
		for _, place := range []string{"checkpoint", "of entries", "entry ", "times of the entries", "database is damaged", "audit store"} {
			if strings.Contains(err.Error(), place) {
				return place, nil
			}
		}
		return "", fmt.Errorf("the error names no place: %w", err)
	}
	said, err := says(path, v.keys)
	if err != nil {
		return "", fmt.Errorf("verified although it cannot be read: %w", err)
	}
	if said != v.says {
		return "", errors.New("verified although it says something else")
	}
	return "nothing", nil
}

// memory is a directory that no disc slows down, if there is one.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ward")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// campaign tampers n times, in two goroutines, each with a database of its own.
func (v *victim) campaign(t *testing.T, n int, tamper func(r *rand.Rand, path string) (what string, err error)) map[string]int {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := memory(t)
	found := make(map[string]int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			path := filepath.Join(dir, fmt.Sprint("audit", worker, ".db"))
			for range n / 2 {
				what, err := tamper(r, path)
				var noticed string
				if err == nil {
					noticed, err = v.judge(path)
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
				mu.Lock()
				found[noticed]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("noticed by: %v", found)
	return found
}

// place writes the files of a database.
func place(path string, database, wal []byte) error {
	os.Remove(path + "-shm")
	os.Remove(path + "-wal")
	err := os.WriteFile(path, database, 0o600)
	if err == nil && wal != nil {
		err = os.WriteFile(path+"-wal", wal, 0o600)
	}
	return err
}

// MSCA-AUD-01b, WRD-AUD-01, WRD-AUD-03: whatever byte of the database or of its
// write-ahead log is changed, verifying notices, or the log says what it said.
func TestAnyByteOfTheFile(t *testing.T) {
	v := newVictim(t)
	found := v.campaign(t, tamperings(t), func(r *rand.Rand, path string) (string, error) {
		database, wal, what := bytes.Clone(v.database), []byte(nil), "the database"
		target := database
		if r.IntN(8) == 0 {
			database, wal, what = v.split, bytes.Clone(v.wal), "the write-ahead log"
			target = wal
		}
		at, change := r.IntN(len(target)), byte(1+r.IntN(255))
		target[at] ^= change
		return fmt.Sprintf("byte %d of %s ^ %#x", at, what, change), place(path, database, wal)
	})
	if tamperings(t) >= 1000 && (found["nothing"] == 0 || found["an entry"] == 0 || found["not opened"] == 0) {
		t.Error("some kind of place was never hit")
	}
}

// MSCA-AUD-01b, WRD-AUD-01, WRD-AUD-03: whatever in the tables is changed, removed,
// put in, exchanged or taken back to an earlier state, verifying notices.
func TestAnyChangeOfTheTables(t *testing.T) {
	v := newVictim(t)
	older := filepath.Join(memory(t), "older")
	for i, database := range v.older {
		writeFile(t, fmt.Sprint(older, i), database)
	}
	found := v.campaign(t, tamperings(t), func(r *rand.Rand, path string) (string, error) {
		for {
			err := place(path, v.database, nil)
			if err != nil {
				return "", err
			}
			script := tampering(r, older, len(v.older))
			said, err := change(path, script, v.keys)
			if err == nil && said != v.says {
				return script, nil
			}
			// What no database can hold, such as two rows of one number, or what
			// changes nothing.
		}
	})
	if found["nothing"] > 0 {
		t.Error("a change was overlooked")
	}
}

// change runs a script over a database and returns what its tables then say.
func change(path, script string, k keys) (said string, err error) {
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	if err != nil {
		return "", err
	}
	err = sqlitex.ExecuteScript(conn, script, nil)
	if err == nil {
		said, err = dump(conn, k)
	}
	return said, errors.Join(err, conn.Close())
}

// columns are those of each table, and whether they hold numbers.
var columns = map[string][]struct {
	name   string
	number bool
}{
	"entries":    {{"seq", true}, {"leaf", false}, {"hashes", false}},
	"content":    {{"seq", true}, {"sealed", false}},
	"terms":      {{"block", true}, {"term", true}, {"seq", true}},
	"spans":      {{"span", true}, {"first", true}, {"last", true}},
	"opened":     {{"seq", true}, {"correlation", false}},
	"checkpoint": {{"note", false}},
}

var tables = []string{"entries", "content", "terms", "spans", "opened", "checkpoint"}

// tampering is a random script.
func tampering(r *rand.Rand, older string, states int) string {
	table := tables[r.IntN(len(tables))]
	all := columns[table]
	column := all[r.IntN(len(all))]
	// A row, by all of its columns, since not every table has a rowid.
	var names, same []string
	for _, c := range all {
		names = append(names, c.name)
		same = append(same, fmt.Sprintf("%s.%s IS picked.%s", table, c.name, c.name))
	}
	list := strings.Join(names, ", ")
	pick := fmt.Sprintf("PRAGMA temp_store = MEMORY; CREATE TEMP TABLE picked AS SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET abs(%d) %% (SELECT count(*) FROM %s);",
		list, table, list, r.IntN(1<<30), table)
	where := fmt.Sprintf("EXISTS (SELECT 1 FROM picked WHERE %s)", strings.Join(same, " AND "))
	switch r.IntN(10) {
	case 0, 1, 2, 3: // a value
		value := changed(r, column.name, table == "opened")
		if column.number {
			value = fmt.Sprintf("%s %+d", column.name, number(r))
		}
		return pick + fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s;", table, column.name, value, where)
	case 4: // a row
		return pick + fmt.Sprintf("DELETE FROM %s WHERE %s;", table, where)
	case 5: // several rows
		return fmt.Sprintf("DELETE FROM %s WHERE abs(random()) %% 4 = 0;", table)
	case 6: // one more, beside an existing one or anywhere
		var values []string
		for _, c := range all {
			switch {
			case c.number && r.IntN(2) == 0:
				values = append(values, fmt.Sprintf("%s %+d", c.name, number(r)))
			default:
				values = append(values, c.name)
			}
		}
		if table == "checkpoint" {
			return pick + "PRAGMA ignore_check_constraints = ON; INSERT INTO checkpoint SELECT 1, note FROM picked;"
		}
		return pick + fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM picked;", table, list, strings.Join(values, ", "))
	case 7: // two rows exchange what they hold
		i, j := r.IntN(20), r.IntN(20)
		return exchange(table, i, j)
	case 8: // some or all tables as they were
		script := fmt.Sprintf("ATTACH '%s%d' AS older;", older, r.IntN(states))
		for _, table := range tables {
			if r.IntN(2) == 0 {
				script += fmt.Sprintf("DELETE FROM %s; INSERT INTO %s SELECT * FROM older.%s;", table, table, table)
			}
		}
		return script
	default: // the newest cut off, with the checkpoint of that time
		script := fmt.Sprintf("ATTACH '%s%d' AS older;", older, r.IntN(states))
		for _, table := range []string{"entries", "content", "terms", "opened"} {
			script += fmt.Sprintf("DELETE FROM %s WHERE seq > (SELECT max(seq) FROM older.entries);", table)
		}
		return script + "UPDATE checkpoint SET note = (SELECT note FROM older.checkpoint); DELETE FROM opened; INSERT INTO opened SELECT * FROM older.opened;"
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

// changed is an expression for a value of which one byte differs, or that is shorter
// or longer.
func changed(r *rand.Rand, column string, text bool) string {
	kind := "BLOB"
	if text {
		kind = "TEXT"
	}
	at := fmt.Sprintf("(abs(%d) %% max(1, length(%s)))", r.IntN(1<<30), column)
	put := fmt.Sprintf("x'%02x'", 0x20+r.IntN(0x5f))
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("CAST(substr(%s, 1, %s) AS %s)", column, at, kind)
	case 1:
		return fmt.Sprintf("CAST(%s || %s AS %s)", column, put, kind)
	default:
		return fmt.Sprintf("CAST(substr(%s, 1, %s) || %s || substr(%s, %s + 2) AS %s)", column, at, put, column, at, kind)
	}
}

// exchange makes two rows exchange a value. The first column of each table but the
// terms says which row it is.
func exchange(table string, i, j int) string {
	all := columns[table]
	key, value := all[0].name, all[len(all)-1].name
	if table == "entries" && i%2 == 0 {
		value = "leaf"
	}
	if table == "terms" {
		key = "term"
	}
	at := func(n int) string {
		return fmt.Sprintf("(SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %d)", key, table, key, n)
	}
	return fmt.Sprintf("CREATE TEMP TABLE two AS SELECT %[1]s AS k, %[2]s AS v FROM %[3]s WHERE %[1]s IN (%[4]s, %[5]s);"+
		"UPDATE %[3]s SET %[2]s = (SELECT v FROM two WHERE k != %[3]s.%[1]s) WHERE %[1]s IN (SELECT k FROM two) AND (SELECT count(*) FROM two) = 2;",
		key, value, table, at(i), at(j))
}
