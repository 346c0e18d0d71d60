package reading

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

var errCursor = errors.New("the cursor is not one of this search; search again without it")

// cursor says where the next page of a search begins. What is recorded meanwhile does
// not change what it holds.
type cursor struct {
	size   int64 // entries that are searched: those there were at the first page
	before int64 // the sequence number of the last entry shown
}

// name names criteria in cursors. It is keyed, since a cursor may come to stand
// in an address or a log, where a hash of an NHS number would be as good as the number.
func (c Criteria) name(keys *seal.Keys) (uint64, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	return uint64(keys.Term("cursor", string(text))), nil
}

func (c cursor) encode(name uint64) string {
	b := binary.BigEndian.AppendUint64(nil, name)
	b = binary.AppendUvarint(b, uint64(c.size))
	b = binary.AppendUvarint(b, uint64(c.before))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads a cursor of the criteria with this name over a log that now has
// size entries.
func parseCursor(text string, name uint64, size int64) (cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 8 || binary.BigEndian.Uint64(b) != name {
		return cursor{}, errCursor
	}
	searched, n := binary.Uvarint(b[8:])
	if n <= 0 || searched > uint64(size) {
		return cursor{}, errCursor
	}
	before, m := binary.Uvarint(b[8+n:])
	if m <= 0 || 8+n+m != len(b) || before > searched {
		return cursor{}, errCursor
	}
	return cursor{size: int64(searched), before: int64(before)}, nil
}
