package atna_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// attribute and node are the schema of PS3.15 A.5.1, as far as it is used: what is
// not in it is refused.
type attribute struct {
	name     string
	required bool
	kind     string   // "", "dateTime", "boolean" or "base64"
	values   []string // if only these may stand
}

type node struct {
	name       string
	min, max   int // max of 2 stands for any number
	attributes []attribute
	children   []node // in this order
	text       string // "", "text" or "base64": what stands in it
}

const many = 2

func upTo(n int) []string {
	var all []string
	for i := 1; i <= n; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func coded(name string, min, max int) node {
	return node{name: name, min: min, max: max, attributes: []attribute{
		{name: "csd-code", required: true}, {name: "codeSystemName", required: true}, {name: "displayName"}, {name: "originalText", required: true},
	}}
}

var message = node{name: "AuditMessage", min: 1, max: 1, children: []node{
	{name: "EventIdentification", min: 1, max: 1, attributes: []attribute{
		{name: "EventActionCode", values: []string{"C", "R", "U", "D", "E"}},
		{name: "EventDateTime", required: true, kind: "dateTime"},
		{name: "EventOutcomeIndicator", required: true, values: []string{"0", "4", "8", "12"}},
	}, children: []node{
		coded("EventID", 1, 1),
		coded("EventTypeCode", 0, many),
		{name: "EventOutcomeDescription", max: 1, text: "text"},
	}},
	{name: "ActiveParticipant", min: 1, max: many, attributes: []attribute{
		{name: "UserID", required: true}, {name: "AlternativeUserID"}, {name: "UserName"},
		{name: "UserIsRequestor", required: true, kind: "boolean"},
		{name: "NetworkAccessPointID"}, {name: "NetworkAccessPointTypeCode", values: upTo(5)},
	}, children: []node{coded("RoleIDCode", 0, many)}},
	{name: "AuditSourceIdentification", min: 1, max: 1, attributes: []attribute{
		{name: "AuditEnterpriseSiteID"}, {name: "AuditSourceID", required: true},
	}, children: []node{
		{name: "AuditSourceTypeCode", max: many, attributes: []attribute{{name: "csd-code", required: true, values: upTo(9)}}},
	}},
	{name: "ParticipantObjectIdentification", max: many, attributes: []attribute{
		{name: "ParticipantObjectID", required: true}, {name: "ParticipantObjectTypeCode", values: upTo(4)},
		{name: "ParticipantObjectTypeCodeRole", values: upTo(26)}, {name: "ParticipantObjectDataLifeCycle", values: upTo(15)},
		{name: "ParticipantObjectSensitivity"},
	}, children: []node{
		coded("ParticipantObjectIDTypeCode", 1, 1),
		{name: "ParticipantObjectName", max: 1, text: "text"},
		{name: "ParticipantObjectQuery", max: 1, text: "base64"},
		{name: "ParticipantObjectDetail", max: many, attributes: []attribute{{name: "type", required: true}, {name: "value", required: true, kind: "base64"}}},
	}},
}}

// check returns what is wrong with an element.
func check(at string, e xmlstrict.Element, n node) []string {
	var wrong []string
	seen := map[string]bool{}
	for _, a := range e.Attributes() {
		seen[a.Name.Local] = true
		i := slices.IndexFunc(n.attributes, func(d attribute) bool { return d.name == a.Name.Local })
		if i < 0 {
			wrong = append(wrong, at+"/@"+a.Name.Local+" is not an attribute")
			continue
		}
		if !fits(a.Value, n.attributes[i].kind, n.attributes[i].values) {
			wrong = append(wrong, fmt.Sprintf("%s/@%s is %q", at, a.Name.Local, a.Value))
		}
	}
	for _, a := range n.attributes {
		if a.required && !seen[a.name] {
			wrong = append(wrong, at+"/@"+a.name+" is missing")
		}
	}
	text, _ := e.Text()
	if n.text == "" && strings.TrimSpace(text) != "" || n.text != "" && !fits(text, n.text, nil) {
		wrong = append(wrong, fmt.Sprintf("%s holds %q", at, text))
	}
	return append(wrong, checkChildren(at, e, n)...)
}

func checkChildren(at string, e xmlstrict.Element, n node) []string {
	var wrong []string
	place := 0
	count := map[string]int{}
	for child := range e.Children() {
		name := child.Name().Local
		i := slices.IndexFunc(n.children, func(c node) bool { return c.name == name })
		if i < 0 || i < place || child.Name().Space != "" {
			wrong = append(wrong, at+"/"+name+" does not belong there")
			continue
		}
		place = i
		count[name]++
		wrong = append(wrong, check(at+"/"+name, child, n.children[i])...)
	}
	for _, c := range n.children {
		if count[c.name] < c.min || c.max < many && count[c.name] > c.max {
			wrong = append(wrong, fmt.Sprintf("%s/%s is there %d times", at, c.name, count[c.name]))
		}
	}
	if n.name == "ParticipantObjectIdentification" && count["ParticipantObjectName"]+count["ParticipantObjectQuery"] != 1 {
		wrong = append(wrong, at+" has not one of name and query")
	}
	return wrong
}

func fits(v, kind string, values []string) bool {
	if strings.TrimSpace(v) == "" {
		return false
	}
	switch kind {
	case "dateTime":
		_, err := time.Parse(time.RFC3339, v)
		return err == nil
	case "boolean":
		return v == "true" || v == "false"
	case "base64":
		_, err := base64.StdEncoding.DecodeString(v)
		return err == nil
	}
	return values == nil || slices.Contains(values, v)
}

// parse reads a document and checks it against the schema.
func parse(t interface{ Fatalf(string, ...any) }, document []byte) xmlstrict.Element {
	limits := xmlstrict.Limits{Bytes: 1 << 20, Depth: 8, Elements: 1000, Attributes: 16, Name: 100, Value: 1 << 20}
	doc, err := xmlstrict.Parse(string(document), limits)
	if err != nil {
		t.Fatalf("not XML: %v\n%q", err, document)
	}
	root := doc.Root()
	if !root.Is("", "AuditMessage") {
		t.Fatalf("the root is %v", root.Name())
	}
	wrong := check("AuditMessage", root, message)
	if len(wrong) > 0 {
		t.Fatalf("not of the schema:\n%s\n%s", strings.Join(wrong, "\n"), document)
	}
	return root
}
