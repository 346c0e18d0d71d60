package atna

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/wardsmsp/ward/internal/audit/event"
)

// The values of MSGID. PS3.15 A.6 has the first, ITI TF-2 3.20.4.1.2 the second;
// collectors sort by it.
const (
	MessageDICOM = "DICOM+RFC3881"
	MessageIHE   = "IHE+RFC-3881"
)

// Both standards want facility 10, security and authorisation, and the severities
// notice and warning.
const (
	facility = 10
	notice   = 5
	warning  = 4
)

// byteOrderMark opens a MSG in UTF-8 (RFC 5424, 6.4).
const byteOrderMark = "\uFEFF"

// header is what is the same in the header of every message.
type header struct {
	host, app, message string
	omitBOM            bool
}

// newHeader checks the fields against RFC 5424, 6: printable ASCII of limited length.
func newHeader(o Options) (header, error) {
	h := header{
		host:    cmp.Or(o.Host, "-"),
		app:     cmp.Or(o.App, "ward"),
		message: cmp.Or(o.MessageID, MessageDICOM),
		omitBOM: o.OmitBOM,
	}
	for _, field := range []struct {
		name, value string
		most        int
	}{{"host name", h.host, 255}, {"application's name", h.app, 48}, {"message id", h.message, 32}} {
		if len(field.value) > field.most {
			return header{}, fmt.Errorf("audit: the %s for syslog is longer than %d characters", field.name, field.most)
		}
		for _, c := range []byte(field.value) {
			if c <= ' ' || c > '~' {
				return header{}, fmt.Errorf("audit: the %s %q for syslog has a character that is not printable ASCII: correct it", field.name, field.value)
			}
		}
	}
	return h, nil
}

// frame is one message of RFC 5424 with its length before it (RFC 5425, 4.3).
func (h header) frame(e event.Event) ([]byte, error) {
	xml, err := document(e)
	if err != nil {
		return nil, err
	}
	severity := warning
	if e.Outcome == event.Success || e.Outcome == event.Pending {
		severity = notice
	}
	message := fmt.Appendf(make([]byte, 0, len(xml)+256), "<%d>1 %s %s %s - %s - ",
		facility*8+severity, e.Time.Format(timeFormat), h.host, h.app, h.message)
	if !h.omitBOM {
		message = append(message, byteOrderMark...)
	}
	message = append(message, xml...)
	framed := append(make([]byte, 0, len(message)+8), strconv.Itoa(len(message))...)
	return append(append(framed, ' '), message...), nil
}
