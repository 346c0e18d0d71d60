// Package evidencetest makes logs, and tampers with what is exported of them.
package evidencetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Origin is that of every log here.
const Origin = "ward.example/audit"

// Log is a log with what is needed to hand parts of it over.
type Log struct {
	Store    audit.Store
	Log      *audit.Log
	Known    note.Verifiers
	Verifier string // the log's verifier key
	Keys     *seal.Keys
	History  [][]byte // the checkpoint of each size
	signer   note.Signer
}

// Grow makes a log of n entries in a store, under new keys.
func Grow(t testing.TB, store audit.Store, n int64) *Log {
	t.Helper()
	signerKey, verifierKey, err := audit.GenerateKey(Origin, rand.Reader)
	must(t, err)
	signer, err := note.NewSigner(signerKey)
	must(t, err)
	verifier, err := note.NewVerifier(verifierKey)
	must(t, err)
	g := &Log{Known: note.VerifierList(verifier), Verifier: verifierKey, signer: signer, Keys: audittest.Keys()}
	return g.Again(t, store, n)
}

// Again makes another log of n entries under the same keys. Its contents are sealed
// anew, so that none of its entries with one is the same.
func (g *Log) Again(t testing.TB, store audit.Store, n int64) *Log {
	t.Helper()
	again := *g
	again.Store, again.History = store, nil
	var err error
	again.Log, err = audit.Open(t.Context(), audit.Options{
		Store: store, Signer: g.signer, Keys: g.Keys, Origin: Origin, RetryEvery: time.Hour,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	must(t, err)
	t.Cleanup(func() { again.Log.Close(context.Background()) })
	again.remember(t)
	for i := range n {
		again.Append(t, Sample(i))
	}
	return &again
}

// Append adds an entry, and takes contents away with it.
func (g *Log) Append(t testing.TB, e audit.Entry, removals ...audit.Removal) {
	t.Helper()
	_, err := g.Log.AppendRemoval(t.Context(), e, removals)
	must(t, err)
	g.remember(t)
}

func (g *Log) remember(t testing.TB) {
	t.Helper()
	head, err := g.Store.Head(t.Context())
	must(t, err)
	g.History = append(g.History, head.Checkpoint)
}

// Erase takes the contents of entries away and records it.
func (g *Log) Erase(t testing.TB, seqs ...int64) {
	t.Helper()
	e := audit.Entry{Kind: audit.Erased, Time: At(g.Log.Size()), Operator: "clerk", Order: "0f", Entries: len(seqs)}
	var removals []audit.Removal
	for _, seq := range seqs {
		e.Removed = append(e.Removed, audit.Range{First: seq, Last: seq})
		for row, err := range g.Store.Rows(t.Context(), seq, seq+1) {
			must(t, err)
			terms, err := seal.Terms(row.Sealed)
			must(t, err)
			removals = append(removals, audit.Removal{Seq: seq, Terms: terms})
		}
	}
	g.Append(t, e, removals...)
}

// Options are those for handing over.
func (g *Log) Options(contents evidence.Contents) evidence.Options {
	return evidence.Options{Known: g.Known, Origin: Origin, Contents: contents, Keys: g.Keys}
}

// Export is an export of a range.
func (g *Log) Export(t testing.TB, o evidence.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := evidence.Write(t.Context(), &b, g.Store, o)
	must(t, err)
	return b.Bytes()
}

// Selection is an export of a selection.
func (g *Log) Selection(t testing.TB, o evidence.Options, seqs ...int64) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := evidence.WriteSelection(t.Context(), &b, g.Store, seqs, o)
	must(t, err)
	if n != int64(len(seqs)) {
		t.Fatalf("%d of %d entries were written", n, len(seqs))
	}
	return b.Bytes()
}

// Verify verifies an export.
func (g *Log) Verify(export []byte) (evidence.Report, error) {
	return evidence.Verify(bytes.NewReader(export), g.Known, Origin)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// At is the time of the i-th sample.
func At(i int64) time.Time { return time.Date(2026, 11, 2, 9, 30, 0, int(i%1000)*1e6, time.UTC) }

// Sample is audittest's, of which outcomes have a detail of about 1 KB. Two of every 18
// have no content.
func Sample(i int64) audit.Entry {
	if i%18/2 == 5 {
		return audit.Entry{Kind: audit.Started, Time: At(i), Software: "ward 1.0.0"}
	}
	e := audittest.Sample(i)
	if i%2 == 1 {
		e.Detail = json.RawMessage(`{"shown": [` + strings.Repeat(`"a plan of protection",`, 42) + "\n" + `"é"]}`)
	}
	return e
}

// Mixed is a log of 40 entries, of which some have lost their contents.
func Mixed(t testing.TB) *Log {
	t.Helper()
	g := Grow(t, new(audittest.Memory), 38)
	g.Erase(t, 3, 5, 7, 9)
	g.Append(t, Sample(0))
	return g
}
