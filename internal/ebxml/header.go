package ebxml

import (
	"errors"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// readHeader reads the header, whose elements may stand in any order.
func readHeader(b blocks) (Header, error) {
	if !b.header.Exists() || attribute(b.header, "version") != version {
		return Header{}, errHeader
	}
	h := Header{AckRequested: b.ackRequested.Exists(), SyncReply: b.syncReply.Exists()}
	from, err := single(b.header, "From")
	if err != nil {
		return Header{}, err
	}
	to, err := single(b.header, "To")
	if err != nil {
		return Header{}, err
	}
	data, err := single(b.header, "MessageData")
	if err != nil {
		return Header{}, err
	}
	for _, field := range [...]struct {
		parent xmlstrict.Element
		name   string
		value  *string
	}{
		{from, "PartyId", &h.FromParty},
		{to, "PartyId", &h.ToParty},
		{b.header, "CPAId", &h.CPAID},
		{b.header, "ConversationId", &h.ConversationID},
		{b.header, "Service", &h.Service},
		{b.header, "Action", &h.Action},
		{data, "MessageId", &h.MessageID},
	} {
		var ok bool
		*field.value, ok = identifier(field.parent, field.name)
		if !ok {
			return Header{}, missing(field.name)
		}
	}
	err = h.readData(data)
	if err != nil {
		return Header{}, err
	}
	_, n := soap.Child(b.header, Namespace, "DuplicateElimination")
	if n > 1 {
		return Header{}, missing("DuplicateElimination")
	}
	h.DuplicateElimination = n == 1
	return h, nil
}

// readData reads what of MessageData is not a mandatory identifier.
func (h *Header) readData(data xmlstrict.Element) (err error) {
	h.RefToMessageID, err = reference(data)
	if err != nil {
		return err
	}
	var n int
	h.Timestamp, n = moment(data, "Timestamp")
	if n != 1 || h.Timestamp.IsZero() {
		return missing("Timestamp")
	}
	h.TimeToLive, n = moment(data, "TimeToLive")
	if n > 1 || n == 1 && h.TimeToLive.IsZero() {
		return missing("TimeToLive")
	}
	return nil
}

// single finds a child that must be there once.
func single(parent xmlstrict.Element, local string) (xmlstrict.Element, error) {
	e, n := soap.Child(parent, Namespace, local)
	if n != 1 {
		return xmlstrict.Element{}, missing(local)
	}
	return e, nil
}

// identifier reads a child that must be there once and hold an identifier.
func identifier(parent xmlstrict.Element, local string) (string, bool) {
	e, n := soap.Child(parent, Namespace, local)
	text, whole := soap.Text(e)
	return text, n == 1 && whole && isIdentifier(text)
}

// reference reads a RefToMessageId; it is empty if there is none.
func reference(parent xmlstrict.Element) (string, error) {
	_, n := soap.Child(parent, Namespace, "RefToMessageId")
	if n == 0 {
		return "", nil
	}
	id, ok := identifier(parent, "RefToMessageId")
	if !ok {
		return "", missing("RefToMessageId")
	}
	const prefix = "uuid:" // which some senders put before ids
	if len(id) > len(prefix) && strings.EqualFold(id[:len(prefix)], prefix) {
		id = id[len(prefix):]
	}
	return strings.ToUpper(id), nil
}

// moment reads a time, which is zero if it is malformed, and how many there are.
func moment(parent xmlstrict.Element, local string) (time.Time, int) {
	e, n := soap.Child(parent, Namespace, local)
	text, whole := soap.Text(e)
	t, ok := soap.ParseTime(text)
	if !whole || !ok {
		return time.Time{}, n
	}
	return t, n
}

// readAcknowledgment reads an eb:Acknowledgment, if there is one, and returns the id
// of the message that it acknowledges. The header must not name another one.
func readAcknowledgment(e xmlstrict.Element, headerRef string) (string, error) {
	if !e.Exists() {
		return headerRef, nil
	}
	id, err := reference(e)
	if err != nil || id == "" {
		return "", missing("RefToMessageId")
	}
	if headerRef != "" && !sameID(headerRef, id) {
		return "", errContradiction
	}
	return id, nil
}

// attribute reads an attribute, which ebXML writes with its prefix and some senders
// without.
func attribute(e xmlstrict.Element, local string) string {
	a, ok := e.Attribute(Namespace, local)
	if !ok {
		a, _ = e.Attribute("", local)
	}
	return a.Value
}

func missing(name string) error {
	return errors.New("the ebXML header has no single well-formed " + name)
}
