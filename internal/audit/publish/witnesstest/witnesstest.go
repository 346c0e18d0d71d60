// Package witnesstest is a witness for tests: it checks what a witness has to
// check, and keeps what it knows in memory.
package witnesstest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
)

// Witness serves add-checkpoint of C2SP tlog-witness for one log. It is an
// http.Handler.
type Witness struct {
	name    string
	origin  string
	log     note.Verifiers
	public  ed25519.PublicKey
	private ed25519.PrivateKey

	mu     sync.Mutex
	latest audit.Checkpoint // that it cosigned
	asked  int
}

// New makes a witness of a new key, for the log of an origin and a key.
func New(name, origin string, log note.Verifiers) (*Witness, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	return &Witness{name: name, origin: origin, log: log, public: public, private: private}, err
}

// Key is the witness's verifier key.
func (w *Witness) Key() string {
	typed := append([]byte{4}, w.public...)
	return fmt.Sprintf("%s+%x+%s", w.name, w.hash(), base64.StdEncoding.EncodeToString(typed))
}

// Latest is the checkpoint that the witness cosigned last.
func (w *Witness) Latest() audit.Checkpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// Asked is how many requests there were.
func (w *Witness) Asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		http.NotFound(out, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, 1<<16))
	if err != nil {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	old, proof, signed, ok := parse(string(body))
	if !ok {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	w.add(out, old, proof, []byte(signed))
}

// parse takes a request apart.
func parse(body string) (old int64, proof tlog.TreeProof, signed string, ok bool) {
	head, signed, found := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	size, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(size, 10, 64)
	if !found || !isOld || err != nil || old < 0 || strconv.FormatInt(old, 10) != size || len(lines) > 64 {
		return 0, nil, "", false
	}
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", false
		}
		proof = append(proof, hash)
	}
	return old, proof, signed, true
}

func (w *Witness) add(out http.ResponseWriter, old int64, proof tlog.TreeProof, signed []byte) {
	origin, _, _ := bytes.Cut(signed, []byte("\n"))
	if string(origin) != w.origin {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	c, err := audit.OpenCheckpoint(signed, w.log, w.origin)
	switch {
	case err != nil:
		out.WriteHeader(http.StatusForbidden)
		return
	case old > c.Size:
		out.WriteHeader(http.StatusBadRequest)
		return
	case old != w.latest.Size, old > 0 && old == c.Size && c.Root != w.latest.Root:
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", w.latest.Size)
		return
	case !w.follows(c, proof):
		out.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	w.latest = c
	text := signed[:bytes.LastIndex(signed, []byte("\n\n"))+1]
	out.Write(w.Cosign(text, uint64(time.Now().Unix())))
}

// follows checks the proof that a checkpoint goes on from the latest.
func (w *Witness) follows(c audit.Checkpoint, proof tlog.TreeProof) bool {
	empty, err := tlog.TreeHash(0, nil)
	if err != nil || c.Size == 0 && c.Root != empty {
		return false
	}
	if w.latest.Size == 0 {
		return len(proof) == 0
	}
	return tlog.CheckTree(proof, c.Size, c.Root, w.latest.Size, w.latest.Root) == nil
}

// Cosign returns the line by which the witness cosigns a text at a Unix time.
func (w *Witness) Cosign(text []byte, seconds uint64) []byte {
	signature := ed25519.Sign(w.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text))
	line := append(w.hash(), binary.BigEndian.AppendUint64(nil, seconds)...)
	return fmt.Appendf(nil, "\u2014 %s %s\n", w.name, base64.StdEncoding.EncodeToString(append(line, signature...)))
}

// hash is the key hash of the witness.
func (w *Witness) hash() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.public...))
	return sum[:4]
}

// Forgetful is a witness with the same key that has cosigned nothing yet.
func (w *Witness) Forgetful() *Witness {
	return &Witness{name: w.name, origin: w.origin, log: w.log, public: w.public, private: w.private}
}
