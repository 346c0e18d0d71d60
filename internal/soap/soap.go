// Package soap knows SOAP 1.1, and the WS-Addressing and WS-Security headers that
// ITK and the Spine use. It works on elements that xmlstrict has admitted.
package soap

import (
	"errors"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Namespaces. The two wires use different editions of WS-Addressing.
const (
	Namespace      = "http://schemas.xmlsoap.org/soap/envelope/"
	Addressing     = "http://www.w3.org/2005/08/addressing"
	Addressing2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	Security       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	Utility        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

	// Anonymous is the address of whoever holds the other end of the connection.
	Anonymous = "http://www.w3.org/2005/08/addressing/anonymous"
	// FaultAction is the wsa:Action of every fault.
	FaultAction = "http://www.w3.org/2005/08/addressing/soap/fault"
)

var (
	// ErrVersion means that the root is not a SOAP 1.1 envelope.
	ErrVersion = errors.New("the root element is not a SOAP 1.1 Envelope")
	// ErrStructure means that the envelope is not an optional Header and one Body.
	ErrStructure = errors.New("the SOAP envelope is not made of an optional Header and one Body")
)

// Envelope is a SOAP 1.1 envelope. Header may not exist.
type Envelope struct {
	Header xmlstrict.Element
	Body   xmlstrict.Element
}

// Open takes an envelope apart. The error is ErrVersion or ErrStructure.
func Open(root xmlstrict.Element) (Envelope, error) {
	if !root.Is(Namespace, "Envelope") {
		return Envelope{}, ErrVersion
	}
	s := root.Sequence()
	header, _ := s.Optional(Namespace, "Header")
	body := s.One(Namespace, "Body")
	err := s.Done()
	if err != nil {
		return Envelope{}, ErrStructure
	}
	return Envelope{Header: header, Body: body}, nil
}

// Child is the first child of that name, and how many there are.
func Child(e xmlstrict.Element, space, local string) (child xmlstrict.Element, n int) {
	for c := range e.Children() {
		if c.Is(space, local) {
			if n == 0 {
				child = c
			}
			n++
		}
	}
	return child, n
}

// Text is the text of an element without the white space around it, and whether
// it is whole: neither missing nor interrupted by elements, comments or CDATA
// (WRD-VAL-20).
func Text(e xmlstrict.Element) (text string, whole bool) {
	text, form := e.Text()
	text = xmlstrict.TrimSpace(text)
	return text, text != "" && form&^xmlstrict.HasReference == 0
}

// NotUnderstood reports whether a header block outside the given namespaces
// demands to be understood.
func (e Envelope) NotUnderstood(understood ...string) bool {
	for block := range e.Header.Children() {
		demand, ok := block.Attribute(Namespace, "mustUnderstand")
		if !ok || (demand.Value != "1" && demand.Value != "true") {
			continue
		}
		known := false
		for _, space := range understood {
			known = known || block.Name().Space == space
		}
		if !known {
			return true
		}
	}
	return false
}

// ParseTime reads a WS-Security time: yyyy-MM-ddTHH:mm:ss, perhaps a fraction,
// then "Z", "+hh:mm", "+hhmm" or nothing, which means UTC.
func ParseTime(s string) (time.Time, bool) {
	// Package time would also take a comma, and an hour of one digit.
	if len(s) > 64 || strings.Contains(s, ",") || len(s) < 14 || s[13] != ':' {
		return time.Time{}, false
	}
	for _, layout := range [...]string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		t, err := time.Parse(layout, s)
		if err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// FormatTime writes a WS-Security time in UTC without a fraction.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// StartEnvelope opens Envelope and Header; the caller writes header blocks.
func StartEnvelope(w *xmlstrict.Writer) {
	w.Declaration()
	w.Start("soap:Envelope", "xmlns:soap", Namespace, "xmlns:wsa", Addressing)
	w.Start("soap:Header")
}

// StartBody closes the Header and opens the Body.
func StartBody(w *xmlstrict.Writer) {
	w.End()
	w.Start("soap:Body")
}

// EndEnvelope closes Body and Envelope.
func EndEnvelope(w *xmlstrict.Writer) {
	w.End()
	w.End()
}
