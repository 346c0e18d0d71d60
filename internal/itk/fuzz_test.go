package itk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const fuzzSize = 32 << 10

// Whatever a client sends, it is a request with a query, a request whose payload
// is refused, or a fault; an accepted one is answered without any doubt about
// what was asked.
func FuzzReadRequest(f *testing.F) {
	f.Add(systemRequest().String(), "")
	f.Add(personRequest().String(), itk.RequestService)
	f.Add(withSpecs(birthEntry), "")
	f.Add(withSpecs(birthEntry+birthEntry), "")
	for _, test := range refusals {
		p := systemRequest()
		if test.change != nil {
			test.change(&p)
		}
		doc := p.String()
		if test.doc != nil {
			doc = test.doc(doc)
		}
		if len(doc) < 6<<10 {
			f.Add(doc, "")
		}
	}
	expect := expectations()
	f.Fuzz(func(t *testing.T, doc, soapAction string) {
		request, err := itk.ReadRequest(doc, fuzzSize, soapAction, expect)
		if err != nil {
			var fault *itk.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("the error is a %T", err)
			}
			if fault.Rule == "" || fault.Text == "" || fault.Diagnostic == "" {
				t.Fatalf("the fault does not say what is wrong: %+v", fault)
			}
			_, err = itk.ReadReply(faultDocument(t, fault), fuzzSize)
			var told *itk.ProviderFault
			if !errors.As(err, &told) || told.ErrorCode != fault.ErrorCode {
				t.Fatalf("the fault is not understood: %v", err)
			}
			return
		}
		if request.Invalid == nil && cmp.Equal(request.Query, cpis.Query{}, sameNumbers) {
			t.Fatal("the request has neither a query nor a reason why not")
		}
		if request.BirthDate != "" {
			_, err = cpis.ParseBirthDate(request.BirthDate, now)
			if err != nil || request.Invalid != nil {
				t.Fatalf("a date of birth of %q: %v, %v", request.BirthDate, err, request.Invalid)
			}
		}
		if !strings.Contains(doc, request.TrackingID) || !strings.Contains(doc, request.MessageID) {
			t.Fatal("the ids are not those of the message")
		}
		if len(request.AuditIdentities) == 0 || request.Username != "hazelbrook-ed" && request.Username != "hazelbrook & sons" {
			t.Fatal("nobody answers for the request")
		}
		if request.Invalid == nil && !strings.Contains(doc, request.Query.Number.Digits()) {
			t.Fatal("the number asked about is not written in the request")
		}
		r := answer(cpis.CodeNoRecord, without(findings()))
		r.RelatesTo = request.MessageID
		reply, err := itk.ReadReply(responseDocument(t, r), fuzzSize)
		if err != nil || reply.RelatesTo != request.MessageID {
			t.Fatalf("the answer relates to %q, not to %q: %v", reply.RelatesTo, request.MessageID, err)
		}
	})
}

// WRD-SUP-06: whatever a provider sends, a client sees a record or "no record"
// only if the provider says so without contradiction.
func FuzzReadReply(f *testing.F) {
	success := responseDocument(f, answer(cpis.CodeSuccess, findings()))
	empty := responseDocument(f, answer(cpis.CodeNoRecord, without(findings())))
	f.Add(success)
	f.Add(empty)
	f.Add(strings.Replace(success, "SMSP-0000", "CPIS-0001", 1))
	f.Add(strings.Replace(empty, "CPIS-0001", "SMSP-0000", 1))
	f.Add(strings.Replace(success, `<pertinentInformation14>`, `<pertinentInformation14 nullFlavor="NI">`, 1))
	replaced := answer(cpis.CodeInputInvalid, without(findings()))
	replaced.Remarks = itk.RemarksOf(cpis.Superseded(number("9990000026")).WithVerification(cpis.Unverified), cpis.Codes{})
	f.Add(responseDocument(f, replaced))
	f.Add(faultDocument(f, itk.Unavailable()))
	f.Add(faultDocument(f, itk.Internal()))
	f.Fuzz(func(t *testing.T, doc string) {
		reply, err := itk.ReadReply(doc, fuzzSize)
		if err != nil {
			var fault *itk.ProviderFault
			if !errors.As(err, &fault) && !errors.Is(err, itk.ErrNotAnAnswer) {
				t.Fatalf("the error is %v", err)
			}
			if !cmp.Equal(reply, itk.Reply{}, sameNumbers) {
				t.Fatal("something is given of what is no answer")
			}
			return
		}
		accesses, records := -1, -1
		if reply.Statement.TotalAccesses != nil {
			accesses = *reply.Statement.TotalAccesses
		}
		if reply.Statement.TotalRecords != nil {
			records = *reply.Statement.TotalRecords
		}
		told := cpis.Told(reply.Code, reply.Remarks.Notified, reply.Statement.Findings, accesses, records)
		specified := told.Specified(reply.Remarks.Outcome, reply.Remarks.Replacement)
		if specified.State(cpis.Date{}) != told.State(cpis.Date{}) || specified.Notified() != told.Notified() {
			t.Fatal("an entry beside the code changes what may be concluded")
		}
		switch told.Outcome() {
		case cpis.NoRecord:
			if !strings.Contains(doc, "CPIS-0001") || holdsRecord(t, doc) {
				t.Fatal("no record without the code, or with a record")
			}
		case cpis.Found:
			if !strings.Contains(doc, "SMSP-0000") || len(reply.Statement.Records) == 0 {
				t.Fatal("found without the code or a record")
			}
		}
	})
}

// holdsRecord reports whether a record stands anywhere in a message.
func holdsRecord(t *testing.T, doc string) bool {
	t.Helper()
	tree, err := xmlstrict.Parse(doc, xmlstrict.Limits{Bytes: fuzzSize, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var holds func(xmlstrict.Element) bool
	holds = func(e xmlstrict.Element) bool {
		if e.Is(hl7.Namespace, "record") {
			return true
		}
		for c := range e.Children() {
			if holds(c) {
				return true
			}
		}
		return false
	}
	return holds(tree.Root())
}
