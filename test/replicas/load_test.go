//go:build postgres

package replicas_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/stage"
)

const (
	askers    = 6   // clients of each instance
	replayers = 2   // who send messages again, to another instance
	keptSent  = 512 // messages that wait to be sent again
)

// answer is one that a client received whole.
type answer struct {
	correlation, messageID, number string
	code                           cpis.Code
}

// load is clients that ask each instance as fast as they are answered.
type load struct {
	clients  []*client.Client // one for each instance
	urls     []string
	settings *config.ClientSettings
	numbers  stage.Numbers
	ended    atomic.Bool
	running  sync.WaitGroup
	again    chan sent
	answered []atomic.Int64 // by each instance

	mu       sync.Mutex
	answers  []answer
	faults   int // answers that told of a failure
	replayed int // messages that were refused since another instance had them
}

// sent is a message that one instance was sent.
type sent struct {
	to      int
	content []byte
}

func newLoad(t *testing.T, instances []*stage.Stage) *load {
	t.Helper()
	l := &load{again: make(chan sent, keptSent), answered: make([]atomic.Int64, len(instances))}
	for _, each := range instances {
		asker, settings, err := each.Asker()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(asker.Close)
		l.clients, l.urls, l.settings = append(l.clients, asker), append(l.urls, settings.URL), settings
	}
	return l
}

func (l *load) begin() {
	for i := range l.clients {
		for range askers {
			l.running.Go(func() {
				for !l.ended.Load() {
					l.ask(i)
				}
			})
		}
	}
	for range replayers {
		l.running.Go(l.replay)
	}
}

// end waits until no client asks any more.
func (l *load) end() {
	l.ended.Store(true)
	l.running.Wait()
}

// refusedAgain reports whether a message that was sent again was refused.
func (l *load) refusedAgain() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replayed > 0
}

// answersEverywhere waits until each instance has answered once more.
func (l *load) answersEverywhere(t *testing.T) {
	t.Helper()
	for i := range l.answered {
		before := l.answered[i].Load()
		for began := time.Now(); l.answered[i].Load() == before; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatalf("instance %d does not answer again", i)
			}
		}
	}
}

// ask asks an instance about a child that nobody asked about before, and reports
// whether it was answered.
func (l *load) ask(i int) bool {
	message, err := l.clients[i].Prepare(client.Question{
		Number: l.numbers.Take(), Author: l.settings.Author, AuditIdentities: l.settings.AuditIdentities,
	})
	if err != nil {
		panic(err) // the same question could be written a moment ago
	}
	r := l.clients[i].Send(context.Background(), message)
	if r.Answer.Outcome() != cpis.NotSent {
		select {
		case l.again <- sent{i, message.Content}:
		default:
		}
	}
	if r.Raw == nil {
		time.Sleep(5 * time.Millisecond) // it does not run
		return false
	}
	outcome := r.Answer.Outcome()
	whole := outcome == cpis.Found || outcome == cpis.NoRecord
	l.mu.Lock()
	defer l.mu.Unlock()
	if !whole {
		l.faults++
		return false
	}
	l.answered[i].Add(1)
	l.answers = append(l.answers, answer{
		correlation: r.Correlation,
		messageID:   r.MessageID,
		number:      r.Asked.Digits(),
		code:        cpis.Codes{}.Of(outcome),
	})
	return true
}

// replay sends messages once more, as they were, to an instance that has not had them.
func (l *load) replay() {
	transport := &http.Transport{TLSClientConfig: l.settings.TLS.Clone(), MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	for !l.ended.Load() {
		select {
		case m := <-l.again:
			response, err := sender.Post(l.urls[(m.to+1)%len(l.urls)], "text/xml", bytes.NewReader(m.content))
			if err != nil {
				continue
			}
			content, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if bytes.Contains(content, []byte(itk.DiagnosticReplayed)) {
				l.mu.Lock()
				l.replayed++
				l.mu.Unlock()
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
}
