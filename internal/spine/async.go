package spine

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// attemptAsync makes one attempt over the asynchronous pattern, and says whether
// another one is allowed. The reply is waited for from before the message leaves:
// it can come before the Spine has acknowledged the message, or although the
// acknowledgement was lost.
func (c *Client) attemptAsync(ctx context.Context, route Route, correlation string, q cpis.Query, id string) (answer cpis.Answer, again bool) {
	message, err := c.renderMessage(route, q, id)
	if err != nil {
		return cpis.Failed(cpis.InternalNotSent, notWritten), false
	}
	deadline, _ := ctx.Deadline()
	expected, err := c.config.Replies.Expect(ctx, replies.Question{MessageID: id, Correlation: correlation, Until: deadline})
	if err != nil {
		return cpis.Failed(cpis.NotSent, notAwaited), false
	}
	defer expected.Close()

	// A reply that comes first ends the wait and whatever would be sent again, but not
	// an exchange under way.
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan signal, 1)
	var resent atomic.Bool
	go func() {
		s := c.send(waiting, route, message, id, expected, &resent)
		signals <- s
		if s.final {
			stop()
		}
		if s.reply != nil {
			c.config.Replies.Bring(id, *s.reply)
		}
	}()
	reply, err := expected.Wait(waiting)
	if err == nil {
		return c.judgeMessage(reply, q, id, resent.Load()), false
	}
	s := <-signals // which has the same deadline
	return s.failure, s.again
}

// renderMessage writes the whole HTTP request. The message and the interaction in it
// have one id, by which the reply may refer to either.
func (c *Client) renderMessage(route Route, q cpis.Query, id string) ([]byte, error) {
	w := xmlstrict.NewWriter(6 << 10)
	w.Declaration()
	c.writeInteraction(w, route, q, id)
	interaction, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	contentType, body, err := ebxml.WriteRequest(ebxml.Header{
		ConversationID: c.config.NewID(),
		Service:        service,
		Action:         hl7.QueryInteraction,
		MessageID:      id,
		Timestamp:      c.config.Now(),
	}, interaction, route.Contract)
	if err != nil {
		return nil, err
	}
	return request(route.Endpoint, contentType, body), nil
}

// signal is what became of sending: what the outcome is unless a reply comes.
type signal struct {
	failure cpis.Answer
	final   bool           // no reply will come
	again   bool           // another attempt is allowed
	reply   *replies.Reply // which came at once, instead of an acknowledgement
}

// send sends a message, and sends the same one once more only where the contract
// wants that and where the Spine has promised to drop what it has had before. It keeps
// a failure of Ward's own, over what came, to this question (WRD-VAL-18).
func (c *Client) send(ctx context.Context, route Route, message []byte, id string, expected *replies.Expected, resent *atomic.Bool) (s signal) {
	defer func() {
		if recover() != nil {
			s = signal{failure: cpis.Failed(cpis.InternalAfterSent, "the provider failed while sending")}
		}
	}()
	began := c.config.Now()
	for copies := 0; ; copies++ {
		r, err := c.pool.exchange(ctx, route.Endpoint, message)
		var failure *exchangeError
		switch {
		case !errors.As(err, &failure):
			s := c.judgeSignal(r, id)
			if s.final && copies > 0 {
				// The first copy may have been taken all the same.
				return signal{failure: cpis.Failed(cpis.AsyncNotAcked, copyRefused)}
			}
			return s
		case !failure.sent && copies == 0:
			return signal{failure: cpis.Failed(cpis.NotSent, failure.stage), final: true, again: !failure.full}
		case !c.mayResend(route.Contract, copies, c.config.Now().Sub(began)) || !needsCopy(ctx, route.Contract, expected):
			return signal{failure: cpis.Failed(cpis.AsyncNotAcked, failure.stage)}
		}
		resent.Store(true)
	}
}

// copyRefused is the reason where nobody knows which of several copies was refused.
const copyRefused = "the message was not acknowledged, and a copy of it was refused"

// mayResend reports whether a message that was not acknowledged may be sent once more:
// the contract has it acknowledged, says how often and when, and has a second copy
// dropped as long as the Spine remembers the first (WRD-SPN-07).
func (c *Client) mayResend(contract ebxml.Contract, copies int, elapsed time.Duration) bool {
	return contract.AckRequested && contract.DuplicateElimination && copies < contract.Retries &&
		contract.RetryInterval > 0 && elapsed+2*contract.RetryInterval < contract.PersistDuration
}

// needsCopy waits until it is time for a copy, and reports whether there is still no
// reply: one may be there although whoever waits for it has not ended ctx yet.
func needsCopy(ctx context.Context, contract ebxml.Contract, expected *replies.Expected) bool {
	timer := time.NewTimer(contract.RetryInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return !expected.Answered()
	case <-ctx.Done():
		return false
	}
}

// judgeSignal decides what the HTTP response to a message means. Only what says
// plainly that the message was not taken ends the wait for a reply.
func (c *Client) judgeSignal(r received, id string) signal {
	status := "HTTP status " + strconv.Itoa(r.status)
	success := r.status >= 200 && r.status < 300
	acknowledged := signal{failure: cpis.Failed(cpis.AsyncNoReply, "acknowledged, but no reply came within the budget of the request")}
	if success && r.body == "" && !r.tooLarge {
		return acknowledged
	}
	m, err := ebxml.Read(r.mediaType, r.body, ebxml.Limits{Bytes: c.config.MaxReply})
	about := m.Header.RefToMessageID
	if m.Kind == ebxml.Fault && about == "" {
		about = id // as a rule a fault has no ebXML header
	}
	switch {
	case err != nil && success:
		return signal{failure: cpis.Failed(cpis.AsyncNotAcked, "what came instead of an acknowledgement is not one")}
	case err != nil:
		return signal{failure: cpis.Failed(cpis.SpineHTTPError, status), final: r.status >= 400 && r.status < 500}
	case !strings.EqualFold(about, id):
		return signal{failure: cpis.Failed(cpis.AsyncNotAcked, "what came instead of an acknowledgement is about another message")}
	case m.Kind == ebxml.Fault:
		return signal{failure: c.judgeFaultDocument(m.Payload, id), final: true}
	case m.Kind == ebxml.MessageError:
		return signal{failure: cpis.Failed(cpis.SpineReject, "the Spine did not take the message: an ebXML error"), final: true}
	case m.Kind == ebxml.Acknowledgment && success:
		return acknowledged
	case m.Kind == ebxml.Business && success: // under another SyncReply than MSHSignalsOnly
		acknowledged.reply = &replies.Reply{Action: m.Header.Action, MessageID: m.Header.MessageID, Payload: m.Payload, Received: c.config.Now()}
		return acknowledged
	default:
		return signal{failure: cpis.Failed(cpis.AsyncNotAcked, "what came instead of an acknowledgement is not one")}
	}
}

// judgeFaultDocument judges a SOAP fault that came as a whole document.
func (c *Client) judgeFaultDocument(document, id string) cpis.Answer {
	return c.judge(received{status: http.StatusInternalServerError, mediaType: "text/xml", body: document}, cpis.Query{}, id)
}

// judgeMessage decides what a reply to the message id means. The room gave it to this
// question because it refers to its message.
func (c *Client) judgeMessage(reply replies.Reply, q cpis.Query, id string, resent bool) cpis.Answer {
	switch {
	case len(reply.Errors) > 0 && resent:
		return cpis.Failed(cpis.AsyncNotAcked, copyRefused)
	case len(reply.Errors) > 0:
		return cpis.Failed(cpis.SpineReject, "the Spine did not take the message: an ebXML error that came later")
	}
	tree, err := xmlstrict.Parse(reply.Payload, c.limits())
	if err != nil {
		return cpis.Failed(cpis.ResponseInvalid, "the reply is not well-formed XML of the kind that is accepted")
	}
	found := hl7.FindReplyIn(tree.Root())
	if found.Exists() && found.Name().Local != reply.Action {
		return cpis.Failed(cpis.ResponseInvalid, "the reply is another one than its message says")
	}
	return c.judgeReply(found, q, id)
}
