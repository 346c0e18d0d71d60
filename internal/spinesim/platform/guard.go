package platform

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// guard refuses a configuration that is incomplete or looks like production.
// docs/simulator.md lists the reasons.
func guard(cfg Config) error {
	err := spinesim.GuardService(cfg.Address, cfg.ManagementAddress, cfg.AllowNonLoopback, cfg.Certificate)
	if err != nil {
		return err
	}
	if cfg.PlainAddress != "" {
		err = spinesim.GuardService(cfg.PlainAddress, "", cfg.AllowNonLoopback, cfg.Certificate)
		if err != nil {
			return err
		}
	}
	if cfg.TokenLife < time.Second || cfg.RateLimit < 0 || cfg.RateLimit > maxRate || cfg.KeepRequests < 0 {
		return fmt.Errorf("a token lives less than a second, a count is negative, or the rate limit is above %d", maxRate)
	}
	err = guardApplications(cfg.Applications)
	if err != nil {
		return err
	}
	if !cfg.DirectoryMode.known() {
		return fmt.Errorf("the directory mode %q is neither strict, random nor failing", cfg.DirectoryMode)
	}
	return cfg.Directory.validate()
}

func guardApplications(applications []Application) error {
	keys := map[string]bool{}
	for _, a := range applications {
		if a.APIKey == "" {
			return errors.New("an application has no API key")
		}
		if (a.KeyID == "") != (a.PublicKey == nil) {
			return errors.New("an application has a key id without a public key, or the other way round")
		}
		if a.PublicKey != nil && a.PublicKey.N.BitLen() < 2048 {
			return fmt.Errorf("the public key %q is shorter than 2048 bits", a.KeyID)
		}
		if a.KeyID != "" && keys[a.KeyID] {
			return fmt.Errorf("the key id %q is given to two public keys", a.KeyID)
		}
		keys[a.KeyID] = true
	}
	return nil
}

// Forms of what directory records hold; they go into names of LDAP unescaped.
var (
	asidForm  = regexp.MustCompile(`^[0-9]{12}$`)
	dayForm   = regexp.MustCompile(`^[0-9]{8}$`)
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,255}$`)
)

// validate returns what is wrong with the records, as a sentence.
func (d Directory) validate() error {
	ids := map[string]bool{}
	for _, s := range d.Systems {
		if !asidForm.MatchString(s.ASID) {
			return fmt.Errorf("the ASID %q of a directory record is not twelve digits", s.ASID)
		}
		if !tokenForm.MatchString(s.Organisation) || !tokenForm.MatchString(s.PartyKey) || len(s.Interactions) == 0 {
			return fmt.Errorf("the system %s lacks an organisation, a party key or interactions", s.ASID)
		}
		for _, i := range s.Interactions {
			if !tokenForm.MatchString(i) {
				return fmt.Errorf("the system %s has an interaction that is not urn:nhs:names:services:<service>:<interaction>", s.ASID)
			}
		}
		if ids[s.ASID] {
			return fmt.Errorf("the ASID %s is given to two systems", s.ASID)
		}
		ids[s.ASID] = true
	}
	for _, m := range d.Endpoints {
		err := m.validate()
		if err != nil {
			return err
		}
		if ids[m.ID] {
			return fmt.Errorf("the id %s is given to two directory records", m.ID)
		}
		ids[m.ID] = true
	}
	return validateStaff(d.Staff)
}

func (m MHS) validate() error {
	for _, value := range []string{m.ID, m.Organisation, m.PartyKey, m.Interaction, m.CPAID} {
		if !tokenForm.MatchString(value) {
			return fmt.Errorf("the message handling system %q lacks an id, organisation, party key, interaction or CPA id, or one of them holds other signs than letters, digits and . _ : -", m.ID)
		}
	}
	err := spinesim.GuardName("FQDN of a directory record", m.FQDN)
	if err != nil || m.Address == "" {
		return err
	}
	address, err := url.Parse(m.Address)
	if err != nil || address.Host == "" {
		return fmt.Errorf("the address of the message handling system %s is not a URL", m.ID)
	}
	return spinesim.GuardName("address of a directory record", address.Hostname())
}

func validateStaff(staff []Staff) error {
	ids := map[string]bool{}
	for _, s := range staff {
		if !asidForm.MatchString(s.UserID) || ids[s.UserID] {
			return fmt.Errorf("the user id %q is not twelve digits or given twice", s.UserID)
		}
		ids[s.UserID] = true
		for _, r := range s.Roles {
			if !tokenForm.MatchString(r.Profile) || !tokenForm.MatchString(r.Organisation) || !tokenForm.MatchString(r.Code) || ids["role "+r.Profile] {
				return fmt.Errorf("the user %s has a role profile that lacks its id, organisation or code, or is given twice", s.UserID)
			}
			ids["role "+r.Profile] = true
			for _, day := range []string{r.Opened, r.Closed} {
				if day != "" && !dayForm.MatchString(day) {
					return fmt.Errorf("the role profile %s opens or closes on a day that is not yyyyMMdd", r.Profile)
				}
			}
		}
	}
	return nil
}
