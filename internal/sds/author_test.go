//go:build ldap

package sds_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/slapdtest"
)

// WRD-IAM-18: a smartcard user's identity, role profile, organisation and job role are
// those of the directory.
func TestAuthors(t *testing.T) {
	change := func(id string, edit func(*slapdtest.Person)) slapdtest.Person {
		p := nurse
		p.UserID, p.RoleProfile = "5550000001"+id, "5550000002"+id
		edit(&p)
		return p
	}
	uk, err := time.LoadLocation("Europe/London")
	must(t, err)
	now := time.Now()
	day := func(days int) string { return now.In(uk).AddDate(0, 0, days).Format("20060102") }
	cases := []struct {
		name   string
		person slapdtest.Person
		role   string
		want   string
	}{
		{"fits", nurse, "R0260", ""},
		{"with the whole job role", nurse, "S8000:G8000:R0260", ""},
		{"with another job role", nurse, "R0261", sds.OtherJobRole},
		{"with another group of the job role", nurse, "S8001:G8000:R0260", sds.OtherJobRole},
		{"with a part of the job role", nurse, "260", sds.OtherJobRole},
		{"with the last two parts of the job role", nurse, "G8000:R0260", sds.OtherJobRole},
		{"inactive", change("02", func(p *slapdtest.Person) { p.Status = "2" }), "R0260", sds.UserInactive},
		{"of no status", change("03", func(p *slapdtest.Person) { p.Status = "" }), "R0260", ""},
		{"closed yesterday", change("04", func(p *slapdtest.Person) { p.Closed = day(-1) }), "R0260", sds.RoleClosed},
		{"closed today", change("05", func(p *slapdtest.Person) { p.Closed = day(0) }), "R0260", sds.RoleClosed},
		{"closed tomorrow", change("06", func(p *slapdtest.Person) { p.Closed = day(1) }), "R0260", ""},
		{"opened today", change("07", func(p *slapdtest.Person) { p.Opened = day(0) }), "R0260", ""},
		{"opened tomorrow", change("08", func(p *slapdtest.Person) { p.Opened = day(1) }), "R0260", sds.RoleClosed},
		{"of no dates", change("09", func(p *slapdtest.Person) { p.Opened = "" }), "R0260", ""},
		{"of another organisation", change("10", func(p *slapdtest.Person) { p.Organisation = "RYY" }), "R0260", sds.OtherOrganisation},
		{"of the organisation of the membership", change("11", func(p *slapdtest.Person) { p.Bare = true }), "R0260", ""},
		{"of another organisation of the membership", change("12", func(p *slapdtest.Person) { p.Bare, p.Organisation = true, "RYY" }), "R0260", sds.OtherOrganisation},
		{"of no job role", change("13", func(p *slapdtest.Person) { p.JobRole = "" }), "R0260", sds.OtherJobRole},
	}
	var all []slapdtest.Person
	for _, c := range cases {
		if !slices.Contains(all, c.person) {
			all = append(all, c.person)
		}
	}
	broken := change("14", func(p *slapdtest.Person) { p.Closed = "31/12/2030" })
	d := start(t, slapdtest.LDIF(nil, append(all, broken)))
	s := d.open(t)
	s.clock.forward(now.Sub(s.clock.Now())) // it may be past midnight by now
	for _, c := range cases {
		refusal, err := s.Author(t.Context(), c.person.UserID, c.person.RoleProfile, "RXX", c.role)
		if err != nil || refusal != c.want {
			t.Errorf("a nurse %s: %q, %v; want %q", c.name, refusal, err, c.want)
		}
		recorded := s.ledger.take()
		want := c.want
		if want == "" {
			want = "found"
		}
		if len(recorded) != 1 || recorded[0].Purpose != sds.ForAuthor || recorded[0].Result != want {
			t.Errorf("a nurse %s: recorded %+v", c.name, recorded)
		}
	}
	other := cases[6].person
	for name, c := range map[string]struct{ user, profile, want string }{
		"nobody":                      {"555000000999", nurse.RoleProfile, sds.NoUser},
		"a role profile of nobody":    {nurse.UserID, "555000000999", sds.NoRoleProfile},
		"a role profile of another":   {nurse.UserID, other.RoleProfile, sds.NoRoleProfile},
		"a membership for a profile":  {nurse.UserID, "membership-" + nurse.RoleProfile, sds.NoRoleProfile},
		"no user id":                  {"", nurse.RoleProfile, sds.NoUser},
		"no role profile":             {nurse.UserID, "", sds.NoRoleProfile},
		"a user id with spaces":       {" " + nurse.UserID + "  ", nurse.RoleProfile, sds.NoUser}, // which LDAP takes for the same
		"a role profile with spaces":  {nurse.UserID, nurse.RoleProfile + " ", sds.NoRoleProfile},
		"a user id beyond reason":     {strings.Repeat("5", 257), nurse.RoleProfile, sds.NoUser},
		"a user id of the same value": {strings.ToUpper(nurse.UserID) + " x", nurse.RoleProfile, sds.NoUser},
	} {
		refusal, err := s.Author(t.Context(), c.user, c.profile, "RXX", "R0260")
		if err != nil || refusal != c.want {
			t.Errorf("%s: %q, %v; want %q", name, refusal, err, c.want)
		}
	}
	refusal, err := s.Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "")
	if err != nil || refusal != sds.OtherJobRole {
		t.Errorf("no job role: %q, %v", refusal, err)
	}
	_, err = s.Author(t.Context(), broken.UserID, broken.RoleProfile, "RXX", "R0260")
	if resultOf(t, err) != sds.Unusable || strings.Contains(err.Error(), broken.UserID) {
		t.Errorf("a date that is none: %v", err)
	}
}

// Only that an author fits is kept, for its time and not beyond.
func TestAuthorsAreKeptForATime(t *testing.T) {
	closed := nurse
	closed.UserID, closed.RoleProfile, closed.Closed = "555000000102", "555000000202", "20200102"
	d := start(t, slapdtest.LDIF(nil, []slapdtest.Person{nurse, closed}))
	s := d.open(t)
	ask := func(p slapdtest.Person) (string, error) {
		return s.Author(t.Context(), p.UserID, p.RoleProfile, "RXX", "R0260")
	}
	for range 3 {
		_, err := ask(nurse)
		must(t, err)
		_, err = ask(closed)
		must(t, err)
	}
	if diff := cmp.Diff([]string{"found", sds.RoleClosed, sds.RoleClosed, sds.RoleClosed}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	must(t, d.Stop())
	s.clock.forward(4 * time.Minute)
	refusal, err := ask(nurse)
	if err != nil || refusal != "" {
		t.Errorf("within its time: %q, %v", refusal, err)
	}
	s.clock.forward(2 * time.Minute)
	_, err = ask(nurse)
	if resultOf(t, err) != sds.Unavailable {
		t.Errorf("beyond its time: %v", err)
	}
	if diff := cmp.Diff([]string{"not available"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}
