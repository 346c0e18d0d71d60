package pds

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// reply is an answer over HTTP as it came. The body was only read if the status says
// that it can be about the number.
type reply struct {
	status    int
	mediaType string
	body      []byte
}

// hasVerdict reports whether an answer with this status can say something of a number.
func hasVerdict(status int) bool {
	return status == http.StatusOK || status == http.StatusBadRequest || status == http.StatusNotFound
}

// judge is what an answer says of the number that was asked about. The error is a
// Failure.
func (r reply) judge(number cpis.NHSNumber, birth string) (Verdict, error) {
	if !hasVerdict(r.status) {
		return Verdict{}, failureOf(r.status)
	}
	if !isFHIR(r.mediaType) {
		return Verdict{}, NotFHIR
	}
	if !json.Valid(r.body) {
		return Verdict{}, Malformed
	}
	if r.status == http.StatusOK {
		return judgePatient(r.body, number, birth)
	}
	return judgeOutcome(r.status, r.body)
}

func failureOf(status int) Failure {
	switch {
	case status == http.StatusUnauthorized:
		return TokenRefused
	case status == http.StatusForbidden:
		return NotAllowed
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusRequestTimeout || status >= 500:
		return Unavailable
	case status/100 == 3:
		return Redirected
	default:
		return Unexpected
	}
}

// isFHIR accepts the media type of FHIR in JSON and that of JSON, by which servers may
// name it too.
func isFHIR(mediaType string) bool {
	name, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (name == "application/fhir+json" || name == "application/json")
}

func judgePatient(body []byte, number cpis.NHSNumber, birth string) (Verdict, error) {
	p, err := readPatient(body)
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{
		Restricted: p.restricted,
		Compared:   birth != "" && p.birthDate != "",
		NoBirth:    birth != "" && p.birthDate == "",
	}
	switch {
	case p.redacted:
		v.Kind = Invalidated
	case v.Compared && birth[:len(p.birthDate)] != p.birthDate:
		v.Kind = Mismatch
	case p.id != number:
		v.Kind, v.Replacement = Superseded, p.id
	default:
		v.Kind = Verified
	}
	return v, nil
}

// patient is all that is read of a Patient resource (WRD-PDS-06).
type patient struct {
	id         cpis.NHSNumber
	birthDate  string // yyyy, yyyy-MM or yyyy-MM-dd; empty if not given
	restricted bool   // marked as anything else than unrestricted
	redacted   bool   // the service's mark on a record that was invalidated
}

func readPatient(body []byte) (patient, error) {
	members, err := object(body, "resourceType", "id", "identifier", "birthDate", "meta")
	if err != nil {
		return patient{}, err
	}
	kind, _ := text(members["resourceType"])
	if kind == "Bundle" {
		return patient{}, Ambiguous // MSCA-DQ-01
	}
	id, _ := text(members["id"])
	var p patient
	p.id, err = cpis.ParseNHSNumber(id)
	if err != nil || kind != "Patient" {
		return patient{}, Malformed
	}
	if (cpis.NumberPolicy{RejectRepeated: true}).Judge(p.id) != cpis.NumberAdmitted {
		return patient{}, Malformed
	}
	err = checkIdentifiers(members["identifier"], p.id)
	if err != nil {
		return patient{}, err
	}
	birthDate, given := members["birthDate"]
	p.birthDate, _ = text(birthDate)
	if given && !isDate(p.birthDate) {
		return patient{}, Malformed
	}
	meta, given := members["meta"]
	if !given {
		return p, nil
	}
	p.restricted, p.redacted, err = readSecurity(meta)
	return p, err
}

// numberSystem is of identifiers that are NHS numbers.
const numberSystem = "https://fhir.nhs.uk/Id/nhs-number"

// checkIdentifiers refuses a record with another NHS number than its id: nobody can tell
// whose it is.
func checkIdentifiers(content json.RawMessage, id cpis.NHSNumber) error {
	identifiers, err := list(content)
	if err != nil {
		return err
	}
	for _, identifier := range identifiers {
		members, err := object(identifier, "system", "value")
		if err != nil {
			return err
		}
		system, _ := text(members["system"])
		value, _ := text(members["value"])
		if system == numberSystem && value != id.Digits() {
			return Malformed
		}
	}
	return nil
}

// readSecurity reads meta.security. A mark that is not known restricts.
func readSecurity(meta json.RawMessage) (restricted, redacted bool, err error) {
	members, err := object(meta, "security")
	if err != nil {
		return false, false, err
	}
	marks, err := list(members["security"])
	if err != nil {
		return false, false, err
	}
	for _, mark := range marks {
		coding, err := object(mark, "code")
		if err != nil {
			return false, false, err
		}
		code, _ := text(coding["code"])
		restricted = restricted || code != "U"
		redacted = redacted || code == "REDACTED"
	}
	return restricted, redacted, nil
}

// isDate reports whether a text is a date that may lack its day, or its day and month.
func isDate(s string) bool {
	layout := map[int]string{4: "2006", 7: "2006-01", 10: time.DateOnly}[len(s)]
	_, err := time.Parse(layout, s)
	return layout != "" && err == nil
}

// judgeOutcome reads an OperationOutcome. It says something of the number only if all
// that it says is the same, and goes with the status.
func judgeOutcome(status int, body []byte) (Verdict, error) {
	codes, err := readOutcome(body)
	if err != nil {
		return Verdict{}, err
	}
	codes = slices.Compact(codes)
	if len(codes) != 1 {
		return Verdict{}, Unexpected
	}
	switch {
	case status == http.StatusNotFound && codes[0] == "RESOURCE_NOT_FOUND":
		return Verdict{Kind: Unknown}, nil
	case status == http.StatusNotFound && codes[0] == "INVALIDATED_RESOURCE":
		return Verdict{Kind: Invalidated}, nil
	case status == http.StatusBadRequest && codes[0] == "INVALID_RESOURCE_ID":
		return Verdict{Kind: NotANumber}, nil
	default:
		return Verdict{}, Unexpected
	}
}

// readOutcome returns the code of each issue. The code system is not compared: the
// service has used several addresses for it.
func readOutcome(body []byte) ([]string, error) {
	members, err := object(body, "resourceType", "issue")
	if err != nil {
		return nil, err
	}
	kind, _ := text(members["resourceType"])
	if kind != "OperationOutcome" {
		return nil, Malformed
	}
	issues, err := list(members["issue"])
	if err != nil {
		return nil, err
	}
	var codes []string
	for _, issue := range issues {
		members, err := object(issue, "details")
		if err != nil {
			return nil, err
		}
		details, err := object(members["details"], "coding")
		if err != nil {
			return nil, err
		}
		codings, err := list(details["coding"])
		if err != nil || len(codings) == 0 {
			return nil, Malformed
		}
		for _, coding := range codings {
			members, err := object(coding, "code")
			if err != nil {
				return nil, err
			}
			code, _ := text(members["code"])
			codes = append(codes, code)
		}
	}
	return codes, nil
}

// object reads the named members of a JSON object, and nothing of any other. Names are
// compared exactly, and one that comes twice is an error: Go's own reader would take the
// last, and "ID" for "id". The content must be valid JSON, or nil. The error is Malformed.
func object(content []byte, names ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	start, err := d.Token()
	if err != nil || start != json.Delim('{') {
		return nil, Malformed
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, Malformed
		}
		key, _ := name.(string)
		if !slices.Contains(names, key) {
			err = d.Decode(&unread{})
			if err != nil {
				return nil, Malformed
			}
			continue
		}
		var value json.RawMessage
		err = d.Decode(&value)
		_, twice := members[key]
		if err != nil || twice {
			return nil, Malformed
		}
		members[key] = value
	}
	return members, nil
}

// unread is a value of which nothing is kept.
type unread struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// list reads a JSON array. One that is not there is empty. The error is Malformed.
func list(content json.RawMessage) ([]json.RawMessage, error) {
	if content == nil {
		return nil, nil
	}
	var all []json.RawMessage
	err := json.Unmarshal(content, &all)
	if err != nil || all == nil { // null
		return nil, Malformed
	}
	return all, nil
}

// text reads a JSON string.
func text(content json.RawMessage) (string, bool) {
	if len(content) == 0 || content[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(content, &s)
	return s, err == nil
}
