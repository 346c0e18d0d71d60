package removal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
)

// MaxOrder bounds the file of an order, in bytes.
const MaxOrder = 1 << 13

// Order says that what is personal about one person is to be destroyed. In its signed
// form it is a note, as described in docs/audit-log.md.
type Order struct {
	Origin    string    // of the log
	NHSNumber string    // whose entries; ten digits
	Authority string    // on whose decision, such as a court, and its reference; never who it is about
	Issued    time.Time // the day, UTC
	Until     time.Time // the last day on which it may be carried out, UTC
	Entries   *audit.Range
}

const orderTitle = "ward erasure order 1"

func (o Order) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\norigin %s\nnhs_number %s\nauthority %s\nissued %s\nuntil %s\n", orderTitle,
		o.Origin, o.NHSNumber, o.Authority, o.Issued.Format(time.DateOnly), o.Until.Format(time.DateOnly))
	if o.Entries != nil {
		fmt.Fprintf(&b, "entries %d-%d\n", o.Entries.First, o.Entries.Last)
	}
	return b.String()
}

// check reports what makes an order unfit. It never quotes the number.
func (o Order) check() error {
	switch {
	case o.Origin == "" || !isLine(o.Origin):
		return errors.New("the order must name the log, by the name of its verifier key")
	case !isNHSNumber(o.NHSNumber):
		return errors.New("the order must name an NHS number of ten digits")
	case strings.TrimSpace(o.Authority) == "" || !isLine(o.Authority):
		return fmt.Errorf("the order must name an authority in one line of at most %d bytes", audit.MaxText)
	case strings.Contains(digits(o.Authority), o.NHSNumber):
		return errors.New("the authority must not hold the NHS number: it stays in the log")
	case o.Until.Before(o.Issued):
		return errors.New("the order ends before it was issued")
	case o.Entries != nil && (o.Entries.First < 0 || o.Entries.Last < o.Entries.First):
		return errors.New("the order's entries must rise, such as 0-1000")
	}
	return nil
}

func isNHSNumber(s string) bool { return len(s) == 10 && digits(s) == s }

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func isLine(s string) bool {
	return len(s) <= audit.MaxText && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Sign writes the file of an order.
func (o Order) Sign(signer note.Signer) ([]byte, error) {
	err := o.check()
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: o.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the order: %w", err)
	}
	return signed, nil
}

// ReadOrder reads the file of an order. It is an error if it was not signed with the
// key, or if a single byte of it is not as Sign writes it: an order could else be used
// again in another spelling.
func ReadOrder(file []byte, key note.Verifier) (Order, error) {
	if len(file) > MaxOrder {
		return Order{}, errors.New("the order is too long to be one")
	}
	n, err := note.Open(file, note.VerifierList(key))
	if err != nil {
		return Order{}, errors.New("the order is not signed with the key that may order erasures (audit.erasure_key), or it was changed")
	}
	o, err := parseOrder(n.Text)
	if err != nil {
		return Order{}, err
	}
	if !bytes.Equal(file, spelling(n)) {
		return Order{}, errors.New("the order is not written as it should be: use the file as it was made")
	}
	return o, o.check()
}

// spelling is the one way to write a signed order.
func spelling(n *note.Note) []byte {
	s := n.Sigs[0]
	signature, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(signature) < 4 {
		return nil
	}
	signature = append(binary.BigEndian.AppendUint32(nil, s.Hash), signature[4:]...)
	return fmt.Appendf(nil, "%s\n\u2014 %s %s\n", n.Text, s.Name, base64.StdEncoding.EncodeToString(signature))
}

func parseOrder(text string) (Order, error) {
	wrong := errors.New("the order is not written as it should be: it was not made by: ward audit order")
	lines := strings.Split(text, "\n")
	if len(lines) != 7 && len(lines) != 8 || lines[0] != orderTitle {
		return Order{}, wrong
	}
	values := make([]string, len(lines)-2)
	for i, name := range []string{"origin ", "nhs_number ", "authority ", "issued ", "until ", "entries "}[:len(values)] {
		var ok bool
		values[i], ok = strings.CutPrefix(lines[i+1], name)
		if !ok {
			return Order{}, wrong
		}
	}
	o := Order{Origin: values[0], NHSNumber: values[1], Authority: values[2]}
	var issued, until error
	o.Issued, issued = time.Parse(time.DateOnly, values[3])
	o.Until, until = time.Parse(time.DateOnly, values[4])
	if issued != nil || until != nil {
		return Order{}, wrong
	}
	if len(values) > 5 {
		first, last, _ := strings.Cut(values[5], "-")
		var r audit.Range
		var err, errLast error
		r.First, err = strconv.ParseInt(first, 10, 64)
		r.Last, errLast = strconv.ParseInt(last, 10, 64)
		if err != nil || errLast != nil {
			return Order{}, wrong
		}
		o.Entries = &r
	}
	if o.text() != text {
		return Order{}, wrong
	}
	return o, nil
}

// timely reports why an order may not be carried out at the time t.
func (o Order) timely(t time.Time) error {
	day := t.UTC().Truncate(24 * time.Hour)
	if day.Before(o.Issued) {
		return fmt.Errorf("the order is dated %s, which is still to come: check the clock", o.Issued.Format(time.DateOnly))
	}
	if day.After(o.Until) {
		return fmt.Errorf("the order ended on %s: ask for a new one", o.Until.Format(time.DateOnly))
	}
	return nil
}

// digest names the file of an order in the log.
func digest(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}
