// Package clients plays the provider for a client system under test and judges the
// messages that come.
//
// There is no Spine behind it, and nothing here could reach one: whatever is asked,
// nobody is notified. Each NHS number of a fixed list stands for a situation, an
// answer or a failure, and everything that looks like data is invented. What only a
// person can see, the client's screens, is for a person to confirm.
package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/server"
)

// Config is what a Run needs.
type Config struct {
	TLS      *tls.Config       // must require and verify client certificates
	Register *clients.Register // the system under test and nobody else
	Subject  string            // its name and version, for the report
	Tool     string            // our build, for the report
	Expect   itk.Expectations  // all but what belongs to a client and a moment
	Limits   server.Limits
	Provider string // ODS code of the provider that is played

	Window time.Duration // in which no number may be asked about twice
	Slow   time.Duration // how long the slow answer takes
	GiveUp time.Duration // how long a client is left without an answer at most

	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string // an upper-case UUID, never the same twice
}

// silent is the one situation in which the client is to give up.
const silent = "answer-never"

// maxMessages bounds what a run remembers. A run needs less than fifty.
const maxMessages = 10_000

// Run is one run against one client. It is safe for concurrent use.
type Run struct {
	config     Config
	situations []situation
	london     *time.Location
	http       *http.Server
	places     chan struct{} // one for each request under way
	stopping   chan struct{} // closed when the run is to end
	complete   chan struct{} // closed when everything was asked and the window is over

	mu          sync.Mutex
	started     time.Time
	finished    time.Time
	messages    []message
	used        map[string]bool // ids of earlier messages
	connections connections
	underWay    int
	turnedAway  int         // requests for which there was no place
	quiet       *time.Timer // runs while nothing is left to ask
	completed   sync.Once
}

// New returns a Run. It fails only on a machine that does not know the time zone of
// the United Kingdom.
func New(config Config) (*Run, error) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	r := &Run{
		config:     config,
		situations: situations(),
		london:     london,
		places:     make(chan struct{}, config.Limits.Questions),
		stopping:   make(chan struct{}),
		complete:   make(chan struct{}),
		started:    config.Now(),
		used:       map[string]bool{},
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	r.http = &http.Server{
		Handler:                      http.HandlerFunc(r.serve),
		TLSConfig:                    r.watched(config.TLS),
		Protocols:                    protocols,
		ReadHeaderTimeout:            config.Limits.HeaderTimeout,
		ReadTimeout:                  config.Limits.HeaderTimeout + config.Limits.BodyTimeout,
		IdleTimeout:                  config.Limits.IdleTimeout,
		MaxHeaderBytes:               config.Limits.Header,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(config.Logger.With("event", "connection.refused").Handler(), slog.LevelWarn),
	}
	return r, nil
}

// Serve answers connections of the listener until Stop, and then returns nil.
func (r *Run) Serve(listener net.Listener) error {
	err := r.http.ServeTLS(netutil.LimitListener(listener, r.config.Limits.Connections), "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Complete is closed when every situation was asked about and a window has passed
// since, so that nothing more is to be expected.
func (r *Run) Complete() <-chan struct{} { return r.complete }

// Stop ends the run, once: no client is left waiting any longer, and nothing more is
// taken. It waits until ctx ends for what is under way, closes what is left, and
// returns the error of ctx if something was. The report can be made all the same.
func (r *Run) Stop(ctx context.Context) error {
	close(r.stopping)
	err := r.http.Shutdown(ctx)
	if err != nil {
		r.http.Close()
	}
	// Requests whose connection was closed end soon, and are then remembered.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.waitForRequests(closing)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = r.config.Now()
	if r.quiet != nil {
		r.quiet.Stop()
	}
	return err
}

// waitForRequests takes every place, which succeeds when no request holds one: net/http
// forgets those whose connection it gave up.
func (r *Run) waitForRequests(ctx context.Context) {
	for range cap(r.places) {
		select {
		case r.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// enter takes a place for a request, unless there is none.
func (r *Run) enter() bool {
	select {
	case r.places <- struct{}{}:
	default:
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay++
	if r.quiet != nil {
		r.quiet.Stop()
	}
	return true
}

// leave gives the place back and remembers what the request was.
func (r *Run) leave(m message) {
	defer func() { <-r.places }()
	r.mu.Lock()
	defer r.mu.Unlock()
	m.ended = r.config.Now()
	r.messages = append(r.messages, m)
	r.underWay--
	if r.underWay == 0 && r.everythingAsked() {
		r.quiet = time.AfterFunc(r.config.Window, func() {
			r.completed.Do(func() { close(r.complete) })
		})
	}
}

// full reports whether a run has seen more than any run needs.
func (r *Run) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages) >= maxMessages
}

// turnAway counts a request for which there is no place. What is not read may have
// been anything.
func (r *Run) turnAway() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnedAway++
}

func (r *Run) everythingAsked() bool {
	for i := range r.situations {
		if !r.wasServed(i) {
			return false
		}
	}
	return true
}

// wasServed reports whether a client got what a situation has for it.
func (r *Run) wasServed(i int) bool {
	return slices.ContainsFunc(r.messages, func(m message) bool { return m.situation == i && m.served })
}

// message is what is remembered of a request: nothing of its content but that the
// number stands for a situation.
type message struct {
	at, ended  time.Time
	form       string // what is wrong with the HTTP request, or ""
	unread     bool   // the message was not read
	broken     int    // place in itk.RuleIDs of the rule that it breaks; their number if none
	diagnostic string // of that rule
	invalid    string // what is wrong with the payload, or ""
	author     string // why the author is refused, or ""
	reused     string // which id an earlier message had, or ""
	messageID  string // only the UUID in it; "" if the message breaks a rule
	trackingID string
	plainID    bool // the message id is an upper-case UUID without a prefix
	hint       bool // it names the place of a schema
	situation  int  // its number's place in the list; -1 if there is none
	served     bool // it was answered with what its number stands for
	unlisted   bool // its number is not on the list
	status     int  // of the answer, 0 if there was none
	gaveUp     bool // the client had gone when the answer came, or was to come
}

// remember reports which id of a message an earlier one had, or "". An id of no
// query is empty.
func (r *Run) remember(messageID, trackingID, queryID string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	reused := ""
	for _, id := range [...]struct{ kind, value string }{
		{"message id", strings.ToUpper(messageID)}, {"tracking id", trackingID}, {"query id", queryID},
	} {
		key := id.kind + " " + id.value
		if id.value != "" && r.used[key] && reused == "" {
			reused = id.kind
		}
		r.used[key] = true
	}
	return reused
}

// find is the place of the situation for which a number stands, -1 if there is none.
func (r *Run) find(number cpis.NHSNumber) int {
	return slices.IndexFunc(r.situations, func(s situation) bool { return s.number == number.Digits() })
}
