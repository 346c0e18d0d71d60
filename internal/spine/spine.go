// Package spine asks CP-IS on the NHS Spine, over HTTP/1.1 with mutual TLS, in either
// of two patterns: synchronous SOAP, or asynchronous ebXML whose answer comes in a
// request of the Spine's own.
//
// It sends a question at most once. It tries a second connection only while it is
// certain that no byte of the question left; after that, a failure is an outcome
// that nobody knows, and is told as such.
package spine

import (
	"context"
	"crypto/tls"
	"net/url"
	"strconv"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/spine/circuit"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Config is how the Spine is reached and what it is told about us.
type Config struct {
	Routes      Routes
	Replies     *replies.Room // of the asynchronous pattern; nil if it is not used
	To          string        // wsa:To; the endpoint's URL if empty
	From        string        // our own address, for wsa:From and wsa:ReplyTo
	TLS         *tls.Config   // with our certificate, the Spine's anchors and its name, or else the endpoint's is expected
	FromASID    string        // ours
	VersionCode string
	Rules       cpis.Rules

	ConnectTimeout   time.Duration // TCP and TLS together
	WriteTimeout     time.Duration
	FirstByteTimeout time.Duration
	IdleTimeout      time.Duration // shorter than the Spine's own
	MaxConnections   int
	Waiting          int // questions that may wait for a connection; see Place
	MaxReply         int // bytes

	Places int // questions under way; MaxConnections and Waiting together if 0; see Place

	BreakerFailures int                 // in a row, after which nothing is sent for a while; never if 0
	BreakerPause    time.Duration       // before and between handshakes that look whether the Spine is back
	OnCircuit       func(circuit.State) // hears of every change; may be nil

	Now   func() time.Time
	NewID func() string // an upper-case UUID, for a conversation
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
	if config.Places == 0 {
		config.Places = config.MaxConnections + config.Waiting
	}
	c := &Client{config: config, pool: newPool(config), places: make(chan struct{}, config.Places)}
	c.circuit = circuit.New(circuit.Config{
		Failures: config.BreakerFailures,
		Pause:    config.BreakerPause,
		Probe:    c.Reachable,
		OnChange: config.OnCircuit,
	})
	return c
}

// Ask asks one question of the transaction with that correlation. Each of ids, new
// upper-case UUIDs, allows one attempt; used says how many were made, of which at most
// the last left this machine. The deadline of ctx bounds everything; cancelling ctx
// does not take back what was sent.
func (c *Client) Ask(ctx context.Context, correlation string, q cpis.Query, ids []string) (answer cpis.Answer, used int) {
	done, ok := c.circuit.Allow()
	if !ok {
		return cpis.Failed(cpis.NotSent, "the circuit to the Spine is open"), 0
	}
	defer func() { done(verdict(answer)) }()
	route, err := c.config.Routes.Route(ctx)
	if err != nil {
		return cpis.Failed(cpis.DirectoryFailed, "the directory gave no route to the Spine"), 0
	}
	for _, id := range ids {
		used++
		var again bool
		if route.Pattern == Async {
			answer, again = c.attemptAsync(ctx, route, correlation, q, id)
		} else {
			answer, again = c.attemptSync(ctx, route, q, id)
		}
		if !again || ctx.Err() != nil {
			break
		}
	}
	return answer, used
}

const (
	service = "urn:nhs:names:services:cpisquery"
	action  = service + "/" + hl7.QueryInteraction
)

// request is a whole HTTP request, so that it leaves in one piece.
func request(endpoint *url.URL, contentType string, body []byte) []byte {
	r := make([]byte, 0, len(body)+512)
	r = append(r, "POST "+endpoint.RequestURI()+" HTTP/1.1\r\nHost: "+endpoint.Host+"\r\n"...)
	r = append(r, "Content-Type: "+contentType+"\r\nSOAPAction: "+action+"\r\n"...)
	r = append(r, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(r, body...)
}

// notWritten is the reason of a question that holds what cannot be written.
const notWritten = "the question could not be written"

func (c *Client) writeInteraction(w *xmlstrict.Writer, route Route, q cpis.Query, id string) {
	hl7.WriteInteraction(w, hl7.Interaction{
		ID:          id,
		Created:     c.config.Now(),
		VersionCode: c.config.VersionCode,
		FromASID:    c.config.FromASID,
		ToASID:      route.ToASID,
		Query:       q,
	})
}

// Reachable reports whether a connection can be made and its TLS handshake
// completes. It asks nothing: health never touches a patient (WRD-OPS-08).
func (c *Client) Reachable(ctx context.Context) error {
	route, err := c.config.Routes.Route(ctx)
	if err != nil {
		return err
	}
	conn, err := c.pool.dial(ctx, route.Endpoint)
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
