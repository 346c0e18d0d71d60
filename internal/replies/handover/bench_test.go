//go:build postgres

package handover_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/replies"
)

// BenchmarkHandOver asks in one room and has each reply reach another, by how many
// questions are under way. Its metrics are the times of one reply from its delivery
// to the question's having it, and of a whole question with all four statements.
func BenchmarkHandOver(b *testing.B) {
	payload := strings.Repeat("x", 8<<10)
	for _, underWay := range []int{1, 16, 100} {
		b.Run(fmt.Sprintf("%d under way", underWay), func(b *testing.B) {
			url, keys := database(b), newKeys(b)
			asker, receiver := newReplica(b, url, keys), newReplica(b, url, keys)
			time.Sleep(500 * time.Millisecond) // both listen by then
			var mu sync.Mutex
			var handed, whole []time.Duration
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var running sync.WaitGroup
			for range underWay {
				running.Go(func() {
					for left.Add(-1) >= 0 {
						id := newID()
						began := time.Now()
						e, err := asker.Expect(b.Context(), replies.Question{MessageID: id, Correlation: "of " + id, Until: began.Add(9 * time.Second)})
						if err != nil {
							b.Error(err)
							return
						}
						came := time.Now()
						fate, _, err := receiver.Deliver(b.Context(), id, replies.Reply{Payload: payload})
						if fate != replies.Delivered || err != nil {
							b.Errorf("Deliver = %s, %v", fate, err)
						}
						_, err = e.Wait(b.Context())
						if err != nil {
							b.Error(err)
						}
						there := time.Now()
						e.Close()
						mu.Lock()
						handed, whole = append(handed, there.Sub(came)), append(whole, time.Since(began))
						mu.Unlock()
					}
				})
			}
			running.Wait()
			b.StopTimer()
			for name, times := range map[string][]time.Duration{"reply": handed, "question": whole} {
				slices.Sort(times)
				for _, percent := range []int{50, 99} {
					b.ReportMetric(float64(times[(len(times)-1)*percent/100].Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", name, percent))
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
		})
	}
}
