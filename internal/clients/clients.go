// Package clients is the register of client systems: who may ask, for which
// organisation, and how often. A client is known by its certificate before a byte
// of its message is read.
package clients

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/wardsmsp/ward/cpis"
)

// AccessMethod is how the users of a client are identified.
type AccessMethod uint8

const (
	// Attended: users without a smartcard; the audit identity singles out one.
	Attended AccessMethod = iota
	// Unattended: a system without a user.
	Unattended
	// Smartcard: users with a smartcard, whose user id and role profile id come
	// with each message.
	Smartcard
)

// Client is one registered client system. It is not changed once registered.
type Client struct {
	Name            string
	Organisations   []string // ODS codes; the first is the one that is replied to
	Method          AccessMethod
	Usernames       []string // of the WS-Security UsernameToken
	AuditIdentities []string // each allows itself and what it prefixes at a colon
	ASID            string
	TellNotified    bool // add the handling entries of our own to replies (WRD-RC-14)
	VerifyNumber    bool // ask the demographics service about each number first (WRD-PDS-03)
	Certificates    []string
	PerSecond       float64 // questions a second
	Burst           int
	Questions       int // under way at a time

	limiter  *rate.Limiter
	underWay atomic.Int64
}

// Allow reports whether the client may ask one more question now, and counts it.
func (c *Client) Allow() bool { return c.limiter.Allow() }

// Enter reports whether the client may have one more question under way. If so,
// Leave must follow.
func (c *Client) Enter() bool {
	if c.underWay.Add(1) > int64(c.Questions) {
		c.underWay.Add(-1)
		return false
	}
	return true
}

// Leave ends what Enter began.
func (c *Client) Leave() { c.underWay.Add(-1) }

// Refuses says why this client may not ask with this author and these audit
// identities, or "" if it may (N36, WRD-IAM-12 to WRD-IAM-17). The text is fixed.
func (c *Client) Refuses(author cpis.Author, identities []cpis.AuditIdentity) string {
	if !slices.ContainsFunc(c.Organisations, func(code string) bool {
		return strings.EqualFold(code, author.Organisation().ID.Extension)
	}) {
		return "the author's organisation is not one of the client's"
	}
	if c.Method == Attended && !namesUser(identities) {
		return "the audit identity does not single out a user"
	}
	switch a := author.(type) {
	case cpis.System:
		return c.refusesSystem(a)
	case cpis.Person:
		return c.refusesPerson(a, identities)
	default:
		return "the author is neither a person nor a system"
	}
}

func (c *Client) refusesSystem(s cpis.System) string {
	switch {
	case c.Method == Smartcard:
		return "a client with smartcards asked as a system"
	case s.ASID != c.ASID:
		return "the author's ASID is not the client's"
	case len(s.Authorities) == 0:
		return "the system names no responsible person"
	default:
		return ""
	}
}

func (c *Client) refusesPerson(p cpis.Person, identities []cpis.AuditIdentity) string {
	if c.Method == Unattended {
		return "a client without users asked as a person"
	}
	if c.Method == Smartcard && p.RoleProfile() == "" {
		return "a smartcard user without a role profile"
	}
	userIDs, roleProfiles := of(identities, cpis.OIDUserID), of(identities, cpis.OIDRoleProfile)
	if !areAll(userIDs, p.UserID()) || !areAll(roleProfiles, p.RoleProfile()) {
		return "the audit identity and the author name different users"
	}
	if c.Method == Smartcard && (len(userIDs) == 0 || len(roleProfiles) == 0) {
		return "a smartcard user whose user id or role profile is not in the audit identity"
	}
	return ""
}

// of returns the values of all identities of one type.
func of(identities []cpis.AuditIdentity, kind string) []string {
	var values []string
	for _, id := range identities {
		if id.Type == kind {
			values = append(values, id.URI)
		}
	}
	return values
}

func areAll(values []string, one string) bool {
	return !slices.ContainsFunc(values, func(value string) bool { return value != one })
}

// namesUser reports whether the audit identities single out a user instead of
// merely naming an organisation (WRD-IAM-14).
func namesUser(identities []cpis.AuditIdentity) bool {
	return slices.ContainsFunc(identities, func(id cpis.AuditIdentity) bool {
		if id.Type == cpis.OIDUserID {
			return id.URI != ""
		}
		// urn:nhs-uk:identity:ods:ORG:user
		parts := strings.SplitN(id.URI, ":", 6)
		return strings.HasPrefix(id.URI, "urn:nhs-uk:identity:") && len(parts) == 6 && strings.Trim(parts[5], ":") != ""
	})
}

// Register finds clients by certificate. It is not changed once made: a new
// configuration makes a new one.
type Register struct{ byMatch map[string]*Client }

// NewRegister makes a register. A certificate that would match two clients is
// refused.
func NewRegister(all []*Client) (*Register, error) {
	r := &Register{byMatch: map[string]*Client{}}
	for _, client := range all {
		client.limiter = rate.NewLimiter(rate.Limit(client.PerSecond), client.Burst)
		for _, match := range client.Certificates {
			match = strings.ToLower(match)
			other, taken := r.byMatch[match]
			if taken {
				return nil, fmt.Errorf("clients %q and %q have the same certificate", other.Name, client.Name)
			}
			r.byMatch[match] = client
		}
	}
	return r, nil
}

// Identify returns the client to whom a verified certificate belongs: by its own
// SHA-256 ("sha256:HEX"), by that of its public key ("spki:HEX"), or by a DNS name
// in it ("dns:NAME"). One that matches two clients belongs to neither.
func (r *Register) Identify(certificate *x509.Certificate) (*Client, bool) {
	var found *Client
	for _, match := range Matches(certificate) {
		client, ok := r.byMatch[match]
		if !ok {
			continue
		}
		if found != nil && found != client {
			return nil, false
		}
		found = client
	}
	return found, found != nil
}

// Matches are all the forms in which a certificate can be named, in lower case.
func Matches(certificate *x509.Certificate) []string {
	key := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	all := []string{"sha256:" + Fingerprint(certificate), "spki:" + hex.EncodeToString(key[:])}
	for _, name := range certificate.DNSNames {
		all = append(all, "dns:"+strings.ToLower(name))
	}
	return all
}

// Fingerprint is the SHA-256 of a certificate in lower-case hex.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}
