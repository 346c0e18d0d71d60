//go:build postgres

package handover_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/replies/handover"
)

// patience bounds waits for what is to come, however slow the machine.
const patience = 30 * time.Second

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

func database(t testing.TB) string {
	t.Helper()
	url, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

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

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	sealing, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	index, err := seal.GenerateIndexKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.ParseSealingKey(sealing)
	if err != nil {
		t.Fatal(err)
	}
	i, err := seal.ParseIndexKey(index)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys([]seal.SealingKey{s}, []seal.IndexKey{i})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// open opens the table for an instance of its own.
func open(t testing.TB, url string, keys *seal.Keys) *handover.Table {
	t.Helper()
	return openAs(t, url, keys, newID())
}

func openAs(t testing.TB, url string, keys *seal.Keys, instance string) *handover.Table {
	t.Helper()
	table, err := handover.Open(t.Context(), handover.Options{URL: url, Instance: instance, Keys: keys, Remember: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

// replica is a room over the table, and what nobody took there.
type replica struct {
	*replies.Room
	mu      sync.Mutex
	untaken []replies.Discard
}

func newReplica(t testing.TB, url string, keys *seal.Keys) *replica {
	t.Helper()
	r := &replica{}
	r.Room = replies.NewRoom(replies.Options{Waiting: 1000, Remembered: 1000, Remember: time.Hour, Now: time.Now, Exchange: open(t, url, keys),
		Untaken: func(d replies.Discard) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.untaken = append(r.untaken, d)
		}})
	t.Cleanup(r.Stop)
	return r
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

func (r *replica) expect(t *testing.T, id string, life time.Duration) *replies.Expected {
	t.Helper()
	e, err := r.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id, Until: time.Now().Add(life)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (r *replica) deliver(t *testing.T, refTo, payload string) replies.Fate {
	t.Helper()
	fate, correlation, err := r.Deliver(t.Context(), refTo, replies.Reply{Action: "REPC_IN000007GB01", Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	if fate != replies.Unasked && correlation != "of "+refTo {
		t.Errorf("%s: correlation %q", fate, correlation)
	}
	return fate
}

func expect(t *testing.T, table *handover.Table, id string) {
	t.Helper()
	err := table.Expect(t.Context(), replies.Question{MessageID: id, Correlation: "of " + id}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}

func leave(t *testing.T, table *handover.Table, refTo string, want replies.Fate) {
	t.Helper()
	fate, _, err := table.Leave(t.Context(), refTo, replies.Reply{Payload: "x"})
	if err != nil || fate != want {
		t.Errorf("a reply to %q is %q, want %q: %v", refTo, fate, want, err)
	}
}
