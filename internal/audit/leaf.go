package audit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// A leaf is the stored form of an entry: one JSON object without white space,
// its fields in the order of visit, empty fields left out. There is exactly one
// leaf for an entry and a sequence number, and the reader accepts no other
// spelling, so nothing can hide in a leaf that another JSON reader would see
// differently.

// leafPrefix opens every leaf of format version 1; the sequence number follows.
const leafPrefix = `{"v":1,"seq":`

const leafTime = "2006-01-02T15:04:05.000Z"

// fields walks the fields of a leaf in their order, writing or reading them.
type fields interface {
	text(key string, v *string)
	instant(key string, v *time.Time)
	count(key string, v *int)
	micros(key string, v *time.Duration)
	flag(key string, v *bool)

	// begin enters an object or a list, if it is there; an empty key means an
	// item of a list. another goes to its next item; there are n so far.
	begin(key string, present bool, bracket byte) bool
	another(i, n int) bool
	end(bracket byte)
}

// visit is the definition of the format: the fields and their order.
func (e *Entry) visit(f fields) {
	f.text("kind", (*string)(&e.Kind))
	f.instant("time", &e.Time)
	f.text("correlation", &e.Correlation)
	f.text("client", &e.Client)
	f.text("organisation", &e.Organisation)
	f.text("certificate", &e.Certificate)
	f.text("remote", &e.Remote)
	f.text("username", &e.Username)
	list(f, "audit_identities", &e.AuditIdentities, func(i *Identity) {
		if f.begin("", true, '{') {
			f.text("type", &i.Type)
			f.text("uri", &i.URI)
			f.end('}')
		}
	})
	if f.begin("author", e.Author != nil, '{') {
		if e.Author == nil {
			e.Author = new(Author)
		}
		e.Author.visit(f)
		f.end('}')
	}
	f.text("nhs_number", &e.NHSNumber)
	f.text("message_id", &e.MessageID)
	f.text("tracking_id", &e.TrackingID)
	f.text("query_id", &e.QueryID)
	list(f, "spine_message_ids", &e.SpineMessageIDs, func(id *string) { f.text("", id) })
	f.text("outcome", &e.Outcome)
	f.text("code", &e.Code)
	f.text("notified", &e.Notified)
	f.text("reason", &e.Reason)
	f.count("records", &e.Records)
	f.count("accesses", &e.Accesses)
	f.micros("elapsed_us", &e.Elapsed)
	f.text("software", &e.Software)
	f.flag("altered", &e.Altered)
}

func (a *Author) visit(f fields) {
	f.text("form", &a.Form)
	f.text("user_id", &a.UserID)
	f.text("role_profile", &a.RoleProfile)
	f.text("role_code", &a.RoleCode)
	f.text("role_name", &a.RoleName)
	f.text("name", &a.Name)
	f.text("organisation", &a.Organisation)
	f.text("organisation_name", &a.OrganisationName)
	f.text("asid", &a.ASID)
	list(f, "authorities", &a.Authorities, func(p *Authority) {
		if f.begin("", true, '{') {
			f.text("role_code", &p.RoleCode)
			f.text("role_name", &p.RoleName)
			f.text("name", &p.Name)
			f.end('}')
		}
	})
}

func list[T any](f fields, key string, items *[]T, item func(*T)) {
	if !f.begin(key, len(*items) > 0, '[') {
		return
	}
	for i := 0; f.another(i, len(*items)); i++ {
		if i == len(*items) {
			*items = append(*items, *new(T))
		}
		item(&(*items)[i])
	}
	f.end(']')
}

// appendLeaf appends the leaf of the entry that encodeTail wrote, under the
// sequence number seq.
func appendLeaf(b []byte, seq int64, tail []byte) []byte {
	b = append(b, leafPrefix...)
	b = strconv.AppendInt(b, seq, 10)
	return append(b, tail...)
}

// encodeTail writes all of e's leaf that follows the sequence number, which is
// known only when the log commits.
func encodeTail(e Entry) []byte {
	w := writer{buf: make([]byte, 0, 1024), altered: e.Altered}
	e.visit(&w)
	return append(w.buf, '}')
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

func (w *writer) another(i, n int) bool {
	if i < n && i == MaxList {
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
// those of RFC 8785, cut to MaxText bytes of valid UTF-8.
func (w *writer) quote(s string) {
	w.buf = append(w.buf, '"')
	room := MaxText
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			w.altered = true
		}
		room -= utf8.RuneLen(r)
		if room < 0 {
			w.altered = true
			break
		}
		w.buf = appendRune(w.buf, r)
		s = s[size:]
	}
	w.buf = append(w.buf, '"')
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

// ParseLeaf reads a leaf: its sequence number and its entry. It accepts only
// the one form in which the log writes that entry; any other field, order,
// spelling or white space is an error. Errors never quote the leaf.
func ParseLeaf(leaf []byte) (seq int64, e Entry, err error) {
	if len(leaf) > MaxLeaf {
		return 0, Entry{}, fmt.Errorf("audit: a leaf of %d bytes is longer than the limit of %d", len(leaf), MaxLeaf)
	}
	r := reader{rest: leaf}
	r.expect(leafPrefix)
	seq = r.number(0, math.MaxInt64)
	e.visit(&r)
	r.expect("}")
	if len(r.rest) > 0 {
		r.fail("text follows the entry")
	}
	if r.err != nil {
		return 0, Entry{}, fmt.Errorf("audit: leaf, byte %d: %w", len(leaf)-len(r.rest), r.err)
	}
	err = e.check()
	if err != nil {
		return 0, Entry{}, err
	}
	return seq, e, nil
}

// reader reads fields. After the first error it reads nothing more.
type reader struct {
	rest []byte
	bare bool
	err  error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = errors.New(why)
	}
}

// skip moves past s if it comes next.
func (r *reader) skip(s string) bool {
	if r.err != nil || len(r.rest) < len(s) || string(r.rest[:len(s)]) != s {
		return false
	}
	r.rest = r.rest[len(s):]
	return true
}

func (r *reader) expect(s string) {
	if !r.skip(s) {
		r.fail("expected " + strconv.Quote(s))
	}
}

// key moves past a key with its comma and colon, if it comes next.
func (r *reader) key(key string) bool {
	if key == "" {
		return r.err == nil
	}
	before := r.rest
	if (r.bare || r.skip(",")) && r.skip(`"`) && r.skip(key) && r.skip(`":`) {
		r.bare = false
		return true
	}
	r.rest = before
	return false
}

func (r *reader) text(key string, v *string) {
	if !r.key(key) {
		return
	}
	*v = r.quoted()
	if *v == "" && key != "" {
		r.fail("an empty value is left out")
	}
}

func (r *reader) quoted() string {
	r.expect(`"`)
	start := r.rest
	for r.err == nil && len(r.rest) > 0 && r.rest[0] != '"' && r.rest[0] != '\\' && r.rest[0] >= ' ' {
		r.rest = r.rest[1:]
	}
	s := string(start[:len(start)-len(r.rest)])
	for r.err == nil && !r.skip(`"`) {
		s += string(r.char())
		if len(s) > MaxText {
			break
		}
	}
	if len(s) > MaxText {
		r.fail("a value is too long")
	}
	if !utf8.ValidString(s) {
		r.fail("a value is not UTF-8")
	}
	return s
}

// char reads one character of a string, in its only spelling.
func (r *reader) char() rune {
	c, size := utf8.DecodeRune(r.rest)
	switch {
	case size == 0:
		r.fail("a value does not end")
	case c == utf8.RuneError && size == 1:
		r.fail("a value is not UTF-8")
	case c >= ' ' && c != '\\':
		r.rest = r.rest[size:]
		return c
	}
	for c := rune(0); c <= '\\'; c++ {
		if (c < ' ' || c == '"' || c == '\\') && r.skip(string(appendRune(nil, c))) {
			return c
		}
	}
	r.fail("a character is not written as it should be")
	return 0
}

func (r *reader) instant(key string, v *time.Time) {
	if !r.key(key) {
		r.fail("expected the time")
		return
	}
	s := r.quoted()
	t, err := time.Parse(leafTime, s)
	if err != nil || t.Format(leafTime) != s {
		r.fail("a time is not written as it should be")
	}
	*v = t
}

func (r *reader) count(key string, v *int) {
	if r.key(key) {
		*v = int(r.number(1, math.MaxInt))
	}
}

func (r *reader) micros(key string, v *time.Duration) {
	if r.key(key) {
		*v = time.Duration(r.number(1, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
	}
}

// number reads a decimal number from least to most that has no needless zeros.
func (r *reader) number(least, most int64) int64 {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(r.rest[:n]), 10, 64)
	if err != nil || v < least || v > most || n > 1 && r.rest[0] == '0' {
		r.fail("a number is not written as it should be")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) flag(key string, v *bool) {
	if r.key(key) {
		r.expect("true")
		*v = true
	}
}

func (r *reader) begin(key string, _ bool, bracket byte) bool {
	if !r.key(key) {
		return false
	}
	r.expect(string(rune(bracket)))
	r.bare = true
	return r.err == nil
}

func (r *reader) another(i, _ int) bool {
	if r.err != nil || i > 0 && !r.skip(",") {
		return false
	}
	if i == MaxList {
		r.fail("a list is too long")
	}
	return r.err == nil
}

func (r *reader) end(bracket byte) {
	r.expect(string(rune(bracket)))
	r.bare = false
}
