package sds

import (
	"regexp"

	"github.com/go-ldap/ldap/v3"
)

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// IsName reports whether a name can be that of an attribute or an object class. It is not
// escaped in filters.
func IsName(name string) bool { return nameForm.MatchString(name) }

// IsDN reports whether a text is a distinguished name (RFC 4514), and not the empty one.
func IsDN(text string) bool {
	dn, err := ldap.ParseDN(text)
	return err == nil && len(dn.RDNs) > 0
}
