package pds

import (
	"errors"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// FuzzPatient: nothing that a service may answer makes a number pass for verified without
// that very number as the id of the record, for superseded without another valid one, or
// for unknown without being told so; and a failure has no verdict (H-01, H-02).
func FuzzPatient(f *testing.F) {
	const asked = "9990000018"
	number, err := cpis.ParseNHSNumber(asked)
	if err != nil {
		f.Fatal(err)
	}
	const fhir = "application/fhir+json"
	f.Add(200, fhir, `{"resourceType":"Patient","id":"9990000018","birthDate":"2019-05-21","meta":{"security":[{"code":"U"}]}}`, "2019-05-21")
	f.Add(200, fhir, `{"resourceType":"Patient","id":"9990000018","birthDate":"2019-05","meta":{"security":[{"code":"R"}]},"address":[{"line":["x"]}]}`, "2019-05-21")
	f.Add(200, fhir, `{"resourceType":"Patient","id":"9990000026"}`, "")
	f.Add(200, fhir, `{"resourceType":"Patient","id":"9990000026","contact":[{"id":"9990000018"}],"ID":"9990000018"}`, "")
	f.Add(200, fhir, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"9990000018"}}]}`, "")
	f.Add(404, fhir, `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"RESOURCE_NOT_FOUND"}]}}]}`, "")
	f.Add(404, fhir, `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"INVALIDATED_RESOURCE"}]}}]}`, "")
	f.Add(400, "application/json", `{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"INVALID_RESOURCE_ID"}]}}]}`, "")
	f.Add(500, "text/html", `<html>`, "1919-01-01")
	f.Fuzz(func(t *testing.T, status int, mediaType, body, birth string) {
		if birth != "" && (len(birth) != 10 || !isDate(birth)) {
			return // Verify refuses it
		}
		v, err := reply{status: status, mediaType: mediaType, body: []byte(body)}.judge(number, birth)
		if err != nil {
			var failure Failure
			if v != (Verdict{}) || !errors.As(err, &failure) {
				t.Fatalf("%v with the error %v", v, err)
			}
			return
		}
		var id string
		members, err := object([]byte(body), "id", "birthDate")
		if err == nil {
			id, _ = text(members["id"])
		}
		known, _ := text(members["birthDate"])
		switch v.Kind {
		case Verified:
			if status != 200 || id != asked || !strings.Contains(body, `"Patient"`) && !strings.Contains(body, `\`) {
				t.Errorf("verified by %d %q", status, body)
			}
			if birth != "" && known != "" && !strings.HasPrefix(birth, known) {
				t.Errorf("verified although born on %q", known)
			}
		case Superseded:
			if status != 200 || v.Replacement.Digits() != id || v.Replacement == number || !v.Replacement.CheckDigitValid() {
				t.Errorf("superseded by %d %q", status, body)
			}
		case Unknown:
			if status != 404 || !strings.Contains(body, "RESOURCE_NOT_FOUND") && !strings.Contains(body, `\`) {
				t.Errorf("unknown by %d %q", status, body)
			}
		case Invalidated, NotANumber, Mismatch:
		default:
			t.Errorf("neither a verdict nor an error by %d %q", status, body)
		}
		if v.Kind != Superseded && !v.Replacement.IsZero() {
			t.Error("a replacement of a number that is not superseded")
		}
	})
}
