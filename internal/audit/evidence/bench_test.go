package evidence_test

import (
	"bytes"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/evidence/evidencetest"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// BenchmarkVerify measures entries of a sealed export verified. The time of the
// processor is given too, which others on the machine change less.
func BenchmarkVerify(b *testing.B) {
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		b.Run(string(contents), func(b *testing.B) {
			const size = 1 << 12
			g := evidencetest.Grow(b, new(audittest.Memory), size)
			export := g.Export(b, g.Options(contents))
			b.SetBytes(int64(len(export)))
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				_, err := evidence.Verify(bytes.NewReader(export), g.Known, evidencetest.Origin)
				if err != nil {
					b.Fatal(err)
				}
			}
			used := processor() - before
			b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(b.N)*size/used.Seconds(), "entries/cpu-s")
		})
	}
}

func processor() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkWrite measures entries exported.
func BenchmarkWrite(b *testing.B) {
	const size = 1 << 12
	g := evidencetest.Grow(b, new(audittest.Memory), size)
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		_, err := evidence.Write(b.Context(), &out, g.Store, g.Options(evidence.Sealed))
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkProve measures a proof of one entry, made and verified, from a database
// (WRD-AUD-17).
func BenchmarkProve(b *testing.B) {
	store, err := sqlite.Open(filepath.Join(b.TempDir(), "audit.db"))
	must(b, err)
	b.Cleanup(func() { store.Close() })
	g := evidencetest.Grow(b, store, 1000)
	b.Run("prove", func(b *testing.B) {
		before := processor()
		for b.Loop() {
			_, err := evidence.Prove(b.Context(), store, 123, g.Options(evidence.Sealed))
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((processor()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	})
	proof, err := evidence.Prove(b.Context(), store, 123, g.Options(evidence.Sealed))
	must(b, err)
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			_, err := evidence.VerifyProof(proof, g.Known, evidencetest.Origin)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
