package hl7

import (
	"slices"
	"strings"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// attributes refuses every attribute of e that is neither allowed nor one that
// may be ignored: schema hints, and the structural attributes of HL7 with the
// value that the specification fixes for that element (L18).
func (r *strictReader) attributes(e xmlstrict.Element, allowed ...string) {
	for _, a := range e.Attributes() {
		switch {
		case a.Name.Space == "" && slices.Contains(allowed, a.Name.Local):
		case a.Name.Space == instance && (a.Name.Local == "schemaLocation" || a.Name.Local == "noNamespaceSchemaLocation"):
		case a.Name.Space == "" && isFixed(e.Name().Local, a.Name.Local, a.Value):
		default:
			r.refuse(e, "an element has an attribute that is not expected")
		}
	}
}

// isFixed reports whether the attribute is structural and has its fixed value.
func isFixed(element, attribute, value string) bool {
	var class, mood, kind, determiner string
	switch element {
	case "author":
		kind = "AUT"
	case "cP-ISNHSQuery":
		class, mood = "CACT", "EVN"
	case "COCT_TP145102GB01.AssignedAuthor", "superiorAssignedEntity":
		class = "ASSIGNED"
	case "assignedAuthorPerson", "assignedPerson":
		class, determiner = "PSN", "INSTANCE"
	case "representedOrganization", "maintainingOrganization":
		class, determiner = "ORG", "INSTANCE"
	case "COCT_TP145104GB01.System":
		class = "MNT"
	case "indirectAuthority":
		kind = "INDAUTH"
	}
	if value == "" {
		return false
	}
	switch attribute {
	case "classCode":
		return value == class
	case "moodCode":
		return value == mood
	case "typeCode":
		return value == kind
	case "determinerCode":
		return value == determiner
	default:
		return false
	}
}

// value is a required attribute.
func (r *strictReader) value(e xmlstrict.Element, name string) string {
	a, ok := e.Attribute("", name)
	if !ok || a.Value == "" {
		r.refuse(e, "an attribute is missing or empty")
	}
	return a.Value
}

// identifierValue is a required attribute that identifies something, so that it
// may not be spelt with references (WRD-VAL-20), nor hold what could only be sent on
// as one.
func (r *strictReader) identifierValue(e xmlstrict.Element, name string) string {
	a, ok := e.Attribute("", name)
	if !ok || a.Value == "" {
		r.refuse(e, "an attribute is missing or empty")
	}
	if a.Referenced || strings.ContainsAny(a.Value, `>"`) {
		r.refuse(e, "an identifier is written with a reference, or holds what needs one")
	}
	return a.Value
}

// text is the text of an element that has nothing else, white space around it
// removed. A value that is split by a comment or CDATA is refused, never joined
// (L13, L14).
func (r *strictReader) text(e xmlstrict.Element) string {
	text := r.optionalText(e)
	if strings.TrimSpace(text) == "" {
		r.refuse(e, "a text is missing")
	}
	return text
}

func (r *strictReader) optionalText(e xmlstrict.Element) string {
	text, form := e.Text()
	if form&^xmlstrict.HasReference != 0 {
		r.refuse(e, "a text is interrupted")
	}
	return xmlstrict.TrimSpace(text)
}

func (r *strictReader) fixedText(e xmlstrict.Element, want string) {
	r.attributes(e)
	if r.text(e) != want {
		r.refuse(e, "an element with a fixed text has another one")
	}
}

// empty refuses content in an element that says everything in its attributes.
func (r *strictReader) empty(e xmlstrict.Element) {
	text, form := e.Text()
	if xmlstrict.TrimSpace(text) != "" || form&^xmlstrict.HasComment != 0 {
		r.refuse(e, "an element that must be empty has content")
	}
}
