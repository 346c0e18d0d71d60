package evidence

import (
	"bytes"
	"encoding/base64"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// maxLine is the greatest length of a line. An entry with all that it can hold fits.
const maxLine = 1 << 21

var (
	errForm    = errors.New("it is not written as it should be")
	errContent = errors.New("it does not have the content that belongs to it: it was changed")
)

// perhaps stands for the choice of contents of a proof of one entry, which does not
// say whether a sealed content is opened.
const perhaps Contents = ""

// line is the line of one entry. Its parts are good until the next is read.
type line struct {
	room []byte // for what is decoded

	hash    tlog.Hash        // in a range
	proof   tlog.RecordProof // in a selection
	sealed  []byte           // nil if it is not there
	content []byte           // to which the key that is there opens it; nil if none is
	leaf    []byte
}

// read reads a line without its newline, in the only spelling.
func (l *line) read(b []byte, selection bool, contents Contents) error {
	c := cursor{b}
	ok := false
	if selection {
		ok = c.skip(`{"proof":[`) && l.readProof(&c) && c.skip(`],`)
	} else {
		ok = c.skip(`{"hash":`) && readHash(&c, (*[32]byte)(&l.hash)) && c.skip(`,`)
	}
	if !ok {
		return errForm
	}
	return l.readEntry(&c, contents)
}

// readEntry reads what follows the hash or the proof.
func (l *line) readEntry(c *cursor, contents Contents) error {
	l.sealed, l.content = nil, nil
	if contents != None && c.skip(`"sealed":"`) {
		encoded, rest, ok := bytes.Cut(c.rest, []byte(`",`))
		if !ok || len(encoded) == 0 || !l.decode(encoded) {
			return errForm
		}
		c.rest = rest
	}
	opened := l.sealed != nil && (contents == Opened || contents == perhaps)
	if opened && !c.skip(locked) && (contents == Opened || bytes.HasPrefix(c.rest, []byte(`"key":`))) {
		err := l.readContent(c)
		if err != nil {
			return err
		}
	}
	if !c.skip(`"leaf":`) || !bytes.HasSuffix(c.rest, []byte("}")) {
		return errForm
	}
	l.leaf = c.rest[:len(c.rest)-1]
	return nil
}

func (l *line) readProof(c *cursor) bool {
	l.proof = l.proof[:0]
	for bytes.HasPrefix(c.rest, []byte(`"`)) {
		var h tlog.Hash
		if len(l.proof) == 63 || !readHash(c, (*[32]byte)(&h)) {
			return false
		}
		l.proof = append(l.proof, h)
		if !c.skip(`,`) {
			return true
		}
	}
	return len(l.proof) == 0
}

// readHash reads 32 bytes in base64 between quotes.
func readHash(c *cursor, into *[32]byte) bool {
	const encoded = 44
	if len(c.rest) < encoded+2 || c.rest[0] != '"' || c.rest[encoded+1] != '"' {
		return false
	}
	var room [33]byte
	n, ok := decode(room[:], c.rest[1:encoded+1])
	if !ok || n != len(into) {
		return false
	}
	copy(into[:], room[:])
	c.rest = c.rest[encoded+2:]
	return true
}

func (l *line) decode(encoded []byte) bool {
	if n := base64.StdEncoding.DecodedLen(len(encoded)); n > len(l.room) {
		l.room = make([]byte, 2*n)
	}
	n, ok := decode(l.room, encoded)
	l.sealed = l.room[:n]
	return ok
}

// decode decodes base64 in the only spelling: Go's decoder passes over line breaks,
// and over bits at the end that stand for nothing.
func decode(into, encoded []byte) (int, bool) {
	n, err := base64.StdEncoding.Decode(into, encoded)
	if err != nil || base64.StdEncoding.EncodedLen(n) != len(encoded) {
		return 0, false
	}
	var last [4]byte
	base64.StdEncoding.Encode(last[:], into[(n-1)/3*3:n])
	return n, n == 0 || bytes.HasSuffix(encoded, last[:])
}

// readContent opens the sealed content and compares.
func (l *line) readContent(c *cursor) error {
	var key seal.EntryKey
	if !c.skip(`"key":`) || !readHash(c, (*[32]byte)(&key)) || !c.skip(`,"content":`) {
		return errForm
	}
	content, err := open(key, l.sealed)
	if err != nil {
		return err
	}
	if !c.skip(string(content)) || !c.skip(`,`) {
		return errors.New("the content is not the one that was sealed")
	}
	l.content = content
	return nil
}

// cursor is what is still to be read of a line.
type cursor struct{ rest []byte }

// skip moves past s if it comes next.
func (c *cursor) skip(s string) bool {
	if len(c.rest) < len(s) || string(c.rest[:len(s)]) != s {
		return false
	}
	c.rest = c.rest[len(s):]
	return true
}
