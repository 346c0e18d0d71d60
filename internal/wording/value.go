package wording

import (
	"strings"
	"time"
	"unicode"

	"github.com/wardsmsp/ward/cpis"
)

// clean takes from a received text what could move, hide or reverse the text
// around it. Letters of every script stay, and nothing is shortened (H-20).
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || overridesDirection(r) {
			return ' '
		}
		return r
	}, s))
}

func overridesDirection(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// cleanLines makes one line of several.
func cleanLines(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = clean(line)
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// orElse is the cleaned text, or other if nothing is left.
func orElse(s, other string) string {
	s = clean(s)
	if s == "" {
		return other
	}
	return s
}

// clock gives a time as "5:30pm on 5 March 2026", in its own location.
func clock(t time.Time) string {
	if t.IsZero() {
		return "a time that was not recorded"
	}
	return t.Format("3:04pm on 2 January 2006")
}

// officeHours reports whether a local authority is probably in its office: Monday
// to Friday, 9am to 5pm. Bank holidays are not known here; both numbers are
// always shown, so a wrong guess costs only the order.
func officeHours(t time.Time) bool {
	weekday := t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
	return weekday && t.Hour() >= 9 && t.Hour() < 17
}

// day gives the date of a moment as written, never shifted by a zone
// (WRD-SAF-16), as far as it is known: "5 March 2026", "March 2026" or "2026".
func day(m cpis.Moment) string {
	layout, digits := "2 January 2006", 8
	switch m.Precision {
	case cpis.ToYear:
		layout, digits = "2006", 4
	case cpis.ToMonth:
		layout, digits = "January 2006", 6
	case 0:
		return clean(m.Written)
	}
	if len(m.Written) >= digits {
		written, err := time.Parse("20060102"[:digits], m.Written[:digits])
		if err == nil {
			return written.Format(layout)
		}
	}
	return m.Time.Format(layout)
}

// instant gives the time of an access in the United Kingdom.
func (s scene) instant(m cpis.Moment) string {
	switch {
	case clean(m.Written) == "":
		return "Time not given"
	case m.Precision == 0:
		return "Time recorded as " + day(m)
	case m.Precision < cpis.ToHour:
		return day(m) + " (time of day not given)"
	}
	t := m.Time
	if s.Location != nil {
		t = t.In(s.Location)
	}
	if m.ZoneAssumed {
		return clock(t) + " (time zone assumed, may be one hour out)"
	}
	return clock(t)
}
