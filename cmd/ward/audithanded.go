package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/evidence"
)

// handedOut is what was handed out of a log and is checked without it, with nothing but
// its public key (WRD-AUD-02). Each field names a file.
type handedOut struct{ export, proof, consistency, key string }

func (h handedOut) verify(out io.Writer) error {
	given := 0
	for _, path := range []string{h.export, h.proof, h.consistency} {
		if path != "" {
			given++
		}
	}
	if given != 1 || h.key == "" {
		return usageError("name one of -export FILE, -proof FILE and -consistency FILE, and with it -key FILE, the public key of the log")
	}
	key, err := readBounded(h.key, 1<<12)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return fmt.Errorf("%s is not the public key of a log, such as audit-key.pub", h.key)
	}
	known, origin := note.VerifierList(verifier), verifier.Name()
	switch {
	case h.export != "":
		return verifyExport(h.export, known, origin, out)
	case h.proof != "":
		return verifyProof(h.proof, known, origin, out)
	default:
		return verifyConsistency(h.consistency, known, origin, out)
	}
}

func verifyExport(path string, known note.Verifiers, origin string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := evidence.Verify(f, known, origin)
	if err != nil {
		return fmt.Errorf("THE EXPORT DOES NOT VERIFY, and proves nothing. %w", err)
	}
	complete := "none of that range is missing"
	if r.Selection {
		complete = "they were chosen, so that others may have been left out"
	}
	_, err = fmt.Fprintf(out, "The export verifies: %d entries of the log %s, from %d on and before %d; %s.\n"+
		"%d contents are there, of which %d can be read; %d were removed as the log says; %d are not there and not accounted for.\n"+
		"Checkpoint of %d entries, root %s\n",
		r.Entries, origin, r.First, r.End, complete, r.Included, r.Opened, r.Removed, r.Unaccounted, r.Checkpoint.Size, r.Checkpoint.Root)
	return err
}

func verifyProof(path string, known note.Verifiers, origin string, out io.Writer) error {
	proof, err := readBounded(path, evidence.MaxProof)
	if err != nil {
		return err
	}
	p, err := evidence.VerifyProof(proof, known, origin)
	if err != nil {
		return fmt.Errorf("THE PROOF DOES NOT HOLD. %w", err)
	}
	_, err = fmt.Fprintf(out, "The proof holds: entry %d, %s of %s UTC, is in the log %s.\nCheckpoint of %d entries, root %s\n",
		p.Leaf.Seq, p.Leaf.Entry.Kind, p.Leaf.Entry.Time.UTC().Format(timeForm), origin, p.Checkpoint.Size, p.Checkpoint.Root)
	return err
}

func verifyConsistency(path string, known note.Verifiers, origin string, out io.Writer) error {
	proof, err := readBounded(path, evidence.MaxProof)
	if err != nil {
		return err
	}
	g, err := evidence.VerifyConsistency(proof, known, origin)
	if err != nil {
		return fmt.Errorf("THE PROOF DOES NOT HOLD. %w", err)
	}
	_, err = fmt.Fprintf(out, "The proof holds: the log %s of %d entries begins with all %d that an older checkpoint covers.\n", origin, g.Newer.Size, g.Older.Size)
	return err
}

// readBounded reads a file of at most size bytes.
func readBounded(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, size+1))
	if err == nil && int64(len(content)) > size {
		err = fmt.Errorf("%s is larger than %d bytes", path, size)
	}
	return content, err
}

// auditProve hands out one entry with a proof that it is in the log (WRD-AUD-17).
func auditProve(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit prove", log)
	path := set.String("config", "", "configuration `FILE`")
	seq := set.Int64("seq", -1, "sequence `NUMBER` of the entry")
	since := set.String("since", "", "rather than of an entry, prove that the log goes on from the checkpoint in this `FILE`")
	open := set.Bool("open", false, "with what is personal in the entry, to be read by whoever has the proof")
	to := set.String("out", "", "write to this new `FILE` rather than to standard output")
	reason := set.String("reason", "", "`WHY` the proof is handed out, to be recorded")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	if (*seq < 0) == (*since == "") {
		return usageError("name the entry by its sequence number, or a checkpoint: -seq NUMBER | -since FILE")
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	proof, err := l.prove(ctx, *seq, *since, *open)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		_, err := w.Write(proof)
		return err
	}
	if *to == "" {
		return write(out)
	}
	return exportTo(*to, write)
}

// prove makes a proof of an entry, which is recorded first, or of consistency, which
// tells nothing of any entry.
func (l *auditLog) prove(ctx context.Context, seq int64, since string, open bool) ([]byte, error) {
	if since != "" {
		older, err := readBounded(since, evidence.MaxProof)
		if err != nil {
			return nil, err
		}
		return evidence.ProveConsistency(ctx, l.store, older, l.evidence(false))
	}
	_, err := l.reader().Prove(ctx, l.who, seq)
	if err != nil {
		return nil, err
	}
	return evidence.Prove(ctx, l.store, seq, l.evidence(open))
}

// evidence are the options of what is handed out with proof.
func (l *auditLog) evidence(open bool) evidence.Options {
	o := evidence.Options{Known: note.VerifierList(l.file.Verifier), Origin: l.file.Verifier.Name(), Contents: evidence.Sealed}
	if open {
		o.Contents, o.Keys = evidence.Opened, l.file.Keys
	}
	return o
}
