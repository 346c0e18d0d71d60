package spine

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/replies"
)

// H-03, WRD-SPN-07: no copy is sent of a message that has its reply, even while whoever
// waits for that has not been told yet.
func TestNoCopyOfAMessageThatHasItsReply(t *testing.T) {
	for replied, want := range map[bool]int64{false: 3, true: 1} {
		t.Run(fmt.Sprintf("replied=%t", replied), func(t *testing.T) {
			room := replies.NewRoom(replies.Options{Waiting: 1, Remembered: 1, Remember: time.Minute, Now: time.Now})
			defer room.Stop()
			server, clientTLS := tlsPair(t)
			listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
			if err != nil {
				t.Fatal(err)
			}
			var copies atomic.Int64
			ended := make(chan struct{})
			go func() { // reads messages, and acknowledges none
				defer close(ended)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, err = http.ReadRequest(bufio.NewReader(conn))
					if err == nil && copies.Add(1) == 1 && replied {
						room.Bring(askedID, replies.Reply{})
					}
					conn.Close()
				}
			}()
			defer func() { listener.Close(); <-ended }()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			expected, err := room.Expect(ctx, replies.Question{MessageID: askedID, Until: time.Now().Add(time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			defer expected.Close()
			c := New(Config{
				TLS: clientTLS, ConnectTimeout: time.Minute, WriteTimeout: time.Minute, FirstByteTimeout: time.Minute, IdleTimeout: time.Minute,
				MaxConnections: 1, MaxReply: 1 << 16, Now: time.Now,
			})
			defer c.Close()
			route := Route{
				Endpoint: &url.URL{Scheme: "https", Host: listener.Addr().String(), Path: "/query"},
				Contract: ebxml.Contract{AckRequested: true, DuplicateElimination: true, Retries: 2, RetryInterval: time.Millisecond, PersistDuration: time.Hour},
			}
			var resent atomic.Bool
			s := c.send(ctx, route, request(route.Endpoint, "text/xml", nil), askedID, expected, &resent)
			if copies.Load() != want || resent.Load() == replied || s.final || s.failure.Outcome() != cpis.AsyncNotAcked {
				t.Errorf("%d messages were sent, want %d; resent %t, %s, final %t", copies.Load(), want, resent.Load(), s.failure.Outcome(), s.final)
			}
		})
	}
}
