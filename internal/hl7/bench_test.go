package hl7_test

import (
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// BenchmarkWriteInteraction writes the Spine's query interaction of either author
// form.
func BenchmarkWriteInteraction(b *testing.B) {
	for _, form := range []struct {
		name   string
		author cpis.Author
	}{{"person", nadia()}, {"system", hazelbrook()}} {
		b.Run(form.name, func(b *testing.B) {
			i := interactionBy(form.author)
			b.ReportAllocs()
			for b.Loop() {
				w := xmlstrict.NewWriter(8 << 10)
				hl7.WriteInteraction(w, i)
				_, err := w.Bytes()
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
