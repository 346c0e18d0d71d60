package audit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf is a leaf that was read. Of version 3 on, the entry lacks its content.
type Leaf struct {
	Version int
	Seq     int64
	Entry   Entry
}

// ParseLeaf reads a leaf. It accepts only the one form in which the log writes, or
// in an earlier version wrote, that entry; any other field, order, spelling or white
// space is an error. Errors never quote the leaf.
func ParseLeaf(leaf []byte) (Leaf, error) {
	var r LeafReader
	l, err := r.Read(leaf)
	if err != nil {
		return Leaf{}, err
	}
	return *l, nil
}

// LeafReader reads one leaf after another as ParseLeaf does, at less cost. Its zero
// value is ready.
type LeafReader struct {
	r    reader
	leaf Leaf
}

// Read reads a leaf. The result is good until the next call.
func (lr *LeafReader) Read(leaf []byte) (*Leaf, error) {
	if len(leaf) > MaxLeaf {
		return nil, fmt.Errorf("audit: a leaf of %d bytes is longer than the limit of %d", len(leaf), MaxLeaf)
	}
	// One copy, of which the values are parts.
	lr.r = reader{leaf: string(leaf)}
	lr.leaf = Leaf{Version: newestVersion, Entry: Entry{
		SpineMessageIDs: lr.leaf.Entry.SpineMessageIDs[:0], Removed: lr.leaf.Entry.Removed[:0],
	}}
	r, l := &lr.r, &lr.leaf
	for l.Version > 1 && !r.skip(prefixes[l.Version-1]) {
		l.Version--
	}
	if l.Version == 1 {
		r.expect(prefixes[0])
	}
	l.Seq = r.number(0, math.MaxInt64)
	l.Entry.visit(r, l.Version)
	r.expect("}")
	if l.Version == 2 && l.Entry.Subject == "" && l.Entry.Serial == "" && l.Entry.Issuer == "" {
		r.fail("the version is not that of the entry")
	}
	if r.at < len(leaf) {
		r.fail("text follows the entry")
	}
	if r.err != nil {
		return nil, fmt.Errorf("audit: leaf, byte %d: %w", r.at, r.err)
	}
	err := l.Entry.check()
	if err != nil {
		return nil, err
	}
	return l, nil
}

// reader reads fields. After the first error it reads nothing more.
type reader struct {
	leaf string
	at   int // what comes next
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
	if r.err != nil || !strings.HasPrefix(r.leaf[r.at:], s) {
		return false
	}
	r.at += len(s)
	return true
}

func (r *reader) expect(s string) {
	if !r.skip(s) {
		r.fail("expected " + strconv.Quote(s))
	}
}

// key moves past a key with its comma and colon, if it comes next.
func (r *reader) key(key string) bool {
	if key == "" || r.err != nil {
		return r.err == nil
	}
	rest := r.leaf[r.at:]
	if !r.bare {
		if rest == "" || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	// This is asked for every field that an entry could have.
	n := len(key) + 2
	if len(rest) <= n || rest[0] != '"' || rest[1] != key[0] || rest[1:n-1] != key || rest[n-1] != '"' || rest[n] != ':' {
		return false
	}
	r.at = len(r.leaf) - len(rest) + n + 1
	r.bare = false
	return true
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
	end := r.at
	var all byte
	for end < len(r.leaf) && r.leaf[end] != '"' && r.leaf[end] != '\\' && r.leaf[end] >= ' ' {
		all |= r.leaf[end]
		end++
	}
	s := r.leaf[r.at:end]
	r.at = end
	for r.err == nil && !r.skip(`"`) {
		c := r.char()
		all |= byte(min(c, utf8.RuneSelf))
		s += string(c)
		if len(s) > MaxText {
			break
		}
	}
	if len(s) > MaxText {
		r.fail("a value is too long")
	}
	if all >= utf8.RuneSelf && !utf8.ValidString(s) {
		r.fail("a value is not UTF-8")
	}
	return s
}

// char reads one character of a string, in its only spelling.
func (r *reader) char() rune {
	c, size := utf8.DecodeRuneInString(r.leaf[r.at:])
	switch {
	case size == 0:
		r.fail("a value does not end")
	case c == utf8.RuneError && size == 1:
		r.fail("a value is not UTF-8")
	case c >= ' ' && c != '\\':
		r.at += size
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
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !hasForm(s, "0000-00-00T00:00:00.000Z") {
		r.fail("a time is not written as it should be")
	}
	*v = t
}

// hasForm reports whether s is the form with any digits for its zeros.
func hasForm(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if s[i] != form[i] && (form[i] != '0' || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func (r *reader) count(key string, v *int) {
	if r.key(key) {
		*v = int(r.number(1, math.MaxInt))
	}
}

func (r *reader) size(key string, v *int64) {
	if r.key(key) {
		*v = r.number(1, math.MaxInt64)
	}
}

func (r *reader) place(key string, v *int64) {
	if !r.key(key) {
		r.fail("expected a sequence number")
		return
	}
	*v = r.number(0, math.MaxInt64)
}

func (r *reader) micros(key string, v *time.Duration) {
	if r.key(key) {
		*v = time.Duration(r.number(1, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
	}
}

// number reads a decimal number from least to most that has no needless zeros.
func (r *reader) number(least, most int64) int64 {
	end := r.at
	for end < len(r.leaf) && r.leaf[end] >= '0' && r.leaf[end] <= '9' {
		end++
	}
	v, err := strconv.ParseInt(r.leaf[r.at:end], 10, 64)
	if err != nil || v < least || v > most || end > r.at+1 && r.leaf[r.at] == '0' {
		r.fail("a number is not written as it should be")
		return 0
	}
	r.at = end
	return v
}

func (r *reader) flag(key string, v *bool) {
	if r.key(key) {
		r.expect("true")
		*v = true
	}
}

func (r *reader) hash(key string, v *tlog.Hash) {
	if !r.key(key) {
		return
	}
	var h tlog.Hash
	var digits [2 * len(h)]byte
	s := r.quoted()
	copy(digits[:], s)
	_, err := hex.Decode(h[:], digits[:])
	if err != nil || len(s) != len(digits) || strings.ContainsAny(s, "ABCDEF") || h == (tlog.Hash{}) {
		r.fail("a hash is not written as it should be")
		return
	}
	*v = h
}

// object reads a JSON object as it is.
func (r *reader) object(key string, v *json.RawMessage) {
	if !r.key(key) {
		return
	}
	decoder := json.NewDecoder(strings.NewReader(r.leaf[r.at:]))
	err := decoder.Decode(v)
	if err != nil || (*v)[0] != '{' || !strings.HasPrefix(r.leaf[r.at:], string(*v)) {
		r.fail("an object is not written as it should be")
		return
	}
	r.at += len(*v)
}

func (r *reader) begin(key string, _ bool, bracket byte) bool {
	if !r.key(key) {
		return false
	}
	r.expect(string(rune(bracket)))
	r.bare = true
	return r.err == nil
}

func (r *reader) another(i, _, most int) bool {
	if r.err != nil || i > 0 && !r.skip(",") {
		return false
	}
	if i == most {
		r.fail("a list is too long")
	}
	return r.err == nil
}

func (r *reader) end(bracket byte) {
	r.expect(string(rune(bracket)))
	r.bare = false
}
