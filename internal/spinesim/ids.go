package spinesim

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	mathrand "math/rand/v2"
	"strings"
	"sync"
)

// idSource makes upper-case UUIDs: random ones, or always the same sequence
// for the same seed. Safe for concurrent use.
type idSource struct {
	mu   sync.Mutex
	rand *mathrand.ChaCha8
}

func newIDSource(seed uint64) *idSource {
	var key [32]byte
	if seed == 0 {
		rand.Read(key[:]) // never fails, by its contract
	} else {
		binary.LittleEndian.PutUint64(key[:], seed)
	}
	return &idSource{rand: mathrand.NewChaCha8(key)}
}

func (s *idSource) next() string {
	var b [16]byte
	s.mu.Lock()
	binary.LittleEndian.PutUint64(b[:8], s.rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], s.rand.Uint64())
	s.mu.Unlock()
	return formatUUID(b)
}

// derivedID is always the same UUID for the same name: the id of a seeded
// access.
func derivedID(name string) string {
	h := fnv.New128a()
	h.Write([]byte(name))
	var b [16]byte
	h.Sum(b[:0])
	return formatUUID(b)
}

func formatUUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	for _, i := range []int{8, 13, 18, 23} {
		out[i] = '-'
	}
	return strings.ToUpper(string(out[:]))
}

// upperUUID reports the one form in which Spine's messages write a UUID.
func upperUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range 36 {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

// idMemory remembers the newest ids, up to a limit. Safe for concurrent use.
type idMemory struct {
	mu    sync.Mutex
	known map[string]struct{}
	order *ring[string]
}

func newIDMemory(limit int) *idMemory {
	return &idMemory{known: map[string]struct{}{}, order: newRing[string](limit)}
}

// remember reports whether the id is new.
func (m *idMemory) remember(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.known[id]
	if known {
		return false
	}
	m.known[id] = struct{}{}
	oldest, dropped := m.order.add(id)
	if dropped {
		delete(m.known, oldest)
	}
	return true
}

func (m *idMemory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	m.order.clear()
}
