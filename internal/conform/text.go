package conform

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Text writes the report for a terminal or a plain file, without colour, wrapped at
// width characters (0 or less: 80). Words are never cut. Failed cases come first,
// with what had to happen and what happened, and then those that differ. It returns the error of w.
func (r Report) Text(w io.Writer, width int) error {
	if width <= 0 {
		width = 80
	}
	p := page{width: width}
	v := r.view()
	p.heading(v.Title, "=")
	p.wrap("", "", v.Verdict)
	p.gap()
	for _, fact := range v.Facts {
		p.wrap("", "  ", fact.Name+": "+fact.Value)
	}
	p.gap()
	p.wrap("", "", selfAssessed)
	p.listed("Failed", v.Failures)
	p.listed("Different from what Ward chose, which is no failure", v.Differences)
	p.notRun(v.NotRun)
	p.requirements(v.Requirements)
	for _, group := range v.Groups {
		p.heading(group.Name, "-")
		for _, result := range group.Results {
			p.wrap("", "    ", fmt.Sprintf("%-7s  %s: %s", result.Status, result.ID, titled(result)))
		}
	}
	_, err := io.WriteString(w, strings.TrimLeft(p.text.String(), "\n"))
	return err
}

// page collects lines of limited width.
type page struct {
	text  strings.Builder
	width int
}

func (p *page) gap() { p.text.WriteByte('\n') }

func (p *page) heading(text, rule string) {
	p.gap()
	p.wrap("", "", text)
	p.text.WriteString(strings.Repeat(rule, min(utf8.RuneCountInString(text), p.width)) + "\n")
}

// titled is the title of a case, with its level unless it is required.
func titled(r Result) string {
	if r.Own {
		return r.Title + " (own)"
	}
	return r.Title
}

// listed tells cases in full.
func (p *page) listed(heading string, results []Result) {
	if len(results) == 0 {
		return
	}
	p.heading(heading, "-")
	for i, result := range results {
		if i > 0 {
			p.gap()
		}
		p.wrap("", "  ", result.ID+": "+result.Title)
		p.wrap("  ", "    ", "Had to happen: "+result.Want)
		p.wrap("  ", "    ", "Happened: "+result.Got)
		if len(result.Requirements) > 0 {
			p.wrap("  ", "    ", "Shows: "+strings.Join(result.Requirements, ", "))
		}
	}
}

// notRun names the cases, gathered by why they were not run.
func (p *page) notRun(results []Result) {
	if len(results) == 0 {
		return
	}
	p.heading("Not run", "-")
	var reasons []string
	because := map[string][]string{}
	for _, result := range results {
		if because[result.Got] == nil {
			reasons = append(reasons, result.Got)
		}
		because[result.Got] = append(because[result.Got], result.ID)
	}
	for _, reason := range reasons {
		p.wrap("", "", "Since "+reason+":")
		p.wrap("  ", "  ", strings.Join(because[reason], ", "))
	}
}

func (p *page) requirements(all []requirement) {
	if len(all) == 0 {
		return
	}
	p.heading("By requirement", "-")
	for _, q := range all {
		p.wrap("", "  ", fmt.Sprintf("%s: %d passed, %d failed, %d differ, %d not run", q.ID, q.Passed, q.Failed, q.Differs, q.NotRun))
	}
}

// wrap writes text in lines that begin with first, then with next. Spaces between
// the columns of a table are kept.
func (p *page) wrap(first, next, text string) {
	line, empty := first, true
	for word := range strings.SplitSeq(strings.TrimSpace(text), " ") {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width {
			p.text.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = next, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	p.text.WriteString(line + "\n")
}
