package itk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const birthEntry = `<itk:spec key="urn:x-cpis-smsp:date-of-birth" value="2019-02-28"/>`

// withSpecs is a request with these handling entries after the interaction.
func withSpecs(specs string) string {
	p := systemRequest()
	p.handling = strings.Replace(p.handling, "</itk:handlingSpecification>", specs+"</itk:handlingSpecification>", 1)
	return p.String()
}

// WRD-PDS-03: a date of birth travels beside the question, in whatever place among
// the handling entries, and leaves the question as it is.
func TestBirthDateIsRead(t *testing.T) {
	want := mustAccept(t, systemRequest().String())
	if want.BirthDate != "" {
		t.Errorf("a date of birth that nobody gave: %s", want.BirthDate)
	}
	want.BirthDate = "2019-02-28"
	before := systemRequest()
	before.handling = strings.Replace(before.handling, "<itk:spec", birthEntry+"<itk:spec", 1)
	for name, doc := range map[string]string{
		"after the interaction":  withSpecs(birthEntry),
		"before the interaction": before.String(),
		"among others":           withSpecs(`<itk:spec key="urn:x" value="y"/>` + birthEntry + `<itk:spec key="urn:x" value="y"/>`),
		"in white space (L13)":   withSpecs(`<itk:spec key=" urn:x-cpis-smsp:date-of-birth " value=" 2019-02-28 "/>`),
	} {
		if diff := cmp.Diff(want, mustAccept(t, doc), sameNumbers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// WRD-PDS-03: what is no date of birth makes the question wrong and not the message:
// SMSP-0001 and no fault. Who asked about whom is known, for the log.
func TestBirthDatesThatAreRefused(t *testing.T) {
	entry := func(value string) string { return strings.Replace(birthEntry, "2019-02-28", value, 1) }
	for name, specs := range map[string]string{
		"tomorrow":                    entry("2026-03-15"),
		"before 1850":                 entry("1849-12-31"),
		"a day that there is not":     entry("2019-02-29"),
		"the British way":             entry("28/02/2019"),
		"as HL7 writes it":            entry("20190228"),
		"with a time":                 entry("2019-02-28T00:00:00Z"),
		"a month":                     entry("2019-02"),
		"words":                       entry("unknown"),
		"given twice":                 birthEntry + birthEntry,
		"given twice, one time wrong": birthEntry + entry("unknown"),
	} {
		request, err := read(withSpecs(specs))
		if err != nil {
			t.Errorf("%s: a fault: %v", name, err)
			continue
		}
		if request.Invalid == nil || request.Invalid.Rule == "" || request.BirthDate != "" || request.Query.Number.IsZero() {
			t.Errorf("%s: %v, date of birth %q", name, request.Invalid, request.BirthDate)
		}
		if request.Invalid != nil && strings.Contains(request.Invalid.Rule, "2019") {
			t.Errorf("%s: the reason quotes the date: %s", name, request.Invalid.Rule)
		}
	}
	// An empty attribute is against a rule on messages, here as anywhere (N11).
	_, err := read(withSpecs(entry("")))
	if err == nil {
		t.Error("an empty value is accepted")
	}
	// Of a payload that is no question the reason is the payload's.
	request, err := read(with(withSpecs(entry("unknown")), `extension="9990000018"`, `extension="999"`))
	if err != nil || request.Invalid == nil || strings.Contains(request.Invalid.Rule, "birth") {
		t.Errorf("%v, %v", request.Invalid, err)
	}
}

// Keys that are like ours are not ours.
func TestOtherKeysAreNoBirthDate(t *testing.T) {
	for _, key := range []string{"urn:x-cpis-smsp:date-of-birth2", "urn:x-cpis-smsp:Date-Of-Birth", "date-of-birth", "urn:x-cpis-smsp:replacement-number"} {
		request := mustAccept(t, withSpecs(strings.Replace(birthEntry, "urn:x-cpis-smsp:date-of-birth", key, 1)))
		if request.BirthDate != "" {
			t.Errorf("%s is read as a date of birth", key)
		}
	}
}

// WRD-PDS-03: what our own client writes is read, and never reaches the payload that
// goes on to CP-IS.
func TestWrittenBirthDate(t *testing.T) {
	q := question(nadia())
	plain := requestDocument(t, q)
	q.BirthDate = "2019-02-28"
	doc := requestDocument(t, q)
	if request := mustAccept(t, doc); request.BirthDate != "2019-02-28" {
		t.Errorf("read as %q", request.BirthDate)
	}
	if strings.Replace(doc, birthEntry, "", 1) != plain {
		t.Error("more than the entry is written, or less")
	}
	w := xmlstrict.NewWriter(4 << 10)
	hl7.WriteQuery(w, mustAccept(t, doc).Query)
	payload, err := w.Bytes()
	if err != nil || strings.Contains(string(payload), "2019") {
		t.Errorf("the payload holds the date of birth: %v", err)
	}
}

// what a client understands of an answer.
func understood(t *testing.T, doc string) cpis.Answer {
	t.Helper()
	reply, err := itk.ReadReply(doc, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	s := reply.Statement
	return cpis.Told(reply.Code, reply.Remarks.Notified, s.Findings, *s.TotalAccesses, *s.TotalRecords).
		Specified(reply.Remarks.Outcome, reply.Remarks.Replacement).WithVerification(reply.Remarks.Verification)
}

// MSCA-DQ-03, MSCA-DQ-04, WRD-PDS-04: a client that reads our entries tells apart why
// nothing was asked; for one that does not, the code and the payload are as they were.
func TestRemarksOnAnswers(t *testing.T) {
	const notified = `<itk:spec key="urn:x-cpis-smsp:notification" value="none"/>`
	outcome := func(name string) string {
		return notified + `<itk:spec key="urn:x-cpis-smsp:outcome" value="` + name + `"/>`
	}
	tests := []struct {
		name   string
		answer cpis.Answer
		code   cpis.Code
		specs  string
	}{
		{"replaced", cpis.Superseded(number("9990000026")), "SMSP-0001",
			outcome("number_superseded") + `<itk:spec key="urn:x-cpis-smsp:replacement-number" value="9990000026"/>`},
		{"replaced, by what is not known", cpis.Failed(cpis.NumberSuperseded, ""), "SMSP-0001", outcome("number_superseded")},
		{"no longer in use", cpis.Failed(cpis.NumberInvalidated, ""), "SMSP-0001", outcome("number_invalidated")},
		{"of nobody", cpis.Failed(cpis.NumberUnknown, ""), "SMSP-0001", outcome("number_unknown")},
		{"another date of birth", cpis.Failed(cpis.NumberMismatch, ""), "SMSP-0001", outcome("number_mismatch")},
		{"demographics away", cpis.Failed(cpis.DemographicsFailed, ""), "SMSP-0004", outcome("demographics_unavailable")},
		{"directory away", cpis.Failed(cpis.DirectoryFailed, ""), "SMSP-0004", outcome("directory_unavailable")},
		{"told by the code alone", cpis.Failed(cpis.InputInvalid, ""), "SMSP-0001", notified},
		{"not verified", cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0).WithVerification(cpis.Unverified), "CPIS-0001",
			notified + `<itk:spec key="urn:x-cpis-smsp:demographics" value="not-checked"/>`},
		{"verified", cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0).WithVerification(cpis.Verified), "CPIS-0001",
			notified + `<itk:spec key="urn:x-cpis-smsp:demographics" value="verified"/>`},
		{"asked, without an answer", cpis.Failed(cpis.AsyncNoReply, ""), "CPIS-9999", `<itk:spec key="urn:x-cpis-smsp:notification" value="unknown"/>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := answer(test.code, without(findings()))
			plain := responseDocument(t, r)
			if (cpis.Codes{}).Of(test.answer.Outcome()) != test.code {
				t.Errorf("told by %s", (cpis.Codes{}).Of(test.answer.Outcome()))
			}
			r.Remarks = itk.RemarksOf(test.answer, cpis.Codes{})
			doc := responseDocument(t, r)
			if !strings.Contains(doc, test.specs+"</itk:handlingSpecification>") || strings.Replace(doc, test.specs, "", 1) != plain {
				t.Errorf("written as %s", doc)
			}
			got := understood(t, doc)
			if got.Notified() != test.answer.Notified() || got.Replacement() != test.answer.Replacement() || got.Verification() != test.answer.Verification() {
				t.Errorf("%s, notified %s, %q", got.Outcome(), got.Notified(), got.Verification())
			}
			if asked := got.State(cpis.Date{}) != cpis.NotChecked; !asked && got.Outcome() != test.answer.Outcome() || got.State(cpis.Date{}) != test.answer.State(cpis.Date{}) {
				t.Errorf("understood as %s, %s", got.Outcome(), got.State(cpis.Date{}))
			}
		})
	}
}

// Whatever the outcome and the code that tells it, a client that reads our entries
// concludes what the provider did, and no other client can conclude anything else.
func TestRemarksContradictNoAnswer(t *testing.T) {
	changed, err := cpis.NewCodes(map[string]string{"number_superseded": "SMSP-9999", "demographics_unavailable": "SMSP-0001"})
	if err != nil {
		t.Fatal(err)
	}
	for _, codes := range []cpis.Codes{{}, changed} {
		for _, o := range cpis.Outcomes() {
			if codes.Of(o) == "" || o == cpis.Found || o == cpis.NoRecord {
				continue
			}
			r := answer(codes.Of(o), without(findings()))
			r.Remarks = itk.RemarksOf(cpis.Failed(o, ""), codes)
			got := understood(t, responseDocument(t, r))
			if got.State(cpis.Date{}) != cpis.Failed(o, "").State(cpis.Date{}) || got.Notified() != o.Notified() {
				t.Errorf("%s by %s: understood as %s, notified %s", o, codes.Of(o), got.Outcome(), got.Notified())
			}
		}
	}
}

// WRD-SUP-06: entries of another provider that make no sense say nothing.
func TestRemarksThatMakeNoSense(t *testing.T) {
	r := answer(cpis.CodeInputInvalid, without(findings()))
	r.Remarks = itk.RemarksOf(cpis.Superseded(number("9990000026")).WithVerification(cpis.Unverified), cpis.Codes{})
	doc := responseDocument(t, r)
	for name, c := range map[string]struct {
		old, new string
		outcome  cpis.Outcome
		replaced bool
	}{
		"as written":                 {"", "", cpis.NumberSuperseded, true},
		"a wrong check digit":        {`"9990000026"`, `"9990000027"`, cpis.NumberSuperseded, false},
		"a number in groups":         {`"9990000026"`, `"999 000 0026"`, cpis.NumberSuperseded, false},
		"markup":                     {`"9990000026"`, `"&lt;b&gt;"`, cpis.NumberSuperseded, false},
		"an outcome not known":       {`"number_superseded"`, `"number_gone"`, cpis.InputInvalid, false},
		"an outcome that is another": {`"number_superseded"`, `"no_record"`, cpis.InputInvalid, false},
		"an outcome of a result":     {`"number_superseded"`, `"found"`, cpis.InputInvalid, false},
		"an outcome of one sent":     {`"number_superseded"`, `"sent_no_answer"`, cpis.InputInvalid, false},
		"a replacement alone":        {`<itk:spec key="urn:x-cpis-smsp:outcome" value="number_superseded"/>`, "", cpis.InputInvalid, false},
	} {
		got := understood(t, strings.Replace(doc, c.old, c.new, 1))
		if got.Outcome() != c.outcome || got.Replacement().IsZero() == c.replaced || got.Verification() != cpis.Unverified {
			t.Errorf("%s: %s, replacement %t", name, got.Outcome(), !got.Replacement().IsZero())
		}
	}
	got := understood(t, with(doc, `"not-checked"`, `"perhaps"`))
	if got.Verification() != cpis.NotVerifying {
		t.Errorf("a verification not known is read as %q", got.Verification())
	}
}
