package shown_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/shown"
	"github.com/wardsmsp/ward/internal/wording"
)

// same lets cmp look into answers. A list without items is no list.
var same = cmp.Options{cmp.AllowUnexported(cpis.Answer{}), cmpopts.EquateComparable(cpis.NHSNumber{}), cmpopts.EquateEmpty()}

// entryOf is the entry that the gateway writes of an answer.
func entryOf(a cpis.Answer) audit.Entry {
	e := audit.Entry{
		Kind: audit.Outcome, NHSNumber: child, Outcome: a.Outcome().String(), Notified: a.Notified().String(),
		Reason: a.Reason(), Detail: shown.Encode(a),
	}
	f, _ := a.Findings()
	e.Records, e.Accesses = len(f.Records), len(f.Accesses)
	return e
}

// IG-3.9.2c: every answer that Ward gives can be made again from its entry, and then
// reads as it did.
func TestEveryAnswerIsRebuilt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := answers.Draw(t, "answer")
		e := entryOf(want)
		_, ok := want.Findings()
		if (ok || !want.Replacement().IsZero() || want.Verification() != cpis.NotVerifying) != (len(e.Detail) > 0) {
			t.Fatalf("%s has the detail %s", want.Outcome(), e.Detail)
		}
		got, err := shown.Rebuild(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, e.Detail)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, e.Detail)
		}
		at := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "asked at"), 0)
		if diff := cmp.Diff(inWords(t, want, at), inWords(t, got, at)); diff != "" {
			t.Fatalf("reads otherwise (-want +got):\n%s", diff)
		}
	})
}

func inWords(t *rapid.T, a cpis.Answer, at time.Time) string {
	var b strings.Builder
	err := wording.Describe(a, wording.Context{CheckedAt: at}).Text(&b, 80)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Refusals and recovered questions are answers too; nothing else is.
func TestKindsThatRecordAnAnswer(t *testing.T) {
	for _, kind := range []audit.Kind{audit.Outcome, audit.Refused, audit.Recovered} {
		a, err := shown.Rebuild(audit.Entry{Kind: kind, Outcome: "unknown", Notified: "maybe", Reason: "why"})
		if err != nil || a.Outcome() != cpis.OutcomeUnknown || a.Reason() != "why" {
			t.Errorf("%s: %s, %v", kind, a.Outcome(), err)
		}
	}
	for _, kind := range []audit.Kind{audit.Intent, audit.Undelivered, audit.Read, audit.Started, ""} {
		a, err := shown.Rebuild(audit.Entry{Kind: kind, Outcome: "no_record", Notified: "no"})
		if err == nil {
			t.Errorf("an entry of the kind %q gives %s", kind, a.Outcome())
		}
	}
}

// MSCA-DQ-03: a replacement is kept with the outcome that has one, and nowhere in the
// entry but in its detail, which is sealed. Without it the number is replaced still.
func TestReplacementIsKeptInTheDetailAlone(t *testing.T) {
	e := entryOf(cpis.Superseded(number("9990000026")).WithVerification(cpis.Verified))
	if string(e.Detail) != `{"v":1,"replacement":"9990000026","verification":"verified"}` {
		t.Errorf("the detail is %s", e.Detail)
	}
	detail := e.Detail
	e.Detail = nil
	if strings.Contains(fmt.Sprintf("%+v", e), "9990000026") {
		t.Errorf("the replacement is elsewhere in the entry: %+v", e)
	}
	a, err := shown.Rebuild(e)
	if err != nil || a.Outcome() != cpis.NumberSuperseded || !a.Replacement().IsZero() {
		t.Errorf("without its content: %s, %v", a.Outcome(), err)
	}
	for _, o := range cpis.Outcomes() {
		e.Outcome, e.Notified, e.Detail = o.String(), o.Notified().String(), detail
		a, err := shown.Rebuild(e)
		if (err == nil) != (o == cpis.NumberSuperseded) || err == nil && a.Replacement() != number("9990000026") {
			t.Errorf("%s with a replacement: %v", o, err)
		}
	}
}

// Something found whose content is gone is an error that says so, and never reads
// as if nothing was found.
func TestDestroyedContentIsNoEmptyAnswer(t *testing.T) {
	e := entryOf(sample())
	e.Detail = nil
	a, err := shown.Rebuild(e)
	if !errors.Is(err, shown.ErrNoContent) || a.Outcome() != cpis.OutcomeUnknown {
		t.Errorf("%s, %v", a.Outcome(), err)
	}
}

// An entry that contradicts itself is not believed in any part.
func TestContradictoryEntriesAreRefused(t *testing.T) {
	cases := map[string]func(*audit.Entry){
		"no outcome":             func(e *audit.Entry) { e.Outcome = "" },
		"an outcome not known":   func(e *audit.Entry) { e.Outcome = "Found" },
		"no notification":        func(e *audit.Entry) { e.Notified = "" },
		"found, not notified":    func(e *audit.Entry) { e.Notified = "no" },
		"no record, and one":     func(e *audit.Entry) { e.Outcome, e.Notified = "no_record", "no" },
		"a failure, and a find":  func(e *audit.Entry) { e.Outcome, e.Notified = "sent_no_answer", "maybe" },
		"a record less":          func(e *audit.Entry) { e.Records-- },
		"an access more":         func(e *audit.Entry) { e.Accesses++ },
		"about somebody else":    func(e *audit.Entry) { e.NHSNumber = "9990000026" },
		"about nobody":           func(e *audit.Entry) { e.NHSNumber = "" },
		"the content cut away":   func(e *audit.Entry) { e.Detail = json.RawMessage(`{}`) },
		"records without detail": func(e *audit.Entry) { e.Outcome, e.Notified, e.Detail = "no_record", "no", nil },
	}
	for name, spoil := range cases {
		e := entryOf(sample())
		spoil(&e)
		a, err := shown.Rebuild(e)
		if err == nil || a.Outcome() != cpis.OutcomeUnknown {
			t.Errorf("%s: %s, %v", name, a.Outcome(), err)
		}
		if err != nil && strings.Contains(err.Error(), "999000") {
			t.Errorf("%s: the error tells the number: %v", name, err)
		}
	}
}

// What Encode does not write is not read: nothing in a Detail can be seen by one
// reader and not by another. Errors repeat nothing of it.
func TestOtherFormsAreRefused(t *testing.T) {
	whole := string(shown.Encode(sample()))
	with := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the test's own answer has no %s", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	cases := map[string]string{
		"empty":                  "",
		"null":                   "null",
		"a list":                 "[]",
		"cut":                    whole[:len(whole)-1],
		"text that follows":      whole + "{}",
		"space that follows":     whole + "\n",
		"space within":           with(`{"v":1,`, `{"v": 1,`),
		"no version":             with(`"v":1,`, ``),
		"another version":        with(`"v":1`, `"v":2`),
		"an unknown field":       with(`"v":1`, `"v":1,"secret":"SECRET"`),
		"a field twice":          with(`"v":1`, `"v":1,"v":1`),
		"a field in capitals":    with(`"records"`, `"Records"`),
		"another order":          with(`"type":"child_protection","start":"2026-01-05T09:00"`, `"start":"2026-01-05T09:00","type":"child_protection"`),
		"an empty field":         with(`"v":1`, `"v":1,"id":""`),
		"null for a field":       with(`"v":1`, `"v":1,"accesses":null`),
		"an escape":              with(`Northshire`, `\u004eorthshire`),
		"another type":           with(`"tel:01632960101"`, `1632960101`),
		"an unknown plan":        with(`"child_protection"`, `"SECRET"`),
		"a known plan's form":    with(`"type":"child_protection","start":"2026-01-05T09:00"`, `"type":"child_protection","start":"2026-01-05T09:00","form":{"class":"x"}`),
		"a date of other form":   with(`2026-01-05T09:00`, `2026-1-5T9:00`),
		"a date below zero":      with(`2026-01-05T09:00`, `2026--1-05T09:00`),
		"a date that is none":    with(`2026-01-05T09:00`, `0000-00-00T00:00`),
		"a precision not known":  with(`"second"`, `"SECRET"`),
		"a time not counted":     with(`"unix":1772724600`, `"unix":1772724600.5`),
		"a time that is none":    with(`"unix":1772724600`, `"unix":-62135596800`),
		"a number of other form": with(`"nhs_number":"9990000018"`, `"nhs_number":"999000001"`),
		"two authors":            with(`"person":{`, `"system":{},"person":{`),
		"no record":              `{"v":1,"records":[]}`,
		"records left out":       `{"v":1}`,
		"no record, yet an id":   `{"v":1,"id":"x","verification":"verified"}`,
		"accesses alone":         `{"v":1,"accesses":[{"id":"x"}],"verification":"verified"}`,
		"no verification":        `{"v":1,"verification":"SECRET"}`,
		"a replacement in words": `{"v":1,"replacement":"999 000 0026"}`,
		"too long":               with(`Northshire`, strings.Repeat("N", audit.MaxDetail)),
	}
	for name, raw := range cases {
		f, err := shown.Decode(json.RawMessage(raw))
		if err == nil || len(f.Records) != 0 {
			t.Errorf("%s: accepted, with %d records", name, len(f.Records))
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "999000")) {
			t.Errorf("%s: the error repeats content: %v", name, err)
		}
	}
}

// Bytes that no message can have do not make a record that cannot be read.
func TestBytesThatAreNoTextAreKeptReadable(t *testing.T) {
	f := cpis.Findings{Records: []cpis.Record{{LocalAuthority: cpis.LocalAuthority{Organisation: cpis.Organisation{Name: "A\xffB \\ufffd"}}}}}
	got, err := shown.Decode(shown.Encode(told(f)))
	if err != nil || got.Records[0].LocalAuthority.Name != "A\uFFFDB \\ufffd" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every release reads what earlier ones wrote, with whatever characters.
func TestRecordedFormStaysReadable(t *testing.T) {
	file := filepath.Join("testdata", "v1.json")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.TrimSuffix(want, []byte("\n"))
	if diff := cmp.Diff(string(want), string(shown.Encode(sample()))); diff != "" {
		t.Errorf("the form has changed (-want +got):\n%s", diff)
	}
	got, err := shown.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	wanted, _ := sample().Findings()
	if diff := cmp.Diff(shown.Said{Findings: wanted}, got, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever is accepted is exactly what is written of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(shown.Encode(sample())))
	f.Add([]byte(`{"v":1,"records":[{}]}`))
	f.Add([]byte(`{"v":1,"replacement":"9990000026","verification":"verified"}`))
	f.Add([]byte(`{"v":1,"records":[{}],"verification":"not-checked"}`))
	f.Add([]byte(`{"v":1,"records":[{"plans":[{"type":"unrecognised","end":"9999-99-99T99:99"}]}]}`))
	f.Add([]byte(`{"v":1,"time":{"unix":9223372036854775807},"records":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		said, err := shown.Decode(raw)
		if err != nil || len(said.Records) > 0 && !said.Replacement.IsZero() { // which no answer has
			return
		}
		a := cpis.Superseded(said.Replacement)
		if len(said.Records) > 0 {
			a = told(said.Findings)
		}
		if again := shown.Encode(a.WithVerification(said.Verification)); !bytes.Equal(again, raw) {
			t.Errorf("%q is written as %q", raw, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	f, _ := sample().Findings()
	for len(f.Accesses) < cpis.MaxAccesses {
		f.Accesses = append(f.Accesses, f.Accesses[0])
	}
	a := told(f)
	b.ReportAllocs()
	b.SetBytes(int64(len(shown.Encode(a))))
	for b.Loop() {
		shown.Encode(a)
	}
}
