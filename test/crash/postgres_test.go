//go:build postgres

package crash_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/stage"
)

func kinds() []kind { return []kind{inSQLite(), inPostgreSQL()} }

// inPostgreSQL gives each stage a server of its own, which goes on with what a killed
// provider has sent it. Before the first answer connections have to be made.
func inPostgreSQL() kind {
	return kind{"postgres", 1, 600 * time.Millisecond, func(t *testing.T, o *stage.Options) {
		server, err := pgtest.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		o.Postgres, err = server.Database()
		if err != nil {
			t.Fatal(err)
		}
	}, forgetSchema}
}

func forgetSchema(dir string) error {
	url, err := os.ReadFile(filepath.Join(dir, "postgres-url"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, strings.TrimSpace(string(url)))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS ward CASCADE")
	return errors.Join(err, conn.Close(ctx))
}
