package divergence_test

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

const envelopes = "The request's envelope: distributionEnvelope-v2-0"

func itkElement(local string, content ...any) *node { return elementIn(itkSpace, local, content...) }

// envelope is a DistributionEnvelope with everything that is optional there or not.
func (g generator) envelope() *node {
	header := itkElement("header", is("service", itk.RequestService), is("trackingid", g.uuid()))
	add := func(n *node) { header.content = append(header.content, part{child: n}) }
	if g.maybe() {
		list := itkElement("addresslist", itkElement("address", is("uri", "urn:nhs-uk:addressing:ods:Y99")))
		if g.maybe() {
			list.content = append(list.content, part{child: itkElement("address", is("type", itk.AddressType), is("uri", "urn:nhs-uk:addressing:ods:Y99:cpis"))})
		}
		add(list)
	}
	identity := itkElement("auditIdentity", itkElement("id", is("uri", g.of("urn:nhs-uk:identity:ods:RZZ99", "urn:nhs-uk:identity:ods:RZZ99:triage-7"))))
	if g.maybe() {
		identity.children()[0].attrs = append(identity.children()[0].attrs, is("type", itk.IdentityType))
	}
	for _, kind := range [][2]string{{cpis.OIDUserID, "999000111222"}, {cpis.OIDRoleProfile, "999000111333"}, {cpis.OIDASID, "999000444555"}} {
		if g.maybe() {
			identity.content = append(identity.content, part{child: itkElement("id", is("type", kind[0]), is("uri", kind[1]))})
		}
	}
	add(identity)
	id := "uuid_" + g.uuid()
	item := itkElement("manifestitem", is("id", id), is("mimetype", g.of("text/xml", "TEXT/xml")), is("profileid", g.of("urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v2-0")))
	for _, flag := range []string{"metadata", "compressed", "base64", "encrypted"} {
		if g.pick(3) == 0 {
			item.attrs = append(item.attrs, is(flag, g.of("false", "0")))
		}
	}
	add(itkElement("manifest", is("count", "1"), item))
	if g.maybe() {
		add(itkElement("senderAddress", is("uri", "urn:nhs-uk:addressing:ods:RZZ99")))
	}
	handling := itkElement("handlingSpecification", itkElement("spec", is("key", itk.InteractionKey), is("value", itk.RequestInteraction)))
	if g.maybe() {
		handling.content = append(handling.content, part{child: itkElement("spec", is("key", "urn:nhs-itk:ns:201005:ackrequested"), is("value", "false"))})
	}
	add(handling)
	payload := itkElement("payload", is("id", id), element("CP-ISQueryStub"))
	if g.pick(4) == 0 {
		payload.attrs = append(payload.attrs, is("filename", "query.xml"))
	}
	return itkElement("DistributionEnvelope", header, itkElement("payloads", is("count", "1"), payload))
}

const envelopeLeaves = "address id manifestitem senderAddress spec"

var envelopeLeniencies = []leniency{
	{"item-attribute", everywhere(func(n *node) bool {
		return n.name == itkElement("manifestitem").name && n.drop(func(a attr) bool { return a.name.Space == itkSpace && strings.TrimSpace(a.value) != "" })
	})},
	{"uri-not-read", uriNotRead},
	{"space-in-empty-element", everywhere(func(n *node) bool {
		return n.name.Space == itkSpace && hasWord(envelopeLeaves, n.name.Local) && n.dropSpace()
	})},
	{"cdata-between-elements", everywhere(func(n *node) bool {
		return n.name.Space == itkSpace && !hasWord(envelopeLeaves+" payload", n.name.Local) && n.dropCDATA()
	})},
}

var envelopeStrictnesses = []strictness{
	{"blank-attribute", somewhere(hasBlankAttribute)},
	{"count", func(root *node) bool {
		manifest, payloads := root.path("header", "manifest"), root.path("payloads")
		items, parts := len(manifest.children()), len(payloads.children())
		return manifest.value("count") != strconv.Itoa(items) || payloads.value("count") != strconv.Itoa(parts) || items != parts
	}},
	{"manifest-id", func(root *node) bool {
		return root.path("header", "manifest", "manifestitem").value("id") != root.path("payloads", "payload").value("id")
	}},
	{"id-not-ascii", func(root *node) bool { return !asciiName.MatchString(root.path("payloads", "payload").value("id")) }},
	{"ids-equal", func(root *node) bool { return hasEqualIDs(root) }},
	{"service", func(root *node) bool {
		return strings.Trim(root.path("header").value("service"), " ") != itk.RequestService
	}},
	{"profile", func(root *node) bool {
		for _, item := range root.path("header", "manifest").children() {
			if !hasWord("urn:nhs-en:profile:CP-ISNHSQuery-v1-0 urn:nhs-en:profile:CP-ISNHSQuery-v2-0", strings.Trim(item.value("profileid"), " ")) {
				return true
			}
		}
		return false
	}},
	{"several-payloads", func(root *node) bool { return len(root.path("payloads").children()) > 1 }},
	{"mimetype", func(root *node) bool {
		return !strings.EqualFold(root.path("header", "manifest", "manifestitem").value("mimetype"), "text/xml")
	}},
	{"payload-encoded", func(root *node) bool {
		return root.path("header", "manifest", "manifestitem").holds(func(a attr) bool {
			return a.name.Space == "" && hasWord("compressed base64 encrypted", a.name.Local) && hasWord("true 1", strings.TrimSpace(a.value))
		})
	}},
	{"flag-with-space", somewhere(func(n *node) bool {
		return n.name.Local == "manifestitem" && n.holds(func(a attr) bool {
			return a.name.Space == "" && hasWord("metadata compressed base64 encrypted", a.name.Local) && strings.TrimSpace(a.value) != a.value
		})
	})},
	{"payload-with-text", func(root *node) bool {
		payload := root.path("payloads", "payload")
		for _, p := range payload.content {
			if strings.Trim(p.text, " \n\t") != "" || strings.HasPrefix(p.markup, "<![CDATA[") {
				return true
			}
		}
		return false
	}},
	{"payload-empty", func(root *node) bool { return len(root.path("payloads", "payload").children()) == 0 }},
	{"payload-of-another-kind", func(root *node) bool {
		children := root.path("payloads", "payload").children()
		return len(children) > 0 && children[0].name != element("CP-ISQueryStub").name
	}},
	{"sender", func(root *node) bool {
		sender, given := root.path("header", "senderAddress").attribute("uri")
		return given && !senderForm.MatchString(strings.Trim(sender, " "))
	}},
	{"interaction", func(root *node) bool {
		found := 0
		for _, spec := range root.path("header", "handlingSpecification").children() {
			if strings.Trim(spec.value("key"), " ") == itk.InteractionKey {
				found++
				if strings.Trim(spec.value("value"), " ") != itk.RequestInteraction {
					return true
				}
			}
		}
		return found != 1
	}},
	{"audit-identity", func(root *node) bool { return !hasOwnIdentity(root) }},
	{"reference-in-identifier", func(root *node) bool {
		referenced := root.path("header").holds(func(a attr) bool { return a.referenced && a.name.Local == "trackingid" })
		for _, id := range root.path("header", "auditIdentity").children() {
			referenced = referenced || id.holds(func(a attr) bool { return a.referenced })
		}
		return referenced
	}},
	{"instance-type", somewhere(func(n *node) bool {
		return n.name.Space == itkSpace && n.holds(func(a attr) bool { return a.name.Space == instance && !isHint(a) })
	})},
}

var (
	brokenURI    = regexp.MustCompile(`%([^0-9a-fA-F]|.[^0-9a-fA-F]|.?$)|#.*#|^[^A-Za-z/?#][^/?#]*:|^:|[\[\]]|//[^/]*:[^0-9/]`)
	asciiName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	senderForm   = regexp.MustCompile("^urn:nhs-uk:addressing:[a-zA-Z_:0-9][^\\x00- \\x7f-\\x{10ffff}\"<>\\[\\\\\\]^{|}`]*$")
	identityForm = regexp.MustCompile("^urn:nhs-uk:identity:ods:RZZ99(:[^:\\x00- \\x7f-\\x{10ffff}\"<>\\[\\\\\\]^{|}`]+)*$")
	oidForm      = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+$`)
	uuidAtEnd    = regexp.MustCompile(`(?i)^[a-z_:]*([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
)

// uriNotRead exchanges each URI that the request does not depend on and that is
// none for one that is: the addressee, identities that are no toolkit identities,
// handling entries that are not known.
func uriNotRead(root *node) bool {
	changed := false
	exchange := func(n *node, local string) {
		for i, a := range n.attrs {
			if a.name == is(local, "").name && brokenURI.MatchString(strings.Trim(a.value, " ")) {
				n.attrs[i].value, changed = "urn:x", true
			}
		}
	}
	header := root.path("header")
	for _, address := range header.path("addresslist").children() {
		exchange(address, "uri")
	}
	for _, id := range header.path("auditIdentity").children() {
		kind := id.value("type")
		if kind != "" && kind != itk.IdentityType && !strings.HasPrefix(strings.Trim(id.value("uri"), " "), itk.IdentityPrefix) {
			exchange(id, "uri")
		}
	}
	for _, spec := range header.path("handlingSpecification").children() {
		exchange(spec, "key")
	}
	return changed
}

// hasEqualIDs compares the ids of the message by the UUID in them (N24).
func hasEqualIDs(root *node) bool {
	ids := []string{messageID, stampID, root.path("header").value("trackingid")}
	for _, item := range root.path("header", "manifest").children() {
		ids = append(ids, item.value("id"))
	}
	seen := map[string]bool{}
	for _, id := range ids {
		uuid := uuidAtEnd.FindStringSubmatch(id)
		if uuid != nil {
			id = strings.ToUpper(uuid[1])
		}
		if seen[id] {
			return true
		}
		seen[id] = true
	}
	return false
}

// hasOwnIdentity applies COR-DEH-03 to 04.7 for the client RZZ99 with its ASID.
func hasOwnIdentity(root *node) bool {
	own := false
	for _, id := range root.path("header", "auditIdentity").children() {
		uri, kind := strings.Trim(id.value("uri"), " "), id.value("type")
		switch {
		case kind == "" || kind == itk.IdentityType:
			if brokenURI.MatchString(uri) || !identityForm.MatchString(uri) {
				return false
			}
			own = true
		case !oidForm.MatchString(kind) || strings.HasPrefix(uri, itk.IdentityPrefix):
			return false
		case kind == cpis.OIDASID && uri == "999000444555":
			own = true
		}
	}
	return own
}
