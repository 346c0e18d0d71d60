package sqlite

import (
	"errors"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// schemas are those of each version, from 1 on. Each version keeps that of the one
// before and adds to it.
//
// A schema is kept in the database word for word, and a database with any other is
// refused: a trigger or a view could make it do something else.
var schemas = [...][]string{
	{
		"CREATE TABLE entries (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL) STRICT",
		"CREATE TABLE open_intents (seq INTEGER PRIMARY KEY) STRICT",
		"CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), note BLOB NOT NULL) STRICT",
	},
	{
		"CREATE TABLE claims (key BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
		"CREATE INDEX claims_until ON claims (until)",
	},
}

// version is that of a schema as written now.
const version = len(schemas)

// schemaOf is the whole schema of a version.
func schemaOf(version int) []string { return slices.Concat(schemas[:version]...) }

// bringUp makes the tables of a new database, adds what a later version has to one
// of an earlier, and refuses one that is not ours.
func bringUp(conn *sqlite.Conn) error {
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
	script := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	for _, statement := range slices.Concat(schemas[found:]...) {
		script += statement + ";"
	}
	return sqlitex.ExecuteScript(conn, script, nil)
}

// check refuses a database that is not an audit store of a version that is known.
func check(conn *sqlite.Conn) error {
	_, err := identify(conn)
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
	if id != applicationID || found < 1 || found > int64(version) {
		return 0, fmt.Errorf("it is not an audit store of a version from 1 to %d", version)
	}
	var have []string
	err = sqlitex.Execute(conn, "SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY rowid", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			have = append(have, stmt.ColumnText(0))
			return nil
		},
	})
	if err != nil {
		return 0, err
	}
	if !slices.Equal(have, schemaOf(int(found))) {
		return 0, errors.New("its schema was changed")
	}
	return int(found), nil
}
