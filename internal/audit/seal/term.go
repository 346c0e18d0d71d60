package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Term stands for one value of one field in the index of a log: the first 8 bytes of
// a hash. Two values share a term by chance alone, so what a term finds is looked at
// before it is shown.
type Term int64

// Term is the keyed term of a value that is personal, under the newest index key.
// ASCII letters count as capitals.
func (k *Keys) Term(field, value string) Term { return k.index[0].term(field, value) }

// Terms are the terms of a value under each index key, the newest first.
func (k *Keys) Terms(field, value string) []Term {
	terms := make([]Term, len(k.index))
	for i, index := range k.index {
		terms[i] = index.term(field, value)
	}
	return terms
}

func (k IndexKey) term(field, value string) Term {
	hash := derive(k.secret[:], "term "+field, []byte(capitals(value)))
	return short(hash[:])
}

// PublicTerm is the term of a value that stands in clear in the log.
func PublicTerm(field, value string) Term {
	hash := sha256.Sum256([]byte("ward term " + field + "\x00" + capitals(value)))
	return short(hash[:])
}

func short(hash []byte) Term { return Term(binary.BigEndian.Uint64(hash)) }

// capitals turns ASCII letters into capitals and leaves all else.
func capitals(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - ('a' - 'A')
		}
		return r
	}, s)
}
