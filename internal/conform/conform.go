// Package conform holds what a conformance run found, and tells it: as text for a
// terminal, as JSON, as JUnit XML, and as a page for a person.
//
// What is tried stands in the packages beside it: providers tries an SMSP endpoint,
// clients plays the provider for a client under test. A report is a self-assessment
// and says so. It holds nothing of a message; but what a tester confirmed stands in it
// with the tester's name, role and own words.
package conform

import "time"

// Status is how one case ended.
type Status uint8

const (
	// NotRun is the zero value: a case that was not tried has shown nothing.
	NotRun Status = iota
	Passed
	Failed
	// Differs is how a case ends that is Ward's own choice, where what was tested chose
	// otherwise. It is no failure.
	Differs
)

// String returns "not run", "passed", "failed" or "differs".
func (s Status) String() string {
	switch s {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case Differs:
		return "differs"
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
	Own          bool     // it follows a choice of Ward's own, no published or observed rule
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

// Counts are how many results have each status.
type Counts struct{ Passed, Failed, Differs, NotRun int }

func (c *Counts) add(s Status) {
	switch s {
	case Passed:
		c.Passed++
	case Failed:
		c.Failed++
	case Differs:
		c.Differs++
	default:
		c.NotRun++
	}
}

// Counts says how many results have each status.
func (r Report) Counts() Counts {
	var c Counts
	for _, result := range r.Results {
		c.add(result.Status)
	}
	return c
}

// Succeeded reports whether something was shown and nothing failed.
func (r Report) Succeeded() bool {
	c := r.Counts()
	return c.Passed > 0 && c.Failed == 0
}

// Level is "required", or "own" for what follows a choice of Ward's own.
func (r Result) Level() string {
	if r.Own {
		return "own"
	}
	return "required"
}
