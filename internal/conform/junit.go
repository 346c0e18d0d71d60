package conform

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements that the readers of JUnit XML agree on.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"` // seconds
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"` // UTC, without a zone
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *junitMessage `xml:"skipped"`
		Failure *junitMessage `xml:"failure"`
		Output  string        `xml:"system-out"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the report in the XML form that continuous integration servers read:
// a testsuite for each group, a testcase for each case, skipped if it was not run or
// differs from what is Ward's own choice.
// It returns the error of w.
func (r Report) JUnit(w io.Writer) error {
	all := junitSuites{
		Name: r.title(), Tests: len(r.Results), Failures: r.Counts().Failed, Time: seconds(r.Finished.Sub(r.Started)),
	}
	for _, group := range r.groups() {
		all.Suites = append(all.Suites, r.junitSuite(group))
	}
	_, err := io.WriteString(w, xml.Header)
	if err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	err = encoder.Encode(all)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

func (r Report) junitSuite(g group) junitSuite {
	suite := junitSuite{
		Name: g.Name, Tests: len(g.Results), Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{{"subject", r.Subject}, {"tool", r.Tool}, {"note", selfAssessed}},
	}
	var elapsed time.Duration
	for _, result := range g.Results {
		suite.Cases = append(suite.Cases, r.junitCase(result))
		elapsed += result.Elapsed
		switch result.Status {
		case Passed:
		case Failed:
			suite.Failures++
		default:
			suite.Skipped++
		}
	}
	suite.Time = seconds(elapsed)
	return suite
}

func (r Report) junitCase(result Result) junitCase {
	c := junitCase{
		Name: result.ID + ": " + titled(result), Class: "ward." + r.Suite + "." + result.Group, Time: seconds(result.Elapsed),
		Output: "Level: " + result.Level() + "\nRequirements: " + strings.Join(result.Requirements, ", ") + "\nHad to happen: " + result.Want + "\nHappened: " + result.Got,
	}
	switch result.Status {
	case Passed:
	case Failed:
		c.Failure = &junitMessage{Message: result.Got, Text: "Had to happen: " + result.Want + "\nHappened: " + result.Got}
	case Differs:
		c.Skipped = &junitMessage{Message: "differs from a choice of Ward's own: " + result.Got}
	default:
		c.Skipped = &junitMessage{Message: result.Got}
	}
	return c
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
