// Package replies is where the Spine's asynchronous replies meet the questions that
// wait for them: a room in which each reply is handed to the one question that it
// answers or to nobody, and the listener at which the Spine delivers them.
package replies

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// Question is a message to the Spine that a reply is awaited for.
type Question struct {
	MessageID   string // an upper-case UUID; compared without case
	Correlation string // of the entries of the audit log that belong to it
	Until       time.Time
}

// Reply is one message of the Spine that refers to one of ours.
type Reply struct {
	Action    string // its interaction, or "MessageError"
	MessageID string
	Payload   string        // the XML document; "" with a MessageError
	Errors    []ebxml.Error // of a MessageError
	Received  time.Time
}

// Fate is what became of a reply. Exactly one holds of each.
type Fate string

// The fates of replies (WRD-SPN-17).
const (
	Delivered Fate = "delivered" // the question that it answers has it
	Repeated  Fate = "repeated"  // that question has another one
	Late      Fate = "late"      // nobody waits any more
	Unasked   Fate = "unasked"   // it refers to no message that is known to have been sent
)

var (
	// ErrNoReply is returned by Wait where no reply came in time.
	ErrNoReply = errors.New("no reply came in time")
	// ErrFull is returned by Expect where as many questions wait as may.
	ErrFull = errors.New("too many questions wait for replies")
	// ErrUsed is returned by Expect for the id of an earlier message.
	ErrUsed = errors.New("another message had the same id")
)

// Options say how much a Room holds.
type Options struct {
	Waiting    int           // questions at a time
	Remembered int           // questions that ended, by which Late and Repeated are told from Unasked
	Remember   time.Duration // for how long
	Now        func() time.Time

	// Exchange is where the rooms of other replicas are met; nil if there are none.
	Exchange Exchange
	// Untaken is told of a reply whose fate was Delivered and that nobody took after
	// all; nil if nobody is to be told.
	Untaken func(Discard)
}

// Exchange is where the rooms of several replicas meet, since the Spine delivers a
// reply to any of them. It may be used by several goroutines.
type Exchange interface {
	// Expect makes it known that a question waits here for so long. It returns nil
	// only if replies that reach other replicas will be left for it.
	Expect(ctx context.Context, q Question, life time.Duration) error
	// End makes it known that a question waits no more, and whether it has its reply.
	// It returns one that was left for it meanwhile and was not given to Run.
	End(ctx context.Context, messageID string, answered bool) (left Left, found bool, err error)
	// Leave leaves a reply for the room where the question waits that it answers.
	Leave(ctx context.Context, refTo string, reply Reply) (fate Fate, correlation string, err error)
	// Run gives out what is left for this room, and what nobody fetched, until ctx
	// ends. What End returns for a question is never given out.
	Run(ctx context.Context, arrived func(Left))
}

// Left is a reply that reached another replica.
type Left struct {
	RefTo       string // the id of our message
	Correlation string
	Reply       Reply
}

// Room is where questions wait. It may be used by several goroutines.
type Room struct {
	options Options
	running sync.WaitGroup // the exchange
	stop    context.CancelFunc
	telling sync.WaitGroup // of what nobody took; none is added once it is stopped

	mu      sync.Mutex
	stopped bool
	waiting map[string]*Expected // by the id of their message
	ended   map[string]ending
	order   []string // the keys of ended, the oldest first
}

// ending is what is remembered of a question.
type ending struct {
	correlation string
	answered    bool
	at          time.Time
}

// NewRoom opens a room. Stop must follow.
func NewRoom(options Options) *Room {
	r := &Room{options: options, waiting: map[string]*Expected{}, ended: map[string]ending{}}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	if options.Exchange != nil {
		r.running.Go(func() { options.Exchange.Run(ctx, r.arrive) })
	}
	return r
}

// Stop ends what the room does of itself, and returns when everything that nobody took
// has been told. Questions that still wait get no reply from other replicas any more.
// It belongs before the end of the log in which that is recorded.
func (r *Room) Stop() {
	r.stop()
	r.running.Wait()
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.telling.Wait()
}

// Expect announces a question, before its message leaves: a reply may be faster than
// whoever sends. If it fails nothing must be sent. Otherwise Close must follow.
func (r *Room) Expect(ctx context.Context, q Question) (*Expected, error) {
	if q.MessageID == "" {
		return nil, errors.New("replies: a question needs the id of its message")
	}
	q.MessageID = strings.ToUpper(q.MessageID)
	e := &Expected{room: r, question: q, reply: make(chan Reply, 1)}
	err := r.enter(e)
	if err != nil {
		return nil, fmt.Errorf("replies: %w", err)
	}
	if r.options.Exchange == nil {
		return e, nil
	}
	err = r.options.Exchange.Expect(ctx, q, q.Until.Sub(r.options.Now()))
	if err != nil {
		r.mu.Lock()
		delete(r.waiting, q.MessageID)
		r.mu.Unlock()
		return nil, fmt.Errorf("replies: the question could not be made known to the other instances: %w", err)
	}
	return e, nil
}

func (r *Room) enter(e *Expected) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	_, waits := r.waiting[e.question.MessageID]
	_, ended := r.ended[e.question.MessageID]
	switch {
	case waits || ended:
		return ErrUsed
	case len(r.waiting) >= r.options.Waiting:
		return ErrFull
	}
	r.waiting[e.question.MessageID] = e
	return nil
}

// Deliver hands a reply to the question that it answers, if that waits here or in the
// room of another replica. The correlation is that of the question, "" if it is not
// known. After an error the reply has no fate: whoever sent it may try again.
func (r *Room) Deliver(ctx context.Context, refTo string, reply Reply) (fate Fate, correlation string, err error) {
	refTo = strings.ToUpper(refTo)
	fate, correlation = r.deliver(refTo, reply)
	if fate != Unasked || refTo == "" || r.options.Exchange == nil {
		return fate, correlation, nil
	}
	fate, correlation, err = r.options.Exchange.Leave(ctx, refTo, reply)
	if err != nil {
		return "", "", fmt.Errorf("replies: the reply could not be left for another instance: %w", err)
	}
	return fate, correlation, nil
}

// Bring hands over a reply that came in the HTTP response to our own message, to the
// question that sent it. If that has another one, or has ended, it is untaken.
func (r *Room) Bring(refTo string, reply Reply) {
	fate, correlation := r.deliver(strings.ToUpper(refTo), reply)
	if fate != Delivered {
		r.untaken(Discard{Fate: fate, RefTo: refTo, Correlation: correlation, Reply: reply})
	}
}

// deliver is Deliver for the questions of this room.
func (r *Room) deliver(refTo string, reply Reply) (Fate, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	e, waits := r.waiting[refTo]
	before, ended := r.ended[refTo]
	switch {
	case waits && e.answered:
		return Repeated, e.question.Correlation
	case waits && !r.options.Now().Before(e.question.Until):
		return Late, e.question.Correlation
	case waits:
		e.take(reply)
		return Delivered, e.question.Correlation
	case ended && before.answered:
		return Repeated, before.correlation
	case ended:
		return Late, before.correlation
	default:
		return Unasked, ""
	}
}

// arrive takes in what was left for this room. It was in time when it was left. What
// nobody takes is told meanwhile: an answer, and those who fetch, must not wait for it.
func (r *Room) arrive(left Left) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, waits := r.waiting[left.RefTo]
	fate := Late
	switch {
	case waits && !e.answered:
		e.take(left.Reply)
		return
	case waits || r.ended[left.RefTo].answered:
		fate = Repeated
	}
	tell := func() {
		r.untaken(Discard{Fate: fate, RefTo: left.RefTo, Correlation: left.Correlation, Reply: left.Reply})
	}
	if r.stopped {
		go tell() // by a question that outlived the room: nobody waits for it
		return
	}
	r.telling.Go(tell)
}

func (r *Room) untaken(d Discard) {
	if r.options.Untaken != nil {
		r.options.Untaken(d)
	}
}

// remember ends a question in this room.
func (r *Room) remember(e *Expected) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := e.question.MessageID
	delete(r.waiting, id)
	r.ended[id] = ending{correlation: e.question.Correlation, answered: e.answered, at: r.options.Now()}
	r.order = append(r.order, id)
	r.forget()
}

// forget lets go of the oldest endings beyond the bounds.
func (r *Room) forget() {
	before := r.options.Now().Add(-r.options.Remember)
	for len(r.order) > 0 && (len(r.order) > r.options.Remembered || r.ended[r.order[0]].at.Before(before)) {
		delete(r.ended, r.order[0])
		r.order = r.order[1:]
	}
}
