package cpis_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

var asked = cpis.Query{ID: "7C9E6679-7425-40DE-944B-E07FC1F90AE7", Number: number(child)}

// access is an entry of the history of one person.
func access(digits string) cpis.Access { return cpis.Access{Number: number(digits)} }

func about(root, extension string) cpis.Record {
	r := holding(current)
	r.Subjects = []cpis.Subject{{IDs: []cpis.Identifier{{Root: root, Extension: extension}}}}
	return r
}

func total(n int) *int { return &n }

func TestSuccessIsJudged(t *testing.T) {
	one := []cpis.Record{holding(current)}
	self := []cpis.Access{access(child)}
	tests := []struct {
		name        string
		records     []cpis.Record
		accesses    []cpis.Access
		accessTotal *int
		recordTotal *int
		want        cpis.Outcome
		requirement string
	}{
		{name: "one record", records: one, accesses: self, accessTotal: total(1), recordTotal: total(1), want: cpis.Found},
		{name: "two records", records: []cpis.Record{holding(current), holding(ended)}, accesses: self, accessTotal: total(1), recordTotal: total(2), want: cpis.Found},
		{name: "no access listed", records: one, accessTotal: total(0), recordTotal: total(1), want: cpis.Found},
		{name: "more records than declared", records: one, accesses: self, accessTotal: total(1), recordTotal: total(0), want: cpis.Found, requirement: "WRD-SAF-08"},
		{name: "more accesses than declared", records: one, accesses: self, accessTotal: total(0), recordTotal: total(1), want: cpis.Found, requirement: "WRD-SAF-08"},
		{name: "fewer records than declared", records: one, accesses: self, accessTotal: total(1), recordTotal: total(2), want: cpis.ResponseInvalid, requirement: "WRD-SAF-08"},
		{name: "no record but declared", accessTotal: total(0), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "fewer accesses than declared", records: one, accesses: self, accessTotal: total(2), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-08"},
		{name: "empty, total 0", accessTotal: total(0), recordTotal: total(0), want: cpis.NoRecord, requirement: "WRD-SPN-12"},
		{name: "empty, total 0, the asker is listed", accesses: self, accessTotal: total(1), recordTotal: total(0), want: cpis.NoRecord, requirement: "WRD-SPN-12"},
		{name: "empty, negative total", accessTotal: total(0), recordTotal: total(-1), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "record, negative total", records: one, accessTotal: total(0), recordTotal: total(-1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-08"},
		{name: "negative access total", records: one, accessTotal: total(-1), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-08"},
		{name: "empty, no record total", accessTotal: total(0), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "empty, no access total", recordTotal: total(0), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "record, no record total", records: one, accessTotal: total(0), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "record, no access total", records: one, recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SPN-12"},
		{name: "subject is another person", records: []cpis.Record{about(cpis.OIDNHSNumber, other)}, accessTotal: total(0), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "second record is of another person", records: []cpis.Record{holding(current), about(cpis.OIDNHSNumber, other)}, accessTotal: total(0), recordTotal: total(2), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "subject's number is empty", records: []cpis.Record{about(cpis.OIDNHSNumber, "")}, accessTotal: total(0), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "subject has a local id only", records: []cpis.Record{about(cpis.OIDLocalPatient, "LCS-1")}, accessTotal: total(0), recordTotal: total(1), want: cpis.Found},
		{name: "subject has no id", records: []cpis.Record{{Plans: []cpis.Plan{current}, Subjects: []cpis.Subject{{}}}}, accessTotal: total(0), recordTotal: total(1), want: cpis.Found, requirement: "WRD-SPN-10"},
		{name: "an access to another person", records: one, accesses: []cpis.Access{access(other), access(child)}, accessTotal: total(2), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "an access without a number", records: one, accesses: []cpis.Access{{}}, accessTotal: total(1), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "empty, an access to another person", accesses: []cpis.Access{access(other)}, accessTotal: total(1), recordTotal: total(0), want: cpis.ResponseInvalid, requirement: "WRD-SAF-09"},
		{name: "a record without a plan", records: []cpis.Record{holding()}, accessTotal: total(0), recordTotal: total(1), want: cpis.ResponseInvalid, requirement: "WRD-SAF-07"},
		{name: "one of two records without a plan", records: []cpis.Record{holding(current), holding()}, accessTotal: total(0), recordTotal: total(2), want: cpis.ResponseInvalid, requirement: "WRD-SAF-07"},
		{name: "a plan not recognised", records: []cpis.Record{holding(strange)}, accessTotal: total(0), recordTotal: total(1), want: cpis.Found, requirement: "WRD-SAF-07"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			statement := cpis.Statement{
				Findings:      cpis.Findings{Records: test.records, Accesses: test.accesses},
				TotalAccesses: test.accessTotal, TotalRecords: test.recordTotal,
			}
			answer := cpis.DefaultRules().Success(asked, statement)
			if got := answer.Outcome(); got != test.want {
				t.Errorf("%s: outcome %v (%s), want %v", test.requirement, got, answer.Reason(), test.want)
			}
			findings, ok := answer.Findings()
			if ok != (test.want == cpis.Found) {
				t.Errorf("findings: %t", ok)
			}
			if ok && !cmp.Equal(findings, statement.Findings, sameNumbers) {
				t.Error("the findings are not passed on whole")
			}
			surplus := ok && (*test.recordTotal < len(test.records) || *test.accessTotal < len(test.accesses))
			if ok && (answer.Reason() != "") != surplus {
				t.Errorf("the reason is %q; more received than declared is to be recorded: %t", answer.Reason(), surplus)
			}
		})
	}
}

// statements are success replies of every kind, right and wrong.
var statements = rapid.Custom(func(t *rapid.T) cpis.Statement {
	someone := rapid.SampledFrom([]string{child, child, child, other, ""})
	plans := rapid.SliceOfN(rapid.SampledFrom([]cpis.Plan{current, ended, unborn, strange}), 0, 3)
	record := rapid.Custom(func(t *rapid.T) cpis.Record {
		r := about(rapid.SampledFrom([]string{cpis.OIDNHSNumber, cpis.OIDLocalPatient}).Draw(t, "root"), someone.Draw(t, "subject"))
		r.Plans = plans.Draw(t, "plans")
		return r
	})
	accessTo := rapid.Custom(func(t *rapid.T) cpis.Access {
		digits := someone.Draw(t, "access")
		if digits == "" {
			return cpis.Access{}
		}
		return access(digits)
	})
	totals := rapid.Ptr(rapid.IntRange(-1, 4), true)
	return cpis.Statement{
		Findings: cpis.Findings{
			Records:  rapid.SliceOfN(record, 0, 3).Draw(t, "records"),
			Accesses: rapid.SliceOfN(accessTo, 0, 3).Draw(t, "accesses"),
		},
		TotalAccesses: totals.Draw(t, "access total"),
		TotalRecords:  totals.Draw(t, "record total"),
	}
})

// WRD-RC-02, WRD-RC-03, WRD-SAF-08, WRD-SAF-09, WRD-SPN-12: what a success reply
// can mean, whatever it says.
func TestSuccessNeverInvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := statements.Draw(t, "statement")
		answer := cpis.DefaultRules().Success(asked, s)
		findings, ok := answer.Findings()
		switch answer.Outcome() {
		case cpis.NoRecord:
			if s.TotalRecords == nil || *s.TotalRecords != 0 || len(s.Records) != 0 {
				t.Fatal("no record without an explicit total of 0 and no record")
			}
		case cpis.Found:
			if len(s.Records) == 0 || !cmp.Equal(findings, s.Findings, sameNumbers) {
				t.Fatal("found without a record, or not passed on whole")
			}
		case cpis.ResponseInvalid:
		default:
			t.Fatalf("a success reply cannot be %v", answer.Outcome())
		}
		if ok != (answer.Outcome() == cpis.Found) {
			t.Fatal("findings without the outcome found")
		}
		if s.TotalRecords == nil || s.TotalAccesses == nil || *s.TotalRecords > len(s.Records) || *s.TotalAccesses > len(s.Accesses) {
			if answer.Outcome() != cpis.ResponseInvalid {
				t.Fatal("more declared than received, or not declared, and believed")
			}
		}
		if namesAnother(s.Findings) && answer.Outcome() != cpis.ResponseInvalid {
			t.Fatal("a reply that names another NHS number is believed")
		}
	})
}

func namesAnother(f cpis.Findings) bool {
	record := func(r cpis.Record) bool {
		id := r.Subjects[0].IDs[0]
		return id.Root == cpis.OIDNHSNumber && id.Extension != child
	}
	return slices.ContainsFunc(f.Records, record) ||
		slices.ContainsFunc(f.Accesses, func(a cpis.Access) bool { return a.Number != number(child) })
}

func TestAboutOnly(t *testing.T) { // WRD-SAF-09
	tests := []struct {
		name     string
		findings cpis.Findings
		want     bool
	}{
		{"nobody", cpis.Findings{}, true},
		{"the child", cpis.Findings{Records: []cpis.Record{holding(current)}, Accesses: []cpis.Access{access(child)}}, true},
		{"a local id", cpis.Findings{Records: []cpis.Record{about(cpis.OIDLocalPatient, other)}}, true},
		{"another subject", cpis.Findings{Records: []cpis.Record{holding(current), about(cpis.OIDNHSNumber, other)}}, false},
		{"another access", cpis.Findings{Accesses: []cpis.Access{access(child), access(other)}}, false},
	}
	for _, test := range tests {
		if got := test.findings.AboutOnly(number(child)); got != test.want {
			t.Errorf("%s: AboutOnly = %t, want %t", test.name, got, test.want)
		}
	}
}

func reason(code string) cpis.Reason { return cpis.Reason{Code: code} }

func warning(code string) cpis.Reason { return cpis.Reason{Code: code, Warning: true} }

// WRD-SPN-11: no record only if there is an error reason and each is listed.
func TestFailedQueryIsJudged(t *testing.T) {
	rules := cpis.Rules{NotFoundCodes: []string{"1", "NHSNCC002"}, AuthorErrorCodes: []string{"A1"}}
	tests := []struct {
		name    string
		reasons []cpis.Reason
		want    cpis.Outcome
	}{
		{"both not-found reasons", []cpis.Reason{reason("1"), reason("NHSNCC002")}, cpis.NoRecord},
		{"one not-found reason", []cpis.Reason{reason("NHSNCC002")}, cpis.NoRecord},
		{"not found, with an unlisted warning", []cpis.Reason{reason("1"), warning("9")}, cpis.NoRecord},
		{"not found as a warning only", []cpis.Reason{warning("1")}, cpis.SpineError},
		{"not found beside another error", []cpis.Reason{reason("1"), reason("22")}, cpis.SpineError},
		{"another error beside not found", []cpis.Reason{reason("22"), reason("1")}, cpis.SpineError},
		{"superseded", []cpis.Reason{reason("17")}, cpis.SpineError},
		{"invalid", []cpis.Reason{reason("22")}, cpis.SpineError},
		{"not verified", []cpis.Reason{reason("40")}, cpis.SpineError},
		{"not a new-style number", []cpis.Reason{reason("42")}, cpis.SpineError},
		{"superseded, old", []cpis.Reason{reason("44")}, cpis.SpineError},
		{"a reason without code", []cpis.Reason{reason("")}, cpis.SpineError},
		{"a code that begins like a listed one", []cpis.Reason{reason("11")}, cpis.SpineError},
		{"no reasons", nil, cpis.SpineAckOnly},
		{"author", []cpis.Reason{reason("A1")}, cpis.AuthorRejectedBySpine},
		{"author beside not found", []cpis.Reason{reason("1"), reason("A1")}, cpis.AuthorRejectedBySpine},
		{"author as a warning", []cpis.Reason{warning("A1"), reason("22")}, cpis.SpineError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := rules.FailedQuery(test.reasons).Outcome(); got != test.want {
				t.Errorf("FailedQuery = %v, want %v", got, test.want)
			}
		})
	}
}

func TestRulesAsShipped(t *testing.T) {
	want := cpis.Rules{NotFoundCodes: []string{"1", "NHSNCC002"}}
	if diff := cmp.Diff(want, cpis.DefaultRules()); diff != "" {
		t.Error(diff)
	}
	if got := (cpis.Rules{}).FailedQuery([]cpis.Reason{reason("1")}).Outcome(); got != cpis.SpineError {
		t.Errorf("without a list of not-found codes, FailedQuery = %v", got)
	}
}

func TestApplicationErrorIsJudged(t *testing.T) { // WRD-RC-08, WRD-RC-09
	rules := cpis.Rules{NotFoundCodes: []string{"1"}, AuthorErrorCodes: []string{"A1"}}
	tests := []struct {
		name    string
		reasons []cpis.Reason
		want    cpis.Outcome
	}{
		{"error", []cpis.Reason{reason("GE002")}, cpis.SpineError},
		{"no reason", nil, cpis.SpineError},
		{"not found is not said by an application error", []cpis.Reason{reason("1")}, cpis.SpineError},
		{"author", []cpis.Reason{reason("A1")}, cpis.AuthorRejectedBySpine},
		{"author as a warning", []cpis.Reason{warning("A1")}, cpis.SpineError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := rules.ApplicationError(test.reasons).Outcome(); got != test.want {
				t.Errorf("ApplicationError = %v, want %v", got, test.want)
			}
		})
	}
}

func TestReasonsNeverInvent(t *testing.T) {
	codes := rapid.SampledFrom([]string{"1", "NHSNCC002", "22", "A1", "", "GE002"})
	reasons := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cpis.Reason {
		return cpis.Reason{Code: codes.Draw(t, "code"), Warning: rapid.Bool().Draw(t, "warning")}
	}), 0, 4)
	listed := rapid.SliceOfN(codes, 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		rules := cpis.Rules{NotFoundCodes: listed.Draw(t, "not found"), AuthorErrorCodes: listed.Draw(t, "author")}
		given := reasons.Draw(t, "reasons")
		errors := slices.DeleteFunc(slices.Clone(given), func(r cpis.Reason) bool { return r.Warning })
		unlisted := func(r cpis.Reason) bool { return !slices.Contains(rules.NotFoundCodes, r.Code) }
		got := rules.FailedQuery(given).Outcome()
		if want := len(errors) > 0 && !slices.ContainsFunc(errors, unlisted); (got == cpis.NoRecord) != want {
			t.Fatalf("FailedQuery = %v; no record is right: %t", got, want)
		}
		if got == cpis.Found {
			t.Fatal("a failed query found something")
		}
		got = rules.ApplicationError(given).Outcome()
		if got != cpis.SpineError && got != cpis.AuthorRejectedBySpine {
			t.Fatalf("ApplicationError = %v", got)
		}
	})
}
