package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

const (
	benchEntriesEnv = "WARD_BENCH_ENTRIES" // how many entries a long log has; 100,000

	each = 20 // entries about one patient in a long log
)

func benchEntries(b *testing.B) int {
	value := os.Getenv(benchEntriesEnv)
	if value == "" {
		return 100_000
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1000 {
		b.Fatalf("%s must be a number from 1000 on", benchEntriesEnv)
	}
	return n
}

// patient is a synthetic number, of which a log of n entries has n/each.
func patient(i int64) string { return fmt.Sprintf("999%07d", i) }

// question appends an intent and its outcome.
func question(log *audit.Log, i, patients int64) error {
	for kind := range int64(2) {
		e := sample(2*i + kind)
		e.NHSNumber = patient(i % patients)
		e.Time = e.Time.Add(time.Duration(i) * 10 * time.Millisecond)
		e.Author.UserID = fmt.Sprintf("5550%08d", i%300)
		e.MessageID = fmt.Sprintf("0B3C8A2E-9D2E-4B33-8C1B-%012d", i)
		e.TrackingID = fmt.Sprintf("6D1F4A77-1F0E-4D3C-9C39-%012d", i)
		e.QueryID = fmt.Sprintf("A4A9D7B3-52F2-4B0C-8D6A-%012d", i)
		_, err := log.Append(context.Background(), e)
		if err != nil {
			return err
		}
	}
	return nil
}

// long returns the path of a database of n entries or a few more, which goes on being
// used by later runs. Its entries come through the log itself, in large groups.
func long(b *testing.B, k keys, n int) string {
	b.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("ward-bench-4-%d.db", n))
	store := openStore(b, path)
	options := k.options(store)
	// In groups as large as a block the terms of each come in their order.
	options.MaxGroup, options.MaxQueue, options.MaxWait = audit.BlockSize, 2*audit.BlockSize, time.Second
	log := openLog(b, options)
	began, had := time.Now(), log.Size()
	if missing := int64(n) - had; missing > 0 {
		parallel(audit.BlockSize, int(missing+1)/2, func(i int64) error { return question(log, had/2+i, int64(n)/each) }, b.Error)
		b.Logf("%d entries were added in %v", missing, time.Since(began).Round(time.Second))
	}
	closeAll(b, log, store)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s: %d MB", path, info.Size()>>20)
	return path
}

// BenchmarkScale measures, in one run, what the length of a log makes of its speed.
func BenchmarkScale(b *testing.B) {
	k := parseKeys(b, v1Signer, v1Verifier)
	n := benchEntries(b)
	path := long(b, k, n)
	appendTo := func(b *testing.B, path string) {
		store := openStore(b, path)
		log := openLog(b, k.options(store))
		base := log.Size() / 2
		b.ResetTimer()
		parallel(64, (b.N+1)/2, func(i int64) error { return question(log, base+i, int64(n)/each) }, b.Error)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		b.StopTimer()
		closeAll(b, log, store)
	}
	for range 2 { // in turn, since a machine is not always as fast
		b.Run("append/empty", func(b *testing.B) { appendTo(b, filepath.Join(b.TempDir(), "audit.db")) })
		b.Run("append/long", func(b *testing.B) { appendTo(b, path) })
	}
	store, err := sqlite.OpenReadOnly(path)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	head, err := store.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("search", func(b *testing.B) { search(b, store, head.Size, k.personal) })
	b.Run("proof", func(b *testing.B) { prove(b, store, head, k) })
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			mustVerify(b, store, k.public, "")
		}
		b.ReportMetric(float64(head.Size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			err := store.Check(b.Context())
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// percentiles reports the times of single operations.
func percentiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	at := func(p int) float64 { return float64(times[(len(times)-1)*p/100].Microseconds()) / 1000 }
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(95), "p95-ms")
	b.ReportMetric(at(100), "max-ms")
}

// search finds the newest 100 entries about a patient, and opens them.
func search(b *testing.B, store audit.Reader, size int64, keys *seal.Keys) {
	var times []time.Duration
	found := 0
	for b.Loop() {
		began := time.Now()
		terms := audit.TermsOf(keys, audit.FieldNHSNumber, patient(rand.Int64N(size/each)))
		seqs, err := store.Find(b.Context(), [][]seal.Term{terms}, 0, size, 100)
		if err != nil {
			b.Fatal(err)
		}
		for _, seq := range seqs {
			for record, err := range audit.Entries(b.Context(), store, keys, seq, seq+1) {
				if err != nil || record.State != audit.Whole {
					b.Fatal(record.State, err)
				}
				found++
			}
		}
		times = append(times, time.Since(began))
	}
	if found == 0 {
		b.Fatal("nothing was found")
	}
	b.ReportMetric(float64(found)/float64(b.N), "found/op")
	percentiles(b, times)
}

// prove proves that an entry is in the log.
func prove(b *testing.B, store audit.Reader, head audit.Head, k keys) {
	hashes := audit.Hashes(b.Context(), store)
	c, err := audit.OpenCheckpoint(head.Checkpoint, k.public, origin)
	if err != nil {
		b.Fatal(err)
	}
	var times []time.Duration
	for b.Loop() {
		seq := rand.Int64N(c.Size)
		began := time.Now()
		proof, err := tlog.ProveRecord(c.Size, seq, hashes)
		if err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(began))
		for row, err := range store.Rows(b.Context(), seq, seq+1) {
			if err == nil {
				err = tlog.CheckRecord(proof, c.Size, c.Root, seq, tlog.RecordHash(row.Leaf))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	percentiles(b, times)
}

// BenchmarkMemory reports what is in use after some appends, and after ten times as
// many: it must not grow with the log.
func BenchmarkMemory(b *testing.B) {
	few := benchEntries(b) / 10
	store := openStore(b, filepath.Join(b.TempDir(), "audit.db"))
	log := openLog(b, newKeys(b).options(store))
	heap := func(entries int) float64 {
		base := log.Size() / 2
		parallel(64, (entries-int(log.Size()))/2, func(i int64) error { return question(log, base+i, int64(few)) }, b.Error)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	b.ReportMetric(heap(few), "MB-after-few")
	b.ReportMetric(heap(10*few), "MB-after-ten-times")
	closeAll(b, log, store)
}
