package sds

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// People says where the directory has people, and under which names: a user, below it
// the user's memberships of organisations, and below those the role profiles.
type People struct {
	Base         string   // DN such as ou=people,o=nhs
	User         string   // object class of a user: nhsPerson
	UserID       string   // attribute: uid
	Status       string   // attribute, of which every value but "1" means inactive: nhsPersonStatus
	Role         string   // object class of a role profile: nhsOrgPersonRole
	RoleID       string   // attribute: uniqueIdentifier
	Organisation string   // attribute of a role profile, or of the membership above it: nhsIDCode
	JobRole      string   // attribute: nhsJobRoleCode
	Opened       []string // attributes with the day from which a record holds, yyyyMMdd: nhsOrgOpenDate
	Closed       []string // attributes with the day from which it does not: nhsOrgCloseDate
}

// Refusals of authors: fixed texts.
const (
	NoUser            = "the user is not in the directory"
	UserInactive      = "the user is not active in the directory"
	NoRoleProfile     = "the role profile is not one of the user's in the directory"
	RoleClosed        = "the role profile is not open in the directory"
	OtherOrganisation = "the role profile is of another organisation in the directory"
	OtherJobRole      = "the role profile has another job role in the directory"
)

// ErrNoPeople says that a directory cannot tell anything about authors.
var ErrNoPeople = errors.New("directory: it has no people; check authors with sds.protocol = \"ldap\"")

// maxIdentity bounds each part of an author, in bytes: the directory has none longer.
const maxIdentity = 256

// Author says why a smartcard user, the author of a question, is not one that the
// directory knows with this role profile (WRD-IAM-18), or "" if all fits. The job role is
// compared whole, or with the last of the parts that the directory gives, as in
// S0010:G0020:R0260. An error, an *Error or that of the recorder, means that it could not
// be found out.
//
// Only that an author fits is kept, and only for its time: after that the directory must
// be at hand.
func (d *Directory) Author(ctx context.Context, userID, roleProfile, organisation, roleCode string) (refusal string, err error) {
	if d.people == nil {
		return "", ErrNoPeople
	}
	switch {
	case userID == "" || len(userID) > maxIdentity:
		return NoUser, nil
	case roleProfile == "" || len(roleProfile) > maxIdentity:
		return NoRoleProfile, nil
	case organisation == "" || len(organisation) > maxIdentity:
		return OtherOrganisation, nil
	case roleCode == "" || len(roleCode) > maxIdentity:
		return OtherJobRole, nil
	}
	key := strings.Join([]string{userID, roleProfile, organisation, roleCode}, "\x00")
	refusal, _, err = d.authors.get(ctx, key, func(ctx context.Context) (refusal string, keep bool, err error) {
		err = d.recorded(ctx, Lookup{Purpose: ForAuthor}, func(ctx context.Context, _ string) (string, error) {
			refusal, err = d.people.author(ctx, userID, roleProfile, organisation, roleCode, d.options.Now().In(d.uk))
			if refusal != "" {
				return refusal, err
			}
			return string(Found), err
		})
		return refusal, refusal == "", err
	})
	return refusal, err
}

// author looks a user up, and then the role profile below that user. Today is in the
// zone of the United Kingdom.
func (d *directoryLDAP) author(ctx context.Context, userID, roleProfile, organisation, roleCode string, today time.Time) (refusal string, err error) {
	user, refusal, err := d.user(ctx, userID, today)
	if refusal != "" || err != nil {
		return refusal, err
	}
	role, refusal, err := d.role(ctx, user, roleProfile, today)
	if refusal != "" || err != nil {
		return refusal, err
	}
	organisations, err := d.organisations(ctx, role)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(organisations, func(o string) bool { return strings.EqualFold(o, organisation) }) {
		return OtherOrganisation, nil
	}
	if !slices.ContainsFunc(role.values(d.config.People.JobRole), func(code string) bool { return isJobRole(code, roleCode) }) {
		return OtherJobRole, nil
	}
	return "", nil
}

func (d *directoryLDAP) user(ctx context.Context, id string, today time.Time) (user entry, refusal string, err error) {
	p := d.config.People
	user, err = d.one(ctx, &ldap.SearchRequest{
		BaseDN: p.Base, Scope: ldap.ScopeWholeSubtree, Attributes: slices.Concat([]string{p.UserID, p.Status}, p.Opened, p.Closed),
		Filter: all("objectClass", p.User, p.UserID, id),
	}, "user of the user id")
	if isNone(err) || err == nil && !user.is(p.UserID, id) {
		return user, NoUser, nil
	}
	if err != nil {
		return user, "", err
	}
	open, err := p.isOpen(user, today)
	if err != nil {
		return user, "", err
	}
	if !open || slices.ContainsFunc(user.values(p.Status), func(status string) bool { return status != "1" }) {
		return user, UserInactive, nil
	}
	return user, "", nil
}

func (d *directoryLDAP) role(ctx context.Context, user entry, id string, today time.Time) (role entry, refusal string, err error) {
	p := d.config.People
	role, err = d.one(ctx, &ldap.SearchRequest{
		BaseDN: user.DN, Scope: ldap.ScopeWholeSubtree, Attributes: slices.Concat([]string{p.RoleID, p.Organisation, p.JobRole}, p.Opened, p.Closed),
		Filter: all("objectClass", p.Role, p.RoleID, id),
	}, "role profile of the id, of one user")
	if isNone(err) || err == nil && !role.is(p.RoleID, id) {
		return role, NoRoleProfile, nil
	}
	if err != nil {
		return role, "", err
	}
	open, err := p.isOpen(role, today)
	if err != nil {
		return role, "", err
	}
	if !open {
		return role, RoleClosed, nil
	}
	return role, "", nil
}

// is reports whether an entry has an id as it is written: to LDAP, other spaces and
// another case are the same, and to the Spine they may not be.
func (e entry) is(name, id string) bool { return slices.Contains(e.values(name), id) }

func isNone(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Result == NoRecord
}

// organisations returns those of a role profile: its own, or those of the entry above it,
// the membership.
func (d *directoryLDAP) organisations(ctx context.Context, role entry) ([]string, error) {
	own := role.values(d.config.People.Organisation)
	if len(own) > 0 {
		return own, nil
	}
	dn, err := ldap.ParseDN(role.DN)
	if err != nil || len(dn.RDNs) < 2 {
		return nil, failure(Unusable, "a role profile has a name in the directory that cannot be read")
	}
	dn.RDNs = dn.RDNs[1:]
	above, err := d.one(ctx, &ldap.SearchRequest{
		BaseDN: dn.String(), Scope: ldap.ScopeBaseObject, Attributes: []string{d.config.People.Organisation}, Filter: "(objectClass=*)",
	}, "entry above a role profile")
	if err != nil {
		return nil, err
	}
	return above.values(d.config.People.Organisation), nil
}

// isOpen reports whether a record holds today: from the day on which it was opened, if
// one is given, and before the day on which it was closed.
func (p *People) isOpen(e entry, today time.Time) (bool, error) {
	opened, err := dates(e, p.Opened)
	if err != nil {
		return false, err
	}
	closed, err := dates(e, p.Closed)
	if err != nil {
		return false, err
	}
	day := today.Format(dateForm)
	isLater := func(date string) bool { return date > day }
	return !slices.ContainsFunc(opened, isLater) && !slices.ContainsFunc(closed, func(date string) bool { return !isLater(date) }), nil
}

const dateForm = "20060102"

func dates(e entry, names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		for _, date := range e.values(name) {
			_, err := time.Parse(dateForm, date)
			if err != nil {
				return nil, failure(Unusable, "a record has a "+name+" that is not a date; tell the directory's owner")
			}
			all = append(all, date)
		}
	}
	return all, nil
}

// isJobRole compares a job role with that of the directory, which gives the staff group
// and sub group before it.
func isJobRole(code, asked string) bool {
	return code == asked || strings.HasSuffix(code, ":"+asked) && !strings.Contains(asked, ":")
}
