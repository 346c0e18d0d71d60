//go:build reference

package divergence_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/divergence"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/reference"
)

var responseWords = vocabulary{
	values: []string{
		" ", "0", "1", "-1", "2", "9999999999", "x", "NI", "true", "L", "EC", "WP", "H", "tel:1", "tel:", "mailto:x", "SMSP-0000", "CPIS-0001", "OK",
		child, "9990000026", "999 000 0018", "41CE9F70-8253-4EBF-9061-A394817060F5", "41ce9f70-8253-4ebf-9061-a394817060f5",
		"20260314092653+0000", "20260314", "202603140926", "20260314092653", "202613140926", "2026-03-14", "1.2.3", "a-b",
		cpis.OIDUserID, cpis.OIDASID, cpis.OIDOrganisation, cpis.OIDNHSNumber, cpis.OIDLocalPatient, cpis.OIDResponseCodes,
		"COCT_TP146105GB01#CPPInformation", "COCT_TP145101GB01#Child", "COCT_TP145104GB01#System",
	},
	attributes: []string{"root", "extension", "code", "codeSystem", "displayName", "value", "use", "assigningAuthorityName", "nullFlavor", "classCode", "moodCode", "typeCode", "qualifier"},
	likely: map[string][]any{
		"CP-ISNHSQueryResponse":  {is("nullFlavor", "NI"), is("classCode", "CACT"), element("record")},
		"CP-ISRecord":            {is("nullFlavor", "NI"), is("moodCode", "RQO")},
		"pertinentInformation15": {is("nullFlavor", "NI")},
		"subject":                {is("nullFlavor", "NI")},
		"organisation":           {nameless(" "), nameless("\u00a0"), nameless(), is("nullFlavor", "NI"), is("classCode", "ORG"), nameless("Hazelbrook", element("delimiter", ","), "Council")},
		"person.NHSnumber":       {func(n *node) { n.child("value").attrs = []attr{is("extension", "999000001")} }},
		"contentId":              {is("extension", "COCT_TP146105GB01#CPPInformation"), is("extension", "COCT_TP145101GB01#Child"), is("extension", "COCT_TP145104GB01#System ")},
		"queryResponseCode":      {is("code", "NF"), is("code", "ID")},
		"ControlActEvent": {nilled(), func(n *node) { n.remove(n.child("subject")) }, func(n *node) { n.child("subject").content = nil }, func(n *node) {
			n.child("subject").attrs = []attr{is("typeCode", "SUBJ"), nilled()}
			n.child("subject").content = nil
		}},
		"acknowledgement": {is("typeCode", "AE"), is("nullFlavor", "NI")},
		"childPerson":     {namePart}, "parentMotherPerson": {namePart}, "assignedPerson": {namePart}, "assignedAuthorPerson": {namePart},

		"author":                 {is("nullFlavor", "NI"), is("typeCode", "AUT")},
		"component":              {is("nullFlavor", "NI")},
		"pertinentInformation13": {nilled(), element("pertinentCP-ISNHSQuery", nilled())},
		"pertinentInformation14": {nilled(), is("nullFlavor", "NI")},
		"record":                 {nilled(), is("nullFlavor", "NI"), element("templateId", is("root", "1.2"))},
		"component1":             {nilled()},
		"value":                  {is("value", "202613140926"), is("value", "20260314"), is("code", "CPIS-0001"), is("extension", "9990000026"), is("extension", "999000001"), is("extension", "999 000 0018")},
		"effectiveTime":          {is("value", "2026031409265300"), is("value", "20261314"), is("nullFlavor", "NI")},
		"birthTime":              {is("value", "2026031409265300+0000"), is("value", "2026"), is("nullFlavor", "UNK")},
		"name":                   {element("family", "Quill"), element("delimiter", ","), is("use", "L"), " ", "\u00a0", "Quill"},
	},
	elements: []*node{
		element("code", is("code", "04")), element("templateId", is("root", "1.2")), element("accessEventType", is("value", "true")), element("given", "Sam"), element("title", "Dr"),
		element("telecom", is("value", "tel:1"), is("use", "HP")), element("record"), element("id", is("root", cpis.OIDNHSNumber), is("extension", child)), element("note", "x"),
		elementIn("urn:example:other", "note"), element("value", is("value", "1")), element("pertinentInformation14"), element("pertinentInformation15"), element("subject"),
	},
}

// reader is a reader of answers and the schema that it is held against.
type reader struct {
	section      string
	schema       func(*node) string
	strictnesses []strictness
	read         func(doc string) (said, error)
}

// judge demands that what the schema takes is read unless a strictness applies,
// that what the schema refuses and is read is refused for nothing but what is
// tolerated, and that nothing that is read is lost.
func (r reader) judge(t *testing.T, list []sample) {
	t.Helper()
	tally := divergence.New(r.section, namesOf(r.strictnesses))
	verdicts := r.validate(t, list)
	accepted, refused := 0, 0
	for i, m := range list {
		doc := m.root.String()
		complain := func(format string, args ...any) {
			t.Helper()
			t.Errorf("seed %d, message %d (%s): "+format+"\n%s", append(append([]any{*seed, i, m.change}, args...), doc)...)
		}
		got, err := r.read(doc)
		if err == nil {
			accepted++
		} else {
			refused++
		}
		strict := ""
		for _, rule := range r.strictnesses {
			if strict == "" && rule.holds(m.root) {
				strict = rule.name
			}
		}
		switch {
		case verdicts[i] == "" && (err == nil) != (strict == ""):
			complain("valid, stricter %q, read: %v", strict, err)
		case verdicts[i] == "" && err != nil:
			tally.Count(strict)
		case m.change == "" && verdicts[i] != "":
			t.Fatalf("seed %d, message %d is generated invalid: %s\n%s", *seed, i, verdicts[i], doc)
		case err == nil:
			r.tolerate(tally, verdicts[i], complain)
		}
		want := whatIsSaid(m.root)
		if err == nil && got != want {
			complain("read as %+v, want %+v", got, want)
		}
	}
	t.Logf("%d read, %d refused", accepted, refused)
	tally.MustAllBeMet(t)
}

func (r reader) validate(t *testing.T, list []sample) []string {
	t.Helper()
	bySchema := map[string][]int{}
	for i, m := range list {
		bySchema[r.schema(m.root)] = append(bySchema[r.schema(m.root)], i)
	}
	verdicts := make([]string, len(list))
	for schema, indices := range bySchema {
		var documents []string
		for _, i := range indices {
			documents = append(documents, list[i].root.String())
		}
		for j, verdict := range reference.Validate(t, schema, documents...) {
			verdicts[indices[j]] = verdict
		}
	}
	return verdicts
}

// tolerate names each complaint about an answer that was read.
func (r reader) tolerate(tally *divergence.Tally, verdict string, complain func(string, ...any)) {
	for complaint := range strings.Lines(verdict) {
		i := slices.IndexFunc(tolerances, func(c tolerance) bool { return c.complaint.MatchString(complaint) })
		if i < 0 || essential.MatchString(complaint) {
			complain("read, although %s", complaint)
			continue
		}
		tally.Count(tolerances[i].name)
	}
}

// WRD-SUP-06: what a provider may send is read whole.
func TestResponses(t *testing.T) {
	reader{responses, func(*node) string { return reference.Response }, responseStrictnesses, func(doc string) (said, error) {
		reply, err := itk.ReadReply(answerAround(doc), 1<<20)
		return whatWasRead(string(reply.Code), reply.Statement.Findings), err
	}}.judge(t, samples(3, *messages/2, generator.response, responseWords))
}

// answerAround writes an answer around a payload.
func answerAround(payload string) string {
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><itk:DistributionEnvelope xmlns:itk="urn:nhs-itk:ns:201005">` +
		`<itk:header service="` + itk.ResponseService + `" trackingid="2FAC7D5E-6031-4C9D-BE4F-81726F5E4D3C"/><itk:payloads count="1"><itk:payload id="_1">` +
		payload + `</itk:payload></itk:payloads></itk:DistributionEnvelope></soap:Body></soap:Envelope>`
}

// namePart puts something between the parts of a name that does not belong there.
func namePart(n *node) {
	name := n.child("name")
	name.content = append(name.content, part{child: element("delimiter", ",")})
}

// nameless puts other content into the name of an organisation.
func nameless(content ...any) func(*node) {
	return func(n *node) { n.child("name").content = element("name", content...).content }
}

func whatWasRead(code string, f cpis.Findings) said {
	s := said{code: code, records: len(f.Records), accesses: len(f.Accesses)}
	for _, record := range f.Records {
		s.plans += len(record.Plans)
	}
	return s
}
