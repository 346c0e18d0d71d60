package publish

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

const (
	typeCosignature = 4 // of a key, in its hash and its written form: a timestamped Ed25519 cosignature
	timestampSize   = 8 // bytes before the Ed25519 signature

	maxKeyName = 255 // bytes; the log allows a witness a line of about 1 KiB
)

// witnessKey verifies the cosignatures of a witness as C2SP tlog-cosignature
// defines them: the Unix time of signing, big-endian, then an Ed25519 signature
// of that time and the note's text.
type witnessKey struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

// ParseWitnessKey reads the verifier key of a witness, name+hash+base64 as in a
// signed note, of signature type 4.
func ParseWitnessKey(key string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(key, "+")
	hash, encoded, found := strings.Cut(rest, "+")
	if !found {
		return nil, errors.New("a witness's key is its name, its hash and the key in base64, joined by plus signs")
	}
	if !isKeyName(name) {
		return nil, fmt.Errorf("the name of a witness's key is 1 to %d bytes without spaces", maxKeyName)
	}
	typed, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(typed) == 0 {
		return nil, errors.New("a witness's key ends with the key in base64")
	}
	if typed[0] != typeCosignature || len(typed) != 1+ed25519.PublicKeySize {
		return nil, errors.New("a witness's key must be of type 4, an Ed25519 key for cosignatures; this is of another type")
	}
	given, err := strconv.ParseUint(hash, 16, 32)
	if err != nil || len(hash) != 8 || uint32(given) != keyHash(name, typed[1:]) {
		return nil, errors.New("the hash in a witness's key is not that of its name and key; copy the key again")
	}
	return &witnessKey{name: name, hash: uint32(given), public: typed[1:]}, nil
}

func isKeyName(name string) bool {
	return name != "" && len(name) <= maxKeyName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func keyHash(name string, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%c%s", name, typeCosignature, public))
	return binary.BigEndian.Uint32(sum[:])
}

// Name implements note.Verifier.
func (k *witnessKey) Name() string { return k.name }

// KeyHash implements note.Verifier.
func (k *witnessKey) KeyHash() uint32 { return k.hash }

// Verify implements note.Verifier.
func (k *witnessKey) Verify(text, signature []byte) bool {
	if len(signature) != timestampSize+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	if seconds > math.MaxInt64 {
		return false
	}
	signed := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text)
	return ed25519.Verify(k.public, signed, signature[timestampSize:])
}
