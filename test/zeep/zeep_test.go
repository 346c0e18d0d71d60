//go:build zeep

// Package zeep asks the provider with a SOAP client that was not written for it:
// zeep, under Debian's Python (WRD-SUP-09). The client knows of the service what the
// served WSDL tells, over mutual TLS. Run it with -tags zeep.
package zeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// python is Debian's interpreter, to which the package python3-zeep belongs.
const python = "/usr/bin/python3"

// job is one question, and what differs in it from the usual.
type job struct {
	NHSNumber string `json:"nhs_number"`
	Timestamp string `json:"timestamp"` // helper, fraction or zoneless
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty"`
	ASID      string `json:"asid,omitempty"`
}

// result is what zeep made of an answer or a fault.
type result struct {
	Code          string   `json:"code"`
	CodeSystem    string   `json:"code_system"`
	TotalAccesses int      `json:"total_accesses"`
	TotalRecords  int      `json:"total_records"`
	Accesses      []string `json:"accesses"` // NHS numbers
	Records       []record `json:"records"`
	RelatesTo     string   `json:"relates_to"`

	FaultCode string `json:"fault_code"`
	ErrorCode string `json:"error_code"`
	ErrorText string `json:"error_text"`
	Diagnosis string `json:"diagnostic"`

	Sent      string            `json:"sent"`
	Headers   map[string]string `json:"sent_headers"`
	MessageID string            `json:"message_id"`
}

type record struct {
	spinesim.RecordView
	Subjects []subject `json:"subjects"`
}

type subject struct {
	NHSNumber string `json:"nhs_number"`
	Given     string `json:"given"`
	Family    string `json:"family"`
	Birth     string `json:"birth"`
	Mother    bool   `json:"mother"`
}

// set starts simulator and provider.
func set(t *testing.T) *stage.Stage {
	t.Helper()
	s, err := stage.Set(stage.Options{Dir: t.TempDir(), Budget: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	running, err := s.StartProvider(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		running.Stop(ctx)
	})
	return s
}

// ask runs the client over all jobs, one after the other.
func ask(t *testing.T, s *stage.Stage, jobs ...job) []result {
	t.Helper()
	document, err := json.Marshal(map[string]any{
		"wsdl":        s.URL + "?wsdl",
		"certificate": filepath.Join(s.Dir, "client.pem"),
		"key":         filepath.Join(s.Dir, "client-key.pem"),
		"ca":          filepath.Join(s.Dir, "ca.pem"),
		"party": map[string]string{
			"username": stage.Username, "audit_identity": stage.AuditIdentity,
			"asid": stage.ClientASID, "organisation": stage.ClientODS,
		},
		"jobs": jobs,
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "ask.py")
	command.Stdin = bytes.NewReader(document)
	var errors bytes.Buffer
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s ask.py: %v (python3-zeep must be installed)\n%s", python, err, errors.String())
	}
	var results []result
	err = json.Unmarshal(out, &results)
	if err != nil || len(results) != len(jobs) {
		t.Fatalf("the script printed no list of %d results: %v\n%s", len(jobs), err, out)
	}
	return results
}

// WRD-SUP-09: a client library that is not ours completes a query in every
// situation of the cast, and reads from the answer what CP-IS holds.
func TestReadsEveryAnswerOfTheCast(t *testing.T) {
	s := set(t)
	var children []spinesim.ChildView
	var jobs []job
	for i, child := range s.Children(len(spinesim.Cast())) {
		children = append(children, child) // before the question, which changes the history
		jobs = append(jobs, job{NHSNumber: child.NHSNumber, Timestamp: [...]string{"helper", "fraction", "zoneless"}[i%3]})
	}
	for i, r := range ask(t, s, jobs...) {
		wsdltest.MustValidateMessages(t, r.Sent)
		child := children[i]
		t.Run(child.Situation, func(t *testing.T) { confirm(t, child, r) })
	}
	for number, n := range s.Simulator.Counters().ByNumber {
		if n != 1 {
			t.Errorf("%s was asked about %d times", number, n)
		}
	}
}

func confirm(t *testing.T, child spinesim.ChildView, r result) {
	if r.Code != child.Code {
		t.Fatalf("code %q, fault %q %s: expected %s", r.Code, r.ErrorCode, r.ErrorText, child.Code)
	}
	if r.CodeSystem != "2.16.840.1.113883.2.1.3.2.4.17.499" {
		t.Errorf("code system %q", r.CodeSystem)
	}
	if r.RelatesTo != r.MessageID {
		t.Errorf("the answer relates to %q, not to %q", r.RelatesTo, r.MessageID)
	}
	if r.TotalRecords != len(child.Records) || r.TotalAccesses != len(r.Accesses) {
		t.Errorf("totals %d records, %d accesses", r.TotalRecords, r.TotalAccesses)
	}
	expectedAccesses := 0
	if len(child.Records) > 0 {
		expectedAccesses = min(child.Accesses+1, 25)
	}
	if len(r.Accesses) != expectedAccesses {
		t.Errorf("%d accesses, expected %d", len(r.Accesses), expectedAccesses)
	}
	for _, number := range r.Accesses {
		if number != child.NHSNumber {
			t.Errorf("an access of %s", number)
		}
	}
	if diff := cmp.Diff(expected(child), r.Records); diff != "" {
		t.Errorf("records (-held +read):\n%s", diff)
	}
}

// expected is what the simulator holds, in the form of the script's output.
func expected(child spinesim.ChildView) []record {
	all := []record{}
	for _, held := range child.Records {
		if child.Behaviour == "found-harness-shape" {
			held.AuthorityCode = strings.ToLower(held.AuthorityCode)
		}
		held.LocalID = "" // the script does not read it
		r := record{RecordView: held}
		ofChild, ofMother := false, false
		for _, plan := range held.Plans {
			ofMother = ofMother || plan.Type == spinesim.UnbornChild
			ofChild = ofChild || plan.Type != spinesim.UnbornChild
		}
		who := subject{NHSNumber: child.NHSNumber, Given: child.Given, Family: child.Family, Birth: child.Birth}
		if ofChild {
			r.Subjects = append(r.Subjects, who)
		}
		if ofMother {
			who.Mother = true
			r.Subjects = append(r.Subjects, who)
		}
		all = append(all, r)
	}
	return all
}

// Every code that tells why there is no result reaches the client as that code,
// with nothing that could be taken for a record.
func TestReadsEveryCodeWithoutAResult(t *testing.T) {
	s := set(t)
	jobs := map[string]job{
		"SMSP-0001": {NHSNumber: "9990000019", Timestamp: "helper"}, // wrong check digit
		"SMSP-0005": {NHSNumber: "9990000018", Timestamp: "helper", ASID: "200000000999"},
	}
	for _, child := range s.Children(0) {
		_, have := jobs[child.Code]
		if child.Code != "SMSP-0000" && child.Code != "CPIS-0001" && !have {
			jobs[child.Code] = job{NHSNumber: child.NHSNumber, Timestamp: "helper"}
		}
	}
	for _, code := range []string{"SMSP-0001", "SMSP-0002", "SMSP-0005", "SMSP-9999", "CPIS-9999"} {
		confirmNothing(t, ask(t, s, jobs[code])[0], code)
	}
	err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	confirmNothing(t, ask(t, s, job{NHSNumber: "9990000018", Timestamp: "helper"})[0], "SMSP-0004")
}

func confirmNothing(t *testing.T, r result, code string) {
	t.Helper()
	if r.Code != code || r.TotalRecords != 0 || r.TotalAccesses != 0 || len(r.Records) != 0 || len(r.Accesses) != 0 {
		t.Errorf("expected %s and nothing else, got %q (fault %q %s) with %d records and %d accesses",
			code, r.Code, r.ErrorCode, r.ErrorText, len(r.Records), len(r.Accesses))
	}
}

// A fault is one for zeep too, with its detail, and nothing was asked.
func TestReadsAFault(t *testing.T) {
	s := set(t)
	r := ask(t, s, job{NHSNumber: "9990000018", Timestamp: "helper", Username: "nobody"})[0]
	if !strings.HasSuffix(r.FaultCode, ":Client") || r.ErrorCode != "3000" || r.ErrorText == "" || r.Diagnosis == "" {
		t.Errorf("fault %q, error %q: %s", r.FaultCode, r.ErrorCode, r.ErrorText)
	}
	if n := s.Simulator.Counters().RequestsBegun; n != 0 {
		t.Errorf("%d requests reached the Spine", n)
	}
}

// A password is no authentication here, and its presence is no reason to refuse:
// the certificate decides.
func TestTakesNoNoticeOfAPassword(t *testing.T) {
	s := set(t)
	r := ask(t, s, job{NHSNumber: "9990000034", Timestamp: "helper", Password: "not used"})[0]
	if r.Code != "CPIS-0001" {
		t.Errorf("code %q, fault %q %s", r.Code, r.ErrorCode, r.ErrorText)
	}
}

// The other tests prove leniency only while zeep does send what our own client
// never would.
func TestSendsWhatOurOwnClientWouldNot(t *testing.T) {
	s := set(t)
	r := ask(t, s, job{NHSNumber: "9990000034", Timestamp: "helper"})[0]
	for rule, fragment := range map[string]string{
		"L3, other prefixes":            "<ns0:DistributionEnvelope",
		"L4, the timestamp last":        "</wsse:UsernameToken><wsu:Timestamp ",
		"L6, urn:uuid: in lower case":   ">" + strings.ToLower(r.MessageID) + "<",
		"L10, flags written out":        `base64="false"`,
		"L11, +00:00 for UTC":           "+00:00</wsu:Created>",
		"L5, a timestamp without an id": `utility-1.0.xsd"><wsu:Created>`,
		"L9, no address of the sender":  `</ns0:manifest><ns0:handlingSpecification>`,
	} {
		if !strings.Contains(r.Sent, fragment) {
			t.Errorf("%s: zeep no longer sends %s\n%s", rule, fragment, r.Sent)
		}
	}
	if !strings.HasPrefix(r.MessageID, "urn:uuid:") {
		t.Errorf("L6: the message id is %s", r.MessageID)
	}
	if !strings.HasPrefix(r.Headers["SOAPAction"], `"`) {
		t.Errorf("L1: the SOAPAction is %s, no longer quoted", r.Headers["SOAPAction"])
	}
}
