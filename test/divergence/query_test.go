package divergence_test

import (
	"encoding/xml"
	"regexp"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// leniency is something that the schema refuses and Ward takes: grant turns every
// use of it in a message into what the schema wants, and reports whether there was
// one.
type leniency struct {
	name  string
	grant func(root *node) bool
}

// strictness is something that the schema takes and Ward refuses. It is asked only
// about messages that are valid, once all leniencies are granted.
type strictness struct {
	name  string
	holds func(root *node) bool
}

const queries = "The query: QUPC_MT000006GB01"

var queryLeniencies = []leniency{
	{"fixed-attribute", everywhere(func(n *node) bool { return n.drop(func(a attr) bool { return isFixed(n.name.Local, a) }) })},
	{"number-root", everywhere(func(n *node) bool {
		return n.name == xml.Name{Space: hl7Space, Local: "value"} && n.drop(func(a attr) bool { return a == is("root", cpis.OIDNHSNumber) })
	})},
	{"semantics-text", everywhere(withoutSemantics)},
	{"access-event", everywhere(withoutAccessEvent)},
	{"lower-case-event-id", lowerCaseEventID},
	{"code-system-name", everywhere(func(n *node) bool {
		return n.name.Local == "code" && n.drop(func(a attr) bool {
			return a.name.Space == "" && strings.TrimSpace(a.value) != "" && (a.name.Local == "codeSystemName" || a.name.Local == "codeSystemVersion")
		})
	})},
	{"name-qualifier", everywhere(func(n *node) bool {
		return hasWord(nameParts, n.name.Local) && n.drop(func(a attr) bool { return a.name == is("qualifier", "").name && strings.TrimSpace(a.value) != "" })
	})},
	{"space-in-empty-element", everywhere(func(n *node) bool { return hasWord(emptyElements, n.name.Local) && n.dropSpace() })},
	{"cdata-between-elements", everywhere(func(n *node) bool {
		return !hasWord(emptyElements+" name "+nameParts, n.name.Local) && n.dropCDATA()
	})},
}

var queryStrictnesses = []strictness{
	{"null-or-nil", somewhere(func(n *node) bool {
		return n.holds(func(a attr) bool { return a.name.Local == "nullFlavor" || a.name == nilled().name })
	})},
	{"unread-attribute", somewhere(hasUnreadAttribute)},
	{"unread-element", somewhere(hasUnreadElement)},
	{"blank-attribute", somewhere(hasBlankAttribute)},
	{"number-not-ten-digits", func(root *node) bool {
		return !tenDigits.MatchString(root.path("cP-ISNHSQuery", "queryByParameter", "person.NHSnumber", "value").value("extension"))
	}},
	{"time-without-zone", func(root *node) bool {
		return regexp.MustCompile(`^[0-9.]{9,}$`).MatchString(root.path("cP-ISNHSQuery", "effectiveTime").value("value"))
	}},
	{"time-of-sixteen-digits", func(root *node) bool {
		return regexp.MustCompile(`^[0-9]{15}`).MatchString(root.path("cP-ISNHSQuery", "effectiveTime").value("value"))
	}},
	{"time-that-is-none", func(root *node) bool { return !isTime(root.path("cP-ISNHSQuery", "effectiveTime").value("value")) }},
	{"template-contradiction", somewhere(func(n *node) bool { return hasTemplateContradiction(n, "") })},
	{"author-ids", func(root *node) bool { return !areAuthorIDs(root) }},
	{"role-incomplete", somewhere(func(n *node) bool {
		return n.name.Local == "code" && (n.value("code") == "" || n.value("displayName") == "")
	})},
	{"code-with-space", somewhere(func(n *node) bool { return n.name.Local == "code" && strings.ContainsAny(n.value("code"), " \n") })},
	{"code-system-not-oid", somewhere(func(n *node) bool {
		system, given := n.attribute("codeSystem")
		return given && !regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`).MatchString(system)
	})},
	{"name-use-empty", somewhere(func(n *node) bool {
		use, given := n.attribute("use")
		return given && strings.TrimSpace(use) == ""
	})},
	{"name-without-text", somewhere(func(n *node) bool { return n.name.Local == "name" && strings.TrimSpace(n.allText()) == "" })},
	{"text-interrupted", somewhere(hasInterruptedText)},
	{"reference-in-identifier", somewhere(hasReferencedIdentifier)},
	{"many-authorities", func(root *node) bool { return len(root.all("indirectAuthority")) > 16 }},
}

func subjectNames(leniencies []leniency, strictnesses []strictness) []string {
	var names []string
	for _, l := range leniencies {
		names = append(names, l.name)
	}
	for _, r := range strictnesses {
		names = append(names, r.name)
	}
	return names
}

func everywhere(change func(*node) bool) func(*node) bool {
	return func(root *node) bool {
		changed := false
		root.walk(func(n *node) { changed = change(n) || changed })
		return changed
	}
}

func somewhere(holds func(*node) bool) func(*node) bool { return everywhere(holds) }

func (n *node) holds(wanted func(attr) bool) bool {
	for _, a := range n.attrs {
		if wanted(a) {
			return true
		}
	}
	return false
}

// path goes down from n by local names.
func (n *node) path(locals ...string) *node {
	for _, local := range locals {
		n = n.child(local)
	}
	return n
}

// allText is the text in n and below it.
func (n *node) allText() string {
	var out strings.Builder
	n.walk(func(e *node) {
		text, _ := e.text()
		out.WriteString(text)
	})
	return out.String()
}

// isFixed knows the attributes that the schemas fix and prohibit (L18).
func isFixed(element string, a attr) bool {
	fixed := map[string]string{
		"author":                           "typeCode=AUT",
		"cP-ISNHSQuery":                    "classCode=CACT moodCode=EVN",
		"COCT_TP145102GB01.AssignedAuthor": "classCode=ASSIGNED",
		"superiorAssignedEntity":           "classCode=ASSIGNED",
		"assignedAuthorPerson":             "classCode=PSN determinerCode=INSTANCE",
		"assignedPerson":                   "classCode=PSN determinerCode=INSTANCE",
		"representedOrganization":          "classCode=ORG determinerCode=INSTANCE",
		"maintainingOrganization":          "classCode=ORG determinerCode=INSTANCE",
		"COCT_TP145104GB01.System":         "classCode=MNT",
		"indirectAuthority":                "typeCode=INDAUTH",
	}
	for f := range strings.FieldsSeq(fixed[element]) {
		if a.name.Space == "" && a.name.Local+"="+a.value == f {
			return true
		}
	}
	return false
}

// withoutSemantics takes away a semanticsText that stands first and says what it
// must (L18).
func withoutSemantics(n *node) bool {
	if n.name.Local != "person.NHSnumber" || len(n.children()) == 0 {
		return false
	}
	first := n.children()[0]
	text, interrupted := first.text()
	ok := first.name == xml.Name{Space: hl7Space, Local: "semanticsText"} && strings.TrimSpace(text) == "Person.NHSnumber" && !interrupted &&
		!first.holds(func(a attr) bool { return !isHint(a) })
	return ok && n.remove(first)
}

// withoutAccessEvent takes away a last accessEventType that asks for what is done
// anyway (WRD-SPN-06).
func withoutAccessEvent(n *node) bool {
	children := n.children()
	if n.name.Local != "cP-ISNHSQuery" || len(children) == 0 {
		return false
	}
	last := children[len(children)-1]
	text, interrupted := last.text()
	asked := last.value("value") + text
	plain := !interrupted && !last.holds(func(a attr) bool { return a.name != is("value", "").name && !isHint(a) })
	for _, p := range last.content {
		plain = plain && !p.referenced
	}
	ok := last.name == xml.Name{Space: hl7Space, Local: "accessEventType"} && plain && asked == "true"
	return ok && n.remove(last)
}

func (n *node) remove(child *node) bool {
	for i, p := range n.content {
		if p.child == child {
			n.content = replaced(n.content, i, 1)
			return true
		}
	}
	return false
}

// lowerCaseEventID puts the id of the query into upper case (L19).
func lowerCaseEventID(root *node) bool {
	id := root.path("cP-ISNHSQuery", "id")
	for i, a := range id.attrs {
		if a.name.Local == "root" && a.name.Space == "" && a.value != strings.ToUpper(a.value) {
			id.attrs[i].value = strings.ToUpper(a.value)
			return true
		}
	}
	return false
}

const (
	nameParts     = "prefix given family suffix"
	emptyElements = "effectiveTime id contentId code value accessEventType"
)

// dropSpace takes white space out of an element that has no children (L14).
func (n *node) dropSpace() bool {
	changed := false
	for i, p := range n.content {
		if p.text != "" && !p.referenced && strings.Trim(p.text, " \t\n") == "" && len(n.children()) == 0 {
			n.content[i].text, changed = "", true
		}
	}
	return changed
}

// dropCDATA takes away CDATA sections that hold nothing or white space.
func (n *node) dropCDATA() bool {
	changed := false
	for i, p := range n.content {
		section, ok := strings.CutPrefix(p.markup, "<![CDATA[")
		if ok && strings.TrimSpace(strings.TrimSuffix(section, "]]>")) == "" {
			n.content[i].markup, changed = "", true
		}
	}
	return changed
}

func isHint(a attr) bool {
	return a.name.Space == instance && (a.name.Local == "schemaLocation" || a.name.Local == "noNamespaceSchemaLocation")
}

// hasUnreadAttribute knows which attributes the interface of the query has.
func hasUnreadAttribute(n *node) bool {
	read := map[string]string{
		"effectiveTime": "value", "contentId": "root extension", "code": "code codeSystem displayName", "name": "use",
		"id": "root extension assigningAuthorityName", "value": "extension",
		"prefix": "qualifier", "given": "qualifier", "family": "qualifier", "suffix": "qualifier",
	}[n.name.Local]
	return n.holds(func(a attr) bool {
		return !isHint(a) && a.name.Local != "nullFlavor" && a.name != nilled().name && (a.name.Space != "" || !hasWord(read, a.name.Local))
	})
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// hasUnreadElement finds the parts of data types that the schema allows and the
// interface does not use.
func hasUnreadElement(n *node) bool {
	switch n.name.Local {
	case "code", "prefix", "given", "family", "suffix":
		return len(n.children()) > 0
	case "name":
		for _, c := range n.children() {
			if !hasWord(nameParts, c.name.Local) {
				return true
			}
		}
	case "representedOrganization", "maintainingOrganization":
		return len(n.child("name").children()) > 0
	}
	return false
}

func hasBlankAttribute(n *node) bool {
	return n.holds(func(a attr) bool { return strings.TrimSpace(a.value) == "" })
}

var tenDigits = regexp.MustCompile(`^[0-9]{10}$`)

// isTime reports whether a TS names a year, and no month, day, hour, minute or
// second that does not exist.
func isTime(written string) bool {
	digits := regexp.MustCompile(`^[0-9]*`).FindString(written)
	even := digits[:min(14, len(digits)&^1)]
	if len(even) < 4 {
		return false
	}
	_, err := time.Parse("20060102150405"[:len(even)], even)
	return err == nil
}

// hasTemplateContradiction compares a contentId, without what may stand around it,
// with the template beside it.
func hasTemplateContradiction(n *node, around string) bool {
	children := n.children()
	if len(children) != 2 || children[0].name.Local != "contentId" {
		return false
	}
	return strings.Trim(children[0].value("extension"), around) != strings.Replace(children[1].name.Local, ".", "#", 1)
}

// areAuthorIDs: a person has a user id, and perhaps a role profile id besides.
func areAuthorIDs(root *node) bool {
	for _, person := range root.all("COCT_TP145102GB01.AssignedAuthor") {
		roots := ""
		for _, c := range person.children() {
			if c.name.Local == "id" {
				roots += " " + c.value("root")
				if c.value("extension") == "" {
					return false
				}
			}
		}
		user, profile := " "+cpis.OIDUserID, " "+cpis.OIDRoleProfile
		if roots != user && roots != user+profile && roots != profile+user {
			return false
		}
	}
	return true
}

// hasInterruptedText finds comments and CDATA sections in and beside text that is
// read (L14, WRD-VAL-20).
func hasInterruptedText(n *node) bool {
	switch n.name.Local {
	case "prefix", "given", "family", "suffix":
		_, interrupted := n.text()
		return interrupted && len(n.children()) == 0
	case "representedOrganization", "maintainingOrganization":
		_, interrupted := n.child("name").text()
		return interrupted && len(n.child("name").children()) == 0
	case "assignedAuthorPerson", "assignedPerson":
		return n.child("name").isInterrupted()
	}
	return false
}

// isInterrupted looks at each run of text between children.
func (n *node) isInterrupted() bool {
	text, comment, cdata := "", false, false
	broken := func() bool { return text != "" && (cdata || comment && strings.Trim(text, " \t\n") != "") }
	for _, p := range n.content {
		if p.child != nil {
			if broken() {
				return true
			}
			text, comment, cdata = "", false, false
			continue
		}
		section, isCDATA := strings.CutPrefix(p.markup, "<![CDATA[")
		text += p.text + strings.TrimSuffix(section, "]]>")
		if !isCDATA {
			text = strings.TrimSuffix(text, p.markup)
		}
		comment = comment || strings.HasPrefix(p.markup, "<!--")
		cdata = cdata || isCDATA
	}
	return broken()
}

// hasReferencedIdentifier finds identifiers that are written with references, or
// could only be sent on with them (WRD-VAL-20).
func hasReferencedIdentifier(n *node) bool {
	return hasWord("effectiveTime id value", n.name.Local) && n.holds(func(a attr) bool {
		return (a.referenced && a.value != "" || strings.ContainsAny(a.value, `>"`)) && hasWord("value root extension", a.name.Local)
	})
}

const (
	messageID = "0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A"
	stampID   = "uuid_1E9B6C4D-5F20-4B8C-AD3E-70615E4D3C2B"
)
