//go:build postgres

package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/pgtest"
	"go.uber.org/goleak"
)

// server is one for all tests of the package, each of which has a database of its own.
var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	server, err = pgtest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Close()
	code := m.Run()
	err = goleak.Find()
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func database(t *testing.T) string {
	t.Helper()
	url, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func open(t *testing.T, url, instance string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// Each store has a schema of its own in one database, as several logs can have.
func TestPostgreSQLKeepsThePromisesOfAStore(t *testing.T) {
	url, schemas := database(t), 0
	audittest.TestStore(t, func(t *testing.T) func(*testing.T) (audit.Store, func()) {
		schemas++
		url := fmt.Sprintf("%s&search_path=log_%d", url, schemas)
		return func(t *testing.T) (audit.Store, func()) {
			store := open(t, url, "ward-1")
			return store, func() { store.Close() }
		}
	})
}
