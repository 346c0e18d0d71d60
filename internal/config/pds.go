package config

import (
	"crypto/rsa"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/pds"
)

// PDS is the Personal Demographics Service, with which the numbers are verified that
// clients with verify_number = "pds" ask about. It is not looked at if there is no such
// client (WRD-PDS-03).
type PDS struct {
	URL          string        `toml:"url"`                   // https base of the FHIR API, such as https://int.api.service.nhs.uk/personal-demographics/FHIR/R4
	TokenURL     string        `toml:"token_url"`             // https URL of the token service, such as https://int.api.service.nhs.uk/oauth2/token
	APIKey       string        `toml:"api_key"`               // file with the API key of our application
	Key          string        `toml:"key"`                   // PEM file: RSA private key, which signs for the application
	KeyID        string        `toml:"key_id"`                // under which its public key is registered
	CA           string        `toml:"ca"`                    // PEM file: anchors of both services' certificates; those of the system if empty
	Organisation string        `toml:"end_user_organisation"` // ODS code of the organisation whose users ask; not told if empty
	Timeout      time.Duration `toml:"timeout"`               // of one verification; 2s
	PerSecond    float64       `toml:"per_second"`            // requests of this instance, as agreed; 5
	Unavailable  string        `toml:"unavailable"`           // refuse or proceed, if a number cannot be verified; refuse
}

// defaultPDS has the rate that the service allows an application by default.
func defaultPDS() PDS {
	return PDS{Timeout: 2 * time.Second, PerSecond: 5, Unavailable: "refuse"}
}

// pds checks the settings if a client's numbers are to be verified.
func (c *checker) pds(s *Settings) {
	if !slices.ContainsFunc(s.Clients, func(client Client) bool { return client.VerifyNumber == "pds" }) {
		return
	}
	p := s.PDS
	positive(c, "pds.timeout", p.Timeout)
	positive(c, "pds.per_second", p.PerSecond)
	if p.Timeout > s.ITK.RequestBudget/2 {
		c.problems.add("pds.timeout", "must be at most half of itk.request_budget; the other half is for the Spine")
	}
	c.oneOf("pds.unavailable", p.Unavailable, "refuse", "proceed")
	if p.Unavailable == "proceed" {
		s.Unverified = pds.Proceed
		c.mustTell(s.Clients)
	}
	if p.KeyID == "" {
		c.problems.add("pds.key_id", "must be the id under which the public key is registered")
	}
	if p.Organisation != "" && !isCode(p.Organisation) {
		c.problems.add("pds.end_user_organisation", "must be an ODS code: letters and digits")
	}
	s.Demographics = &pds.Config{
		URL:          c.platformURL(s.Live, "pds.url", p.URL),
		TokenURL:     c.platformURL(s.Live, "pds.token_url", p.TokenURL),
		TLS:          c.remoteTLS("pds.ca", p.CA),
		APIKey:       c.apiKey("pds.api_key", p.APIKey),
		Key:          c.applicationKey(p.Key),
		KeyID:        p.KeyID,
		Organisation: p.Organisation,
		Timeout:      p.Timeout,
		PerSecond:    p.PerSecond,
		Now:          time.Now,
	}
}

// mustTell refuses clients that would not be told that a number was not verified
// (WRD-PDS-04).
func (c *checker) mustTell(all []Client) {
	for _, client := range all {
		if client.VerifyNumber == "pds" && client.NotificationOff {
			c.problems.add("clients."+client.Name+".notification_spec_off", "cannot be set with pds.unavailable = \"proceed\": the client would not hear that a number was not verified (WRD-PDS-04)")
		}
	}
}

// applicationKey reads the key that signs for our application.
func (c *checker) applicationKey(path string) *rsa.PrivateKey {
	content, ok := c.secret("pds.key", path)
	if !ok {
		return nil
	}
	key, err := pds.ParseKey(content)
	if err != nil {
		c.problems.add("pds.key", "%v", err)
		return nil
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		c.problems.add("pds.key", "has a public part that cannot be written; make another one")
		return nil
	}
	c.holds("pds.key", "spki:"+hash(public))
	return key
}

// livePlatform is the host of the live services of the NHS API platform. Those of its
// other environments are named before it, as in int.api.service.nhs.uk.
const livePlatform = "api.service.nhs.uk"

// platformURL reads a URL on the platform, or one that stands in for it.
func (c *checker) platformURL(live bool, key, text string) *url.URL {
	u := c.remoteURL(key, text)
	if u == nil {
		return nil
	}
	c.platformHost(live, key, u.Hostname())
	return u
}

// platformHost keeps each environment to its own services (WRD-SAF-17).
func (c *checker) platformHost(live bool, key, host string) {
	c.notLive(live, key, host)
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	switch {
	case !live && host == livePlatform:
		c.problems.add(key, "names a live service in a test environment (WRD-SAF-17)")
	case live && (strings.HasSuffix(host, "."+livePlatform) || strings.HasPrefix(host, "sandbox.")):
		c.problems.add(key, "names a service for tests in a live environment (WRD-SAF-17)")
	}
}
