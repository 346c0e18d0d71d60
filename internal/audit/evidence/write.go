package evidence

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/merkle"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// version is that of the form of an export.
const version = 1

// header is the first line of an export of a range.
type header struct {
	Version    int         `json:"ward_export"`
	Contents   Contents    `json:"contents"`
	First      int64       `json:"first"`
	End        int64       `json:"end"`
	Before     []tlog.Hash `json:"before"`
	After      []tlog.Hash `json:"after"`
	Checkpoint string      `json:"checkpoint"`
}

// selectionHeader is the first line of an export of a selection.
type selectionHeader struct {
	Version    int      `json:"ward_export"`
	Selection  bool     `json:"selection"`
	Contents   Contents `json:"contents"`
	Checkpoint string   `json:"checkpoint"`
}

// appendJSON writes the only spelling of a header that the verifier accepts, and a
// newline.
func appendJSON(header any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(header)
	return b.Bytes(), err
}

func appendTrailer(b []byte, entries int64) []byte {
	b = append(b, `{"entries":`...)
	b = strconv.AppendInt(b, entries, 10)
	return append(b, "}\n"...)
}

// Write exports a range of entries, and returns how many. It needs the same memory
// however many they are. After an error what was written is no evidence. An export
// that Verify would refuse is an error: where the store was changed, or where
// contents were removed while this ran, after which it can be tried again.
func Write(ctx context.Context, w io.Writer, store audit.Reader, o Options) (int64, error) {
	err := o.check()
	if err != nil {
		return 0, err
	}
	c, signed, err := o.checkpoint(ctx, store)
	if err != nil {
		return 0, err
	}
	if o.End == 0 {
		o.End = c.Size
	}
	if o.First < 0 || o.First > o.End || o.End > c.Size {
		return 0, fmt.Errorf("evidence: the entries from %d on and before %d are not all among the %d of the checkpoint", o.First, o.End, c.Size)
	}
	h := header{Version: version, Contents: o.Contents, First: o.First, End: o.End, Checkpoint: string(signed)}
	hashes := audit.Hashes(ctx, store)
	h.Before, err = roots(hashes, 0, o.First)
	if err != nil {
		return 0, err
	}
	h.After, err = roots(hashes, o.End, c.Size)
	if err != nil {
		return 0, err
	}
	line, err := appendJSON(h)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	_, err = out.Write(line)
	if err != nil {
		return 0, err
	}
	tree, err := newTree(h, c)
	if err != nil {
		return 0, err
	}
	lacking := contents{choice: o.Contents}
	seq := o.First
	for record, err := range audit.Entries(ctx, store, nil, o.First, o.End) {
		if err != nil {
			return seq - o.First, err
		}
		if record.Seq != seq {
			return seq - o.First, audit.NoEntry(seq)
		}
		seq++
		err = o.conforms(record)
		if err != nil {
			return seq - o.First, err
		}
		lacking.take(record.Seq, &record.Entry, record.Sealed != nil)
		line = appendHash(append(line[:0], `{"hash":`...), tree.add(record.Leaf))
		line, err = o.appendEntry(append(line, ','), record)
		if err != nil {
			return seq - o.First, err
		}
		_, err = out.Write(line)
		if err != nil {
			return seq - o.First, err
		}
	}
	if seq < o.End {
		return seq - o.First, audit.NoEntry(seq)
	}
	_, err = out.Write(appendTrailer(line[:0], o.End-o.First))
	if err != nil {
		return 0, err
	}
	err = tree.finish()
	if err == nil && o.End == c.Size {
		err = lacking.missing.Mismatch()
	}
	if err != nil {
		return 0, fmt.Errorf("evidence: the export would not verify: %w", err)
	}
	return o.End - o.First, out.Flush()
}

// WriteSelection exports the entries with the given sequence numbers, which rise, and
// returns how many. Each has a proof of its own that it is in the log. A selection does
// not prove that nothing is missing from it.
func WriteSelection(ctx context.Context, w io.Writer, store audit.Reader, seqs []int64, o Options) (int64, error) {
	err := o.check()
	if err != nil {
		return 0, err
	}
	c, signed, err := o.checkpoint(ctx, store)
	if err != nil {
		return 0, err
	}
	line, err := appendJSON(selectionHeader{Version: version, Selection: true, Contents: o.Contents, Checkpoint: string(signed)})
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	_, err = out.Write(line)
	if err != nil {
		return 0, err
	}
	last := int64(-1)
	for i, seq := range seqs {
		if seq <= last {
			return int64(i), errors.New("evidence: the sequence numbers of a selection must rise")
		}
		last = seq
		record, proof, err := o.prove(ctx, store, seq, c)
		if err != nil {
			return int64(i), err
		}
		line = append(line[:0], `{"proof":[`...)
		for n, hash := range proof {
			if n > 0 {
				line = append(line, ',')
			}
			line = appendHash(line, hash)
		}
		line, err = o.appendEntry(append(line, `],`...), record)
		if err != nil {
			return int64(i), err
		}
		_, err = out.Write(line)
		if err != nil {
			return int64(i), err
		}
	}
	_, err = out.Write(appendTrailer(line[:0], int64(len(seqs))))
	if err != nil {
		return 0, err
	}
	return int64(len(seqs)), out.Flush()
}

// prove reads one entry and makes the proof that a checkpoint covers it.
func (o *Options) prove(ctx context.Context, store audit.Reader, seq int64, c audit.Checkpoint) (audit.Record, tlog.RecordProof, error) {
	if seq < 0 || seq >= c.Size {
		return audit.Record{}, nil, fmt.Errorf("evidence: entry %d is not among the %d of the checkpoint", seq, c.Size)
	}
	record, err := audit.EntryAt(ctx, store, nil, seq)
	if err != nil {
		return audit.Record{}, nil, err
	}
	err = o.conforms(record)
	if err != nil {
		return audit.Record{}, nil, err
	}
	proof, err := tlog.ProveRecord(c.Size, seq, audit.Hashes(ctx, store))
	if err != nil {
		return audit.Record{}, nil, fmt.Errorf("evidence: %w", err)
	}
	err = tlog.CheckRecord(proof, c.Size, c.Root, seq, merkle.LeafHash(record.Leaf))
	if err != nil {
		return audit.Record{}, nil, fmt.Errorf("evidence: entry %d is not that of the checkpoint: the store was changed", seq)
	}
	return record, proof, nil
}

// conforms checks that an entry has the content to which its leaf commits.
func (o *Options) conforms(record audit.Record) error {
	if record.Sealed != nil && hash(record.Sealed) != record.Entry.Content {
		return fmt.Errorf("evidence: entry %d does not have the content that belongs to it: the store was changed", record.Seq)
	}
	return nil
}

// appendEntry writes what follows the hash or the proof of an entry.
func (o *Options) appendEntry(line []byte, record audit.Record) ([]byte, error) {
	if o.Contents != None && record.Sealed != nil {
		line = append(line, `"sealed":"`...)
		line = base64.StdEncoding.AppendEncode(line, record.Sealed)
		line = append(line, `",`...)
	}
	if o.Contents == Opened && record.Sealed != nil {
		var err error
		line, err = o.appendOpened(line, record)
		if err != nil {
			return nil, fmt.Errorf("evidence: entry %d: %w", record.Seq, err)
		}
	}
	line = append(append(line, `"leaf":`...), record.Leaf...)
	return append(line, "}\n"...), nil
}

// locked stands in the place of a key that is not at hand.
const locked = `"locked":true,`

func (o *Options) appendOpened(line []byte, record audit.Record) ([]byte, error) {
	key, err := o.Keys.EntryKey(record.Sealed)
	if errors.Is(err, seal.ErrNoKey) {
		return append(line, locked...), nil
	}
	if err != nil {
		return nil, err
	}
	content, err := open(key, record.Sealed)
	if err != nil {
		return nil, err
	}
	line = appendHash(append(line, `"key":`...), key)
	line = append(append(line, `,"content":`...), content...)
	return append(line, ','), nil
}

// open opens a content, and makes it one line: a newline can only be white space in
// its detail, and becomes a space.
func open(key seal.EntryKey, sealed []byte) ([]byte, error) {
	content, err := key.Open(sealed)
	if err != nil {
		return nil, err
	}
	var e audit.Entry
	err = e.ParseContent(content)
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(content, []byte("\n"), []byte(" ")), nil
}

func appendHash[H tlog.Hash | seal.EntryKey](line []byte, hash H) []byte {
	line = append(line, '"')
	line = base64.StdEncoding.AppendEncode(line, hash[:])
	return append(line, '"')
}
