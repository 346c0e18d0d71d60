package fhir_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/event"
	"github.com/wardsmsp/ward/internal/audit/event/eventtest"
	"github.com/wardsmsp/ward/internal/audit/fhir"
)

var update = flag.Bool("update", false, "write the golden files")

// resource is an AuditEvent as the tests look at it.
type resource struct {
	Outcome     string
	OutcomeDesc string
	Type        coding
	Agent       []struct {
		Type      struct{ Coding []coding }
		Requestor bool
		Who       any
		Network   *struct{ Address string }
	}
	Source struct{ Observer any }
	Entity []entity
}

type coding struct{ System, Code string }

type entity struct {
	What *struct {
		Type       string
		Identifier *struct{ System, Value string }
		Display    string
	}
	Type, Role coding
	Name       string
	Query      []byte
	Detail     []struct{ Type, ValueString string }
}

func parse(t interface{ Fatalf(string, ...any) }, line []byte) resource {
	var object map[string]any
	err := json.Unmarshal(line, &object)
	if err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	wrong := check("AuditEvent", object, definition)
	if len(wrong) > 0 {
		t.Fatalf("not an AuditEvent of R4:\n%s\n%s", strings.Join(wrong, "\n"), line)
	}
	var r resource
	err = json.Unmarshal(line, &r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

// checkPattern checks what BALP asks of a query about a patient, R4's rule sev-1,
// and that one agent at most began the event.
func checkPattern(t interface{ Errorf(string, ...any) }, r resource) {
	began, server, client, user := 0, 0, 0, 0
	for _, a := range r.Agent {
		if a.Requestor {
			began++
		}
		for _, c := range a.Type.Coding {
			switch c.Code {
			case "110152":
				server++
				if diff := cmp.Diff(a.Who, r.Source.Observer); diff != "" {
					t.Errorf("the server is not the observer: %s", diff)
				}
			case "110153":
				client++
			case "IRCP":
				user++
				if a.Network != nil {
					t.Errorf("a user has a network address")
				}
			}
		}
	}
	queries, patients := 0, 0
	for _, e := range r.Entity {
		if e.Name != "" && e.Query != nil {
			t.Errorf("sev-1: an entity has both a name and a query")
		}
		switch {
		case e.Role.Code == "24":
			queries++
			if e.What != nil || e.Detail != nil || e.Type.Code != "2" || len(e.Query) == 0 {
				t.Errorf("a query is %+v", e)
			}
		case e.Role.Code == "1":
			patients++
			if e.What == nil || e.What.Type != "Patient" || e.Type.Code != "1" {
				t.Errorf("a patient is %+v", e)
			}
		case e.Type.Code == "XrequestId" && (e.What == nil || e.What.Identifier == nil || e.What.Identifier.Value == ""):
			t.Errorf("a transaction is %+v", e)
		}
	}
	if began > 1 || client > 1 || user > 1 || patients > 1 || queries > 1 {
		t.Errorf("%d began it, %d clients, %d users, %d patients, %d queries", began, client, user, patients, queries)
	}
	if r.Type.Code == "110112" && (server != 1 || queries != 1) {
		t.Errorf("a query has %d servers and %d entities for the query", server, queries)
	}
}

// WRD-AUD-15: the form of one entry of each main kind.
func TestGolden(t *testing.T) {
	for _, sample := range eventtest.Samples() {
		t.Run(sample.Name, func(t *testing.T) {
			line, err := fhir.Marshal(sample.Record, eventtest.Source)
			if err != nil {
				t.Fatal(err)
			}
			checkPattern(t, parse(t, line))
			var shown bytes.Buffer
			err = json.Indent(&shown, line, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			shown.WriteByte('\n')
			file := filepath.Join("testdata", sample.Name+".json")
			if *update {
				err = os.WriteFile(file, shown.Bytes(), 0o644)
				if err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			diff := cmp.Diff(string(want), shown.String())
			if diff != "" {
				t.Errorf("%s differs (-want +got); if it is meant, run with -update:\n%s", file, diff)
			}
		})
	}
}

// WRD-AUD-15: every kind is written, and is an AuditEvent.
func TestEveryKindIsWritten(t *testing.T) {
	for _, kind := range audit.Kinds() {
		var out bytes.Buffer
		err := fhir.Encode(&out, eventtest.Record(1, audit.Entry{Kind: kind}), event.Source{})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		checkPattern(t, parse(t, out.Bytes()))
	}
	err := fhir.Encode(new(bytes.Buffer), eventtest.Record(1, audit.Entry{Kind: "other"}), event.Source{})
	if err == nil {
		t.Error("a kind that is not known was written")
	}
}

// Rule: "no record" and "could not find out" cannot be confused.
func TestOutcomesAreToldApart(t *testing.T) {
	told := map[string]string{}
	for _, outcome := range cpis.Outcomes() {
		line, err := fhir.Marshal(eventtest.Record(1, audit.Entry{Kind: audit.Outcome, Outcome: outcome.String()}), event.Source{})
		if err != nil {
			t.Fatal(err)
		}
		r := parse(t, line)
		answered := outcome == cpis.Found || outcome == cpis.NoRecord
		if (r.Outcome == "0") != answered || r.Outcome == "" {
			t.Errorf("%s has the outcome %q", outcome, r.Outcome)
		}
		if other := told[r.OutcomeDesc]; other != "" {
			t.Errorf("%s and %s read the same", outcome, other)
		}
		told[r.OutcomeDesc] = outcome.String()
	}
	line, err := fhir.Marshal(eventtest.Record(1, audit.Entry{Kind: audit.Intent}), event.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if r := parse(t, line); r.Outcome != "" {
		t.Errorf("a question that is under way has the outcome %q", r.Outcome)
	}
}

// Whatever text an entry holds, there is one line and it is an AuditEvent.
func TestAnyEntryIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		record := eventtest.Arbitrary(t, audit.Kinds())
		var out bytes.Buffer
		err := fhir.Encode(&out, record, eventtest.Source)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(out.Bytes(), '\n') != out.Len()-1 || bytes.ContainsRune(out.Bytes(), '\r') {
			t.Fatalf("not one line: %q", out.Bytes())
		}
		r := parse(t, out.Bytes())
		checkPattern(t, r)
		patient := false
		for _, e := range r.Entity {
			patient = patient || e.Role.Code == "1"
		}
		if patient != (record.Entry.NHSNumber != "" || record.State != audit.Whole && record.Entry.Kind.Class() != audit.Operations) {
			t.Errorf("a patient is named: %t; NHS number %q, state %s", patient, record.Entry.NHSNumber, record.State)
		}
	})
}
