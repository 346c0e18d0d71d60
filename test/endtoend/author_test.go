//go:build ldap

package endtoend_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/slapdtest"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/stage"
)

// The staff of the directory. The nurse's identity is in order.
const (
	nurse, nurseRole = "555000000101", "555100000101"
	closedRole       = "555100000102"
	otherRole        = "555100000103" // at another organisation
	inactive         = "555000000104"
	inactiveRole     = "555100000104"
)

func staff(c *platform.Config) {
	c.Directory = c.Directory.With(platform.Directory{Staff: []platform.Staff{
		{UserID: nurse, Status: "1", Roles: []platform.Role{
			{Profile: nurseRole, Organisation: stage.ClientODS, Code: "S8000:G8000:R0260", Opened: "20200101"},
			{Profile: closedRole, Organisation: stage.ClientODS, Code: "S8000:G8000:R0260", Opened: "20200101", Closed: "20240601"},
			{Profile: otherRole, Organisation: "RYY", Code: "S8000:G8000:R0260", Opened: "20200101"},
		}},
		{UserID: inactive, Status: "0", Roles: []platform.Role{{Profile: inactiveRole, Organisation: stage.ClientODS, Code: "R0260"}}},
	}})
}

// overLDAP sets the stage with a real directory server, by settings of the section [sds].
func overLDAP(t *testing.T, settings string, o stage.Options) (*ward, *slapdtest.Server) {
	t.Helper()
	o.Directory, o.Platform = "ldap", staff
	w := set(t, o)
	server, err := slapdtest.Start(w.Authority, string(w.Platform.Directory().LDIF()))
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	w.configure(t, stage.LDAP, server.URL())
	w.configure(t, "[sds]\n", "[sds]\n"+settings+"\n")
	return w, server
}

// smartcards makes the client one of users with smartcards.
const smartcards = "access_method = \"smartcard\""

// asNurse is a question of the nurse, or of somebody who differs.
func (w *ward) asNurse(t *testing.T, change func(*config.AuthorPerson)) client.Question {
	t.Helper()
	p := config.AuthorPerson{UserID: nurse, RoleProfile: nurseRole, Name: config.AuthorNamed{RoleCode: "R0260"}}
	change(&p)
	q := w.question(t, withPlan)
	q.Author = cpis.Person{
		Role: cpis.Coded{Code: p.Name.RoleCode, System: cpis.OIDJobRole, Display: "General Medical Practitioner"},
		IDs: []cpis.Identifier{
			{Root: cpis.OIDUserID, Extension: p.UserID}, {Root: cpis.OIDRoleProfile, Extension: p.RoleProfile},
		},
		Name:        cpis.PersonName{Use: "L", Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
		Represented: q.Author.Organisation(),
	}
	q.AuditIdentities = append(slices.Clone(q.AuditIdentities),
		cpis.AuditIdentity{Type: cpis.OIDUserID, URI: p.UserID}, cpis.AuditIdentity{Type: cpis.OIDRoleProfile, URI: p.RoleProfile})
	return q
}

func asIs(*config.AuthorPerson) {}

// WRD-SPN-05, WRD-SPN-15: endpoint and pattern from a real directory server over mutual
// TLS; the server goes away and comes back.
func TestDirectoryOverLDAP(t *testing.T) {
	t.Parallel()
	for _, listed := range []string{"sync", "async"} {
		t.Run(listed, func(t *testing.T) {
			t.Parallel()
			const bound = 3 * time.Second
			w, server := overLDAP(t, fmt.Sprintf("cache = \"500ms\"\nstale = %q\nnegative = \"100ms\"\npatience = \"15s\"", bound), stage.Options{Pattern: "sds", Listed: listed})
			w.start(t)
			c := w.client(t)
			before := time.Now()
			w.expectLookUps(t, w.found(t, c), serviceFound)
			must(t, server.Stop())
			time.Sleep(600 * time.Millisecond)
			asked := slices.Repeat([]string{listed}, 1+w.askStale(t, c, before.Add(bound)))
			time.Sleep(bound)
			w.refused(t, w.ask(t, c, withPlan), cpis.DirectoryFailed)
			if diff := cmp.Diff(asked, w.patterns()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			must(t, server.Resume())
			time.Sleep(200 * time.Millisecond)
			w.expectLookUps(t, w.found(t, c), serviceFound)
			// The record names the other pattern.
			other := map[string]string{"sync": "async", "async": "sync"}[listed]
			must(t, w.Platform.SetDirectory(w.Records(other)))
			must(t, server.Replace(string(w.Platform.Directory().LDIF())))
			time.Sleep(600 * time.Millisecond)
			w.expectLookUps(t, w.found(t, c), serviceFound)
			if diff := cmp.Diff(append(asked, listed, other), w.patterns()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// A directory that is not there when the provider starts: nothing is asked until it is.
func TestDirectoryOverLDAPDownAtTheStart(t *testing.T) {
	t.Parallel()
	w, server := overLDAP(t, `negative = "100ms"`, stage.Options{Pattern: "sds"})
	must(t, server.Stop())
	w.start(t)
	c := w.client(t)
	r := w.ask(t, c, withPlan)
	w.refused(t, r, cpis.DirectoryFailed)
	w.expectLookUps(t, r, serviceGone)
	w.untouched(t, 0)
	must(t, server.Resume())
	time.Sleep(200 * time.Millisecond)
	w.expectLookUps(t, w.found(t, c), serviceFound)
}

// WRD-SAF-17: a test environment is kept from the live Spine whatever the directory says.
func TestDirectoryNamesTheLiveSpine(t *testing.T) {
	t.Parallel()
	w, server := overLDAP(t, "", stage.Options{Pattern: "sds"})
	for _, live := range []string{"https://msg.national.ncrs.nhs.uk/reliablemessaging", "https://MSG.NATIONAL.NCRS.NHS.UK./sync"} {
		must(t, server.Replace(slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(live)}, nil)))
		w.start(t)
		r := w.ask(t, w.client(t), withPlan)
		w.refused(t, r, cpis.DirectoryFailed)
		w.expectLookUps(t, r, "directory, service: a record not usable")
		w.stop(t)
	}
	w.untouched(t, 0)
}

// WRD-IAM-18: the author of a client with smartcards is held against the directory before
// anything leaves for the Spine; IG-3.9.2a: and that is recorded with the question.
func TestSmartcardAuthor(t *testing.T) {
	t.Parallel()
	w, _ := overLDAP(t, "", stage.Options{Client: smartcards})
	w.start(t)
	c := w.client(t)
	for name, this := range map[string]struct {
		change func(*config.AuthorPerson)
		says   string
	}{
		"an unknown user":            {func(p *config.AuthorPerson) { p.UserID = "555000000999" }, sds.NoUser},
		"a user who is not active":   {func(p *config.AuthorPerson) { p.UserID, p.RoleProfile = inactive, inactiveRole }, sds.UserInactive},
		"an unknown role profile":    {func(p *config.AuthorPerson) { p.RoleProfile = "555100000999" }, sds.NoRoleProfile},
		"somebody else's profile":    {func(p *config.AuthorPerson) { p.RoleProfile = inactiveRole }, sds.NoRoleProfile},
		"another organisation":       {func(p *config.AuthorPerson) { p.RoleProfile = otherRole }, sds.OtherOrganisation},
		"another job role":           {func(p *config.AuthorPerson) { p.Name.RoleCode = "R0580" }, sds.OtherJobRole},
		"a closed role":              {func(p *config.AuthorPerson) { p.RoleProfile = closedRole }, sds.RoleClosed},
		"a user id made of a filter": {func(p *config.AuthorPerson) { p.UserID = "*" }, sds.NoUser},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.Ask(t.Context(), w.asNurse(t, this.change))
			w.refused(t, r, cpis.AuthorRejected)
			w.expectLookUps(t, r, "directory, author: "+this.says)
			_, outcome := w.lookedUp(t, r)
			if outcome.Code != "SMSP-0005" || outcome.Reason != this.says {
				t.Errorf("%s: %s", outcome.Code, outcome.Reason)
			}
		})
	}
	w.untouched(t, 0)
	// The nurse is looked up once, and kept for a while.
	for _, want := range [][]string{{"directory, author: found"}, nil} {
		r := c.Ask(t.Context(), w.asNurse(t, asIs))
		if r.Answer.Outcome() != cpis.Found {
			t.Fatalf("%s, %v", r.Answer.Outcome(), r.Cause)
		}
		got, _ := w.lookedUp(t, r)
		if diff := cmp.Diff(want, withoutService(got)); diff != "" {
			t.Errorf("looked up (-want +got):\n%s", diff)
		}
	}
	w.untouched(t, 2)
	q := w.Simulator.Received()
	if q[0].Refusal != "" {
		t.Errorf("the Spine refused: %s", q[0].Refusal)
	}
}

// withoutService leaves out what is looked up of the Spine itself in the pattern sds.
func withoutService(lookUps []string) []string {
	return slices.DeleteFunc(lookUps, func(l string) bool { return l == serviceFound })
}

// WRD-IAM-18: while the directory is down only those are let through whom it knew a short
// while ago; nobody else, and nobody for longer.
func TestSmartcardAuthorWithoutTheDirectory(t *testing.T) {
	t.Parallel()
	w, server := overLDAP(t, "negative = \"50ms\"\npeople = { cache = \"1500ms\" }", stage.Options{Client: smartcards, Pattern: "sync"})
	w.start(t)
	c := w.client(t)
	r := c.Ask(t.Context(), w.asNurse(t, asIs))
	if r.Answer.Outcome() != cpis.Found {
		t.Fatalf("%s, %v", r.Answer.Outcome(), r.Cause)
	}
	must(t, server.Stop())
	unknown := c.Ask(t.Context(), w.asNurse(t, func(p *config.AuthorPerson) { p.UserID = "555000000999" }))
	w.refused(t, unknown, cpis.DirectoryFailed)
	w.expectLookUps(t, unknown, "directory, author: not available")
	time.Sleep(1600 * time.Millisecond)
	late := c.Ask(t.Context(), w.asNurse(t, asIs))
	w.refused(t, late, cpis.DirectoryFailed)
	w.untouched(t, 1)
	must(t, server.Resume())
	time.Sleep(100 * time.Millisecond)
	r = c.Ask(t.Context(), w.asNurse(t, asIs))
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("%s, %v", r.Answer.Outcome(), r.Cause)
	}
}

// A client without smartcards needs no directory.
func TestAuthorsOfOtherClientsAreNotLookedUp(t *testing.T) {
	t.Parallel()
	w, server := overLDAP(t, "", stage.Options{Pattern: "sync"})
	must(t, server.Stop())
	w.start(t)
	w.expectLookUps(t, w.found(t, w.client(t)))
	if n := kinds(w.entries(t))[audit.LookedUp]; n != 0 {
		t.Errorf("%d look-ups", n)
	}
}
