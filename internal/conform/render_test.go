package conform_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/conform"
)

var update = flag.Bool("update", false, "write the golden files")

// sample has every status, in groups that took turns.
func sample() conform.Report {
	start := time.Date(2026, 3, 5, 17, 30, 0, 0, time.UTC)
	return conform.Report{
		Suite: "provider", Subject: "https://smsp.example.invalid:8443/smsp/cpis", Tool: "ward v1.0.0 0123abc go1.26",
		Started: start, Finished: start.Add(75 * time.Second),
		Results: []conform.Result{
			{ID: "A1-found", Group: "Answers", Title: "A child with a plan is asked about.", Requirements: []string{"WRD-RC-02", "WRD-MSG-24"},
				Status: conform.Passed, Want: "HTTP 200 with SMSP-0000 and at least one record", Got: "HTTP 200, SMSP-0000, 2 records", Elapsed: 41 * time.Millisecond},
			{ID: "N8-created-malformed", Group: "Faults", Title: "The message's time of creation has no form of a time.", Requirements: []string{"WRD-VAL-10", "WRD-MSG-24"},
				Status: conform.Failed, Want: "HTTP 500, SOAP fault Client with ErrorCode 1000", Got: "HTTP 200, SMSP-0000", Elapsed: 1260 * time.Millisecond},
			{ID: "A2-no-record", Group: "Answers", Title: "A child without a record is asked about.", Requirements: []string{"WRD-RC-03"},
				Status: conform.Passed, Want: "CPIS-0001, both totals 0", Got: "CPIS-0001, both totals 0", Elapsed: 38 * time.Millisecond},
			{ID: "N38-busy", Group: "Faults", Title: "More questions are asked than were agreed.", Requirements: []string{"WRD-RC-16"},
				Want: "HTTP 503 with Retry-After", Got: "the configuration does not name an agreed rate"},
			{ID: "T1-no-certificate", Group: "Identity", Title: "A connection comes without a certificate.", Requirements: []string{"WRD-IAM-01"},
				Status: conform.Passed, Want: "the handshake fails", Got: "the handshake failed", Elapsed: 9 * time.Millisecond},
			{ID: "N32-same-message", Group: "Faults", Title: "A message is sent twice.", Requirements: []string{"WRD-VAL-16"}, Own: true,
				Status: conform.Differs, Want: "HTTP 500, SOAP fault Client with ErrorCode 1000", Got: "HTTP 200, SMSP-0000", Elapsed: 44 * time.Millisecond},
		},
	}
}

// hostile is what a system under test might put into a report.
const hostile = "</td><script>alert(1)</script>\" onload='x' & ]]> \x1b[2J\r\nhttp://elsewhere.invalid \u202e{{.}}"

func hostileReport() conform.Report {
	r := sample()
	r.Subject, r.Tool = hostile, hostile
	for i := range r.Results {
		c := &r.Results[i]
		c.ID, c.Group, c.Title, c.Want, c.Got = hostile, hostile, hostile, hostile, hostile
		c.Requirements = []string{hostile}
	}
	return r
}

// render returns what one form of a report is.
func render(t *testing.T, form func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	err := form(&b)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func text(r conform.Report, width int) func(io.Writer) error {
	return func(w io.Writer) error { return r.Text(w, width) }
}

// forms are all forms of a report, by the ending of their files.
func forms(r conform.Report) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{"txt": text(r, 80), "json": r.JSON, "xml": r.JUnit, "html": r.HTML}
}

// A report changes its form only on purpose.
func TestEveryFormReadsAsRecorded(t *testing.T) {
	empty := sample()
	empty.Suite, empty.Results = "client", nil
	passed := sample()
	passed.Results = []conform.Result{sample().Results[0], sample().Results[4]}
	differs := passed
	differs.Results = append(slices.Clip(passed.Results), sample().Results[5])
	for name, report := range map[string]conform.Report{"report": sample(), "empty": empty, "passed": passed, "differs": differs} {
		for ending, form := range forms(report) {
			t.Run(name+"."+ending, func(t *testing.T) {
				got := render(t, form)
				file := filepath.Join("testdata", name+"."+ending)
				if *update {
					err := os.WriteFile(file, []byte(got), 0o644)
					if err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				diff := cmp.Diff(string(want), got)
				if diff != "" {
					t.Errorf("changed (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// No form of any report can be taken for an approval.
func TestEveryFormSaysThatItIsSelfAssessed(t *testing.T) {
	for ending, form := range forms(sample()) {
		got := strings.Join(strings.Fields(render(t, form)), " ")
		if !strings.Contains(got, "Self-assessed") && !strings.Contains(got, `"self_assessed": true`) {
			t.Errorf("%s does not say that it is self-assessed", ending)
		}
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestEveryFormReturnsTheErrorOfItsWriter(t *testing.T) {
	for ending, form := range forms(sample()) {
		err := form(brokenPipe{})
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: error %v, want %v", ending, err, errBroken)
		}
	}
}

func TestTextKeepsToTheWidth(t *testing.T) {
	for _, width := range []int{50, 80, 120} {
		for line := range strings.Lines(render(t, text(sample(), width))) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > width {
				t.Errorf("at %d: %q is too long", width, line)
			}
		}
	}
}

// What is Ward's own choice fails no run, and shows nothing that would make one succeed.
func TestOwnChoicesFailNobody(t *testing.T) {
	passed, differs, failed := sample().Results[0], sample().Results[5], sample().Results[1]
	for _, test := range []struct {
		results []conform.Result
		want    bool
	}{
		{[]conform.Result{passed, differs}, true},
		{[]conform.Result{passed, differs, failed}, false},
		{[]conform.Result{differs}, false},
		{nil, false},
	} {
		got := conform.Report{Results: test.results}.Succeeded()
		if got != test.want {
			t.Errorf("%d results: succeeded %t, want %t", len(test.results), got, test.want)
		}
	}
}

// What failed cannot be overlooked: it stands before everything that passed.
func TestFailuresComeFirst(t *testing.T) {
	for _, ending := range []string{"txt", "html"} {
		got := render(t, forms(sample())[ending])
		failed, passed := strings.Index(got, "N8-created-malformed"), strings.Index(got, "A1-found")
		if failed < 0 || passed < failed {
			t.Errorf("%s: the failed case stands at %d, one that passed at %d", ending, failed, passed)
		}
	}
}

func TestReceivedTextCannotControlTheScreen(t *testing.T) {
	for _, ending := range []string{"txt", "html"} {
		got := render(t, forms(hostileReport())[ending])
		if strings.ContainsAny(got, "\x1b\r\u202e") {
			t.Errorf("%s: control characters reach the screen: %q", ending, got)
		}
	}
}

func TestJSONCanBeReadBack(t *testing.T) {
	var read struct {
		Subject        string
		Passed, Failed int
		Differ         int
		NotRun         int       `json:"not_run"`
		Started        time.Time `json:"started"`
		Results        []struct{ ID, Level, Status, Want, Got string }
		SelfAssessed   bool `json:"self_assessed"`
	}
	for _, report := range []conform.Report{sample(), hostileReport()} {
		err := json.Unmarshal([]byte(render(t, report.JSON)), &read)
		if err != nil {
			t.Fatal(err)
		}
		if read.Subject != report.Subject || read.Passed != 3 || read.Failed != 1 || read.NotRun != 1 || read.Differ != 1 || len(read.Results) != 6 || !read.SelfAssessed ||
			read.Results[1].Status != "failed" || read.Results[3].Status != "not run" || read.Results[0].Level != "required" || read.Results[5].Level != "own" || read.Results[5].Status != "differs" || read.Results[1].Got != report.Results[1].Got || !read.Started.Equal(report.Started) {
			t.Errorf("read back as %+v", read)
		}
	}
}

// A continuous integration server counts what the report counts.
func TestJUnitCanBeReadBack(t *testing.T) {
	type counts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	var read struct {
		XMLName xml.Name `xml:"testsuites"`
		counts
		Suites []struct {
			counts
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct {
					Message string `xml:"message,attr"`
				} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	err := xml.Unmarshal([]byte(render(t, sample().JUnit)), &read)
	if err != nil {
		t.Fatal(err)
	}
	if read.Tests != 6 || read.Failures != 1 || len(read.Suites) != 3 {
		t.Fatalf("read back as %+v", read)
	}
	for _, suite := range read.Suites {
		failures, skipped := 0, 0
		for _, c := range suite.Cases {
			if c.Failure != nil {
				failures++
			}
			if c.Skipped != nil {
				skipped++
				if c.Skipped.Message == "" {
					t.Errorf("%s is skipped without a reason", c.Name)
				}
			}
		}
		if suite.Tests != len(suite.Cases) || suite.Failures != failures || suite.Skipped != skipped {
			t.Errorf("%s counts %+v, but holds %d cases, %d failures, %d skipped", suite.Name, suite.counts, len(suite.Cases), failures, skipped)
		}
	}
}

func TestJUnitOfHostileTextsIsWellFormed(t *testing.T) {
	elements(t, render(t, hostileReport().JUnit))
}

// elements are the names of all start tags of a well-formed document.
func elements(t *testing.T, document string) map[string]int {
	t.Helper()
	names := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatalf("the document is not well formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if ok {
			names[start.Name.Local]++
		}
	}
}

// WRD-SEC-12: texts of a system under test stay texts, and add no element.
func TestHTMLHoldsHostileTextsAsText(t *testing.T) {
	want := elements(t, render(t, sample().HTML))
	r := hostileReport()
	for i := range r.Results { // the same groups, so that the pages have the same shape
		r.Results[i].Group += sample().Results[i].Group
		r.Results[i].Requirements = nil
		for _, id := range sample().Results[i].Requirements {
			r.Results[i].Requirements = append(r.Results[i].Requirements, hostile+id)
		}
	}
	page := render(t, r.HTML)
	diff := cmp.Diff(want, elements(t, page))
	if diff != "" {
		t.Errorf("elements (-of an ordinary report +of a hostile one):\n%s", diff)
	}
	if strings.Contains(page, "<script") {
		t.Error("the page holds a script")
	}
}

// WRD-SEC-12: the page loads nothing, and its policy admits nothing but its style.
func TestHTMLNeedsNothingElse(t *testing.T) {
	page := render(t, sample().HTML)
	loads := regexp.MustCompile(`(?i)(src|srcset|data|action|poster|background)\s*=|url\(|@import|<(script|link|iframe|object|embed|img|form|base)\b|href="[^#]| style="| on[a-z]+="`)
	for _, found := range loads.FindAllString(page, -1) {
		t.Errorf("the page holds %q", found)
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;; style-src &#39;sha256-`) || strings.Contains(page, "unsafe") {
		t.Error("the page has no strict policy")
	}
}

// WCAG 2.2 AA: a language, a title, one h1, headings that skip no level, a skip link
// whose target exists, a caption for each table, scopes for its heads, and words for
// each status.
func TestHTMLIsAccessible(t *testing.T) {
	page := render(t, sample().HTML)
	names := elements(t, page)
	if !strings.Contains(page, `<html lang="en-GB">`) || names["title"] != 1 || names["main"] != 1 || names["h1"] != 1 {
		t.Errorf("language, title, main or h1: %v", names)
	}
	if names["caption"] != names["table"] || strings.Contains(page, "<th>") {
		t.Errorf("%d captions for %d tables", names["caption"], names["table"])
	}
	level := 0
	for _, heading := range regexp.MustCompile(`<h([1-6])`).FindAllStringSubmatch(page, -1) {
		next := int(heading[1][0] - '0')
		if next > level+1 {
			t.Errorf("h%d follows h%d", next, level)
		}
		level = next
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, ` id="`+link[1]+`"`) {
			t.Errorf("the link to %s leads nowhere", link[1])
		}
	}
	for _, word := range []string{">Passed</strong>", ">Failed</strong>", ">Differs</strong>", ">Not run</dt>"} {
		if !strings.Contains(page, word) {
			t.Errorf("no word %q", word)
		}
	}
}
