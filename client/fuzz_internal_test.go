package client

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
)

// FuzzRead: whatever a provider sends under whatever status, a result is "no record"
// only if the provider says so in an answer, data comes with "found" alone, and all
// else has a cause that quotes nothing (H-01, WRD-SEC-07).
func FuzzRead(f *testing.F) {
	number, err := cpis.ParseNHSNumber("9990000018")
	if err != nil {
		f.Fatal(err)
	}
	const id = "A0000000-0000-4000-8000-000000000001"
	response := itk.Response{
		MessageID: "A0000000-0000-4000-8000-000000000002", TrackingID: "A0000000-0000-4000-8000-000000000003", PayloadID: "A0000000-0000-4000-8000-000000000004",
		RelatesTo: id, Client: "RZZ99", Provider: "Y99",
		Payload: hl7.Response{Asked: number, Findings: cpis.Findings{ID: "F0000000-0000-4000-8000-000000000001", Time: cpis.Moment{Written: "20260314092700+0000"}}},
	}
	for _, code := range []cpis.Code{cpis.CodeNoRecord, cpis.CodeSpineError, cpis.CodeNotConnected, "SMSP-0003"} {
		response.Payload.Code, response.Payload.Display = code, "x"
		content, err := itk.WriteResponse(response)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, content)
		f.Add(500, content)
	}
	fault, err := itk.WriteFault(itk.Unavailable(), id, id)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(500, fault)
	f.Add(503, []byte("busy"))
	f.Add(403, []byte(nil))
	f.Add(302, []byte("<html/>"))
	c := &Client{config: Config{MaxReply: 64 << 10}}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		result := Result{Asked: number, Raw: body}
		c.read(status, &Message{ID: id}, &result)
		outcome := result.Answer.Outcome()
		_, data := result.Answer.Findings()
		if data != (outcome == cpis.Found) || outcome == cpis.OutcomeUnknown && result.Code == "" {
			t.Fatalf("the outcome is %s, data %t", outcome, data)
		}
		isResult := outcome == cpis.Found || outcome == cpis.NoRecord
		if isResult != (result.Cause == nil) {
			t.Fatalf("the outcome is %s, the cause %v", outcome, result.Cause)
		}
		if isResult && status != 200 {
			t.Fatal("a result under another status than 200")
		}
		if outcome == cpis.NoRecord && !strings.Contains(string(body), "CPIS-0001") {
			t.Fatal("no record without the code")
		}
		if result.Cause != nil && strings.Contains(result.Cause.Error(), "9990000018") {
			t.Fatal("the cause quotes an NHS number")
		}
	})
}
