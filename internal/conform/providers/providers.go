// Package providers tries an SMSP endpoint, whoever made it, over the real wire:
// each case is one conversation of bytes over mutual TLS, and every reply is held
// against what must be true of any reply.
//
// Cases that a sound provider accepts do ask: each puts one question to the Spine
// behind the endpoint. So a suite is made for a test environment alone, sends no
// NHS number that could be a person's, and refuses hosts of the NHS. It runs one
// conversation at a time, and those that must be refused before any that asks.
package providers

import (
	"crypto/tls"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/conform"
)

// Settings are how an endpoint is reached and as whom it is tried. What is left
// empty among the optional ones leaves out the cases that need it.
type Settings struct {
	URL      string        // https URL of the endpoint
	To       string        // wsa:To; the URL if empty
	TLS      *tls.Config   // with the tester's certificate and the endpoint's anchors
	Username string        // registered for the tester
	Timeout  time.Duration // for each message; 10 s, which is what clients usually wait (L22)
	Pause    time.Duration // between conversations; 100 ms

	Organisation     string // ODS code of the tester
	OrganisationName string
	Provider         string // ODS code of the provider
	AuditIdentity    string // urn:nhs-uk:identity:ods:ORG:user
	Role             cpis.Coded
	Name             cpis.PersonName // of the person who asks, or is responsible

	OtherUsername string // optional: known to the provider, not permitted for the tester
	// AccessMethod is how the tester is registered: "attended" if empty, "unattended" or
	// "smartcard". It chooses the cases about who must be named.
	AccessMethod string
	ASID         string // optional: the tester's, for questions by a system
	UserID       string // optional: SDS user id, for questions by a person
	RoleProfile  string // optional: of the same person

	// Children are the numbers to ask about, by the response code that the
	// provider must give for each.
	Children map[cpis.Code]cpis.NHSNumber
	// Tool says which build this is, for the report.
	Tool string
}

// Suite tries one endpoint.
type Suite struct {
	settings Settings
	endpoint *url.URL
}

// New returns a suite for an endpoint of a test environment. It connects to nothing;
// the names in the endpoint's certificate are looked at in each handshake.
// The error says in a sentence why an endpoint or a number may not be used.
func New(s Settings) (*Suite, error) {
	endpoint, err := url.Parse(s.URL)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, errors.New("the URL of the endpoint must be an https URL")
	}
	if s.TLS == nil || s.TLS.InsecureSkipVerify {
		return nil, errors.New("a TLS configuration is needed, and it must verify the endpoint")
	}
	if s.To == "" {
		s.To = s.URL
	}
	to, err := url.Parse(s.To)
	if err != nil {
		return nil, errors.New("wsa:To must be a URI")
	}
	for _, host := range []string{endpoint.Hostname(), s.TLS.ServerName, to.Hostname()} {
		if isNHS(host) {
			return nil, errNHS
		}
	}
	for _, number := range s.Children {
		if !number.IsInvented() {
			return nil, errors.New("an NHS number is neither of the 999 test range nor one of the official test harness: no other is ever sent")
		}
	}
	if s.AccessMethod == "" {
		s.AccessMethod = attended
	}
	if s.Timeout <= 0 {
		s.Timeout = 10 * time.Second
	}
	if s.Pause <= 0 {
		s.Pause = 100 * time.Millisecond
	}
	return &Suite{settings: s, endpoint: endpoint}, nil
}

// errNHS is for an endpoint that the suite may not be pointed at.
var errNHS = errors.New("the host is under nhs.uk: a conformance suite asks questions, and may not be pointed at a service of the NHS")

// isNHS reports whether a host, or a name in a certificate, is under nhs.uk.
func isNHS(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "nhs.uk" || strings.HasSuffix(host, ".nhs.uk")
}

// Case is what is tried, as a list shows it.
type Case struct {
	ID           string
	Group        string
	Title        string
	Requirements []string
	Own          bool // Ward's own choice, and no published or observed rule
	// Conversation is false for what is held against every reply of a run.
	Conversation bool
	// Asks is how many questions a sound provider puts to the Spine.
	Asks int
}

// Level is "required" or "own".
func (c Case) Level() string { return conform.Result{Own: c.Own}.Level() }

// Cases lists what a run tries, in order.
func Cases() []Case {
	var list []Case
	for _, t := range trials() {
		list = append(list, t.Case())
	}
	for _, i := range invariants() {
		list = append(list, i.Case())
	}
	return list
}

// Selected lists the cases of a run that is restricted to conversations in which the
// text stands: in id, group, title or a requirement, in any case of letters. What is
// held against every reply is part of each run. The empty text selects all.
func Selected(only string) []Case {
	return slices.DeleteFunc(Cases(), func(c Case) bool { return c.Conversation && !c.matches(only) })
}

func (c Case) matches(only string) bool {
	all := strings.Join(append([]string{c.ID, c.Group, c.Title}, c.Requirements...), "\n")
	return strings.Contains(strings.ToLower(all), strings.ToLower(only))
}

// family is the family name of the person who asks.
func (s Settings) family() string {
	for _, part := range s.Name.Parts {
		if part.Kind == "family" {
			return part.Text
		}
	}
	return ""
}
