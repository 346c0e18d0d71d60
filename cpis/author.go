package cpis

import "strings"

// Object identifiers of the identifiers that a CP-IS message carries.
const (
	OIDUserID        = "1.2.826.0.1285.0.2.0.65"  // SDS user id
	OIDRoleProfile   = "1.2.826.0.1285.0.2.0.67"  // SDS user role profile id
	OIDASID          = "1.2.826.0.1285.0.2.0.107" // accredited system id
	OIDOrganisation  = "2.16.840.1.113883.2.1.3.2.4.19.1"
	OIDSite          = "2.16.840.1.113883.2.1.3.2.4.19.2"
	OIDNHSNumber     = "2.16.840.1.113883.2.1.4.1"
	OIDLocalPatient  = "2.16.840.1.113883.2.1.3.2.4.18.24"
	OIDResponseCodes = "2.16.840.1.113883.2.1.3.2.4.17.499"
	OIDJobRole       = "2.16.840.1.113883.2.1.3.2.4.17.196"

	// OIDToolkitIdentity is the type of an audit identity that gives none.
	OIDToolkitIdentity = "2.16.840.1.113883.2.1.3.2.4.18.27"
)

// Identifier is a value in the numbering system named by an OID.
type Identifier struct {
	Root      string // OID
	Extension string
	Authority string // assigning authority as "ODS:NAME"; local patient ids only
}

// Coded is a code with its system and the words that go with it.
type Coded struct {
	Code    string
	System  string // OID
	Display string
}

// Organisation is a care organisation or local authority: an ODS organisation or
// site code, whose case is not guaranteed, and a name. Neither is ever shortened:
// 111 services carry the patient's place in the name.
type Organisation struct {
	ID   Identifier
	Name string
}

// NamePart is one part of a PersonName as it was written.
type NamePart struct {
	Kind string // "prefix", "given", "family", "suffix", or "" for bare text
	Text string
}

// PersonName is a name in the parts and the order in which it was received.
type PersonName struct {
	Use   string // HL7 name use such as "L" or "PREFERRED", may be empty
	Parts []NamePart
}

// Display joins the parts by spaces, in the order received.
func (n PersonName) Display() string {
	words := make([]string, 0, len(n.Parts))
	for _, p := range n.Parts {
		text := strings.TrimSpace(p.Text)
		if text != "" {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// Parts of one kind, joined by spaces.
func (n PersonName) Part(kind string) string {
	var words []string
	for _, p := range n.Parts {
		if p.Kind == kind {
			words = append(words, strings.TrimSpace(p.Text))
		}
	}
	return strings.Join(words, " ")
}

// AuditIdentity is one identity of the originating user or system, as a client
// gives it for the audit log: a URI or other identifier, and its type, an OID. An
// empty type means a toolkit identity, urn:nhs-uk:identity:ods:ORG and more.
type AuditIdentity struct {
	Type string
	URI  string
}

// Author is who asks: a Person or a System. There is no third kind.
type Author interface {
	// Organisation is where the patient is: the organisation that the local
	// authority will be told about.
	Organisation() Organisation
	isAuthor()
}

// Person is an author identified by a smartcard (COCT_TP145102GB01).
type Person struct {
	Role        Coded        // job role
	IDs         []Identifier // user id, and optionally role profile id
	Name        PersonName
	Represented Organisation
}

// Organisation implements Author.
func (p Person) Organisation() Organisation { return p.Represented }
func (Person) isAuthor()                    {}

// UserID is the SDS user id, empty if none was given.
func (p Person) UserID() string { return extensionOf(p.IDs, OIDUserID) }

// RoleProfile is the SDS user role profile id, empty if none was given.
func (p Person) RoleProfile() string { return extensionOf(p.IDs, OIDRoleProfile) }

// System is an author without a smartcard (COCT_TP145104GB01): a system, and the
// persons who answer for it.
type System struct {
	ASID        string
	Authorities []IndirectAuthority
	Maintaining Organisation
}

// Organisation implements Author.
func (s System) Organisation() Organisation { return s.Maintaining }
func (System) isAuthor()                    {}

// IndirectAuthority is a nominated responsible person of a System. The role's
// words may carry a safeguarding lead's name and phone number.
type IndirectAuthority struct {
	Role Coded
	Name PersonName
}

func extensionOf(ids []Identifier, root string) string {
	for _, id := range ids {
		if id.Root == root {
			return id.Extension
		}
	}
	return ""
}
