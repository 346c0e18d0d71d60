// Package client is the Go SDK of a CP-IS Spine Mini Service Provider: it asks one
// question over ITK SOAP with mutual TLS and returns an answer that cannot be
// misread.
//
// Asking notifies. Each Ask is recorded in the person's history and tells the
// responsible local authority. Never ask again on your own after a failure; never
// keep an answer for later; never ask to try a connection.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

// Config is how a provider is reached and who asks.
type Config struct {
	URL          string      // https URL of the provider's endpoint
	To           string      // wsa:To as the provider expects it; the URL if empty
	TLS          *tls.Config // with the client's certificate and the provider's anchors
	Username     string      // WS-Security user name that the provider registered
	Organisation string      // ODS code of the asking organisation
	Provider     string      // ODS code of the provider

	Timeout  time.Duration // for the whole question; 15 s. Longer than the provider's own budget
	Lifetime time.Duration // of a message; 10 minutes
	MaxReply int           // bytes; 2 MiB
}

// Client asks a provider. It is safe for concurrent use.
type Client struct {
	config    Config
	transport *http.Transport
}

// New returns a Client. It connects to nothing until the first question.
func New(config Config) (*Client, error) {
	endpoint, err := url.Parse(config.URL)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, errors.New("the provider's URL must be an https URL")
	}
	if config.TLS == nil || config.TLS.InsecureSkipVerify {
		return nil, errors.New("a TLS configuration is needed, and it must verify the provider")
	}
	if config.To == "" {
		config.To = config.URL
	}
	if config.Timeout <= 0 {
		config.Timeout = 15 * time.Second
	}
	if config.Lifetime <= 0 {
		config.Lifetime = 10 * time.Minute
	}
	if config.MaxReply <= 0 {
		config.MaxReply = 2 << 20
	}
	transport := &http.Transport{
		TLSClientConfig:     config.TLS.Clone(),
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		// Shorter than a provider's own, so that no question meets a closing door.
		IdleConnTimeout: 30 * time.Second,
		Protocols:       http1(),
	}
	return &Client{config: config, transport: transport}, nil
}

func http1() *http.Protocols {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return protocols
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Question is what is asked and for whom.
type Question struct {
	Number cpis.NHSNumber
	Author cpis.Author
	// AuditIdentities name the originating user or system, such as
	// urn:nhs-uk:identity:ods:RXX:jsmith. At least one is needed.
	AuditIdentities []cpis.AuditIdentity
	// BirthDate is for a provider that verifies numbers with the demographics service
	// before it asks. It never goes to CP-IS. Zero if it is not to be compared.
	BirthDate cpis.Date
}

// Result is how one question ended. Look at Answer first: its State says what may
// be concluded, its Notified whether the local authority was told. Its Replacement is
// the number that took the place of the one asked about, for a person to look into;
// its Verification says what the demographics service said of the number.
type Result struct {
	Answer      cpis.Answer
	Code        cpis.Code // the provider's response code, empty if none came
	Asked       cpis.NHSNumber
	AskedAt     time.Time
	Finished    time.Time
	MessageID   string // ours, for the service desk
	Correlation string // the provider's id of this exchange, empty if none came
	Raw         []byte // the response as received, nil if none came
	Cause       error  // for the developer: why there is no result, a *Fault if the provider said so; nil if there is one
}

// Message is a request that is ready to be sent, once.
type Message struct {
	ID       string // wsa:MessageID
	Content  []byte
	question Question
	sent     atomic.Bool
}

// Prepare writes the request for a question and sends nothing.
func (c *Client) Prepare(q Question) (*Message, error) {
	if q.Number.IsZero() || q.Author == nil || len(q.AuditIdentities) == 0 {
		return nil, errors.New("a question needs an NHS number, an author and an audit identity")
	}
	now := time.Now().UTC()
	if !q.BirthDate.IsZero() {
		_, err := cpis.ParseBirthDate(q.BirthDate.ISO(), now)
		if err != nil {
			return nil, err
		}
	}
	id := newID()
	content, err := itk.WriteRequest(itk.Question{
		MessageID:       id,
		TimestampID:     newID(),
		TrackingID:      newID(),
		PayloadID:       newID(),
		To:              c.config.To,
		Created:         now,
		Expires:         now.Add(c.config.Lifetime),
		Username:        c.config.Username,
		AuditIdentities: q.AuditIdentities,
		Organisation:    c.config.Organisation,
		Provider:        c.config.Provider,
		BirthDate:       q.BirthDate.ISO(),
		Query: cpis.Query{
			ID:     newID(),
			Time:   cpis.Moment{Written: now.Format("20060102150405+0000"), Time: now, Precision: cpis.ToSecond},
			Author: q.Author,
			Number: q.Number,
		},
	})
	if err != nil {
		return nil, err
	}
	return &Message{ID: id, Content: content, question: q}, nil
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

// Ask asks a question once. It has no error result on purpose: however it ends is
// an Answer, so that no failure can be overlooked or taken for an empty one.
func (c *Client) Ask(ctx context.Context, q Question) Result {
	message, err := c.Prepare(q)
	if err != nil {
		return Result{Answer: cpis.Failed(cpis.Refused, "the question cannot be written"), Asked: q.Number, AskedAt: time.Now(), Cause: err}
	}
	return c.Send(ctx, message)
}

// Send sends a prepared message. A message is sent at most once: a second call
// sends nothing.
func (c *Client) Send(ctx context.Context, m *Message) Result {
	result := Result{Asked: m.question.Number, AskedAt: time.Now(), MessageID: m.ID}
	if m.sent.Swap(true) {
		result.Answer = cpis.Failed(cpis.RefusedDuplicate, "this message was sent before")
		result.Cause = errors.New("a message is sent once")
		return result
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	c.exchange(ctx, m, &result)
	result.Finished = time.Now()
	return result
}

func (c *Client) exchange(ctx context.Context, m *Message, result *Result) {
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL, bytes.NewReader(m.Content))
	if err != nil {
		result.fail(cpis.ProviderUnreachable, err)
		return
	}
	// Without GetBody net/http cannot send a body a second time.
	request.GetBody = nil
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header["SOAPAction"] = []string{itk.RequestService}
	response, err := c.transport.RoundTrip(request)
	if err != nil && !connected {
		result.fail(cpis.ProviderUnreachable, err)
		return
	}
	if err != nil {
		result.fail(cpis.ProviderNoAnswer, err)
		return
	}
	defer response.Body.Close()
	result.Correlation = response.Header.Get("X-Correlation-Id")
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(c.config.MaxReply)+1))
	if err != nil {
		result.fail(cpis.ProviderNoAnswer, err)
		return
	}
	result.Raw = body
	c.read(response.StatusCode, m, result)
}

func (r *Result) fail(o cpis.Outcome, cause error) {
	r.Answer = cpis.Failed(o, "")
	r.Cause = cause
}
