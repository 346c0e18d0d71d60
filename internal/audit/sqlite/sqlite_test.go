package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSQLiteKeepsThePromisesOfAStore(t *testing.T) {
	audittest.TestStore(t, func(t *testing.T) func(*testing.T) (audit.Store, func()) {
		path := filepath.Join(t.TempDir(), "audit.db")
		return func(t *testing.T) (audit.Store, func()) {
			store := open(t, path)
			return store, func() { closeStore(t, store) }
		}
	})
}

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func closeStore(t *testing.T, store interface{ Close() error }) {
	t.Helper()
	err := store.Close()
	if err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A second writer would fork the log (MSCA-AUD-03e).
func TestOnlyOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	first := open(t, path)
	_, err := sqlite.Open(path)
	if err == nil || !strings.Contains(err.Error(), "already open for writing") {
		t.Fatalf("a second Open = %v, want a refusal", err)
	}
	err = audittest.Commit(t.Context(), first, audit.Group{Checkpoint: []byte("c")})
	if err != nil {
		t.Errorf("Commit after a refused second Open: %v", err)
	}
	closeStore(t, first)
	closeStore(t, open(t, path))
}

// WRD-AUD-02: the log is read while Ward writes it.
func TestReadOnlyBesideTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	writer := open(t, path)
	reader, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, reader)
	for base := range int64(3) {
		row := audit.Row{Seq: base, Leaf: []byte("leaf")}
		err := audittest.Commit(t.Context(), writer, audit.Group{Base: base, Rows: []audit.Row{row}, Checkpoint: []byte("c")})
		if err != nil {
			t.Fatal(err)
		}
		head, err := reader.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(audit.Head{Size: base + 1, Checkpoint: []byte("c")}, head); diff != "" {
			t.Errorf("Head (-want +got):\n%s", diff)
		}
	}
}

func TestReadOnlyNeedsADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	_, err := sqlite.OpenReadOnly(path)
	if err == nil {
		t.Error("OpenReadOnly of nothing succeeded")
	}
	_, err = os.Stat(path)
	if err == nil {
		t.Error("OpenReadOnly made a file")
	}
}

// MSCA-AUD-01a: nobody but the service's account reads the store.
func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	open(t, filepath.Join(dir, "audit.db"))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", file.Name(), info.Mode())
		}
	}
	want := []string{"audit.db", "audit.db-shm", "audit.db-wal", "audit.db.lock"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// MSCA-AUD-01b: a database that would do something else with the rows, or is of
// another kind or version, is refused for writing and for reading.
func TestChangedSchemaIsRefused(t *testing.T) {
	for _, change := range []string{
		"CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries WHERE seq = new.seq; END",
		"ALTER TABLE entries RENAME TO rows; CREATE VIEW entries AS SELECT * FROM rows",
		"CREATE INDEX i ON entries (leaf)",
		"CREATE TABLE more (x)",
		"DROP TABLE opened",
		"PRAGMA user_version = 1",
		"PRAGMA user_version = 2",
		"PRAGMA user_version = 4",
		"PRAGMA application_id = 1",
	} {
		t.Run(change, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.db")
			closeStore(t, open(t, path))
			execute(t, path, change)
			_, err := sqlite.Open(path)
			if err == nil {
				t.Error("Open accepted it")
			}
			_, err = sqlite.OpenReadOnly(path)
			if err == nil {
				t.Error("OpenReadOnly accepted it")
			}
		})
	}
}

// execute changes a database behind the store's back.
func execute(t *testing.T, path, script string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, conn)
	err = sqlitex.ExecuteScript(conn, script, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged file is an error that says so, never a panic, wherever the damage.
func TestDamagedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	store := open(t, path)
	for base := range int64(40) {
		row := audit.Row{Seq: base, Leaf: make([]byte, 500)}
		err := audittest.Commit(t.Context(), store, audit.Group{Base: base, Rows: []audit.Row{row}, Checkpoint: []byte("c"), Opened: []audit.Opened{{Seq: base}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, store)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for at := 0; at < len(whole); at += 512 {
		damaged := append([]byte(nil), whole...)
		for i := range 64 {
			damaged[at+i] = 0xff
		}
		if !usable(t, damaged) {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no damage to the file was noticed")
	}
}

// usable opens a copy of a database, reads all of it and writes to it.
func usable(t *testing.T, content []byte) bool {
	path := filepath.Join(t.TempDir(), "audit.db")
	err := os.WriteFile(path, content, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(path)
	if err != nil {
		return false
	}
	defer store.Close()
	head, err := store.Head(t.Context())
	if err != nil {
		return false
	}
	for _, err := range store.Rows(t.Context(), 0, head.Size) {
		if err != nil {
			return false
		}
	}
	return audittest.Commit(t.Context(), store, audit.Group{Base: head.Size, Checkpoint: []byte("d")}) == nil
}

// After a failed commit the store works again by itself once it can.
func TestCommitAfterAFailedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	store := open(t, path)
	bad := audit.Group{Rows: []audit.Row{{Seq: 0, Leaf: []byte("a")}, {Seq: 0, Leaf: []byte("b")}}}
	err := audittest.Commit(t.Context(), store, bad)
	if err == nil {
		t.Fatal("Commit of two rows with one number succeeded")
	}
	good := audit.Group{Rows: []audit.Row{{Seq: 0, Leaf: []byte("a")}}, Checkpoint: []byte("c")}
	err = audittest.Commit(t.Context(), store, good)
	if err != nil {
		t.Fatalf("the next Commit: %v", err)
	}
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Size != 1 {
		t.Errorf("the store holds %d entries, want 1", head.Size)
	}
}

func TestCommitAfterClose(t *testing.T) {
	store := open(t, filepath.Join(t.TempDir(), "audit.db"))
	closeStore(t, store)
	err := audittest.Commit(t.Context(), store, audit.Group{})
	if err == nil {
		t.Error("Commit after Close succeeded")
	}
	closeStore(t, store) // again does nothing
}

// One who joins a store adds entries beside the provider that has it open, and
// neither loses any.
func TestJoinedStoreWritesBesideTheOpenOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	_, err := sqlite.Join(t.Context(), path)
	if err == nil {
		t.Fatal("Join made a store")
	}
	first := open(t, path)
	defer closeStore(t, first)
	second, err := sqlite.Join(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, second)
	var wg sync.WaitGroup
	for _, store := range []*sqlite.Store{first, second} {
		wg.Go(func() {
			for range 200 {
				err := store.Commit(t.Context(), func(turn audit.Turn) (audit.Group, error) {
					size := turn.Size()
					return audit.Group{Base: size, Rows: []audit.Row{{Seq: size, Leaf: []byte("l")}}, Checkpoint: []byte("c")}, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	head, err := first.Head(t.Context())
	if err != nil || head.Size != 400 {
		t.Errorf("the store holds %d entries, want 400, %v", head.Size, err)
	}
}
