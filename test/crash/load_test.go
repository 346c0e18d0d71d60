package crash_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/stage"
)

// answer is one that a client received whole.
type answer struct {
	correlation, messageID, number string
	code                           cpis.Code
	whole                          bool // it is an answer of the service, not a fault or a refusal
}

// load is a number of clients that ask as fast as they are answered.
type load struct {
	client   *client.Client
	settings *config.ClientSettings
	numbers  *stage.Numbers
	ended    atomic.Bool
	running  sync.WaitGroup
	earlier  [][]byte // messages that the run before may have asked about

	mu       sync.Mutex
	answers  []answer
	sent     [][]byte // the first few messages
	replayed int      // messages of earlier that were refused as such
}

// keptMessages is how many messages of a round are sent again in the next one, and
// replayers how many send them.
const (
	keptMessages = 100
	replayers    = 4
)

func newLoad(s *stage.Stage, n *stage.Numbers, earlier [][]byte) (*load, error) {
	asker, settings, err := s.Asker()
	if err != nil {
		return nil, err
	}
	return &load{client: asker, settings: settings, numbers: n, earlier: earlier}, nil
}

func (l *load) begin(clients int) {
	for first := range replayers {
		l.running.Go(func() { l.replay(first) })
	}
	for range clients {
		l.running.Go(func() {
			for !l.ended.Load() {
				l.ask()
			}
		})
	}
}

// replay sends some messages of the round before once more, as they were.
func (l *load) replay(first int) {
	transport := &http.Transport{TLSClientConfig: l.settings.TLS.Clone()}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for i := first; i < len(l.earlier) && !l.ended.Load(); i += replayers {
		response, err := sender.Post(l.settings.URL, "text/xml", bytes.NewReader(l.earlier[i]))
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		content, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if bytes.Contains(content, []byte(itk.DiagnosticReplayed)) {
			l.mu.Lock()
			l.replayed++
			l.mu.Unlock()
		}
	}
}

// ask asks about a child that nobody asked about before.
func (l *load) ask() {
	message, err := l.client.Prepare(client.Question{
		Number: l.numbers.Take(), Author: l.settings.Author, AuditIdentities: l.settings.AuditIdentities,
	})
	if err != nil {
		panic(err) // the same question could be written a moment ago
	}
	l.mu.Lock()
	if len(l.sent) < keptMessages {
		l.sent = append(l.sent, message.Content)
	}
	l.mu.Unlock()
	r := l.client.Send(context.Background(), message)
	if r.Raw == nil {
		time.Sleep(time.Millisecond) // not served yet, or no more
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, answer{
		correlation: r.Correlation,
		messageID:   r.MessageID,
		number:      r.Asked.Digits(),
		code:        cpis.Codes{}.Of(r.Answer.Outcome()),
		whole:       bytes.Contains(r.Raw, []byte("CP-ISNHSQueryResponse")),
	})
}

// answered reports whether any answer was one of the service.
func (l *load) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.answers, func(a answer) bool { return a.whole })
}

// end waits until no client asks any more, and returns what they received.
func (l *load) end() []answer {
	l.ended.Store(true)
	l.running.Wait()
	l.client.Close()
	return l.answers
}
