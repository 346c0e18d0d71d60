package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
)

func (c *checker) spine(s *Settings) {
	sp := s.Spine
	endpoint, err := url.Parse(sp.Endpoint)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil {
		c.problems.add("spine.endpoint", "must be the https URL of the synchronous CP-IS service; it has no default and is never guessed")
	} else {
		s.Endpoint = endpoint
		c.notLive(s.Live, "spine.endpoint", endpoint.Hostname())
	}
	c.notLive(s.Live, "spine.server_name", sp.ServerName)
	if !isASID(sp.FromASID) {
		c.problems.add("spine.from_asid", "must be our ASID, twelve digits")
	}
	if !isASID(sp.ToASID) {
		c.problems.add("spine.to_asid", "must be the Spine's ASID, twelve digits")
	}
	positive(c, "spine.connect_timeout", sp.ConnectTimeout)
	positive(c, "spine.write_timeout", sp.WriteTimeout)
	positive(c, "spine.first_byte_timeout", sp.FirstByteTimeout)
	positive(c, "spine.idle_timeout", sp.IdleTimeout)
	positive(c, "spine.connections", sp.Connections)
	positive(c, "spine.max_reply", sp.MaxReply)
	positive(c, "spine.breaker_failures", sp.BreakerFailures)
	positive(c, "spine.breaker_pause", sp.BreakerPause)
	if *sp.Waiting < 0 {
		c.problems.add("spine.waiting", "must not be less than 0")
	}
	if sp.ConnectTimeout >= s.ITK.RequestBudget {
		c.problems.add("spine.connect_timeout", "must be shorter than itk.request_budget")
	}
	if *sp.ConnectRetries < 0 || *sp.ConnectRetries > 1 {
		c.problems.add("spine.connect_retries", "must be 0 or 1; a question that was sent is never sent again")
	}
	c.oneOf("spine.max_tls", sp.MaxTLS, "1.2", "1.3")
	if len(sp.NotFoundCodes) == 0 {
		c.problems.add("spine.not_found_codes", "must list at least one code; leave it out for the default")
	}
	s.Rules = cpis.Rules{NotFoundCodes: sp.NotFoundCodes, AuthorErrorCodes: sp.AuthorErrorCodes}
	c.spineTLS(s)
}

// notLive keeps a test environment away from the live Spine, whether it is named by
// its address or, behind another address, by its certificate (WRD-SAF-17).
func (c *checker) notLive(live bool, key, host string) {
	host = "." + strings.TrimSuffix(strings.ToLower(host), ".")
	if !live && strings.HasSuffix(host, liveSpine) {
		c.problems.add(key, "names the live Spine in a test environment (WRD-SAF-17)")
	}
}

func (c *checker) spineTLS(s *Settings) {
	certificate, ok := c.keyPair("spine.certificate", s.Spine.Certificate, "spine.key", s.Spine.Key)
	anchors := c.anchors("spine.ca", s.Spine.CA)
	s.Trust.Spine = c.revoked("spine.crls", s.Spine.CRLs, anchors, "spine.revocation_grace", s.Spine.RevocationGrace)
	if !ok || anchors == nil || s.Endpoint == nil {
		return
	}
	name := s.Spine.ServerName
	if name == "" {
		name = s.Endpoint.Hostname()
	}
	highest := uint16(tls.VersionTLS12)
	if s.Spine.MaxTLS == "1.3" {
		highest = tls.VersionTLS13
	}
	s.SpineTLS = &tls.Config{
		Certificates:                []tls.Certificate{certificate},
		RootCAs:                     pool(anchors),
		VerifyConnection:            s.Trust.Spine.VerifyConnection,
		ServerName:                  name,
		MinVersion:                  tls.VersionTLS12,
		MaxVersion:                  highest,
		CipherSuites:                suites(),
		NextProtos:                  []string{"http/1.1"},
		ClientSessionCache:          tls.NewLRUClientSessionCache(s.Spine.Connections),
		DynamicRecordSizingDisabled: true, // one question, one record
	}
}

// unscheduledCareSettings are the only ones that may be registered (WRD-IAM-09).
func unscheduledCareSettings() []string {
	return []string{
		"emergency-department", "walk-in-centre", "minor-injuries-unit", "gp-out-of-hours", "nhs-111",
		"ambulance", "maternity", "paediatric-ward", "direct-admission",
	}
}

func (c *checker) clients(s *Settings) {
	if len(s.Clients) == 0 {
		c.problems.add("clients", "must register at least one client system, as [[clients]]")
	}
	var names []string
	var all []*clients.Client
	for i, client := range s.Clients {
		key := "clients." + client.Name
		if client.Name == "" || slices.Contains(names, client.Name) {
			c.problems.add("clients.name", "of client %d must be given and be unique", i+1)
		}
		names = append(names, client.Name)
		all = append(all, c.client(key, client))
	}
	register, err := clients.NewRegister(all)
	if err != nil {
		c.problems.add("clients.certificates", "%v; give each client a certificate of its own", err)
	}
	s.Register = register
}

func (c *checker) client(key string, client Client) *clients.Client {
	c.oneOf(key+".setting", client.Setting, unscheduledCareSettings()...)
	c.oneOf(key+".access_method", client.AccessMethod, "attended", "unattended", "smartcard")
	if len(client.Organisations) == 0 || slices.ContainsFunc(client.Organisations, func(o string) bool { return !isCode(o) }) {
		c.problems.add(key+".organisations", "must list the ODS codes of the organisations that ask through this client")
	}
	if len(client.Usernames) == 0 || slices.Contains(client.Usernames, "") {
		c.problems.add(key+".usernames", "must list the WS-Security user names of this client")
	}
	if client.ASID != "" && !isASID(client.ASID) || client.ASID == "" && client.AccessMethod != "smartcard" {
		c.problems.add(key+".asid", "must be the client's ASID, twelve digits")
	}
	positive(c, key+".per_second", *client.PerSecond)
	positive(c, key+".burst", *client.Burst)
	positive(c, key+".questions", *client.Questions)
	c.auditIdentities(key+".audit_identities", client)
	return &clients.Client{
		Name:            client.Name,
		Organisations:   client.Organisations,
		Method:          method(client.AccessMethod),
		Usernames:       client.Usernames,
		AuditIdentities: client.AuditIdentities,
		ASID:            client.ASID,
		TellNotified:    !client.NotificationOff,
		Certificates:    c.certificates(key, client),
		PerSecond:       *client.PerSecond,
		Burst:           *client.Burst,
		Questions:       *client.Questions,
	}
}

func method(name string) clients.AccessMethod {
	switch name {
	case "unattended":
		return clients.Unattended
	case "smartcard":
		return clients.Smartcard
	default:
		return clients.Attended
	}
}

const identityPrefix = "urn:nhs-uk:identity:ods:"

func (c *checker) auditIdentities(key string, client Client) {
	if len(client.AuditIdentities) == 0 {
		c.problems.add(key, "must list at least one, such as %sRXX", identityPrefix)
	}
	for _, identity := range client.AuditIdentities {
		rest, ok := strings.CutPrefix(identity, identityPrefix)
		organisation, _, _ := strings.Cut(rest, ":")
		if !ok || !slices.Contains(client.Organisations, organisation) {
			c.problems.add(key, "%q must be %s and one of the client's organisations", identity, identityPrefix)
		}
	}
}

func (c *checker) certificates(key string, client Client) []string {
	matches := slices.Clone(client.Certificates)
	for _, match := range client.Certificates {
		kind, value, _ := strings.Cut(match, ":")
		digest, err := hex.DecodeString(value)
		hash := (kind == "sha256" || kind == "spki") && err == nil && len(digest) == 32
		if !hash && (kind != "dns" || value == "") {
			c.problems.add(key+".certificates", "%q must be sha256:HEX, spki:HEX or dns:NAME", match)
		}
	}
	var held [][]byte
	for _, path := range client.CertificateFile {
		content, ok := c.file(key+".certificate_files", path)
		if !ok {
			continue
		}
		block, _ := pem.Decode(content)
		if block == nil {
			c.problems.add(key+".certificate_files", "%s holds no certificate in PEM", path)
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			c.problems.add(key+".certificate_files", "%s does not begin with a certificate", path)
			continue
		}
		matches = append(matches, "sha256:"+clients.Fingerprint(certificate))
		held = append(held, certificate.Raw)
	}
	c.holds(key+".certificate_files", inText(fingerprints(held)))
	if len(matches) == 0 {
		c.problems.add(key+".certificates", "must name at least one certificate")
	}
	return matches
}
