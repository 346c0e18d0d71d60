package itk

import (
	"net/url"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// envelopeIsValid checks what the schema of DistributionEnvelope 2.0 demands:
// elements, order, number and the forms of attributes (N19).
func envelopeIsValid(m *message, _ Expectations) bool {
	v := validity{}
	v.attributes(m.distribution, "")
	v.sequence(m.distribution, func(s *xmlstrict.Sequence) {
		s.One(Namespace, "header")
		s.One(Namespace, "payloads")
	})
	v.attributes(m.header, "service", "trackingid")
	id, _ := m.header.Attribute("", "trackingid")
	v.require(hl7.IsUUID(id.Value) && !id.Referenced)
	v.sequence(m.header, func(s *xmlstrict.Sequence) {
		list, ok := s.Optional(Namespace, "addresslist")
		if ok {
			v.list(list, "address", -1, "uri", "type")
		}
		identity, ok := s.Optional(Namespace, "auditIdentity")
		if ok {
			v.list(identity, "id", 4, "uri", "type")
		}
		v.manifest(s.One(Namespace, "manifest"))
		sender, ok := s.Optional(Namespace, "senderAddress")
		if ok {
			v.leaf(sender, "uri", "type")
		}
		handling, ok := s.Optional(Namespace, "handlingSpecification")
		if ok {
			v.list(handling, "spec", -1, "key", "value")
		}
	})
	v.attributes(m.payloads, "count")
	v.sequence(m.payloads, func(s *xmlstrict.Sequence) {
		for _, payload := range s.Many(Namespace, "payload", 1, -1) {
			v.payload(payload)
		}
	})
	return !v.broken
}

// validity collects whether anything is broken.
type validity struct{ broken bool }

func (v *validity) require(ok bool) { v.broken = v.broken || !ok }

func (v *validity) sequence(e xmlstrict.Element, read func(*xmlstrict.Sequence)) {
	s := e.Sequence()
	read(s)
	err := s.Done()
	v.require(err == nil)
}

// attributes allows the named attributes only, and schema hints. The first is
// required unless it is empty.
func (v *validity) attributes(e xmlstrict.Element, required string, optional ...string) {
	if required != "" {
		v.require(attribute(e, required) != "")
	}
	for _, a := range e.Attributes() {
		own := a.Name.Space == "" && (a.Name.Local == required || slices.Contains(optional, a.Name.Local))
		hint := a.Name.Space == instance && (a.Name.Local == "schemaLocation" || a.Name.Local == "noNamespaceSchemaLocation")
		item := a.Name.Space == Namespace && e.Name().Local == "manifestitem"
		v.require(own || hint || item)
	}
}

// leaf is an element that has nothing but attributes.
func (v *validity) leaf(e xmlstrict.Element, required string, optional ...string) {
	v.attributes(e, required, optional...)
	text, form := e.Text()
	v.require(xmlstrict.TrimSpace(text) == "" && form&^xmlstrict.HasComment == 0)
}

func (v *validity) list(e xmlstrict.Element, local string, limit int, required string, optional ...string) {
	v.attributes(e, "")
	v.sequence(e, func(s *xmlstrict.Sequence) {
		for _, child := range s.Many(Namespace, local, 1, limit) {
			v.leaf(child, required, optional...)
			if local == "spec" {
				v.require(attribute(child, "value") != "")
			}
		}
	})
}

func (v *validity) manifest(e xmlstrict.Element) {
	v.attributes(e, "count")
	v.sequence(e, func(s *xmlstrict.Sequence) {
		for _, item := range s.Many(Namespace, "manifestitem", 1, -1) {
			v.leaf(item, "id", "mimetype", "profileid", "metadata", "compressed", "base64", "encrypted")
			v.require(attribute(item, "mimetype") != "" && isNCName(attribute(item, "id")))
			for _, flag := range [...]string{"metadata", "compressed", "base64", "encrypted"} {
				value, given := item.Attribute("", flag)
				v.require(!given || slices.Contains([]string{"true", "false", "1", "0"}, value.Value))
			}
		}
	})
}

// payload holds at most one element, and around it nothing but white space and
// comments.
func (v *validity) payload(e xmlstrict.Element) {
	v.attributes(e, "id", "filename")
	v.require(isNCName(attribute(e, "id")))
	text, form := e.Text()
	_, elements := countChildren(e)
	v.require(xmlstrict.TrimSpace(text) == "" && form&xmlstrict.HasCDATA == 0 && elements == 1)
}

// isNCName is the form of ids that this wire uses: ASCII names only.
func isNCName(s string) bool {
	return s != "" && isToken(s, "_-.") && (s[0] == '_' || isToken(s[:1], "") && (s[0] < '0' || s[0] > '9'))
}

// isToken reports whether s has only ASCII letters, digits and the extra bytes.
func isToken(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

// auditIdentityIsAllowed applies COR-DEH-03 to 04.7: each identity is well formed,
// each toolkit identity belongs to the client, and there is one, or the client's
// own ASID. None may be spelt with references (WRD-VAL-20).
func auditIdentityIsAllowed(m *message, x Expectations) bool {
	if !m.plainlyNamed {
		return false
	}
	ours := false
	for _, id := range m.identities {
		if id.Type == "" || id.Type == IdentityType {
			if !isToolkitIdentity(id.URI) || !isAllowedIdentity(id.URI, x.AuditIdentities) {
				return false
			}
			ours = true
			continue
		}
		if !isOID(id.Type) || id.URI == "" || strings.HasPrefix(id.URI, IdentityPrefix) {
			return false
		}
		ours = ours || id.Type == cpis.OIDASID && x.ASID != "" && id.URI == x.ASID
	}
	return ours
}

// isToolkitIdentity is urn:nhs-uk:identity:ods:ORG and perhaps more tokens, none
// of them empty.
func isToolkitIdentity(uri string) bool {
	tokens, ok := strings.CutPrefix(uri, IdentityPrefix+"ods:")
	return ok && isURI(uri) && !strings.HasPrefix(tokens, ":") && !strings.HasSuffix(uri, ":") && !strings.Contains(tokens, "::")
}

// isURI excludes what a URI cannot hold, which is enough for a URN.
func isURI(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`"<>[\]^{|}`+"`", s[i]) >= 0 {
			return false
		}
	}
	_, err := url.PathUnescape(s)
	return err == nil && strings.Count(s, "#") <= 1
}

func isAllowedIdentity(uri string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		return uri == a || strings.HasPrefix(uri, a+":")
	})
}

func isOID(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return strings.Contains(s, ".")
}
