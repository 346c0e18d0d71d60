package conform

import (
	"encoding/json"
	"io"
	"time"
)

// document is the JSON form of a report. Its names are stable: a new release may
// add some, and changes none. Times are RFC 3339 in UTC.
type document struct {
	SelfAssessed bool           `json:"self_assessed"` // always true: it is no approval
	Suite        string         `json:"suite"`         // provider or client
	Subject      string         `json:"subject"`       // what was tested
	Tool         string         `json:"tool"`          // the build that tested
	Started      time.Time      `json:"started"`
	Finished     time.Time      `json:"finished"`
	Passed       int            `json:"passed"`
	Failed       int            `json:"failed"`
	Differ       int            `json:"differ"`
	NotRun       int            `json:"not_run"`
	Results      []caseDocument `json:"results"` // in the order in which they ran
}

type caseDocument struct {
	ID           string   `json:"id"`
	Group        string   `json:"group"`
	Title        string   `json:"title"`
	Requirements []string `json:"requirements"`
	Level        string   `json:"level"`  // required, or own: a choice of Ward's own
	Status       string   `json:"status"` // passed, failed, differs or not run
	Want         string   `json:"want"`   // what had to happen
	Got          string   `json:"got"`    // what happened; why it was not run
	Milliseconds float64  `json:"milliseconds"`
}

// JSON writes the report as one JSON document for programs. It returns the error
// of w.
func (r Report) JSON(w io.Writer) error {
	d := document{
		SelfAssessed: true,
		Suite:        r.Suite, Subject: r.Subject, Tool: r.Tool,
		Started: r.Started.UTC(), Finished: r.Finished.UTC(),
		Results: make([]caseDocument, 0, len(r.Results)),
	}
	c := r.Counts()
	d.Passed, d.Failed, d.Differ, d.NotRun = c.Passed, c.Failed, c.Differs, c.NotRun
	for _, result := range r.Results {
		d.Results = append(d.Results, caseDocument{
			ID: result.ID, Group: result.Group, Title: result.Title,
			Requirements: append([]string{}, result.Requirements...), // never null
			Level:        result.Level(), Status: result.Status.String(), Want: result.Want, Got: result.Got,
			Milliseconds: float64(result.Elapsed.Microseconds()) / 1000,
		})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}
