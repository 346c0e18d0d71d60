package itk_test

import (
	"testing"
)

func BenchmarkReadRequest(b *testing.B) {
	for name, doc := range map[string]string{"person": personRequest().String(), "system": systemRequest().String()} {
		b.Run(name, func(b *testing.B) {
			expect := expectations()
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := read(doc)
				if err != nil {
					b.Fatal(err)
				}
			}
			_ = expect
		})
	}
}
