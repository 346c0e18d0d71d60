package handover

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardsmsp/ward/internal/audit/postgres"
)

// suffix makes the name of the table's schema out of that of the log, which is for the
// log alone: neither its checks nor its dumps have to do with what is here.
const suffix = "_replies"

const maxName = 63 // bytes of a name in PostgreSQL, which cuts a longer one

// poolConfig is for the connections to the schema beside that of the log.
func poolConfig(url string) (*pgxpool.Config, error) {
	config, err := postgres.Pool(url, connections, statementTime)
	if err != nil {
		return nil, err
	}
	params := config.ConnConfig.RuntimeParams
	schema := params["search_path"] + suffix
	if len(schema) > maxName {
		return nil, fmt.Errorf("the search_path of audit.postgres must be a name of at most %d letters", maxName-len(suffix))
	}
	params["search_path"] = schema
	// Whoever waits for a lock on a row is then to see what became of it.
	params["default_transaction_isolation"] = "read committed"
	return config, nil
}

// statements make the table. What is in it is worth nothing once its questions have
// ended, but it must not be lost while they wait.
func statements(schema string) []string {
	return []string{
		"CREATE SCHEMA IF NOT EXISTS " + pgx.Identifier{schema}.Sanitize(),
		`CREATE TABLE waiting (
			message_id text PRIMARY KEY,
			asker uuid NOT NULL,
			instance text NOT NULL,
			correlation text NOT NULL,
			until timestamptz NOT NULL,
			answered boolean NOT NULL,
			ended boolean NOT NULL,
			reply bytea)`,
		"CREATE INDEX waiting_left ON waiting (asker) WHERE reply IS NOT NULL",
		"CREATE INDEX waiting_until ON waiting (until)",
	}
}

// create makes the table, unless it is there.
func create(ctx context.Context, config *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, 10*statementTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return postgres.Together(ctx, func() error { return createOnce(ctx, conn) })
}

func createOnce(ctx context.Context, conn *pgx.Conn) error {
	schema := conn.Config().RuntimeParams["search_path"]
	var there bool
	err := conn.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'waiting'`, schema).Scan(&there)
	if err != nil || there {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for _, statement := range statements(schema) {
		_, err = tx.Exec(ctx, statement)
		if err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// check refuses a table that is not as written here, or may not be used.
func (t *Table) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	var may bool
	err := t.pool.QueryRow(ctx, "SELECT has_table_privilege('waiting', 'SELECT') AND has_table_privilege('waiting', 'INSERT') AND has_table_privilege('waiting', 'UPDATE') AND has_table_privilege('waiting', 'DELETE')").Scan(&may)
	if err == nil && !may {
		err = errors.New("the role of the URL needs SELECT, INSERT, UPDATE and DELETE on its table waiting")
	}
	if err == nil {
		_, err = t.pool.Exec(ctx, "SELECT message_id, asker, instance, correlation, until, answered, ended, reply FROM waiting WHERE false")
	}
	if err != nil {
		return fmt.Errorf("the schema %s cannot be used: %w", t.pool.Config().ConnConfig.RuntimeParams["search_path"], err)
	}
	return nil
}
