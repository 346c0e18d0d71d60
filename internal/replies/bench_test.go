package replies_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/replies"
)

// BenchmarkRoom is the whole stay of a question in the room: expected, replied to and
// ended, beside as many that wait. The room remembers as many as a provider's does, so
// that each forgets another one in the long run.
func BenchmarkRoom(b *testing.B) {
	payload := strings.Repeat("x", 8<<10)
	for _, waiting := range []int{0, 1000} {
		b.Run(fmt.Sprintf("%d wait", waiting), func(b *testing.B) {
			r := replies.NewRoom(replies.Options{Waiting: waiting + 100, Remembered: 100_000, Remember: time.Hour, Now: time.Now})
			defer r.Stop()
			until := time.Now().Add(time.Hour)
			for i := range waiting {
				e, err := r.Expect(b.Context(), replies.Question{MessageID: fmt.Sprintf("waits %d", i), Until: until})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
			}
			var count atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := fmt.Sprintf("7A1C0B5E-0000-4000-8000-%012X", count.Add(1))
					e, err := r.Expect(b.Context(), replies.Question{MessageID: id, Correlation: id, Until: until})
					if err != nil {
						b.Error(err)
						return
					}
					fate, _, err := r.Deliver(b.Context(), id, replies.Reply{Payload: payload})
					if fate != replies.Delivered || err != nil {
						b.Errorf("Deliver = %s, %v", fate, err)
					}
					_, err = e.Wait(b.Context())
					if err != nil {
						b.Error(err)
					}
					e.Close()
				}
			})
		})
	}
}
