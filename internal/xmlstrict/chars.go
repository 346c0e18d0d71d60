package xmlstrict

import (
	"strings"
	"unicode/utf8"
)

// What a byte can be. Bytes of non-ASCII characters are plain, except 0xEF,
// which begins the two characters that XML forbids, U+FFFE and U+FFFF.
const (
	nameStart uint8 = 1 << iota // ASCII start of a name, colon excluded
	nameByte                    // ASCII inside a name, colon excluded
	space                       // S in the grammar
	textStop                    // needs a closer look in text
	valueStop                   // needs a closer look in an attribute value
	plainStop                   // needs a closer look in comments and CDATA sections
	uriByte                     // in a namespace name, percent excluded
	escaped                     // needs a closer look when written
)

var class = classify()

func classify() (table [256]uint8) {
	set := func(bytes string, bits uint8) {
		for i := range len(bytes) {
			table[bytes[i]] |= bits
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const digits = "0123456789"
	set(letters+"_", nameStart)
	set(letters+"_"+digits+"-.", nameByte)
	set(" \t\r\n", space)
	set("<&]\r\xEF", textStop)
	set("<&\"'\t\r\n\xEF", valueStop)
	set("\xEF", plainStop)
	set("<>&\"\t\r\n", escaped)
	for c := utf8.RuneSelf; c < len(table); c++ {
		table[c] |= escaped
	}
	set(letters+digits+"-._~!$'()*+,;=:@/?#", uriByte)
	for c := range byte(' ') {
		if c != '\t' && c != '\n' && c != '\r' {
			table[c] |= textStop | valueStop | plainStop | escaped
		}
	}
	return table
}

func is(c, bits uint8) bool { return class[c]&bits != 0 }

// forbiddenAt reports whether the character at i is one that XML cannot carry,
// in a string that is valid UTF-8.
func forbiddenAt(s string, i int) bool {
	c := s[i]
	if c == 0xEF {
		return s[i+1] == 0xBF && s[i+2] >= 0xBE
	}
	return c < ' ' && !is(c, space)
}

// isChar reports whether r matches Char: what a character reference may name.
func isChar(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	case r < 0xE000:
		return false
	case r < 0x10000:
		return r != 0xFFFE && r != 0xFFFF
	}
	return r <= utf8.MaxRune
}

// ncName returns the end of the name without colon that begins at i, or i if
// there is none.
func ncName(s string, i int) int {
	start := i
	if i < len(s) && is(s[i], nameStart) {
		for i < len(s) && is(s[i], nameByte) {
			i++
		}
	}
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if !is(c, nameByte) || i == start {
				break
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isNameStartRune(r) && (i == start || !isNameRune(r)) || r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

// isNameStartRune covers NameStartChar outside ASCII.
func isNameStartRune(r rune) bool {
	switch {
	case r < 0xC0:
		return false
	case r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case r <= 0x1FFF:
		return r >= 0x370 && r != 0x37E
	case r <= 0x218F:
		return r >= 0x2070 || r == 0x200C || r == 0x200D
	case r <= 0x2FEF:
		return r >= 0x2C00
	case r <= 0xD7FF:
		return r >= 0x3001
	case r <= 0xFDCF:
		return r >= 0xF900
	case r <= 0xFFFD:
		return r >= 0xFDF0
	}
	return r >= 0x10000 && r <= 0xEFFFF
}

// isNameRune covers what NameChar adds to NameStartChar outside ASCII.
func isNameRune(r rune) bool {
	return r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// TrimSpace takes off both ends what XML calls white space: spaces, tabs and line
// ends. Other characters that look like nothing are text, and not ours to drop.
func TrimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

func allSpace(s string) bool {
	for i := range len(s) {
		if !is(s[i], space) {
			return false
		}
	}
	return true
}

// span is where something stands in a text. It has no pointer, unlike a string, so
// that noting one costs the garbage collector nothing.
type span struct{ start, end int }
