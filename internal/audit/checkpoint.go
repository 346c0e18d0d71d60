package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what the first Size entries of a log are. In its signed form
// it is a note with the C2SP tlog-checkpoint body: a line each for the origin,
// the size in decimal and the root hash in base64.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

func (c Checkpoint) sign(signer note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("audit: sign the checkpoint of %d entries: %w", c.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint reads a signed checkpoint. It is an error if none of the known
// keys signed it, if it is of another origin, or if its body is not exactly
// the three lines of a checkpoint.
func OpenCheckpoint(signed []byte, known note.Verifiers, origin string) (Checkpoint, error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: the checkpoint is not signed by a known key: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 {
		return Checkpoint{}, errors.New("audit: the checkpoint is not of three lines")
	}
	c := Checkpoint{Origin: lines[0]}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("audit: the checkpoint is of the log %.100q, not %q", c.Origin, origin)
	}
	c.Size, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || c.Size < 0 {
		return Checkpoint{}, errors.New("audit: the checkpoint's size is not a number of entries")
	}
	c.Root, err = tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, errors.New("audit: the checkpoint's root is not a hash in base64")
	}
	if c.text() != n.Text {
		return Checkpoint{}, errors.New("audit: the checkpoint is not written as it should be")
	}
	return c, nil
}

// OpenCosigned reads a signed checkpoint as OpenCheckpoint does, and says which
// of the witnesses cosigned it, each by its name. A signature of someone else is
// ignored; it is an error if one that bears a witness's name and key hash is not
// that witness's.
func OpenCosigned(signed []byte, known note.Verifiers, origin string, witnesses []note.Verifier) (c Checkpoint, cosigned []string, err error) {
	c, err = OpenCheckpoint(signed, known, origin)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	n, err := note.Open(signed, note.VerifierList(witnesses...))
	var none *note.UnverifiedNoteError
	if errors.As(err, &none) {
		return c, nil, nil
	}
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("audit: a cosignature of the checkpoint cannot be trusted: %w", err)
	}
	for _, signature := range n.Sigs {
		cosigned = append(cosigned, signature.Name)
	}
	return c, cosigned, nil
}

// GenerateKey makes an Ed25519 key pair for signing checkpoints. Both keys are
// strings in the form of golang.org/x/mod/sumdb/note, for note.NewSigner and
// note.NewVerifier. The name, usually that of the log's origin, is part of both
// and must have no space or plus sign.
func GenerateKey(name string, rand io.Reader) (signerKey, verifierKey string, err error) {
	signerKey, verifierKey, err = note.GenerateKey(rand, name)
	if err != nil {
		return "", "", err
	}
	// The library makes keys of names that it then does not read.
	_, err = note.NewSigner(signerKey)
	if err != nil {
		return "", "", errors.New("audit: the name of a log may hold neither spaces nor plus signs")
	}
	return signerKey, verifierKey, nil
}

// own makes a verifier of a signer: Ed25519 always signs the same text the same
// way, so what the key signed is what it would sign again.
type own struct{ note.Signer }

func (o own) Verify(text, signature []byte) bool {
	again, err := o.Sign(text)
	return err == nil && bytes.Equal(again, signature)
}
