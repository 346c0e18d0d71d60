package providers

import (
	"strings"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// reply is what came back, taken apart but not judged. Parts that it does not have
// do not exist.
type reply struct {
	received
	malformed bool

	root, header, body xmlstrict.Element
	bodies             int // elements in the Body

	fault, detail, info xmlstrict.Element

	envelope, parcel  xmlstrict.Element // DistributionEnvelope and its header
	manifest, item    xmlstrict.Element
	payload, response xmlstrict.Element // the first payload and what is in it
}

// read takes a reply apart.
func read(r received) *reply {
	answer := &reply{received: r}
	if r.content == "" {
		return answer
	}
	document, err := xmlstrict.Parse(r.content, xmlstrict.Limits{
		Bytes: maxReply, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10,
	})
	if err != nil {
		answer.malformed = true
		return answer
	}
	answer.root = document.Root()
	answer.header = child(answer.root, nsSOAP, "Header")
	answer.body = child(answer.root, nsSOAP, "Body")
	answer.bodies = count(answer.body)
	answer.fault = child(answer.body, nsSOAP, "Fault")
	answer.detail = child(answer.fault, "", "detail")
	answer.info = child(answer.detail, nsITK, "ToolkitErrorInfo")
	answer.envelope = child(answer.body, nsITK, "DistributionEnvelope")
	answer.parcel = child(answer.envelope, nsITK, "header")
	answer.manifest = child(answer.parcel, nsITK, "manifest")
	answer.item = child(answer.manifest, nsITK, "manifestitem")
	answer.payload = child(child(answer.envelope, nsITK, "payloads"), nsITK, "payload")
	answer.response = first(answer.payload)
	return answer
}

func (r *reply) isFault() bool  { return r.fault.Exists() }
func (r *reply) isAnswer() bool { return r.envelope.Exists() }

// code is the response code, "" if there is none.
func (r *reply) code() string { return attribute(child(r.response, nsHL7, "value"), "code") }

// errorCode is that of ToolkitErrorInfo.
func (r *reply) errorCode() string { return text(child(r.info, nsITK, "ErrorCode")) }

// faultCode is the local part of the fault code.
func (r *reply) faultCode() string {
	name := text(child(r.fault, "", "faultcode"))
	return name[strings.IndexByte(name, ':')+1:]
}

// ids are those that must be new in each reply, by the words for them.
func (r *reply) ids() map[string]string {
	id := map[string]string{
		"wsa:MessageID": text(child(r.header, nsAddressing, "MessageID")),
		"wsu:Id":        r.timestampID(),
		"ErrorID":       text(child(r.info, nsITK, "ErrorID")),
		"trackingid":    attribute(r.parcel, "trackingid"),
		"payload id":    attribute(r.payload, "id"),
	}
	for name, value := range id {
		if value == "" {
			delete(id, name)
		}
	}
	return id
}

func (r *reply) timestampID() string {
	stamp := child(child(r.header, nsSecurity, "Security"), nsUtility, "Timestamp")
	id, _ := stamp.Attribute(nsUtility, "Id")
	return id.Value
}

// notification is Ward's own handling entry, "" if it is not sent.
func (r *reply) notification() string { return r.spec(notificationKey) }

func (r *reply) spec(key string) string {
	for spec := range child(r.parcel, nsITK, "handlingSpecification").Children() {
		if attribute(spec, "key") == key {
			return attribute(spec, "value")
		}
	}
	return ""
}

// child is the first child of that name.
func child(e xmlstrict.Element, space, local string) xmlstrict.Element {
	c, _ := soap.Child(e, space, local)
	return c
}

func hl7(e xmlstrict.Element, path ...string) xmlstrict.Element {
	for _, local := range path {
		e = child(e, nsHL7, local)
	}
	return e
}

func first(e xmlstrict.Element) xmlstrict.Element {
	for c := range e.Children() {
		return c
	}
	return xmlstrict.Element{}
}

func count(e xmlstrict.Element) int {
	n := 0
	for range e.Children() {
		n++
	}
	return n
}

// named are the children of one name.
func named(e xmlstrict.Element, space, local string) []xmlstrict.Element {
	var found []xmlstrict.Element
	for c := range e.Children() {
		if c.Is(space, local) {
			found = append(found, c)
		}
	}
	return found
}

func attribute(e xmlstrict.Element, name string) string {
	a, _ := e.Attribute("", name)
	return a.Value
}

// text is the text of an element, "" if something interrupts it.
func text(e xmlstrict.Element) string {
	t, _ := soap.Text(e)
	return t
}

// within reports whether something holds of e or of an element below it.
func within(e xmlstrict.Element, holds func(xmlstrict.Element) bool) bool {
	if !e.Exists() {
		return false
	}
	if holds(e) {
		return true
	}
	for c := range e.Children() {
		if within(c, holds) {
			return true
		}
	}
	return false
}
