//go:build postgres

package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/pgtest"
	"github.com/wardsmsp/ward/internal/stage"
)

// TestLogInPostgreSQL runs the commands over logs in databases of one server.
func TestLogInPostgreSQL(t *testing.T) {
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"there and back":   migrateThereAndBack,
		"in use":           migrateInUse,
		"backup":           backupInUse,
		"second copy":      secondCopy,
		"dump":             dumpAndRestore,
		"all the commands": commands,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

// database is the connection URL of a new one.
func database(t *testing.T, server *pgtest.Server) string {
	t.Helper()
	url, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// pointTo makes a stage whose log is in PostgreSQL keep it in another database.
func pointTo(t *testing.T, s *stage.Stage, url string) {
	t.Helper()
	err := os.WriteFile(filepath.Join(s.Dir, "postgres-url"), []byte(url+"\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
}

// configuration writes that of a stage with another store, and returns its path.
func configuration(t *testing.T, s *stage.Stage, name, now, then string) string {
	t.Helper()
	content := read(t, s.WardConfig())
	if !strings.Contains(content, now) {
		t.Fatalf("the configuration has no %s", now)
	}
	return write(t, s.Dir, name, strings.Replace(content, now, then, 1))
}

const inSQLite, inPostgreSQL = `database = "audit.db"`, "postgres = \"postgres-url\"\ninstance = \"ward-1\""

// TOM-IO-01, WRD-VAL-16: a log moves to PostgreSQL, where the provider goes on with it
// and knows the messages that were used before, and from there back.
func migrateThereAndBack(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{})
	stop := play(t, s)
	message := prepare(t, s)
	if got := send(t, s, message); !strings.Contains(got, "SMSP-0000") {
		t.Fatalf("the first time: %s", got)
	}
	stop()
	pointTo(t, s, database(t, server))
	there := configuration(t, s, "there.toml", inSQLite, inPostgreSQL)
	ward(t, "audit", "migrate", "-config", s.WardConfig(), "-to", there).expect(t, exitDone, "both trees are equal")
	ward(t, "audit", "verify", "-config", there).expect(t, exitDone, "verifies")

	rename(t, there, s.WardConfig())
	stop = play(t, s)
	if got := send(t, s, message); !strings.Contains(got, itk.DiagnosticReplayed) {
		t.Errorf("a message that was used before the move: %s", got)
	}
	ward(t, "ask", "-config", s.ClientConfig(), withoutRecord).expect(t, exitDone)
	stop()
	back := configuration(t, s, "back.toml", inPostgreSQL, `database = "back.db"`)
	ward(t, "audit", "migrate", "-config", s.WardConfig(), "-to", back).expect(t, exitDone, "both trees are equal")

	rename(t, back, s.WardConfig())
	play(t, s)
	if got := send(t, s, message); !strings.Contains(got, itk.DiagnosticReplayed) {
		t.Errorf("a message that was used before the move there and back: %s", got)
	}
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies")
}

// WRD-AUD-16, WRD-VAL-16: a copy that is kept in PostgreSQL becomes a log in SQLite again
// when the log is lost; the provider that goes on with it knows the messages that were
// used before.
func secondCopy(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{})
	pointTo(t, s, database(t, server))
	alone := read(t, s.WardConfig())
	write(t, s.Dir, filepath.Base(s.WardConfig()), alone+"\n[audit.copy]\npostgres = \"postgres-url\"\n")
	stop := play(t, s)
	message := prepare(t, s)
	if got := send(t, s, message); !strings.Contains(got, "SMSP-0000") {
		t.Fatalf("the first time: %s", got)
	}
	stop()
	removeLog(t, s)

	write(t, s.Dir, filepath.Base(s.WardConfig()), alone)
	kept := configuration(t, s, "kept.toml", inSQLite, inPostgreSQL)
	ward(t, "audit", "migrate", "-config", kept, "-to", s.WardConfig()).expect(t, exitDone, "both trees are equal")
	play(t, s)
	if got := send(t, s, message); !strings.Contains(got, itk.DiagnosticReplayed) {
		t.Errorf("a message that was used before the log was lost: %s", got)
	}
	ward(t, "audit", "verify", "-config", s.WardConfig()).expect(t, exitDone, "verifies")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	err := os.Rename(from, to)
	if err != nil {
		t.Fatal(err)
	}
}

// prepare is a message of the stage's client.
func prepare(t *testing.T, s *stage.Stage) []byte {
	t.Helper()
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	asker, err := client.New(client.Config{
		URL: settings.URL, TLS: settings.TLS, Username: settings.Username,
		Organisation: settings.Organisation, Provider: settings.Provider,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	number, err := cpis.ParseNHSNumber(withPlan)
	if err != nil {
		t.Fatal(err)
	}
	message, err := asker.Prepare(client.Question{Number: number, Author: settings.Author, AuditIdentities: settings.AuditIdentities})
	if err != nil {
		t.Fatal(err)
	}
	return message.Content
}

// send sends a message as it is, and returns what came back.
func send(t *testing.T, s *stage.Stage, message []byte) string {
	t.Helper()
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: settings.TLS.Clone()}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport, Timeout: time.Minute}
	response, err := sender.Post(settings.URL, "text/xml", bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// busy asks without a pause until the returned function is called.
func busy(t *testing.T, s *stage.Stage) (end func()) {
	t.Helper()
	var asking sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					ward(t, "ask", "-config", s.ClientConfig(), withoutRecord)
				}
			}
		})
	}
	return func() {
		close(done)
		asking.Wait()
	}
}

// A log that is written to does not move, and its instances keep their names. Once it
// is still, the same command goes on from what was copied.
func migrateInUse(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{Postgres: database(t, server)})
	stop := play(t, s)
	next := configuration(t, s, "next.toml", `postgres = "postgres-url"`, `postgres = "next-url"`)
	proxy, err := server.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	url, err := proxy.URL(database(t, server))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Dir, "next-url"), []byte(url), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Each time that the new store is asked for something the old one has grown.
	proxy.Allow(func(m pgtest.Message) int {
		if m.FromClient && m.Type == 'S' {
			ward(t, "ask", "-config", s.ClientConfig(), withoutRecord)
		}
		return pgtest.Whole
	})
	migrate := []string{"audit", "migrate", "-config", s.WardConfig(), "-to", next}
	ward(t, migrate...).expect(t, exitFailed, "stop every provider")
	proxy.Allow(nil)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	ward(t, migrate...).expect(t, exitDone, "both trees are equal")
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	stop()
}

// TOM-IO-01: a log in PostgreSQL is backed up while it is written to, brought up to
// date later, and goes on in another database.
func backupInUse(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{Postgres: database(t, server)})
	backup := filepath.Join(t.TempDir(), "backup.db")
	stop := play(t, s)
	end := busy(t, s)
	for range 3 {
		audited(t, s, "backup", "-out", backup).expect(t, exitDone, "Copied", "verified all of them")
	}
	end()
	stop()
	lost := read(t, filepath.Join(s.Dir, "postgres-url"))
	pointTo(t, s, database(t, server))
	audited(t, s, "restore", "-from", backup).expect(t, exitFailed, "-accept-loss")
	pointTo(t, s, lost)
	audited(t, s, "backup", "-out", backup).expect(t, exitDone, "Copied")

	pointTo(t, s, database(t, server))
	audited(t, s, "restore", "-from", backup).expect(t, exitDone, "Copied")
	play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	audited(t, s, "verify").expect(t, exitDone, "verifies")
}

// TOM-IO-01, WRD-AUD-03: what pg_dump wrote while the provider ran is a log that
// verifies. If entries are missing in it Ward says so, and goes on only on demand.
func dumpAndRestore(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{Postgres: database(t, server)})
	dump := func() []byte {
		t.Helper()
		script, err := server.Dump(strings.TrimSpace(read(t, filepath.Join(s.Dir, "postgres-url"))))
		if err != nil {
			t.Fatal(err)
		}
		return script
	}
	restore := func(script []byte) {
		t.Helper()
		url, err := server.Restore(script)
		if err != nil {
			t.Fatal(err)
		}
		pointTo(t, s, url)
	}
	stop := play(t, s)
	message := prepare(t, s)
	send(t, s, message)
	end := busy(t, s)
	older := dump()
	end()
	stop()
	newest := dump()

	restore(newest)
	audited(t, s, "verify").expect(t, exitDone, "verifies")
	audited(t, s, "restore").expect(t, exitDone, "The store verifies")
	stop = play(t, s)
	if got := send(t, s, message); !strings.Contains(got, itk.DiagnosticReplayed) {
		t.Errorf("a message that was used before the dump: %s", got)
	}
	stop()
	audited(t, s, "verify").expect(t, exitDone, "verifies")

	restore(older)
	audited(t, s, "verify").expect(t, exitFailed, "DOES NOT VERIFY", "replaced by an older copy")
	_, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("a provider starts although entries are missing")
	}
	t.Log(err)
	audited(t, s, "restore").expect(t, exitFailed, "-accept-loss")
	audited(t, s, "restore", "-accept-loss", "-reason", "disc lost").expect(t, exitDone, "The store verifies", "The log goes on with entry")
	play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	audited(t, s, "verify").expect(t, exitDone, "verifies")
	audited(t, s, "search", "-kind", "restored").expect(t, exitDone, "restored")
}

// IG-3.9.3a, IG-3.9.6a, WRD-AUD-10: the commands work beside a provider over
// PostgreSQL as they do over SQLite.
func commands(t *testing.T, server *pgtest.Server) {
	s := set(t, stage.Options{Postgres: database(t, server)})
	key := withErasureKey(t, s)
	configure(t, s, `retention = { questions = "8y" }`)
	play(t, s)
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
	ward(t, "ask", "-config", s.ClientConfig(), withoutRecord).expect(t, exitDone)
	audited(t, s, "verify").expect(t, exitDone, "verifies")
	audited(t, s, "search", "-nhs", withPlan).expect(t, exitDone, " intent ", " outcome ", withPlan)
	audited(t, s, "show").expect(t, exitDone, withPlan, withoutRecord)
	intent := jsonLines(t, audited(t, s, "search", "-json", "-nhs", withPlan, "-kind", "intent").out)[0].Entry
	audited(t, s, "show", "-correlation", intent["correlation"].(string)).expect(t, exitDone, "how the question ended", withPlan)
	audited(t, s, "export").expect(t, exitDone)
	audited(t, s, "prove", "-seq", "1").expect(t, exitDone)

	audited(t, s, "hold", "-name", "inquest 1", "-nhs", withPlan, "-authority", "the coroner").expect(t, exitDone, "active")
	audited(t, s, "holds").expect(t, exitDone, "inquest 1", withPlan)
	order := filepath.Join(t.TempDir(), "order")
	ward(t, "audit", "order", "-key", key, "-origin", "smsp.example.invalid/audit", "-nhs", withPlan, "-authority", "County Court at Example",
		"-until", time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly), "-out", order).expect(t, exitDone)
	audited(t, s, "erase", "-order", order).expect(t, exitFailed, `"inquest 1"`)
	audited(t, s, "release", "-name", "inquest 1", "-authority", "the coroner").expect(t, exitDone, "released")
	audited(t, s, "erase", "-order", order).expect(t, exitDone, "Erased the content of", "complete")
	audited(t, s, "expire").expect(t, exitDone, "the content of 0 entries removed")
	audited(t, s, "subject", "-nhs", withoutRecord, "-out", filepath.Join(t.TempDir(), "subject")).expect(t, exitDone)
	shown := audited(t, s, "show").out
	if strings.Contains(shown, withPlan) || !strings.Contains(shown, withoutRecord) {
		t.Errorf("after the erasure:\n%s", shown)
	}
	audited(t, s, "compact").expect(t, exitFailed, "VACUUM (FULL) ward.content")
	audited(t, s, "recover", "-instance", "gone").expect(t, exitDone, "0 question(s)")
	audited(t, s, "verify").expect(t, exitDone, "verifies")
	ward(t, "ask", "-config", s.ClientConfig(), withPlan).expect(t, exitDone)
}
