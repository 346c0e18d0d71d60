package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/sds"
)

// SDS is the Spine Directory Service. It is not used, and not checked, without a URL.
type SDS struct {
	Protocol   string `toml:"protocol"`    // "ldap" or "fhir"; ldap
	URL        string `toml:"url"`         // ldaps://HOST, with :PORT if it is not 636; or the https base of the FHIR API
	ServerName string `toml:"server_name"` // name in the directory's certificate; the URL's host if empty
	CA         string `toml:"ca"`          // PEM file: anchors of its certificate; those of the system if empty, with fhir only
	MaxTLS     string `toml:"max_tls"`     // "1.2" or "1.3"; 1.2

	Certificate string `toml:"certificate"` // PEM file: ours, with its intermediates; may be left out with fhir
	Key         string `toml:"key"`         // PEM file
	APIKey      string `toml:"api_key"`     // file with the key of the FHIR API; fhir only

	CRLs            []string      `toml:"crls"`             // files of revocation lists; none are checked if empty
	RevocationGrace time.Duration `toml:"revocation_grace"` // after a list is out of date; 24h

	Base         string            `toml:"base"`         // DN below which services are, ldap only; ou=services,o=nhs
	Organisation string            `toml:"organisation"` // ODS code of the Spine; no default
	Interaction  string            `toml:"interaction"`  // service and interaction; that of the CP-IS query
	Endpoints    map[string]string `toml:"endpoints"`    // https URLs to dial in the place of those in the directory, by the latter

	Cache    time.Duration `toml:"cache"`    // how long what it says of the service is used; 15m
	Stale    time.Duration `toml:"stale"`    // how long where it is not at hand, from when it said so, at most 168h; 24h
	Patience time.Duration `toml:"patience"` // how long a question waits for it where there is such a value; 1s
	Negative time.Duration `toml:"negative"` // how soon it is asked again after it failed; 5s

	ConnectTimeout time.Duration `toml:"connect_timeout"` // 5s
	SearchTimeout  time.Duration `toml:"search_timeout"`  // of each of the two or three questions of a look-up; 3s
	Connections    int           `toml:"connections"`     // at a time, ldap only; 4

	People SDSPeople `toml:"people"`
}

// SDSPeople is where and under which names the directory has smartcard users, ldap only.
type SDSPeople struct {
	Base         string        `toml:"base"`         // DN below which users are; ou=people,o=nhs
	User         string        `toml:"user"`         // object class of a user; nhsPerson
	UserID       string        `toml:"user_id"`      // attribute of it; uid
	Status       string        `toml:"status"`       // attribute of it that is 1 if the user is active; nhsPersonStatus
	Role         string        `toml:"role"`         // object class of a role profile, below its user; nhsOrgPersonRole
	RoleID       string        `toml:"role_id"`      // attribute of it; uniqueIdentifier
	Organisation string        `toml:"organisation"` // attribute of it, or of the entry above it; nhsIDCode
	JobRole      string        `toml:"job_role"`     // attribute of it; nhsJobRoleCode
	Opened       []string      `toml:"opened"`       // attributes with the day from which a record holds; nhsOrgOpenDate, nhsOpenDate
	Closed       []string      `toml:"closed"`       // attributes with the day from which it does not; nhsOrgCloseDate, nhsCloseDate
	Cache        time.Duration `toml:"cache"`        // how long a user whose identity fits is not looked up again, at most 1h; 5m
}

func defaultSDS() SDS {
	return SDS{
		Protocol: "ldap", MaxTLS: "1.2", RevocationGrace: 24 * time.Hour,
		Base: "ou=services,o=nhs", Interaction: "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01",
		Cache: 15 * time.Minute, Stale: 24 * time.Hour, Patience: time.Second, Negative: 5 * time.Second,
		ConnectTimeout: 5 * time.Second, SearchTimeout: 3 * time.Second, Connections: 4,
		People: SDSPeople{
			Base: "ou=people,o=nhs", User: "nhsPerson", UserID: "uid", Status: "nhsPersonStatus",
			Role: "nhsOrgPersonRole", RoleID: "uniqueIdentifier", Organisation: "nhsIDCode", JobRole: "nhsJobRoleCode",
			Opened: []string{"nhsOrgOpenDate", "nhsOpenDate"}, Closed: []string{"nhsOrgCloseDate", "nhsCloseDate"}, Cache: 5 * time.Minute,
		},
	}
}

// Bounds of how long answers of the directory are used.
const (
	maxStale       = 7 * 24 * time.Hour
	maxAuthorCache = time.Hour
)

// directory checks the section [sds] and makes of it the options of a directory, to which
// who runs it adds the recorder. They are nil if there are problems.
func (c *checker) directory(s *Settings) *sds.Options {
	before := len(c.problems)
	d := s.SDS
	if !isCode(d.Organisation) {
		c.problems.add("sds.organisation", "must be the ODS code of the Spine in this environment; it has no default and is never guessed")
	}
	if !strings.HasPrefix(d.Interaction, "urn:") {
		c.problems.add("sds.interaction", "must be a service and interaction such as urn:nhs:names:services:cpisquery:QUPC_IN000006GB01")
	}
	c.directoryTimes(d, s.ITK.RequestBudget)
	o := &sds.Options{
		Organisation: d.Organisation, Interaction: d.Interaction, Endpoints: c.replacements(s.Live, d.Endpoints),
		Fresh: d.Cache, Stale: d.Stale, Patience: d.Patience, Retry: d.Negative, Author: d.People.Cache, Now: time.Now,
	}
	if !s.Live {
		o.Accept = notLiveEndpoint
	}
	c.oneOf("sds.protocol", d.Protocol, "ldap", "fhir")
	base := c.directoryURL(s.Live, d)
	config := c.directoryTLS(s, base)
	if d.Protocol == "fhir" {
		o.FHIR = &sds.FHIR{Base: base, TLS: config, APIKey: c.apiKey("sds.api_key", d.APIKey), ConnectTimeout: d.ConnectTimeout, AnswerTimeout: d.SearchTimeout}
	} else {
		c.directoryNames(d)
		o.LDAP = &sds.LDAP{
			Base: d.Base, TLS: config, People: people(d.People),
			ConnectTimeout: d.ConnectTimeout, SearchTimeout: d.SearchTimeout, Connections: d.Connections,
		}
	}
	if len(c.problems) > before {
		return nil
	}
	if o.LDAP != nil {
		o.LDAP.Address = net.JoinHostPort(base.Hostname(), portOf(base))
	}
	return o
}

func portOf(u *url.URL) string {
	if u.Port() == "" {
		return "636"
	}
	return u.Port()
}

func people(p SDSPeople) *sds.People {
	return &sds.People{
		Base: p.Base, User: p.User, UserID: p.UserID, Status: p.Status, Role: p.Role, RoleID: p.RoleID,
		Organisation: p.Organisation, JobRole: p.JobRole, Opened: p.Opened, Closed: p.Closed,
	}
}

func (c *checker) directoryTimes(d SDS, budget time.Duration) {
	positive(c, "sds.cache", d.Cache)
	positive(c, "sds.patience", d.Patience)
	positive(c, "sds.negative", d.Negative)
	positive(c, "sds.connect_timeout", d.ConnectTimeout)
	positive(c, "sds.search_timeout", d.SearchTimeout)
	positive(c, "sds.people.cache", d.People.Cache)
	if d.Stale < d.Cache || d.Stale > maxStale {
		c.problems.add("sds.stale", "must be between sds.cache and %s", maxStale)
	}
	if d.Patience >= budget {
		c.problems.add("sds.patience", "must be shorter than itk.request_budget")
	}
	if d.People.Cache > maxAuthorCache {
		c.problems.add("sds.people.cache", "must be at most %s; a user may be struck off meanwhile", maxAuthorCache)
	}
	if d.Connections < 1 || d.Connections > 64 {
		c.problems.add("sds.connections", "must be between 1 and 64")
	}
}

// directoryNames checks what becomes part of filters and names of entries.
func (c *checker) directoryNames(d SDS) {
	for key, dn := range map[string]string{"sds.base": d.Base, "sds.people.base": d.People.Base} {
		if !sds.IsDN(dn) {
			c.problems.add(key, "must be a distinguished name such as ou=services,o=nhs")
		}
	}
	p := d.People
	for key, names := range map[string][]string{
		"user": {p.User}, "user_id": {p.UserID}, "status": {p.Status}, "role": {p.Role}, "role_id": {p.RoleID},
		"organisation": {p.Organisation}, "job_role": {p.JobRole}, "opened": p.Opened, "closed": p.Closed,
	} {
		if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return !sds.IsName(n) }) {
			c.problems.add("sds.people."+key, "must be a name of the directory's schema: letters, digits and '-'")
		}
	}
}

func (c *checker) directoryURL(live bool, d SDS) *url.URL {
	u, err := url.Parse(d.URL)
	wrong := err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != ""
	switch {
	case d.Protocol == "fhir" && (wrong || u.Scheme != "https"):
		c.problems.add("sds.url", "must be the https URL under which Device and Endpoint are, without user, query and fragment")
		return nil
	case d.Protocol != "fhir" && (wrong || u.Scheme != "ldaps" || u.Path != ""):
		c.problems.add("sds.url", "must be of the form ldaps://HOST or ldaps://HOST:PORT")
		return nil
	}
	c.platformHost(live, "sds.url", u.Hostname())
	c.platformHost(live, "sds.server_name", d.ServerName)
	return u
}

func (c *checker) directoryTLS(s *Settings, base *url.URL) *tls.Config {
	d := s.SDS
	c.oneOf("sds.max_tls", d.MaxTLS, "1.2", "1.3")
	config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: suites(), ServerName: d.ServerName}
	if d.MaxTLS == "1.3" {
		config.MaxVersion = tls.VersionTLS13
	}
	if config.ServerName == "" && base != nil {
		config.ServerName = base.Hostname()
	}
	var anchors []*x509.Certificate
	if d.CA != "" || d.Protocol != "fhir" {
		anchors = c.anchors("sds.ca", d.CA)
		config.RootCAs = pool(anchors)
	}
	if d.Certificate != "" || d.Key != "" || d.Protocol != "fhir" {
		certificate, _ := c.keyPair("sds.certificate", d.Certificate, "sds.key", d.Key)
		config.Certificates = []tls.Certificate{certificate}
	}
	s.Trust.Directory = c.revoked("sds.crls", d.CRLs, anchors, "sds.revocation_grace", d.RevocationGrace)
	config.VerifyConnection = s.Trust.Directory.VerifyConnection
	return config
}

// replacements reads the URLs that stand in the place of those in the directory.
func (c *checker) replacements(live bool, texts map[string]string) map[string]*url.URL {
	all := map[string]*url.URL{}
	for listed, text := range texts {
		u, err := url.Parse(text)
		if listed == "" || err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			c.problems.add("sds.endpoints", "must give an https URL to dial for each URL in the directory")
			continue
		}
		c.notLive(live, "sds.endpoints", u.Hostname())
		all[listed] = u
	}
	return all
}

// notLiveEndpoint keeps a test environment from the live Spine where the directory names
// that (WRD-SAF-17).
func notLiveEndpoint(u *url.URL) error {
	if isLiveSpine(u.Hostname()) {
		return errors.New("it is of the live Spine, and this is a test environment (WRD-SAF-17)")
	}
	return nil
}

// apiKey reads a key that is told in an HTTP header.
func (c *checker) apiKey(key, path string) string {
	content, ok := c.secret(key, path)
	if !ok {
		return ""
	}
	text := strings.TrimSpace(string(content))
	if text == "" || len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.problems.add(key, "names a file that is not an API key: at most 256 characters without spaces")
		return ""
	}
	c.holds(key, "sha256:"+hash([]byte(text)))
	return text
}
