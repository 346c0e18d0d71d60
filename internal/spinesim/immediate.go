package spinesim

import (
	"fmt"
	"strings"
)

// Immediate is what an ebXML request is answered with on its own connection.
type Immediate string

// The immediate answers. After the first two CP-IS processes the query and the reply
// is posted; after the others neither happens, but for their late- variants.
const (
	Accepted     Immediate = "accepted"      // 202 without a body
	Acknowledged Immediate = "acknowledged"  // 200 with an eb:Acknowledgment
	MessageError Immediate = "message-error" // 200 with an eb:MessageError, DeliveryFailure
	SOAPFault    Immediate = "fault"         // SOAP fault 200
	BadGateway   Immediate = "http-502"      // an HTML page
	Cut          Immediate = "cut"           // the connection is reset
	Hang         Immediate = "hang"          // nothing, for a minute or until the client leaves
)

// LateImmediate is the variant of an immediate failure before which CP-IS processed
// the query, so that the reply is posted all the same.
func LateImmediate(i Immediate) Immediate { return "late-" + i }

// split tells a late variant from the answer itself.
func (i Immediate) split() (answer Immediate, processed bool) {
	base, late := strings.CutPrefix(string(i), "late-")
	answer = Immediate(base)
	return answer, late || answer == Accepted || answer == Acknowledged
}

func (i Immediate) validate() error {
	answer, _ := i.split()
	switch answer {
	case MessageError, SOAPFault, BadGateway, Cut, Hang:
		return nil
	case Accepted, Acknowledged:
		if i == answer {
			return nil
		}
	}
	if i == "" {
		return nil
	}
	return fmt.Errorf("there is no immediate answer %q", i)
}

// immediately is the arrival of a query that gets that answer. By default it is what
// the request asks for.
func (c *call) immediately(answer Immediate) arrival {
	a := arrival{}
	switch answer {
	case Acknowledged:
		a.answer = xmlResponse(200, ebAcknowledgment(c.signal()))
	case MessageError:
		a.answer = xmlResponse(200, ebMessageError(c.signal(), "DeliveryFailure", "eb:MessageHeader", "the message cannot be delivered"))
	case SOAPFault:
		a.answer = systemFailure(500)(c)
	case BadGateway:
		a.answer = page(502)(c)
	case Cut:
		a.deliver = resetAfterRequest
	case Hang:
		a.deliver = neverAnswered
	default:
		a.answer = response{status: 202}
	}
	return a
}

// signal is the header of an acknowledgement or error about this request.
func (c *call) signal() ebHeader {
	h := c.answering()
	h.service = signalService
	return h
}

// answering is the header of any message about this request, without its action.
func (c *call) answering() ebHeader {
	request, contract := c.m.ebxml, c.sim.cfg.Contract
	return ebHeader{
		from:           contract.PartyKey,
		to:             request.from,
		cpaID:          contract.CPAID,
		conversationID: request.conversationID,
		service:        service,
		messageID:      c.sim.ids.next(),
		refTo:          request.messageID,
		timestamp:      c.now.UTC().Format(ebTime),
	}
}
