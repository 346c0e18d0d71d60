package removal_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/removal"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

const (
	origin = "ward.example/audit"
	alice  = "9990000042"
	bob    = "9990000026"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a log with its keys and its clock.
type bench struct {
	t       testing.TB
	path    string
	store   audit.Store
	log     *audit.Log
	keys    *seal.Keys
	signer  note.Signer
	known   note.Verifiers
	court   note.Signer
	order   note.Verifier // of the court
	now     time.Time
	remover *removal.Remover
}

func newBench(t testing.TB) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.db")
	store, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	b := benchOn(t, store)
	b.path = path
	return b
}

func benchOn(t testing.TB, store audit.Store) *bench {
	t.Helper()
	signer, verifier := pair(t, origin)
	b := &bench{t: t, store: store, signer: signer, keys: audittest.Keys(),
		known: note.VerifierList(verifier), now: time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)}
	b.court, b.order = pair(t, "court.example")
	b.open(signer)
	return b
}

func (b *bench) open(signer note.Signer) {
	b.t.Helper()
	var err error
	b.log, err = audit.Open(b.t.Context(), audit.Options{Store: b.store, Signer: signer, Keys: b.keys,
		RetryEvery: time.Hour, Now: b.clock, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.t.Fatal(err)
	}
	log := b.log
	b.t.Cleanup(func() { log.Close(context.Background()) })
	b.remover = b.newRemover(b.store)
}

func (b *bench) clock() time.Time { return b.now }

func (b *bench) newRemover(store audit.Reader) *removal.Remover {
	return &removal.Remover{Log: b.log, Store: store, Keys: b.keys, Origin: origin, Operator: "records.officer", Now: b.clock}
}

func (b *bench) append(e audit.Entry) int64 {
	b.t.Helper()
	if e.Time.IsZero() {
		e.Time = b.now
	}
	seq, err := b.log.Append(b.t.Context(), e)
	if err != nil {
		b.t.Fatal(err)
	}
	return seq
}

// ask adds a question and its outcome, and returns the number of the first.
func (b *bench) ask(number, user string) int64 {
	b.t.Helper()
	e := audit.Entry{Kind: audit.Intent, Correlation: fmt.Sprintf("c%d", b.log.Size()), Organisation: "RXX",
		NHSNumber: number, AuditIdentities: []audit.Identity{{URI: user}}}
	seq := b.append(e)
	e.Kind, e.Outcome, e.AuditIdentities = audit.Outcome, "found", nil
	b.append(e)
	return seq
}

func (b *bench) verify() audit.Report {
	b.t.Helper()
	report, err := audit.Verify(b.t.Context(), b.store, b.known, origin, nil)
	if err != nil {
		b.t.Fatalf("Verify: %v", err)
	}
	return report
}

// records are all entries.
func (b *bench) records() []audit.Record {
	b.t.Helper()
	var all []audit.Record
	for record, err := range audit.Entries(b.t.Context(), b.store, b.keys, 0, 1<<40) {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, record)
	}
	return all
}

// removedOnes are the numbers of the entries that have lost their content.
func (b *bench) removedOnes() []int64 {
	b.t.Helper()
	var gone []int64
	for _, record := range b.records() {
		if record.State == audit.Removed {
			gone = append(gone, record.Seq)
		}
	}
	return gone
}

func (b *bench) found(number string) []int64 {
	b.t.Helper()
	seqs, err := b.store.Find(b.t.Context(), [][]seal.Term{audit.TermsOf(b.keys, audit.FieldNHSNumber, number)}, 0, 1<<40, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return seqs
}

func (b *bench) erase(file []byte) removal.Erasure {
	b.t.Helper()
	erasure, err := b.remover.Erase(b.t.Context(), file, b.order, false)
	if err != nil {
		b.t.Fatalf("Erase: %v", err)
	}
	return erasure
}

func (b *bench) lay(name string, c removal.Criteria) {
	b.t.Helper()
	err := b.remover.Lay(b.t.Context(), removal.Hold{Name: name, Authority: "the coroner", Criteria: c})
	if err != nil {
		b.t.Fatalf("Lay: %v", err)
	}
}

func (b *bench) release(name string) {
	b.t.Helper()
	err := b.remover.Release(b.t.Context(), name, "the coroner", "")
	if err != nil {
		b.t.Fatalf("Release: %v", err)
	}
}
