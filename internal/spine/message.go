package spine

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

const (
	service = "urn:nhs:names:services:cpisquery"
	action  = service + "/" + hl7.QueryInteraction
)

// render writes the whole HTTP request, so that it leaves in one piece.
func (c *Client) render(q cpis.Query, id string) ([]byte, error) {
	body, err := c.renderEnvelope(q, id)
	if err != nil {
		return nil, err
	}
	request := make([]byte, 0, len(body)+512)
	request = append(request, "POST "+c.config.Endpoint.RequestURI()+" HTTP/1.1\r\nHost: "+c.config.Endpoint.Host+"\r\n"...)
	request = append(request, "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: "+action+"\r\n"...)
	request = append(request, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(request, body...), nil
}

// renderEnvelope writes the header blocks in the order that the Spine is known to
// receive them.
func (c *Client) renderEnvelope(q cpis.Query, id string) ([]byte, error) {
	w := xmlstrict.NewWriter(6 << 10)
	w.Declaration()
	w.Start("SOAP-ENV:Envelope", "xmlns:SOAP-ENV", soap.Namespace, "xmlns:wsa", soap.Addressing2004, "xmlns:hl7", hl7.Namespace)
	w.Start("SOAP-ENV:Header")
	w.Leaf("wsa:MessageID", "uuid:"+id)
	w.Leaf("wsa:Action", action)
	w.Leaf("wsa:To", c.config.To)
	c.renderAddress(w, "wsa:From")
	renderParty(w, "hl7:communicationFunctionRcv", c.config.ToASID)
	renderParty(w, "hl7:communicationFunctionSnd", c.config.FromASID)
	c.renderAddress(w, "wsa:ReplyTo")
	w.End()
	w.Start("SOAP-ENV:Body")
	hl7.WriteInteraction(w, hl7.Interaction{
		ID:          id,
		Created:     c.config.Now(),
		VersionCode: c.config.VersionCode,
		FromASID:    c.config.FromASID,
		ToASID:      c.config.ToASID,
		Query:       q,
	})
	w.End()
	w.End()
	return w.Bytes()
}

func (c *Client) renderAddress(w *xmlstrict.Writer, element string) {
	w.Start(element)
	w.Leaf("wsa:Address", c.config.From)
	w.End()
}

func renderParty(w *xmlstrict.Writer, function, asid string) {
	w.Start(function)
	w.Start("hl7:device")
	w.Empty("hl7:id", "root", cpis.OIDASID, "extension", asid)
	w.End()
	w.End()
}

// judge decides what an HTTP response to the message id means. The body decides,
// not the status; but a status other than 200 and 500 can only carry a fault.
func (c *Client) judge(r received, q cpis.Query, id string) cpis.Answer {
	if r.tooLarge {
		return cpis.Failed(cpis.ResponseInvalid, "the reply is larger than allowed")
	}
	usual := r.status == http.StatusOK || r.status == http.StatusInternalServerError
	reason := "HTTP status " + strconv.Itoa(r.status)
	if !isXML(r.mediaType) {
		return cpis.Failed(cpis.SpineHTTPError, reason+" and not XML")
	}
	limits := xmlstrict.Limits{Bytes: c.config.MaxReply, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
	tree, err := xmlstrict.Parse(r.body, limits)
	if err != nil {
		return unusual(usual, reason, "the reply is not well-formed XML of the kind that is accepted")
	}
	envelope, err := soap.Open(tree.Root())
	if err != nil {
		return unusual(usual, reason, "the reply is not a SOAP envelope")
	}
	if relatesElsewhere(envelope, id) {
		return cpis.Failed(cpis.ResponseInvalid, "the reply relates to another message")
	}
	fault, faults := soap.Child(envelope.Body, soap.Namespace, "Fault")
	if faults > 1 || faults == 1 && hl7.FindReply(envelope.Body).Exists() {
		return cpis.Failed(cpis.ResponseInvalid, "the reply contradicts itself")
	}
	if faults == 1 {
		return judgeFault(fault)
	}
	if !usual {
		return cpis.Failed(cpis.SpineHTTPError, reason)
	}
	return c.judgeReply(envelope, q, id)
}

func unusual(usual bool, status, rule string) cpis.Answer {
	if usual {
		return cpis.Failed(cpis.ResponseInvalid, rule)
	}
	return cpis.Failed(cpis.SpineHTTPError, status)
}

func isXML(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "text/xml" || mediaType == "application/xml" || mediaType == "application/soap+xml")
}

// relatesElsewhere reports whether a reply says that it answers another message
// than id (WRD-SPN-08). It may say nothing, but what it says must be whole.
func relatesElsewhere(envelope soap.Envelope, id string) bool {
	relates, n := soap.Child(envelope.Header, soap.Addressing2004, "RelatesTo")
	text, form := relates.Text()
	text = xmlstrict.TrimSpace(text)
	return n > 1 || form != 0 || text != "" && !strings.EqualFold(text, "uuid:"+id)
}

// judgeReply reads the reply interaction and refuses one that refers to another
// message.
func (c *Client) judgeReply(envelope soap.Envelope, q cpis.Query, id string) cpis.Answer {
	found := hl7.FindReply(envelope.Body)
	if !found.Exists() {
		return cpis.Failed(cpis.ResponseInvalid, "the reply is of a kind that is not known")
	}
	reply, err := hl7.ReadReply(found)
	if err != nil {
		return cpis.Failed(cpis.ResponseInvalid, err.Error())
	}
	if reply.MessageRef != "" && !strings.EqualFold(reply.MessageRef, id) {
		return cpis.Failed(cpis.ResponseInvalid, "the reply refers to another message")
	}
	switch reply.Interaction {
	case hl7.SuccessInteraction:
		return c.config.Rules.Success(q, reply.Statement)
	case hl7.FailedQueryInteraction:
		return c.config.Rules.FailedQuery(reply.Reasons)
	default:
		return c.judgeAcknowledgement(reply)
	}
}

func (c *Client) judgeAcknowledgement(reply hl7.Reply) cpis.Answer {
	switch reply.Acknowledgement {
	case "AR":
		if slices.ContainsFunc(reply.Details, func(d cpis.Reason) bool { return d.Code == "202" }) {
			return cpis.Failed(cpis.SpineDuplicate, "the Spine has seen this message id before")
		}
		return cpis.Failed(cpis.SpineReject, "the Spine rejected the message")
	case "AE":
		return c.config.Rules.ApplicationError(reply.Reasons)
	case "AA":
		return cpis.Failed(cpis.SpineAckOnly, "an acknowledgement without a result")
	default:
		return cpis.Failed(cpis.ResponseInvalid, "an acknowledgement of a kind that is not known")
	}
}

// nasp is the namespace of the Spine's fault details.
const nasp = "http://national.carerecords.nhs.uk/schema/"

// judgeFault tells the fault that says that this question is not taken from us at
// all from those after which nobody knows.
func judgeFault(fault xmlstrict.Element) cpis.Answer {
	code, _ := soap.Child(fault, "", "faultcode")
	name, _ := soap.Text(code)
	detail, _ := soap.Child(fault, "", "detail")
	list, _ := soap.Child(detail, nasp, "errorList")
	unsupported := false
	for e := range list.Children() {
		number, _ := soap.Child(e, nasp, "errorCode")
		text, _ := soap.Text(number)
		unsupported = unsupported || text == "101"
	}
	if unsupported || name[strings.LastIndexByte(name, ':')+1:] == "Client" {
		return cpis.Failed(cpis.SpineFaultConfig, "a SOAP fault that concerns our set-up")
	}
	return cpis.Failed(cpis.SpineFault, "a SOAP fault")
}
