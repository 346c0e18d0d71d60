package sds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wardsmsp/ward/internal/trust"
)

// FHIR says how the FHIR API of the directory is reached.
type FHIR struct {
	Base           *url.URL    // such as https://HOST/spine-directory/FHIR/R4
	TLS            *tls.Config // with the anchors of its certificate
	APIKey         string      // told in the header apikey
	ConnectTimeout time.Duration
	AnswerTimeout  time.Duration // of each of the two questions of a look-up, the connection included
}

// Systems of identifiers, as the API has them.
const (
	organisationSystem = "https://fhir.nhs.uk/Id/ods-organization-code"
	interactionSystem  = "https://fhir.nhs.uk/Id/nhsServiceInteractionId"
	asidSystem         = "https://fhir.nhs.uk/Id/nhsSpineASID"
	partyKeySystem     = "https://fhir.nhs.uk/Id/nhsMhsPartyKey"
	cpaIDSystem        = "https://fhir.nhs.uk/Id/nhsMhsCPAId"
	reliability        = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-ReliabilityConfiguration"
)

// directoryFHIR is a client of the FHIR API.
type directoryFHIR struct {
	config FHIR
	client *http.Client
}

func newFHIR(config FHIR) *directoryFHIR {
	return &directoryFHIR{config: config, client: &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: config.ConnectTimeout}).DialContext,
			TLSClientConfig:        config.TLS,
			TLSHandshakeTimeout:    config.ConnectTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // two questions every few minutes; and each judges the certificate
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (d *directoryFHIR) system(ctx context.Context, q question) (asid, partyKey string, err error) {
	content, err := d.get(ctx, "Device", q.correlation, url.Values{
		"organization": {organisationSystem + "|" + q.organisation},
		"identifier":   {interactionSystem + "|" + q.interaction},
	})
	if err != nil {
		return "", "", err
	}
	device, err := readOne(content, "Device")
	if err != nil {
		return "", "", err
	}
	asid, err = device.identifier(asidSystem)
	if err != nil {
		return "", "", err
	}
	partyKey, err = device.identifier(partyKeySystem)
	return asid, partyKey, err
}

func (d *directoryFHIR) handler(ctx context.Context, q question, partyKey string) (record, error) {
	content, err := d.get(ctx, "Endpoint", q.correlation, url.Values{
		"identifier": {interactionSystem + "|" + q.interaction, partyKeySystem + "|" + partyKey},
	})
	if err != nil {
		return record{}, err
	}
	endpoint, err := readOne(content, "Endpoint")
	if err != nil {
		return record{}, err
	}
	return endpoint.record(partyKey)
}

// get asks for resources of a type. Its errors say that the directory is not available.
func (d *directoryFHIR) get(ctx context.Context, resource, correlation string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.AnswerTimeout)
	defer cancel()
	u := d.config.Base.JoinPath(resource)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, unavailable("its URL cannot be used; see sds.url", err)
	}
	request.Header.Set("Accept", "application/fhir+json")
	request.Header.Set("apikey", d.config.APIKey)
	request.Header.Set("X-Correlation-Id", correlation)
	response, err := d.client.Do(request)
	if err != nil {
		return nil, unanswered(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, unavailable(refusal(response.StatusCode), nil)
	}
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != "application/fhir+json" && media != "application/json" {
		return nil, unavailable("it answered with something else than FHIR in JSON; see sds.url", nil)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		return nil, unanswered(err)
	}
	if len(content) > maxReply {
		return nil, unavailable("it did not answer in full", errTooLong)
	}
	return content, nil
}

// unanswered leaves out the URL that the HTTP client puts into its errors.
func unanswered(err error) error {
	_, distrust := trust.Reason(err, time.Now())
	if distrust != "" {
		return unavailable("it was not trusted: "+string(distrust)+"; check sds.ca, sds.server_name and sds.crls", nil)
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	return unavailable("it did not answer; check sds.url and the network", err)
}

func refusal(status int) string {
	text := fmt.Sprintf("it answered with HTTP status %d", status)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return text + "; check the key in sds.api_key"
	case status >= 300 && status < 400:
		return text + ", a redirection, which is not followed; check sds.url"
	case status < 500:
		return text + "; check sds.url, sds.organisation and sds.interaction"
	}
	return text
}

func (d *directoryFHIR) close() { d.client.CloseIdleConnections() }
