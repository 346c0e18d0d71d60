package spine

import (
	"sync"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

// Place takes a place for one question that is going to be asked. Over the synchronous
// pattern there are as many as connections and questions that may wait for one, so that
// a slow Spine does not hold more. Whoever gets none is turned away before anything of
// the question is read; who gets one must leave it when the question has ended.
func (c *Client) Place() (leave func(), ok bool) {
	select {
	case c.places <- struct{}{}:
		return sync.OnceFunc(func() { <-c.places }), true
	default:
		return nil, false
	}
}

// Load is how much of a Client is in use.
type Load struct {
	Places      int // taken
	Connections int // on which a question is, or which are being made
	Waiting     int // questions that wait for a connection
	Circuit     circuit.State
}

// Load is how much is in use now.
func (c *Client) Load() Load {
	return Load{
		Places:      len(c.places),
		Connections: len(c.pool.slots),
		Waiting:     int(c.pool.waiting.Load()),
		Circuit:     c.circuit.State(),
	}
}

// verdict is what an answer says about whether the Spine answers (WRD-OPS-17).
func verdict(answer cpis.Answer) circuit.Result {
	switch answer.Outcome() {
	case cpis.NotSent:
		switch answer.Reason() {
		case noneFree, noTimeLeft, notAwaited:
			return circuit.Neither
		}
		return circuit.Failed
	case cpis.SentNoAnswer, cpis.AsyncNotAcked, cpis.AsyncNoReply, cpis.SpineHTTPError:
		return circuit.Failed
	case cpis.Found, cpis.NoRecord, cpis.AuthorRejectedBySpine, cpis.SpineFaultConfig, cpis.SpineFault, cpis.SpineReject,
		cpis.SpineDuplicate, cpis.SpineError, cpis.SpineAckOnly, cpis.ResponseInvalid:
		return circuit.Answered
	default:
		return circuit.Neither
	}
}
