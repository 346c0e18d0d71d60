package hl7

import (
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// ResponseRoot is the local name of the response payload's root element, on both
// wires.
const ResponseRoot = "CP-ISNHSQueryResponse"

// ReadResponse reads the SMSP response payload REPC_MT000012GB01 as a client
// receives it. An error is an *Error; which code it is, is not judged here.
func ReadResponse(root xmlstrict.Element) (cpis.Code, cpis.Statement, error) {
	r := &lenientReader{}
	r.present(root)
	statement := r.statement(root)
	r.complete(root, statement.Records)
	value := r.child(root, "value")
	code := cpis.Code(attribute(value, "code"))
	if code == "" || attribute(value, "codeSystem") != cpis.OIDResponseCodes {
		r.refuse(root, "the response code is missing or of another code system")
	}
	return code, statement, r.err
}

// lenientReader reads what the Spine and other providers send: elements by name
// in any order, nil and null elements as absent, several accesses in one
// element. What it cannot read it refuses, and it never drops a record or a plan
// (WRD-SAF-07, WRD-SPN-10). The first violation sticks.
type lenientReader struct{ err error }

func (r *lenientReader) refuse(e xmlstrict.Element, rule string) {
	if r.err == nil {
		r.err = violation(e, rule)
	}
}

// isAbsent reports whether an element stands for nothing.
func isAbsent(e xmlstrict.Element) bool {
	attributes := e.Attributes()
	for i := range attributes {
		a := &attributes[i]
		switch a.Name.Local {
		case "nullFlavor":
			if a.Name.Space == "" {
				return true
			}
		case "nil":
			if a.Name.Space == instance && (a.Value == "true" || a.Value == "1") {
				return true
			}
		}
	}
	return false
}

// absent is isAbsent, and refuses an element that stands for nothing but holds
// something: it might be a record.
func (r *lenientReader) absent(e xmlstrict.Element) bool {
	if !isAbsent(e) {
		return false
	}
	for c := range e.Children() {
		if !r.absent(c) {
			r.refuse(e, "an element stands for nothing and yet has content")
		}
	}
	return true
}

// present refuses an element that says that it stands for nothing where something
// must stand.
func (r *lenientReader) present(e xmlstrict.Element) {
	if isAbsent(e) {
		r.refuse(e, "an element that must be there stands for nothing")
	}
}

// child is the one child of that name that stands for something. A second one is
// refused: neither can be chosen.
func (r *lenientReader) child(e xmlstrict.Element, local string) xmlstrict.Element {
	var child xmlstrict.Element
	for c := range e.Children() {
		if !c.Is(Namespace, local) || r.absent(c) {
			continue
		}
		if child.Exists() {
			r.refuse(e, "an element stands twice that may stand once")
		}
		child = c
	}
	return child
}

// attribute is the value of an attribute, empty if there is none.
func attribute(e xmlstrict.Element, name string) string {
	attributes := e.Attributes()
	for i := range attributes {
		a := &attributes[i]
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// known reads the children of e by name. A child that is not known is refused:
// it might be the one that matters.
func (r *lenientReader) known(e xmlstrict.Element, locals ...string) {
	for c := range e.Children() {
		expected := false
		for _, local := range locals {
			expected = expected || c.Is(Namespace, local)
		}
		if !expected {
			r.refuse(e, "the response has an element that is not known")
		}
	}
}

func (r *lenientReader) statement(root xmlstrict.Element) cpis.Statement {
	r.known(root, "effectiveTime", "id", "value", "code", "templateId",
		"pertinentInformation11", "pertinentInformation12", "pertinentInformation13", "pertinentInformation14")
	var s cpis.Statement
	s.ID = strings.ToUpper(attribute(r.child(root, "id"), "root"))
	s.Time = r.moment(r.child(root, "effectiveTime"))
	s.TotalAccesses = r.total(r.child(r.child(root, "pertinentInformation11"), "pertinentTotalReturnedAccessRecords"))
	s.TotalRecords = r.total(r.child(r.child(root, "pertinentInformation12"), "pertinentTotalReturnedChildRecords"))
	if !IsUUID(s.ID) {
		r.refuse(root, "the response has no id")
	}
	for information := range root.Children() {
		switch {
		case r.absent(information):
		case information.Is(Namespace, "pertinentInformation13"):
			r.known(information, "pertinentCP-ISNHSQuery")
			if s.Accesses == nil {
				s.Accesses = make([]cpis.Access, 0, cpis.MaxAccesses)
			}
			for query := range information.Children() {
				if !r.absent(query) {
					s.Accesses = append(s.Accesses, r.access(query))
				}
			}
		case information.Is(Namespace, "pertinentInformation14"):
			r.known(information, "pertinentCP-ISRecordControlAct")
			for act := range information.Children() {
				s.Records = append(s.Records, r.records(act)...)
			}
		}
	}
	return s
}

func (r *lenientReader) total(e xmlstrict.Element) *int {
	return readCount(attribute(r.child(e, "value"), "value"))
}

func (r *lenientReader) moment(e xmlstrict.Element) cpis.Moment {
	moment, ok := readMoment(attribute(e, "value"))
	if !ok {
		r.refuse(e, "a time is missing or not of the form of times")
	}
	return moment
}

// access reads one entry of the history. Elements that are not known are let be
// here: the national specification is known to have grown one.
func (r *lenientReader) access(e xmlstrict.Element) cpis.Access {
	value := r.child(r.child(r.child(e, "queryByParameter"), "person.NHSnumber"), "value")
	number, err := cpis.ParseNHSNumber(attribute(value, "extension"))
	if err != nil {
		r.refuse(e, "an access names no NHS number")
	}
	id := strings.ToUpper(attribute(r.child(e, "id"), "root"))
	if !IsUUID(id) {
		r.refuse(e, "an access has no id")
	}
	return cpis.Access{
		ID:     id,
		Time:   r.moment(r.child(e, "effectiveTime")),
		Author: r.author(r.child(e, "author")),
		Number: number,
	}
}

func (r *lenientReader) author(e xmlstrict.Element) cpis.Author {
	person := r.child(e, "COCT_TP145102GB01.AssignedAuthor")
	system := r.child(e, "COCT_TP145104GB01.System")
	switch {
	case person.Exists() && system.Exists():
		r.refuse(e, "an access has two authors")
		return nil
	case person.Exists() && r.hasTemplate(e, templatePerson):
		p := cpis.Person{
			Role:        coded(r.child(person, "code")),
			IDs:         make([]cpis.Identifier, 0, 2),
			Name:        r.personName(r.child(r.child(person, "assignedAuthorPerson"), "name")),
			Represented: r.organisation(r.child(person, "representedOrganization")),
		}
		for c := range person.Children() {
			if c.Is(Namespace, "id") && !r.absent(c) {
				p.IDs = append(p.IDs, identifier(c))
			}
		}
		return p
	case system.Exists() && r.hasTemplate(e, templateSystem):
		s := cpis.System{
			ASID:        attribute(r.child(system, "id"), "extension"),
			Maintaining: r.organisation(r.child(system, "maintainingOrganization")),
		}
		for c := range system.Children() {
			entity := r.child(c, "superiorAssignedEntity")
			if c.Is(Namespace, "indirectAuthority") && entity.Exists() {
				s.Authorities = append(s.Authorities, cpis.IndirectAuthority{
					Role: coded(r.child(entity, "code")),
					Name: r.personName(r.child(r.child(entity, "assignedPerson"), "name")),
				})
			}
		}
		return s
	default:
		r.refuse(e, "an access has no author that can be read")
		return nil
	}
}

// hasTemplate reports whether e's contentId names the template that stands beside
// it.
func (r *lenientReader) hasTemplate(e xmlstrict.Element, template string) bool {
	if contentID(e) != template {
		r.refuse(e, "a contentId contradicts the template beside it")
	}
	return true
}

// contentID is the one contentId of e, empty if there is none or more than one.
func contentID(e xmlstrict.Element) string {
	id, ids := "", 0
	for c := range e.Children() {
		if c.Is(localisation, "contentId") {
			id = xmlstrict.TrimSpace(attribute(c, "extension"))
			ids++
		}
	}
	if ids != 1 {
		return ""
	}
	return id
}

func coded(e xmlstrict.Element) cpis.Coded {
	return cpis.Coded{Code: attribute(e, "code"), System: attribute(e, "codeSystem"), Display: attribute(e, "displayName")}
}

func identifier(e xmlstrict.Element) cpis.Identifier {
	return cpis.Identifier{
		Root:      attribute(e, "root"),
		Extension: attribute(e, "extension"),
		Authority: attribute(e, "assigningAuthorityName"),
	}
}

func (r *lenientReader) organisation(e xmlstrict.Element) cpis.Organisation {
	return cpis.Organisation{ID: identifier(r.child(e, "id")), Name: r.text(r.child(e, "name"))}
}

// text reads a text unchanged. One that a comment or CDATA splits is refused.
func (r *lenientReader) text(e xmlstrict.Element) string {
	text, form := e.Text()
	if form&^xmlstrict.HasReference != 0 {
		r.refuse(e, "a text is interrupted")
	}
	return text
}

func (r *lenientReader) personName(e xmlstrict.Element) cpis.PersonName {
	name := cpis.PersonName{Use: attribute(e, "use"), Parts: make([]cpis.NamePart, 0, 4)}
	for c := range e.Content() {
		switch {
		case !c.Element.Exists():
			text, whole := bareText(c)
			if !whole {
				r.refuse(e, "a name is interrupted")
			}
			if text != "" {
				name.Parts = append(name.Parts, cpis.NamePart{Text: text})
			}
		case c.Element.Name().Space != Namespace || !isNamePart(c.Element.Name().Local):
			r.refuse(c.Element, "a name has a part that names do not have")
		case !r.absent(c.Element):
			part := cpis.NamePart{Kind: c.Element.Name().Local, Text: r.text(c.Element)}
			name.Parts = append(name.Parts, part)
		}
	}
	return name
}
