package fhir_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// element is a part of R4's definition of AuditEvent, as far as it is used: what
// is not in it is refused. Standards of values are given as code per system.
type element struct {
	name     string
	min, max int // max of 2 stands for "*"
	kind     string
	parts    []element
	values   []string            // of a code whose binding is required
	codes    map[string][]string // system to codes, of a Coding or CodeableConcept; no codes for any
}

const many = 2

// The systems and codes that may stand where, from R4's value sets (and, where the
// binding is extensible, from those that this project and BALP add).
var (
	dicomTypes    = []string{"110100", "110101", "110112", "110113", "110114"}
	dicomSubtypes = []string{"110120", "110121", "110122", "110123", "110126", "110130", "110131", "110132", "110134", "110135"}
	one           = func(n int) []string {
		var all []string
		for i := 1; i <= n; i++ {
			all = append(all, fmt.Sprint(i))
		}
		return all
	}
)

var reference = []element{
	{name: "type", max: 1, kind: "uri"},
	{name: "identifier", max: 1, kind: "part", parts: []element{
		{name: "system", max: 1, kind: "uri"},
		{name: "value", min: 1, max: 1, kind: "string"},
	}},
	{name: "display", max: 1, kind: "string"},
}

var definition = []element{
	{name: "resourceType", min: 1, max: 1, kind: "code", values: []string{"AuditEvent"}},
	{name: "type", min: 1, max: 1, kind: "coding", codes: map[string][]string{"http://dicom.nema.org/resources/ontology/DCM": dicomTypes}},
	{name: "subtype", max: many, kind: "coding", codes: map[string][]string{
		"http://dicom.nema.org/resources/ontology/DCM": dicomSubtypes,
		"http://hl7.org/fhir/restful-interaction":      {"search"},
		"https://github.com/wardsmsp/ward/audit/kind":  nil,
	}},
	{name: "action", max: 1, kind: "code", values: []string{"C", "R", "U", "D", "E"}},
	{name: "recorded", min: 1, max: 1, kind: "instant"},
	{name: "outcome", max: 1, kind: "code", values: []string{"0", "4", "8", "12"}},
	{name: "outcomeDesc", max: 1, kind: "string"},
	{name: "purposeOfEvent", max: many, kind: "concept", codes: map[string][]string{}},
	{name: "agent", min: 1, max: many, kind: "part", parts: []element{
		{name: "type", max: 1, kind: "concept", codes: map[string][]string{
			"http://dicom.nema.org/resources/ontology/DCM":               {"110150", "110152", "110153"},
			"http://terminology.hl7.org/CodeSystem/v3-ParticipationType": {"IRCP", "AUT", "RESP"},
			"http://terminology.hl7.org/CodeSystem/v3-RoleClass":         {"PROV"},
		}},
		{name: "role", max: many, kind: "concept", codes: map[string][]string{"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName": nil}},
		{name: "who", max: 1, kind: "reference", parts: reference},
		{name: "altId", max: 1, kind: "string"},
		{name: "name", max: 1, kind: "string"},
		{name: "requestor", min: 1, max: 1, kind: "boolean"},
		{name: "network", max: 1, kind: "part", parts: []element{
			{name: "address", max: 1, kind: "string"},
			{name: "type", max: 1, kind: "code", values: one(5)},
		}},
	}},
	{name: "source", min: 1, max: 1, kind: "part", parts: []element{
		{name: "site", max: 1, kind: "string"},
		{name: "observer", min: 1, max: 1, kind: "reference", parts: reference},
		{name: "type", max: many, kind: "coding", codes: map[string][]string{"http://terminology.hl7.org/CodeSystem/security-source-type": one(9)}},
	}},
	{name: "entity", max: many, kind: "part", parts: []element{
		{name: "what", max: 1, kind: "reference", parts: reference},
		{name: "type", max: 1, kind: "coding", codes: map[string][]string{
			"http://terminology.hl7.org/CodeSystem/audit-entity-type":           one(4),
			"https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType": {"XrequestId"},
		}},
		{name: "role", max: 1, kind: "coding", codes: map[string][]string{"http://terminology.hl7.org/CodeSystem/object-role": one(24)}},
		{name: "lifecycle", max: 1, kind: "coding", codes: map[string][]string{"http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle": one(15)}},
		{name: "name", max: 1, kind: "string"},
		{name: "query", max: 1, kind: "base64"},
		{name: "detail", max: many, kind: "part", parts: []element{
			{name: "type", min: 1, max: 1, kind: "string"},
			{name: "valueString", min: 1, max: 1, kind: "string"},
		}},
	}},
}

// check returns what is wrong with an object: elements that the definition does
// not have, and those that are missing, too many or of another form.
func check(at string, object map[string]any, parts []element) []string {
	var wrong []string
	for name := range object {
		if !slices.ContainsFunc(parts, func(e element) bool { return e.name == name }) {
			wrong = append(wrong, at+"."+name+" is not an element")
		}
	}
	for _, e := range parts {
		path := at + "." + e.name
		value, there := object[e.name]
		if !there {
			if e.min > 0 {
				wrong = append(wrong, path+" is missing")
			}
			continue
		}
		items, isList := value.([]any)
		if isList != (e.max == many) {
			wrong = append(wrong, path+" is a list or should be one")
			continue
		}
		if !isList {
			items = []any{value}
		}
		if len(items) == 0 {
			wrong = append(wrong, path+" is an empty list")
		}
		for _, item := range items {
			wrong = append(wrong, checkValue(path, item, e)...)
		}
	}
	return wrong
}

var (
	instants = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	uris     = regexp.MustCompile(`^\S+$`)
)

func checkValue(path string, value any, e element) []string {
	switch v := value.(type) {
	case bool:
		if e.kind == "boolean" {
			return nil
		}
	case string:
		return checkText(path, v, e)
	case map[string]any:
		if len(v) == 0 {
			return []string{path + " is empty"}
		}
		switch e.kind {
		case "part":
			return check(path, v, e.parts)
		case "reference":
			wrong := check(path, v, e.parts)
			if v["identifier"] == nil && v["display"] == nil {
				wrong = append(wrong, path+" refers to nothing")
			}
			return wrong
		case "coding":
			return checkCoding(path, v, e)
		case "concept":
			return check(path, v, []element{{name: "coding", max: many, kind: "coding", codes: e.codes}, {name: "text", max: 1, kind: "string"}})
		}
	}
	return []string{path + " is not of the type " + e.kind}
}

func checkText(path, v string, e element) []string {
	control := strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
	if strings.TrimSpace(v) == "" || control {
		return []string{fmt.Sprintf("%s is %q", path, v)}
	}
	ok := true
	switch e.kind {
	case "string":
	case "uri":
		ok = uris.MatchString(v)
	case "code":
		ok = e.values == nil || slices.Contains(e.values, v)
	case "instant":
		_, err := time.Parse(time.RFC3339, v)
		ok = err == nil && instants.MatchString(v)
	case "base64":
		_, err := base64.StdEncoding.DecodeString(v)
		ok = err == nil
	default:
		ok = false
	}
	if !ok {
		return []string{fmt.Sprintf("%s is %q, not of the type %s %s", path, v, e.kind, e.values)}
	}
	return nil
}

func checkCoding(path string, v map[string]any, e element) []string {
	wrong := check(path, v, []element{
		{name: "system", min: 1, max: 1, kind: "uri"},
		{name: "code", min: 1, max: 1, kind: "string"},
		{name: "display", max: 1, kind: "string"},
	})
	system, _ := v["system"].(string)
	code, _ := v["code"].(string)
	codes, known := e.codes[system]
	if !known || codes != nil && !slices.Contains(codes, code) {
		wrong = append(wrong, fmt.Sprintf("%s is %s of %s, which its value set lacks", path, code, system))
	}
	return wrong
}
