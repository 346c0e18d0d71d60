package conform

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// selfAssessed stands in every form of a report.
const selfAssessed = "Self-assessed. This is what one run of a test tool saw. It is not an approval, an assurance " +
	"or a certificate of anybody, and a case that was not run has shown nothing."

// view is a report as the forms for people tell it.
type view struct {
	Title        string
	Subject      string
	Tool         string
	Started      string
	Verdict      string // one sentence
	Facts        []fact
	Failures     []Result
	Differences  []Result
	NotRun       []Result
	Requirements []requirement
	Groups       []group
}

// fact is a name with its value.
type fact struct{ Name, Value string }

// requirement is what all cases together show of one requirement.
type requirement struct {
	ID string
	Counts
}

// Status is Failed if any case failed, and Passed only if every case passed.
func (q requirement) Status() Status {
	switch {
	case q.Failed > 0:
		return Failed
	case q.Differs > 0:
		return Differs
	case q.NotRun > 0:
		return NotRun
	default:
		return Passed
	}
}

// group is the cases under one heading.
type group struct {
	Name    string
	Results []Result
}

func (r Report) view() view {
	r = r.plain()
	return view{
		Title:        r.title(),
		Subject:      r.Subject,
		Tool:         r.Tool,
		Started:      utc(r.Started),
		Verdict:      r.verdict(),
		Facts:        r.facts(),
		Failures:     r.with(Failed),
		Differences:  r.with(Differs),
		NotRun:       r.with(NotRun),
		Requirements: r.requirements(),
		Groups:       r.groups(),
	}
}

func (r Report) title() string {
	if r.Suite == "client" {
		return "Conformance of a CP-IS client system"
	}
	return "Conformance of a CP-IS Spine Mini Service Provider"
}

func (r Report) verdict() string {
	c := r.Counts()
	differ := ""
	if c.Differs > 0 {
		differ = fmt.Sprintf(", %d other than Ward chose", c.Differs)
	}
	switch {
	case len(r.Results) == 0:
		return "No case was run, so nothing was shown."
	case c.Failed > 0:
		return fmt.Sprintf("Failed: %s of %d failed, %d passed%s, %d not run.", cases(c.Failed), len(r.Results), c.Passed, differ, c.NotRun)
	case c.NotRun > 0:
		return fmt.Sprintf("Incomplete: %s of %d passed, none failed%s, %d not run.", cases(c.Passed), len(r.Results), differ, c.NotRun)
	case c.Differs > 0:
		return fmt.Sprintf("Passed: %s of %d passed, none failed%s.", cases(c.Passed), len(r.Results), differ)
	default:
		return fmt.Sprintf("Passed: all %s passed.", cases(c.Passed))
	}
}

// cases is "1 case" or "12 cases".
func cases(n int) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}

func (r Report) facts() []fact {
	return []fact{
		{"Tested", r.Subject},
		{"Tested by", r.Tool},
		{"Started", utc(r.Started)},
		{"Finished", utc(r.Finished)},
	}
}

// utc is a time such as "5 March 2026, 17:30:00 UTC".
func utc(t time.Time) string {
	if t.IsZero() {
		return "not recorded"
	}
	return t.UTC().Format("2 January 2006, 15:04:05 UTC")
}

func (r Report) with(s Status) []Result {
	var found []Result
	for _, result := range r.Results {
		if result.Status == s {
			found = append(found, result)
		}
	}
	return found
}

// requirements are those of all cases, in the order of their ids.
func (r Report) requirements() []requirement {
	var all []requirement
	for _, result := range r.Results {
		for _, id := range result.Requirements {
			at, found := slices.BinarySearchFunc(all, id, func(q requirement, id string) int { return strings.Compare(q.ID, id) })
			if !found {
				all = slices.Insert(all, at, requirement{ID: id})
			}
			all[at].add(result.Status)
		}
	}
	return all
}

// groups are in the order in which their first cases ran.
func (r Report) groups() []group {
	var all []group
	for _, result := range r.Results {
		at := slices.IndexFunc(all, func(g group) bool { return g.Name == result.Group })
		if at < 0 {
			at = len(all)
			all = append(all, group{Name: result.Group})
		}
		all[at].Results = append(all[at].Results, result)
	}
	return all
}

// plain is the report without what could move, hide or reverse the text around it.
func (r Report) plain() Report {
	r.Subject, r.Tool = plain(r.Subject), plain(r.Tool)
	results := make([]Result, 0, len(r.Results))
	for _, c := range r.Results {
		c.ID, c.Group, c.Title, c.Want, c.Got = plain(c.ID), plain(c.Group), plain(c.Title), plain(c.Want), plain(c.Got)
		requirements := make([]string, 0, len(c.Requirements))
		for _, id := range c.Requirements {
			requirements = append(requirements, plain(id))
		}
		c.Requirements = requirements
		results = append(results, c)
	}
	r.Results = results
	return r
}

func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}
