package event

import (
	"net"
	"net/netip"
	"strings"

	"github.com/wardsmsp/ward/internal/audit"
)

// participants are Ward itself, which is always there, then the client, the
// organisations, who asked or acted, and who is responsible.
func participants(r audit.Record, source Source, row row) []Participant {
	e := r.Entry
	ward := Participant{Role: destination, Resource: "Device", ID: source.Name, Name: "Ward", Address: source.Address}
	if row.id == activity {
		ward.Role = application
	}
	all := []Participant{ward}
	person, known := user(e, row.role)
	switch {
	case row.id == authentication:
		person.Address = address(e.Remote) // PS3.15 wants it of whoever logs in
	case e.Client != "" || e.Remote != "":
		all = append(all, client(e))
	}
	all = append(all, organisations(e)...)
	switch {
	case known:
		all = append(all, person)
	case r.State != audit.Whole:
		all = append(all, Participant{Role: row.role, Resource: "Practitioner", Name: "not available: personal content " + absence(r.State)})
	}
	if e.Author != nil && e.Author.Form == "system" {
		all = append(all, Participant{Resource: "Device", System: ASID, ID: text(e.Author.ASID), Name: "system that asked"})
		for _, a := range e.Author.Authorities {
			all = append(all, Participant{Role: responsible, Resource: "Practitioner", Name: text(a.Name), Job: job(a.RoleCode, a.RoleName)})
		}
	}
	if e.Authority != "" {
		all = append(all, Participant{Role: responsible, Resource: "Practitioner", Name: text(e.Authority)})
	}
	for i := range all {
		if all[i].ID == "" && all[i].Name == "" {
			all[i].Name = "unknown"
		}
	}
	return requestor(all, known)
}

// requestor marks who began the event: the person if there is one, else the client
// system, else Ward of its own accord. Nobody is marked where a person may have
// been.
func requestor(all []Participant, person bool) []Participant {
	began := 0
	for i, p := range all {
		switch {
		case p.Role == responsible || p.Role == provider:
		case person && (p.Role == recipient || p.Role == author):
			began = i
		case !person && p.ID == "" && (p.Role == recipient || p.Role == author):
			return all
		case !person && p.Role == sourceOfQuery:
			began = i
		}
	}
	all[began].Requestor = true
	return all
}

func client(e audit.Entry) Participant {
	p := Participant{
		Role: sourceOfQuery, Resource: "Device", System: WardName, ID: text(e.Client), Name: text(e.Client),
		AltID: text(e.Certificate), Address: address(e.Remote),
	}
	if p.ID == "" {
		p.System, p.ID, p.Name = "", "unknown", text(e.Subject)
	}
	return p
}

// address is a network address without its port.
func address(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil || host == "" {
		return text(remote)
	}
	return text(host)
}

// organisations are the client's and, if it is another, the author's.
func organisations(e audit.Entry) []Participant {
	var all []Participant
	if e.Organisation != "" {
		all = append(all, Participant{Role: provider, Resource: "Organization", System: ODS, ID: text(e.Organisation)})
	}
	if e.Author == nil || e.Author.Organisation == "" {
		return all
	}
	name := text(e.Author.OrganisationName)
	if e.Author.Organisation == e.Organisation {
		all[0].Name = name
		return all
	}
	return append(all, Participant{Role: provider, Resource: "Organization", System: ODS, ID: text(e.Author.Organisation), Name: name})
}

// user is the person who asked or acted, or else whom the client's audit
// identities name. BALP has one user, so all other identities of theirs are
// together its alternative identity.
func user(e audit.Entry, role Code) (Participant, bool) {
	p := Participant{Role: role, Resource: "Practitioner"}
	var others []string
	for _, identity := range e.AuditIdentities {
		others = append(others, text(identity.URI))
	}
	if e.Username != "" {
		others = append(others, text(e.Username))
	}
	switch {
	case e.Operator != "":
		p.ID = text(e.Operator)
	case e.Author != nil && e.Author.Form == "person":
		p.System, p.ID, p.Name = SDSUser, text(e.Author.UserID), text(e.Author.Name)
		p.Job = job(e.Author.RoleCode, e.Author.RoleName)
		if e.Author.RoleProfile != "" {
			others = append(others, text(e.Author.RoleProfile))
		}
	case len(others) > 0:
		p.ID, others = others[0], others[1:]
	}
	p.AltID = text(strings.Join(others, " "))
	return p, p.ID != "" || p.Name != "" || p.AltID != ""
}

func job(code, name string) Code {
	if code == "" && name == "" {
		return Code{}
	}
	return Code{JobRole, text(code), text(name)}
}

// AddressType is how a network access point is named.
type AddressType string

// The types of network access point that are used.
const (
	HostName  AddressType = "1"
	IPAddress AddressType = "2"
	URI       AddressType = "5"
)

// AddressType says what Address is.
func (p Participant) AddressType() AddressType {
	_, err := netip.ParseAddr(p.Address)
	switch {
	case err == nil:
		return IPAddress
	case strings.Contains(p.Address, "://"):
		return URI
	default:
		return HostName
	}
}
