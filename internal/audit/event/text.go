package event

import (
	"strings"
	"unicode"
)

// text is s as an event may hold it. Clients' text can hold what XML cannot carry
// and what could pass for the end of a line in a collector; text of nothing but
// white space would count as missing in FHIR.
func text(s string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\uFFFE' || r == '\uFFFF' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if clean != "" && strings.TrimSpace(clean) == "" {
		return string(unicode.ReplacementChar)
	}
	return clean
}
