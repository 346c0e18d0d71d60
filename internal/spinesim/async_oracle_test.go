//go:build oracle

package spinesim_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// readByPython takes a message apart by Python's email and XML parsers, none of which
// shares code with Go's.
const readByPython = `
import email, email.policy, json, sys
import xml.etree.ElementTree as ET
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = message.get_payload()
eb = "{http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd}"
envelope = ET.fromstring(parts[0].get_payload(decode=True))
payload = ET.fromstring(parts[1].get_payload(decode=True))
reference = envelope.find(".//" + eb + "Reference").get("{http://www.w3.org/1999/xlink}href")
print(json.dumps({
    "defects": [str(d) for p in [message] + parts for d in p.defects],
    "type": message.get_content_type(), "of": message.get_param("type"), "parts": len(parts),
    "start": message.get_param("start") == parts[0]["Content-Id"],
    "reference": "<" + reference[4:] + ">" == parts[1]["Content-Id"],
    "types": [p.get_content_type() for p in parts],
    "ref": envelope.findtext(".//" + eb + "RefToMessageId"), "action": envelope.findtext(".//" + eb + "Action"),
    "root": payload.tag,
    "family": [e.text for e in payload.iter("{urn:hl7-org:v3}family")],
}))
`

// Another language's MIME and XML parsers read every good reply as meant.
func TestPythonReadsPostedReplies(t *testing.T) {
	box := newInbox(t)
	s := startAsync(t, nil, box)
	c := newClient(t)
	type read struct {
		Defects, Types, Family []string
		Type, Of               string
		Parts                  int
		Start, Reference       bool
		Ref, Action, Root      string
	}
	for _, tt := range []struct {
		number string
		step   spinesim.Behaviour
		action string
		family []string // of the subject
	}{
		{"9990000247", spinesim.AsStored, repc, []string{"Ó Súilleabháin-D’Arcy"}},
		{"9990000042", "found-prefixed", repc, []string{"Thornbeck"}},
		{"9990000034", spinesim.AsStored, quqi, []string{}},
		{"9990000042", "mcci-ae", mcci, []string{}},
	} {
		play(t, s, steps(tt.step))
		r := ebRequest{query: query{number: tt.number}}.withDefaults()
		askAsync(t, s, c, r)
		p := box.next(t)
		command := exec.CommandContext(t.Context(), "python3", "-c", readByPython)
		command.Stdin = strings.NewReader("Content-Type: " + p.header.Get("Content-Type") + "\r\nMIME-Version: 1.0\r\n\r\n" + p.body)
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got read
		err = json.Unmarshal(out, &got)
		if err != nil {
			t.Fatal(err)
		}
		got.Family = got.Family[max(0, len(got.Family)-len(tt.family)):] // after those of authors
		if len(tt.family) == 0 {
			got.Family = []string{}
		}
		want := read{
			Defects: []string{}, Types: []string{"text/xml", "application/xml"}, Family: tt.family, Type: "multipart/related", Of: "text/xml",
			Parts: 2, Start: true, Reference: true, Ref: r.messageID, Action: tt.action, Root: "{urn:hl7-org:v3}" + tt.action,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.step, diff)
		}
	}
}
