// Package evidence is what leaves the audit log as proof: exports of entries, and
// proofs of one entry and of the growth of the log. Whoever holds the log's public key
// verifies them without Ward and without the log. The forms are described in
// docs/audit-evidence.md.
package evidence

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Contents says how much of what is personal goes with the entries.
type Contents string

// How much goes with the entries.
const (
	Sealed Contents = "sealed" // the sealed contents, which nobody can read without a key
	None   Contents = "none"   // nothing: a proof of the public part only
	Opened Contents = "opened" // the sealed contents, the key of each, and what it opens to
)

// Options say what is handed over. Known and Origin are required.
type Options struct {
	Known  note.Verifiers // the log's public keys
	Origin string         // the log's

	First, End int64      // Write: the entries from First on and before End; an End of 0 for all there are
	Contents   Contents   // "" means Sealed
	Keys       *seal.Keys // for Opened; what they do not open stays sealed

	// Checkpoint is the signed checkpoint against which it is proved, such as one that
	// was published or cosigned; nil for the newest. Only entries that it covers can
	// be handed over.
	Checkpoint []byte
}

func (o *Options) check() error {
	if o.Contents == "" {
		o.Contents = Sealed
	}
	switch {
	case o.Known == nil || o.Origin == "":
		return errors.New("evidence: the log's public key and its origin are needed")
	case o.Contents != Sealed && o.Contents != None && o.Contents != Opened:
		return fmt.Errorf("evidence: %.20q is not a choice of contents: it is sealed, none or opened", o.Contents)
	case o.Contents == Opened && o.Keys == nil:
		return errors.New("evidence: contents cannot be opened without the sealing keys")
	}
	return nil
}

// checkpoint is the one against which something is proved, with its signed form.
func (o *Options) checkpoint(ctx context.Context, store audit.Reader) (audit.Checkpoint, []byte, error) {
	head, err := store.Head(ctx)
	if err != nil {
		return audit.Checkpoint{}, nil, err
	}
	signed := o.Checkpoint
	if signed == nil {
		signed = head.Checkpoint
	}
	c, err := openCheckpoint(signed, o.Known, o.Origin)
	if err != nil {
		return audit.Checkpoint{}, nil, err
	}
	if c.Size > head.Size {
		return audit.Checkpoint{}, nil, fmt.Errorf("evidence: the checkpoint covers %d entries but the store holds %d: "+
			"the store was cut short or replaced by an older copy", c.Size, head.Size)
	}
	return c, signed, nil
}

// openCheckpoint reads a signed checkpoint as audit.OpenCheckpoint does, but in one
// spelling of its signatures only. Signatures of others than the known are not
// verified.
func openCheckpoint(signed []byte, known note.Verifiers, origin string) (audit.Checkpoint, error) {
	c, err := audit.OpenCheckpoint(signed, known, origin)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	_, signatures, _ := strings.Cut(string(signed), "\n\n")
	var seen []string
	for line := range strings.Lines(signatures) {
		name, encoded, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(signature) < 5 || base64.StdEncoding.EncodeToString(signature) != encoded {
			return audit.Checkpoint{}, errors.New("evidence: a signature of the checkpoint is not written as it should be")
		}
		signer := name + string(signature[:4])
		if slices.Contains(seen, signer) {
			return audit.Checkpoint{}, errors.New("evidence: the checkpoint has two signatures of one key")
		}
		seen = append(seen, signer)
	}
	return c, nil
}

// subtrees are the largest complete subtrees, from left to right, that hold the leaves
// from first on and before end: the level of each, of 1<<level leaves, and its number
// among those of its level.
func subtrees(first, end int64) iter.Seq2[int, int64] {
	return func(yield func(int, int64) bool) {
		for first < end {
			level := bits.Len64(uint64(end-first)) - 1
			if first > 0 {
				level = min(level, bits.TrailingZeros64(uint64(first)))
			}
			if !yield(level, first>>level) {
				return
			}
			first += 1 << level
		}
	}
}

// roots are the hashes of the subtrees that hold the leaves from first on and before
// end.
func roots(hashes tlog.HashReader, first, end int64) ([]tlog.Hash, error) {
	indexes := []int64{}
	for level, n := range subtrees(first, end) {
		indexes = append(indexes, tlog.StoredHashIndex(level, n))
	}
	return hashes.ReadHashes(indexes)
}
