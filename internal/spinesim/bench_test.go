package spinesim_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// BenchmarkQueries measures whole exchanges on kept mutual-TLS connections, the
// client as lean as can be and in the same process. -cpu 1 gives both ends one
// core, so the simulator alone does better than this says.
func BenchmarkQueries(b *testing.B) {
	for _, tt := range []struct {
		name   string
		number func(i int64) string
	}{
		{"not found", func(int64) string { return "9990000034" }},
		{"3 accesses", func(int64) string { return "9990000018" }},
		{"25 accesses", func(int64) string { return "9990000301" }},
		{"1000 generated children", nil},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := start(b, func(c *spinesim.Config) { c.Generate = 1000 })
			number := tt.number
			if number == nil {
				children := s.Children(0)
				generated := children[len(children)-1000:]
				number = func(i int64) string { return generated[i%1000].NHSNumber }
			}
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				exchange(b, s, func() (int64, bool) { return next.Add(1), pb.Next() }, number)
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}

// exchange sends one query after the other over one connection.
func exchange(b *testing.B, s *spinesim.Simulator, next func() (int64, bool), number func(int64) string) {
	c, err := tls.Dial("tcp", s.Addr(), clientTLS())
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	const idMark, numberMark = "FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF", "9999999999"
	parts := query{hl7ID: idMark, queryID: idMark, number: numberMark, time: "20260301093000+0000"}.xml()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nSOAPAction: %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n",
		spinesim.DefaultPath, queryAction, len(parts))
	reader := bufio.NewReaderSize(c, 64<<10)
	for {
		i, more := next()
		if !more {
			return
		}
		id := fmt.Sprintf("%08X-0000-4000-8000-%012X", b.N, i)
		request := strings.NewReplacer(idMark, id, numberMark, number(i)).Replace(parts)
		_, err = io.WriteString(c, head+request)
		if err != nil {
			b.Error(err)
			return
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			b.Error(err)
			return
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err != nil || response.StatusCode != 200 {
			b.Errorf("status %d, %v", response.StatusCode, err)
			return
		}
	}
}
