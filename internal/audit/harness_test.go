package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

const origin = "ward.example/audit"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// keys are a key pair for checkpoints and the keys of what is personal.
type keys struct {
	signer   note.Signer
	public   note.Verifiers
	personal *seal.Keys
}

func newKeys(t testing.TB) keys {
	t.Helper()
	signerKey, verifierKey := newKeyStrings(t)
	return parseKeys(t, signerKey, verifierKey)
}

func newKeyStrings(t testing.TB) (signerKey, verifierKey string) {
	t.Helper()
	signerKey, verifierKey, err := audit.GenerateKey(origin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signerKey, verifierKey
}

func parseKeys(t testing.TB, signerKey, verifierKey string) keys {
	t.Helper()
	signer, err := note.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys{signer, note.VerifierList(verifier), audittest.Keys()}
}

func (k keys) options(store audit.Store) audit.Options {
	return audit.Options{
		Store: store, Signer: k.signer, Keys: k.personal, Origin: origin,
		RetryEvery: time.Hour,
		Logger:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func openLog(t testing.TB, options audit.Options) *audit.Log {
	t.Helper()
	log, err := audit.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	return log
}

func closeAll(t testing.TB, log *audit.Log, store *sqlite.Store) {
	t.Helper()
	err := log.Close(t.Context())
	if err != nil {
		t.Errorf("close the log: %v", err)
	}
	err = store.Close()
	if err != nil {
		t.Errorf("close the store: %v", err)
	}
}

func mustAppend(t testing.TB, log *audit.Log, e audit.Entry) int64 {
	t.Helper()
	seq, err := log.Append(t.Context(), e)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return seq
}

func mustVerify(t testing.TB, store audit.Reader, public note.Verifiers, dir string) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), store, public, origin, dirs(dir))
	if err != nil {
		t.Fatalf("Verify: %v (%+v)", err, report)
	}
	return report
}

// dirs is the list of the one directory, or of none for "".
func dirs(dir string) []string {
	if dir == "" {
		return nil
	}
	return []string{dir}
}

func allRows(t testing.TB, store audit.Reader) []audit.Row {
	t.Helper()
	var rows []audit.Row
	for row, err := range store.Rows(t.Context(), math.MinInt64, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// refused is an entry that neither opens nor closes an intent.
func refused(correlation string) audit.Entry {
	return audit.Entry{Kind: audit.Refused, Time: time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC), Correlation: correlation}
}

// seeded makes a closed database of n entries, in groups of one, with exported
// checkpoints, and returns its path and the directory of these.
func seeded(t testing.TB, k keys, n int64) (path, checkpoints string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "audit.db")
	checkpoints = filepath.Join(dir, "checkpoints")
	err := os.Mkdir(checkpoints, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	extend(t, k, path, checkpoints, n)
	return path, checkpoints
}

// extend adds n entries to the database.
func extend(t testing.TB, k keys, path, checkpoints string, n int64) {
	t.Helper()
	store := openStore(t, path)
	options := k.options(store)
	options.Checkpoints = dirs(checkpoints)
	log := openLog(t, options)
	base := log.Size()
	for i := range n {
		mustAppend(t, log, sample(base+i))
	}
	closeAll(t, log, store)
}

// root is the Merkle tree hash as section 2.1 of RFC 6962 defines it.
func root(leaves [][]byte) tlog.Hash {
	n := len(leaves)
	switch n {
	case 0:
		return sha256sum()
	case 1:
		return sha256sum([]byte{0}, leaves[0])
	}
	k := 1
	for 2*k < n {
		k *= 2
	}
	left, right := root(leaves[:k]), root(leaves[k:])
	return sha256sum([]byte{1}, left[:], right[:])
}

func sha256sum(parts ...[]byte) tlog.Hash {
	return sha256.Sum256(bytes.Join(parts, nil))
}
