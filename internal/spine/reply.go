package spine

import (
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// limits bound what a reply may hold.
func (c *Client) limits() xmlstrict.Limits {
	return xmlstrict.Limits{Bytes: c.config.MaxReply, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
}

// judgeReply reads the reply interaction that was found, if one was, and refuses one
// that refers to another message.
func (c *Client) judgeReply(found xmlstrict.Element, q cpis.Query, id string) cpis.Answer {
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
