package spine

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// attemptSync makes one attempt over the synchronous pattern, and says whether another
// one is allowed, which it is only if no byte of this one left (WRD-SPN-07).
func (c *Client) attemptSync(ctx context.Context, route Route, q cpis.Query, id string) (answer cpis.Answer, again bool) {
	envelope, err := c.renderEnvelope(route, q, id)
	if err != nil {
		return cpis.Failed(cpis.InternalNotSent, notWritten), false
	}
	received, err := c.pool.exchange(ctx, route.Endpoint, request(route.Endpoint, "text/xml; charset=utf-8", envelope))
	var failure *exchangeError
	if errors.As(err, &failure) {
		if failure.sent {
			return cpis.Failed(cpis.SentNoAnswer, failure.stage), false
		}
		return cpis.Failed(cpis.NotSent, failure.stage), !failure.full
	}
	return c.judge(received, q, id), false
}

// renderEnvelope writes the header blocks in the order that the Spine is known to
// receive them.
func (c *Client) renderEnvelope(route Route, q cpis.Query, id string) ([]byte, error) {
	to := c.config.To
	if to == "" {
		to = route.Endpoint.String()
	}
	w := xmlstrict.NewWriter(6 << 10)
	w.Declaration()
	w.Start("SOAP-ENV:Envelope", "xmlns:SOAP-ENV", soap.Namespace, "xmlns:wsa", soap.Addressing2004, "xmlns:hl7", hl7.Namespace)
	w.Start("SOAP-ENV:Header")
	w.Leaf("wsa:MessageID", "uuid:"+id)
	w.Leaf("wsa:Action", action)
	w.Leaf("wsa:To", to)
	c.renderAddress(w, "wsa:From")
	renderParty(w, "hl7:communicationFunctionRcv", route.ToASID)
	renderParty(w, "hl7:communicationFunctionSnd", c.config.FromASID)
	c.renderAddress(w, "wsa:ReplyTo")
	w.End()
	w.Start("SOAP-ENV:Body")
	c.writeInteraction(w, route, q, id)
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
	tree, err := xmlstrict.Parse(r.body, c.limits())
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
	return c.judgeReply(hl7.FindReply(envelope.Body), q, id)
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
