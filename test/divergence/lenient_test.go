package divergence_test

import (
	"regexp"
	"strings"
)

const (
	responses = "The SMSP response: REPC_MT000012GB01, derived"
	replies   = "The Spine's replies: REPC_IN000007GB01, QUQI_IN010000UK14, MCCI_IN010000UK13"
	passedOn  = "Answers passed on"
)

// tolerance is a kind of complaint of the schema that the readers of answers let
// be. They read by name what they need, and must not fail for the rest.
type tolerance struct {
	name      string
	complaint *regexp.Regexp
}

var tolerances = []tolerance{
	{"nil-or-null", regexp.MustCompile(`The element is not 'nillable'|attribute 'nullFlavor'|no content allowed|cannot have character or element content, because it is 'nilled'|Element content is not allowed, because the element was nilled|Neither character nor element content is allowed`)},
	{"unread-attribute", regexp.MustCompile(`The attribute '[^']*' is not allowed|xsi:type attribute does not resolve|The type definition is a|not validly derived`)},
	{"unread-text", regexp.MustCompile(`Character content( other than whitespace)? is not allowed`)},
	{"unread-content", regexp.MustCompile(`Element content is not allowed|attribute '[^']*': .*anyType`)},
	{"order-or-number", regexp.MustCompile(`This element is not expected`)},
	{"missing-element", regexp.MustCompile(`Missing child element`)},
	{"missing-attribute", regexp.MustCompile(`is required but missing`)},
	{"form", regexp.MustCompile(`is not a valid value|\[facet '|fixed value constraint`)},
}

// passedOnNames are the tolerances that can show in what is passed on, since it
// is passed on as it came.
var passedOnNames = []string{"missing-element", "missing-attribute", "order-or-number", "form"}

// essential are the complaints that no reader may let be: what they are about is
// what the answer says.
var essential = regexp.MustCompile(`Element '[^']*(StartDate|CP-ISRecord|record|pertinentInformation15)': Missing child|` +
	`Element '[^']*communicationFunctionSnd': Missing child element\(s\)\. Expected is \( [^ ]*organisation|` +
	`Element '[^']*(childPerson|parentMotherPerson)': Missing child element\(s\)\. Expected is \( [^ ]*birthTime`)

// responseStrictnesses are asked about valid answers.
var responseStrictnesses = []strictness{
	{"nil-with-content", func(root *node) bool {
		if root.name.Local != "REPC_IN000007GB01" { // the others are not asked for it
			root = root.clone()
			act := root.child("ControlActEvent")
			act.remove(act.child("queryAck"))
		}
		return isReadThoughAbsent(root)
	}},
	{"number-not-ten-digits", somewhere(func(n *node) bool {
		return n.name.Local == "person.NHSnumber" && !tenDigits.MatchString(n.child("value").value("extension"))
	})},
	{"template-contradiction", somewhere(func(n *node) bool { return hasTemplateContradiction(n, " ") })},
	{"text-interrupted", somewhere(func(n *node) bool {
		_, interrupted := n.text()
		switch {
		case hasWord(nameParts, n.name.Local):
			return interrupted
		case hasWord("organisation representedOrganization maintainingOrganization", n.name.Local):
			_, interrupted = n.child("name").text()
			return interrupted
		default:
			return n.name.Local == "name" && n.isInterrupted()
		}
	})},
	{"unread-name-part", somewhere(func(n *node) bool {
		if n.name.Local != "name" {
			return false
		}
		for _, c := range n.children() {
			if !hasWord(nameParts, c.name.Local) {
				return true
			}
		}
		return false
	})},
	{"authority-without-name", somewhere(func(n *node) bool {
		return n.name.Local == "organisation" && strings.TrimSpace(n.child("name").allText()) == ""
	})},
	{"time-of-sixteen-digits", somewhere(func(n *node) bool {
		return hasWord("effectiveTime birthTime", n.name.Local) && regexp.MustCompile(`^[0-9]{15}`).MatchString(n.value("value"))
	})},
}

// replyStrictnesses are asked about valid replies of the Spine.
var replyStrictnesses = append([]strictness{
	{"query-response-code", func(root *node) bool {
		return root.name.Local == "REPC_IN000007GB01" && root.path("ControlActEvent", "queryAck", "queryResponseCode").value("code") != "OK"
	}},
	{"success-without-payload", func(root *node) bool {
		payload := root.path("ControlActEvent", "subject", "CP-ISNHSQueryResponse")
		return root.name.Local == "REPC_IN000007GB01" && (payload.name.Local == "" || payload.isAbsent())
	}},
}, responseStrictnesses...)

// isReadThoughAbsent looks for an element that says that it stands for nothing and
// yet has content, among those that are read. Reasons and acknowledgement details
// count whatever they say of themselves, and so do indirect authorities.
func isReadThoughAbsent(n *node) bool {
	if hasWord("author author1 communicationFunctionRcv", n.name.Local) && n.child("contentId").name.Local == "" || n.child("device").name.Local != "" {
		return false // a part of the wrapper, which is not read
	}
	for _, c := range n.children() {
		if n.isAbsent() && !c.isAbsent() && !hasWord("reason acknowledgementDetail indirectAuthority", n.name.Local) || isReadThoughAbsent(c) {
			return true
		}
	}
	return false
}

// isAbsent reports whether an element says that it stands for nothing.
func (n *node) isAbsent() bool {
	return n.holds(func(a attr) bool {
		return a.name == is("nullFlavor", "").name || a.name == nilled().name && (a.value == "true" || a.value == "1")
	})
}

// said is what an answer says in the plainest sense: how many of each there are.
type said struct {
	code                     string
	records, plans, accesses int
}

// whatIsSaid counts by name, in whatever order and place.
func whatIsSaid(root *node) said {
	var s said
	if root.name.Local == "CP-ISNHSQueryResponse" {
		s.code = root.child("value").value("code")
	}
	count := func(local string) int {
		n := 0
		for _, e := range root.all(local) {
			if e.name.Space == hl7Space {
				n++
			}
		}
		return n
	}
	s.records, s.plans = count("record"), count("pertinentInformation15")
	payload := root.path("ControlActEvent", "subject", "CP-ISNHSQueryResponse")
	if payload.name.Local == "" {
		payload = root
	}
	for _, information := range payload.children() {
		if information.name != element("pertinentInformation13").name {
			continue
		}
		for _, e := range information.children() {
			if e.name == element("pertinentCP-ISNHSQuery").name && !e.isAbsent() {
				s.accesses++
			}
		}
	}
	return s
}

// namesOf lists the tolerances and these strictnesses.
func namesOf(strictnesses []strictness) []string {
	var names []string
	for _, c := range tolerances {
		names = append(names, c.name)
	}
	for _, r := range strictnesses {
		names = append(names, r.name)
	}
	return names
}
