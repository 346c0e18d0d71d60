package sqlite_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// BenchmarkClaims commits entries with two claims each, one entry at a time, as one
// client that asks does. In the long run as many claims end as are added; in the first
// hours none do.
func BenchmarkClaims(b *testing.B) {
	for name, forget := range map[string]int64{"none ended": 0, "as many ended": 1000} {
		b.Run(name, func(b *testing.B) {
			store, err := sqlite.Open(filepath.Join(b.TempDir(), "audit.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			b.ReportAllocs()
			for base := int64(0); b.Loop(); base++ {
				g := audit.Group{
					Base:       base,
					Rows:       []audit.Row{{Seq: base, Leaf: make([]byte, 900), Hashes: []tlog.Hash{{}}}},
					Claims:     make([]audit.ClaimRow, 2),
					Forget:     forget,
					Checkpoint: make([]byte, 183),
				}
				for i := range g.Claims {
					binary.LittleEndian.PutUint64(g.Claims[i].Key[:], uint64(2*base)+uint64(i))
					g.Claims[i].Until = 1
				}
				err := audittest.Commit(b.Context(), store, g)
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
