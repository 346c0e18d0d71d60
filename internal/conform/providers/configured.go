package providers

import (
	"errors"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
)

// Configured are the settings of a client's configuration file. It must have a
// conform table, without which nothing is tried.
func Configured(c *config.ClientSettings) (Settings, error) {
	if c.Conform == nil || c.Live {
		return Settings{}, errors.New(`the configuration has no [conform] table with environment = "test"; only a provider of a test environment may be tried`)
	}
	s := Settings{
		URL: c.URL, To: c.To, TLS: c.TLS, Username: c.Username, Timeout: c.Timeout, Pause: c.Conform.Pause,
		Organisation: c.Organisation, OrganisationName: c.OrganisationName, Provider: c.Provider, AuditIdentity: c.AuditIdentity,
		OtherUsername: c.Conform.OtherUsername,
		AccessMethod:  c.Conform.AccessMethod,
		ASID:          c.Conform.ASID, UserID: c.Conform.UserID, RoleProfile: c.Conform.RoleProfile,
		Children: c.Children,
	}
	switch author := c.Author.(type) {
	case cpis.System:
		s.ASID = author.ASID
		s.Role, s.Name = author.Authorities[0].Role, author.Authorities[0].Name
	case cpis.Person:
		s.UserID, s.RoleProfile = author.UserID(), author.RoleProfile()
		s.Role, s.Name = author.Role, author.Name
	}
	return s, nil
}
