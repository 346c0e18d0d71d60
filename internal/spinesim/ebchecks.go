package spinesim

import (
	"strings"
	"time"
)

// ebCheck is one of the tests on the ebXML message around a query; code is ebXML's,
// symbol in the style of Spine's. missing says what is wrong, empty for nothing.
type ebCheck struct {
	code, symbol string
	missing      func(d ebDocument, h ebHeader, k Contract) string
}

// Error codes of ebXML 2.0, and the one of a public test harness for a contract that
// it does not know.
const (
	codeMimeProblem  = "MimeProblem"
	codeUnrecognized = "ValueNotRecognized"
	codeInconsistent = "Inconsistent"
	codeOtherXML     = "OtherXml"
	codeNoContract   = "402005"
)

const symbolCPA = "ErrorBaseTms.CPA_ID_ERROR"

// firstEbViolation applies the checks in order. Each may rely on those before it.
func firstEbViolation(d ebDocument, h ebHeader, k Contract) *violation {
	for _, c := range ebChecks {
		text := c.missing(d, h, k)
		if text != "" {
			return &violation{symbol: c.symbol, text: text, ebCode: c.code}
		}
	}
	return nil
}

// ebChecks is never changed. The names of the symbols but for notWellFormed are
// guesses.
var ebChecks = []ebCheck{
	{codeOtherXML, notWellFormed, func(d ebDocument, _ ebHeader, _ Contract) string {
		switch {
		case d.envelope.space != nsSOAP || d.envelope.local != "Envelope":
			return "the first part is not a SOAP 1.1 envelope"
		case d.header == nil || d.body == nil:
			return "not exactly one SOAP header and one SOAP body"
		case d.messageHeader.attrIn(nsEB, "version") != "2.0" || d.messageHeader.attrIn(nsSOAP, "mustUnderstand") != "1":
			return "not exactly one eb:MessageHeader of version 2.0 that must be understood"
		}
		return ""
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_FROM_ERROR", func(d ebDocument, h ebHeader, k Contract) string {
		known := h.from != "" && (k.ClientPartyKey == "" || h.from == k.ClientPartyKey)
		return unless(known && partyTyped(d, "From"), "eb:From is not the contract's party, or of another type")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_TO_ERROR", func(d ebDocument, h ebHeader, k Contract) string {
		return unless(h.to == k.PartyKey && partyTyped(d, "To"), "eb:To is not the contract's party, or of another type")
	}},
	{codeUnrecognized, symbolCPA, func(_ ebDocument, h ebHeader, k Contract) string {
		return unless(h.cpaID == k.CPAID, "the CPAId is not known")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_CONVERSATION_ID_ERROR", func(_ ebDocument, h ebHeader, _ Contract) string {
		return unless(upperUUID(strings.ToUpper(h.conversationID)), "not exactly one eb:ConversationId that is a UUID")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_SERVICE_ERROR", func(_ ebDocument, h ebHeader, _ Contract) string {
		return unless(h.service == service, "the eb:Service is not known")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_ACTION_ERROR", func(_ ebDocument, h ebHeader, _ Contract) string {
		return unless(h.action == queryElement, "the eb:Action is not known")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_MESSAGE_ID_ERROR", func(_ ebDocument, h ebHeader, _ Contract) string {
		return unless(upperUUID(h.messageID), "not exactly one eb:MessageId that is an upper-case UUID")
	}},
	{codeUnrecognized, "ErrorBaseTms.EBXML_TIMESTAMP_ERROR", func(_ ebDocument, h ebHeader, _ Contract) string {
		_, err := time.Parse(ebTime, h.timestamp)
		return unless(err == nil, "not exactly one eb:Timestamp of the form yyyy-MM-ddTHH:mm:ssZ")
	}},
	{codeInconsistent, "ErrorBaseTms.DUPLICATE_ELIMINATION_INCONSISTENT_WITH_CONTRACT", func(d ebDocument, _ ebHeader, k Contract) string {
		found := d.messageHeader.all(nsEB, "DuplicateElimination")
		return unless(k.DuplicateElimination.allows(len(found)), "eb:DuplicateElimination is "+string(k.DuplicateElimination)+" by contract")
	}},
	{codeInconsistent, "ErrorBaseTms.ACK_REQUESTED_INCONSISTENT_WITH_CONTRACT", func(d ebDocument, _ ebHeader, k Contract) string {
		found := d.header.all(nsEB, "AckRequested")
		if !k.AckRequested.allows(len(found)) {
			return "eb:AckRequested is " + string(k.AckRequested) + " by contract"
		}
		for _, n := range found {
			if n.attrIn(nsEB, "signed") != "false" || n.attrIn(nsSOAP, "actor") != actorToParty {
				return "eb:AckRequested is signed, or for another actor"
			}
		}
		return ""
	}},
	{codeInconsistent, "ErrorBaseTms.SYNC_REPLY_INCONSISTENT_WITH_CONTRACT", func(d ebDocument, _ ebHeader, k Contract) string {
		found := d.header.all(nsEB, "SyncReply")
		if !k.syncReply().allows(len(found)) {
			return "eb:SyncReply is " + string(k.syncReply()) + " by contract"
		}
		for _, n := range found {
			if n.attrIn(nsSOAP, "actor") != actorNext {
				return "eb:SyncReply is for another actor"
			}
		}
		return ""
	}},
	{codeInconsistent, "ErrorBaseTms.REFERENCE_INCONSISTENT_WITH_CONTRACT", func(d ebDocument, _ ebHeader, _ Contract) string {
		reference := d.body.only(nsEB, "Manifest").only(nsEB, "Reference")
		same := d.payloadID != "" && reference.attrIn(nsXLink, "href") == "cid:"+d.payloadID
		return unless(same, "not exactly one eb:Reference, to the second part")
	}},
}

func partyTyped(d ebDocument, party string) bool {
	id := d.messageHeader.only(nsEB, party).only(nsEB, "PartyId")
	return id.attrIn(nsEB, "type") == partyType
}
