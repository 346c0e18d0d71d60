package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A key file is one line: what it is for, and 32 random bytes in standard base64.
const (
	sealingPrefix = "WARD-SEALING-KEY-1 "
	indexPrefix   = "WARD-INDEX-KEY-1 "
	keySize       = 32
)

// SealingKey is a key from which those of entries are made.
type SealingKey struct {
	id     [idSize]byte
	secret [keySize]byte
}

// IndexKey is a key of search terms.
type IndexKey struct{ secret [keySize]byte }

// Keys are the keys of a log. The newest of each seals and indexes; the others open
// what they sealed, and find what they indexed, before.
type Keys struct {
	sealing []SealingKey
	index   []IndexKey
}

// NewKeys returns Keys of which the first of each kind is the newest.
func NewKeys(sealing []SealingKey, index []IndexKey) (*Keys, error) {
	if len(sealing) == 0 || len(index) == 0 {
		return nil, errors.New("seal: at least one sealing key and one index key are needed")
	}
	for i, key := range sealing {
		if slices.ContainsFunc(sealing[:i], func(other SealingKey) bool { return other.id == key.id }) {
			return nil, errors.New("seal: a sealing key is given twice")
		}
	}
	return &Keys{sealing: slices.Clone(sealing), index: slices.Clone(index)}, nil
}

// GenerateSealingKey makes the content of the file of a new sealing key.
func GenerateSealingKey(random io.Reader) (string, error) { return generate(sealingPrefix, random) }

// GenerateIndexKey makes the content of the file of a new index key.
func GenerateIndexKey(random io.Reader) (string, error) { return generate(indexPrefix, random) }

func generate(prefix string, random io.Reader) (string, error) {
	secret := make([]byte, keySize)
	_, err := io.ReadFull(random, secret)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return prefix + base64.StdEncoding.EncodeToString(secret), nil
}

// ParseSealingKey reads the content of a sealing key's file.
func ParseSealingKey(file string) (SealingKey, error) {
	secret, err := parse(sealingPrefix, file)
	if err != nil {
		return SealingKey{}, err
	}
	k := SealingKey{secret: secret}
	sum := sha256.Sum256(append([]byte("ward sealing key\x00"), secret[:]...))
	copy(k.id[:], sum[:])
	return k, nil
}

// ParseIndexKey reads the content of an index key's file.
func ParseIndexKey(file string) (IndexKey, error) {
	secret, err := parse(indexPrefix, file)
	return IndexKey{secret}, err
}

// parse never quotes what it read.
func parse(prefix, file string) (secret [keySize]byte, err error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(file), prefix)
	if !ok {
		return secret, fmt.Errorf("seal: a key file must begin with %q", strings.TrimSpace(prefix))
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(decoded) != keySize {
		return secret, fmt.Errorf("seal: a key file must hold %d bytes in base64", keySize)
	}
	copy(secret[:], decoded)
	return secret, nil
}

// ID names a sealing key without telling anything about it: 8 hexadecimal digits.
func (k SealingKey) ID() string { return hex.EncodeToString(k.id[:]) }

// ID names an index key without telling anything about it: 8 hexadecimal digits.
func (k IndexKey) ID() string {
	sum := sha256.Sum256(append([]byte("ward index key\x00"), k.secret[:]...))
	return hex.EncodeToString(sum[:idSize])
}

// IndexIDs are the ids of the index keys, the newest first.
func (k *Keys) IndexIDs() []string {
	all := make([]string, len(k.index))
	for i, key := range k.index {
		all[i] = key.ID()
	}
	return all
}

func (k SealingKey) entryKey(salt []byte) EntryKey { return derive(k.secret[:], "entry", salt) }
