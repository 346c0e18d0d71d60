// Package seal keeps personal data apart from the audit log's tree. The content of
// an entry is encrypted under a key of its own; the tree holds only a hash of the
// result. So anybody can verify the log without reading it, and content can be
// destroyed without touching the tree.
//
// A sealed content also carries search terms: keyed hashes of the identifiers in it,
// by which entries are found without being opened.
//
// Everything here is in terms of HMAC-SHA256 and AES-256-GCM. The form is described
// in docs/audit-log.md.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A sealed content is
//
//	version     1 byte, 1
//	key id      4 bytes, of the sealing key
//	salt        32 bytes, random: it makes the entry's key out of the sealing key
//	commitment  32 bytes, of the entry's key: without it, one who holds the sealing
//	            key could make a content that opens to two different things
//	terms       1 byte, their number; then 8 bytes each
//	the content under AES-256-GCM with the entry's key, a nonce of zeros and
//	everything before it as additional data
const (
	version  = 1
	idSize   = 4
	saltSize = 32
	termSize = 8
	fixed    = 1 + idSize + saltSize + sha256.Size + 1 // bytes before the terms

	// MaxTerms is how many terms one sealed content can carry.
	MaxTerms = 255
)

var (
	// ErrNoKey is returned where the sealing key of a content is not at hand.
	ErrNoKey = errors.New("the key under which the content was sealed is not at hand")
	// ErrForm is returned for what is not a sealed content.
	ErrForm = errors.New("it is not a sealed content")
	// ErrChanged is returned for a content that does not open with its key.
	ErrChanged = errors.New("the content does not open: it or its key was changed")
)

// EntryKey is the key of one sealed content. It opens that content and no other, and
// may be handed to whoever is entitled to read that one entry.
type EntryKey [sha256.Size]byte

// Seal encrypts a content with the newest sealing key. The terms, at most MaxTerms,
// are kept beside it in clear.
func (k *Keys) Seal(content []byte, terms []Term) ([]byte, error) {
	if len(terms) > MaxTerms {
		return nil, errors.New("seal: too many terms")
	}
	newest := k.sealing[0]
	head := fixed + len(terms)*termSize
	sealed := make([]byte, 0, head+len(content)+16)
	sealed = append(sealed, version)
	sealed = append(sealed, newest.id[:]...)
	sealed = append(sealed, make([]byte, saltSize)...)
	salt := sealed[1+idSize:]
	_, err := rand.Read(salt)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	key := newest.entryKey(salt)
	commitment := key.commitment()
	sealed = append(sealed, commitment[:]...)
	sealed = append(sealed, byte(len(terms)))
	for _, term := range terms {
		sealed = binary.BigEndian.AppendUint64(sealed, uint64(term))
	}
	aead, err := key.aead()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead.Seal(sealed, make([]byte, aead.NonceSize()), content, sealed), nil
}

// Open decrypts a sealed content.
func (k *Keys) Open(sealed []byte) ([]byte, error) {
	key, err := k.EntryKey(sealed)
	if err != nil {
		return nil, err
	}
	return key.Open(sealed)
}

// EntryKey returns the key of one sealed content. A nil Keys has none.
func (k *Keys) EntryKey(sealed []byte) (EntryKey, error) {
	if len(sealed) < fixed || sealed[0] != version {
		return EntryKey{}, fmt.Errorf("seal: %w", ErrForm)
	}
	if k == nil {
		return EntryKey{}, fmt.Errorf("seal: %w", ErrNoKey)
	}
	for _, sealing := range k.sealing {
		if string(sealing.id[:]) == string(sealed[1:1+idSize]) {
			return sealing.entryKey(sealed[1+idSize : 1+idSize+saltSize]), nil
		}
	}
	return EntryKey{}, fmt.Errorf("seal: %w (its id is %x)", ErrNoKey, sealed[1:1+idSize])
}

// Open decrypts the sealed content to which the key belongs.
func (key EntryKey) Open(sealed []byte) ([]byte, error) {
	head, err := headSize(sealed)
	if err != nil {
		return nil, err
	}
	commitment := key.commitment()
	if !hmac.Equal(commitment[:], sealed[1+idSize+saltSize:fixed-1]) {
		return nil, fmt.Errorf("seal: %w", ErrChanged)
	}
	aead, err := key.aead()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	content, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[head:], sealed[:head])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", ErrChanged)
	}
	return content, nil
}

// Terms returns the terms that a sealed content carries. It needs no key.
func Terms(sealed []byte) ([]Term, error) {
	head, err := headSize(sealed)
	if err != nil {
		return nil, err
	}
	terms := make([]Term, 0, (head-fixed)/termSize)
	for at := fixed; at < head; at += termSize {
		terms = append(terms, Term(binary.BigEndian.Uint64(sealed[at:])))
	}
	return terms, nil
}

// headSize is the number of bytes before the encrypted content.
func headSize(sealed []byte) (int, error) {
	if len(sealed) < fixed || sealed[0] != version {
		return 0, fmt.Errorf("seal: %w", ErrForm)
	}
	head := fixed + int(sealed[fixed-1])*termSize
	if len(sealed) < head {
		return 0, fmt.Errorf("seal: %w", ErrForm)
	}
	return head, nil
}

func (key EntryKey) commitment() [sha256.Size]byte { return derive(key[:], "commitment", nil) }

func (key EntryKey) aead() (cipher.AEAD, error) {
	encryption := derive(key[:], "encryption", nil)
	block, err := aes.NewCipher(encryption[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// derive makes a value out of a key for one purpose.
func derive(key []byte, purpose string, data []byte) (derived [sha256.Size]byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write(data)
	mac.Sum(derived[:0])
	return derived
}
