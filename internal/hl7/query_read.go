package hl7

import (
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// QueryRoot is the local name of the query payload's root element.
const QueryRoot = "CP-ISQueryStub"

// ReadQuery reads the query payload of a client, QUPC_MT000006GB01. Every element,
// its order, number and content must be as specified; a violation is an *Error
// (SMSP-0001, N34, N35). Whether the author and the number are acceptable is not
// decided here.
func ReadQuery(root xmlstrict.Element) (cpis.Query, error) {
	r := &strictReader{}
	q := r.query(root)
	if r.err != nil {
		return cpis.Query{}, r.err
	}
	return q, nil
}

// strictReader reads content that must be exactly right. The first violation
// sticks.
type strictReader struct{ err error }

func (r *strictReader) refuse(e xmlstrict.Element, rule string) {
	if r.err == nil {
		r.err = violation(e, rule)
	}
}

func (r *strictReader) close(e xmlstrict.Element, s *xmlstrict.Sequence) {
	err := s.Done()
	if err != nil {
		r.refuse(e, "an element is missing, out of order or not expected")
	}
}

func (r *strictReader) query(root xmlstrict.Element) cpis.Query {
	r.attributes(root)
	s := root.Sequence()
	query := s.One(Namespace, "cP-ISNHSQuery")
	r.close(root, s)
	r.attributes(query)

	s = query.Sequence()
	effective := s.One(Namespace, "effectiveTime")
	id := s.One(Namespace, "id")
	author := s.One(Namespace, "author")
	parameter := s.One(Namespace, "queryByParameter")
	r.silentReadIndicator(s)
	r.close(query, s)
	if r.err != nil {
		return cpis.Query{}
	}
	return cpis.Query{
		ID:     r.eventID(id),
		Time:   r.effectiveTime(effective),
		Author: r.author(author),
		Number: r.number(parameter),
	}
}

// silentReadIndicator lets a trailing accessEventType pass only when it asks for
// what an SMSP does anyway. A silent read is not available here (WRD-SPN-06).
func (r *strictReader) silentReadIndicator(s *xmlstrict.Sequence) {
	indicator, present := s.Optional(Namespace, "accessEventType")
	if !present {
		return
	}
	r.attributes(indicator, "value")
	asked, form := indicator.Text()
	value, ok := indicator.Attribute("", "value")
	if ok {
		asked += value.Value
	}
	if asked != "true" || form != 0 {
		r.refuse(indicator, "a query without notification is not available through this service")
	}
}

func (r *strictReader) eventID(e xmlstrict.Element) string {
	r.attributes(e, "root")
	r.empty(e)
	root := strings.ToUpper(r.identifierValue(e, "root"))
	if !IsUUID(root) {
		r.refuse(e, "the id of the query is not a UUID")
	}
	return root
}

func (r *strictReader) effectiveTime(e xmlstrict.Element) cpis.Moment {
	r.attributes(e, "value")
	r.empty(e)
	moment, ok := readMoment(r.identifierValue(e, "value"))
	if !ok || moment.Precision == 0 {
		r.refuse(e, "effectiveTime is not a time")
	}
	if moment.ZoneAssumed {
		r.refuse(e, "effectiveTime has hours but no zone")
	}
	return moment
}

func (r *strictReader) number(parameter xmlstrict.Element) cpis.NHSNumber {
	r.attributes(parameter)
	s := parameter.Sequence()
	person := s.One(Namespace, "person.NHSnumber")
	r.close(parameter, s)
	r.attributes(person)

	s = person.Sequence()
	semantics, present := s.Optional(Namespace, "semanticsText")
	if present {
		r.fixedText(semantics, "Person.NHSnumber")
	}
	value := s.One(Namespace, "value")
	r.close(person, s)
	if r.err != nil {
		return cpis.NHSNumber{}
	}
	r.attributes(value, "extension", "root")
	r.empty(value)
	root, ok := value.Attribute("", "root")
	if ok && root.Value != cpis.OIDNHSNumber {
		r.refuse(value, "the root of the NHS number is not that of NHS numbers")
	}
	number, err := cpis.ParseNHSNumber(r.identifierValue(value, "extension"))
	if err != nil {
		r.refuse(value, "the NHS number is not exactly ten digits")
	}
	return number
}

func (r *strictReader) author(e xmlstrict.Element) cpis.Author {
	r.attributes(e)
	s := e.Sequence()
	contentID := s.One(localisation, "contentId")
	body := s.Take()
	r.close(e, s)
	if r.err != nil {
		return nil
	}
	r.attributes(contentID, "root", "extension")
	r.empty(contentID)
	if r.value(contentID, "root") != oidContentID {
		r.refuse(contentID, "the root of the author's contentId is not that of content ids")
	}
	template := r.value(contentID, "extension")
	switch {
	case body.Is(Namespace, "COCT_TP145102GB01.AssignedAuthor"):
		if template != templatePerson {
			r.refuse(contentID, "the author's contentId names another template than the one present")
		}
		return r.person(body)
	case body.Is(Namespace, "COCT_TP145104GB01.System"):
		if template != templateSystem {
			r.refuse(contentID, "the author's contentId names another template than the one present")
		}
		return r.system(body)
	default:
		r.refuse(e, "the author is neither a person nor a system")
		return nil
	}
}

func (r *strictReader) person(e xmlstrict.Element) cpis.Person {
	r.attributes(e)
	s := e.Sequence()
	code := s.One(Namespace, "code")
	ids := s.Many(Namespace, "id", 1, 2)
	person := s.One(Namespace, "assignedAuthorPerson")
	organisation := s.One(Namespace, "representedOrganization")
	r.close(e, s)
	if r.err != nil {
		return cpis.Person{}
	}
	r.value(code, "codeSystem")
	p := cpis.Person{Role: r.role(code), Name: r.personNameIn(person), Represented: r.organisation(organisation)}
	for _, id := range ids {
		r.attributes(id, "root", "extension", "assigningAuthorityName")
		r.empty(id)
		p.IDs = append(p.IDs, cpis.Identifier{
			Root:      r.identifierValue(id, "root"),
			Extension: r.identifierValue(id, "extension"),
		})
	}
	profiles := len(p.IDs) - 1
	if p.UserID() == "" || profiles == 1 && p.RoleProfile() == "" {
		r.refuse(e, "the author's ids are not a user id and perhaps a role profile id")
	}
	return p
}

func (r *strictReader) system(e xmlstrict.Element) cpis.System {
	r.attributes(e)
	s := e.Sequence()
	id := s.One(Namespace, "id")
	authorities := s.Many(Namespace, "indirectAuthority", 0, maxAuthorities)
	organisation := s.One(Namespace, "maintainingOrganization")
	r.close(e, s)
	if r.err != nil {
		return cpis.System{}
	}
	r.attributes(id, "root", "extension")
	r.empty(id)
	asid := r.identifierValue(id, "extension")
	if r.identifierValue(id, "root") != cpis.OIDASID || !isTwelveDigits(asid) {
		r.refuse(id, "the system's id is not an ASID of twelve digits")
	}
	system := cpis.System{ASID: asid, Maintaining: r.organisation(organisation)}
	for _, a := range authorities {
		system.Authorities = append(system.Authorities, r.indirectAuthority(a))
	}
	return system
}

// maxAuthorities bounds the nominated persons of one system. The schema sets no
// limit; a real message has one or two.
const maxAuthorities = 16

func (r *strictReader) indirectAuthority(e xmlstrict.Element) cpis.IndirectAuthority {
	r.attributes(e)
	s := e.Sequence()
	entity := s.One(Namespace, "superiorAssignedEntity")
	r.close(e, s)
	r.attributes(entity)
	s = entity.Sequence()
	code := s.One(Namespace, "code")
	person := s.One(Namespace, "assignedPerson")
	r.close(entity, s)
	if r.err != nil {
		return cpis.IndirectAuthority{}
	}
	return cpis.IndirectAuthority{Role: r.role(code), Name: r.personNameIn(person)}
}

// role reads a job role. The Spine demands its code and name; the code system is
// not checked against a list, since the sources disagree on it.
func (r *strictReader) role(e xmlstrict.Element) cpis.Coded {
	r.attributes(e, "code", "codeSystem", "displayName", "codeSystemName", "codeSystemVersion")
	r.empty(e)
	role := cpis.Coded{Code: r.value(e, "code"), Display: r.value(e, "displayName")}
	if strings.ContainsAny(role.Code, " \t\r\n") {
		r.refuse(e, "a code holds white space")
	}
	_, ok := e.Attribute("", "codeSystem")
	if ok {
		role.System = r.value(e, "codeSystem")
		if !isOID(role.System) {
			r.refuse(e, "a code system is not an OID")
		}
	}
	return role
}

func (r *strictReader) organisation(e xmlstrict.Element) cpis.Organisation {
	r.attributes(e)
	s := e.Sequence()
	id := s.One(Namespace, "id")
	name := s.One(Namespace, "name")
	r.close(e, s)
	if r.err != nil {
		return cpis.Organisation{}
	}
	r.attributes(id, "root", "extension")
	r.empty(id)
	root := r.identifierValue(id, "root")
	if root != cpis.OIDOrganisation && root != cpis.OIDSite {
		r.refuse(id, "the organisation's id is neither an organisation nor a site code")
	}
	r.attributes(name)
	return cpis.Organisation{
		ID:   cpis.Identifier{Root: root, Extension: r.identifierValue(id, "extension")},
		Name: r.text(name),
	}
}

func (r *strictReader) personNameIn(e xmlstrict.Element) cpis.PersonName {
	r.attributes(e)
	s := e.Sequence()
	name := s.One(Namespace, "name")
	r.close(e, s)
	if r.err != nil {
		return cpis.PersonName{}
	}
	r.attributes(name, "use")
	return r.personName(name)
}

// personName reads the datatype PN: parts in any order and number, and bare text.
// A part without text, as a form that is not filled in sends it, is no part.
func (r *strictReader) personName(e xmlstrict.Element) cpis.PersonName {
	name := cpis.PersonName{Parts: make([]cpis.NamePart, 0, 4)}
	use, ok := e.Attribute("", "use")
	if ok {
		name.Use = use.Value
		if !areNameUses(use.Value) {
			r.refuse(e, "a name has a use that names do not have")
		}
	}
	for c := range e.Content() {
		if !c.Element.Exists() {
			text, whole := bareText(c)
			if !whole {
				r.refuse(e, "a name is interrupted")
			}
			if text != "" {
				name.Parts = append(name.Parts, cpis.NamePart{Text: text})
			}
			continue
		}
		kind := c.Element.Name().Local
		if c.Element.Name().Space != Namespace || !isNamePart(kind) {
			r.refuse(c.Element, "a name has a part that names do not have")
			continue
		}
		r.attributes(c.Element, "qualifier")
		text := r.optionalText(c.Element)
		if text != "" {
			name.Parts = append(name.Parts, cpis.NamePart{Kind: kind, Text: text})
		}
	}
	if name.Display() == "" {
		r.refuse(e, "a name is empty")
	}
	return name
}

// bareText is a run of text beside the parts of a name, without the white space
// around it. It is whole unless a comment or CDATA splits it; a comment among
// white space alone splits nothing (L14).
func bareText(run xmlstrict.Content) (text string, whole bool) {
	text = xmlstrict.TrimSpace(run.Text)
	return text, run.Form&xmlstrict.HasCDATA == 0 && (run.Form&xmlstrict.HasComment == 0 || text == "")
}

func isNamePart(local string) bool {
	switch local {
	case "prefix", "given", "family", "suffix":
		return true
	default:
		return false
	}
}

// areNameUses reports whether s is a list of the uses that HL7 gives to names.
func areNameUses(s string) bool {
	uses := 0
	for use := range strings.SplitSeq(s, " ") {
		switch use {
		case "":
			continue
		case "L", "A", "I", "R", "ABC", "SYL", "IDE", "PREVIOUS", "PREVIOUS-BIRTH", "PREVIOUS-MAIDEN", "PREVIOUS-BACHELOR", "PREFERRED":
		default:
			return false
		}
		uses++
	}
	return uses > 0
}

// isOID reports whether s is numbers separated by dots.
func isOID(s string) bool {
	for arc := range strings.SplitSeq(s, ".") {
		digits, rest := leadingDigits(arc)
		if digits == "" || rest != "" {
			return false
		}
	}
	return true
}

func isTwelveDigits(s string) bool {
	digits, rest := leadingDigits(s)
	return len(digits) == 12 && rest == ""
}
