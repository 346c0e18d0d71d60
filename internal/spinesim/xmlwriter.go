package spinesim

import "unicode/utf8"

// xmlWriter appends XML to a buffer, elements of the HL7 namespace under a
// prefix that may be empty.
type xmlWriter struct {
	buf    []byte
	prefix string // "" or "hl7:"
}

// raw appends markup as it is.
func (w *xmlWriter) raw(s string) { w.buf = append(w.buf, s...) }

// open starts an HL7 element; attributes are pairs of name and value, a pair
// with an empty name is left out.
func (w *xmlWriter) open(name string, attributes ...string) {
	w.tag(name, attributes)
	w.buf = append(w.buf, '>')
}

// empty writes an HL7 element without content.
func (w *xmlWriter) empty(name string, attributes ...string) {
	w.tag(name, attributes)
	w.buf = append(w.buf, '/', '>')
}

// leaf writes an HL7 element that holds text.
func (w *xmlWriter) leaf(name, text string) {
	w.tag(name, nil)
	w.buf = append(w.buf, '>')
	w.text(text)
	w.close(name)
}

// close ends HL7 elements, the innermost first.
func (w *xmlWriter) close(names ...string) {
	for _, name := range names {
		w.buf = append(w.buf, '<', '/')
		w.buf = append(w.buf, w.prefix...)
		w.buf = append(w.buf, name...)
		w.buf = append(w.buf, '>')
	}
}

func (w *xmlWriter) tag(name string, attributes []string) {
	w.buf = append(w.buf, '<')
	w.buf = append(w.buf, w.prefix...)
	w.buf = append(w.buf, name...)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i] == "" {
			continue
		}
		w.buf = append(w.buf, ' ')
		w.buf = append(w.buf, attributes[i]...)
		w.buf = append(w.buf, '=', '"')
		w.text(attributes[i+1])
		w.buf = append(w.buf, '"')
	}
}

// text appends character data, escaped for both content and attributes;
// characters that XML forbids become U+FFFD.
func (w *xmlWriter) text(s string) {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		var escaped string
		width := 1
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			width = size
			if r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
				escaped = "\uFFFD"
			}
		case c == '&':
			escaped = "&amp;"
		case c == '<':
			escaped = "&lt;"
		case c == '>':
			escaped = "&gt;"
		case c == '"':
			escaped = "&quot;"
		case c == '\t':
			escaped = "&#9;"
		case c == '\n':
			escaped = "&#10;"
		case c == '\r':
			escaped = "&#13;"
		case c < 0x20:
			escaped = "\uFFFD"
		}
		if escaped != "" {
			w.buf = append(w.buf, s[start:i]...)
			w.buf = append(w.buf, escaped...)
			start = i + width
		}
		i += width
	}
	w.buf = append(w.buf, s[start:]...)
}
