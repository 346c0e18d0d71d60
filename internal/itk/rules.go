package itk

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// rule is one demand on a request. The first one that does not hold answers.
type rule struct {
	id         string // of the negative-test matrix, for the log
	code       FaultCode
	error      int
	diagnostic string
	holds      func(m *message, x Expectations) bool
}

// idMalformed is the id of the demand that comes before all others.
const idMalformed = "N29"

// rules is the whole processing order between well-formed XML (N29) and the
// payload (N34): one line for each rule.
var rules = [...]rule{
	{"N1", VersionMismatch, InvalidMessage, "The envelope namespace is not SOAP 1.1.", isSOAP11},
	{"N2", MustUnderstand, InvalidMessage, "A header block marked mustUnderstand is not supported.", isUnderstood},
	{"N30", Client, InvalidMessage, "The SOAP Body does not hold exactly one DistributionEnvelope.", hasOneEnvelope},
	{"N3", Client, InvalidMessage, "A manifest item has no payload with its id.", manifestMatches},
	{"N4", Client, InvalidMessage, "The manifest count is not the number of manifest items.", manifestCounts},
	{"N5", Client, InvalidMessage, "The payloads count is not the number of payloads.", payloadsCount},
	{"N6", Client, InvalidMessage, "The manifest count and the payloads count differ.", countsAgree},
	{"N7", Client, InvalidMessage, "A payload has no id.", payloadsHaveIDs},
	{"N23", Client, InvalidMessage, "wsa:MessageID is missing or is not plainly a UUID.", hasMessageID},
	{"N24", Client, InvalidMessage, "The message, timestamp, tracking and manifest ids are not all different.", idsDiffer},
	{"N9", Client, InvalidMessage, "wsu:Timestamp is missing or stands more than once.", hasTimestamp},
	{"N8", Client, InvalidMessage, "Created or Expires is missing or not of the permitted form.", timestampReads},
	{"N11", Client, InvalidMessage, "An attribute is empty.", noBlankAttributes},
	{"N12", Client, AccessDenied, "The user name is missing or stands more than once.", hasUsername},
	{"N13", Client, AccessDenied, "The user name is not registered for this connection.", usernameIsRegistered},
	{"N15", Client, InvalidMessage, "The service of the DistributionEnvelope and wsa:Action differ.", serviceIsAction},
	{"N16", Client, InvalidMessage, "wsa:Action is not a service of this endpoint.", actionIsOurs},
	{"L1", Client, InvalidMessage, "The SOAPAction header and wsa:Action differ.", soapActionAgrees},
	{"N17", Client, InvalidMessage, "The profile id of the manifest item is missing or not supported.", profileIsKnown},
	{"N19", Client, InvalidMessage, "The DistributionEnvelope is not valid.", envelopeIsValid},
	{"N31", Client, InvalidMessage, "There is more than one payload.", onePayload},
	{"N26", Client, InvalidMessage, "The mimetype of the manifest item is not text/xml.", mimetypeIsXML},
	{"N31", Client, InvalidMessage, "A payload marked base64, compressed or encrypted is not supported.", payloadIsPlain},
	{"N27", Client, InvalidMessage, "The sender address is not a toolkit address.", senderIsToolkit},
	{"N28", Client, InvalidMessage, "The interaction is missing or not supported.", interactionIsKnown},
	{"N18", Client, InvalidMessage, "The audit identity is missing, malformed or not authorised.", auditIdentityIsAllowed},
	{"N20", Client, InvalidMessage, "wsa:To is missing.", hasTo},
	{"N21", Client, InvalidMessage, "wsa:To is not an address of this service.", toIsOurs},
	{"N25", Client, InvalidMessage, "wsa:From holds reference properties or parameters.", fromIsPlain},
	{"N22", Client, InvalidMessage, "wsa:ReplyTo is not the anonymous address.", repliesHere},
	{"N10", Client, InvalidMessage, "The message is not valid at this time.", timestampIsCurrent},
	{"N33", Client, InvalidMessage, "The payload is not a CP-ISQueryStub.", payloadIsQuery},
}

// RuleIDs are the ids of the rules in the order in which a message must keep them:
// it was judged by those up to the one of its fault, and by no later one. An id that
// stands twice is of a demand in two parts.
func RuleIDs() []string {
	ids := []string{idMalformed}
	for _, r := range rules {
		ids = append(ids, r.id)
	}
	return ids
}

// At is the place in RuleIDs of the rule that a message broke, -1 if the fault is of
// no rule on messages.
func (f *Fault) At() int {
	if f.Rule == idMalformed {
		return 0
	}
	for i, r := range rules {
		if f.Rule == r.id && f.Diagnostic == r.diagnostic {
			return i + 1
		}
	}
	return -1
}

func (r rule) fault() *Fault {
	text := textInvalid
	switch {
	case r.error == AccessDenied:
		text = textDenied
	case r.id == "N17":
		text = "The profile id is missing or not supported. Nothing was asked of CP-IS."
	}
	return &Fault{Code: r.code, ErrorCode: r.error, Text: text, Diagnostic: r.diagnostic, Rule: r.id}
}

func isSOAP11(m *message, _ Expectations) bool { return !errors.Is(m.openErr, soap.ErrVersion) }

func hasOneEnvelope(m *message, _ Expectations) bool {
	_, all := countChildren(m.envelope.Body)
	return m.openErr == nil && m.distributions == 1 && all == 1
}

func countChildren(e xmlstrict.Element) (last xmlstrict.Element, n int) {
	for c := range e.Children() {
		last = c
		n++
	}
	return last, n
}

func isUnderstood(m *message, _ Expectations) bool {
	return !m.envelope.NotUnderstood(soap.Addressing, soap.Security)
}

func manifestMatches(m *message, _ Expectations) bool {
	for _, item := range m.items {
		id := attribute(item, "id")
		found := slices.ContainsFunc(m.parts, func(p xmlstrict.Element) bool { return attribute(p, "id") == id })
		// A payload without an id is a failing of its own (N7).
		if !found && !slices.ContainsFunc(m.parts, lacksID) {
			return false
		}
	}
	return len(m.items) > 0
}

func lacksID(payload xmlstrict.Element) bool { return attribute(payload, "id") == "" }

func manifestCounts(m *message, _ Expectations) bool {
	return attribute(m.manifest, "count") == strconv.Itoa(len(m.items))
}

func payloadsCount(m *message, _ Expectations) bool {
	return attribute(m.payloads, "count") == strconv.Itoa(len(m.parts))
}

func countsAgree(m *message, _ Expectations) bool { return len(m.items) == len(m.parts) }

func payloadsHaveIDs(m *message, _ Expectations) bool { return !slices.ContainsFunc(m.parts, lacksID) }

func hasMessageID(m *message, _ Expectations) bool {
	return m.messageID.once() && m.messageID.plain && uuidIn(m.messageID.text) != ""
}

// uuidIn returns the UUID that ends an id of the form [a-zA-Z_:]*UUID, in upper
// case, or "" (L6).
func uuidIn(id string) string {
	if len(id) < 36 {
		return ""
	}
	prefix, uuid := id[:len(id)-36], strings.ToUpper(id[len(id)-36:])
	for i := range len(prefix) {
		c := prefix[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && c != '_' && c != ':' {
			return ""
		}
	}
	if !hl7.IsUUID(uuid) {
		return ""
	}
	return uuid
}

// idsDiffer compares ids by the UUID in them, whatever its prefix; one without a
// UUID, as some stacks give the timestamp, by its text.
func idsDiffer(m *message, _ Expectations) bool {
	ids := append(make([]string, 0, 4), m.messageID.text, m.timestampID, m.trackingID)
	for _, item := range m.items {
		ids = append(ids, attribute(item, "id"))
	}
	for i, id := range ids {
		uuid := uuidIn(id)
		if uuid != "" {
			ids[i] = uuid
		}
		if id != "" && slices.Contains(ids[:i], ids[i]) {
			return false
		}
	}
	return true
}

func hasTimestamp(m *message, _ Expectations) bool { return m.securities == 1 && m.timestamps == 1 }

func timestampReads(m *message, _ Expectations) bool {
	_, created := soap.ParseTime(m.created.text)
	_, expires := soap.ParseTime(m.expires.text)
	return m.created.once() && created && m.expires.once() && expires
}

func noBlankAttributes(m *message, _ Expectations) bool { return !hasBlankAttribute(m.root) }

func hasBlankAttribute(e xmlstrict.Element) bool {
	for _, a := range e.Attributes() {
		if strings.TrimSpace(a.Value) == "" {
			return true
		}
	}
	for c := range e.Children() {
		if hasBlankAttribute(c) {
			return true
		}
	}
	return false
}

func hasUsername(m *message, _ Expectations) bool { return m.usernameTokens == 1 && m.username.once() }

func usernameIsRegistered(m *message, x Expectations) bool {
	return slices.Contains(x.Usernames, m.username.text)
}

func serviceIsAction(m *message, _ Expectations) bool {
	return m.action.once() && m.service == m.action.text
}

func actionIsOurs(m *message, _ Expectations) bool { return m.action.text == RequestService }

func soapActionAgrees(m *message, _ Expectations) bool {
	return m.soapAction == "" || m.soapAction == m.action.text
}

func profileIsKnown(m *message, x Expectations) bool {
	return !slices.ContainsFunc(m.items, func(item xmlstrict.Element) bool {
		return !slices.Contains(x.Profiles, trimmed(item, "profileid"))
	})
}

func onePayload(m *message, _ Expectations) bool { return len(m.parts) == 1 }

func mimetypeIsXML(m *message, _ Expectations) bool {
	return strings.EqualFold(attribute(m.items[0], "mimetype"), "text/xml")
}

func payloadIsPlain(m *message, _ Expectations) bool {
	for _, flag := range [...]string{"base64", "compressed", "encrypted"} {
		value := attribute(m.items[0], flag)
		if value == "true" || value == "1" {
			return false
		}
	}
	return true
}

// senderIsToolkit demands the prefix and one letter, digit, "_" or ":" after it,
// as the official check does.
func senderIsToolkit(m *message, _ Expectations) bool {
	rest, ok := strings.CutPrefix(m.sender, AddressPrefix)
	return m.sender == "" || ok && rest != "" && isToken(rest[:1], "_:") && isURI(rest)
}

func interactionIsKnown(m *message, x Expectations) bool {
	return len(m.interactions) == 1 && slices.Contains(x.Interactions, m.interactions[0])
}

func hasTo(m *message, _ Expectations) bool { return m.to.once() }

func toIsOurs(m *message, x Expectations) bool {
	return slices.Contains(x.To, m.to.text) || slices.ContainsFunc(x.To, func(ours string) bool { return sameAddress(ours, m.to.text) })
}

// sameAddress compares scheme, host, port and path; the host in any case, a
// trailing slash ignored.
func sameAddress(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	if err != nil {
		return false
	}
	return strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(hostAndPort(x), hostAndPort(y)) &&
		strings.TrimSuffix(x.EscapedPath(), "/") == strings.TrimSuffix(y.EscapedPath(), "/") &&
		x.Opaque == y.Opaque && x.RawQuery == y.RawQuery && y.User == nil && y.Fragment == ""
}

func hostAndPort(u *url.URL) string {
	port := u.Port()
	if port == "" && strings.EqualFold(u.Scheme, "https") {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func fromIsPlain(m *message, _ Expectations) bool {
	for c := range m.from.Children() {
		switch c.Name().Local {
		case "ReferenceProperties", "ReferenceParameters":
			return false
		}
	}
	return true
}

func repliesHere(m *message, _ Expectations) bool {
	if m.replies == 0 {
		return true
	}
	address := fieldOf(m.replyTo, soap.Addressing, "Address")
	return m.replies == 1 && address.once() && address.text == soap.Anonymous
}

func timestampIsCurrent(m *message, x Expectations) bool {
	created, _ := soap.ParseTime(m.created.text)
	expires, _ := soap.ParseTime(m.expires.text)
	return created.Before(expires) && created.Before(x.Now.Add(x.Skew)) && expires.After(x.Now.Add(-x.Skew)) &&
		expires.Sub(created) <= x.MaxLifetime
}

func payloadIsQuery(m *message, _ Expectations) bool {
	return m.payloadRoot.Is(hl7.Namespace, hl7.QueryRoot)
}
