package providers_test

import (
	"context"
	"crypto/tls"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
)

func number(t *testing.T, digits string) cpis.NHSNumber {
	t.Helper()
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func settings(t *testing.T) providers.Settings {
	t.Helper()
	return providers.Settings{
		URL: "https://smsp.example.invalid/smsp/cpis", TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Username: "tester & sons", OtherUsername: "other",
		Organisation: "RXX", OrganisationName: "Example <Hospital>", Provider: "Y99", AuditIdentity: "urn:nhs-uk:identity:ods:RXX:tester",
		Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
		Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
		ASID: "200000000290", UserID: "555000000001", RoleProfile: "555100000001",
		Children: map[cpis.Code]cpis.NHSNumber{
			"SMSP-0000": number(t, "9990000042"), "CPIS-0001": number(t, "9990000034"), "SMSP-0002": number(t, "9990010404"),
			"SMSP-0004": number(t, "4444444444"), "CPIS-9999": number(t, "9990010307"), "SMSP-9999": number(t, "9990010269"),
		},
	}
}

// WRD-SAF-02: a suite cannot be made for a service of the NHS, nor send a number that
// may be somebody's, nor to a machine that it does not verify.
func TestWhatMayNotBeTried(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*providers.Settings)
		says   string
	}{
		"a host of the NHS":               {func(s *providers.Settings) { s.URL = "https://smsp.trust.NHS.uk/cpis" }, "nhs.uk"},
		"a host of the Spine":             {func(s *providers.Settings) { s.URL = "https://cpis.national.ncrs.nhs.uk./x" }, "nhs.uk"},
		"nhs.uk itself":                   {func(s *providers.Settings) { s.URL = "https://nhs.uk/x" }, "nhs.uk"},
		"a certificate of the NHS":        {func(s *providers.Settings) { s.TLS.ServerName = "smsp.trust.nhs.uk" }, "nhs.uk"},
		"a URL without TLS":               {func(s *providers.Settings) { s.URL = "http://smsp.example.invalid" }, "https"},
		"a URL that is none":              {func(s *providers.Settings) { s.URL = "://" }, "https"},
		"no TLS":                          {func(s *providers.Settings) { s.TLS = nil }, "TLS"},
		"an endpoint that is not known":   {func(s *providers.Settings) { s.TLS.InsecureSkipVerify = true }, "verify"},
		"a number that may be somebody's": {func(s *providers.Settings) { s.Children["SMSP-0000"] = number(t, "9980000018") }, "999"},
	} {
		s := settings(t)
		test.change(&s)
		_, err := providers.New(s)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := settings(t)
	s.URL = "https://notnhs.uk.example.invalid"
	_, err := providers.New(s)
	if err != nil {
		t.Error(err)
	}
}

// Ids are stable and unique, titles are sentences, and every case shows something.
func TestCasesAreDescribed(t *testing.T) {
	id, requirement := regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9.]+)*$`), regexp.MustCompile(`^(WRD-[A-Z]{2,3}-\d\d|WS-(ADR|STD)-\d\d[ab]?|COR-DEH-\d\d(\.\d)?|MSCA-AUD-\d\d[a-z]?)$`)
	seen, conversations, asked := map[string]bool{}, 0, false
	for _, c := range providers.Cases() {
		if !id.MatchString(c.ID) || seen[c.ID] || c.Group == "" {
			t.Errorf("%q in %q is not an id, or not a new one", c.ID, c.Group)
		}
		seen[c.ID] = true
		if strings.Count(c.Title, ".") == 0 || !strings.HasSuffix(c.Title, ".") || len(c.Requirements) == 0 {
			t.Errorf("%s: title %q, requirements %v", c.ID, c.Title, c.Requirements)
		}
		for _, r := range c.Requirements {
			if !requirement.MatchString(r) {
				t.Errorf("%s: %q is not the id of a requirement", c.ID, r)
			}
		}
		if c.Conversation {
			conversations++
			if asked && c.Asks == 0 && c.ID != "C-SMSP-0004" {
				t.Errorf("%s asks nothing, but comes after one that asks", c.ID)
			}
			asked = asked || c.Asks > 0
		}
	}
	if conversations < 260 {
		t.Errorf("only %d conversations", conversations)
	}
}

// What the configuration does not give leaves a case out, with a reason, and sends
// nothing; where nobody listens the first case fails and the rest is left out.
func TestWhatIsLeftOut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := settings(t)
	s.URL, s.Pause = "https://"+listener.Addr().String()+"/x", 1
	s.UserID, s.OtherUsername = "", ""
	delete(s.Children, "SMSP-0002")
	listener.Close()
	suite, err := providers.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for only, want := range map[string]string{
		"N14-":        "the configuration gives no other_username",
		"A1-person":   "the configuration gives no user",
		"C-SMSP-0002": "the configuration gives no child with SMSP-0002",
		"N4-more":     "no connection could be made",
	} {
		report := suite.Run(t.Context(), only, func(conform.Result) {})
		first := report.Results[0]
		if first.Got != want || (first.Status == conform.Failed) != (only == "N4-more") {
			t.Errorf("%s: %s, %q", only, first.Status, first.Got)
		}
	}
	report := suite.Run(t.Context(), "N4-", func(conform.Result) {})
	_, failed, notRun := report.Counts()
	if failed != 1 || notRun != len(report.Results)-1 || report.Results[1].Got != "the endpoint could no longer be reached" {
		t.Errorf("%d failed, %d not run, then %q", failed, notRun, report.Results[1].Got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	report = suite.Run(ended, "N4-", func(conform.Result) {})
	if report.Results[0].Status != conform.NotRun || report.Results[0].Got != "the run was stopped" {
		t.Errorf("%+v", report.Results[0])
	}
}
