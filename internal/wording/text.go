package wording

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Text writes the document for a terminal or a plain file, without colour,
// wrapped at width characters (0 or less: 80). Words are never cut, and numbers
// in groups of digits never broken, even if that makes a line longer. It returns
// the error of w.
func (d Document) Text(w io.Writer, width int) error {
	if width <= 0 {
		width = 80
	}
	p := page{width: width}
	p.paragraph(d.Notice)
	p.paragraph(d.Label)
	p.gap()
	p.heading(d.Heading, "=")
	p.paragraph(d.Lead)
	p.gap()
	p.lines(d.Identity.Lines)
	p.paragraph(d.Identity.Check)
	for _, plan := range d.Plans {
		p.plan(plan)
	}
	for _, block := range d.Advice {
		p.block(block)
	}
	for _, note := range d.Notes {
		p.gap()
		p.paragraph(note)
	}
	p.history(d.History)
	p.gap()
	for _, line := range d.Footer {
		p.paragraph(line)
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// page collects lines of limited width.
type page struct {
	text  strings.Builder
	width int
}

func (p *page) gap() { p.text.WriteByte('\n') }

func (p *page) heading(text, rule string) {
	if text == "" {
		return
	}
	p.paragraph(text)
	p.text.WriteString(strings.Repeat(rule, min(utf8.RuneCountInString(text), p.width)) + "\n")
}

func (p *page) paragraph(text string) { p.wrap("", "", text) }

func (p *page) points(points []string) {
	for _, point := range points {
		p.wrap("- ", "  ", point)
	}
}

func (p *page) lines(lines []Line) {
	for _, line := range lines {
		p.wrap("", "  ", line.Label+": "+line.Value)
	}
}

func (p *page) block(b Block) {
	p.gap()
	p.heading(b.Heading, "-")
	p.paragraph(b.Intro)
	p.points(b.Points)
}

func (p *page) plan(plan PlanText) {
	p.gap()
	p.heading(plan.Heading, "-")
	for _, sentence := range plan.Sentences {
		p.paragraph(sentence)
	}
	p.lines(plan.Lines)
	for _, block := range plan.Advice {
		p.paragraph(block.Heading + ":")
		p.points(block.Points)
	}
}

func (p *page) history(h *History) {
	if h == nil {
		return
	}
	p.gap()
	p.heading(h.Heading, "-")
	p.paragraph(h.Note)
	for _, line := range h.Lines {
		p.wrap("- ", "  ", line.String())
	}
	if len(h.Lines) == 0 {
		p.paragraph("The answer did not list any checks.")
	}
}

// wrap writes text in lines that begin with first, then with next. Width is
// counted in characters; a terminal may show some scripts wider.
func (p *page) wrap(first, next, text string) {
	line := first
	empty := true
	for _, word := range unbreakable(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width {
			p.text.WriteString(line + "\n")
			line, empty = next, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	if !empty {
		p.text.WriteString(line + "\n")
	}
}

// unbreakable splits text at spaces, but not inside an NHS number or a phone
// number (H-02).
func unbreakable(text string) []string {
	var words []string
	for _, word := range strings.Fields(text) {
		last := len(words) - 1
		if last >= 0 && endsInNumber(words[last]) && beginsNumber(word) {
			words[last] += " " + word
			continue
		}
		words = append(words, word)
	}
	return words
}

func endsInNumber(s string) bool { return strings.ContainsRune("0123456789)", rune(s[len(s)-1])) }

func beginsNumber(s string) bool { return strings.ContainsRune("0123456789(+", rune(s[0])) }
