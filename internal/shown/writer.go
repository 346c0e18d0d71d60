package shown

import "unicode/utf8"

// writer writes JSON on one line, and leaves empty fields out. It is by hand since
// every question waits for it.
type writer struct {
	buf  []byte
	bare bool // nothing has been written yet in this object
}

func (w *writer) key(key string) {
	if !w.bare {
		w.buf = append(w.buf, ',')
	}
	w.bare = false
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) text(key, v string) {
	if v != "" {
		w.key(key)
		w.quote(v)
	}
}

func (w *writer) flag(key string, v bool) {
	if v {
		w.key(key)
		w.buf = append(w.buf, "true"...)
	}
}

// object writes the object that fill fills, unless it stays empty.
func (w *writer) object(key string, fill func()) {
	before, bare := len(w.buf), w.bare
	w.key(key)
	w.braces(fill)
	if w.buf[len(w.buf)-2] == '{' {
		w.buf, w.bare = w.buf[:before], bare
	}
}

func (w *writer) braces(fill func()) {
	w.buf = append(w.buf, '{')
	w.bare = true
	fill()
	w.buf = append(w.buf, '}')
	w.bare = false
}

// list writes a list of objects, unless it has none.
func list[T any](w *writer, key string, items []T, fill func(T)) {
	if len(items) == 0 {
		return
	}
	w.key(key)
	for i, item := range items {
		w.buf = append(w.buf, "[,"[min(i, 1)])
		w.braces(func() { fill(item) })
	}
	w.buf = append(w.buf, ']')
}

// quote writes s as a JSON string with the fewest escapes that JSON allows, those of
// RFC 8785, and U+FFFD for each byte that is not UTF-8.
func (w *writer) quote(s string) {
	w.buf = append(w.buf, '"')
	written := 0
	for i, r := range s {
		if r >= ' ' && r != '"' && r != '\\' && r != utf8.RuneError {
			continue
		}
		w.buf = append(w.buf, s[written:i]...)
		w.escape(r)
		_, size := utf8.DecodeRuneInString(s[i:])
		written = i + size
	}
	w.buf = append(w.buf, s[written:]...)
	w.buf = append(w.buf, '"')
}

func (w *writer) escape(r rune) {
	const digits = "0123456789abcdef"
	switch r {
	case utf8.RuneError:
		w.buf = append(w.buf, "\uFFFD"...)
	case '"', '\\':
		w.buf = append(w.buf, '\\', byte(r))
	case '\b':
		w.buf = append(w.buf, `\b`...)
	case '\t':
		w.buf = append(w.buf, `\t`...)
	case '\n':
		w.buf = append(w.buf, `\n`...)
	case '\f':
		w.buf = append(w.buf, `\f`...)
	case '\r':
		w.buf = append(w.buf, `\r`...)
	default:
		w.buf = append(w.buf, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
	}
}
