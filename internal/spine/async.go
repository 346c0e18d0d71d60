package spine

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
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
		return cpis.Failed(cpis.NotSent, "the reply could not be waited for"), false
	}
	defer expected.Close()

	waiting, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan signal, 1)
	go func() {
		// A reply that comes first ends the wait, not the exchange.
		sending, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
		defer cancel()
		s := c.send(sending, route, message, id)
		signals <- s
		if s.final {
			stop()
		}
	}()
	reply, err := expected.Wait(waiting)
	if err == nil {
		return c.judgeMessage(reply, q, id), false
	}
	select {
	case s := <-signals:
		return s.failure, s.again
	default:
		return cpis.Failed(cpis.AsyncNotAcked, "no acknowledgement came within the budget of the request"), false
	}
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
	contract := route.Contract
	contentType, body, err := ebxml.WriteRequest(ebxml.Header{
		FromParty:            contract.FromParty,
		ToParty:              contract.ToParty,
		CPAID:                contract.CPAID,
		ConversationID:       c.config.NewID(),
		Service:              service,
		Action:               hl7.QueryInteraction,
		MessageID:            id,
		Timestamp:            c.config.Now(),
		DuplicateElimination: contract.DuplicateElimination,
		AckRequested:         contract.AckRequested,
		SyncReply:            strings.EqualFold(contract.SyncReply, "MSHSignalsOnly"),
	}, interaction, contract)
	if err != nil {
		return nil, err
	}
	return request(route.Endpoint, contentType, body), nil
}

// signal is what became of sending: what the outcome is unless a reply comes.
type signal struct {
	failure cpis.Answer
	final   bool // no reply will come
	again   bool // another attempt is allowed
}

// send sends a message, and sends the same one once more only where the contract
// wants that and where the Spine has promised to drop what it has had before.
func (c *Client) send(ctx context.Context, route Route, message []byte, id string) signal {
	began := c.config.Now()
	for resent := 0; ; resent++ {
		r, err := c.pool.exchange(ctx, route.Endpoint, message)
		var failure *exchangeError
		switch {
		case !errors.As(err, &failure):
			return c.judgeSignal(r, id)
		case !failure.sent && resent == 0:
			return signal{cpis.Failed(cpis.NotSent, failure.stage), true, !failure.full}
		case !c.mayResend(route.Contract, resent, c.config.Now().Sub(began)) || !pause(ctx, route.Contract.RetryInterval):
			return signal{failure: cpis.Failed(cpis.AsyncNotAcked, failure.stage)}
		}
	}
}

// mayResend reports whether a message that was not acknowledged may be sent once more:
// the contract has it acknowledged, says how often and when, and has a second copy
// dropped as long as the Spine remembers the first (WRD-SPN-07).
func (c *Client) mayResend(contract ebxml.Contract, resent int, elapsed time.Duration) bool {
	return contract.AckRequested && contract.DuplicateElimination && resent < contract.Retries &&
		contract.RetryInterval > 0 && elapsed+2*contract.RetryInterval < contract.PersistDuration
}

// pause reports whether that much time has passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
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
	switch {
	case err != nil && success:
		return signal{failure: cpis.Failed(cpis.AsyncNotAcked, "what came instead of an acknowledgement is not one")}
	case err != nil:
		return signal{failure: cpis.Failed(cpis.SpineHTTPError, status), final: r.status >= 400 && r.status < 500}
	case m.Kind == ebxml.Fault:
		return signal{failure: c.judgeFaultDocument(m.Payload, id), final: true}
	case !strings.EqualFold(m.Header.RefToMessageID, id):
		return signal{failure: cpis.Failed(cpis.AsyncNotAcked, "what came instead of an acknowledgement is about another message")}
	case m.Kind == ebxml.MessageError:
		return signal{failure: cpis.Failed(cpis.SpineReject, "the Spine did not take the message: an ebXML error"), final: true}
	case m.Kind == ebxml.Acknowledgment && success:
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
func (c *Client) judgeMessage(reply replies.Reply, q cpis.Query, id string) cpis.Answer {
	if len(reply.Errors) > 0 {
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
