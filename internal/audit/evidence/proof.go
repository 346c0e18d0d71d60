package evidence

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/merkle"
)

// What opens the two kinds of proof: that of C2SP tlog-proof, and Ward's own.
const (
	inclusionForm   = "c2sp.org/tlog-proof@v1"
	consistencyForm = "ward-consistency-proof@v1"
)

// MaxProof is the greatest length of a proof in bytes.
const MaxProof = 1 << 22

// Proven is what a proof of one entry proves.
type Proven struct {
	Checkpoint audit.Checkpoint // signed by a known key, and covers the entry
	Leaf       audit.Leaf       // the entry, without its content
	Sealed     []byte           // its content, nil if the proof has none
	Content    []byte           // what the content opens to, nil if the proof does not say
}

// Prove makes a proof that the entry seq is in the log, in the form of C2SP tlog-proof.
// The entry stands in it as the extra data. It reads a number of rows that grows with
// the logarithm of the log's length.
func Prove(ctx context.Context, store audit.Reader, seq int64, o Options) ([]byte, error) {
	err := o.check()
	if err != nil {
		return nil, err
	}
	c, signed, err := o.checkpoint(ctx, store)
	if err != nil {
		return nil, err
	}
	record, hashes, err := o.prove(ctx, store, seq, c)
	if err != nil {
		return nil, err
	}
	entry, err := o.appendEntry([]byte("{"), record)
	if err != nil {
		return nil, err
	}
	b := append([]byte(inclusionForm), "\nextra "...)
	b = base64.StdEncoding.AppendEncode(b, entry[:len(entry)-1])
	b = append(b, "\nindex "...)
	b = append(strconv.AppendInt(b, seq, 10), '\n')
	b = appendHashes(b, hashes)
	return append(append(b, '\n'), signed...), nil
}

// VerifyProof checks a proof of one entry against the log's public keys and its origin.
// Errors quote nothing of the entry.
func VerifyProof(proof []byte, known note.Verifiers, origin string) (Proven, error) {
	if len(proof) > MaxProof {
		return Proven{}, errors.New("evidence: the proof is longer than any that Ward writes")
	}
	wrong := errors.New("evidence: this is not a proof of an entry, or not written as it should be")
	head, signed, _ := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || lines[0] != inclusionForm {
		return Proven{}, wrong
	}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")
	index, hasIndex := strings.CutPrefix(lines[2], "index ")
	seq, err := strconv.ParseInt(index, 10, 64)
	if err != nil || !hasExtra || !hasIndex || seq < 0 || strconv.FormatInt(seq, 10) != index {
		return Proven{}, wrong
	}
	entry, err := base64.StdEncoding.DecodeString(extra)
	if err != nil || base64.StdEncoding.EncodeToString(entry) != extra {
		return Proven{}, wrong
	}
	hashes, ok := parseHashes(lines[3:])
	if !ok {
		return Proven{}, wrong
	}
	p, leaf, err := readProven(entry)
	if err != nil {
		return Proven{}, fmt.Errorf("evidence: entry %d: %w", seq, err)
	}
	if p.Leaf.Seq != seq {
		return Proven{}, fmt.Errorf("evidence: the proof is of entry %d and holds entry %d", seq, p.Leaf.Seq)
	}
	p.Checkpoint, err = openCheckpoint(signed, known, origin)
	if err != nil {
		return Proven{}, err
	}
	if seq >= p.Checkpoint.Size {
		return Proven{}, fmt.Errorf("evidence: the checkpoint does not cover entry %d", seq)
	}
	err = tlog.CheckRecord(hashes, p.Checkpoint.Size, p.Checkpoint.Root, seq, merkle.LeafHash(leaf))
	if err != nil {
		return Proven{}, fmt.Errorf("evidence: entry %d is not that of the signed checkpoint: it or its proof was changed", seq)
	}
	return p, nil
}

// readProven reads the entry that stands in a proof, and checks its content.
func readProven(entry []byte) (Proven, []byte, error) {
	var l line
	c := cursor{entry}
	if bytes.IndexByte(entry, '\n') >= 0 || !c.skip("{") {
		return Proven{}, nil, errForm
	}
	err := l.readEntry(&c, perhaps)
	if err != nil {
		return Proven{}, nil, err
	}
	p := Proven{Sealed: l.sealed, Content: l.content}
	p.Leaf, err = audit.ParseLeaf(l.leaf)
	if err != nil {
		return Proven{}, nil, err
	}
	if l.sealed != nil && hash(l.sealed) != p.Leaf.Entry.Content {
		return Proven{}, nil, errContent
	}
	return p, l.leaf, nil
}

// Grown is what a proof of consistency proves: the log of the newer checkpoint begins
// with all that the older one covers, unchanged.
type Grown struct{ Older, Newer audit.Checkpoint }

// ProveConsistency makes a proof that the log only grew between an older signed
// checkpoint and the newest, or that of the options.
func ProveConsistency(ctx context.Context, store audit.Reader, older []byte, o Options) ([]byte, error) {
	err := o.check()
	if err != nil {
		return nil, err
	}
	from, err := openCheckpoint(older, o.Known, o.Origin)
	if err != nil {
		return nil, err
	}
	to, newer, err := o.checkpoint(ctx, store)
	if err != nil {
		return nil, err
	}
	if from.Size > to.Size {
		return nil, fmt.Errorf("evidence: the older checkpoint covers %d entries and the newer only %d: "+
			"the log was cut short or replaced by an older copy, or the checkpoints were given the wrong way round", from.Size, to.Size)
	}
	b := append([]byte(consistencyForm), '\n')
	if from.Size > 0 {
		hashes, err := tlog.ProveTree(to.Size, from.Size, audit.Hashes(ctx, store))
		if err != nil {
			return nil, fmt.Errorf("evidence: %w", err)
		}
		b = appendHashes(b, hashes)
	}
	b = append(append(b, '\n'), older...)
	b = append(append(b, '\n'), newer...)
	_, err = VerifyConsistency(b, o.Known, o.Origin)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// VerifyConsistency checks a proof of consistency against the log's public keys and
// its origin.
func VerifyConsistency(proof []byte, known note.Verifiers, origin string) (Grown, error) {
	wrong := errors.New("evidence: this is not a proof of consistency, or not written as it should be")
	if len(proof) > MaxProof {
		return Grown{}, wrong
	}
	// Each of the two notes has one empty line, before its signatures.
	parts := strings.Split(string(proof), "\n\n")
	if len(parts) != 5 {
		return Grown{}, wrong
	}
	lines := strings.Split(parts[0], "\n")
	hashes, ok := parseHashes(lines[1:])
	if !ok || lines[0] != consistencyForm {
		return Grown{}, wrong
	}
	older, err := openCheckpoint([]byte(parts[1]+"\n\n"+parts[2]+"\n"), known, origin)
	if err != nil {
		return Grown{}, fmt.Errorf("the older checkpoint: %w", err)
	}
	newer, err := openCheckpoint([]byte(parts[3]+"\n\n"+parts[4]), known, origin)
	if err != nil {
		return Grown{}, fmt.Errorf("the newer checkpoint: %w", err)
	}
	var empty merkle.Edge
	switch {
	case older.Size > newer.Size:
		return Grown{}, errors.New("evidence: the older checkpoint covers more than the newer")
	case older.Size == 0:
		ok = len(hashes) == 0 && older.Root == empty.Root()
	default:
		ok = tlog.CheckTree(hashes, newer.Size, newer.Root, older.Size, older.Root) == nil
	}
	if !ok {
		return Grown{}, fmt.Errorf("evidence: the first %d entries of the newer checkpoint are not those of the older: "+
			"the log was changed, or the proof was", older.Size)
	}
	return Grown{older, newer}, nil
}

func appendHashes(b []byte, hashes []tlog.Hash) []byte {
	for _, h := range hashes {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	return b
}

// parseHashes reads lines of one hash each, in the only spelling.
func parseHashes(lines []string) ([]tlog.Hash, bool) {
	var hashes []tlog.Hash
	for _, s := range lines {
		h, err := tlog.ParseHash(s)
		if err != nil || h.String() != s || len(hashes) == 2*63 {
			return nil, false
		}
		hashes = append(hashes, h)
	}
	return hashes, true
}
