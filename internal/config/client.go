package config

import (
	"crypto/tls"
	"net/url"
	"path/filepath"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// ClientFile is the configuration file of `ward ask` and `ward conform`, in TOML.
type ClientFile struct {
	URL              string        `toml:"url"`               // of the provider's endpoint
	To               string        `toml:"to"`                // wsa:To; the URL if empty
	Username         string        `toml:"username"`          // as registered with the provider
	AuditIdentity    string        `toml:"audit_identity"`    // urn:nhs-uk:identity:ods:ORG:user
	Organisation     string        `toml:"organisation"`      // ODS code
	OrganisationName string        `toml:"organisation_name"` //
	Provider         string        `toml:"provider"`          // ODS code
	Certificate      string        `toml:"certificate"`       // PEM file
	Key              string        `toml:"key"`               // PEM file
	CA               string        `toml:"ca"`                // PEM file: anchors of the provider's certificate
	ServerName       string        `toml:"server_name"`       // the URL's host if empty
	Timeout          time.Duration `toml:"timeout"`           // 15s
	Live             bool          `toml:"live"`              // false marks every answer as not real
	Contacts         string        `toml:"contacts"`          // local contact list, shown where there is no result
	ServiceDesk      string        `toml:"service_desk"`      // phone number

	System *AuthorSystem `toml:"system"` // exactly one of the two
	Person *AuthorPerson `toml:"person"`

	Conform *Conform `toml:"conform"` // for `ward conform` alone
}

// Conform is what `ward conform` needs besides. It tries a provider and asks many
// questions, so that the whole of it is for test environments alone.
type Conform struct {
	Environment   string         `toml:"environment"`    // must be "test"
	Children      []ConformChild `toml:"children"`       // at least one, each with a code of its own
	OtherUsername string         `toml:"other_username"` // known to the provider, not permitted for this client
	ASID          string         `toml:"asid"`           // the client's, if the file describes a person
	UserID        string         `toml:"user_id"`        // of a user, if the file describes a system
	RoleProfile   string         `toml:"role_profile"`   // of the same user
	AccessMethod  string         `toml:"access_method"`  // as which this client is registered: attended, unattended, smartcard; attended
	Pause         time.Duration  `toml:"pause"`          // between conversations; 100ms
}

// ConformChild is somebody invented, and the code with which the provider must answer
// a question about them.
type ConformChild struct {
	NHSNumber string `toml:"nhs_number"` // of the 999 range, or of the official test harness
	Code      string `toml:"code"`       // SMSP-0000, CPIS-0001 ...: one that a valid question can bring
}

// AuthorSystem asks as a system with a responsible person.
type AuthorSystem struct {
	ASID        string      `toml:"asid"`
	Responsible AuthorNamed `toml:"responsible"`
}

// AuthorPerson asks as a smartcard user.
type AuthorPerson struct {
	UserID      string      `toml:"user_id"`
	RoleProfile string      `toml:"role_profile"`
	Name        AuthorNamed `toml:"name"`
}

// AuthorNamed is a person's name and job role.
type AuthorNamed struct {
	RoleCode string `toml:"role_code"`
	RoleName string `toml:"role_name"`
	Prefix   string `toml:"prefix"`
	Given    string `toml:"given"`
	Family   string `toml:"family"`
}

// ClientSettings is a checked client configuration with its keys loaded.
type ClientSettings struct {
	ClientFile
	TLS             *tls.Config
	Author          cpis.Author
	AuditIdentities []cpis.AuditIdentity
	// Children are those of the conform table by code; nil without one.
	Children map[cpis.Code]cpis.NHSNumber
}

// LoadClient reads and checks the configuration file of a client.
func LoadClient(path string) (*ClientSettings, error) {
	var file ClientFile
	unknown, err := decode(path, &file)
	if err != nil {
		return nil, err
	}
	c := &checker{folder: filepath.Dir(path), problems: unknown}
	s := &ClientSettings{ClientFile: file}
	endpoint, err := url.Parse(file.URL)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" {
		c.problems.add("url", "must be the https URL of the provider's endpoint")
		endpoint = &url.URL{}
	}
	if file.Username == "" {
		c.problems.add("username", "must be the user name that the provider registered")
	}
	if !isCode(file.Organisation) || file.OrganisationName == "" {
		c.problems.add("organisation", "and organisation_name must be given: an ODS code and a name")
	}
	if !isCode(file.Provider) {
		c.problems.add("provider", "must be the provider's ODS code")
	}
	if file.AuditIdentity == "" {
		c.problems.add("audit_identity", "must name the user, such as %s%s:jsmith", identityPrefix, file.Organisation)
	}
	certificate, _ := c.keyPair("certificate", file.Certificate, "key", file.Key)
	anchors := c.anchors("ca", file.CA)
	s.author(c)
	s.conform(c)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	name := file.ServerName
	if name == "" {
		name = endpoint.Hostname()
	}
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		RootCAs:      pool(anchors),
		ServerName:   name,
		MinVersion:   tls.VersionTLS12,
	}
	return s, nil
}

func (s *ClientSettings) author(c *checker) {
	organisation := cpis.Organisation{
		ID:   cpis.Identifier{Root: cpis.OIDOrganisation, Extension: s.Organisation},
		Name: s.OrganisationName,
	}
	s.AuditIdentities = []cpis.AuditIdentity{{Type: cpis.OIDToolkitIdentity, URI: s.AuditIdentity}}
	switch {
	case (s.System == nil) == (s.Person == nil):
		c.problems.add("system", "or person: exactly one of the two must say who asks")
	case s.System != nil:
		if !isASID(s.System.ASID) {
			c.problems.add("system.asid", "must be twelve digits")
		}
		s.Author = cpis.System{
			ASID:        s.System.ASID,
			Authorities: []cpis.IndirectAuthority{{Role: s.System.Responsible.role(c, "system.responsible"), Name: s.System.Responsible.name()}},
			Maintaining: organisation,
		}
	default:
		s.person(c, organisation)
	}
}

// conform checks the table that makes a provider be tried. It is refused as a whole
// unless the file says twice that its environment is not live (WRD-SAF-02, WRD-SAF-17).
func (s *ClientSettings) conform(c *checker) {
	t := s.Conform
	if t == nil {
		return
	}
	if t.Environment != "test" || s.Live {
		c.problems.add("conform.environment", `must be "test", and live must be false: a provider is tried in a test environment alone`)
	}
	if t.AccessMethod == "" {
		t.AccessMethod = "attended"
	}
	c.oneOf("conform.access_method", t.AccessMethod, "attended", "unattended", "smartcard")
	if t.AccessMethod == "unattended" && (s.Person != nil || t.UserID != "") {
		c.problems.add("conform.access_method", "is that of a client without users: neither person nor conform.user_id may be given")
	}
	if t.AccessMethod == "smartcard" && (s.System != nil || t.ASID != "") {
		c.problems.add("conform.access_method", "is that of users with smartcards: neither system nor conform.asid may be given")
	}
	if t.ASID != "" && !isASID(t.ASID) {
		c.problems.add("conform.asid", "must be twelve digits")
	}
	if (t.UserID == "") != (t.RoleProfile == "") {
		c.problems.add("conform.user_id", "and role_profile must be given together")
	}
	if len(t.Children) == 0 {
		c.problems.add("conform.children", "must name at least one number to ask about and its code")
	}
	s.Children = map[cpis.Code]cpis.NHSNumber{}
	for i, child := range t.Children {
		number, err := cpis.ParseNHSNumber(child.NHSNumber)
		if err != nil || !number.IsInvented() {
			c.problems.add("conform.children", "entry %d: nhs_number must be of the 999 range, or one of the official test harness; no other is ever sent", i+1)
		}
		code := cpis.Code(child.Code)
		if code.Display() == "" || code == cpis.CodeLocalStore || code == cpis.CodeInputInvalid {
			c.problems.add("conform.children", "entry %d: code must be one that a valid question can bring, such as SMSP-0000 or CPIS-0001", i+1)
		}
		_, taken := s.Children[code]
		if taken {
			c.problems.add("conform.children", "entry %d: another entry has the same code", i+1)
		}
		s.Children[code] = number
	}
}

func (s *ClientSettings) person(c *checker, organisation cpis.Organisation) {
	p := s.Person
	if p.UserID == "" {
		c.problems.add("person.user_id", "must be the SDS user id")
	}
	person := cpis.Person{
		Role:        p.Name.role(c, "person.name"),
		IDs:         []cpis.Identifier{{Root: cpis.OIDUserID, Extension: p.UserID}},
		Name:        p.Name.name(),
		Represented: organisation,
	}
	s.AuditIdentities = append(s.AuditIdentities, cpis.AuditIdentity{Type: cpis.OIDUserID, URI: p.UserID})
	if p.RoleProfile != "" {
		person.IDs = append(person.IDs, cpis.Identifier{Root: cpis.OIDRoleProfile, Extension: p.RoleProfile})
		s.AuditIdentities = append(s.AuditIdentities, cpis.AuditIdentity{Type: cpis.OIDRoleProfile, URI: p.RoleProfile})
	}
	s.Author = person
}

func (n AuthorNamed) role(c *checker, key string) cpis.Coded {
	if n.RoleCode == "" || n.RoleName == "" || n.Family == "" {
		c.problems.add(key, "must have role_code, role_name and family")
	}
	return cpis.Coded{Code: n.RoleCode, System: cpis.OIDJobRole, Display: n.RoleName}
}

func (n AuthorNamed) name() cpis.PersonName {
	name := cpis.PersonName{Use: "L"}
	for _, part := range []cpis.NamePart{{Kind: "prefix", Text: n.Prefix}, {Kind: "given", Text: n.Given}, {Kind: "family", Text: n.Family}} {
		if part.Text != "" {
			name.Parts = append(name.Parts, part)
		}
	}
	return name
}
