package providers_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
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
		"an address of the NHS":           {func(s *providers.Settings) { s.To = "https://smsp.trust.nhs.uk/cpis" }, "nhs.uk"},
		"an address that is none":         {func(s *providers.Settings) { s.To = "https://[smsp/cpis" }, "wsa:To"},
		"a certificate of the NHS":        {func(s *providers.Settings) { s.TLS.ServerName = "smsp.trust.nhs.uk" }, "nhs.uk"},
		"a URL without TLS":               {func(s *providers.Settings) { s.URL = "http://smsp.example.invalid" }, "https"},
		"a URL that is none":              {func(s *providers.Settings) { s.URL = "://" }, "https"},
		"no TLS":                          {func(s *providers.Settings) { s.TLS = nil }, "TLS"},
		"an endpoint that is not known":   {func(s *providers.Settings) { s.TLS.InsecureSkipVerify = true }, "verify"},
		"a number that may be somebody's": {func(s *providers.Settings) { s.Children["SMSP-0000"] = number(t, "9980000018") }, "999"},
	} {
		s := providers.Tester(t)
		test.change(&s)
		_, err := providers.New(s)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := providers.Tester(t)
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

// What is Ward's own choice is marked as such, and each mark is used.
func TestOwnChoicesAreMarked(t *testing.T) {
	for _, entry := range providers.Own() {
		used := slices.ContainsFunc(providers.Cases(), func(c providers.Case) bool {
			return c.Own && (c.ID == entry || strings.HasSuffix(entry, "-") && strings.HasPrefix(c.ID, entry))
		})
		if !used {
			t.Errorf("no case is %s", entry)
		}
	}
	for _, c := range providers.Cases() {
		if c.ID == "C-CPIS-0001" && c.Level() != "required" || c.ID == "N32-same-message" && c.Level() != "own" {
			t.Errorf("%s is %s", c.ID, c.Level())
		}
	}
}
