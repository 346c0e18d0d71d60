package providers

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// tester is a suite that has everything that any case needs.
func tester(t *testing.T) *Suite {
	t.Helper()
	suite, err := New(Tester(t))
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// Every message of every case can be written, differs from the request that is
// accepted, and is about a configured number or one that can be nobody's.
func TestEveryCaseCanBeWritten(t *testing.T) {
	suite := tester(t)
	for _, trial := range trials() {
		for i, s := range trial.steps {
			digits, err := suite.settings.child(s.want.child)
			if err != nil {
				t.Fatal(err)
			}
			fill := suite.settings.newSlots(digits)
			again := suite.settings.newSlots(digits)
			for _, name := range []string{"message", "message in lower case", "tracking"} {
				fill.values["first "+name] = suite.settings.newSlots(digits).values[name]
				again.values["first "+name] = fill.values["first "+name]
			}
			m, plain := write(t, suite, fill, s.change), write(t, suite, fill, all())
			if m == plain && !s.want.noAnswer && s.want.child == "" {
				t.Errorf("%s, message %d is like the request that is accepted", trial.id, i+1)
			}
			// What is sent must not be refused because it was sent before.
			for _, id := range []*regexp.Regexp{writtenMessageID, regexp.MustCompile(`trackingid="([^"]*)"`)} {
				one, other := id.FindStringSubmatch(m.content), id.FindStringSubmatch(write(t, suite, again, s.change).content)
				if one != nil && len(one[1]) > 1 && one[1] == other[1] && !strings.HasPrefix(trial.id, "N32-") {
					t.Errorf("%s always sends the id %s", trial.id, one[1])
				}
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
	for _, trial := range trials() {
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
