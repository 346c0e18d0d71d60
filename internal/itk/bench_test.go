package itk_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// BenchmarkReadRequest decodes and validates a request of either author form.
func BenchmarkReadRequest(b *testing.B) {
	for _, form := range []struct{ name, doc string }{{"person", personRequest().String()}, {"system", systemRequest().String()}} {
		b.Run(form.name, func(b *testing.B) {
			expect := expectations()
			b.SetBytes(int64(len(form.doc)))
			b.ReportAllocs()
			for b.Loop() {
				request, err := itk.ReadRequest(form.doc, maxSize, itk.RequestService, expect)
				if err != nil || request.Invalid != nil {
					b.Fatal(err, request.Invalid)
				}
			}
		})
	}
}

// largestReply is the Spine's reply with a full history of 25 accesses and two
// records.
func largestReply(tb testing.TB) string {
	f := findings()
	person := cpis.Access{ID: eventID, Time: f.Accesses[0].Time, Author: nadia(), Number: f.Accesses[0].Number}
	for len(f.Accesses) < cpis.MaxAccesses {
		f.Accesses = append(f.Accesses, person)
	}
	f.Records = append(f.Records, f.Records[0])
	w := xmlstrict.NewWriter(64 << 10)
	hl7.WriteResponse(w, hl7.Response{Code: cpis.CodeSuccess, Display: "x", Findings: f, Asked: person.Number})
	payload, err := w.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	national := strings.Replace(string(payload), `<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499" code="SMSP-0000" displayName="x"/>`, "", 1)
	return `<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:hl7-org:v3"><SOAP:Body><CP-ISNHSQueryResponse><REPC_IN000007GB01>` +
		`<ControlActEvent><subject>` + national + `</subject><queryAck><queryResponseCode code="OK"/></queryAck></ControlActEvent>` +
		`</REPC_IN000007GB01></CP-ISNHSQueryResponse></SOAP:Body></SOAP:Envelope>`
}

// BenchmarkReplyToResponse is the way back: the Spine's largest usual reply,
// decoded, judged and encoded for the client.
func BenchmarkReplyToResponse(b *testing.B) {
	doc := largestReply(b)
	limits := xmlstrict.Limits{Bytes: 2 << 20, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
	query := queryBy(nadia())
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		tree, err := xmlstrict.Parse(doc, limits)
		if err != nil {
			b.Fatal(err)
		}
		envelope, err := soap.Open(tree.Root())
		if err != nil {
			b.Fatal(err)
		}
		reply, err := hl7.ReadReply(hl7.FindReply(envelope.Body))
		if err != nil {
			b.Fatal(err)
		}
		found, ok := cpis.DefaultRules().Success(query, reply.Statement).Findings()
		if !ok {
			b.Fatal("the reply is not found")
		}
		response := answer(cpis.CodeSuccess, found)
		_, err = itk.WriteResponse(response)
		if err != nil {
			b.Fatal(err)
		}
	}
}
