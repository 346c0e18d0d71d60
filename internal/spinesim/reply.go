package spinesim

import (
	"cmp"
	"time"
)

// Reply is what is remembered of one reply in the asynchronous pattern, once its story
// has ended.
type Reply struct {
	Sequence       int64     `json:"sequence"`          // from 1, in the order in which the stories ended
	QuestionID     string    `json:"question_id"`       // the request's eb:MessageId
	QueryID        string    `json:"query_id"`          // the event id
	NHSNumber      string    `json:"nhs_number"`        // as asked for
	Behaviour      Behaviour `json:"behaviour"`         // empty for the reply to a refused query
	MessageID      string    `json:"message_id"`        // the reply's own
	RefToMessageID string    `json:"ref_to_message_id"` // as written, empty for none
	Action         string    `json:"action"`

	// Chaos is what was done to the reply, empty for nothing; Delay is how long it was
	// kept back on purpose, without the time for which others had to overtake it.
	Chaos Disturbance   `json:"chaos,omitempty"`
	Delay time.Duration `json:"delay_ns"`

	// Fate says how the story ended; Posts are the attempts, oldest first.
	Fate  Fate   `json:"fate"`
	Posts []Post `json:"posts"`
}

// Fate is how the story of a reply ended.
type Fate string

// The fates.
const (
	Delivered Fate = "delivered" // the last POST was answered by 2xx, with its acknowledgement if it asked for one
	Failed    Fate = "failed"    // the last POST was not
	Lost      Fate = "lost"      // chaos wanted it: never posted
	Nowhere   Fate = "nowhere"   // there was no URL to post to
	Forgotten Fate = "forgotten" // the simulator was reset or closed first, or too many replies waited
)

// Post is one attempt to deliver a reply.
type Post struct {
	Time         time.Time `json:"time"` // when it began
	URL          string    `json:"url"`
	Status       int       `json:"status"` // HTTP; 0 for no answer
	Acknowledged bool      `json:"acknowledged"`
	Error        string    `json:"error,omitempty"`
}

// reply is a Reply on its way, as it goes out.
type reply struct {
	Reply
	step           Step
	way            way
	times, retries int
	retryInterval  time.Duration
	mustAck        bool
	holdFor        int             // later replies that overtake it
	holdAtMost     time.Duration   // how long it waits for them
	stop           <-chan struct{} // closed when it is to be forgotten
	contentType    string
	body           []byte
}

// newReply makes the message of a composed answer, disturbed where chaos wants it. A
// behaviour that posts in its own way is left alone.
func (c *call) newReply(r response, m meaning) *reply {
	h := c.answering()
	h.action, h.refTo = r.action, r.refTo
	request, contract := c.m.ebxml, c.sim.cfg.Contract
	h.duplicateElimination, h.ackRequested, h.syncReply = request.duplicateElimination, request.ackRequested, request.syncReply
	card := card{}
	if m.way == nil && m.times == 0 {
		card = c.sim.chaos.draw(c.step.Chaos)
	}
	if card.disturbance == WrongReference {
		h.refTo = derivedID("a message that never was")
	}
	out := &reply{
		Reply: Reply{
			QuestionID: request.messageID, QueryID: c.m.queryID, NHSNumber: c.m.nhsNumber, Behaviour: c.step.Behaviour,
			MessageID: h.messageID, RefToMessageID: h.refTo, Action: h.action,
			Chaos: card.disturbance, Delay: c.delay(m) + card.delay,
		},
		step:       c.step,
		way:        m.way,
		times:      max(1, m.times),
		mustAck:    h.ackRequested,
		holdFor:    card.holdFor,
		holdAtMost: card.holdAtMost,
	}
	if h.ackRequested {
		out.retries, out.retryInterval = contract.Retries, contract.RetryInterval
	}
	if card.disturbance == Duplicate {
		out.times = 2
	}
	var payloadAt int
	out.body, payloadAt = ebBusiness(h, r.body)
	delimiter := boundary
	switch card.disturbance {
	case FlipBits:
		card.flip(out.body[payloadAt : payloadAt+len(r.body)])
	case TruncateMIME:
		out.body = out.body[:len(out.body)*2/3]
	case OtherBoundary:
		delimiter = "--=_another-boundary"
	}
	out.contentType = multipartType(delimiter)
	if r.contentType != mediaXML {
		out.contentType = r.contentType
	}
	return out
}

// delay is how long the step and the behaviour keep the reply back. Of a behaviour
// that posts in its own way the step's delay means something else.
func (c *call) delay(m meaning) time.Duration {
	d := c.sim.cfg.Delay
	if m.way == nil {
		d += cmp.Or(c.step.Delay, m.wait)
	}
	return d
}
