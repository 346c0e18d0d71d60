package divergence_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/wardsmsp/ward/cpis"
)

// generator makes valid messages. All people and places in them are invented.
type generator struct{ random *rand.Rand }

func (g generator) pick(n int) int        { return g.random.IntN(n) }
func (g generator) maybe() bool           { return g.pick(2) == 0 }
func (g generator) of(s ...string) string { return s[g.pick(len(s))] }

func (g generator) digits(n int) string {
	var out strings.Builder
	for range n {
		out.WriteByte(byte('0' + g.pick(10)))
	}
	return out.String()
}

func (g generator) uuid() string {
	return fmt.Sprintf("%08X-%04X-4%03X-8%03X-%012X", g.random.Uint32(), g.pick(1<<16), g.pick(1<<12), g.pick(1<<12), g.random.Uint64()>>16)
}

func (g generator) word() string {
	return g.of("Hazelbrook", "Ó Súilleabháin", "O'Neill & Co", "李小龍", "a < b", "Robin", `"Quill"`, "Thorne-Vale", "x", "👩‍⚕️")
}

// time is a TS of any legal precision; zoned tells whether one with hours has a
// zone.
func (g generator) time(zoned bool) *node {
	whole := fmt.Sprintf("20%02d%02d%02d%02d%02d%02d", g.pick(40), 1+g.pick(12), 1+g.pick(28), g.pick(24), g.pick(60), g.pick(60))
	written := whole[:[]int{4, 6, 8, 10, 12, 14, 14, 14}[g.pick(8)]]
	if len(written) == 14 && g.pick(4) == 0 {
		written += "." + g.digits(1+g.pick(4))
	}
	if len(written) > 8 && zoned {
		written += g.of("+0000", "+0100", "-05", "+0", "+100")
	}
	return element("effectiveTime", is("value", written))
}

func (g generator) contentID(template string) *node {
	return elementIn(localisation, "contentId", is("root", "2.16.840.1.113883.2.1.3.2.4.18.16"), is("extension", template))
}

func (g generator) organisation(local string) *node {
	return element(local,
		element("id", is("root", g.of(cpis.OIDOrganisation, cpis.OIDSite)), is("extension", g.of("RZZ99", "q99", "RZZ99 9"))),
		element("name", g.word()+" Hospital"))
}

// role is a job role.
func (g generator) role() *node {
	code := element("code", is("code", g.of("R8003", "R0580", "S0010:G0020:R0050")))
	code.attrs = append(code.attrs, is("codeSystem", g.of(cpis.OIDJobRole, "1.2.826.0.1285.0.2.1.104")), is("displayName", g.of("Nurse", "Clinical Practitioner & Lead")))
	return code
}

// authorName is a PN in any of its forms.
func (g generator) authorName() *node {
	name := element("name")
	if g.maybe() {
		name.attrs = append(name.attrs, is("use", g.of("L", "PREFERRED", "L PREFERRED", "PREVIOUS-MAIDEN", " A ")))
	}
	for range 1 + g.pick(5) {
		switch g.pick(6) {
		case 0:
			name.content = append(name.content, part{text: g.of(" ", "\n  ", g.word())})
		case 1:
			name.content = append(name.content, part{child: element(g.of("given", "family"), is("qualifier", g.of("BR", "AC", "CL")), g.word())})
		default:
			name.content = append(name.content, part{child: element(g.of("prefix", "given", "family", "suffix"), g.word())})
		}
	}
	name.content = append(name.content, part{child: element("family", g.word())})
	if g.pick(6) == 0 {
		name.content = []part{{text: g.word() + " " + g.word()}}
	}
	return name
}

func (g generator) person() *node {
	ids := []*node{element("id", is("root", cpis.OIDUserID), is("extension", g.digits(12)))}
	if g.maybe() {
		ids = append(ids, element("id", is("root", cpis.OIDRoleProfile), is("extension", g.digits(12))))
		g.random.Shuffle(2, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	}
	if g.pick(4) == 0 {
		ids[0].attrs = append(ids[0].attrs, is("assigningAuthorityName", g.word()))
	}
	return element("author", g.contentID("COCT_TP145102GB01#AssignedAuthor"),
		element("COCT_TP145102GB01.AssignedAuthor", g.role(), ids,
			element("assignedAuthorPerson", g.authorName()), g.organisation("representedOrganization")))
}

func (g generator) system() *node {
	var authorities []*node
	n := g.pick(4)
	if g.pick(40) == 0 {
		n = 16 + g.pick(2)
	}
	for range n {
		authorities = append(authorities, element("indirectAuthority",
			element("superiorAssignedEntity", g.role(), element("assignedPerson", g.authorName()))))
	}
	return element("author", g.contentID("COCT_TP145104GB01#System"),
		element("COCT_TP145104GB01.System",
			element("id", is("root", cpis.OIDASID), is("extension", g.digits(12))), authorities, g.organisation("maintainingOrganization")))
}

func (g generator) author() *node {
	if g.maybe() {
		return g.person()
	}
	return g.system()
}

const child = "9990000018"

// event is a query, or an entry of the history: which of the two its name says.
func (g generator) event(local string, zoned bool) *node {
	return element(local, g.time(zoned), element("id", is("root", g.uuid())), g.author(),
		element("queryByParameter", element("person.NHSnumber", element("value", is("extension", child)))))
}

func (g generator) query() *node { return element("CP-ISQueryStub", g.event("cP-ISNHSQuery", true)) }

// planDate is a date of the form that plans have.
func (g generator) planDate() string {
	return fmt.Sprintf("%d%02d%02d%02d%02d", 1950+g.pick(120), 1+g.pick(12), 1+g.pick(28), g.pick(24), g.pick(60))
}

func (g generator) plan() *node {
	forms := [][3]string{{"COCT_TP146105GB01", "CPPInformation", "cPP"}, {"COCT_TP146103GB01", "LACInformation", "lAC"}, {"COCT_TP146104GB01", "UCPInformation", "uCP"}}
	form := forms[g.pick(3)]
	body := element(form[0]+"."+form[1], element("component", element(form[2]+"StartDate", element("value", is("value", g.planDate())))))
	end := element("component1", element(form[2]+"EndDate", element("value", is("value", g.planDate()))))
	if form[2] != "uCP" {
		switch g.pick(4) {
		case 0:
			end = nil
		case 1:
			end = element("component1", nilled())
		case 2:
			end = element("component1", element(form[2]+"EndDate", nilled()))
		}
	}
	if end != nil {
		body.content = append(body.content, part{child: end})
	}
	return element("pertinentInformation15", g.contentID(form[0]+"#"+form[1]), body)
}

func (g generator) subject() *node {
	ids := []*node{element("id", is("root", cpis.OIDNHSNumber), is("extension", child))}
	if g.maybe() {
		ids = append(ids, element("id", is("root", cpis.OIDLocalPatient), is("extension", g.word()), is("assigningAuthorityName", g.word())))
	}
	birth := element("birthTime", is("value", g.of("20180105", "2018", "20180105093000+0000")))
	name := element("name", element("given", g.word()), element("family", g.word()))
	if g.maybe() {
		return element("subject", g.contentID("COCT_TP145101GB01#Child"),
			element("COCT_TP145101GB01.Child", ids, element("childPerson", birth, name)))
	}
	return element("subject", g.contentID("COCT_TP145100GB01#UnbornChild"),
		element("COCT_TP145100GB01.UnbornChild", element("parentMotherPerson", birth, name, element("playedMother", ids))))
}

func (g generator) record() *node {
	authority := g.organisation("organisation")
	authority.content = append(authority.content, part{child: element("telecom", is("value", g.of("tel:02079460102", "tel:+442079460102", "tel:")), is("use", "EC"))})
	if g.maybe() {
		authority.content = append(authority.content, part{child: element("telecom", is("value", "tel:02079460101"), is("use", "WP"))})
	}
	held := element("CP-ISRecord")
	for range 1 + g.pick(3) {
		held.content = append(held.content, part{child: g.plan()})
	}
	for range 1 + g.pick(2) {
		held.content = append(held.content, part{child: g.subject()})
	}
	return element("record", element("communicationFunctionSnd", authority), held)
}

// payload is the response payload; the national one has no code.
func (g generator) payload(code string) *node {
	time := g.time(g.maybe())
	p := element("CP-ISNHSQueryResponse", time, element("id", is("root", g.uuid())))
	if code != "" {
		p.content = append(p.content, part{child: element("value", is("codeSystem", cpis.OIDResponseCodes), is("code", code), is("displayName", "x"))})
	}
	var history, acts []*node
	accesses, records := 0, 0
	if code == "" || code == string(cpis.CodeSuccess) {
		for range g.pick(4) {
			history = append(history, element("pertinentInformation13", g.event("pertinentCP-ISNHSQuery", g.maybe())))
			accesses++
		}
		switch g.pick(5) {
		case 0:
			history = append(history, element("pertinentInformation13", nilled()))
		case 1:
			history = append(history, element("pertinentInformation13", element("pertinentCP-ISNHSQuery", nilled())))
		}
		for range 1 + g.pick(2) {
			act := element("pertinentCP-ISRecordControlAct")
			for range 1 + g.pick(2) {
				act.content = append(act.content, part{child: g.record()})
				records++
			}
			acts = append(acts, element("pertinentInformation14", act))
		}
	}
	total := func(information, name string, n int) part {
		return part{child: element(information, element(name, element("value", is("value", fmt.Sprint(n)))))}
	}
	p.content = append(p.content, total("pertinentInformation11", "pertinentTotalReturnedAccessRecords", accesses),
		total("pertinentInformation12", "pertinentTotalReturnedChildRecords", records))
	for _, information := range append(history, acts...) {
		p.content = append(p.content, part{child: information})
	}
	return p
}

// response is what a client receives.
func (g generator) response() *node {
	return g.payload(g.of("SMSP-0000", "SMSP-0000", "SMSP-0000", "CPIS-0001", "SMSP-0002", "CPIS-9999"))
}
