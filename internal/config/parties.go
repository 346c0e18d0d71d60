package config

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/internal/clients"
)

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
		if client.AccessMethod == "smartcard" && s.Live && (s.SDS.URL == "" || s.SDS.Protocol != "ldap") {
			c.problems.add(key+".access_method", "needs the directory, in which smartcard users are looked up: configure [sds] with protocol = \"ldap\" (WRD-IAM-18)")
		}
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
	c.oneOf(key+".verify_number", client.VerifyNumber, "none", "pds")
	if client.AccessMethod == "session" {
		c.problems.add(key+".access_method", "cannot be session: smartcard sessions would have to be checked with their authority before anything is asked, and this version has no such check (WRD-IAM-15)")
	} else {
		c.oneOf(key+".access_method", client.AccessMethod, "attended", "unattended", "smartcard")
	}
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
		VerifyNumber:    client.VerifyNumber == "pds",
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
	c.matches(key+".certificates", matches)
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

// matches checks the forms in which certificates are named.
func (c *checker) matches(key string, all []string) {
	for _, match := range all {
		kind, value, _ := strings.Cut(match, ":")
		digest, err := hex.DecodeString(value)
		hash := (kind == "sha256" || kind == "spki") && err == nil && len(digest) == 32
		if !hash && (kind != "dns" || value == "") {
			c.problems.add(key, "%q must be sha256:HEX, spki:HEX or dns:NAME", match)
		}
	}
}
