package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

func sealingKey(t testing.TB) (seal.SealingKey, string) {
	t.Helper()
	file, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParseSealingKey(file + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return key, file
}

func indexKey(t testing.TB) (seal.IndexKey, string) {
	t.Helper()
	file, err := seal.GenerateIndexKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParseIndexKey(file)
	if err != nil {
		t.Fatal(err)
	}
	return key, file
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	sealing, _ := sealingKey(t)
	index, _ := indexKey(t)
	return keysOf(t, []seal.SealingKey{sealing}, []seal.IndexKey{index})
}

func keysOf(t testing.TB, sealing []seal.SealingKey, index []seal.IndexKey) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(sealing, index)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mustSeal(t testing.TB, keys *seal.Keys, content string, terms ...seal.Term) []byte {
	t.Helper()
	sealed, err := keys.Seal([]byte(content), terms)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// WRD-AUD-14: what is sealed is read back with its key, and its terms without.
func TestSealedContentOpens(t *testing.T) {
	keys := newKeys(t)
	rapid.Check(t, func(r *rapid.T) {
		content := rapid.SliceOf(rapid.Byte()).Draw(r, "content")
		terms := rapid.SliceOfN(rapid.Map(rapid.Int64(), func(v int64) seal.Term { return seal.Term(v) }), 0, seal.MaxTerms).Draw(r, "terms")
		sealed, err := keys.Seal(content, terms)
		if err != nil {
			r.Fatal(err)
		}
		got, err := keys.Open(sealed)
		if err != nil || !bytes.Equal(got, content) {
			r.Fatalf("opened as %q, %v", got, err)
		}
		read, err := seal.Terms(sealed)
		if err != nil || !cmp.Equal(read, terms) {
			r.Fatalf("terms %v, %v", read, err)
		}
		again, err := keys.Seal(content, terms)
		if err != nil || bytes.Equal(again, sealed) {
			r.Fatal("the same content was sealed the same way twice")
		}
	})
	_, err := keys.Seal(nil, make([]seal.Term, seal.MaxTerms+1))
	if err == nil {
		t.Error("too many terms were taken")
	}
}

// WRD-AUD-14: the content cannot be seen in what is stored.
func TestSealedContentIsNotReadable(t *testing.T) {
	sealed := mustSeal(t, newKeys(t), `{"nhs_number":"9990000018"}`)
	if bytes.Contains(sealed, []byte("9990000018")) || bytes.Contains(sealed, []byte("nhs_number")) {
		t.Error("the content stands in what was sealed")
	}
}

// The form, from the description alone.
func TestSealedForm(t *testing.T) {
	key, file := sealingKey(t)
	index, _ := indexKey(t)
	sealed := mustSeal(t, keysOf(t, []seal.SealingKey{key}, []seal.IndexKey{index}), "content", 1, -1)
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(file, "WARD-SEALING-KEY-1 "))
	if err != nil {
		t.Fatal(err)
	}
	derive := func(key []byte, purpose string, data []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(append([]byte(purpose+"\x00"), data...))
		return mac.Sum(nil)
	}
	id := sha256.Sum256(append([]byte("ward sealing key\x00"), secret...))
	salt := sealed[5:37]
	entryKey := derive(secret, "entry", salt)
	head := append([]byte{1}, id[:4]...)
	head = append(head, salt...)
	head = append(head, derive(entryKey, "commitment", nil)...)
	head = append(head, 2)
	head = binary.BigEndian.AppendUint64(head, 1)
	head = binary.BigEndian.AppendUint64(head, 1<<64-1)
	block, err := aes.NewCipher(derive(entryKey, "encryption", nil))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	want := aead.Seal(head, make([]byte, 12), []byte("content"), head)
	if diff := cmp.Diff(want, sealed); diff != "" {
		t.Errorf("sealed (-want +got):\n%s", diff)
	}
}

// Every changed or missing byte is noticed, and no error tells the content.
func TestChangedContentDoesNotOpen(t *testing.T) {
	keys := newKeys(t)
	sealed := mustSeal(t, keys, "9990000018", 1, 2)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := keys.Open(changed)
		if err == nil {
			t.Errorf("byte %d was changed unseen", i)
		}
		_, err = keys.Open(sealed[:i])
		if err == nil || strings.Contains(err.Error(), "9990000018") {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
}

// Rotation: a new key seals, and earlier ones open what they sealed.
func TestKeysRotate(t *testing.T) {
	old, _ := sealingKey(t)
	newer, _ := sealingKey(t)
	oldIndex, _ := indexKey(t)
	newIndex, _ := indexKey(t)
	before := keysOf(t, []seal.SealingKey{old}, []seal.IndexKey{oldIndex})
	after := keysOf(t, []seal.SealingKey{newer, old}, []seal.IndexKey{newIndex, oldIndex})
	alone := keysOf(t, []seal.SealingKey{newer}, []seal.IndexKey{newIndex})

	first, second := mustSeal(t, before, "first"), mustSeal(t, after, "second")
	for _, tt := range []struct {
		name   string
		keys   *seal.Keys
		sealed []byte
		want   string
	}{
		{"the old content with both keys", after, first, "first"},
		{"the new content with both keys", after, second, "second"},
		{"the new content with the new key", alone, second, "second"},
	} {
		got, err := tt.keys.Open(tt.sealed)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	for name, keys := range map[string]*seal.Keys{"the old content with the new key": alone, "without keys": nil} {
		_, err := keys.Open(first)
		if !errors.Is(err, seal.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	found := after.Terms("user", "nurse")
	if len(found) != 2 || found[0] != alone.Term("user", "nurse") || found[1] != before.Term("user", "nurse") {
		t.Errorf("terms %v are not those of both index keys", found)
	}
}

// The key of one entry opens that entry alone.
func TestKeyOfOneEntry(t *testing.T) {
	keys := newKeys(t)
	one, other := mustSeal(t, keys, "one"), mustSeal(t, keys, "other")
	key, err := keys.EntryKey(one)
	if err != nil {
		t.Fatal(err)
	}
	got, err := key.Open(one)
	if err != nil || string(got) != "one" {
		t.Errorf("opened as %q, %v", got, err)
	}
	_, err = key.Open(other)
	if !errors.Is(err, seal.ErrChanged) {
		t.Errorf("another content: %v", err)
	}
}

// A term tells the field and the value apart, and takes no notice of case; without
// the index key nobody can make a keyed one.
func TestTerms(t *testing.T) {
	keys, others := newKeys(t), newKeys(t)
	if keys.Term("user", "Nurse.é") != keys.Term("user", "nURSE.é") || seal.PublicTerm("client", "ed") != seal.PublicTerm("client", "ED") {
		t.Error("case makes a difference")
	}
	different := map[seal.Term]bool{
		keys.Term("user", "1"): true, keys.Term("user", "2"): true, keys.Term("nhs_number", "1"): true,
		others.Term("user", "1"): true, seal.PublicTerm("user", "1"): true, seal.PublicTerm("client", "1"): true,
	}
	if len(different) != 6 {
		t.Errorf("%d terms of 6 values", len(different))
	}
}

// WRD-SEC-11: a key file is read in its one form, and no error quotes it.
func TestKeyFiles(t *testing.T) {
	_, sealing := sealingKey(t)
	_, index := indexKey(t)
	for name, file := range map[string]string{
		"of another kind": index,
		"without prefix":  strings.TrimPrefix(sealing, "WARD-SEALING-KEY-1 "),
		"cut short":       sealing[:len(sealing)-4],
		"not base64":      sealing[:len(sealing)-4] + "!!!!",
		"empty":           "",
	} {
		_, err := seal.ParseSealingKey(file)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(file) > 20 && strings.Contains(err.Error(), file[20:40]) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
	_, err := seal.ParseIndexKey(sealing)
	if err == nil {
		t.Error("a sealing key was taken for an index key")
	}
	key, _ := sealingKey(t)
	other, _ := indexKey(t)
	_, err = seal.NewKeys([]seal.SealingKey{key, key}, []seal.IndexKey{other})
	if err == nil {
		t.Error("the same key was taken twice")
	}
	_, err = seal.NewKeys(nil, []seal.IndexKey{other})
	if err == nil {
		t.Error("no sealing key was needed")
	}
	if len(key.ID()) != 8 || len(other.ID()) != 8 {
		t.Errorf("ids %s and %s", key.ID(), other.ID())
	}
}

func FuzzOpen(f *testing.F) {
	keys := newKeys(f)
	genuine := mustSeal(f, keys, "content", 1, 2)
	f.Add(genuine)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		_, err := keys.Open(sealed)
		if err == nil && !bytes.Equal(sealed, genuine) {
			t.Fatal("a content opened that was not sealed with this key")
		}
		seal.Terms(sealed)
	})
}

func BenchmarkSeal(b *testing.B) {
	keys := newKeys(b)
	content := make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		_, err := keys.Seal(content, []seal.Term{1, 2, 3})
		if err != nil {
			b.Fatal(err)
		}
	}
}
