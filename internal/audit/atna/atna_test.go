package atna_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/atna"
	"github.com/wardsmsp/ward/internal/audit/event"
	"github.com/wardsmsp/ward/internal/audit/event/eventtest"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var update = flag.Bool("update", false, "write the golden files")

// value is an attribute, or "".
func value(e xmlstrict.Element, name string) string {
	a, _ := e.Attribute("", name)
	return a.Value
}

// child is the first child of a name.
func child(e xmlstrict.Element, name string) xmlstrict.Element {
	for c := range e.Children() {
		if c.Is("", name) {
			return c
		}
	}
	return xmlstrict.Element{}
}

func ofRole(root xmlstrict.Element, role string) int {
	n := 0
	for c := range root.Children() {
		if c.Is("", "ParticipantObjectIdentification") && value(c, "ParticipantObjectTypeCodeRole") == role {
			n++
		}
	}
	return n
}

// checkProfile checks what A.5.3 asks of single messages beyond the schema.
func checkProfile(t interface{ Errorf(string, ...any) }, root xmlstrict.Element) {
	identification := child(root, "EventIdentification")
	id, action := value(child(identification, "EventID"), "csd-code"), value(identification, "EventActionCode")
	want := "E"
	if id == "110101" {
		want = "R"
	}
	if action != want {
		t.Errorf("event %s has the action %s", id, action)
	}
	if value(child(identification, "EventID"), "codeSystemName") != "DCM" {
		t.Errorf("the event id is not of DICOM")
	}
	if id != "110101" && value(child(identification, "EventTypeCode"), "codeSystemName") == "https://github.com/wardsmsp/ward/audit/kind" {
		t.Errorf("event %s has no type of its own standard", id)
	}
	if ofRole(root, "13") != 1 {
		t.Errorf("%d objects for the audit log", ofRole(root, "13"))
	}
	if id == "110112" && ofRole(root, "24") != 1 {
		t.Errorf("a query has %d objects for what was asked", ofRole(root, "24"))
	}
	began := 0
	for c := range root.Children() {
		if value(c, "UserIsRequestor") == "true" {
			began++
		}
	}
	if began > 1 {
		t.Errorf("%d participants began it", began)
	}
}

// WRD-AUD-15: the form of one entry of each main kind.
func TestGolden(t *testing.T) {
	for _, sample := range eventtest.Samples() {
		t.Run(sample.Name, func(t *testing.T) {
			document, err := atna.Marshal(sample.Record, eventtest.Source)
			if err != nil {
				t.Fatal(err)
			}
			checkProfile(t, parse(t, document))
			shown := append(bytes.ReplaceAll(document, []byte("><"), []byte(">\n<")), '\n')
			file := filepath.Join("testdata", sample.Name+".xml")
			if *update {
				err = os.WriteFile(file, shown, 0o644)
				if err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			diff := cmp.Diff(string(want), string(shown))
			if diff != "" {
				t.Errorf("%s differs (-want +got); if it is meant, run with -update:\n%s", file, diff)
			}
		})
	}
}

// WRD-AUD-15: every kind is written, and is of the schema.
func TestEveryKindIsWritten(t *testing.T) {
	for _, kind := range audit.Kinds() {
		document, err := atna.Marshal(eventtest.Record(1, audit.Entry{Kind: kind}), event.Source{})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		checkProfile(t, parse(t, document))
	}
	_, err := atna.Marshal(eventtest.Record(1, audit.Entry{Kind: "other"}), event.Source{})
	if err == nil {
		t.Error("a kind that is not known was written")
	}
}

// Rule: "no record" and "could not find out" cannot be confused.
func TestOutcomesAreToldApart(t *testing.T) {
	told := map[string]string{}
	for _, outcome := range cpis.Outcomes() {
		document, err := atna.Marshal(eventtest.Record(1, audit.Entry{Kind: audit.Outcome, Outcome: outcome.String()}), event.Source{})
		if err != nil {
			t.Fatal(err)
		}
		identification := child(parse(t, document), "EventIdentification")
		answered := outcome == cpis.Found || outcome == cpis.NoRecord
		if (value(identification, "EventOutcomeIndicator") == "0") != answered {
			t.Errorf("%s has the indicator %q", outcome, value(identification, "EventOutcomeIndicator"))
		}
		description, _ := child(identification, "EventOutcomeDescription").Text()
		if other := told[description]; other != "" {
			t.Errorf("%s and %s read the same", outcome, other)
		}
		told[description] = outcome.String()
	}
}

// Whatever text an entry holds, the document is well-formed, also to encoding/xml,
// of the schema, and on one line.
func TestAnyEntryIsXML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		record := eventtest.Arbitrary(t, audit.Kinds())
		document, err := atna.Marshal(record, eventtest.Source)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(document, "\r\n") {
			t.Fatalf("a line end: %q", document)
		}
		decoder := xml.NewDecoder(bytes.NewReader(document))
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		root := parse(t, document)
		checkProfile(t, root)
		patient := record.Entry.NHSNumber != "" || record.State != audit.Whole && record.Entry.Kind.Class() != audit.Operations
		if (ofRole(root, "1") == 1) != patient {
			t.Errorf("%d patients; NHS number %q, state %s", ofRole(root, "1"), record.Entry.NHSNumber, record.State)
		}
	})
}
