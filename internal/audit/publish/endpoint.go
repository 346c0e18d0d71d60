// Package publish takes the checkpoints of an audit log elsewhere over HTTPS: to
// endpoints that keep them, and to witnesses that cosign them.
package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Endpoint takes each checkpoint by an HTTP PUT to one URL. It is an
// audit.Destination.
type Endpoint struct {
	url    *url.URL
	client *http.Client
}

// NewEndpoint makes an endpoint of an https URL. The configuration says which
// authorities its certificate may have and what certificate is shown to it.
func NewEndpoint(u *url.URL, config *tls.Config) *Endpoint {
	return &Endpoint{url: u, client: newClient(config)}
}

// Name implements audit.Destination: the URL without what in it may be secret.
func (e *Endpoint) Name() string {
	return (&url.URL{Scheme: e.url.Scheme, Host: e.url.Host, Path: e.url.Path}).String()
}

// Publish implements audit.Destination. The body of the answer is not read.
func (e *Endpoint) Publish(ctx context.Context, signed []byte, _ audit.Checkpoint) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, e.url.String(), bytes.NewReader(signed))
	if err != nil {
		return withoutURL(err)
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := e.client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	answer.Body.Close()
	switch {
	case answer.StatusCode/100 == 3:
		return fmt.Errorf("the endpoint redirects (HTTP %d), which is not followed; configure the URL that takes the checkpoint", answer.StatusCode)
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("the endpoint answers HTTP %d and not that it took the checkpoint", answer.StatusCode)
	}
	return nil
}

// Limits of a connection. A checkpoint is a few hundred bytes, once a minute.
const (
	connectTime = 5 * time.Second
	maxHeader   = 16 << 10 // bytes
)

// newClient makes a client that goes to the configured place only: through no
// proxy of the environment and after no redirect. At one request a minute a
// connection is not worth keeping, and one that is not kept needs no closing.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        config.Clone(),
			TLSHandshakeTimeout:    connectTime,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutURL leaves the URL, which may hold a secret, out of a client's error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
