package replies

import (
	"context"
	"fmt"
	"time"
)

// lastLook bounds how long the end of a question waits for the other replicas: it is
// taken from the time that is kept for recording the outcome.
const lastLook = 300 * time.Millisecond

// Expected is a question that waits. It is for one goroutine, but for Answered.
type Expected struct {
	room     *Room
	question Question
	reply    chan Reply // holds one
	answered bool       // under the room's mutex
	ended    bool
}

// take is called with the room's mutex held, once.
func (e *Expected) take(reply Reply) {
	e.answered = true
	e.reply <- reply
}

// Wait returns the reply as soon as it is there. It ends with ErrNoReply at the
// question's Until, or when ctx ends: no reply is taken any more from then on.
func (e *Expected) Wait(ctx context.Context) (Reply, error) {
	timer := time.NewTimer(e.question.Until.Sub(e.room.options.Now()))
	defer timer.Stop()
	err := ErrNoReply
	select {
	case reply := <-e.reply:
		return reply, nil
	case <-timer.C:
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrNoReply, context.Cause(ctx))
	}
	e.end()
	// It may have come at the last moment.
	select {
	case reply := <-e.reply:
		return reply, nil
	default:
		return Reply{}, err
	}
}

// Answered reports whether the question has its reply, which Wait need not have
// returned yet. It may be called by any goroutine.
func (e *Expected) Answered() bool {
	e.room.mu.Lock()
	defer e.room.mu.Unlock()
	return e.answered
}

// Close ends the question. A reply that Wait did not return is discarded.
func (e *Expected) Close() {
	if !e.ended {
		e.end()
	}
	select {
	case reply := <-e.reply:
		e.room.untaken(Discard{Fate: Late, RefTo: e.question.MessageID, Correlation: e.question.Correlation, Reply: reply})
	default:
	}
}

// end makes every further reply Repeated or Late. What another replica has left for
// the question until now is still taken. If that cannot be found out, because the
// exchange is gone, it is told to whoever finds it there later.
func (e *Expected) end() {
	e.ended = true
	r := e.room
	if r.options.Exchange != nil {
		answered := e.Answered()
		ctx, cancel := context.WithTimeout(context.Background(), lastLook)
		defer cancel()
		left, found, err := r.options.Exchange.End(ctx, e.question.MessageID, answered)
		if err == nil && found {
			r.arrive(left)
		}
	}
	r.remember(e)
}
