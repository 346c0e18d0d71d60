package spine_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// WRD-SPN-08: what contradicts itself, or relates to another message, is believed in
// nothing, a fault included.
func TestContradictionsAreNotBelieved(t *testing.T) {
	t.Parallel()
	const fault = `<e:Fault><faultcode>e:Client</faultcode><faultstring>no</faultstring></e:Fault>`
	inBody := func(document, more string) string { return strings.Replace(document, "<e:Body>", "<e:Body>"+more, 1) }
	cases := map[string]struct {
		body   func(id string) string
		reason string
	}{
		"a fault beside a reply": {
			func(id string) string { return inBody(notFound(id), fault) }, "the reply contradicts itself",
		},
		"two faults": {
			func(string) string {
				return `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>` + fault + fault + `</e:Body></e:Envelope>`
			}, "the reply contradicts itself",
		},
		"a fault that relates to another message": {
			func(id string) string { return inBody(notFound("00000000-0000-0000-0000-000000000000"), fault) },
			"the reply relates to another message",
		},
		"a relation split by a comment": {
			func(id string) string { return strings.Replace(notFound(id), "uuid:", "uuid:<!---->", 1) },
			"the reply relates to another message",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(v *visit) { v.write(reply(c.body(v.read()))) })
			want(t, ask(t, p.client(t, nil)), asked{cpis.ResponseInvalid, cpis.NotifiedMaybe, c.reason, 1})
		})
	}
}
