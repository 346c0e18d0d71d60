package itk

import (
	"errors"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Expectations are what a request from one client must meet. The client is known
// from its certificate before a byte of its message is read.
type Expectations struct {
	Now             time.Time
	Skew            time.Duration // tolerance between the clocks
	MaxLifetime     time.Duration // from Created to Expires
	To              []string      // addresses of this server
	Profiles        []string      // request profile ids
	Interactions    []string      // request interactions
	Usernames       []string      // of the client
	AuditIdentities []string      // of the client: each allows itself and what it prefixes at a colon
	ASID            string        // of the client
}

// Request is a message that has passed every rule of the table.
type Request struct {
	MessageID       string // as received, for wsa:RelatesTo
	MessageUUID     string // the UUID in it, in upper case
	TrackingID      string
	Username        string
	AuditIdentities []cpis.AuditIdentity
	Sender          string // senderAddress, may be empty
	Expires         time.Time
	Signed          bool // a signature was present; it proves nothing here (WRD-MSG-22)
	Query           cpis.Query
	BirthDate       string // of the person asked about, yyyy-MM-dd; empty if not given
	// Invalid says why this is not a query that can be asked (SMSP-0001): the payload
	// is none (N34, N35), and Query is then empty, or the date of birth is none.
	Invalid *hl7.Error
}

// Limits of a client's message.
func requestLimits(size int) xmlstrict.Limits {
	return xmlstrict.Limits{Bytes: size, Depth: 48, Elements: 2000, Attributes: 32, Name: 256, Value: 64 << 10}
}

// ReadRequest reads a request of at most size bytes. soapAction is the HTTP
// header's value, empty if there was none. The error is always a *Fault; what the
// message said of itself until then is in the Request, for the audit log only.
func ReadRequest(doc string, size int, soapAction string, expect Expectations) (Request, error) {
	tree, err := xmlstrict.Parse(doc, requestLimits(size))
	if err != nil {
		return Request{}, malformed(err)
	}
	m := collect(tree.Root(), soapAction)
	for _, rule := range rules {
		if !rule.holds(m, expect) {
			return m.claimed(), rule.fault()
		}
	}
	request := m.claimed()
	request.Query, err = hl7.ReadQuery(m.payloadRoot)
	if err != nil {
		request.Invalid = &hl7.Error{Rule: "the payload could not be read"}
		errors.As(err, &request.Invalid)
		return request, nil
	}
	request.BirthDate, err = m.birthDate(expect.Now)
	if err != nil {
		request.Invalid = &hl7.Error{Rule: err.Error()}
	}
	return request, nil
}

// birthDate reads the handling entry of the date of birth, for a client that the
// number is verified for and for any other. A wrong one is wrong content and not a
// wrong message, since a person typed it: the answer is SMSP-0001 and no fault.
func (m *message) birthDate(now time.Time) (string, error) {
	switch len(m.birthDates) {
	case 0:
		return "", nil
	case 1:
		born, err := cpis.ParseBirthDate(m.birthDates[0], now)
		return born.ISO(), err
	default:
		return "", errors.New("there is more than one date of birth")
	}
}

func malformed(err error) *Fault {
	diagnostic := "The message is not well-formed XML of the kind that is accepted."
	var refused *xmlstrict.Error
	if errors.As(err, &refused) && refused.TooLarge {
		diagnostic = "The message is larger or deeper than is accepted."
	}
	return &Fault{Code: Client, ErrorCode: InvalidMessage, Text: textInvalid, Diagnostic: diagnostic, Rule: idMalformed}
}

// field is the text of an element that must stand once.
type field struct {
	text  string
	whole bool // has text that nothing interrupts
	plain bool // and that is not written with references
	n     int  // how often the element stands
}

func (f field) once() bool { return f.n == 1 && f.whole }

func fieldOf(e xmlstrict.Element, space, local string) field {
	child, n := soap.Child(e, space, local)
	text, whole := soap.Text(child)
	_, form := child.Text()
	return field{text: text, whole: whole, plain: form == 0, n: n}
}

// message is a request taken apart but not yet judged.
type message struct {
	root       xmlstrict.Element
	envelope   soap.Envelope
	openErr    error
	soapAction string

	messageID, action, to field
	from, replyTo         xmlstrict.Element
	replies               int

	security, timestamp, usernameToken     xmlstrict.Element
	securities, timestamps, usernameTokens int
	timestampID                            string
	created, expires, username             field

	distribution  xmlstrict.Element
	distributions int
	header        xmlstrict.Element
	service       string
	trackingID    string
	manifest      xmlstrict.Element
	items         []xmlstrict.Element
	payloads      xmlstrict.Element
	parts         []xmlstrict.Element
	payloadRoot   xmlstrict.Element
	identities    []cpis.AuditIdentity
	plainlyNamed  bool // no audit identity is written with a reference
	interactions  []string
	birthDates    []string
	sender        string
}

func collect(root xmlstrict.Element, soapAction string) *message {
	m := &message{root: root, soapAction: strings.Trim(strings.TrimSpace(soapAction), `"`)}
	m.envelope, m.openErr = soap.Open(root)
	m.collectHeader(m.envelope.Header)
	m.distribution, m.distributions = soap.Child(m.envelope.Body, Namespace, "DistributionEnvelope")
	m.header, _ = soap.Child(m.distribution, Namespace, "header")
	m.service = trimmed(m.header, "service")
	m.trackingID = attribute(m.header, "trackingid")
	m.manifest, _ = soap.Child(m.header, Namespace, "manifest")
	m.items = children(m.manifest, "manifestitem")
	m.payloads, _ = soap.Child(m.distribution, Namespace, "payloads")
	m.parts = children(m.payloads, "payload")
	if len(m.parts) > 0 {
		for e := range m.parts[0].Children() {
			m.payloadRoot = e
			break
		}
	}
	m.collectParties()
	return m
}

func (m *message) collectHeader(header xmlstrict.Element) {
	m.messageID = fieldOf(header, soap.Addressing, "MessageID")
	m.action = fieldOf(header, soap.Addressing, "Action")
	m.to = fieldOf(header, soap.Addressing, "To")
	m.from, _ = soap.Child(header, soap.Addressing, "From")
	m.replyTo, m.replies = soap.Child(header, soap.Addressing, "ReplyTo")
	m.security, m.securities = soap.Child(header, soap.Security, "Security")
	m.timestamp, m.timestamps = soap.Child(m.security, soap.Utility, "Timestamp")
	id, _ := m.timestamp.Attribute(soap.Utility, "Id")
	m.timestampID = id.Value
	m.created = fieldOf(m.timestamp, soap.Utility, "Created")
	m.expires = fieldOf(m.timestamp, soap.Utility, "Expires")
	m.usernameToken, m.usernameTokens = soap.Child(m.security, soap.Security, "UsernameToken")
	m.username = fieldOf(m.usernameToken, soap.Security, "Username")
}

func (m *message) collectParties() {
	audit, _ := soap.Child(m.header, Namespace, "auditIdentity")
	ids := children(audit, "id")
	m.identities = make([]cpis.AuditIdentity, 0, len(ids))
	m.plainlyNamed = true
	for _, id := range ids {
		for _, a := range id.Attributes() {
			m.plainlyNamed = m.plainlyNamed && !a.Referenced
		}
		identity := cpis.AuditIdentity{Type: attribute(id, "type"), URI: trimmed(id, "uri")}
		m.identities = append(m.identities, identity)
	}
	sender, _ := soap.Child(m.header, Namespace, "senderAddress")
	m.sender = trimmed(sender, "uri")
	handling, _ := soap.Child(m.header, Namespace, "handlingSpecification")
	for _, spec := range children(handling, "spec") {
		switch trimmed(spec, "key") {
		case InteractionKey:
			m.interactions = append(m.interactions, trimmed(spec, "value"))
		case BirthDateKey:
			m.birthDates = append(m.birthDates, trimmed(spec, "value"))
		}
	}
}

// claimed is what the message says of itself.
func (m *message) claimed() Request {
	expires, _ := soap.ParseTime(m.expires.text)
	_, signatures := soap.Child(m.security, "http://www.w3.org/2000/09/xmldsig#", "Signature")
	return Request{
		MessageID:       m.messageID.text,
		MessageUUID:     uuidIn(m.messageID.text),
		TrackingID:      m.trackingID,
		Username:        m.username.text,
		AuditIdentities: m.identities,
		Sender:          m.sender,
		Expires:         expires,
		Signed:          signatures > 0,
	}
}

func attribute(e xmlstrict.Element, name string) string {
	a, _ := e.Attribute("", name)
	return a.Value
}

// trimmed is an attribute without the white space around it (L13).
func trimmed(e xmlstrict.Element, name string) string { return xmlstrict.TrimSpace(attribute(e, name)) }

func children(e xmlstrict.Element, local string) []xmlstrict.Element {
	var found []xmlstrict.Element
	for c := range e.Children() {
		if c.Is(Namespace, local) {
			found = append(found, c)
		}
	}
	return found
}
