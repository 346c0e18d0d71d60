package providers

import (
	"crypto/tls"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// tester is a suite that has everything that any case needs.
func tester(t *testing.T) *Suite {
	t.Helper()
	s := Settings{
		URL: "https://smsp.example.invalid/smsp/cpis", TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Username: "tester & sons", OtherUsername: "other",
		Organisation: "RXX", OrganisationName: "Example <Hospital>", Provider: "Y99", AuditIdentity: "urn:nhs-uk:identity:ods:RXX:tester",
		Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
		Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
		ASID: "200000000290", UserID: "555000000001", RoleProfile: "555100000001", Children: map[cpis.Code]cpis.NHSNumber{},
	}
	for code, digits := range map[cpis.Code]string{
		"SMSP-0000": "9990000042", "CPIS-0001": "9990000034", "SMSP-0002": "9990010404", "SMSP-0004": "4444444444", "CPIS-9999": "9990010307", "SMSP-9999": "9990010269",
	} {
		number, err := cpis.ParseNHSNumber(digits)
		if err != nil {
			t.Fatal(err)
		}
		s.Children[code] = number
	}
	suite, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// Every message of every case can be written, differs from the request that is
// accepted, and is about a configured number or one that can be nobody's.
func TestEveryCaseCanBeWritten(t *testing.T) {
	suite := tester(t)
	for _, trial := range slices.Concat(trials(), replays()) {
		for i, s := range trial.steps {
			digits, err := suite.settings.child(s.want.child)
			if err != nil {
				t.Fatal(err)
			}
			fill := suite.settings.newSlots(digits)
			for _, name := range []string{"message", "message in lower case", "tracking"} {
				fill.values["first "+name] = suite.settings.newSlots(digits).values[name]
			}
			m, plain := write(t, suite, fill, s.change), write(t, suite, fill, all())
			if m == plain && len(s.want.statuses) > 0 && s.want.child == "" {
				t.Errorf("%s, message %d is like the request that is accepted", trial.id, i+1)
			}
			for _, digits := range regexp.MustCompile(`extension="(\d{10})"`).FindAllStringSubmatch(m.content, -1) {
				number, err := cpis.ParseNHSNumber(digits[1])
				if err != nil || !number.IsInvented() {
					t.Errorf("%s sends %s", trial.id, digits[1])
				}
			}
		}
	}
}

func write(t *testing.T, suite *Suite, fill slots, c change) message {
	t.Helper()
	d := newDraft()
	c(d)
	m, err := d.write(suite.endpoint, fill)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every line of the negative-test matrix and every leniency has a case. N37 and N38
// cannot be brought about over the wire, L20 is the client's, and L22 is the time that
// every reply has.
func TestTheMatrixIsWhole(t *testing.T) {
	tried := map[string]bool{}
	for _, trial := range slices.Concat(trials(), replays()) {
		line, _, _ := strings.Cut(trial.id, "-")
		tried[line] = true
	}
	for n := 1; n <= 36; n++ {
		if line := "N" + strconv.Itoa(n); !tried[line] {
			t.Errorf("no case of %s", line)
		}
	}
	for n := 1; n <= 21; n++ {
		if line := "L" + strconv.Itoa(n); !tried[line] && line != "L20" {
			t.Errorf("no case of %s", line)
		}
	}
}

// A reply is told in words that quote nothing of it.
func TestRepliesAreNotQuoted(t *testing.T) {
	const planted = "9990000042"
	for _, content := range []string{
		`<s:Envelope xmlns:s="` + nsSOAP + `"><s:Body><s:Fault><faultcode>s:` + planted + `</faultcode><faultstring>` + planted + `</faultstring></s:Fault></s:Body></s:Envelope>`,
		`<` + planted + `>`, planted, `<x>` + planted + `</x>`,
	} {
		r := read(received{status: 500, content: content})
		if strings.Contains(r.told(), planted) {
			t.Errorf("told %q", r.told())
		}
		w := newWatch()
		w.see(exchange{trial: "X", sent: sent{number: planted}, reply: r})
		for _, result := range w.results() {
			if strings.Contains(result.Got, planted) {
				t.Errorf("%s: %s", result.ID, result.Got)
			}
		}
	}
	if len(read(received{}).ids()) != 0 {
		t.Error("nothing has ids")
	}
}
