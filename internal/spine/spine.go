// Package spine asks CP-IS on the NHS Spine over the synchronous pattern: SOAP
// over HTTP/1.1 with mutual TLS.
//
// It sends a question at most once. It tries a second connection only while it is
// certain that no byte of the question left; after that, a failure is an outcome
// that nobody knows, and is told as such.
package spine

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

// Config is how the Spine is reached and what it is told about us.
type Config struct {
	Endpoint    *url.URL    // https URL of the synchronous service
	To          string      // wsa:To; the endpoint's URL if empty
	From        string      // our own address, for wsa:From and wsa:ReplyTo
	TLS         *tls.Config // with our certificate, the Spine's anchors and its name
	FromASID    string      // ours
	ToASID      string      // the Spine's
	VersionCode string
	Rules       cpis.Rules

	ConnectTimeout   time.Duration // TCP and TLS together
	WriteTimeout     time.Duration
	FirstByteTimeout time.Duration
	IdleTimeout      time.Duration // shorter than the Spine's own
	MaxConnections   int
	Waiting          int // questions that may wait for a connection; see Place
	MaxReply         int // bytes

	BreakerFailures int                 // in a row, after which nothing is sent for a while; never if 0
	BreakerPause    time.Duration       // before and between handshakes that look whether the Spine is back
	OnCircuit       func(circuit.State) // hears of every change; may be nil

	Now func() time.Time
}

// Client asks the Spine. It is safe for concurrent use.
type Client struct {
	config  Config
	pool    *pool
	circuit *circuit.Breaker
	places  chan struct{}
}

// New returns a Client. It connects to nothing until the first question.
func New(config Config) *Client {
	if config.To == "" {
		config.To = config.Endpoint.String()
	}
	c := &Client{config: config, pool: newPool(config), places: make(chan struct{}, config.MaxConnections+config.Waiting)}
	c.circuit = circuit.New(circuit.Config{
		Failures: config.BreakerFailures,
		Pause:    config.BreakerPause,
		Probe:    c.Reachable,
		OnChange: config.OnCircuit,
	})
	return c
}

// Ask asks one question. Each of ids, new upper-case UUIDs, allows one attempt;
// used says how many were made, of which at most the last left this machine. The
// deadline of ctx bounds everything; cancelling ctx does not take back what was
// sent.
func (c *Client) Ask(ctx context.Context, q cpis.Query, ids []string) (answer cpis.Answer, used int) {
	done, ok := c.circuit.Allow()
	if !ok {
		return cpis.Failed(cpis.NotSent, "the circuit to the Spine is open"), 0
	}
	defer func() { done(verdict(answer)) }()
	for _, id := range ids {
		used++
		var again bool
		answer, again = c.attempt(ctx, q, id)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return answer, used
}

// attempt makes one attempt and says whether another one is allowed, which it is
// only if no byte of this one left (WRD-SPN-07).
func (c *Client) attempt(ctx context.Context, q cpis.Query, id string) (answer cpis.Answer, again bool) {
	message, err := c.render(q, id)
	if err != nil {
		return cpis.Failed(cpis.InternalNotSent, "the question could not be written"), false
	}
	received, err := c.pool.exchange(ctx, message)
	var failure *exchangeError
	if errors.As(err, &failure) {
		if failure.sent {
			return cpis.Failed(cpis.SentNoAnswer, failure.stage), false
		}
		return cpis.Failed(cpis.NotSent, failure.stage), !failure.full
	}
	return c.judge(received, q, id), false
}

// Reachable reports whether a connection can be made and its TLS handshake
// completes. It asks nothing: health never touches a patient (WRD-OPS-08).
func (c *Client) Reachable(ctx context.Context) error {
	conn, err := c.pool.dial(ctx)
	if err != nil {
		return err
	}
	return conn.tls.Close()
}

// Close closes idle connections and ends the probes of the circuit. Questions under
// way are not disturbed.
func (c *Client) Close() {
	c.circuit.Close()
	c.pool.close()
}
