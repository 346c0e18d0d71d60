package ebxml

import (
	"errors"
	"net/url"
	"strings"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Limits bound what one message may cost.
type Limits struct {
	Bytes int // of the whole body
}

// What an envelope may cost. Faults may be long-winded.
const (
	maxEnvelope = 256 << 10
	maxErrors   = 64
)

// ErrKind means that a message is none of the kinds that are known, such as a ping
// or a question about a message's status.
var ErrKind = errors.New("the message is not of a kind that is known")

var (
	errTooLarge      = errors.New("the message is larger than allowed")
	errStart         = errors.New("the start parameter names no part, or not one part only")
	errEnvelope      = errors.New("the envelope is not well-formed XML of the kind that is accepted")
	errSOAP          = errors.New("the envelope is not a SOAP envelope")
	errNotUnderstood = errors.New("the envelope demands that a header block be understood which is not known")
	errBlock         = errors.New("a header block is not known or repeated")
	errHeader        = errors.New("there is no ebXML MessageHeader of version 2.0")
	errManifest      = errors.New("the Manifest does not refer to exactly one document")
	errReference     = errors.New("the Manifest and the document do not belong together")
	errErrorList     = errors.New("the ErrorList is malformed")
	errContradiction = errors.New("the message contradicts itself")
	errNothing       = errors.New("the message carries no document and says nothing of another one")
	errEmpty         = errors.New("the document is empty")
)

// Read reads a message: multipart/related, or the envelope alone. An error is a fixed
// text that quotes nothing of the message. If only what follows the header is wrong,
// the header is returned with the error, and nothing else.
//
// A message may do several things at once. An answer with an acknowledgement is a
// Business message, and so is one with warnings. What says that a message was both
// taken and not taken is refused: an error beside a document or an acknowledgement, an
// error message that only warns, a fault beside anything else.
func Read(contentType, body string, limits Limits) (Message, error) {
	if len(body) > limits.Bytes {
		return Message{}, errTooLarge
	}
	media, err := parseMediaType(contentType)
	if err != nil {
		return Message{}, err
	}
	if media.isXML() {
		return readEnvelope(body, part{})
	}
	if media.name != "multipart/related" || media.kind != "" && media.kind != "text/xml" {
		return Message{}, errNotXML
	}
	parts, err := split(body, media.boundary)
	if err != nil {
		return Message{}, err
	}
	envelope, document, err := arrange(parts, trimAngles(media.start))
	if err != nil {
		return Message{}, err
	}
	return readEnvelope(envelope.content, document)
}

// arrange finds the envelope among the parts: the one that start names, or else the
// first. Document is the other one, if there is one.
func arrange(parts []part, start string) (envelope, document part, err error) {
	for _, p := range parts {
		if !p.media.isXML() {
			return part{}, part{}, errNotXML
		}
	}
	if len(parts) == 2 && sameID(parts[0].id, parts[1].id) {
		return part{}, part{}, errStart
	}
	envelope, parts = parts[0], parts[1:]
	if start != "" && !sameID(envelope.id, start) {
		if len(parts) == 0 || !sameID(parts[0].id, start) {
			return part{}, part{}, errStart
		}
		envelope, parts[0] = parts[0], envelope
	}
	if len(parts) == 1 {
		document = parts[0]
		if trimLines(document.content) == "" {
			return part{}, part{}, errEmpty
		}
	}
	return envelope, document, nil
}

// sameID compares identifiers without case. No id is none's.
func sameID(a, b string) bool { return a != "" && len(a) == len(b) && strings.EqualFold(a, b) }

// readEnvelope reads the envelope of a message with a document beside it, which is
// empty if there is none.
func readEnvelope(source string, document part) (Message, error) {
	limits := xmlstrict.Limits{Bytes: maxEnvelope, Depth: 64, Elements: 1000, Attributes: 64, Name: 256, Value: 64 << 10}
	tree, err := xmlstrict.Parse(source, limits)
	if err != nil {
		return Message{}, errEnvelope
	}
	envelope, err := soap.Open(tree.Root())
	if err != nil {
		return Message{}, errSOAP
	}
	if envelope.NotUnderstood(Namespace) {
		return Message{}, errNotUnderstood
	}
	b, err := findBlocks(envelope)
	if err != nil {
		return Message{}, err
	}
	var h Header
	if b.header.Exists() || !b.fault.Exists() {
		h, err = readHeader(b)
		if err != nil {
			return Message{}, err
		}
	}
	if b.fault.Exists() {
		return b.judgeFault(h, source, document)
	}
	m, err := b.judge(h, document)
	if err != nil {
		return Message{Header: h}, err
	}
	return m, nil
}

// blocks are the parts of an envelope. Those that it does not have do not exist.
type blocks struct {
	header, acknowledgment, errorList, ackRequested, syncReply xmlstrict.Element // of the Header
	manifest, fault                                            xmlstrict.Element // of the Body
}

// findBlocks finds each block once. Header blocks of other namespaces do not matter.
func findBlocks(envelope soap.Envelope) (blocks, error) {
	var b blocks
	for block := range envelope.Header.Children() {
		if block.Name().Space != Namespace {
			continue
		}
		place := b.place(block.Name().Local)
		if place == nil || place.Exists() {
			return blocks{}, errBlock
		}
		*place = block
	}
	s := envelope.Body.Sequence()
	b.fault, _ = s.Optional(soap.Namespace, "Fault")
	b.manifest, _ = s.Optional(Namespace, "Manifest")
	err := s.Done()
	if err != nil {
		return blocks{}, ErrKind
	}
	return b, nil
}

func (b *blocks) place(local string) *xmlstrict.Element {
	switch local {
	case "MessageHeader":
		return &b.header
	case "Acknowledgment":
		return &b.acknowledgment
	case "ErrorList":
		return &b.errorList
	case "AckRequested":
		return &b.ackRequested
	case "SyncReply":
		return &b.syncReply
	}
	return nil
}

// judgeFault hands on a fault that stands alone.
func (b blocks) judgeFault(h Header, source string, document part) (Message, error) {
	if b.manifest.Exists() || b.acknowledgment.Exists() || b.errorList.Exists() || document.content != "" {
		return Message{Header: h}, errContradiction
	}
	return Message{Header: h, Kind: Fault, Payload: source}, nil
}

// judge decides what kind a message is.
func (b blocks) judge(h Header, document part) (Message, error) {
	errs, err := readErrors(b.errorList)
	if err != nil {
		return Message{}, err
	}
	h.RefToMessageID, err = readAcknowledgment(b.acknowledgment, h.RefToMessageID)
	if err != nil {
		return Message{}, err
	}
	carries := b.manifest.Exists() || document.content != ""
	m := Message{Header: h, Errors: errs}
	m.Kind, err = b.kind(h, carries, highest(errs) == SeverityError)
	if err != nil {
		return Message{}, err
	}
	if carries {
		m.Payload, err = matchDocument(b.manifest, document)
		if err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// kind holds what a message does against what it says that it is.
func (b blocks) kind(h Header, carries, failed bool) (Kind, error) {
	signal := h.Service == signals
	saysTaken := signal && h.Action == actionAcknowledgment
	saysNotTaken := signal && h.Action == actionMessageError
	acknowledges := saysTaken || b.acknowledgment.Exists()
	switch {
	case signal && !saysTaken && !saysNotTaken:
		return 0, ErrKind
	case signal && carries, failed && (carries || acknowledges), saysNotTaken && !failed:
		return 0, errContradiction
	case failed:
		return MessageError, nil
	case carries:
		return Business, nil
	case acknowledges && h.RefToMessageID != "":
		return Acknowledgment, nil
	}
	return 0, errNothing
}

// matchDocument returns the document that the manifest refers to.
func matchDocument(manifest xmlstrict.Element, document part) (string, error) {
	if !manifest.Exists() || document.content == "" {
		return "", errReference
	}
	reference, n := soap.Child(manifest, Namespace, "Reference")
	if n != 1 {
		return "", errManifest
	}
	href, ok := reference.Attribute(xlink, "href")
	cid, local := strings.CutPrefix(href.Value, "cid:")
	if !ok || !local {
		return "", errManifest
	}
	id, err := url.PathUnescape(cid)
	if err != nil || !sameID(id, document.id) {
		return "", errReference
	}
	return document.content, nil
}

// readErrors reads an eb:ErrorList, if there is one.
func readErrors(list xmlstrict.Element) ([]Error, error) {
	if !list.Exists() {
		return nil, nil
	}
	var errs []Error
	for e := range list.Children() {
		read, ok := readError(e)
		if !ok || len(errs) == maxErrors {
			return nil, errErrorList
		}
		errs = append(errs, read)
	}
	most := attribute(list, "highestSeverity")
	if len(errs) == 0 || most != "" && !strings.EqualFold(most, highest(errs)) {
		return nil, errErrorList
	}
	return errs, nil
}

func readError(e xmlstrict.Element) (Error, bool) {
	read := Error{
		Code: attribute(e, "errorCode"), Severity: attribute(e, "severity"),
		Context: attribute(e, "codeContext"), Location: attribute(e, "location"),
	}
	switch {
	case strings.EqualFold(read.Severity, SeverityError):
		read.Severity = SeverityError
	case strings.EqualFold(read.Severity, SeverityWarning):
		read.Severity = SeverityWarning
	default:
		return Error{}, false
	}
	description, _ := soap.Child(e, Namespace, "Description")
	text, _ := description.Text()
	read.Description = xmlstrict.TrimSpace(text)
	return read, e.Is(Namespace, "Error") && isIdentifier(read.Code) && (read.Context == "" || isIdentifier(read.Context))
}
