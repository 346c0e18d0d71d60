package sqlite

import (
	"errors"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
)

// version is that of the schema as written now.
const version = 3

// schema is kept in the database word for word, and a database with any other is
// refused: a trigger or a view could make it do something else.
var schema = [...]string{
	"CREATE TABLE entries (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL) STRICT",
	"CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), note BLOB NOT NULL) STRICT",
	"CREATE TABLE claims (key BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
	"CREATE INDEX claims_until ON claims (until)",
	"CREATE TABLE content (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
	"CREATE TABLE terms (block INTEGER NOT NULL, term INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (block, term, seq)) STRICT, WITHOUT ROWID",
	"CREATE TABLE spans (span INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT",
	"CREATE TABLE opened (seq INTEGER PRIMARY KEY, correlation TEXT NOT NULL) STRICT",
	"CREATE INDEX opened_correlation ON opened (correlation)",
}

// The earlier schemas had the list of open intents without their correlations, and
// the first had no claims.
const openIntents = "CREATE TABLE open_intents (seq INTEGER PRIMARY KEY) STRICT"

func schemaOf(version int) []string {
	switch version {
	case 1:
		return []string{schema[0], openIntents, schema[1]}
	case 2:
		return []string{schema[0], openIntents, schema[1], schema[2], schema[3]}
	default:
		return schema[:]
	}
}

// bringUp makes the tables of a new database, brings one of an earlier version up to
// date, and refuses one that is not ours.
func bringUp(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	tables, err := number(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	found := 0
	if tables > 0 {
		found, err = identify(conn)
		if err != nil {
			return err
		}
	}
	if found == version {
		return nil
	}
	had := 0 // statements of the schema that were carried out before
	switch found {
	case 1:
		had = 2
	case 2:
		had = 4
	}
	for _, statement := range schema[had:] {
		err := execute(conn, statement)
		if err != nil {
			return err
		}
	}
	if found > 0 {
		err := moveOpenIntents(conn)
		if err != nil {
			return err
		}
	}
	return sqlitex.ExecuteScript(conn, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version), nil)
}

// moveOpenIntents adds the correlations to the list of open intents.
func moveOpenIntents(conn *sqlite.Conn) error {
	var open []audit.Opened
	err := sqlitex.Execute(conn, "SELECT leaf FROM open_intents LEFT JOIN entries USING (seq)", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			leaf, err := audit.ParseLeaf(column(stmt, 0))
			open = append(open, audit.Opened{Seq: leaf.Seq, Correlation: leaf.Entry.Correlation})
			return err
		},
	})
	if err != nil {
		return err
	}
	err = addOpened(conn, open)
	if err != nil {
		return err
	}
	return execute(conn, "DROP TABLE open_intents")
}

// current is check under the lock of who writes, for which it waits.
func current(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return check(conn)
}

// check refuses a database that is not an audit store as written now.
func check(conn *sqlite.Conn) error {
	found, err := identify(conn)
	if err == nil && found < version {
		err = fmt.Errorf("it is of version %d; starting the provider over it, or over a copy, brings it up to version %d", found, version)
	}
	return err
}

// identify returns the version of an audit store.
func identify(conn *sqlite.Conn) (int, error) {
	id, err := number(conn, "PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	found, err := number(conn, "PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	if id != applicationID || found < 1 || found > version {
		return 0, fmt.Errorf("it is not an audit store of a version from 1 to %d", version)
	}
	var have []string
	err = sqlitex.Execute(conn, "SELECT coalesce(sql, '') FROM sqlite_schema", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			have = append(have, stmt.ColumnText(0))
			return nil
		},
	})
	if err != nil {
		return 0, err
	}
	// VACUUM puts the indexes after the tables.
	want := slices.Sorted(slices.Values(schemaOf(int(found))))
	slices.Sort(have)
	if !slices.Equal(have, want) {
		return 0, errors.New("its schema was changed")
	}
	return int(found), nil
}
