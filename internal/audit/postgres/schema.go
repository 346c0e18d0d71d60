package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// version is that of the schema as written now.
const version = 1

// table is one of ours. Its columns are written as the catalogue gives them back.
type table struct{ name, columns, key string }

// tables are the schema, besides two indexes. A database that has them in another form
// is refused, and so is one with a trigger or a rule on them: those could make it do
// something else.
var tables = [...]table{
	{"version", "id integer NOT NULL, number integer NOT NULL", "id"},
	{"head", "id integer NOT NULL, size bigint NOT NULL, note bytea", "id"},
	{"entries", "seq bigint NOT NULL, leaf bytea NOT NULL, hashes bytea NOT NULL", "seq"},
	{"content", "seq bigint NOT NULL, sealed bytea NOT NULL", "seq"},
	{"terms", "block bigint NOT NULL, term bigint NOT NULL, seq bigint NOT NULL", "block, term, seq"},
	{"spans", "span bigint NOT NULL, first bigint NOT NULL, last bigint NOT NULL", "span"},
	{"opened", "seq bigint NOT NULL, correlation text NOT NULL", "seq"},
	{"claims", "key bytea NOT NULL, until bigint NOT NULL", "key"},
	{"instances", "name text NOT NULL, run uuid NOT NULL", "name"},
}

// create makes the schema, unless it is there.
func create(ctx context.Context, config *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, 10*writeTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return Together(ctx, func() error { return createOnce(ctx, conn, config.RuntimeParams["search_path"]) })
}

// Together calls create, which makes what is not there, again for as long as another
// instance, started together with this one, is making the same.
func Together(ctx context.Context, create func() error) error {
	for {
		err := create()
		var refused *pgconn.PgError
		if err == nil || !errors.As(err, &refused) || !another(refused.Code) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// another reports whether a statement that makes something failed since another
// session makes it too.
func another(code string) bool {
	switch code {
	case "23505", "42P06", "42P07", "42710": // unique_violation, duplicate_schema, duplicate_table, duplicate_object
		return true
	}
	return conflict(code)
}

func createOnce(ctx context.Context, conn *pgx.Conn, schema string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var hasSchema, hasTables bool
	err = tx.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_or(c.oid IS NOT NULL), false)
		FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'version'
		WHERE n.nspname = $1`, schema).Scan(&hasSchema, &hasTables)
	if err != nil || hasTables {
		return err
	}
	var statements []string
	if !hasSchema {
		statements = append(statements, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
	}
	for _, t := range tables {
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s))", t.name, t.columns, t.key))
	}
	statements = append(statements,
		"CREATE INDEX opened_correlation ON opened (correlation)",
		"CREATE INDEX claims_until ON claims (until)",
		fmt.Sprintf("INSERT INTO version (id, number) VALUES (0, %d)", version),
		"INSERT INTO head (id, size) VALUES (0, 0)",
	)
	for _, statement := range statements {
		_, err := tx.Exec(ctx, statement)
		if err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// tablesQuery describes the tables of a schema: name, columns, key, and what may not
// be. Unlogged tables are emptied by a crash, and policies hide rows.
const tablesQuery = `SELECT c.relname,
		coalesce((SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY a.attnum)
			FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
		coalesce((SELECT string_agg(pg_get_constraintdef(k.oid), ', ') FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), ''),
		concat_ws(', ',
			CASE WHEN c.relkind <> 'r' THEN 'is not a plain table' END,
			CASE WHEN c.relpersistence <> 'p' THEN 'is not a logged table' END,
			CASE WHEN c.relrowsecurity THEN 'has row security' END,
			CASE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid) THEN 'has a trigger' END,
			CASE WHEN EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) THEN 'has a rule' END,
			CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid OR i.inhrelid = c.oid) THEN 'has an heir' END)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relname = ANY($2)`

// checkSchema refuses a database whose tables are not ours as written now.
func checkSchema(ctx context.Context, conn *pgx.Conn) error {
	schema := conn.Config().RuntimeParams["search_path"]
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.name
	}
	type found struct{ table, key, wrong string }
	have := make(map[string]found)
	rows, err := conn.Query(ctx, tablesQuery, schema, names)
	if err != nil {
		return err
	}
	var name, columns, key, wrong string
	_, err = pgx.ForEachRow(rows, []any{&name, &columns, &key, &wrong}, func() error {
		have[name] = found{columns, key, wrong}
		return nil
	})
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return fmt.Errorf("the schema %s holds no audit log, or the role of the URL has no right to use it", schema)
	}
	for _, t := range tables {
		got, ok := have[t.name]
		switch {
		case !ok:
			return fmt.Errorf("its schema was changed: the table %s.%s is missing", schema, t.name)
		case got.wrong != "":
			return fmt.Errorf("its schema was changed: the table %s.%s %s", schema, t.name, got.wrong)
		case got.table != t.columns || got.key != "PRIMARY KEY ("+t.key+")":
			return fmt.Errorf("its schema was changed: the table %s.%s has other columns or another key", schema, t.name)
		}
	}
	var number int
	err = conn.QueryRow(ctx, "SELECT number FROM version WHERE id = 0").Scan(&number)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err != nil || number != version {
		return fmt.Errorf("it is not an audit store of version %d", version)
	}
	return nil
}

// checkDurable refuses a server that could lose what it has confirmed. Engines that
// speak the protocol without these settings are taken at their word.
func checkDurable(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')")
	if err != nil {
		return err
	}
	var name, setting string
	settings := make(map[string]string)
	_, err = pgx.ForEachRow(rows, []any{&name, &setting}, func() error {
		settings[name] = setting
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"fsync", "full_page_writes"} {
		if settings[name] == "off" {
			return fmt.Errorf("the server may lose what it has confirmed: turn its setting %s on", name)
		}
	}
	if s := settings["synchronous_commit"]; s == "off" || s == "local" {
		_, err = conn.Exec(ctx, "SET synchronous_commit = on")
	}
	return err
}
