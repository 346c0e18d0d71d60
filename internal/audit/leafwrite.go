package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// encoded is an entry as it is kept: a leaf without its sequence number, which is
// known only when the log commits, the sealed content, and the terms by which the
// entry is found.
type encoded struct {
	tail   []byte
	sealed []byte // nil without a content
	terms  []seal.Term
}

// encode writes an entry in the newest version.
func encode(e Entry, keys *seal.Keys) (encoded, error) {
	personal := e.personalTerms(keys)
	sealed, altered, err := e.sealContent(keys, personal)
	if err != nil {
		return encoded{}, err
	}
	e.Content = tlog.Hash{} // an entry that was made of another brings that one's
	if sealed != nil {
		e.Content = sha256.Sum256(sealed)
	}
	w := writer{buf: make([]byte, 0, 768), altered: e.Altered || altered}
	e.visit(&w, newestVersion)
	return encoded{tail: append(w.buf, '}'), sealed: sealed, terms: set(append(personal, e.publicTerms()...))}, nil
}

// leaf is the whole leaf under the sequence number seq.
func (c encoded) leaf(seq int64) []byte {
	const prefix = newestVersion - 1
	b := make([]byte, 0, len(prefixes[prefix])+len(c.tail)+19)
	b = append(b, prefixes[prefix]...)
	b = strconv.AppendInt(b, seq, 10)
	return append(b, c.tail...)
}

// writer writes fields. The first field of a leaf follows the sequence number,
// so it begins with a comma like the others.
type writer struct {
	buf     []byte
	bare    bool // nothing has been written yet in this object
	altered bool // a value was cut or repaired
}

func (w *writer) key(key string) {
	if key == "" {
		return
	}
	if !w.bare {
		w.buf = append(w.buf, ',')
	}
	w.bare = false
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) text(key string, v *string) {
	if *v == "" && key != "" {
		return
	}
	w.key(key)
	w.quote(*v)
}

func (w *writer) instant(key string, v *time.Time) {
	w.key(key)
	w.buf = append(w.buf, '"')
	w.buf = v.UTC().AppendFormat(w.buf, leafTime)
	w.buf = append(w.buf, '"')
}

func (w *writer) count(key string, v *int) { w.number(key, int64(*v)) }

func (w *writer) micros(key string, v *time.Duration) { w.number(key, v.Microseconds()) }

func (w *writer) size(key string, v *int64) { w.number(key, *v) }

func (w *writer) place(key string, v *int64) {
	w.key(key)
	w.buf = strconv.AppendInt(w.buf, max(0, *v), 10)
}

func (w *writer) number(key string, v int64) {
	if v > 0 {
		w.key(key)
		w.buf = strconv.AppendInt(w.buf, v, 10)
	}
}

func (w *writer) flag(key string, v *bool) {
	if *v || w.altered {
		w.key(key)
		w.buf = append(w.buf, "true"...)
	}
}

func (w *writer) begin(key string, present bool, bracket byte) bool {
	if !present {
		return false
	}
	w.key(key)
	w.buf = append(w.buf, bracket)
	w.bare = true
	return true
}

func (w *writer) hash(key string, v *tlog.Hash) {
	if *v == (tlog.Hash{}) {
		return
	}
	w.key(key)
	w.buf = append(w.buf, '"')
	w.buf = hex.AppendEncode(w.buf, v[:])
	w.buf = append(w.buf, '"')
}

// object writes a JSON object as it is. What is not one, or too long, becomes {}.
func (w *writer) object(key string, v *json.RawMessage) {
	if len(*v) == 0 {
		return
	}
	w.key(key)
	if len(*v) > MaxDetail || (*v)[0] != '{' || !utf8.Valid(*v) || !json.Valid(*v) {
		w.altered = true
		w.buf = append(w.buf, "{}"...)
		return
	}
	w.buf = append(w.buf, *v...)
}

func (w *writer) another(i, n, most int) bool {
	if i < n && i == most {
		w.altered = true
		return false
	}
	if i < n && i > 0 {
		w.buf = append(w.buf, ',')
	}
	return i < n
}

func (w *writer) end(bracket byte) {
	w.buf = append(w.buf, bracket)
	w.bare = false
}

// quote writes s as a JSON string with the fewest escapes that JSON allows,
// those of RFC 8785, made to fit.
func (w *writer) quote(s string) {
	s, altered := fit(s)
	w.altered = w.altered || altered
	w.buf = append(w.buf, '"')
	for _, r := range s {
		w.buf = appendRune(w.buf, r)
	}
	w.buf = append(w.buf, '"')
}

// fit returns s as it is kept: with U+FFFD for each byte that is not UTF-8, and
// cut to at most MaxText bytes between characters.
func fit(s string) (kept string, altered bool) {
	if len(s) <= MaxText && utf8.ValidString(s) {
		return s, false
	}
	var b []byte
	for _, r := range s {
		if len(b)+utf8.RuneLen(r) > MaxText {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b), true
}

// escapes are the characters with an escape of two characters.
var escapes = [...]struct{ char, letter byte }{
	{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'},
}

func appendRune(b []byte, r rune) []byte {
	if r >= ' ' && r != '"' && r != '\\' {
		return utf8.AppendRune(b, r)
	}
	for _, e := range escapes {
		if rune(e.char) == r {
			return append(b, '\\', e.letter)
		}
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
}
