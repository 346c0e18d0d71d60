//go:build reference

package divergence_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/divergence"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/reference"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// reply is one of the Spine's three answers in its wrapper.
func (g generator) reply() *node {
	switch g.pick(6) {
	case 0:
		return g.interaction(hl7.FailedQueryInteraction, g.acknowledgement("AE"), g.reasons("1", "NHSNCC002"), g.queryAck("ID"))
	case 1:
		return g.interaction(hl7.AcknowledgementInteraction, g.acknowledgement(g.of("AA", "AE", "AR")), g.reasons("GE002", "22"))
	default:
		subject := element("subject", is("typeCode", "SUBJ"), g.payload(""))
		return g.interaction(hl7.SuccessInteraction, nil, subject, g.queryAck("OK"))
	}
}

// interaction is a transmission wrapper around a control act.
func (g generator) interaction(name string, acknowledgement *node, act ...any) *node {
	code := func(local, value string) *node { return element(local, is("code", value)) }
	party := func(local, kind, asid string) *node {
		return element(local, is("typeCode", kind), element("device", is("classCode", "DEV"), is("determinerCode", "INSTANCE"), element("id", is("root", cpis.OIDASID), is("extension", asid))))
	}
	n := element(name, element("id", is("root", g.uuid())), element("creationTime", is("value", "20260314092702")), code("versionCode", "V3NPfIT3.0"),
		element("interactionId", is("root", "2.16.840.1.113883.2.1.3.2.4.12"), is("extension", name)),
		code("processingCode", "P"), code("processingModeCode", "T"), code("acceptAckCode", "NE"))
	if acknowledgement != nil {
		n.content = append(n.content, part{child: acknowledgement})
	}
	author := element("author1", is("typeCode", "AUT"), element("AgentSystemSDS", is("classCode", "AGNT"),
		element("agentSystemSDS", is("classCode", "DEV"), is("determinerCode", "INSTANCE"), element("id", is("root", cpis.OIDASID), is("extension", "999000444666")))))
	event := element("ControlActEvent", append([]any{is("classCode", "CACT"), is("moodCode", "EVN"), author}, act...)...)
	n.content = append(n.content, part{child: party("communicationFunctionRcv", "RCV", "999000444555")}, part{child: party("communicationFunctionSnd", "SND", "999000444666")}, part{child: event})
	return n
}

func (g generator) acknowledgement(kind string) *node {
	n := element("acknowledgement", is("typeCode", kind))
	for range g.pick(3) {
		n.content = append(n.content, part{child: element("acknowledgementDetail", is("typeCode", g.of("ER", "WG", "IF")),
			element("code", is("code", g.of("202", "7")), is("codeSystem", "2.16.840.1.113883.2.1.3.2.4.17.32"), is("displayName", "x")))})
	}
	n.content = append(n.content, part{child: element("messageRef", element("id", is("root", sentID)))})
	return n
}

func (g generator) reasons(codes ...string) []*node {
	var list []*node
	for range 1 + g.pick(2) {
		code := element("code", is("code", g.of(codes...)), is("codeSystem", "2.16.840.1.113883.2.1.3.2.4.17.42"), is("displayName", "x"))
		if g.maybe() {
			code.content = []part{{child: element("qualifier", is("code", g.of("ER", "WG")))}}
		}
		list = append(list, element("reason", is("typeCode", "RSON"), element("justifyingDetectedIssueEvent", is("classCode", "ALRT"), is("moodCode", "EVN"), code)))
	}
	return list
}

func (g generator) queryAck(code string) *node {
	return element("queryAck", is("type", "QueryAck"), element("queryResponseCode", is("code", code)))
}

var errNoReply = errors.New("no reply is found")

const sentID = "74F1C2A3-B586-41E2-8394-D6C7B4A39328"

// WRD-SPN-10, WRD-SPN-12: what the Spine may send is read whole.
func TestReplies(t *testing.T) {
	schemas := map[string]string{
		hl7.SuccessInteraction: reference.SuccessReply, hl7.FailedQueryInteraction: reference.FailedQueryReply, hl7.AcknowledgementInteraction: reference.Acknowledgement,
	}
	reader{replies, func(n *node) string {
		schema, known := schemas[n.name.Local]
		if !known {
			return reference.SuccessReply
		}
		return schema
	}, replyStrictnesses, func(doc string) (said, error) {
		reply, err := readReply(doc)
		return whatWasRead("", reply.Statement.Findings), err
	}}.judge(t, samples(4, *messages/2, generator.reply, responseWords))
}

func readReply(doc string) (hl7.Reply, error) {
	limits := xmlstrict.Limits{Bytes: 1 << 20, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
	tree, err := xmlstrict.Parse(`<s:Envelope xmlns:s="`+soap.Namespace+`"><s:Body>`+doc+`</s:Body></s:Envelope>`, limits)
	if err != nil {
		return hl7.Reply{}, err
	}
	envelope, err := soap.Open(tree.Root())
	if err != nil {
		return hl7.Reply{}, err
	}
	found := hl7.FindReply(envelope.Body)
	if !found.Exists() {
		return hl7.Reply{}, errNoReply
	}
	return hl7.ReadReply(found)
}

// WRD-MSG-09, WRD-MSG-10: what is found in a reply, however it came, is passed on in
// the schema's order; and it is passed on as it came, valid or not.
func TestFoundIsPassedOn(t *testing.T) {
	number, err := cpis.ParseNHSNumber(child)
	if err != nil {
		t.Fatal(err)
	}
	var passed, changes []string
	for _, m := range samples(5, *messages/2, generator.reply, responseWords) {
		reply, err := readReply(m.root.String())
		if err != nil || reply.Interaction != hl7.SuccessInteraction {
			continue
		}
		findings, found := cpis.DefaultRules().Success(cpis.Query{Number: number}, reply.Statement).Findings()
		if !found {
			continue
		}
		w := xmlstrict.NewWriter(1 << 12)
		hl7.WriteResponse(w, hl7.Response{Code: cpis.CodeSuccess, Display: "Success", Findings: findings, Asked: number})
		doc, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		passed, changes = append(passed, string(doc)), append(changes, m.change)
	}
	tally := divergence.New(passedOn, passedOnNames)
	for i, verdict := range reference.Validate(t, reference.Response, passed...) {
		for complaint := range strings.Lines(verdict) {
			j := slices.IndexFunc(tolerances, func(c tolerance) bool { return c.complaint.MatchString(complaint) })
			if j < 0 || !slices.Contains(passedOnNames, tolerances[j].name) {
				t.Errorf("seed %d (%s): passed on, although %s\n%s", *seed, changes[i], complaint, passed[i])
				continue
			}
			tally.Count(tolerances[j].name)
		}
	}
	t.Logf("%d passed on", len(passed))
	tally.MustAllBeMet(t)
}
