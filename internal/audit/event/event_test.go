package event

import (
	"crypto/sha256"
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
)

// declaredKinds are the kinds that package audit declares, read from its source so
// that a new one cannot be forgotten here.
func declaredKinds(t *testing.T) []audit.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../entry.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		name, ok := spec.Type.(*ast.Ident)
		if !ok || name.Name != "Kind" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, audit.Kind(value))
		return true
	})
	if len(all) < 19 {
		t.Fatalf("found only %d kinds in entry.go", len(all))
	}
	return all
}

// WRD-AUD-15: every kind of entry has a place in the standard forms, and no two
// kinds look alike.
func TestEveryKindIsCovered(t *testing.T) {
	declared := declaredKinds(t)
	if len(declared) != len(kinds) {
		t.Errorf("%d kinds are declared and %d have a row", len(declared), len(kinds))
	}
	for _, kind := range declared {
		e, err := Of(audit.Record{State: audit.Whole, Entry: audit.Entry{Kind: kind, Client: "c"}}, Source{})
		if err != nil {
			t.Error(err)
			continue
		}
		last := e.Types[len(e.Types)-1]
		if last.System != WardKind || last.Code != string(kind) || last.Display == "" {
			t.Errorf("%s: its last type is %v", kind, last)
		}
		if e.Description == "" || e.Action == "" {
			t.Errorf("%s: description %q, action %q", kind, e.Description, e.Action)
		}
	}
	_, err := Of(audit.Record{State: audit.Whole, Seq: 7, Entry: audit.Entry{Kind: "other"}}, Source{})
	if err == nil || !strings.Contains(err.Error(), "entry 7") {
		t.Errorf("a kind that is not known: %v", err)
	}
}

// PS3.15 A.5.3 fixes the action of each event id, and that alerts, log-ins and
// applications have a type.
func TestActionsAndTypesAreThoseOfTheStandard(t *testing.T) {
	for kind, row := range kinds {
		want := "E"
		if row.id == logUsed {
			want = "R"
		}
		if row.action != want {
			t.Errorf("%s: action %s, want %s", kind, row.action, want)
		}
		if len(row.types) == 0 && row.id != logUsed {
			t.Errorf("%s: no type", kind)
		}
	}
}

// WRD-AUD-15, WRD-RC-12: nothing but an answer has the outcome 0, and every outcome
// says what it is in words of its own.
func TestNoRecordAndFailuresAreToldApart(t *testing.T) {
	seen := map[string]cpis.Outcome{}
	if len(outcomes) != len(cpis.Outcomes()) {
		t.Errorf("%d outcomes have an indicator, there are %d", len(outcomes), len(cpis.Outcomes()))
	}
	for _, outcome := range cpis.Outcomes() {
		_, known := outcomes[outcome]
		if !known {
			t.Errorf("%s has no indicator", outcome)
		}
		for _, kind := range []audit.Kind{audit.Outcome, audit.Recovered, audit.Refused} {
			indicator, told := judge(audit.Entry{Kind: kind, Outcome: outcome.String()}, kinds[kind])
			answered := outcome == cpis.Found || outcome == cpis.NoRecord
			if (indicator == Success) != answered || indicator == Pending {
				t.Errorf("%s %s has the indicator %q", kind, outcome, indicator)
			}
			if strings.HasPrefix(told, "Answered: ") != answered || strings.HasPrefix(told, "Could not find out: ") == answered {
				t.Errorf("%s %s: %s", kind, outcome, told)
			}
			if !strings.HasSuffix(told, outcome.Meaning()) {
				t.Errorf("%s %s: %q lacks the meaning", kind, outcome, told)
			}
			other, taken := seen[told]
			if taken && other != outcome {
				t.Errorf("%s and %s read the same: %s", outcome, other, told)
			}
			seen[told] = outcome
		}
		if !known {
			continue
		}
		// Where it may have been asked, it is not a minor failure.
		if outcomes[outcome] == Minor && outcome.Notified() != cpis.NotifiedNo && outcome != cpis.RefusedDuplicate {
			t.Errorf("%s is minor, although it may have been asked", outcome)
		}
	}
	for _, name := range []string{"", "found_later", "Found"} {
		indicator, told := judge(audit.Entry{Outcome: name}, kinds[audit.Outcome])
		if indicator != Serious || !strings.HasPrefix(told, "Could not find out: ") {
			t.Errorf("an outcome named %q: %s, %s", name, indicator, told)
		}
	}
	undelivered, _ := judge(audit.Entry{Kind: audit.Undelivered, Outcome: "no_record"}, kinds[audit.Undelivered])
	if undelivered != Serious {
		t.Errorf("an answer that was not delivered has the indicator %q", undelivered)
	}
	pending, _ := judge(audit.Entry{Kind: audit.Intent}, kinds[audit.Intent])
	if pending != Pending {
		t.Errorf("an intent has the indicator %q", pending)
	}
}

// WRD-AUD-10: an entry whose personal content is not at hand never looks as if it
// had been about nobody.
func TestContentThatIsNotAtHandIsSaid(t *testing.T) {
	for state, word := range map[audit.State]string{audit.Sealed: "sealed", audit.Locked: "locked", audit.Removed: "destroyed"} {
		for _, kind := range declaredKinds(t) {
			e, err := Of(audit.Record{State: state, Entry: audit.Entry{Kind: kind, Client: "c", Outcome: "no_record"}}, Source{})
			if err != nil {
				t.Fatal(err)
			}
			patient := e.Objects[0]
			if kind.Class() == audit.Operations {
				if patient.Kind == Patient {
					t.Errorf("%s %s: there is a patient", state, kind)
				}
			} else if patient.Kind != Patient || patient.ID != "" || !strings.Contains(patient.Name, word) {
				t.Errorf("%s %s: the first object is %+v", state, kind, patient)
			}
			if !strings.Contains(e.Description, word) {
				t.Errorf("%s %s: %s", state, kind, e.Description)
			}
			person := false
			for _, p := range e.Participants {
				person = person || p.Role == kinds[kind].role && strings.Contains(p.Name, word)
			}
			if !person {
				t.Errorf("%s %s: nobody stands for whoever asked", state, kind)
			}
		}
	}
	e, err := Of(audit.Record{State: audit.Whole, Entry: audit.Entry{Kind: audit.Started}}, Source{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range e.Objects {
		if o.Kind == Patient {
			t.Errorf("a start has a patient: %+v", o)
		}
	}
}

// WRD-AUD-17: the event leads to the leaf in the tree (RFC 6962, 2.1).
func TestTheEntryOfTheLogIsNamed(t *testing.T) {
	leaf := []byte(`{"v":1,"seq":12}`)
	sum := sha256.Sum256(append([]byte{0}, leaf...))
	e, err := Of(audit.Record{State: audit.Whole, Seq: 12, Leaf: leaf, Entry: audit.Entry{Kind: audit.Started}}, Source{Log: "ward.example/audit"})
	if err != nil {
		t.Fatal(err)
	}
	last := e.Objects[len(e.Objects)-1]
	if last.Kind != LogEntry || last.ID != "ward.example/audit#12" {
		t.Errorf("the last object is %+v", last)
	}
	want := []Detail{{"sequence", "12"}, {"leaf-hash", base64.StdEncoding.EncodeToString(sum[:])}}
	if last.Details[0] != want[0] || last.Details[1] != want[1] {
		t.Errorf("details %v, want %v first", last.Details, want)
	}
}

// Exactly one participant began the event, or nobody where that cannot be known.
func TestWhoBeganTheEvent(t *testing.T) {
	person := &audit.Author{Form: "person", UserID: "555200000001"}
	system := &audit.Author{Form: "system", ASID: "200000000123", Authorities: []audit.Authority{{Name: "Dr Example"}}}
	tests := []struct {
		name  string
		entry audit.Entry
		state audit.State
		want  string
	}{
		{"a person", audit.Entry{Kind: audit.Intent, Client: "c", Author: person}, audit.Whole, "555200000001"},
		{"a person known by an identity", audit.Entry{Kind: audit.Intent, Client: "c", AuditIdentities: []audit.Identity{{URI: "urn:x"}}}, audit.Whole, "urn:x"},
		{"a system", audit.Entry{Kind: audit.Intent, Client: "c", Author: system}, audit.Whole, "c"},
		{"a stranger", audit.Entry{Kind: audit.Refused, Remote: "192.0.2.1:1"}, audit.Whole, "unknown"},
		{"an operator", audit.Entry{Kind: audit.Erased, Operator: "o", Authority: "court"}, audit.Whole, "o"},
		{"Ward", audit.Entry{Kind: audit.Expired}, audit.Whole, "ward"},
		{"locked", audit.Entry{Kind: audit.Intent, Client: "c"}, audit.Locked, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := Of(audit.Record{State: test.state, Entry: test.entry}, Source{})
			if err != nil {
				t.Fatal(err)
			}
			var began []string
			for _, p := range e.Participants {
				if p.Requestor {
					began = append(began, p.ID)
				}
			}
			if strings.Join(began, " ") != test.want || len(began) > 1 {
				t.Errorf("began by %q, want %q", began, test.want)
			}
		})
	}
}

// PS3.15 A.5.3.12: the address is that of the person who logs in.
func TestALogInHasThePersonsAddress(t *testing.T) {
	for _, kind := range []audit.Kind{audit.LoggedIn, audit.LoggedOut, audit.LoginFailed} {
		e, err := Of(audit.Record{State: audit.Whole, Entry: audit.Entry{Kind: kind, Operator: "o", Remote: "[2001:db8::1]:40112"}}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		last := e.Participants[len(e.Participants)-1]
		if len(e.Participants) != 2 || last.ID != "o" || last.Address != "2001:db8::1" || last.AddressType() != IPAddress {
			t.Errorf("%s: %+v", kind, e.Participants)
		}
	}
}

func TestTextHoldsNothingThatBreaksALineOrXML(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"Zoë & <b>", "Zoë & <b>"},
		{"a\r\nb\tc", "a\uFFFD\uFFFDb\uFFFDc"},
		{"\x00\x1b[0m", "\uFFFD\uFFFD[0m"},
		{"\xff", "\uFFFD"},
		{"\u2028\uFFFE\u0085", "\uFFFD\uFFFD\uFFFD"},
		{"  ", "\uFFFD"},
	}
	for _, test := range tests {
		got := text(test.in)
		if got != test.want {
			t.Errorf("text(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestADetailThatIsTooLongIsLeftToTheLog(t *testing.T) {
	long := []byte(`{"a":"` + strings.Repeat("x", maxDetail) + `"}`)
	for _, kind := range []audit.Kind{audit.Read, audit.Configured} {
		e, err := Of(audit.Record{State: audit.Whole, Entry: audit.Entry{Kind: kind, Time: time.Now(), Detail: long}}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		last := e.Objects[len(e.Objects)-1]
		detail := last.Details[len(last.Details)-1]
		if detail.Name != "detail" || !strings.Contains(detail.Value, "left to the log") {
			t.Errorf("%s: %v", kind, detail)
		}
	}
}

// What was found about a child goes to no collector, however short it is: BALP has no
// results in an event.
func TestWhatWasFoundIsLeftToTheLog(t *testing.T) {
	found := []byte(`{"v":1,"records":[{"subjects":[{"name":"Example Child"}]}]}`)
	for _, kind := range []audit.Kind{audit.Outcome, audit.Recovered, audit.Undelivered} {
		e, err := Of(audit.Record{State: audit.Whole, Entry: audit.Entry{Kind: kind, Time: time.Now(), Outcome: "found", Detail: found}}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range e.Objects {
			for _, d := range append(o.Details, Detail{"query", string(o.Query)}) {
				if strings.Contains(d.Value, "Example Child") {
					t.Errorf("%s: %s is %s", kind, d.Name, d.Value)
				}
			}
		}
		last := e.Objects[len(e.Objects)-1].Details
		if got := last[len(last)-1]; got != (Detail{"detail", "what was said is left to the log"}) {
			t.Errorf("%s: %v", kind, got)
		}
	}
}
