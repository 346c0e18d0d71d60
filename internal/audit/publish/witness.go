package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
)

// maxReply bounds the body of a witness's answer, in bytes: a few lines.
const maxReply = 16 << 10

// Witness asks a witness to cosign checkpoints, by add-checkpoint of C2SP
// tlog-witness. It is an audit.Witness.
type Witness struct {
	url      *url.URL
	verifier note.Verifier
	client   *http.Client
	size     atomic.Int64 // of the checkpoint that the witness is known to have cosigned last
}

// NewWitness makes a witness of its submission prefix, an https URL, and its key
// (see [ParseWitnessKey]). The configuration says which authorities its
// certificate may have.
func NewWitness(prefix *url.URL, verifier note.Verifier, config *tls.Config) *Witness {
	return &Witness{url: prefix.JoinPath("add-checkpoint"), verifier: verifier, client: newClient(config)}
}

// Name implements audit.Witness: the name of its key.
func (w *Witness) Name() string { return w.verifier.Name() }

// Cosign implements audit.Witness. After a restart it does not know what the
// witness cosigned last, and goes on from what the witness then says.
func (w *Witness) Cosign(ctx context.Context, signed []byte, c audit.Checkpoint, prove audit.Prove) ([]byte, error) {
	old := w.size.Load()
	a, err := w.add(ctx, signed, old, prove)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusConflict && old != c.Size {
		old, err = known(a, c.Size)
		if err != nil {
			return nil, err
		}
		a, err = w.add(ctx, signed, old, prove)
		if err != nil {
			return nil, err
		}
	}
	err = refusal(a.status, old == c.Size)
	if err != nil {
		return nil, err
	}
	line, err := cosignature(signed, a.body, w.verifier)
	if err != nil {
		return nil, err
	}
	w.size.Store(c.Size)
	return line, nil
}

// answer is a witness's answer.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// add submits a checkpoint with the proof that it goes on from old entries.
func (w *Witness) add(ctx context.Context, signed []byte, old int64, prove audit.Prove) (answer, error) {
	proof, err := prove(ctx, old)
	if err != nil {
		return answer{}, fmt.Errorf("no proof can be made for the witness: %w", err)
	}
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, hash := range proof {
		body = fmt.Appendf(body, "%s\n", hash)
	}
	body = append(append(body, '\n'), signed...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, withoutURL(err)
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	response, err := w.client.Do(request)
	if err != nil {
		return answer{}, withoutURL(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		return answer{}, fmt.Errorf("the witness's answer broke off: %w", withoutURL(err))
	}
	if len(reply) > maxReply {
		return answer{}, fmt.Errorf("the witness's answer is longer than %d bytes", maxReply)
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), reply}, nil
}

// known reads how many entries a witness knows out of an answer that says it is
// another number than we thought.
func known(a answer, size int64) (int64, error) {
	if a.contentType != "text/x.tlog.size" {
		return 0, errors.New("the witness answers HTTP 409 without the size that it knows; check that the URL is that of a witness")
	}
	text, ended := strings.CutSuffix(string(a.body), "\n")
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case !ended || err != nil || n < 0 || strconv.FormatInt(n, 10) != text:
		return 0, errors.New("the witness answers HTTP 409 with something that is no size")
	case n > size:
		return 0, fmt.Errorf("the witness has cosigned %d entries of this log, which now holds %d: "+
			"the log was cut short or replaced by an older copy; keep everything as it is and find out", n, size)
	}
	return n, nil
}

// refusal is why a witness did not cosign, by the status of its answer. It makes a
// difference whether it was told that it knows as many entries as there are.
func refusal(status int, all bool) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusConflict:
		if all {
			return errors.New("the witness has cosigned as many entries of this log, but others (HTTP 409): " +
				"the log was changed or there are two of it; keep everything as it is and find out")
		}
		return errors.New("the witness twice knows another number of entries (HTTP 409): find out whether there are two of this log")
	case http.StatusBadRequest:
		return errors.New("the witness does not understand the request (HTTP 400); check that the URL is that of a witness")
	case http.StatusForbidden:
		return errors.New("the witness does not know the key that signs this log (HTTP 403); give its operator the verifier key")
	case http.StatusNotFound:
		return errors.New("the witness does not know this log (HTTP 404); check the URL, and ask its operator to add the log's verifier key")
	case http.StatusUnprocessableEntity:
		return errors.New("the entries are not those that the witness cosigned before and later ones (HTTP 422): " +
			"the log was changed or there are two of it; keep everything as it is and find out")
	}
	return fmt.Errorf("the witness answers HTTP %d and no cosignature", status)
}

// cosignature takes the line of the witness's key out of its answer, and checks
// that it signs just the text of the checkpoint. Lines of other keys are ignored.
func cosignature(signed, reply []byte, verifier note.Verifier) ([]byte, error) {
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("the checkpoint is not a signed note")
	}
	text := signed[:end+1]
	n, err := note.Open(bytes.Join([][]byte{text, reply}, []byte("\n")), note.VerifierList(verifier))
	var none *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("the witness answers without a cosignature by the key %s+%08x; check its key", verifier.Name(), verifier.KeyHash())
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("the witness's cosignature by the key %s+%08x is not one of this checkpoint", verifier.Name(), verifier.KeyHash())
	case err != nil || n.Text != string(text):
		return nil, errors.New("the witness's answer is not made of signature lines")
	}
	return fmt.Appendf(nil, "\u2014 %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), nil
}
