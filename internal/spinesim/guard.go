package spinesim

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// guard refuses a configuration that is incomplete or looks like production. It
// returns the client authorities. docs/simulator.md lists the reasons.
func guard(cfg Config) (*x509.CertPool, error) {
	err := guardAddresses(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.ASID != TestASID && !(digits(cfg.ASID, 12) && strings.HasPrefix(cfg.ASID, "9999")) {
		return nil, fmt.Errorf("the ASID %q might be somebody's: use the test value %s, or twelve digits beginning with 9999", cfg.ASID, TestASID)
	}
	if !strings.HasPrefix(cfg.Path, "/") {
		return nil, fmt.Errorf("the path %q does not begin with a slash", cfg.Path)
	}
	if cfg.MaxTLSVersion != tls.VersionTLS12 && cfg.MaxTLSVersion != tls.VersionTLS13 {
		return nil, errors.New("the highest TLS version must be 1.2 or 1.3")
	}
	if cfg.Refusal != RefuseWithFault && cfg.Refusal != RefuseWithError {
		return nil, fmt.Errorf("the refusal %q is neither fault nor mcci-ae", cfg.Refusal)
	}
	if cfg.Generate < 0 || cfg.Delay < 0 || cfg.KeepQueries < 0 || cfg.KeepNotifications < 0 || cfg.KeepIDs < 0 {
		return nil, errors.New("a count or delay is negative")
	}
	err = guardOwnCertificate("server", cfg.Certificate)
	if err != nil {
		return nil, err
	}
	return guardAuthorities("client", cfg.ClientCAs)
}

// guardReplies does the same for what the asynchronous pattern adds. It returns the
// authorities of the servers that are posted to.
func guardReplies(cfg Config) (*x509.CertPool, error) {
	if !strings.HasPrefix(cfg.AsyncPath, "/") || cfg.AsyncPath == cfg.Path {
		return nil, fmt.Errorf("the path %q of the asynchronous pattern does not begin with a slash, or is that of the synchronous one", cfg.AsyncPath)
	}
	switch cfg.AsyncRefusal {
	case RefuseWithMessageError, RefuseWithHarnessError, RefuseWithFault:
	default:
		return nil, fmt.Errorf("the refusal %q of ebXML messages is none of message-error, message-error-402005 and fault", cfg.AsyncRefusal)
	}
	err := errors.Join(cfg.Contract.validate(), cfg.Immediate.validate(), cfg.Chaos.validate())
	if err != nil {
		return nil, err
	}
	err = guardOwnCertificate("reply", cfg.ReplyCertificate)
	if err != nil {
		return nil, err
	}
	return guardAuthorities("reply", cfg.ReplyCAs)
}

// replyTargets reads the URLs that replies may be posted to.
func replyTargets(cfg Config, urls []string) ([]*url.URL, error) {
	if len(urls) > maxReplyURLs {
		return nil, fmt.Errorf("%d reply URLs are more than %d", len(urls), maxReplyURLs)
	}
	var targets []*url.URL
	for _, text := range urls {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
			return nil, fmt.Errorf("the reply URL %q is not an https URL", text)
		case productionName(u.Hostname()):
			return nil, fmt.Errorf("the reply URL %q is under a domain of the NHS: a simulator must not post there", text)
		case !loopback(u.Hostname()) && !cfg.AllowNonLoopback:
			return nil, fmt.Errorf("the reply URL %q is not loopback: set allow_non_loopback if a simulator may post there", text)
		}
		targets = append(targets, u)
	}
	return targets, nil
}

// guardAddresses: what answers with invented children must not be reachable
// from elsewhere by accident, its management from nowhere else at all, and
// neither under a name of the NHS.
func guardAddresses(cfg Config) error {
	host, err := guardAddress(cfg.Address)
	if err != nil {
		return err
	}
	if !loopback(host) && !cfg.AllowNonLoopback {
		return fmt.Errorf("the address %q is not loopback: set allow_non_loopback if others may reach a simulator here", cfg.Address)
	}
	if cfg.ManagementAddress == "" {
		return nil
	}
	host, err = guardAddress(cfg.ManagementAddress)
	if err != nil {
		return err
	}
	if !loopback(host) {
		return fmt.Errorf("the management address %q is not loopback", cfg.ManagementAddress)
	}
	return nil
}

func guardAddress(address string) (host string, err error) {
	host, _, err = net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("the address %q is not host:port", address)
	}
	if productionName(host) {
		return "", fmt.Errorf("the address %q is under a domain of the NHS: a simulator must not answer there", address)
	}
	return host, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func guardOwnCertificate(whose string, c tls.Certificate) error {
	if len(c.Certificate) == 0 || c.PrivateKey == nil {
		return fmt.Errorf("the %s certificate is missing", whose)
	}
	for _, der := range c.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("the %s certificate cannot be read: %w", whose, err)
		}
		err = guardCertificate(whose, parsed)
		if err != nil {
			return err
		}
	}
	return nil
}

func guardAuthorities(whose string, text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	count := 0
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the file of %s authorities holds a %s", whose, block.Type)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a %s authority's certificate cannot be read: %w", whose, err)
		}
		err = guardCertificate(whose+" authority's", parsed)
		if err != nil {
			return nil, err
		}
		pool.AddCert(parsed)
		count++
	}
	if count == 0 {
		return nil, fmt.Errorf("the %s authorities are missing: mutual TLS needs at least one", whose)
	}
	return pool, nil
}

// guardCertificate refuses the names under which Spine and its clients are
// known, and the organisation that NHS England's certificates carry.
func guardCertificate(whose string, c *x509.Certificate) error {
	names := append([]string{c.Subject.CommonName, c.Issuer.CommonName}, c.DNSNames...)
	for _, u := range c.URIs {
		names = append(names, u.Hostname())
	}
	for _, name := range names {
		if productionName(name) {
			return fmt.Errorf("the %s certificate names %q, under a domain of the NHS: a simulator takes certificates made for tests alone", whose, name)
		}
	}
	for _, o := range append(append([]string{}, c.Subject.Organization...), c.Issuer.Organization...) {
		if strings.EqualFold(o, "nhs") || strings.EqualFold(o, "nhs england") {
			return fmt.Errorf("the %s certificate belongs to the organisation %q: a simulator takes certificates made for tests alone", whose, o)
		}
	}
	return nil
}

// productionDomains end the names of real services; ncrs.nhs.uk is Spine's,
// within nhs.uk.
func productionName(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	for _, domain := range []string{"nhs.uk", "nhs.net", "hscic.gov.uk"} {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return true
		}
	}
	return false
}

func digits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
