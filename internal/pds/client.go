package pds

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/wardsmsp/ward/cpis"
)

// Config is how the demographics service is reached. Every field is needed unless it
// says otherwise.
type Config struct {
	URL      *url.URL    // https base of the FHIR API, to which /Patient/ is added
	TokenURL *url.URL    // https URL of the token service; also the audience of assertions
	TLS      *tls.Config // with the anchors of both; those of the system if it names none

	APIKey       string          // of the application
	Key          *rsa.PrivateKey // by which assertions are signed
	KeyID        string          // under which its public key is registered
	Organisation string          // ODS code of the organisation whose users ask; none if empty

	Timeout   time.Duration // of one verification, with a token and a resend if needed
	PerSecond float64       // requests, as agreed with the service

	// Correlation is the id of the question for whose sake a number is verified. It may
	// be nil or return "": a new id is then made.
	Correlation func(ctx context.Context) string
	Record      Recorder
	Now         func() time.Time
}

// Recorder records a request that left, or may have left, durably (IG-3.9.2a). After an
// error the verdict is not used.
type Recorder func(ctx context.Context, l Lookup) error

// Lookup is one request that left.
type Lookup struct {
	Purpose     string        // PurposeVerify
	Result      string        // a fixed text: a Verdict's or a Failure's
	Determined  bool          // it is a Verdict's
	Elapsed     time.Duration // from sending the request to reading its answer
	Correlation string        // X-Correlation-ID
	RequestID   string        // X-Request-ID; the same if a request is sent again
}

// PurposeVerify is why the demographics service is asked.
const PurposeVerify = "verify the NHS number"

// Limits of an answer.
const (
	maxHeader = 16 << 10  // bytes
	maxReply  = 256 << 10 // bytes
)

// Client verifies numbers. It is safe for concurrent use.
type Client struct {
	config  Config
	http    *http.Client
	tokens  *tokens
	limiter *rate.Limiter
	pause   pause
}

// New returns a Client. It connects to nothing until the first question.
func New(config Config) *Client {
	client := newHTTPClient(config.TLS)
	return &Client{
		config: config,
		http:   client,
		tokens: newTokens(config, client),
		// One at a time: a burst would count against the next second at the service.
		limiter: rate.NewLimiter(rate.Limit(config.PerSecond), 1),
	}
}

// newHTTPClient makes a client that goes to the configured place only: through no proxy
// of the environment and after no redirect. Since it keeps no connection, net/http never
// sends a request a second time of its own accord, which would leave no trace in the
// audit log.
func newHTTPClient(config *tls.Config) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(2) // of both services
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        config,
			Protocols:              &protocols,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// question is one number to be verified.
type question struct {
	number                 cpis.NHSNumber
	birth                  string
	requestID, correlation string
}

// Verify asks the demographics service about a number. The date of birth is yyyy-MM-dd,
// or empty if it is not known. It sends one request, and a second one only if the access
// token was refused. The error is a Failure: what it means is that nothing was found out.
func (c *Client) Verify(ctx context.Context, number cpis.NHSNumber, birth string) (Verdict, error) {
	if number.IsZero() || birth != "" && (len(birth) != len(time.DateOnly) || !isDate(birth)) {
		return Verdict{}, NotAsked
	}
	if c.pause.active(c.config.Now()) {
		return Verdict{}, Paused
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	q := question{number: number, birth: birth, requestID: uuid.NewString(), correlation: c.correlation(ctx)}
	token, err := c.tokens.token(ctx, "")
	if err != nil {
		return Verdict{}, err
	}
	verdict, err := c.ask(ctx, q, token)
	if !errors.Is(err, TokenRefused) {
		return verdict, err
	}
	token, err = c.tokens.token(ctx, token)
	if err != nil {
		return Verdict{}, err
	}
	verdict, err = c.ask(ctx, q, token)
	if errors.Is(err, TokenRefused) {
		c.tokens.rejected()
	}
	return verdict, err
}

func (c *Client) correlation(ctx context.Context) string {
	if c.config.Correlation != nil {
		id := c.config.Correlation(ctx)
		if id != "" {
			return id
		}
	}
	return uuid.NewString()
}

// ask sends one request, records it and judges its answer.
func (c *Client) ask(ctx context.Context, q question, token string) (Verdict, error) {
	err := c.limiter.Wait(ctx)
	if err != nil {
		return Verdict{}, TooMany
	}
	started := c.config.Now()
	if c.pause.active(started) {
		return Verdict{}, Paused
	}
	received, left, err := c.send(ctx, q, token)
	verdict := Verdict{}
	if err == nil {
		verdict, err = received.judge(q.number, q.birth)
	}
	if !left {
		return Verdict{}, err
	}
	l := Lookup{Purpose: PurposeVerify, Result: verdict.String(), Determined: true, Elapsed: c.config.Now().Sub(started), Correlation: q.correlation, RequestID: q.requestID}
	if err != nil {
		l.Result, l.Determined = err.Error(), false
	}
	// What left is recorded although the time for asking is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Timeout)
	defer cancel()
	if c.config.Record(ctx, l) != nil {
		return Verdict{}, NotRecorded
	}
	return verdict, err
}

// send sends one request and reads its answer, if it is one that can be about the
// number. Left is false only if it is certain that nothing of the request left. The
// error is a Failure.
func (c *Client) send(ctx context.Context, q question, token string) (received reply, left bool, err error) {
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := http.NewRequestWithContext(traced, http.MethodGet, c.config.URL.JoinPath("Patient", q.number.Digits()).String(), nil)
	if err != nil {
		return reply{}, false, NotAsked
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/fhir+json")
	request.Header.Set("X-Request-ID", q.requestID)
	request.Header.Set("X-Correlation-ID", q.correlation)
	if c.config.Organisation != "" {
		request.Header.Set("NHSD-End-User-Organisation-ODS", c.config.Organisation)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		left = connected.Load()
		failure := connectFailure(err, Unreachable)
		if left && failure == Unreachable {
			failure = Broken
		}
		c.unavailable(ctx, 0)
		return reply{}, left, failure
	}
	defer answer.Body.Close()
	received = reply{status: answer.StatusCode, mediaType: answer.Header.Get("Content-Type")}
	c.pace(ctx, received.status, answer.Header)
	if !hasVerdict(received.status) {
		return received, true, nil
	}
	received.body, err = io.ReadAll(io.LimitReader(answer.Body, maxReply+1))
	// A service that sees us hang up may end a part of an answer as if it were whole.
	err = errors.Join(err, ctx.Err())
	switch {
	case err != nil:
		c.unavailable(ctx, 0)
		return reply{}, true, connectFailure(err, Broken)
	case len(received.body) > maxReply:
		return reply{}, true, TooLarge
	}
	return received, true, nil
}

// connectFailure says why no answer came, without the cause, which quotes the URL and
// so the number.
func connectFailure(err error, otherwise Failure) Failure {
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return WrongCertificate
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	default:
		return otherwise
	}
}

// firstPause follows a single failure. It is short, since one failure says little.
const firstPause = 100 * time.Millisecond

// pace leaves the service alone for a while if its answer calls for it.
func (c *Client) pace(ctx context.Context, status int, header http.Header) {
	now := c.config.Now()
	switch failureOf(status) {
	case Throttled:
		c.pause.failed(now, time.Second, retryAfter(header, now))
	case Unavailable:
		c.unavailable(ctx, retryAfter(header, now))
	default:
		c.pause.worked()
	}
}

// unavailable makes a pause, unless it was the question that was given up.
func (c *Client) unavailable(ctx context.Context, asked time.Duration) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.pause.failed(c.config.Now(), firstPause, asked)
	}
}
