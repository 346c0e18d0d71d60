// Package conform holds what a conformance run found, and tells it: as text for a
// terminal, as JSON, as JUnit XML, and as a page for a person.
//
// What is tried stands in the packages beside it: providers tries an SMSP endpoint,
// clients plays the provider for a client under test. A report is a self-assessment
// and says so; it never holds personal data.
package conform

import "time"

// Status is how one case ended.
type Status uint8

const (
	// NotRun is the zero value: a case that was not tried has shown nothing.
	NotRun Status = iota
	Passed
	Failed
)

// String returns "not run", "passed" or "failed".
func (s Status) String() string {
	switch s {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	default:
		return "not run"
	}
}

// Result is how one case ended. All its texts are fit for anybody's eyes.
type Result struct {
	ID           string   // stable, such as "N8-created-malformed"
	Group        string   // heading under which the case stands
	Title        string   // what is done, in a sentence
	Requirements []string // ids that the case shows, such as "WRD-VAL-10"
	Status       Status
	Want         string // what had to happen
	Got          string // what happened; why it was not run
	Elapsed      time.Duration
}

// Report is a whole run.
type Report struct {
	Suite    string // "provider" or "client"
	Subject  string // what was tested: the endpoint's URL, or the client's name
	Tool     string // the build of Ward that tested
	Started  time.Time
	Finished time.Time
	Results  []Result // in the order in which they ran
}

// Counts says how many results have each status.
func (r Report) Counts() (passed, failed, notRun int) {
	for _, result := range r.Results {
		switch result.Status {
		case Passed:
			passed++
		case Failed:
			failed++
		default:
			notRun++
		}
	}
	return passed, failed, notRun
}
