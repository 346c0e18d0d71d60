//go:build linux

package slapdtest

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// System is an accredited system and the message handling system before it.
type System struct {
	Organisation string // ODS code
	ASID         string
	PartyKey     string
	Interaction  string // service and interaction
	Endpoint     string
	CPAID        string

	SyncReply, AckRequested, DuplicateElimination, Retries, RetryInterval, PersistDuration, Actor string // as the directory has them
}

// Spine is the system that the Spine is in public test data, with an endpoint and the
// contract of a synchronous service.
func Spine(endpoint string) System {
	return System{
		Organisation: "YES", ASID: "928942012545", PartyKey: "YES-0000806",
		Interaction: "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01",
		Endpoint:    endpoint, CPAID: "S20001A000999",
		SyncReply: "none", AckRequested: "never", DuplicateElimination: "never",
	}
}

// Async is the system with the contract of an unreliable asynchronous service.
func (s System) Async() System {
	s.SyncReply, s.Retries = "MSHSignalsOnly", "0"
	return s
}

// Person is a smartcard user with one role profile.
type Person struct {
	UserID, RoleProfile, Organisation string
	JobRole                           string // such as S8000:G8000:R0260
	Status                            string // "1" for an active user
	Opened, Closed                    string // of the role profile, yyyyMMdd
	Bare                              bool   // the role profile does not repeat the organisation
}

// Attribute is a name and its values. Those that are empty are left out.
type Attribute struct {
	Name   string
	Values []string
}

// Entry writes an entry in LDIF (RFC 2849), whatever is in its values.
func Entry(dn string, attributes ...Attribute) string {
	var b strings.Builder
	line := func(name, value string) {
		fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	line("dn", dn)
	for _, a := range attributes {
		for _, value := range a.Values {
			if value != "" {
				line(a.Name, value)
			}
		}
	}
	return b.String() + "\n"
}

// LDIF writes the entries of systems and people.
func LDIF(systems []System, people []Person) string {
	var b strings.Builder
	for _, s := range systems {
		b.WriteString(s.ldif())
	}
	for _, p := range people {
		b.WriteString(p.ldif())
	}
	return b.String()
}

func (s System) ldif() string {
	return Entry(below("uniqueIdentifier", s.ASID, "ou=services,o=nhs"),
		Attribute{"objectClass", []string{"nhsAs"}},
		Attribute{"uniqueIdentifier", []string{s.ASID}},
		Attribute{"nhsIDCode", []string{s.Organisation}},
		Attribute{"nhsMhsPartyKey", []string{s.PartyKey}},
		Attribute{"nhsAsSvcIA", []string{s.Interaction}},
	) + Entry(below("uniqueIdentifier", "mhs-"+s.ASID, "ou=services,o=nhs"),
		Attribute{"objectClass", []string{"nhsMhs"}},
		Attribute{"uniqueIdentifier", []string{"mhs-" + s.ASID}},
		Attribute{"nhsIDCode", []string{s.Organisation}},
		Attribute{"nhsMhsPartyKey", []string{s.PartyKey}},
		Attribute{"nhsMhsSvcIA", []string{s.Interaction}},
		Attribute{"nhsMhsEndPoint", []string{s.Endpoint}},
		Attribute{"nhsMhsCPAId", []string{s.CPAID}},
		Attribute{"nhsMHSSyncReplyMode", []string{s.SyncReply}},
		Attribute{"nhsMHSAckRequested", []string{s.AckRequested}},
		Attribute{"nhsMHSDuplicateElimination", []string{s.DuplicateElimination}},
		Attribute{"nhsMHSRetries", []string{s.Retries}},
		Attribute{"nhsMHSRetryInterval", []string{s.RetryInterval}},
		Attribute{"nhsMHSPersistDuration", []string{s.PersistDuration}},
		Attribute{"nhsMHSActor", []string{s.Actor}},
	)
}

func (p Person) ldif() string {
	user := below("uid", p.UserID, "ou=people,o=nhs")
	membership := below("uniqueIdentifier", "membership-"+p.RoleProfile, user)
	organisation := p.Organisation
	if p.Bare {
		organisation = ""
	}
	return Entry(user,
		Attribute{"objectClass", []string{"nhsPerson"}},
		Attribute{"uid", []string{p.UserID}},
		Attribute{"nhsPersonStatus", []string{p.Status}},
	) + Entry(membership,
		Attribute{"objectClass", []string{"nhsOrgPerson"}},
		Attribute{"uniqueIdentifier", []string{"membership-" + p.RoleProfile}},
		Attribute{"nhsIDCode", []string{p.Organisation}},
	) + Entry(below("uniqueIdentifier", p.RoleProfile, membership),
		Attribute{"objectClass", []string{"nhsOrgPersonRole"}},
		Attribute{"uniqueIdentifier", []string{p.RoleProfile}},
		Attribute{"nhsIDCode", []string{organisation}},
		Attribute{"nhsJobRoleCode", []string{p.JobRole}},
		Attribute{"nhsOrgOpenDate", []string{p.Opened}},
		Attribute{"nhsOrgCloseDate", []string{p.Closed}},
	)
}

// below is the name of an entry below another.
func below(attribute, value, parent string) string {
	return attribute + "=" + ldap.EscapeDN(value) + "," + parent
}
