package platform

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// LDIFBase is the entries under which LDIF puts the records: o=nhs with
// ou=services and ou=people.
const LDIFBase = `dn: o=nhs
objectClass: organization
o: nhs

dn: ou=services,o=nhs
objectClass: organizationalUnit
ou: services

dn: ou=people,o=nhs
objectClass: organizationalUnit
ou: people

`

// LDIF is the same records for a directory server, in the form of RFC 2849:
// systems (nhsAs) and message handling systems (nhsMhs) below ou=services,o=nhs,
// people (nhsPerson) with their role profiles (nhsOrgPersonRole) below
// ou=people,o=nhs. Platform.Directory gives records with their addresses.
func (d Directory) LDIF() []byte {
	w := &ldif{}
	for _, s := range d.Systems {
		w.entry("uniqueIdentifier="+s.ASID+",ou=services,o=nhs", "nhsAs")
		w.attribute("uniqueIdentifier", s.ASID)
		w.attribute("nhsIDCode", s.Organisation)
		w.attribute("nhsMhsPartyKey", s.PartyKey)
		for _, i := range s.Interactions {
			w.attribute("nhsAsSvcIA", i)
		}
	}
	for _, m := range d.Endpoints {
		w.entry("uniqueIdentifier="+m.ID+",ou=services,o=nhs", "nhsMhs")
		w.attribute("uniqueIdentifier", m.ID)
		w.attribute("nhsIDCode", m.Organisation)
		w.attribute("nhsMHSPartyKey", m.PartyKey)
		w.attribute("nhsMhsSvcIA", m.Interaction)
		w.attribute("nhsMHSEndPoint", m.Address)
		w.attribute("nhsMhsFQDN", m.FQDN)
		w.attribute("nhsMhsCPAId", m.CPAID)
		w.attribute("nhsMHSSyncReplyMode", m.Contract.SyncReply)
		w.attribute("nhsMHSAckRequested", m.Contract.AckRequested)
		w.attribute("nhsMHSDuplicateElimination", m.Contract.DuplicateElimination)
		w.attribute("nhsMHSRetries", m.Contract.Retries)
		w.attribute("nhsMHSRetryInterval", m.Contract.RetryInterval)
		w.attribute("nhsMHSPersistDuration", m.Contract.PersistDuration)
		w.attribute("nhsMHSActor", m.Contract.Actor)
		w.attribute("nhsMHSIsAuthenticated", m.Contract.Authenticated)
	}
	for _, s := range d.Staff {
		dn := "uid=" + s.UserID + ",ou=people,o=nhs"
		w.entry(dn, "nhsPerson")
		w.attribute("uid", s.UserID)
		w.attribute("nhsPersonStatus", s.Status)
		for _, r := range s.Roles {
			w.entry("uniqueIdentifier="+r.Profile+","+dn, "nhsOrgPersonRole")
			w.attribute("uniqueIdentifier", r.Profile)
			w.attribute("nhsIDCode", r.Organisation)
			w.attribute("nhsJobRoleCode", r.Code)
			w.attribute("nhsOrgOpenDate", r.Opened)
			w.attribute("nhsOrgCloseDate", r.Closed)
		}
	}
	return w.Bytes()
}

// ldif writes entries.
type ldif struct {
	bytes.Buffer
}

func (w *ldif) entry(dn, class string) {
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "dn: %s\nobjectClass: %s\n", dn, class)
}

// attribute writes a value in Base64 where its bytes demand it, and no empty one.
func (w *ldif) attribute(name, value string) {
	switch {
	case value == "":
	case ldifSafe(value):
		fmt.Fprintf(w, "%s: %s\n", name, value)
	default:
		fmt.Fprintf(w, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
}

// ldifSafe is RFC 2849's SAFE-STRING, without a space at its end.
func ldifSafe(value string) bool {
	for i := range len(value) {
		c := value[i]
		if c == 0 || c == '\n' || c == '\r' || c > 126 {
			return false
		}
		if i == 0 && (c == ' ' || c == ':' || c == '<') || i == len(value)-1 && c == ' ' {
			return false
		}
	}
	return true
}
