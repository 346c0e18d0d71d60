//go:build npm

// Package npmsoap asks the provider with a SOAP client for JavaScript that was not
// written for it: the npm package soap, under Node.js (WRD-SUP-08, WRD-SUP-09). The
// client knows of the service what the served WSDL tells, over mutual TLS. Run it
// with -tags npm; it installs the package in a temporary folder.
package npmsoap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
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

// job is one question, and what differs in it from the usual.
type job struct {
	NHSNumber string `json:"nhs_number"`
	Username  string `json:"username,omitempty"`
}

// result is what the client made of an answer or a fault.
type result struct {
	Code         string              `json:"code"`
	TotalRecords int                 `json:"total_records"`
	Accesses     int                 `json:"accesses"`
	Authorities  []string            `json:"authorities"`
	Plans        []spinesim.PlanView `json:"plans"`
	RelatesTo    string              `json:"relates_to"`

	FaultCode string `json:"fault_code"`
	ErrorCode string `json:"error_code"`
	ErrorText string `json:"error_text"`
	Diagnosis string `json:"diagnostic"`

	SentID string `json:"sent_id"`
	Sent   string `json:"sent"`
}

// folder is where the package is installed for all tests of this run.
var folder string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	folder, err = os.MkdirTemp("", "npmsoap")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	for _, name := range []string{"package.json", "package-lock.json", "ask.js"} {
		content, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		err = os.WriteFile(filepath.Join(folder, name), content, 0o600)
		if err != nil {
			panic(err)
		}
	}
	install := exec.Command("npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = folder
	out, err := install.CombinedOutput()
	if err != nil {
		panic("npm ci (Debian's packages nodejs and npm must be installed, and the registry within reach): " + err.Error() + "\n" + string(out))
	}
	return m.Run()
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
			"username": stage.Username, "audit_identity": stage.AuditIdentity, "asid": stage.ClientASID, "organisation": stage.ClientODS,
		},
		"jobs": jobs,
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "ask.js")
	command.Dir = folder
	command.Stdin = bytes.NewReader(document)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("node ask.js: %v\n%s", err, problems.String())
	}
	var results []result
	err = json.Unmarshal(out, &results)
	if err != nil || len(results) != len(jobs) {
		t.Fatalf("the script printed no list of %d results: %v\n%s", len(jobs), err, out)
	}
	return results
}

// WRD-SUP-09: in every situation of the cast the client completes a query, and reads
// what CP-IS holds. Each child is asked about once.
func TestReadsEveryAnswerOfTheCast(t *testing.T) {
	s := set(t)
	children := s.Children(len(spinesim.Cast()))
	jobs := make([]job, len(children))
	for i, child := range children {
		jobs[i].NHSNumber = child.NHSNumber
	}
	read := map[string]bool{}
	for i, r := range ask(t, s, jobs...) {
		read[r.Code] = true
		wsdltest.MustValidateMessages(t, r.Sent)
		child := children[i]
		t.Run(child.Situation, func(t *testing.T) { confirm(t, child, r) })
	}
	if !read["SMSP-0000"] || !read["CPIS-0001"] {
		t.Errorf("the cast gave only the codes %v", read)
	}
	for number, n := range s.Simulator.Counters().ByNumber {
		if n != 1 {
			t.Errorf("%s was asked about %d times", number, n)
		}
	}
}

func confirm(t *testing.T, child spinesim.ChildView, r result) {
	if r.Code != child.Code {
		t.Fatalf("code %q, fault %q %s: expected %s\n%s", r.Code, r.ErrorCode, r.ErrorText, child.Code, r.Sent)
	}
	if r.RelatesTo != r.SentID {
		t.Errorf("the answer relates to %q, not to %q", r.RelatesTo, r.SentID)
	}
	accesses, authorities, plans := 0, []string{}, []spinesim.PlanView{}
	for _, held := range child.Records {
		accesses = min(child.Accesses+1, 25)
		authorities = append(authorities, held.AuthorityName)
		plans = append(plans, held.Plans...)
	}
	if r.TotalRecords != len(child.Records) || r.Accesses != accesses {
		t.Errorf("%d records, %d accesses, expected %d and %d", r.TotalRecords, r.Accesses, len(child.Records), accesses)
	}
	if diff := cmp.Diff(authorities, r.Authorities); diff != "" {
		t.Errorf("authorities (-held +read):\n%s", diff)
	}
	if diff := cmp.Diff(plans, r.Plans); diff != "" {
		t.Errorf("plans (-held +read):\n%s", diff)
	}
}

// A number that cannot be one is SMSP-0001 to this client, with nothing that could
// be taken for a record, and nothing is asked.
func TestReadsARequestThatWasWrong(t *testing.T) {
	s := set(t)
	r := ask(t, s, job{NHSNumber: "9990000019"})[0] // wrong check digit
	if r.Code != "SMSP-0001" || r.TotalRecords != 0 || r.Accesses != 0 || len(r.Plans) != 0 {
		t.Errorf("%+v", r)
	}
	if n := s.Simulator.Counters().RequestsBegun; n != 0 {
		t.Errorf("%d requests reached the Spine", n)
	}
}

// A fault is one for this client too, with its detail, and nothing is asked.
func TestReadsAFault(t *testing.T) {
	s := set(t)
	r := ask(t, s, job{NHSNumber: "9990000018", Username: "nobody"})[0]
	if !strings.HasSuffix(r.FaultCode, ":Client") || r.ErrorCode != "3000" || r.ErrorText == "" || r.Diagnosis == "" || r.Code != "" {
		t.Errorf("%+v", r)
	}
	if n := s.Simulator.Counters().RequestsBegun; n != 0 {
		t.Errorf("%d requests reached the Spine", n)
	}
}
