package audit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// ParseLeaf reads a leaf: its sequence number and its entry. It accepts only
// the one form in which the log writes that entry; any other field, order,
// spelling or white space is an error. Errors never quote the leaf.
func ParseLeaf(leaf []byte) (seq int64, e Entry, err error) {
	if len(leaf) > MaxLeaf {
		return 0, Entry{}, fmt.Errorf("audit: a leaf of %d bytes is longer than the limit of %d", len(leaf), MaxLeaf)
	}
	r := reader{leaf: leaf}
	if !r.skip(prefix2) {
		r.expect(prefix1)
	}
	seq = r.number(0, math.MaxInt64)
	e.visit(&r)
	r.expect("}")
	if !bytes.HasPrefix(leaf, []byte(e.prefix())) {
		r.fail("the version is not that of the entry")
	}
	if r.at < len(leaf) {
		r.fail("text follows the entry")
	}
	if r.err != nil {
		return 0, Entry{}, fmt.Errorf("audit: leaf, byte %d: %w", r.at, r.err)
	}
	err = e.check()
	if err != nil {
		return 0, Entry{}, err
	}
	return seq, e, nil
}

// reader reads fields. After the first error it reads nothing more.
type reader struct {
	leaf []byte
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
	end := r.at + len(s)
	if r.err != nil || len(r.leaf) < end || string(r.leaf[r.at:end]) != s {
		return false
	}
	r.at = end
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
	before := r.at
	if (r.bare || r.skip(",")) && r.skip(`"`) && r.skip(key) && r.skip(`":`) {
		r.bare = false
		return true
	}
	r.at = before
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
	end := r.at
	for end < len(r.leaf) && r.leaf[end] != '"' && r.leaf[end] != '\\' && r.leaf[end] >= ' ' {
		end++
	}
	s := string(r.leaf[r.at:end])
	r.at = end
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
	c, size := utf8.DecodeRune(r.leaf[r.at:])
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
	end := r.at
	for end < len(r.leaf) && r.leaf[end] >= '0' && r.leaf[end] <= '9' {
		end++
	}
	v, err := strconv.ParseInt(string(r.leaf[r.at:end]), 10, 64)
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
