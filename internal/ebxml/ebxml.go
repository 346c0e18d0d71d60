// Package ebxml reads and writes the ebXML Message Service 2.0 messages by which the
// Spine's asynchronous pattern carries HL7: a SOAP envelope with an ebXML header and
// the HL7 document beside it in MIME multipart/related, and the acknowledgements and
// error messages that are an envelope alone. It knows bytes only: no transport, no
// HL7.
package ebxml

import (
	"strings"
	"time"
)

// Namespaces.
const (
	Namespace = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
	xlink     = "http://www.w3.org/1999/xlink"
	payload   = "urn:hl7-org:transport/ebXML/DSTUv1.0"
)

const (
	// signals is the Service of what message handlers tell each other.
	signals              = "urn:oasis:names:tc:ebxml-msg:service"
	actionAcknowledgment = "Acknowledgment"
	actionMessageError   = "MessageError"

	version    = "2.0"
	partyType  = "urn:nhs:names:partyType:ocs+serviceInstance"
	toPartyMSH = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
	// nextActor is SOAP's own name for whoever receives the message first.
	nextActor    = "http://schemas.xmlsoap.org/soap/actor/next"
	errorContext = "urn:oasis:names:tc:ebxml-msg:service:errors"
)

// Severities of an Error.
const (
	SeverityError   = "Error"   // the message was not taken
	SeverityWarning = "Warning" // it was, and something is odd about it
)

// Contract is what the directory says of a message handling system, with the words
// that are written there.
type Contract struct {
	CPAID                string
	FromParty, ToParty   string // party keys
	SyncReply            string // "MSHSignalsOnly", "signalsAndResponse", "responseOnly", "none" or nothing
	AckRequested         bool   // "always"
	DuplicateElimination bool   // "always"
	Actor                string // who acknowledges; toPartyMSH if empty
	Retries              int
	RetryInterval        time.Duration
	PersistDuration      time.Duration
}

// syncReply reports whether acknowledgements are to come in the HTTP response.
func (c Contract) syncReply() bool { return strings.EqualFold(c.SyncReply, "MSHSignalsOnly") }

// Header is an eb:MessageHeader with the header blocks beside it. Identifiers that
// were read are printable ASCII without white space, 256 bytes at most.
type Header struct {
	FromParty, ToParty, CPAID, ConversationID, Service, Action string

	MessageID      string    // as written; a UUID in upper case if Ward wrote it
	RefToMessageID string    // in upper case, without "uuid:"; empty if not given
	Timestamp      time.Time // UTC
	TimeToLive     time.Time // UTC; zero if not given

	DuplicateElimination, AckRequested, SyncReply bool
}

// Error is one eb:Error. Location and Description are the sender's own words, which
// may quote a message: they do not belong in logs.
type Error struct{ Code, Severity, Context, Location, Description string }

// Kind is what a message is. The zero Kind is none.
type Kind uint8

// Kinds.
const (
	// Business carries an HL7 document. It may acknowledge a message besides, and
	// warn of something.
	Business Kind = iota + 1
	// Acknowledgment says that a message was taken, and may warn of something.
	Acknowledgment
	// MessageError says that a message was not taken: at least one of its errors is
	// of severity Error.
	MessageError
	// Fault is a SOAP fault, whose whole document is the payload. Its header is zero
	// unless it has one of ebXML.
	Fault
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case Business:
		return "business message"
	case Acknowledgment:
		return "acknowledgement"
	case MessageError:
		return "error message"
	case Fault:
		return "SOAP fault"
	}
	return "message of no kind"
}

// Message is one message as read.
type Message struct {
	Header  Header
	Kind    Kind
	Errors  []Error
	Payload string // the XML document of a Business message or a Fault, not yet parsed
}

// maxIdentifier bounds what an identifier may be long, in bytes.
const maxIdentifier = 256

// isIdentifier reports whether s can be an identifier: nothing in it can end a line
// of a MIME header or of a log.
func isIdentifier(s string) bool {
	if s == "" || len(s) > maxIdentifier {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isUUID reports whether s is a UUID in upper case (WRD-SPN-04).
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
