package audit_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// BenchmarkAppend measures durable entries, by the number of goroutines that
// each wait for their entry.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(appenders), func(b *testing.B) {
			store := openStore(b, filepath.Join(b.TempDir(), "audit.db"))
			log := openLog(b, newKeys(b).options(store))
			b.ReportAllocs()
			b.ResetTimer()
			parallel(appenders, b.N, func(i int64) error {
				_, err := log.Append(b.Context(), sample(i))
				return err
			}, b.Error)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.StopTimer()
			closeAll(b, log, store)
		})
	}
}

// BenchmarkRows commits the same rows in groups of 64 to the same tables without
// tree, signature and queue, sealed by as many goroutines: what these cost is what
// BenchmarkAppend/64 takes longer.
func BenchmarkRows(b *testing.B) {
	const size = 64
	store := openStore(b, filepath.Join(b.TempDir(), "audit.db"))
	signed := make([]byte, 183)
	keys := audittest.Keys()
	b.ReportAllocs()
	b.ResetTimer()
	for base := int64(0); base < int64(b.N); base += size {
		g := audit.Group{Base: base, Checkpoint: signed, Spans: []audit.Span{{Number: base / audit.SpanSize, Last: base}}}
		g.Rows = make([]audit.Row, size)
		terms := make([][]audit.TermRow, size)
		parallel(size, size, func(i int64) error {
			g.Rows[i], terms[i] = audit.NewRow(base+i, sample(base+i), keys)
			return nil
		}, b.Error)
		for i := range int64(size) {
			g.Terms = append(g.Terms, terms[i]...)
			if e := sample(base + i); i%2 == 0 {
				g.Opened = append(g.Opened, audit.Opened{Seq: base + i, Correlation: e.Correlation})
			} else {
				g.Closed = append(g.Closed, audit.Opened{Seq: base + i, Correlation: e.Correlation})
			}
		}
		err := audittest.Commit(b.Context(), store, g)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkVerify measures entries verified (WRD-PERF-07: a million in 10 s).
func BenchmarkVerify(b *testing.B) {
	k := newKeys(b)
	store := openStore(b, filepath.Join(b.TempDir(), "audit.db"))
	log := openLog(b, k.options(store))
	parallel(64, (b.N+1)/2, func(i int64) error { return question(log, i, 1000) }, b.Error)
	b.ReportAllocs()
	b.ResetTimer()
	report := mustVerify(b, store, k.public, "")
	b.ReportMetric(float64(report.Entries)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkReadLeaf(b *testing.B) {
	row, _ := audit.NewRow(1, sample(1), audittest.Keys())
	leaf := row.Leaf
	b.SetBytes(int64(len(leaf)))
	b.ReportAllocs()
	var r audit.LeafReader
	for b.Loop() {
		_, err := r.Read(leaf)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// parallel calls do n times from a number of goroutines.
func parallel(goroutines, n int, do func(i int64) error, report func(...any)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				err := do(i)
				if err != nil {
					report(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// sample is audittest's: even ones are intents, and the odd ones their outcomes.
func sample(i int64) audit.Entry { return audittest.Sample(i) }
